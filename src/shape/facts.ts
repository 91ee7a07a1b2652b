import { connectionId } from '../identity/ids.ts'
import { type Bytes, decodeUtf8 } from '../model/bytes.ts'
import type { Severity } from '../model/entry.ts'
import { SEVERITY } from '../model/entry.ts'
import type { BootNs, Ids, ObservationOf, Sock } from '../model/observation.ts'
import { imageOf, type Process } from '../model/process.ts'
import type { ExitObserved, Observed, Rollup, SensitiveObserved } from '../model/rollup.ts'
import type { Place } from '../model/session.ts'
import { createRedactor } from '../redact/redact.ts'
import { communityId } from './community-id.ts'
import type { ShapeContext } from './entries.ts'
import { EINPROGRESS, errorName } from './errno.ts'
import { closeCut, type Draft, putArguments, putBytes, putList, putText } from './text.ts'

/** An entry but for its time, which is that of the activity unless `at` says otherwise. */
export type Made = { readonly name: string; readonly attributes: Draft; readonly severity?: Severity; readonly at?: BootNs; readonly traceId?: string; readonly spanId?: string }

const UNSET_LOGIN = 4_294_967_295
const TICK_NS = 10_000_000n
const NS_PER_MS = 1_000_000n
export const standardRedactor = createRedactor()

/** S of the catalogue, the place where it is proven, and the name people know the process by. */
export function fact(process: Process, place: Place): Draft {
  const attributes: Draft = { 'session.id': place.session.id, 'spoor.process.id': process.id, 'process.pid': process.task.pid }
  if (place.turn !== null) attributes['spoor.turn.id'] = place.turn.id
  if (place.toolCall !== null) attributes['spoor.tool_call.id'] = place.toolCall.id
  const image = imageOf(process)
  if (image !== undefined) putBytes(attributes, 'process.executable.name', baseName(image.path))
  return attributes
}

/** A fact stands in the context of the nearest span that is certain to be made: a process's own may never settle in this turn. */
const contextOf = ({ turn, toolCall }: Place): { traceId?: string; spanId?: string } => (turn === null ? {} : { traceId: turn.traceId, spanId: toolCall?.spanId ?? turn.spanId })

export const baseName = (path: Bytes): Bytes => path.slice(path.lastIndexOf('/') + 1) as Bytes
const isoTime = (ns: bigint): string => new Date(Number(ns / NS_PER_MS)).toISOString()
export const creationTime = (process: Process, context: ShapeContext): string => isoTime(context.wall(BigInt(process.task.startTicks) * TICK_NS))

function putError(attributes: Draft, result: number): void {
  const error = errorName(result)
  if (error !== null) attributes['error.type'] = error
}

