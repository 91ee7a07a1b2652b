import type { OtlpConfig } from '../config/config.ts'

export type Signal = 'logs' | 'traces'
export type Protocol = 'http/protobuf' | 'http/json'

/** Where one signal goes, and how. */
export type Target = {
  readonly signal: Signal
  /** Without userinfo: that became a header. */
  readonly url: URL
  readonly protocol: Protocol
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds for one request as a whole. */
  readonly timeoutMs: number
  readonly compression: 'gzip' | 'none'
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer }
}

export type Destination = {
  /** Folder name below `ship/`: two addresses are two destinations, each with its own cursors. */
  readonly name: string
  readonly logs: Target | null
  readonly traces: Target | null
}

export type Environment = Readonly<Record<string, string | undefined>>
export type DestinationResult = { readonly ok: true; readonly destination: Destination | null } | { readonly ok: false; readonly message: string }
export type ReadFile = (path: string) => Buffer

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
const DEFAULT_TIMEOUT_MS = 10_000
const MAX_TIMEOUT_MS = 600_000
const HEADERS_MAX = 64
const HEADER_VALUE_MAX = 8192
/** Set by the transport; another value would break the request. */
const RESERVED_HEADERS = new Set(['content-type', 'content-length', 'content-encoding', 'host', 'transfer-encoding', 'connection', 'expect'])
const SIGNALS = ['logs', 'traces'] as const

class Refused extends Error {}
const refuse = (sentence: string): never => {
  throw new Refused(sentence)
}

/**
 * Flag over environment over file, resolved once, as the environment of the shipper: a token never stands on a command line.
 * The flag names the endpoint of all signals.
 */
