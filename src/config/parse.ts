import * as v from 'valibot'
import { LineCounter, parseDocument } from 'yaml'
import { brandConfig, type Config, DEFAULTS } from './config.ts'

export type ConfigResult = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly message: string }

/** More than anyone writes by hand; keeps a wrong path (a log, a device) from being read into memory. */
export const CONFIG_MAX_BYTES = 1024 * 1024
const NAME_MAX = 128

const KiB = 1024
const UNITS: Readonly<Record<string, number>> = { B: 1, KiB, MiB: KiB ** 2, GiB: KiB ** 3, TiB: KiB ** 4 }

/** `4MiB`, `512 KiB`, or a plain number of bytes. */
const toBytes = (value: string | number): number | null => {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : null
  const match = /^(\d{1,12}) ?(B|KiB|MiB|GiB|TiB)$/.exec(value)
  if (match === null) return null
  const bytes = Number(match[1]) * UNITS[match[2]!]!
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}

const size = (expected: string, fits: (bytes: number) => boolean) =>
  v.pipe(
    v.union([v.string(), v.number()], expected),
    v.check((value) => fits(toBytes(value) ?? Number.NaN), expected),
    v.transform((value) => toBytes(value) ?? 0),
  )

const text = (expected: string) =>
  v.pipe(
    v.string(expected),
    v.check((value) => value.length > 0 && value.length <= 4096 && !value.includes('\0'), expected),
  )
const name = (expected: string) => v.pipe(v.string(expected), v.regex(/^[\w@./+ -]+$/u, expected), v.maxLength(NAME_MAX, expected))
const list = <const T extends v.GenericSchema>(item: T, expected: string, max = 256) => v.pipe(v.array(item, expected), v.maxLength(max, `${expected}, at most ${max}`))

const object = <const T extends v.ObjectEntries>(entries: T) => v.strictObject(entries, `one of: ${Object.keys(entries).join(', ')}`)
const isMap = (value: unknown): boolean => isObject(value) && !Array.isArray(value)

const Agent = v.pipe(
  object({
    name: name('a name of letters, digits and @ . / + - _'),
    exe: v.optional(text('a glob of the executable path, e.g. "/opt/acme/bin/acme-agent"')),
    script: v.optional(text('a glob of the script path, e.g. "**/acme/cli.js"')),
    package: v.optional(name('an npm package name, e.g. "@acme/agent"')),
    args: v.optional(text('text that one argument contains')),
    candidates: v.optional(list(text('the basename of an executable'), 'a list of basenames', 16)),
  }),
  v.check(
    (agent) => agent.exe !== undefined || agent.script !== undefined || agent.package !== undefined,
    'at least one of exe, script, package (a name or an argument alone is no evidence)',
  ),
)

const powerOfTwo = (bytes: number) => Number.isInteger(Math.log2(bytes))

const Schema = object({
  stateDir: v.optional(v.pipe(v.string('an absolute path'), v.startsWith('/', 'an absolute path'))),
  volume: v.optional(v.picklist(['normal', 'full'], 'normal or full')),
  ring: v.optional(size('a power of two from 1MiB to 64MiB, e.g. "4MiB"', (bytes) => powerOfTwo(bytes) && bytes >= KiB ** 2 && bytes <= 64 * KiB ** 2)),
  hostId: v.optional(v.picklist(['plain', 'hashed'], 'plain or hashed')),
  journal: v.optional(
    object({
      maxBytes: v.optional(size('a size of at least 16MiB, e.g. "1GiB"', (bytes) => bytes >= 16 * KiB ** 2)),
      maxAgeDays: v.optional(v.pipe(v.number('a number of days'), v.minValue(1 / 24, 'a number of days, at least 1/24'), v.maxValue(36500, 'a number of days, at most 36500'))),
    }),
  ),
  otlp: v.optional(
    object({
      endpoint: v.optional(v.pipe(v.string('an http:// or https:// address'), v.check(isHttpUrl, 'an http:// or https:// address, e.g. "http://localhost:4318"'))),
      protocol: v.optional(v.picklist(['http/protobuf', 'http/json'], 'http/protobuf or http/json (grpc is not spoken)')),
      headers: v.optional(
        v.record(
          v.pipe(v.string(), v.regex(/^[\w!#$%&'*+.^`|~-]+$/, 'a header name')),
          v.pipe(v.string('text'), v.regex(/^[^\0-\x08\x0a-\x1f\x7f]*$/, 'text in one line')),
          'header names with their values',
        ),
      ),
      compression: v.optional(v.picklist(['gzip', 'none'], 'gzip or none')),
      timeout: v.optional(
        v.pipe(
          v.number('a number of milliseconds'),
          v.integer('a whole number of milliseconds'),
          v.minValue(1, 'milliseconds, 1 to 600000'),
          v.maxValue(600_000, 'milliseconds, 1 to 600000'),
        ),
      ),
    }),
  ),
  agents: v.optional(list(Agent, 'a list of agents')),
  environment: v.optional(
    list(v.pipe(v.string('a variable name'), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,31}$/, 'a variable name of at most 32 characters')), 'a list of variable names', 64),
  ),
  sensitive: v.optional(list(text('a glob of paths, e.g. "/srv/keys/**"'), 'a list of globs')),
})

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol } = new URL(value)
  return protocol === 'http:' || protocol === 'https:'
}

