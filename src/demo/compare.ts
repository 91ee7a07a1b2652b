import type { ShowFold } from '../cli/show-fold.ts'
import type { ConnectionRow, FileRow, ProcessRow } from '../cli/show-rows.ts'
import { byteSize, counted } from '../cli/units.ts'
import type { Declared } from './declared.ts'

/** A line of the demo's table. `declared` null: the agent said nothing of it; `seen` null: it said so, and nothing of the kind was there. */
export type Compared = { readonly declared: string | null; readonly seen: string | null }

export type Seen = Pick<ShowFold, 'processes' | 'files' | 'connections'>
export type Folders = { readonly work: string; readonly home: string; readonly configDir: string }

/**
 * What an agent declared beside what was seen below it: shells by their command, files by their path, requests by their address. Each thing seen is taken once; the agent's own helpers are no secret of its.
 * `given`: ports that it connects to by its nature (its model).
 */
export function compare(declared: readonly Declared[], seen: Seen, { work, home, configDir }: Folders, given: ReadonlySet<number> = new Set()): readonly Compared[] {
  // A launcher and the program it starts are one agent.
  const agents = new Set([...seen.processes.values()].filter((process) => process.role === 'agent').map((process) => process.id))
  const below = childrenOf(seen)
  const shells = [...seen.processes.values()].filter((process) => !agents.has(process.id) && agents.has(process.parentId ?? '')).sort(byStart)
  const own = [...seen.files.values()].filter((row) => agents.has(row.processId ?? ''))
  const connections = [...seen.connections.values()].filter((row) => agents.has(row.processId ?? '') && row.direction === 'connect' && !given.has(row.peer.port ?? 0))
  const taken = new Set<ProcessRow | ConnectionRow>()
  const accounted = new Set<string>()
  const short = (path: string): string => (path.startsWith(work + '/') ? path.slice(work.length + 1) : path.startsWith(home + '/') ? '~' + path.slice(home.length) : path)

  const rows: { readonly at: bigint; readonly row: Compared }[] = []
  let last = 0n
  for (const call of declared) {
    const { at, told } = look(call)
    last = at ?? last
    const what = call.command ?? call.url ?? (call.path === null ? '' : short(call.path))
    rows.push({ at: last, row: { declared: `${call.tool}  ${what}`, seen: told } })
  }
  for (const shell of shells)
    if (!taken.has(shell) && shell.role !== 'harness') rows.push({ at: startOf(shell), row: { declared: null, seen: `${commandOf(shell)}: ${tree(shell)}` } })
  for (const row of connections) if (!taken.has(row)) rows.push({ at: BigInt(row.startedAt ?? 0), row: { declared: null, seen: connected(row) } })
  for (const path of ownWrites()) if (!accounted.has(path)) rows.push({ at: last, row: { declared: null, seen: `wrote ${short(path)}` } })
  return rows.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ row }) => row)

  function look(call: Declared): { readonly at: bigint | null; readonly told: string | null } {
    if (call.command !== null) {
      const shell = shells.find((process) => !taken.has(process) && process.images.some((image) => image.command === call.command))
      if (shell === undefined) return { at: null, told: null }
      taken.add(shell)
      return { at: startOf(shell), told: tree(shell) }
    }
    if (call.path !== null) {
      const reads = call.tool === 'Read'
      if (!reads) accounted.add(call.path)
      const row = own.find((file) => (reads ? readsFile(file, call.path!) : writtenBy(file).includes(call.path!)))
      // A roll-up carries the time of its flush: no place in the order.
      return { at: row?.kind === 'file' ? BigInt(row.at) : null, told: row === undefined ? null : `${reads ? 'read' : 'written'} by the agent itself` }
    }
    const port = call.url === null ? null : portOf(call.url)
    const row = connections.find((connection) => !taken.has(connection) && connection.peer.port === port)
    if (row === undefined) return { at: null, told: null }
    taken.add(row)
    return { at: BigInt(row.startedAt ?? 0), told: connected(row) }
  }

  /** "4 processes, exit 2; wrote counts.txt; read ~/.aws/credentials !cloud" */
  function tree(shell: ProcessRow): string {
    const members = [shell]
    for (const member of members) members.push(...(below.get(member.id) ?? []))
    const ids = new Set(members.map((process) => process.id))
    const files = [...seen.files.values()].filter((row) => row.processId !== null && ids.has(row.processId))
    const wrote = new Set(files.flatMap(writtenBy).filter((path) => !path.startsWith('/dev/')))
    const sensitive = files.filter((row) => row.sensitivity !== null && row.access.includes('read')).map((row) => `read ${short(row.path)} !${row.sensitivity}`)
    const exit = shell.exit === null ? 'end not seen' : shell.exit.signal ? `signal ${shell.exit.signal}` : `exit ${shell.exit.code ?? '?'}`
    const did = [`${counted(members.length, 'process', 'processes')}, ${exit}`, ...new Set(sensitive)]
    if (wrote.size > 0) did.push(`wrote ${[...wrote].map(short).join(', ')}`)
    return did.join('; ')
  }

  /** Files in the working folder that the agent's own process changed, its scratch files and its own record left out. */
  function ownWrites(): ReadonlySet<string> {
    const scratch = new Set(own.filter((row) => row.operations.some(({ operation }) => operation === 'rename')).map((row) => row.path))
    return new Set(own.flatMap(writtenBy).filter((path) => path.startsWith(work + '/') && !path.startsWith(configDir + '/') && !scratch.has(path)))
  }
}

const commandOf = (process: ProcessRow): string => process.images.find((image) => image.command !== null)?.command ?? process.images.at(-1)?.args.join(' ') ?? process.name ?? '?'
const startOf = (process: ProcessRow): bigint => BigInt(process.startedAt ?? process.images[0]?.at ?? 0)
const byStart = (a: ProcessRow, b: ProcessRow): number => (startOf(a) < startOf(b) ? -1 : 1)

const readsFile = (row: FileRow, path: string): boolean => row.access.some((access) => access !== 'write') && (row.path === path || row.paths.includes(path))

/** Paths that a row says were changed, with a rename's target counted as written. */
function writtenBy(row: FileRow): readonly string[] {
  const targets = row.operations.flatMap(({ operation, targetPath }) => (operation === 'rename' && targetPath !== null ? [targetPath] : []))
  const opened = row.access.some((access) => access !== 'read') ? (row.kind === 'file' ? [row.path] : row.paths) : []
  return [...opened, ...targets]
}

const connected = (row: ConnectionRow): string => `connection to ${row.peer.address}:${row.peer.port}, ${row.bytesOut === null ? 'open' : `${byteSize(BigInt(row.bytesOut))} out`}`

function portOf(url: string): number | null {
  try {
    const { port, protocol } = new URL(url)
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  } catch {
    return null
  }
}

function childrenOf({ processes }: Seen): ReadonlyMap<string, readonly ProcessRow[]> {
  const children = new Map<string, ProcessRow[]>()
  for (const process of processes.values()) {
    if (process.parentId === null || process.parentId === process.id) continue
    const siblings = children.get(process.parentId)
    if (siblings === undefined) children.set(process.parentId, [process])
    else siblings.push(process)
  }
  return children
}