export function otlpEnvironment(flag: string | null, env: Environment, file: OtlpConfig): Record<string, string> {
  const merged: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined && (name.startsWith('OTEL_') || PROXY.test(name))) merged[name] = value
  const unless = (name: string, value: string | null) => {
    if (value !== null && !merged[name]) merged[name] = value
  }
  const headers = Object.entries(file.headers).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  unless('OTEL_EXPORTER_OTLP_ENDPOINT', file.endpoint)
  unless('OTEL_EXPORTER_OTLP_PROTOCOL', file.protocol)
  unless('OTEL_EXPORTER_OTLP_HEADERS', headers.length > 0 ? headers.join(',') : null)
  unless('OTEL_EXPORTER_OTLP_COMPRESSION', file.compression)
  unless('OTEL_EXPORTER_OTLP_TIMEOUT', file.timeoutMs === null ? null : String(file.timeoutMs))
  if (flag !== null) {
    merged['OTEL_EXPORTER_OTLP_ENDPOINT'] = flag
    // Empty counts as unset; a missing name would let the observer's own variable through to its child.
    for (const signal of SIGNALS) merged[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`] = ''
  }
  return merged
}
const PROXY = /^(?:https?_proxy|no_proxy)$/i

/** Reads the OTEL_EXPORTER_OTLP_* variables. No endpoint: `destination` is null, nothing is shipped. The message is one sentence. */
export function parseDestination(env: Environment, readFile: ReadFile): DestinationResult {
  try {
    const [logs, traces] = SIGNALS.map((signal) => parseTarget(signal, env, readFile)) as [Target | null, Target | null]
    if (logs === null && traces === null) return { ok: true, destination: null }
    return { ok: true, destination: { name: destinationName(logs, traces), logs, traces } }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, message: error.message }
    throw error
  }
}

function parseTarget(signal: Signal, env: Environment, readFile: ReadFile): Target | null {
  const upper = signal.toUpperCase()
  /** The signal's own variable goes before the general one; an empty one counts as unset (OpenTelemetry environment variable specification). */
  const setting = (what: string): { readonly name: string; readonly value: string } | null => {
    for (const name of [`OTEL_EXPORTER_OTLP_${upper}_${what}`, `OTEL_EXPORTER_OTLP_${what}`]) {
      const value = env[name]?.trim()
      if (value) return { name, value }
    }
    return null
  }
  const exporter = env[`OTEL_${upper}_EXPORTER`]?.trim()
  if (exporter === 'none') return null
  const endpoint = setting('ENDPOINT')
  if (endpoint === null) return null
  const { url, userinfo } = parseUrl(endpoint.name, endpoint.value, endpoint.name.includes(`_${upper}_`) ? null : `v1/${signal}`)
  const headers = { ...userinfo, ...parseHeaders('OTEL_EXPORTER_OTLP_HEADERS', env), ...parseHeaders(`OTEL_EXPORTER_OTLP_${upper}_HEADERS`, env) }
  if (Object.keys(headers).length > HEADERS_MAX) refuse(`OTEL_EXPORTER_OTLP_HEADERS has more than ${HEADERS_MAX} headers.`)
  const file = (what: string): Buffer | undefined => {
    const path = setting(what)
    if (path === null) return undefined
    try {
      return readFile(path.value)
    } catch (error) {
      return refuse(`${path.name}: cannot read ${shown(path.value)}: ${(error as NodeJS.ErrnoException).code ?? String(error)}.`)
    }
  }
  const ca = file('CERTIFICATE')
  const cert = file('CLIENT_CERTIFICATE')
  const key = file('CLIENT_KEY')
  if ((cert === undefined) !== (key === undefined)) refuse('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together; only one of them is set.')
  return {
    signal,
    url,
    protocol: parseProtocol(signal, setting('PROTOCOL')),
    headers,
    timeoutMs: parseTimeout(setting('TIMEOUT')),
    compression: parseCompression(setting('COMPRESSION'), url),
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  }
}

function parseUrl(name: string, value: string, append: string | null): { url: URL; userinfo: Record<string, string> } {
  if (!URL.canParse(value)) refuse(`${name}: ${shown(value)} is not an address; expected one like http://localhost:4318.`)
  const url = new URL(value)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') refuse(`${name}: ${shown(value)} does not begin with http:// or https:// (expected one like http://localhost:4318).`)
  if (url.hash !== '') refuse(`${name}: an address with a #fragment is no endpoint.`)
  if (append !== null) url.pathname = url.pathname.replace(/\/*$/, '/') + append
  const userinfo: Record<string, string> = {}
  if (url.username !== '' || url.password !== '') {
    userinfo['authorization'] = 'Basic ' + Buffer.from(`${decodeText(name, url.username)}:${decodeText(name, url.password)}`, 'utf8').toString('base64')
    url.username = ''
    url.password = ''
  }
  return { url, userinfo }
}

function parseProtocol(signal: Signal, setting: { name: string; value: string } | null): Protocol {
  // Unset: records leave as the journal's own bytes; spans as the exporter's own OTLP/JSON.
  if (setting === null) return signal === 'logs' ? 'http/protobuf' : 'http/json'
  if (setting.value === 'http/protobuf' || setting.value === 'http/json') return setting.value
  if (setting.value === 'grpc') return refuse(`${setting.name}=grpc is not supported: use http/protobuf or http/json, on a collector usually port 4318 instead of 4317.`)
  return refuse(`${setting.name}: ${shown(setting.value)} is no protocol of ours; expected http/protobuf or http/json.`)
}

function parseTimeout(setting: { name: string; value: string } | null): number {
  if (setting === null) return DEFAULT_TIMEOUT_MS
  const value = /^\d{1,9}$/.test(setting.value) ? Number(setting.value) : 0
  if (value < 1 || value > MAX_TIMEOUT_MS) refuse(`${setting.name}: ${shown(setting.value)} is no timeout; expected milliseconds from 1 to ${MAX_TIMEOUT_MS}.`)
  return value
}

function parseCompression(setting: { name: string; value: string } | null, url: URL): 'gzip' | 'none' {
  // Every OTLP server takes gzip. On the way to one's own machine it would only cost both sides CPU.
  if (setting === null) return isLoopback(url.hostname) ? 'none' : 'gzip'
  if (setting.value === 'gzip' || setting.value === 'none') return setting.value
  return refuse(`${setting.name}: ${shown(setting.value)} is no compression of ours; expected gzip or none.`)
}
const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** `key=value,key=value`, each percent-encoded (W3C Baggage without properties). */
function parseHeaders(name: string, env: Environment): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of (env[name] ?? '').split(',')) {
    if (pair.trim() === '') continue
    const equals = pair.indexOf('=')
    const key = decodeText(name, pair.slice(0, Math.max(equals, 0)).trim()).toLowerCase()
    const value = decodeText(name, pair.slice(equals + 1).trim())
    // The value may be a secret: only the key is shown.
    if (equals < 1 || !/^[\w!#$%&'*+.^`|~-]+$/.test(key))
      refuse(`${name}: expected key=value pairs separated by commas; found one without a proper key${key === '' ? '' : ` (${shown(key)})`}.`)
    if (RESERVED_HEADERS.has(key)) refuse(`${name}: the header ${key} is set by Spoor itself.`)
    if (value.length > HEADER_VALUE_MAX || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) refuse(`${name}: the value of ${key} cannot stand in an HTTP header.`)
    headers[key] = value
  }
  return headers
}

function decodeText(name: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return refuse(`${name}: a % must be followed by two hex digits (percent-encoding).`)
  }
}

/** What an operator typed, made safe to print; a password in it is left out. */
const shown = (value: string): string => JSON.stringify(value.replace(/\/\/[^/@]*@/, '//…@').slice(0, 120))

function destinationName(logs: Target | null, traces: Target | null): string {
  const url = (logs ?? traces)!.url
  const host = `${url.hostname.replace(/[^a-zA-Z0-9.-]+/g, '')}_${url.port || (url.protocol === 'https:' ? 443 : 80)}`.replace(/^\.+/, '').slice(0, 64)
  return `${host}-${fnv1a(`${logs?.url.href ?? ''}\n${traces?.url.href ?? ''}`)}`
}

/** A name tag, no security: tells addresses on one host apart. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}
