import { createAccounts } from '../identity/accounts.ts'
import type { FilePosition, IntakeCounters } from '../intake/frames.ts'
import type { IntakeOrder } from '../intake/orders.ts'
import { sourceOf } from '../intake/sources.ts'
import type { Claim } from '../model/claim.ts'
import { type IntakeChild, type IntakeState, startIntakeChild } from './intake-child.ts'

/** A user's last session may be followed by their next: an intake ends this long after, when its files have been read to their ends. */
const LAST_MS = 15_000
const INTAKES_MAX = 32
/** Files whose read position is remembered for each user. */
const POSITIONS_MAX = 1024
/** `nobody`'s group, where the account is not in /etc/passwd: what is the user's own is read by uid. */
const NOGROUP = 65_534

export type IntakeSession = {
  /** Ours: `session.id`. */
  readonly id: string
  readonly uid: number
  /** The user's home: HOME of the agent's process where it is known, else the account's. */
  readonly home: string | null
  /** Catalogue name. */
  readonly agent: string
  readonly pid: number
  readonly cwd: string
  /** Of the agent's process: the variables in `CLAIM_ENVIRONMENT`. */
  readonly env: Readonly<Record<string, string>>
  /** When the session began, Unix milliseconds: older records are another's. */
  readonly since: number
}

export type ClaimBatch = { readonly file: FilePosition; readonly claims: readonly Claim[] }
export type IntakeReport = {
  readonly uid: number
  readonly pid: number | null
  readonly state: IntakeState
  readonly sessions: number
  readonly restarts: number
  /** Frames that were none. */
  readonly malformed: number
  /** Of this life of the intake; null before it has told. */
  readonly counters: IntakeCounters | null
}

export type Intakes = {
  /** False: nobody reads what this agent writes about itself, or there are too many users: its calls are not observable. */
  session(open: IntakeSession): boolean
  ended(id: string): void
  /** A process of session `id` opened `path` for writing (kernel's word): the surest way to its transcript. Cheap to call for every such open. */
  wrote(id: string, path: string): void
  /** Read positions by uid: plain data, to be kept over a restart of the observer. */
  positions(): Readonly<Record<string, readonly FilePosition[]>>
  report(): readonly IntakeReport[]
  stop(): Promise<void>
}

export type IntakesOptions = {
  /** Arguments of the program that is the intake: the entry file and `__intake`. */
  readonly command: readonly string[]
  /** An empty batch moves a position only. */
  readonly onClaims: (uid: number, batch: ClaimBatch) => void
  readonly onState: (state: string, detail: Record<string, unknown>) => void
  readonly positions?: Readonly<Record<string, readonly FilePosition[]>>
  readonly stuckMs?: number
}

type Intake = { readonly child: IntakeChild; readonly sessions: Map<string, IntakeOrder & { op: 'open' }>; last: NodeJS.Timeout | null }

/** One intake for each user with a live session whose agent writes about itself. */
export function createIntakes({ command, onClaims, onState, positions: known = {}, stuckMs }: IntakesOptions): Intakes {
  const accounts = createAccounts()
  const intakes = new Map<number, Intake>()
  const users = new Map<string, number>()
  const positions = new Map<number, Map<string, FilePosition>>()
  for (const [uid, files] of Object.entries(known)) positions.set(Number(uid), new Map(files.map((file) => [file.path, file])))

  function moved(uid: number, file: FilePosition): void {
    // A document, which is read as a whole each time, has none.
    if (file.next === 0) return
    let files = positions.get(uid)
    if (files === undefined) positions.set(uid, (files = new Map()))
    files.delete(file.path)
    files.set(file.path, file)
    if (files.size > POSITIONS_MAX) files.delete(files.keys().next().value!)
  }

  function begin(uid: number): Intake | null {
    if (intakes.size >= INTAKES_MAX) {
      onState('too many users: claims of this one are not read', { uid, most: INTAKES_MAX })
      return null
    }
    if (process.getuid?.() !== uid && process.getuid?.() !== 0) {
      onState('claims of another user are not read: that needs root', { uid })
      return null
    }
    const sessions = new Map<string, IntakeOrder & { op: 'open' }>()
    const child = startIntakeChild({
      uid,
      gid: accounts.byUid(uid)?.gid ?? NOGROUP,
      command,
      briefing: () => [{ op: 'positions', files: [...(positions.get(uid)?.values() ?? [])] }, ...sessions.values()],
      onClaims: ({ file, claims }) => {
        moved(uid, file)
        onClaims(uid, { file, claims })
      },
      onState,
      ...(stuckMs === undefined ? {} : { stuckMs }),
    })
    const intake: Intake = { child, sessions, last: null }
    intakes.set(uid, intake)
    return intake
  }

  return {
    session(open) {
      const source = sourceOf(open.agent)
      const home = open.home ?? accounts.byUid(open.uid)?.home
      if (source === null || home === undefined) return false
      const intake = intakes.get(open.uid) ?? begin(open.uid)
      if (intake === null) return false
      if (intake.last !== null) clearTimeout(intake.last)
      intake.last = null
      const env = Object.fromEntries(source.environment.flatMap((name) => (open.env[name] === undefined ? [] : [[name, open.env[name]]])))
      const order = { op: 'open', id: open.id, agent: open.agent, home, cwd: open.cwd, env, since: open.since } as const
      intake.sessions.set(open.id, order)
      users.set(open.id, open.uid)
      intake.child.order(order)
      return true
    },
    ended(id) {
      const uid = users.get(id)
      const intake = uid === undefined ? undefined : intakes.get(uid)
      users.delete(id)
      if (uid === undefined || !intake?.sessions.delete(id)) return
      intake.child.order({ op: 'ended', id })
      if (intake.sessions.size > 0) return
      intake.last = setTimeout(() => {
        intakes.delete(uid)
        void intake.child.stop()
      }, LAST_MS)
      intake.last.unref()
    },
    wrote(id, path) {
      const uid = users.get(id)
      const intake = uid === undefined ? undefined : intakes.get(uid)
      const agent = intake?.sessions.get(id)?.agent
      if (intake === undefined || agent === undefined || !path.endsWith('.jsonl') || sourceOf(agent)?.rootOf(path) == null) return
      intake.child.order({ op: 'transcript', id, path })
    },
    positions: () => Object.fromEntries([...positions].map(([uid, files]) => [String(uid), [...files.values()]])),
    report: () =>
      [...intakes].map(([uid, { child, sessions }]) => ({
        uid,
        pid: child.pid(),
        state: child.state(),
        sessions: sessions.size,
        restarts: child.restarts(),
        malformed: child.malformed(),
        counters: child.counters(),
      })),
    async stop() {
      for (const { last } of intakes.values()) if (last !== null) clearTimeout(last)
      await Promise.all([...intakes.values()].map(({ child }) => child.stop()))
      intakes.clear()
    },
  }
}
