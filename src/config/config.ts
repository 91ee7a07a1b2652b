/** What a person may set, parsed once; immutable from there on. Made by `loadConfig` and `defaultConfig` only. */
export type Config = ConfigValues & { readonly __config: true }

export type ConfigValues = {
  /** The file it came from, for messages; null = defaults. */
  readonly file: string | null
  readonly stateDir: string | null
  readonly volume: 'normal' | 'full'
  /** Power of two, 1 to 64 MiB. */
  readonly ringBytes: number
  readonly hostId: 'plain' | 'hashed'
  readonly journal: { readonly maxBytes: number; readonly maxAgeDays: number | null }
  readonly otlp: OtlpConfig
  readonly agents: readonly AgentConfig[]
  /** Names of environment variables read beside those of the catalogue, exactly. */
  readonly environment: readonly string[]
  /** Globs of paths that are treated as sensitive beside the built-in classes. */
  readonly sensitive: readonly string[]
}

/** The file's `otlp:` part only. Flags and OTEL_* variables go before it: `src/ship` resolves all three. */
export type OtlpConfig = {
  readonly endpoint: string | null
  readonly protocol: 'http/protobuf' | 'http/json' | null
  readonly headers: Readonly<Record<string, string>>
  readonly compression: 'gzip' | 'none' | null
  readonly timeoutMs: number | null
}

/** A user-defined agent. All that are given must match; at least one of exe, script, package is. `exe` and `script` are globs, `args` a substring of one argument. */
export type AgentConfig = {
  readonly name: string
  readonly exe?: string
  readonly script?: string
  readonly package?: string
  readonly args?: string
  /** Further basenames under which the kernel should report an exec at once. */
  readonly candidates?: readonly string[]
}

const MiB = 1024 * 1024

export const DEFAULTS: ConfigValues = Object.freeze({
  file: null,
  stateDir: null,
  volume: 'normal',
  ringBytes: 4 * MiB,
  hostId: 'plain',
  journal: Object.freeze({ maxBytes: 1024 * MiB, maxAgeDays: null }),
  otlp: Object.freeze({ endpoint: null, protocol: null, headers: Object.freeze({}), compression: null, timeoutMs: null }),
  agents: Object.freeze([]),
  environment: Object.freeze([]),
  sensitive: Object.freeze([]),
})

export const brandConfig = (values: ConfigValues): Config => Object.freeze(values) as Config

export const defaultConfig = (): Config => brandConfig({ ...DEFAULTS })
