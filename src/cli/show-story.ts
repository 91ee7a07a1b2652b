import { clipped, commandLine, printable, quoted } from './printable.ts'
import type { ShowFold } from './show-fold.ts'
import type { ConnectionRow, FileRow, ProcessRow, ToolCallRow, TurnRow } from './show-rows.ts'
import { byteSize, counted, duration, localTime } from './units.ts'

/** Below one call; the sections that follow have all. */
const BELOW_MAX = 6
const HELPERS_MAX = 8

/** What a person should look at. */
const MARKS: Readonly<Record<string, string>> = { confirmed: 'ok', differs: '!!', declared_not_seen: '!!', seen_not_declared: '!!', ambiguous: '??', not_observable: '..' }

/** The session told in its own order: each turn, each call with its verdict and what really happened below it; at the end what nobody declared. */
export function story(fold: ShowFold, width: number): string {
  const turns = [...fold.turns.values()].sort((a, b) => (BigInt(a.startedAt ?? 0) < BigInt(b.startedAt ?? 0) ? -1 : 1))
  if (!turns.some((turn) => turn.basis === 'claim' || turn.toolCalls.length > 0)) return ''
  const below = index(fold)
  const lines: string[] = []
  for (const turn of turns) {
    const helpers = [...fold.processes.values()].filter((process) => process.turnId === turn.id && process.toolCallId === null && process.role === 'harness')
    if (turn.basis !== 'claim' && turn.toolCalls.length === 0 && helpers.length === 0) continue
    lines.push(turnLine(turn))
    const calls = turn.toolCalls.filter((call) => call.verdict !== 'seen_not_declared').sort((a, b) => (BigInt(a.startedAt ?? 0) < BigInt(b.startedAt ?? 0) ? -1 : 1))
    for (const call of calls) lines.push(...callLines(call, below, width))
    if (helpers.length > 0) lines.push(`  the agent's own helpers: ${names(helpers)}`)
  }
  const undeclared = turns.flatMap((turn) => turn.toolCalls).filter((call) => call.verdict === 'seen_not_declared')
  if (undeclared.length > 0) {
    lines.push('what nobody declared')
    for (const call of undeclared) lines.push(...callLines(call, below, width))
  }
  return lines.map((line) => clipped(line, width)).join('\n')
}

type Below = {
  readonly processes: ReadonlyMap<string, readonly ProcessRow[]>
  readonly files: ReadonlyMap<string, readonly FileRow[]>
  readonly connections: ReadonlyMap<string, readonly ConnectionRow[]>
}

function index(fold: ShowFold): Below {
  const group = <T>(rows: Iterable<T>, key: (row: T) => string | null): Map<string, T[]> => {
    const groups = new Map<string, T[]>()
    for (const row of rows) {
      const id = key(row)
      if (id === null) continue
      const group = groups.get(id)
      if (group === undefined) groups.set(id, [row])
      else group.push(row)
    }
    return groups
  }
  return {
    processes: group(fold.processes.values(), (row) => row.toolCallId),
    files: group(fold.files.values(), (row) => row.processId),
    connections: group(fold.connections.values(), (row) => row.processId),
  }
}

function turnLine(turn: TurnRow): string {
  const lasted = turn.startedAt !== null && turn.endedAt !== null ? duration(BigInt(turn.endedAt) - BigInt(turn.startedAt)) : 'open'
  const asked =
    turn.prompt === null
      ? turn.basis === 'startup'
        ? 'start-up'
        : turn.basis === 'record'
          ? 'recorded command'
          : 'no request was declared'
      : `request of ${byteSize(BigInt(turn.prompt.length))} (sha256 ${turn.prompt.sha256.slice(0, 12)})`
  const model = [turn.model, turn.mode].filter((part) => part !== null).map(printable)
  return [`turn ${turn.number ?? '?'}`, turn.startedAt === null ? '' : localTime(BigInt(turn.startedAt)), lasted, asked, ...model].filter((part) => part !== '').join('  ')
}

