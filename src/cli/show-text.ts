import type { SessionDocument } from '../model/status.ts'
import { clipped, commandLine, printable, quoted } from './printable.ts'
import type { ShowFold } from './show-fold.ts'
import type { ConnectionRow, FileRow, ProcessRow } from './show-rows.ts'
import { story } from './show-story.ts'
import { table } from './table.ts'
import { byteSize, counted, duration, localTime } from './units.ts'

/** Deeper trees are drawn flat from here on: nobody reads further, and a line has an end. */
const INDENT_MAX = 24
const WIDTH_MIN = 60
/** Of files that were changed together. */
const NAMES_SHOWN = 20

/** `spoor show` for people. */
export function showText(session: SessionDocument, children: readonly SessionDocument[], fold: ShowFold, columns: number): string {
  const width = Math.max(columns, WIDTH_MIN)
  const sections = [
    head(session, children),
    section('what was asked and done', story(fold, width - 2)),
    section(`processes (${fold.processes.size})`, tree(fold.processes, width)),
    section('files changed', table(changed(fold, width))),
    section('files read', table(read(fold, width))),
    section(`connections (${fold.connections.size})`, table([...fold.connections.values()].map((row) => connection(row, fold)))),
    omitted(fold),
  ]
  return sections.filter((text) => text !== '').join('\n')
}

const section = (title: string, body: string): string => (body === '' ? '' : `${title}\n${body.replace(/^/gm, '  ').trimEnd()}\n`)

function head(session: SessionDocument, children: readonly SessionDocument[]): string {
  const { agent, totals, coverage } = session
  const lasted = session.startedAt !== null && session.endedAt !== null ? `, ${duration(BigInt(session.endedAt) - BigInt(session.startedAt))}` : ''
  const rows = [
    ['session', session.id],
    ['agent', `${printable(agent.name)}${agent.version === null ? '' : ' ' + printable(agent.version)}  (${agent.evidence.map(printable).join(', ')})`],
    ['state', session.state + lasted + (session.startedAt === null ? '' : `, started ${localTime(BigInt(session.startedAt))}`)],
    ['asked by', `${printable(session.user.name ?? session.user.id ?? 'unknown')}, from ${printable(session.origin)}`],
    ['folder', session.cwd === null ? 'unknown' : quoted(session.cwd)],
    ['coverage', printable([coverage.fidelity ?? 'unknown', ...coverage.reasons].join('; '))],
  ]
  if (session.parentId !== null) rows.push(['inside', session.parentId])
  if (children.length > 0) rows.push(['contains', children.map((child) => `${child.id.slice(0, 8)} ${printable(child.agent.name)}`).join(', ')])
  if (totals !== null) {
    const { processes, execs, filesRead, filesChanged, connections, bytesOut, turns, toolCalls } = totals
    rows.push([
      'totals',
      `${counted(processes, 'process', 'processes')}, ${counted(execs, 'exec')}, ${filesRead} files read, ${filesChanged} changed, ${counted(connections, 'connection')} (${byteSize(bytesOut)} out), ${counted(turns, 'turn')}, ${counted(toolCalls, 'tool call')}`,
    ])
  }
  return table(rows)
}

/** The process tree, parents before children, children in order of their start. */
function tree(processes: ReadonlyMap<string, ProcessRow>, width: number): string {
  const children = new Map<string | null, ProcessRow[]>()
  for (const process of processes.values()) {
    const parent = process.parentId !== null && processes.has(process.parentId) && process.parentId !== process.id ? process.parentId : null
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [process])
    else siblings.push(process)
  }
  const lines: string[] = []
  const seen = new Set<string>()
  // A stack of our own: the depth is whatever a program made of it.
  const stack = [...(children.get(null) ?? [])].reverse().map((process) => ({ process, lead: '', branch: '' }))
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { process, lead, branch } = top
    if (seen.has(process.id)) continue
    seen.add(process.id)
    lines.push(clipped(lead + branch + processLine(process), width - 2))
    const below = lead.length >= INDENT_MAX ? lead : lead + (branch === '' ? '' : branch === '└─ ' ? '   ' : '│  ')
    const own = children.get(process.id) ?? []
    for (let i = own.length - 1; i >= 0; i--) stack.push({ process: own[i]!, lead: below, branch: i === own.length - 1 ? '└─ ' : '├─ ' })
  }
  // Parents in a circle: only a damaged journal says so; they are shown all the same.
  for (const process of processes.values()) if (!seen.has(process.id)) lines.push(clipped(processLine(process), width - 2))
  return lines.join('\n') + (lines.length > 0 ? '\n' : '')
}

