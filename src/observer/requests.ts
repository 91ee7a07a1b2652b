import type { ControlRequest } from '../model/status.ts'

/** A request is a few numbers and a name; a longer line is not one of ours. */
export const REQUEST_MAX_BYTES = 64 * 1024
const NAME_MAX = 128
const PID_MAX = 4_194_304 // PID_MAX_LIMIT of the kernel, include/linux/threads.h

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown, max: number): value is number => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= max

/** Parses one line from a client; a string is what is wrong with it. */
export function parseRequest(line: string): ControlRequest | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return 'not a JSON object in one line'
  }
  if (!isObject(value)) return 'not a JSON object in one line'
  const { op } = value
  switch (op) {
    case 'status':
      return { op }
    case 'record': {
      const { pid, startTicks, name = null } = value
      if (!isCount(pid, PID_MAX)) return 'record: pid must be a process id'
      if (!isCount(startTicks, Number.MAX_SAFE_INTEGER)) return 'record: startTicks must be field 22 of /proc/PID/stat'
      if (name !== null && (typeof name !== 'string' || name.length === 0 || name.length > NAME_MAX)) return `record: name must be text of 1 to ${NAME_MAX} characters`
      return { op, pid, startTicks, name }
    }
    case 'summary': {
      const { session } = value
      if (typeof session !== 'string' || !/^[0-9a-f]{32}$/.test(session)) return 'summary: session must be 32 hexadecimal digits'
      return { op, session }
    }
    default:
      return 'op must be status, record or summary'
  }
}
