import { asBuffer, WIRE, walk } from './wire.ts'

/** Field numbers of opentelemetry/proto/logs/v1/logs.proto and common/v1/common.proto. */
export const LOG = { time: 1, severityNumber: 2, severityText: 3, body: 5, attributes: 6, dropped: 7, flags: 8, traceId: 9, spanId: 10, observedTime: 11, eventName: 12 } as const
export const KEY_VALUE = { key: 1, value: 2 } as const
export const ANY = { string: 1, bool: 2, int: 3, double: 4, array: 5, kvlist: 6, bytes: 7 } as const

/** The event name of a LogRecord without decoding the rest; null where the bytes are no LogRecord. An absent name is ''. */
export function eventNameOf(record: Uint8Array): string | null {
  let name = ''
  const whole = walk(record, 0, record.length, (field, wire, from, to) => {
    if (field === LOG.eventName && wire === WIRE.bytes) name = asBuffer(record).toString('latin1', from, to)
  })
  return whole ? name : null
}

/** The bytes of the kvlist that stands under `key` in a LogRecord's attributes, or null. */
export function kvlistOf(record: Uint8Array, key: string): Uint8Array | null {
  let found: Uint8Array | null = null
  walk(record, 0, record.length, (field, wire, from, to) => {
    if (field !== LOG.attributes || wire !== WIRE.bytes) return
    let name = ''
    let list: Uint8Array | null = null
    walk(record, from, to, (part, partWire, partFrom, partTo) => {
      if (partWire !== WIRE.bytes) return
      if (part === KEY_VALUE.key) name = asBuffer(record).toString('utf8', partFrom, partTo)
      if (part === KEY_VALUE.value)
        walk(record, partFrom, partTo, (kind, kindWire, valueFrom, valueTo) => {
          if (kind === ANY.kvlist && kindWire === WIRE.bytes) list = record.subarray(valueFrom, valueTo)
        })
    })
    if (name === key) found = list
  })
  return found
}