function processLine(process: ProcessRow): string {
  const last = process.images.at(-1)
  const command =
    process.images.length === 0
      ? '(forked, ran no program)'
      : process.images.map((image) => (image.command !== null ? printable(image.command) : commandLine(image.args))).join('  =>  ')
  const lasted = process.startedAt !== null && process.endedAt !== null ? duration(BigInt(process.endedAt) - BigInt(process.startedAt)) : process.endedAt === null ? 'running' : '?'
  const exit =
    process.exit === null
      ? ''
      : process.exit.signal !== null && process.exit.signal !== 0
        ? ` signal ${process.exit.signal}`
        : process.exit.code === 0
          ? ''
          : ` exit ${process.exit.code ?? '?'}`
  return `${process.pid ?? '?'} [${lasted}${exit}] ${command || (last?.path === null || last === undefined ? '?' : quoted(last.path))}`
}

const program = (id: string | null, fold: ShowFold): string => {
  const process = id === null ? undefined : fold.processes.get(id)
  const path = process?.images.at(-1)?.path
  return process === undefined ? '' : `${process.pid ?? '?'}${path == null ? '' : ' ' + printable(path.slice(path.lastIndexOf('/') + 1))}`
}

const DEVICE = /^\/dev\/(?!shm\/)/
const CHANGES = (row: FileRow): boolean => row.operations.length > 0 || row.access.some((access) => access !== 'read')

function changed(fold: ShowFold, width: number): readonly (readonly string[])[] {
  return [...fold.files.values()].filter(CHANGES).flatMap((row) => {
    const done = row.operations.map(
      ({ operation, targetPath, error, count }) =>
        `${printable(operation)}${targetPath === null ? '' : ` to ${quoted(targetPath)}`}${error === null ? '' : ` (${printable(error)})`}${count > 1 ? ` x${count}` : ''}`,
    )
    if (row.opens > 0 && row.access.some((access) => access !== 'read')) done.unshift(`write${row.opens > 1 ? ` x${row.opens}` : ''}`)
    const paths = row.paths.filter((path) => !DEVICE.test(path))
    // Output thrown away, a terminal looked for: every program does it.
    if (row.kind === 'folder' && paths.length === 0 && row.operations.length === 0) return []
    const names = paths.slice(0, NAMES_SHOWN).map((path) => ['  ' + clipped(quoted(path), width)])
    const more = paths.length > NAMES_SHOWN ? [[`  ... and ${paths.length - NAMES_SHOWN} more (--json has them)`]] : []
    return [[clipped(name(row), width), clipped(done.join(', ') + flags(row), width), program(row.processId, fold)], ...names, ...more]
  })
}

function read(fold: ShowFold, width: number): readonly (readonly string[])[] {
  return [...fold.files.values()]
    .filter((row) => !CHANGES(row))
    .map((row) => [
      clipped(name(row), width),
      clipped(`${counted(row.opens, 'open')}${row.distinct === null ? '' : ` of ${counted(row.distinct, 'file')}`}${flags(row)}`, width),
      program(row.processId, fold),
    ])
}

function name(row: FileRow): string {
  if (row.kind === 'file') return quoted(row.path)
  if (row.scope === 'system') return 'system and library files'
  return row.path === '/' ? 'several folders' : `${quoted(row.path.replace(/\/$/, ''))}/*`
}
const failures = (row: FileRow): string =>
  Object.entries(row.errors)
    .map(([error, count]) => `, ${count} ${printable(error)}`)
    .join('')
const flags = (row: FileRow): string =>
  failures(row) + (row.sensitivity === null ? '' : `  !${printable(row.sensitivity)}`) + (row.error === null ? '' : `  ${printable(row.error)}`)

function connection(row: ConnectionRow, fold: ShowFold): readonly string[] {
  const end = ({ address, port }: ConnectionRow['peer']): string =>
    address === null ? '?' : `${address.includes(':') ? `[${printable(address)}]` : printable(address)}:${port ?? '?'}`
  const arrow =
    row.direction === 'listen'
      ? `listens on ${end(row.local)}`
      : row.direction === 'accept'
        ? `<- ${end(row.peer)} at ${end(row.local)}`
        : `-> ${end(row.peer)}${row.server === null ? '' : ` (${printable(row.server)})`}`
  const bytes = row.bytesOut === null ? '' : `${byteSize(BigInt(row.bytesOut))} out, ${byteSize(BigInt(row.bytesIn ?? 0))} in`
  const lasted = row.startedAt !== null && row.endedAt !== null ? duration(BigInt(row.endedAt) - BigInt(row.startedAt)) : 'open'
  return [arrow, row.error === null ? bytes : printable(row.error), row.direction === 'listen' ? '' : lasted, program(row.processId, fold)]
}

function omitted({ omitted: { processes, files, connections } }: ShowFold): string {
  const parts = [
    processes > 0 ? counted(processes, 'further process record') : '',
    files > 0 ? counted(files, 'further file record') : '',
    connections > 0 ? counted(connections, 'further socket record') : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `not shown: ${parts.join(', ')} (spoor events --session streams all)\n`
}
