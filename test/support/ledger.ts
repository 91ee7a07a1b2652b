import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KindLedger, StatusDocument } from '../../src/model/status.ts'
import { status } from './spoor.ts'

const sum = (counts: Readonly<Record<string, string>>): bigint => Object.values(counts).reduce((total, count) => total + BigInt(count), 0n)

export const accounted = (kind: KindLedger): bigint =>
  BigInt(kind.single) + BigInt(kind.folded) + BigInt(kind.rolledUp) + BigInt(kind.coalesced) + sum(kind.filtered) + sum(kind.lost)

/** The equations of the ledger, for every sensor, kind and destination. */
export function assertBalanced(status: StatusDocument): void {
  assert.ok(status.ledger !== null, `status has a ledger: ${JSON.stringify(status.why)}`)
  for (const [sensor, kinds] of Object.entries(status.ledger.sensors)) {
    for (const [kind, ledger] of Object.entries(kinds)) assert.equal(accounted(ledger), BigInt(ledger.observed), `${sensor} ${kind}: ${JSON.stringify(ledger)}`)
  }
  for (const [name, signals] of Object.entries(status.ledger.destinations)) {
    for (const [signal, ledger] of Object.entries(signals)) {
      if (ledger === null) continue
      const total = BigInt(ledger.acknowledged) + sum(ledger.rejected) + BigInt(ledger.parked) + BigInt(ledger.pending) + BigInt(ledger.expired)
      assert.equal(total, BigInt(ledger.entries), `${name} ${signal}: ${JSON.stringify(ledger)}`)
    }
  }
}

export const lost = (status: StatusDocument): bigint =>
  Object.values(status.ledger?.sensors ?? {}).reduce((total, kinds) => total + Object.values(kinds).reduce((n, kind) => n + sum(kind.lost), 0n), 0n)

/** Balanced within a short while: what stands in the ring at the moment of asking is counted by the kernel, not yet by us. */
export async function balances(stateDir: string): Promise<StatusDocument> {
  for (let i = 0; ; i++) {
    const now = status(stateDir)
    try {
      assert.ok(now !== null)
      assertBalanced(now)
      return now
    } catch (error) {
      if (i >= 30) throw error
    }
    await sleep(100)
  }
}
