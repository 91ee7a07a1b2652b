import type { Clip } from './bytes.ts'

/**
 * One fact that an agent told about itself. Never trusted, always joined: whoever can write the agent's files can write claims.
 * Bounds are part of the type's meaning (`CLAIM_BOUNDS`): the decoder of a source keeps them, the observer's reader checks them again.
 */
export type Claim = ClaimBase &
  (
    | { readonly kind: 'prompt'; readonly sha256: string; readonly length: number; readonly turnId: string | null }
    | {
        readonly kind: 'tool_call'
        readonly tool: string
        /** Text handed to a shell; with `program`, source text that the agent runs itself. Total in bytes of UTF-8. */
        readonly command: Clip<string> | null
        /** One call that may start any number of commands (Codex code mode); each that it started is a claim of its own with this one as its parent. */
        readonly program: boolean
        /** As the agent named them: relative ones are relative to `cwd`. */
        readonly paths: readonly string[]
        readonly cwd: string | null
        /** Of the input as one JSON text. */
        readonly inputSha256: string
        readonly parentId: string | null
        readonly turnId: string | null
      }
    | {
        readonly kind: 'tool_result'
        /** Null: the record does not say. */
        readonly ok: boolean | null
        readonly exitCode: number | null
        readonly bytes: number | null
        /** The agent was answered while the command goes on; a further result may follow. */
        readonly running: boolean
        readonly turnId: string | null
      }
    | { readonly kind: 'decision'; readonly decision: string; readonly by: string | null; readonly reason: string | null }
    | { readonly kind: 'mode'; readonly mode: string; readonly turnId: string | null }
    | { readonly kind: 'model'; readonly model: string; readonly turnId: string | null }
    | { readonly kind: 'end'; readonly scope: 'turn' | 'conversation'; readonly reason: string; readonly turnId: string | null }
    /** Binds a conversation to a process (Claude Code's registry) or only to a folder and version (Codex: `pid` null). */
    | {
        readonly kind: 'registry'
        readonly pid: number | null
        /** Start of that process in clock ticks since boot, as in proc(5) stat. */
        readonly startTicks: number | null
        /** Inode of the PID namespace that `pid` counts in. */
        readonly pidNamespace: number | null
        readonly cwd: string | null
        readonly version: string | null
      }
  )

export type ClaimKind = Claim['kind']
export type ClaimBase = {
  /** Which reader made it, e.g. `claude-transcript`. */
  readonly source: string
  /** Catalogue name, e.g. `claude-code`. */
  readonly agent: string
  /** The agent's own id of the dialogue. */
  readonly conversation: string
  /** Unix nanoseconds, from the record; null where it has none. */
  readonly at: bigint | null
  /** Byte offset of the record in its file; claims of one record share it and come in their order. */
  readonly order: number
  /** The agent's own id: of the call for tool_call, tool_result and decision, else of the record. */
  readonly id: string
}

export const CLAIM_BOUNDS = {
  /** Characters: ids, names, modes. */
  id: 256,
  /** Bytes of command text kept: the head, and the tail of what is longer. */
  commandHead: 12 * 1024,
  commandTail: 4 * 1024,
  paths: 16,
  /** Characters of all paths of one call together; PATH_MAX for one. */
  pathsTotal: 16 * 1024,
  path: 4096,
} as const

/** Why something in an agent's own record did not become a claim. Counted, and told with the claims. */
export const UNREADABLE = [
  'not_regular',
  'not_own',
  'outside',
  'open_failed',
  'document_too_large',
  'line_too_long',
  'line_too_deep',
  'not_json',
  'shape',
  'bound',
  'rewritten',
  'rotated',
  'duplicate',
  'too_old',
  'backlog_skipped',
  'files_over_bound',
  'folders_over_bound',
  'frame_too_large',
] as const
export type Unreadable = (typeof UNREADABLE)[number]

/** What one record became: claims (perhaps none: most records are no act), or the reason why it could not be read. */
export type Decoded = { readonly ok: true; readonly claims: readonly Claim[] } | { readonly ok: false; readonly why: Extract<Unreadable, 'not_json' | 'shape' | 'bound'> }

/** Pure; remembers only what one file's records say of each other, bounded. Never throws. */
export type ClaimDecoder = {
  line(text: string, order: number): Decoded
}

/** What is known of a session whose claims are wanted. */
export type ClaimSession = {
  readonly home: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * `enter`: a folder to watch; `enter_fresh`: only when it changed since the session began; `log`: a file of lines that grows;
 * `document`: a small file that is replaced as a whole. Null: none of ours.
 */
export type ClaimPlace = 'enter' | 'enter_fresh' | 'log' | 'document' | null

/** Where an agent writes about itself, and how that reads. No I/O: the intake does that. */
export type ClaimSource = {
  readonly id: string
  /** Catalogue names of the agents that write so. */
  readonly agents: readonly string[]
  /** Names of environment variables that move the root. */
  readonly environment: readonly string[]
  /** The folder below which all is, and whether a variable named it (it may then lie outside the home). */
  root(session: ClaimSession): { readonly path: string; readonly named: boolean }
  /** The root that a path of this source's shape lies in, or null. */
  rootOf(path: string): string | null
  /** Folders, relative to the root, that are watched even where nothing in them has changed yet. */
  expected(session: ClaimSession, nowMs: number): readonly string[]
  place(segments: readonly string[]): ClaimPlace
  decoder(segments: readonly string[], agent: string): ClaimDecoder
  document(segments: readonly string[], agent: string, text: string): Decoded
  /** What it means that a document has gone, given the claims it last made. */
  gone(last: readonly Claim[]): readonly Claim[]
}
