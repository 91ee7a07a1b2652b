import { unwrapCommand } from '../agents/unwrap.ts'
import type { Activity } from '../model/activity.ts'
import { type Bytes, decodeUtf8 } from '../model/bytes.ts'
import { imageOf } from '../model/process.ts'
import type { Place, Session, SessionActivity } from '../model/session.ts'
import { createRedactor, type Redactor } from '../redact/redact.ts'
import { EINPROGRESS, errorName } from '../shape/errno.ts'
import { createFileNamer } from './live-files.ts'
import { clipped, commandLine, printable, quoted } from './printable.ts'
import { clockTime, counted, duration } from './units.ts'

/** A person reads some lines a second; a build makes hundreds. What is left out is counted, and all of it is in the journal. */
const LINES_PER_SECOND = 30
/** Lines of late that are not said again (a program that opens a file twice, `bash -c "x"` that becomes `x`). */
const RECENT_MAX = 512

export type LiveOptions = {
  readonly write: (line: string) => void
  /** Milliseconds, for the bound on lines. */
  readonly now: () => number
  readonly width: () => number
  readonly home: string
  /** Further globs of sensitive files, from the configuration. */
  readonly sensitive: readonly string[]
}

/** What `spoor run` prints on a terminal: one line for what a person would want to know at once. */
export type Live = { onActivity(activity: SessionActivity, offsetNs: bigint): void }

export function createLive({ write, now, width, home, sensitive }: LiveOptions): Live {
  const fileWorthNaming = createFileNamer(sensitive)
  // A shared screen is a way out too: what the journal would not say, the terminal does not either.
  const redactor = createRedactor()
  const recent = new Set<string>()
  let second = 0
  let lines = 0
  let skipped = 0

  function print(at: bigint, session: Session, text: string, always = false): void {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      if (skipped > 0) write(`          ... and ${counted(skipped, 'more line')} (spoor events has them)`)
      second = current
      lines = skipped = 0
    }
    if (++lines > LINES_PER_SECOND && !always) {
      skipped++
      return
    }
    write(clipped(`${clockTime(at)}  ${session.id.slice(0, 8)}  ${text}`, Math.max(width(), 40)))
  }

  /** Once per session and while it is recent. */
  function once(at: bigint, session: Session, text: string): void {
    const key = session.id + text
    if (recent.has(key)) return
    if (recent.size >= RECENT_MAX) for (const oldest of recent) if (recent.delete(oldest)) break
    recent.add(key)
    print(at, session, text)
  }

  const place = (path: string): string => (path === home ? '~' : path.startsWith(home + '/') && home !== '/' ? '~' + quoted(path.slice(home.length)) : quoted(path))

  function observed(activity: Activity, { session, role, toolCall, toolRoot }: Place, at: bigint): void {
    const { observation, process } = activity
    switch (observation.kind) {
      case 'exec': {
        const asked = (toolRoot ?? toolCall?.rootProcess) === process.id || (role === 'member' && (process.id === session.root || process.parentId === session.root))
        if (asked) once(at, session, '$ ' + commandOf(activity, redactor))
        return
      }
      case 'open':
      case 'change': {
        const file = fileWorthNaming(observation, session, role)
        if (file !== null) once(at, session, `${file.mark} ${shownPath(file.path, session)}${file.why === null ? '' : `  !${file.why}`}`)
        return
      }
      case 'connect': {
        const { address, port } = observation.sock.peer
        const failed = observation.result < 0 && observation.result !== -EINPROGRESS ? `  ${errorName(observation.result) ?? observation.result}` : ''
        once(at, session, `-> ${endpoint(address, port)}${failed}`)
        return
      }
      case 'listen':
        once(at, session, `listens on ${endpoint(observation.sock.local.address, observation.sock.local.port)}`)
        return
      case 'accept':
        once(at, session, `<- ${endpoint(observation.sock.peer.address, observation.sock.peer.port)} at port ${observation.sock.local.port}`)
        return
      default:
        return
    }
  }

  return {
    onActivity(activity, offsetNs) {
      const at = activity.at + offsetNs
      switch (activity.kind) {
        case 'observed':
          return observed(activity.activity, activity.place, at)
        case 'session.start': {
          const { agent, user, origin, image, joinedLate, parentId } = activity.session
          const version = agent.version === null ? '' : ' ' + printable(agent.version)
          const where = parentId === null ? `, asked by ${printable(user.name ?? String(user.id))} from ${origin}` : `, inside ${parentId.slice(0, 8)}`
          return print(
            at,
            activity.session,
            `${printable(agent.name)}${version} ${joinedLate ? 'was already running' : 'started'} in ${place(decodeUtf8(image.cwd).text)}${where}`,
            true,
          )
        }
        case 'session.end': {
          const { totals, startedAt, agent, incomplete } = activity.session
          const did = [counted(totals.processes, 'process', 'processes'), `${counted(totals.filesChanged, 'file')} changed`, counted(totals.connections, 'connection')].join(', ')
          const lacks = incomplete.length === 0 ? '' : `; incomplete: ${incomplete.map(printable).join(', ')}`
          return print(at, activity.session, `${printable(agent.name)} ended after ${duration(activity.at - startedAt)}: ${did}${lacks}`, true)
        }
        case 'gap':
          return write(
            `${clockTime(at)}  ${' '.repeat(8)}  something was not seen: ${printable(activity.reason)}, ${activity.atLeast === 'unknown' ? 'how much is not known' : `at least ${activity.atLeast}`} (${activity.kinds.map(printable).join(', ')})`,
          )
        default:
          return // turns, tool calls and settlements stand in the journal
      }
    },
  }
}

function commandOf({ process }: Activity, redactor: Redactor): string {
  const image = imageOf(process)
  if (image === undefined) return '?'
  const inner = unwrapCommand(image.args)
  if (inner !== null) return printable(redactor.text(decodeUtf8(inner).text))
  const args = redactor.args([...image.args.head, ...(image.args.tail ?? [])].map((arg: Bytes) => decodeUtf8(arg).text))
  // Said as the shell said it: `bash -c "curl x"` that becomes `curl x` is one line, not two.
  return args.length === 0 ? quoted(decodeUtf8(image.path).text) : args.every((arg) => !/\s/.test(arg)) ? printable(args.join(' ')) : commandLine(args)
}

function shownPath(path: Bytes, session: Session): string {
  const folder = session.image.cwd.endsWith('/') ? session.image.cwd : session.image.cwd + '/'
  return quoted(decodeUtf8((path.startsWith(folder) && path.length > folder.length ? path.slice(folder.length) : path) as Bytes).text)
}

const endpoint = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`
