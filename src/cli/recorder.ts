import type { SessionId } from '../model/ids.ts'
import type { SessionSummary } from '../model/status.ts'
import { askControl } from '../observer/client.ts'
import type { Observer } from '../observer/face.ts'

export type Target = { readonly pid: number; readonly startTicks: number }

/** Whoever observes a recorded command: an observer that runs already, or one of our own. */
export type Recorder = {
  /** Where its state lies, for the hint at the end. Null: another observer's. */
  readonly own: boolean
  /** A text says why it could not be done. */
  record(target: Target, name: string | null): Promise<{ readonly session: string } | string>
  /** Called once the command has ended: waits for its last entries, a moment. */
  finish(session: string): Promise<SessionSummary | null>
  /** Nothing was recorded. */
  abandon(): Promise<void>
}

/** The kernel's ring is drained every 10 ms and a session with all its processes gone ends at once: what takes longer has outlived the command. */
const SETTLE_MS = 1000
const LOOK_EVERY_MS = 20

async function settled(look: () => Promise<SessionSummary | null>): Promise<SessionSummary | null> {
  const until = Date.now() + SETTLE_MS
  for (;;) {
    const summary = await look()
    if (summary === null || (summary.ended && summary.settled !== false) || Date.now() > until) return summary
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS))
  }
}

/** The observer that answers at one of `paths`; null = none runs there. A text: one does, and it cannot be used. */
export async function runningObserver(paths: readonly string[]): Promise<Recorder | string | null> {
  for (const path of paths) {
    const reply = await askControl(path, { op: 'status' })
    if ('unreachable' in reply) {
      if (reply.because === 'failed') return reply.unreachable
      continue
    }
    if (!reply.ok) return `the observer at ${path} refused: ${reply.error}`
    return {
      own: false,
      async record(target, name) {
        const said = await askControl(path, { op: 'record', pid: target.pid, startTicks: target.startTicks, name })
        if ('unreachable' in said) return said.unreachable
        return said.ok ? { session: said.session } : said.error
      },
      finish: (session) =>
        settled(async () => {
          const said = await askControl(path, { op: 'summary', session })
          return 'ok' in said && said.ok ? said.summary : null
        }),
      async abandon() {},
    }
  }
  return null
}

export function ownObserver(observer: Observer): Recorder {
  return {
    own: true,
    async record(target, name) {
      const session = observer.record(target, name)
      return session === null ? 'the process could not be tracked' : { session }
    },
    async finish(session) {
      await settled(async () => observer.summary(session as SessionId))
      // What still runs is no longer observed from here on: the summary says so.
      await observer.stop()
      return observer.summary(session as SessionId)
    },
    abandon: () => observer.stop(),
  }
}
