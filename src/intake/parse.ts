import type { Clip } from '../model/bytes.ts'
import { CLAIM_BOUNDS, type Claim, UNREADABLE, type Unreadable } from '../model/claim.ts'
import { type Fields, fields, list, name, whole } from '../model/claim-text.ts'
import type { FilePosition, IntakeCounters, IntakeFrame } from './frames.ts'

/** A frame has at most this many claims: it bounds the work one frame makes. */
export const CLAIMS_PER_FRAME = 512

/** The frame in a JSON value, with every bound checked again: the writer runs as the user. */
export function stateOf(value: unknown, claim: (value: unknown) => Claim | null): IntakeFrame | null {
  const frame = fields(value)
  switch (frame?.['type']) {
    case 'hello': {
      const pid = whole(frame['pid'])
      const uid = whole(frame['uid'])
      return pid === null || uid === null ? null : { type: 'hello', pid, uid }
    }
    case 'claims': {
      const file = positionOf(frame['file'])
      const items = list(frame['claims'])
      if (file === null || items.length > CLAIMS_PER_FRAME) return null
      const claims: Claim[] = []
      for (const item of items) {
        const one = claim(item)
        if (one === null) return null
        claims.push(one)
      }
      return { type: 'claims', file, claims }
    }
    case 'alive': {
      const counters = countersOf(frame['counters'])
      return counters === null ? null : { type: 'alive', counters }
    }
    default:
      return null
  }
}

export function positionOf(value: unknown): FilePosition | null {
  const file = fields(value)
  const path = file?.['path']
  const [dev, ino, next] = [whole(file?.['dev']), whole(file?.['ino']), whole(file?.['next'])]
  if (typeof path !== 'string' || !path.startsWith('/') || path.length > CLAIM_BOUNDS.path || dev === null || ino === null || next === null) return null
  return { path, dev, ino, next }
}

function countersOf(value: unknown): IntakeCounters | null {
  const counters = fields(value)
  const [lines, bytes, claims, files, behind] = ['lines', 'bytes', 'claims', 'files', 'behind'].map((key) => whole(counters?.[key]))
  if (lines == null || bytes == null || claims == null || files == null || behind == null) return null
  const unreadable: Partial<Record<Unreadable, number>> = {}
  for (const reason of UNREADABLE) {
    const count = whole(fields(counters?.['unreadable'])?.[reason])
    if (count !== null && count > 0) unreadable[reason] = count
  }
  return { lines, bytes, claims, files, behind, unreadable }
}

export function claimOf(value: unknown): Claim | null {
  const it = fields(value)
  if (it === null) return null
  const [source, agent, conversation, id, order] = [name(it['source']), name(it['agent']), name(it['conversation']), name(it['id']), whole(it['order'])]
  const at = timeOf(it['at'])
  if (source === null || agent === null || conversation === null || id === null || order === null || at === undefined) return null
  const base = { source, agent, conversation, at, order, id }
  const turnId = optional(it, 'turnId', name)
  if (turnId === undefined) return null
  switch (it['kind']) {
    case 'prompt': {
      const [sha256, length] = [hash(it['sha256']), whole(it['length'])]
      return sha256 === null || length === null ? null : { ...base, kind: 'prompt', sha256, length, turnId }
    }
    case 'tool_call':
      return callOf(it, { ...base, turnId })
    case 'tool_result': {
      const [ok, exitCode, bytes] = [optional(it, 'ok', flag), optional(it, 'exitCode', code), optional(it, 'bytes', whole)]
      const running = flag(it['running'])
      return ok === undefined || exitCode === undefined || bytes === undefined || running === null ? null : { ...base, kind: 'tool_result', ok, exitCode, bytes, running, turnId }
    }
    case 'decision': {
      const [decision, by, reason] = [name(it['decision']), optional(it, 'by', name), optional(it, 'reason', name)]
      return decision === null || by === undefined || reason === undefined ? null : { ...base, kind: 'decision', decision, by, reason }
    }
    case 'mode': {
      const mode = name(it['mode'])
      return mode === null ? null : { ...base, kind: 'mode', mode, turnId }
    }
    case 'model': {
      const model = name(it['model'])
      return model === null ? null : { ...base, kind: 'model', model, turnId }
    }
    case 'end': {
      const [scope, reason] = [it['scope'], name(it['reason'])]
      return (scope !== 'turn' && scope !== 'conversation') || reason === null ? null : { ...base, kind: 'end', scope, reason, turnId }
    }
    case 'registry': {
      const [pid, startTicks, pidNamespace] = [optional(it, 'pid', whole), optional(it, 'startTicks', whole), optional(it, 'pidNamespace', whole)]
      const [cwd, version] = [optional(it, 'cwd', path), optional(it, 'version', name)]
      if (pid === undefined || startTicks === undefined || pidNamespace === undefined || cwd === undefined || version === undefined) return null
      return { ...base, kind: 'registry', pid, startTicks, pidNamespace, cwd, version }
    }
    default:
      return null
  }
}

function callOf(it: Fields, base: Omit<Claim, 'kind'> & { readonly turnId: string | null }): Claim | null {
  const [tool, inputSha256, program] = [name(it['tool']), hash(it['inputSha256']), flag(it['program'])]
  const [command, cwd, parentId] = [optional(it, 'command', clipOf), optional(it, 'cwd', path), optional(it, 'parentId', name)]
  const paths = list(it['paths']).map(path)
  if (tool === null || inputSha256 === null || program === null || command === undefined || cwd === undefined || parentId === undefined) return null
  if (paths.length > CLAIM_BOUNDS.paths || !paths.every((one) => one !== null)) return null
  return { ...base, kind: 'tool_call', tool, command, program, paths, cwd, inputSha256, parentId }
}

function clipOf(value: unknown): Clip<string> | null {
  const clip = fields(value)
  const [head, tail, total] = [clip?.['head'], clip?.['tail'], whole(clip?.['total'])]
  const { commandHead, commandTail } = CLAIM_BOUNDS
  if (typeof head !== 'string' || total === null || head.length > commandHead + commandTail) return null
  if (tail === undefined) return { head, total }
  return typeof tail === 'string' && tail.length <= commandTail && head.length <= commandHead ? { head, tail, total } : null
}

/** Null stays null, anything else must parse: undefined says that it did not. Absent counts as null. */
function optional<T>(it: Fields, key: string, parse: (value: unknown) => T | null): T | null | undefined {
  const value = it[key]
  if (value === null || value === undefined) return null
  return parse(value) ?? undefined
}

const flag = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)
const code = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) ? value : null)
const hash = (value: unknown): string | null => (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : null)
const path = (value: unknown): string | null => (typeof value === 'string' && value.length > 0 && value.length <= CLAIM_BOUNDS.path ? value : null)
const timeOf = (value: unknown): bigint | null | undefined => (value === null ? null : typeof value === 'string' && /^\d{1,20}$/.test(value) ? BigInt(value) : undefined)
