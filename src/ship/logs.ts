import { varintSize, writeVarint } from './wire.ts'

/** The resource of one run, as the bytes of an OTLP Resource. One object for each run: records are grouped by identity. */
export type RunResource = {
  /** Index of the `spoor.run.start` entry it was read from; -1 = that entry is gone, the resource is the shipper's own finding. */
  readonly index: number
  readonly bytes: Uint8Array
}

export type LogItem = { readonly index: number; readonly bytes: Uint8Array; readonly run: RunResource }
export type Scope = { readonly name: string; readonly version: string }

/** Tag bytes: field number * 8 + 2, of opentelemetry/proto/collector/logs/v1 and logs/v1. */
const TAG = { resourceLogs: 0x0a, resource: 0x0a, scopeLogs: 0x12, scope: 0x0a, logRecord: 0x12, name: 0x0a, version: 0x12 } as const

/**
 * An ExportLogsServiceRequest around the journal's own bytes: nothing is decoded, so a record that is sent twice is the same bytes twice.
 * Consecutive items of one run share a ResourceLogs.
 */
export function logsRequest(items: readonly LogItem[], scope: Scope): Buffer {
  const scopeBytes = message([
    [TAG.name, Buffer.from(scope.name, 'utf8')],
    [TAG.version, Buffer.from(scope.version, 'utf8')],
  ])
  const groups: { from: number; to: number; scopeLogs: number; resourceLogs: number }[] = []
  let total = 0
  for (let from = 0; from < items.length; ) {
    const { run } = items[from]!
    let to = from
    let scopeLogs = field(scopeBytes.length)
    for (; to < items.length && items[to]!.run === run; to++) scopeLogs += field(items[to]!.bytes.length)
    const resourceLogs = field(run.bytes.length) + field(scopeLogs)
    groups.push({ from, to, scopeLogs, resourceLogs })
    total += field(resourceLogs)
    from = to
  }
  const into = Buffer.allocUnsafe(total)
  let at = 0
  const head = (tag: number, length: number): void => {
    into[at] = tag
    at = writeVarint(into, at + 1, length)
  }
  const put = (tag: number, bytes: Uint8Array): void => {
    head(tag, bytes.length)
    into.set(bytes, at)
    at += bytes.length
  }
  for (const group of groups) {
    head(TAG.resourceLogs, group.resourceLogs)
    put(TAG.resource, items[group.from]!.run.bytes)
    head(TAG.scopeLogs, group.scopeLogs)
    put(TAG.scope, scopeBytes)
    for (let i = group.from; i < group.to; i++) put(TAG.logRecord, items[i]!.bytes)
  }
  return into
}

/** Size of a field with a one-byte tag and a payload of `length` bytes. */
const field = (length: number): number => 1 + varintSize(length) + length

function message(fields: readonly (readonly [tag: number, bytes: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = []
  for (const [tag, bytes] of fields) {
    const head = Buffer.alloc(1 + varintSize(bytes.length))
    head[0] = tag
    writeVarint(head, 1, bytes.length)
    parts.push(head, bytes)
  }
  return Buffer.concat(parts)
}

/** A Resource of text attributes, as bytes. */
export const resourceBytes = (attributes: Readonly<Record<string, string>>): Buffer =>
  message(
    Object.entries(attributes).map(([key, value]) => {
      const text = message([[0x0a, Buffer.from(value, 'utf8')]])
      return [
        0x0a,
        message([
          [0x0a, Buffer.from(key, 'utf8')],
          [0x12, text],
        ]),
      ] as const
    }),
  )

/** A LogRecord that holds nothing but the resource, under `key`: so that one decoder serves both. */
export const resourceRecord = (run: RunResource, key: string): Buffer =>
  message([
    [
      0x32,
      message([
        [0x0a, Buffer.from(key, 'utf8')],
        [0x12, message([[0x32, run.bytes]])],
      ]),
    ],
    [0x62, Buffer.from('resource', 'utf8')],
  ])