const shown = (value: unknown): string => {
  const json = JSON.stringify(value)
  if (json === undefined) return 'nothing'
  return json.length > 60 ? json.slice(0, 57) + '...' : json
}

/** Pure. The message is whole: file, line, what was found, what was expected. */
export function parseConfig(source: string, file: string): ConfigResult {
  const lines = new LineCounter()
  // No aliases: nothing here needs them, and they are how a small YAML becomes a large one.
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const broken = document.errors[0] ?? document.warnings[0]
  if (broken !== undefined) return { ok: false, message: `${at(broken.pos[0])}: not valid YAML: ${broken.message}` }
  let plain: unknown
  try {
    plain = document.toJS({ maxAliasCount: 0 }) ?? {}
  } catch {
    return { ok: false, message: `${file}: not valid YAML: aliases (*name) are not supported here` }
  }
  // valibot takes a list for an object with the keys 0, 1, ...
  if (!isMap(plain)) return { ok: false, message: `${at(rangeStart(document.contents) ?? 0)}: found ${shown(plain)}; expected keys with values, e.g. "volume: normal"` }
  const parsed = v.safeParse(Schema, plain)
  if (!parsed.success) {
    const issue = parsed.issues[0]
    const keys = (issue.path ?? []).map((item) => item.key as string | number)
    const unknownKey = issue.type === 'strict_object' && issue.expected === 'never'
    const label = keys.length === 0 ? '' : keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('') + ': '
    const place = at(offsetOf(document, keys, unknownKey))
    if (unknownKey) return { ok: false, message: `${place}: ${label}unknown key; expected ${issue.message}` }
    const missing = issue.expected !== null && issue.received === 'undefined'
    return { ok: false, message: `${place}: ${label}${missing ? 'missing' : `found ${shown(issue.input)}`}; expected ${issue.message}` }
  }
  const { output } = parsed
  return {
    ok: true,
    config: brandConfig({
      file,
      stateDir: output.stateDir ?? DEFAULTS.stateDir,
      volume: output.volume ?? DEFAULTS.volume,
      ringBytes: output.ring ?? DEFAULTS.ringBytes,
      hostId: output.hostId ?? DEFAULTS.hostId,
      journal: { maxBytes: output.journal?.maxBytes ?? DEFAULTS.journal.maxBytes, maxAgeDays: output.journal?.maxAgeDays ?? DEFAULTS.journal.maxAgeDays },
      otlp: {
        endpoint: output.otlp?.endpoint ?? DEFAULTS.otlp.endpoint,
        protocol: output.otlp?.protocol ?? DEFAULTS.otlp.protocol,
        headers: output.otlp?.headers ?? DEFAULTS.otlp.headers,
        compression: output.otlp?.compression ?? DEFAULTS.otlp.compression,
        timeoutMs: output.otlp?.timeout ?? DEFAULTS.otlp.timeoutMs,
      },
      agents: (output.agents ?? []).map(withoutUndefined),
      environment: output.environment ?? DEFAULTS.environment,
      sensitive: output.sensitive ?? DEFAULTS.sensitive,
    }),
  }
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }
const withoutUndefined = <T extends object>(object: T): Present<T> => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>

/** Where the key or value at `path` stands; the nearest thing above it when it is missing. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly (string | number)[], key: boolean): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true)
    const wanted = path[depth - 1]!
    if (isCollection(parent)) {
      const item = parent.items.find((pair, index) => (typeof wanted === 'number' ? index === wanted : isPair(pair) && scalar(pair.key) === wanted))
      const node = isPair(item) ? (key || depth < path.length ? item.key : (item.value ?? item.key)) : item
      const start = rangeStart(node)
      if (start !== null) return start
    }
  }
  return rangeStart(document.contents) ?? 0
}
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const isCollection = (node: unknown): node is { items: unknown[] } => isObject(node) && Array.isArray(node['items'])
const isPair = (node: unknown): node is { key: unknown; value: unknown } => isObject(node) && 'key' in node && 'value' in node && !('range' in node)
const scalar = (node: unknown): unknown => (isObject(node) && 'value' in node ? node['value'] : node)
const rangeStart = (node: unknown): number | null => (isObject(node) && Array.isArray(node['range']) && typeof node['range'][0] === 'number' ? node['range'][0] : null)
