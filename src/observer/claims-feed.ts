import type { Catalogue } from '../agents/catalogue.ts'
import { CLAIM_ENVIRONMENT } from '../intake/sources.ts'
import { decodeUtf8 } from '../model/bytes.ts'
import type { SessionId } from '../model/ids.ts'
import type { BootNs } from '../model/observation.ts'
import { imageOf, type Process } from '../model/process.ts'
import type { Session, SessionActivity } from '../model/session.ts'
import type { Engine } from './engine.ts'
import { createIntakes, type Intakes } from './intake-children.ts'
import type { Pipeline } from './pipeline.ts'

export type ClaimsFeed = Pick<Intakes, 'report' | 'stop'> & {
  /** Sees which sessions begin and end, and which files their agents write. */
  onActivity(activity: SessionActivity, offsetNs: bigint): void
}

export type ClaimsFeedOptions = {
  readonly catalogue: Catalogue
  readonly pipeline: Pipeline
  readonly engine: Pick<Engine, 'feed'>
  readonly command: readonly string[]
  readonly bootNow: () => BootNs
  /** Reads what the sensor has: an act must be known before what is said of it. */
  readonly drain: () => void
  readonly onState?: ((message: string, detail?: Readonly<Record<string, unknown>>) => void) | undefined
  readonly stuckMs?: number
}

/** Between the intakes and the pipeline: an intake for each user with an open session whose agent makes claims; what it reads is an input like any other. */
export function createClaimsFeed({ catalogue, pipeline, engine, command, bootNow, drain, onState, stuckMs }: ClaimsFeedOptions): ClaimsFeed {
  const speaks = new Set(catalogue.filter((entry) => entry.claims !== undefined).map((entry) => entry.name))
  const open = new Set<SessionId>()
  const lost = new Set<number>()
  let stopped = false

  const intakes = createIntakes({
    command,
    positions: Object.fromEntries([...pipeline.state.claimFiles].map(([uid, files]) => [String(uid), [...files.values()]])),
    onClaims(uid, { file, claims }) {
      drain()
      engine.feed({ kind: 'claims', boot: bootNow(), uid, claims, file })
    },
    onState(message, detail) {
      onState?.(message, detail)
      const { uid } = detail
      if (typeof uid === 'number') later(() => watch(uid))
    },
    ...(stuckMs !== undefined && { stuckMs }),
  })

  /** Not while an input is being reduced. */
  function later(act: () => void): void {
    setImmediate(() => {
      if (!stopped) act()
    })
  }

  /** How a user's intake is, where that has changed. */
  function watch(uid: number): void {
    const found = intakes.report().find((each) => each.uid === uid)
    if (found === undefined || found.state === 'starting' || found.state === 'stopped') return
    say(uid, found.state === 'reading' ? null : found.state === 'stuck' ? 'stuck' : 'ended')
  }

  function say(uid: number, why: string | null): void {
    if (why === null ? !lost.delete(uid) : lost.has(uid)) return
    if (why !== null) lost.add(uid)
    engine.feed({ kind: 'intake', boot: bootNow(), uid, why })
  }

  function begin(session: Session, process: Process, offsetNs: bigint): void {
    if (open.has(session.id) || !speaks.has(session.agent.name)) return
    open.add(session.id)
    const env: Record<string, string> = {}
    for (const [name, value] of imageOf(process)?.env ?? []) if (CLAIM_ENVIRONMENT.includes(name)) env[name] = decodeUtf8(value).text
    const { HOME: home } = env
    const wanted = {
      id: session.id,
      uid: session.user.id,
      home: home?.startsWith('/') ? home : null,
      agent: session.agent.name,
      pid: session.rootPid,
      cwd: decodeUtf8(session.image.cwd).text,
      env,
      since: Number((session.startedAt + offsetNs) / 1_000_000n),
    }
    later(() => {
      if (open.has(session.id) && !intakes.session(wanted)) say(session.user.id, 'unavailable')
    })
  }

  for (const { record } of pipeline.state.sessions.claims.sessions.values()) begin(record.session, record.root, pipeline.state.clock.latestNs)
  for (const uid of pipeline.state.sessions.claims.lost.keys()) lost.add(uid)

  return {
    report: intakes.report,
    async stop() {
      await intakes.stop()
      stopped = true
    },
    onActivity(activity, offsetNs) {
      switch (activity.kind) {
        case 'session.start':
          begin(activity.session, activity.process, offsetNs)
          return
        case 'session.end': {
          const { id } = activity.session
          if (open.delete(id)) later(() => intakes.ended(id))
          return
        }
        case 'observed': {
          const { place } = activity
          if (place.role !== 'agent') return
          const { observation, process } = activity.activity
          // A recorded command that became an agent.
          if (observation.kind === 'exec') begin(place.session, process, offsetNs)
          else if (
            observation.kind === 'open' &&
            observation.access !== 'read' &&
            observation.result >= 0 &&
            open.has(place.session.id) &&
            observation.file.path.endsWith('.jsonl')
          ) {
            const path = decodeUtf8(observation.file.path).text
            later(() => intakes.wrote(place.session.id, path))
          }
          return
        }
        default:
          return
      }
    },
  }
}