function callLines(call: ToolCallRow, below: Below, width: number): string[] {
  const processes = below.processes.get(call.id) ?? []
  const root = processes.find((process) => process.id === call.rootProcessId)
  const ran = root === undefined ? null : commandOf(root)
  const said = call.command === null ? (call.paths.length > 0 ? call.paths.map(quoted).join(' ') : null) : printable(call.command)
  const lasted = call.startedAt !== null && call.endedAt !== null ? duration(BigInt(call.endedAt) - BigInt(call.startedAt)) : 'open'
  const verdict = call.verdict === null ? 'not settled' : printable(call.verdict).replaceAll('_', ' ')
  const how = call.join === null || call.join.method === 'none' ? '' : ` by ${printable(call.join.method)}`
  const mark = call.verdict === null ? '  ' : (MARKS[call.verdict] ?? '  ')
  const lines = [clipped(`  ${mark} ${printable(call.name)}  ${said ?? ran ?? ''}`, Math.max(width - 40, 40)) + `  [${lasted}; ${verdict}${how}]`]
  if (call.verdict !== 'confirmed' && call.why !== null) lines.push(`       ${printable(call.why)}`)
  if (call.verdict === 'differs' && ran !== null) lines.push(`       ran: ${ran}`)
  if (call.late !== null) lines.push(`       declared later as ${printable(call.late.name)} ${printable(call.late.callId)}: ${printable(call.late.verdict)}`)
  const others = processes.filter((process) => process !== root)
  if (others.length > 0) lines.push(`       ${counted(processes.length, 'process', 'processes')}: ${names(others)}`)
  const changed = new Set<string>()
  let reads = 0
  for (const process of processes) {
    for (const file of below.files.get(process.id) ?? []) {
      if (file.operations.length === 0 && !file.access.some((access) => access !== 'read')) reads += file.opens
      else
        for (const path of file.kind === 'file' ? [file.operations.find((done) => done.targetPath !== null)?.targetPath ?? file.path] : file.paths)
          if (!path.startsWith('/dev/')) changed.add(path)
    }
  }
  if (changed.size > 0) lines.push(`       changed ${some([...changed].map(quoted), changed.size)}`)
  if (reads > 0) lines.push(`       opened ${counted(reads, 'file')} for reading`)
  const talked = processes.flatMap((process) => below.connections.get(process.id) ?? []).filter((row) => row.direction === 'connect')
  if (talked.length > 0) lines.push(`       -> ${some(talked.map(endOf), talked.length)}`)
  return lines
}

const some = (items: readonly string[], all: number): string => items.slice(0, BELOW_MAX).join(', ') + (all > BELOW_MAX ? `, and ${all - BELOW_MAX} more` : '')

function endOf({ peer, bytesOut, error }: ConnectionRow): string {
  const where = peer.address === null ? '?' : `${peer.address.includes(':') ? `[${printable(peer.address)}]` : printable(peer.address)}:${peer.port ?? '?'}`
  return where + (error !== null ? ` (${printable(error)})` : bytesOut === null ? '' : ` (${byteSize(BigInt(bytesOut))} out)`)
}

function commandOf(process: ProcessRow): string {
  const image = process.images.find(({ command }) => command !== null) ?? process.images[0]
  return image === undefined ? '?' : image.command !== null ? printable(image.command) : commandLine(image.args)
}

/** Programs by name, the most frequent first. */
function names(processes: readonly ProcessRow[]): string {
  const counts = new Map<string, number>()
  for (const { images, name } of processes) {
    const path = images.at(-1)?.path ?? null
    const program = printable(path === null ? (name ?? '(forked only)') : path.slice(path.lastIndexOf('/') + 1))
    counts.set(program, (counts.get(program) ?? 0) + 1)
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1])
  const shown = sorted.slice(0, HELPERS_MAX).map(([program, count]) => (count === 1 ? program : `${program} x${count}`))
  return shown.join(', ') + (sorted.length > HELPERS_MAX ? ', ...' : '')
}
