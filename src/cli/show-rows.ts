// The rows of `spoor show --json` (spoor.show/1). Unknown is null; times are Unix nanoseconds in decimal.

export type ImageRow = { readonly path: string | null; readonly args: readonly string[]; readonly command: string | null; readonly cwd: string | null; readonly at: string }
export type ProcessRow = {
  readonly id: string
  readonly pid: number | null
  readonly parentId: string | null
  /** Basename of what it ran last; of a fork that ran nothing of its own, its parent's. */
  readonly name: string | null
  readonly images: readonly ImageRow[]
  readonly role: string | null
  readonly userId: string | null
  readonly turnId: string | null
  readonly toolCallId: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly exit: { readonly code: number | null; readonly signal: number | null } | null
}
export type FileRow = {
  readonly kind: 'file' | 'folder'
  /** Of a folder: `system` = all system and library trees in one. */
  readonly scope: string | null
  readonly path: string
  readonly processId: string | null
  /** read, write, read_write */
  readonly access: readonly string[]
  readonly opens: number
  /** Of a folder: how many different files, summed over its roll-ups, and their names as far as the roll-ups carry them. */
  readonly distinct: number | null
  readonly paths: readonly string[]
  /** Of a folder: failed accesses by error, and their paths. */
  readonly errors: Readonly<Record<string, number>>
  readonly failedPaths: readonly string[]
  /** What was done to it, each with how often. */
  readonly operations: readonly { readonly operation: string; readonly targetPath: string | null; readonly error: string | null; count: number }[]
  readonly sensitivity: string | null
  readonly error: string | null
  readonly at: string
}
export type ConnectionRow = {
  readonly id: string
  readonly processId: string | null
  readonly direction: 'connect' | 'accept' | 'listen' | null
  readonly transport: string | null
  readonly local: { readonly address: string | null; readonly port: number | null }
  readonly peer: { readonly address: string | null; readonly port: number | null }
  readonly server: string | null
  readonly error: string | null
  readonly bytesOut: string | null
  readonly bytesIn: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
}
export type ToolCallRow = {
  readonly id: string
  readonly name: string
  /** The agent's own id of the call; null: no claim names it. */
  readonly callId: string | null
  /** What was declared. */
  readonly command: string | null
  readonly paths: readonly string[]
  readonly verdict: string | null
  readonly why: string | null
  readonly join: { readonly method: string; readonly confidence: string } | null
  /** By the agent's own word. */
  readonly approval: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly rootProcessId: string | null
  readonly processIds: readonly string[]
  /** A claim that came after it had been settled. */
  readonly late: { readonly name: string; readonly callId: string; readonly verdict: string } | null
}
export type TurnRow = {
  readonly id: string
  readonly number: number | null
  readonly basis: string | null
  readonly conversation: string | null
  readonly prompt: { readonly sha256: string; readonly length: number } | null
  readonly model: string | null
  readonly mode: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly toolCalls: readonly ToolCallRow[]
}
