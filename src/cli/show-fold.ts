import type { Attributes, Entry } from '../model/entry.ts'
import { bigOf, countsOf, listOf, numberOf, textOf, timeOf } from './attributes.ts'
import type { ConnectionRow, FileRow, ProcessRow, ToolCallRow, TurnRow } from './show-rows.ts'

/** A page that a person or a program reads in one piece; beyond it `events --session` streams all. */
const ROWS_MAX = 100_000
const IMAGES_MAX = 64
const OPERATIONS_MAX = 64
/** Names in one row: what a process that walks a large tree leaves. */
const PATHS_MAX = 10_000

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] }

export type ShowFold = {
  add(entry: Entry): void
  readonly processes: ReadonlyMap<string, ProcessRow>
  readonly files: ReadonlyMap<string, FileRow>
  readonly connections: ReadonlyMap<string, ConnectionRow>
  readonly turns: ReadonlyMap<string, TurnRow>
  /** Rows beyond the bound. */
  readonly omitted: { processes: number; files: number; connections: number; toolCalls: number }
  readonly entries: number
}

/** Folds the entries of one session into what `spoor show` prints. Feed them in index order. */
export function createShowFold(): ShowFold {
  const processes = new Map<string, Mutable<ProcessRow>>()
  const files = new Map<string, Mutable<FileRow>>()
  const connections = new Map<string, Mutable<ConnectionRow>>()
  const turns = new Map<string, Mutable<TurnRow>>()
  /** Of a row's paths, to tell known ones. */
  const named = new Map<readonly string[], Set<string>>()
  const toolCalls = new Map<string, Mutable<ToolCallRow>>()
  const omitted = { processes: 0, files: 0, connections: 0, toolCalls: 0 }
  let entries = 0

  function row<T>(rows: Map<string, T>, id: string, kind: keyof typeof omitted, make: () => T): T | null {
    const known = rows.get(id)
    if (known !== undefined) return known
    if (rows.size >= ROWS_MAX) {
      omitted[kind]++
      return null
    }
    const made = make()
    rows.set(id, made)
    return made
  }

  const processOf = (a: Attributes): Mutable<ProcessRow> | null => {
    const id = textOf(a, 'spoor.process.id')
    if (id === null) return null
    const made = row(processes, id, 'processes', () => ({
      id,
      pid: null,
      parentId: null,
      name: null,
      images: [],
      role: null,
      userId: null,
      turnId: null,
      toolCallId: null,
      startedAt: null,
      endedAt: null,
      exit: null,
    }))
    if (made === null) return null
    made.pid ??= numberOf(a, 'process.pid')
    made.parentId ??= textOf(a, 'spoor.process.parent_id')
    made.name = textOf(a, 'process.executable.name') ?? made.name
    made.role = textOf(a, 'spoor.process.role') ?? made.role
    made.turnId = textOf(a, 'spoor.turn.id') ?? made.turnId
    made.toolCallId = textOf(a, 'spoor.tool_call.id') ?? made.toolCallId
    return made
  }

  function exec(entry: Entry): void {
    const a = entry.attributes
    const process = processOf(a)
    if (process === null) return
    process.startedAt ??= timeOf(a, 'process.creation.time') ?? isoTime(textOf(a, 'process.creation.time'))
    process.userId ??= scalarText(a, 'process.user.id')
    if (process.images.length >= IMAGES_MAX) return
    const image = {
      path: textOf(a, 'process.executable.path'),
      args: listOf(a, 'process.command_args'),
      command: textOf(a, 'spoor.command'),
      cwd: textOf(a, 'process.working_directory'),
      at: String(entry.timeUnixNano),
    }
    process.images.push(image)
  }

  function exit(entry: Entry): void {
    const a = entry.attributes
    const process = processOf(a)
    if (process === null) return
    process.startedAt = timeOf(a, 'spoor.start_time') ?? process.startedAt
    // Truncated: settled while it still ran.
    if (a['spoor.span.truncated'] === true) return
    process.endedAt = String(entry.timeUnixNano)
    const code = numberOf(a, 'process.exit.code')
    const signal = numberOf(a, 'spoor.process.exit.signal')
    if (code !== null || signal !== null) process.exit = { code, signal }
  }

  function fileRow(entry: Entry, kind: FileRow['kind'], path: string, key: string): Mutable<FileRow> | null {
    processOf(entry.attributes)
    const processId = textOf(entry.attributes, 'spoor.process.id')
    return row(files, `${kind} ${processId} ${key}`, 'files', () => ({
      kind,
      scope: textOf(entry.attributes, 'spoor.file.scope'),
      path,
      processId,
      access: [],
      opens: 0,
      distinct: kind === 'folder' ? 0 : null,
      paths: [],
      errors: {},
      failedPaths: [],
      operations: [],
      sensitivity: null,
      error: null,
      at: String(entry.timeUnixNano),
    }))
  }

  function file(entry: Entry): void {
    const a = entry.attributes
    const path = textOf(a, 'file.path')
    const made = path === null ? null : fileRow(entry, 'file', path, path)
    if (made === null) return
    const access = textOf(a, 'spoor.file.access')
    if (access !== null && !made.access.includes(access)) made.access.push(access)
    if (entry.eventName === 'spoor.file.open') made.opens += numberOf(a, 'spoor.file.count') ?? 1
    made.sensitivity ??= textOf(a, 'spoor.file.sensitivity')
    const error = textOf(a, 'error.type')
    const operation = textOf(a, 'spoor.file.operation')
    if (operation !== null) countOperation(made.operations, { operation, targetPath: textOf(a, 'spoor.file.target_path'), error, count: 1 })
    else made.error ??= error
  }

  function rollup(entry: Entry): void {
    const a = entry.attributes
    const path = textOf(a, 'spoor.file.folder')
    const access = textOf(a, 'spoor.file.access') ?? 'unknown'
    const made = path === null ? null : fileRow(entry, 'folder', path, `${access} ${textOf(a, 'spoor.file.scope')} ${path}`)
    if (made === null) return
    made.access = [access]
    made.opens += numberOf(a, 'spoor.file.opens') ?? 0
    made.distinct = (made.distinct ?? 0) + (numberOf(a, 'spoor.file.distinct') ?? 0)
    addNames(made.paths, listOf(a, 'spoor.file.paths'))
    addNames(made.failedPaths, listOf(a, 'spoor.file.failed_paths'))
    const errors = countsOf(a, 'spoor.file.errors')
    if (errors.length > 0) made.errors = Object.fromEntries(errors.map(([error, count]) => [error, (made.errors[error] ?? 0) + count]))
    for (const [operation, count] of countsOf(a, 'spoor.file.operations')) countOperation(made.operations, { operation, targetPath: null, error: null, count })
  }

  function addNames(into: string[], names: readonly string[]): void {
    let known = named.get(into)
    if (known === undefined) named.set(into, (known = new Set()))
    for (const name of names) {
      if (into.length >= PATHS_MAX || known.has(name)) continue
      known.add(name)
      into.push(name)
    }
  }

  function network(entry: Entry, event: string): void {
    const a = entry.attributes
    const id = textOf(a, 'spoor.connection.id')
    if (id === null) return
    processOf(a)
    const made = row(connections, id, 'connections', () => ({
      id,
      processId: textOf(a, 'spoor.process.id'),
      direction: null,
      transport: textOf(a, 'network.transport'),
      local: { address: null, port: null },
      peer: { address: null, port: null },
      server: null,
      error: null,
      bytesOut: null,
      bytesIn: null,
      startedAt: null,
      endedAt: null,
    }))
    if (made === null) return
    made.local = { address: textOf(a, 'network.local.address') ?? made.local.address, port: numberOf(a, 'network.local.port') ?? made.local.port }
    made.peer = { address: textOf(a, 'network.peer.address') ?? made.peer.address, port: numberOf(a, 'network.peer.port') ?? made.peer.port }
    made.server ??= textOf(a, 'server.address')
    made.error = textOf(a, 'error.type') ?? made.error
    if (event === 'end') {
      made.startedAt ??= timeOf(a, 'spoor.start_time')
      made.endedAt = String(entry.timeUnixNano)
      made.bytesOut = bigOf(a, 'spoor.network.bytes_out')?.toString() ?? null
      made.bytesIn = bigOf(a, 'spoor.network.bytes_in')?.toString() ?? null
    } else if (event === 'connect' || event === 'accept' || event === 'listen') {
      made.direction = event
      made.startedAt ??= String(entry.timeUnixNano)
    }
  }

  function turn(entry: Entry, over: boolean): void {
    const a = entry.attributes
    const id = textOf(a, 'spoor.turn.id')
    if (id === null) return
    const made = turnRow(id)
    made.basis = textOf(a, 'spoor.turn.basis') ?? made.basis
    made.number = numberOf(a, 'spoor.turn.number') ?? made.number
    made.conversation = textOf(a, 'gen_ai.conversation.id') ?? made.conversation
    made.model = textOf(a, 'gen_ai.request.model') ?? made.model
    made.mode = textOf(a, 'spoor.permission_mode') ?? made.mode
    const sha256 = textOf(a, 'spoor.prompt.sha256')
    if (sha256 !== null) made.prompt = { sha256, length: numberOf(a, 'spoor.prompt.length') ?? 0 }
    if (over) {
      made.startedAt = timeOf(a, 'spoor.start_time') ?? made.startedAt
      made.endedAt = String(entry.timeUnixNano)
    } else made.startedAt ??= String(entry.timeUnixNano)
  }

  function turnRow(id: string): Mutable<TurnRow> {
    let made = turns.get(id)
    if (made === undefined)
      turns.set(id, (made = { id, number: null, basis: null, conversation: null, prompt: null, model: null, mode: null, startedAt: null, endedAt: null, toolCalls: [] }))
    return made
  }

  function toolCall(entry: Entry, over: boolean): void {
    const a = entry.attributes
    const id = textOf(a, 'spoor.tool_call.id')
    if (id === null) return
    const made = row(toolCalls, id, 'toolCalls', () => {
      const fresh: Mutable<ToolCallRow> = {
        id,
        name: textOf(a, 'gen_ai.tool.name') ?? 'unknown',
        callId: textOf(a, 'gen_ai.tool.call.id'),
        command: textOf(a, 'spoor.claim.command'),
        paths: [...listOf(a, 'spoor.claim.paths')],
        verdict: null,
        why: null,
        join: null,
        approval: null,
        startedAt: String(entry.timeUnixNano),
        endedAt: null,
        rootProcessId: textOf(a, 'spoor.process.id'),
        processIds: [],
        late: null,
      }
      const turnId = textOf(a, 'spoor.turn.id')
      if (turnId !== null) turnRow(turnId).toolCalls.push(fresh)
      return fresh
    })
    if (made === null) return
    made.verdict = textOf(a, 'spoor.verdict') ?? made.verdict
    made.why = textOf(a, 'spoor.verdict.why') ?? made.why
    const decision = textOf(a, 'spoor.approval.decision')
    if (decision !== null) made.approval = [decision, textOf(a, 'spoor.approval.by')].filter((part) => part !== null).join(' by ')
    if (over) made.endedAt = String(entry.timeUnixNano)
    const method = textOf(a, 'spoor.join.method')
    if (method !== null) made.join = { method, confidence: textOf(a, 'spoor.join.confidence') ?? 'unknown' }
  }

  function late(a: Attributes): void {
    const made = toolCalls.get(textOf(a, 'spoor.tool_call.id') ?? '')
    if (made === undefined) return
    made.late = { name: textOf(a, 'gen_ai.tool.name') ?? 'unknown', callId: textOf(a, 'gen_ai.tool.call.id') ?? 'unknown', verdict: textOf(a, 'spoor.verdict') ?? 'unknown' }
  }

  return {
    add(entry) {
      entries++
      switch (entry.eventName) {
        case 'spoor.process.exec':
          return exec(entry)
        case 'spoor.process.exit':
          exit(entry)
          if (textOf(entry.attributes, 'spoor.file.scope') !== null) rollup(entry)
          return
        case 'spoor.process.settled': {
          exit(entry)
          const process = processOf(entry.attributes)
          if (process?.toolCallId != null) {
            const call = toolCalls.get(process.toolCallId)
            if (call !== undefined && !call.processIds.includes(process.id)) call.processIds.push(process.id)
          }
          return
        }
        case 'spoor.file.open':
        case 'spoor.file.change':
          return file(entry)
        case 'spoor.file.rollup':
          return rollup(entry)
        case 'spoor.network.connect':
        case 'spoor.network.accept':
        case 'spoor.network.listen':
        case 'spoor.network.end':
          return network(entry, entry.eventName.slice('spoor.network.'.length))
        case 'spoor.turn.start':
          return turn(entry, false)
        case 'spoor.turn.end':
          return turn(entry, true)
        case 'spoor.tool_call.start':
          return toolCall(entry, false)
        case 'spoor.tool_call.end':
          return toolCall(entry, true)
        case 'spoor.join.late':
          return late(entry.attributes)
        default:
          return // entries of a later version
      }
    },
    processes,
    files,
    connections,
    turns,
    omitted,
    get entries() {
      return entries
    },
  }
}

function countOperation(operations: FileRow['operations'][number][], done: FileRow['operations'][number]): void {
  const known = operations.find((other) => other.operation === done.operation && other.targetPath === done.targetPath && other.error === done.error)
  if (known !== undefined) known.count += done.count
  else if (operations.length < OPERATIONS_MAX) operations.push(done)
}

const scalarText = (a: Attributes, name: string): string | null => textOf(a, name) ?? numberOf(a, name)?.toString() ?? null

/** process.creation.time is ISO 8601 in OpenTelemetry's conventions. */
function isoTime(text: string | null): string | null {
  const ms = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? null : String(BigInt(ms) * 1_000_000n)
}