export function observed(activity: SensitiveObserved | ExitObserved | Observed, context: ShapeContext): Made {
  const { process } = activity.activity
  const { observation: o } = activity.activity
  const attributes = fact(process, activity.place)
  if (o.fidelity !== 'exact') attributes['spoor.fidelity'] = o.fidelity
  const made = (name: string): Made => ({ name, attributes, ...contextOf(activity.place) })
  switch (o.kind) {
    case 'exec':
    case 'process.seen':
      exec(attributes, o, process, activity.place, context)
      return made('spoor.process.exec')
    case 'exit':
      exit(attributes, process, context)
      if (o.signal !== 0) attributes['spoor.process.exit.signal'] = o.signal
      else attributes['process.exit.code'] = o.code
      if (o.coreDumped) attributes['spoor.process.exit.core_dumped'] = true
      attributes['spoor.process.cpu_ns'] = o.cpuNs
      if ('system' in activity) counted(attributes, activity.system)
      return made('spoor.process.exit')
    case 'fork':
      // Folded into the child's own entries by the volume stage; here for a policy that one day wants it.
      attributes['spoor.process.child_pid'] = o.child.pid
      return made('spoor.process.fork')
    case 'open':
      openOf(attributes, o)
      if ('sensitivity' in activity) attributes['spoor.file.sensitivity'] = activity.sensitivity
      return made('spoor.file.open')
    case 'change':
      changeOf(attributes, o)
      if ('sensitivity' in activity) attributes['spoor.file.sensitivity'] = activity.sensitivity
      return made('spoor.file.change')
    case 'connect':
    case 'accept':
    case 'listen':
      socket(attributes, o.sock, process, context)
      if (o.result !== -EINPROGRESS) putError(attributes, o.result)
      if (o.result >= 0 || o.result === -EINPROGRESS) attributes['network.connection.state'] = o.kind === 'listen' ? 'listen' : o.result < 0 ? 'syn_sent' : 'established'
      return made('spoor.network.' + o.kind)
    case 'sock.end':
      socket(attributes, o.sock, process, context)
      attributes['spoor.network.bytes_out'] = o.tx
      attributes['spoor.network.bytes_in'] = o.rx
      attributes['spoor.start_time'] = context.wall(o.boot - o.durNs)
      putError(attributes, -Math.abs(o.error))
      return made('spoor.network.end')
    case 'loss':
      return gap(o.kinds, o.atLeast, o.reason, o.fromBoot, o.toBoot, context)
    default:
      return o satisfies never
  }
}

function exec(attributes: Draft, o: ObservationOf<'exec'> | ObservationOf<'process.seen'>, process: Process, place: Place, context: ShapeContext): void {
  const redactor = context.redactor ?? standardRedactor
  if (process.parentId !== null) attributes['spoor.process.parent_id'] = process.parentId
  attributes['process.parent_pid'] = process.parentPid
  attributes['spoor.process.image'] = process.imagesTotal
  attributes['spoor.process.role'] = place.role
  attributes['process.creation.time'] = creationTime(process, context)
  const path = o.kind === 'exec' ? o.exe.path : o.exe
  putBytes(attributes, 'process.executable.name', baseName(path))
  putBytes(attributes, 'process.executable.path', path)
  const bytes = o.kind === 'exec' ? o.argsBytes : 0
  putArguments(attributes, redactor, o.args, bytes)
  putBytes(attributes, 'process.working_directory', o.cwd)
  identity(attributes, o.ids)
  if (o.kind === 'exec') {
    attributes['spoor.process.args_bytes'] = o.argsBytes
    if (o.called !== path) putBytes(attributes, 'spoor.process.called_path', o.called)
    if (o.exe.deleted) attributes['spoor.file.deleted'] = true
    if (o.noNewPrivs) attributes['spoor.sandbox.no_new_privs'] = true
    if (o.seccomp !== 0) attributes['spoor.sandbox.seccomp'] = o.seccomp
    attributes['spoor.sandbox.namespaces'] = { mnt: o.ns.mnt, pid: o.ns.pid, net: o.ns.net, user: o.ns.user }
    attributes['spoor.sandbox.cgroup'] = o.cgroup
  }
  const command = context.unwrapCommand?.(closeCut(o.args, bytes)) ?? null
  if (command !== null) putText(attributes, redactor, 'spoor.command', decodeUtf8(command).text)
}

function identity(attributes: Draft, ids: Ids): void {
  attributes['process.user.id'] = ids.uid
  if (ids.loginUid !== UNSET_LOGIN && ids.loginUid !== ids.uid) attributes['spoor.process.login_uid'] = ids.loginUid
  attributes['process.interactive'] = ids.tty !== 0
  attributes['process.group_leader.pid'] = ids.pgid
  attributes['process.session_leader.pid'] = ids.sid
}

export function exit(attributes: Draft, process: Process, context: ShapeContext): void {
  if (process.parentId !== null) attributes['spoor.process.parent_id'] = process.parentId
  attributes['process.parent_pid'] = process.parentPid
  attributes['spoor.start_time'] = context.wall(process.startedAt)
  putList(
    attributes,
    'spoor.process.images',
    process.images.map((image) => image.path),
  )
  if (process.imagesTotal > process.images.length) attributes['spoor.process.images_total'] = process.imagesTotal
}

