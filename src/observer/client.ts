import { connect } from 'node:net'
import type { ControlReply, ControlRequest } from '../model/status.ts'
import { withSocketPath } from './socket-path.ts'

/** `none`: nobody listens there. `refused`: somebody may, but not for us. `failed`: no proper answer came. */
export type Unreachable = { readonly unreachable: string; readonly because: 'none' | 'refused' | 'failed' }

const REPLY_MAX_BYTES = 4 * 1024 * 1024
/** An observer in the middle of a large batch answers late. */
const TIMEOUT_MS = 5000

/** One request to the observer at `path`, one reply. Never throws. */
export async function askControl<Op extends ControlRequest['op']>(
  path: string,
  request: ControlRequest & { readonly op: Op },
  timeoutMs = TIMEOUT_MS,
): Promise<Extract<ControlReply, { op: Op } | { ok: false }> | Unreachable> {
  try {
    return await withSocketPath(path, (short) => exchange<Op>(short, request, timeoutMs))
  } catch (error) {
    return unreachable(path, error)
  }
}

function exchange<Op>(path: string, request: ControlRequest, timeoutMs: number): Promise<Extract<ControlReply, { op: Op } | { ok: false }> | Unreachable> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const chunks: Buffer[] = []
    let size = 0
    socket.on('connect', () => socket.write(JSON.stringify(request) + '\n'))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size > REPLY_MAX_BYTES) return void socket.destroy(new Error('its answer is too long'))
      if (!chunk.includes(10)) return
      const text = Buffer.concat(chunks).toString('utf8')
      const reply = parseReply(text.slice(0, text.indexOf('\n')), request.op)
      if (reply === null) return void socket.destroy(new Error('its answer is not understood: perhaps another version of Spoor runs there'))
      resolve(reply as Extract<ControlReply, { op: Op } | { ok: false }>)
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      reject(new Error('it hung up')) // no effect after an answer
    })
  })
}

function parseReply(line: string, op: string): ControlReply | null {
  try {
    const reply = JSON.parse(line) as ControlReply
    if (reply.ok === false) return typeof reply.error === 'string' ? reply : null
    return reply.ok === true && reply.op === op ? reply : null
  } catch {
    return null
  }
}

function unreachable(path: string, error: unknown): Unreachable {
  const code = error instanceof Error && 'code' in error ? error.code : null
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return { because: 'none', unreachable: `no observer runs: nobody listens on ${path}` }
    case 'EACCES':
    case 'EPERM':
      return { because: 'refused', unreachable: `${path} is not accessible to this user` }
    default:
      return { because: 'failed', unreachable: `the observer at ${path} did not answer: ${error instanceof Error ? error.message : String(error)}` }
  }
}
