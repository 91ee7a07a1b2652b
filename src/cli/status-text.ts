import type { KindLedger, SelfUse, SignalLedger, StatusDocument } from '../model/status.ts'
import { printable, quoted } from './printable.ts'
import { table } from './table.ts'
import { byteSize, counted, duration, localTime } from './units.ts'

/** Kinds of observation that are no act of a process. */
const NOT_ACTS = new Set(['process.seen', 'loss'])

/** `spoor status` for people. The document came over a socket: nothing in it reaches the terminal as it is. */
export function statusText(status: StatusDocument): string {
  const { run, sensor, journal, self } = status
  const rows: (readonly string[])[] = [['state', `${status.state}${status.why.length === 0 ? '' : ': ' + status.why.map(printable).join('; ')}`]]
  if (run !== null) {
    rows.push(['run', `${printable(run.id)}, since ${localTime(big(run.startedAt))}, version ${printable(run.version)}, ${counted(run.openSessions, 'open session')}`])
    rows.push(['directory', quoted(run.stateDir)])
  }
  if (sensor !== null) {
    const blind = Object.entries(sensor.capabilities).filter(([kind, fidelity]) => fidelity === 'none' && !NOT_ACTS.has(kind))
    rows.push([
      'sensor',
      `${printable(sensor.name)}${sensor.rung === sensor.name ? '' : ` (${printable(sensor.rung)})`}, ring ${byteSize(sensor.ringBytes)}, ${sensor.pinned === null ? 'not pinned' : `pinned in ${printable(sensor.pinned)}`}`,
    ])
    if (blind.length > 0) rows.push(['not seen', blind.map(([kind]) => printable(kind)).join(', ')])
  }
  if (journal !== null)
    rows.push(['journal', `entries ${printable(journal.first)} to ${printable(journal.next)}, durable up to ${printable(journal.durable)}, ${byteSize(big(journal.bytes))}`])
  for (const [name, use] of Object.entries(self)) if (use !== null) rows.push([printable(name), usage(use)])
  return table(rows) + ledgerText(status)
}

const usage = ({ pid, rssBytes, cpuNs }: SelfUse): string =>
  `pid ${Number(pid)}, ${rssBytes === null ? '?' : byteSize(big(rssBytes))}, ${cpuNs === null ? '?' : duration(big(cpuNs))} of CPU`

function ledgerText({ ledger }: StatusDocument): string {
  if (ledger === null) return ''
  let text = ''
  for (const [sensor, kinds] of Object.entries(ledger.sensors)) {
    const rows = Object.entries(kinds).filter(([, row]) => row.observed !== '0')
    if (rows.length === 0) continue
    text += `\nledger of ${printable(sensor)}\n${indented(table([['', 'OBSERVED', 'SINGLE', 'FOLDED', 'ROLLED UP', 'COALESCED', 'FILTERED', 'LOST'], ...rows.map(([kind, row]) => kindRow(kind, row))]))}`
  }
  for (const [name, signals] of Object.entries(ledger.destinations)) {
    const rows = Object.entries(signals).flatMap(([signal, row]) => (row === null ? [] : [destinationRow(signal, row)]))
    text += `\nshipped to ${printable(name)}\n${indented(table([['', 'ENTRIES', 'ACKNOWLEDGED', 'REJECTED', 'PARKED', 'PENDING', 'EXPIRED'], ...rows]))}`
  }
  return text
}

const kindRow = (kind: string, row: KindLedger): readonly string[] =>
  [kind, row.observed, row.single, row.folded, row.rolledUp, row.coalesced, reasons(row.filtered), reasons(row.lost)].map(printable)
const destinationRow = (signal: string, row: SignalLedger): readonly string[] =>
  [signal, row.entries, row.acknowledged, reasons(row.rejected), row.parked, row.pending, row.expired].map(printable)

function reasons(counts: Readonly<Record<string, string>>): string {
  const some = Object.entries(counts).filter(([, count]) => count !== '0')
  return some.length === 0 ? '0' : some.map(([reason, count]) => `${count} ${reason}`).join(', ')
}

const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ')
const big = (count: string): bigint => (/^\d{1,20}$/.test(count) ? BigInt(count) : 0n)