function openOf(attributes: Draft, o: ObservationOf<'open'>): void {
  putBytes(attributes, 'file.path', o.file.path)
  attributes['spoor.file.access'] = o.access
  attributes['spoor.file.count'] = o.count
  if (o.created) attributes['spoor.file.created'] = true
  if (o.truncated) attributes['spoor.file.emptied'] = true
  fileOf(attributes, o.file)
  putError(attributes, o.result)
}

function changeOf(attributes: Draft, o: ObservationOf<'change'>): void {
  putBytes(attributes, 'file.path', o.file.path)
  attributes['spoor.file.operation'] = o.op
  if (o.target !== undefined) putBytes(attributes, 'spoor.file.target_path', o.target.path)
  if (o.mode !== undefined) attributes['file.mode'] = (o.mode & 0o7777).toString(8).padStart(4, '0')
  fileOf(attributes, o.file)
  putError(attributes, o.result)
}

function fileOf(attributes: Draft, file: ObservationOf<'open'>['file']): void {
  if (file.class !== 'regular' && file.class !== 'unknown') attributes['spoor.file.class'] = file.class
  if (file.deleted) attributes['spoor.file.deleted'] = true
  if (!file.exact) attributes['spoor.file.path_joined'] = true
  if (file.cut) attributes['spoor.truncated'] = ['file.path']
}

function socket(attributes: Draft, sock: Sock, process: Process, context: ShapeContext): void {
  attributes['spoor.connection.id'] = connectionId(process.id, context.bootId, sock.cookie)
  attributes['network.transport'] = sock.protocol
  attributes['network.type'] = sock.family === 2 ? 'ipv4' : 'ipv6'
  if (sock.peer.port !== 0) {
    attributes['network.peer.address'] = sock.peer.address
    attributes['network.peer.port'] = sock.peer.port
  }
  if (sock.local.address !== '') attributes['network.local.address'] = sock.local.address
  if (sock.local.port !== 0) attributes['network.local.port'] = sock.local.port
  const community = communityId(sock)
  if (community !== null) attributes['spoor.community_id'] = community
}

export function rollup(r: Rollup, context: ShapeContext): Made {
  const attributes = fact(r.process, r.place)
  counted(attributes, r)
  attributes['spoor.start_time'] = context.wall(r.from)
  return { name: 'spoor.file.rollup', attributes, ...contextOf(r.place) }
}

function counted(attributes: Draft, r: Rollup): void {
  putBytes(attributes, 'spoor.file.folder', r.folder)
  attributes['spoor.file.scope'] = r.scope
  attributes['spoor.file.access'] = r.access
  attributes['spoor.file.opens'] = r.opens
  if (r.coalesced > 0) attributes['spoor.file.coalesced'] = r.coalesced
  attributes['spoor.file.distinct'] = r.distinct
  putList(attributes, 'spoor.file.paths', r.paths)
  if (r.failedPaths.length > 0) {
    attributes['spoor.file.errors'] = r.errors
    putList(attributes, 'spoor.file.failed_paths', r.failedPaths)
  }
  if (Object.keys(r.operations).length > 0) attributes['spoor.file.operations'] = r.operations
}

export function gap(kinds: readonly string[], atLeast: number | 'unknown', reason: string, from: BootNs, to: BootNs, context: ShapeContext): Made {
  const attributes: Draft = { 'spoor.gap.from': context.wall(from), 'spoor.gap.to': context.wall(to), 'spoor.gap.kinds': [...kinds], 'spoor.gap.reason': reason }
  if (atLeast !== 'unknown') attributes['spoor.gap.at_least'] = atLeast
  return { name: 'spoor.sensor.gap', attributes, severity: SEVERITY.warn }
}
