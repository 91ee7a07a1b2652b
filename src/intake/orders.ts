import { type Fields, fields, list } from '../model/claim-text.ts'
import type { FilePosition } from './frames.ts'
import { positionOf } from './parse.ts'

/** One line of JSON each on the intake's standard input. The observer is trusted; a line that is none of these is left out. */
export type IntakeOrder =
  /** `since` in Unix milliseconds. */
  | {
      readonly op: 'open'
      readonly id: string
      readonly agent: string
      readonly home: string
      readonly cwd: string
      readonly env: Readonly<Record<string, string>>
      readonly since: number
    }
  | { readonly op: 'ended'; readonly id: string }
  /** The kernel saw a process of session `id` open this file for writing. */
  | { readonly op: 'transcript'; readonly id: string; readonly path: string }
  /** What an earlier intake had read. Comes before the sessions. */
  | { readonly op: 'positions'; readonly files: readonly FilePosition[] }

export const ORDER_MAX = 1024 * 1024

export function orderOf(line: string): IntakeOrder | null {
  let order: Fields | null
  try {
    order = fields(JSON.parse(line))
  } catch {
    return null
  }
  const id = order?.['id']
  switch (order?.['op']) {
    case 'open': {
      const { agent, home, cwd, since } = order
      if (typeof id !== 'string' || typeof agent !== 'string' || typeof home !== 'string' || typeof cwd !== 'string' || typeof since !== 'number') return null
      const env: Record<string, string> = {}
      for (const [key, value] of Object.entries(fields(order['env']) ?? {})) if (typeof value === 'string') env[key] = value
      return { op: 'open', id, agent, home, cwd, env, since }
    }
    case 'ended':
      return typeof id === 'string' ? { op: 'ended', id } : null
    case 'transcript': {
      const path = order['path']
      return typeof id === 'string' && typeof path === 'string' ? { op: 'transcript', id, path } : null
    }
    case 'positions':
      return { op: 'positions', files: list(order['files']).flatMap((file) => positionOf(file) ?? []) }
    default:
      return null
  }
}
