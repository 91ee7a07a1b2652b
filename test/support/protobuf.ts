// A second, independent reading of OTLP's wire format (opentelemetry-proto logs/v1, common/v1): the sink must not share the product's own decoder.

type Field = { readonly number: number; readonly wire: number; readonly value: bigint; readonly bytes: Uint8Array }

function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error('truncated varint')
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const none = new Uint8Array()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    const wire = Number(tag & 7n)
    if (wire === 0) yield { number, wire, value: varint(), bytes: none }
    else if (wire === 1) {
      yield { number, wire, value: view.getBigUint64(at, true), bytes: bytes.subarray(at, at + 8) }
      at += 8
    } else if (wire === 2) {
      const length = Number(varint())
      if (at + length > bytes.length) throw new Error('truncated field')
      yield { number, wire, value: 0n, bytes: bytes.subarray(at, at + length) }
      at += length
    } else if (wire === 5) {
      yield { number, wire, value: BigInt(view.getUint32(at, true)), bytes: bytes.subarray(at, at + 4) }
      at += 4
    } else throw new Error(`wire type ${wire}`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
export type AnyValue = string | number | bigint | boolean | null | Uint8Array | AnyValue[] | { [name: string]: AnyValue }

function anyValue(bytes: Uint8Array): AnyValue {
  for (const field of fields(bytes)) {
    if (field.number === 1) return utf8.decode(field.bytes)
    if (field.number === 2) return field.value !== 0n
    if (field.number === 3) return BigInt.asIntN(64, field.value)
    if (field.number === 4) return new DataView(field.bytes.buffer, field.bytes.byteOffset, 8).getFloat64(0, true)
    if (field.number === 5) return [...fields(field.bytes)].map((item) => anyValue(item.bytes))
    if (field.number === 6) return keyValues([...fields(field.bytes)].map((item) => item.bytes))
    if (field.number === 7) return field.bytes
  }
  return null
}
function keyValues(items: readonly Uint8Array[]): { [name: string]: AnyValue } {
  const map: { [name: string]: AnyValue } = {}
  for (const item of items) {
    let name = ''
    let value: AnyValue = null
    for (const field of fields(item)) {
      if (field.number === 1) name = utf8.decode(field.bytes)
      else if (field.number === 2) value = anyValue(field.bytes)
    }
    map[name] = value
  }
  return map
}

export type LogRecord = {
  readonly raw: Uint8Array
  readonly resource: { [name: string]: AnyValue }
  readonly scope: { readonly name: string; readonly version: string }
  readonly timeUnixNano: bigint
  readonly severityText: string
  readonly eventName: string
  readonly traceId: string
  readonly spanId: string
  readonly attributes: { [name: string]: AnyValue }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function logRecord(raw: Uint8Array, resource: LogRecord['resource'], scope: LogRecord['scope']): LogRecord {
  let timeUnixNano = 0n
  let severityText = ''
  let eventName = ''
  let traceId = ''
  let spanId = ''
  const attributes: Uint8Array[] = []
  for (const field of fields(raw)) {
    if (field.number === 1) timeUnixNano = field.value
    else if (field.number === 3) severityText = utf8.decode(field.bytes)
    else if (field.number === 6) attributes.push(field.bytes)
    else if (field.number === 9) traceId = hex(field.bytes)
    else if (field.number === 10) spanId = hex(field.bytes)
    else if (field.number === 12) eventName = utf8.decode(field.bytes)
  }
  return { raw, resource, scope, timeUnixNano, severityText, eventName, traceId, spanId, attributes: keyValues(attributes) }
}

/** ExportLogsServiceRequest: resource_logs 1 { resource 1 { attributes 1 }, scope_logs 2 { scope 1 { name 1, version 2 }, log_records 2 } }. Throws on anything malformed. */
export function decodeLogsRequest(body: Uint8Array): LogRecord[] {
  const records: LogRecord[] = []
  for (const resourceLogs of fields(body)) {
    if (resourceLogs.number !== 1) continue
    const parts = [...fields(resourceLogs.bytes)]
    const resource = keyValues(
      parts.filter((part) => part.number === 1).flatMap((part) => [...fields(part.bytes)].filter((field) => field.number === 1).map((field) => field.bytes)),
    )
    for (const scopeLogs of parts.filter((part) => part.number === 2)) {
      const inner = [...fields(scopeLogs.bytes)]
      const scope = { name: '', version: '' }
      for (const part of inner.filter((field) => field.number === 1)) {
        for (const field of fields(part.bytes)) {
          if (field.number === 1) scope.name = utf8.decode(field.bytes)
          if (field.number === 2) scope.version = utf8.decode(field.bytes)
        }
      }
      for (const part of inner.filter((field) => field.number === 2)) records.push(logRecord(part.bytes, resource, scope))
    }
  }
  return records
}

/** Only the bytes and the uid of each record: for counting great numbers of them. */
export function* eachRecord(body: Uint8Array): Generator<{ readonly uid: string; readonly raw: Uint8Array }> {
  for (const resourceLogs of fields(body)) {
    if (resourceLogs.number !== 1) continue
    for (const scopeLogs of fields(resourceLogs.bytes)) {
      if (scopeLogs.number !== 2) continue
      for (const record of fields(scopeLogs.bytes)) if (record.number === 2) yield { uid: uidOf(record.bytes), raw: record.bytes }
    }
  }
}
const uidKey = Buffer.from('log.record.uid')
function uidOf(record: Uint8Array): string {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  // KeyValue { key 1, value 2 { string 1 } }: two tags and two lengths stand between the key and the 26 characters.
  const at = bytes.indexOf(uidKey)
  if (at < 0) throw new Error('a record without log.record.uid')
  return bytes.toString('latin1', at + uidKey.length + 4, at + uidKey.length + 4 + 26)
}
