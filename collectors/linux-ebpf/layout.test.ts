import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as layout from './layout.ts'

const header = readFileSync(join(import.meta.dirname, 'bpf', 'records.h'), 'utf8')

const SIZES: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 }

/** Offsets of a struct's fields by the C rules for natural alignment, and its size. */
function structure(name: string): { fields: Record<string, number>; end: number } {
  const body = new RegExp(`^struct ${name} \\{\\n([^}]*)\\};`, 'm').exec(header)?.[1]
  assert.ok(body !== undefined, `struct ${name}`)
  const fields: Record<string, number> = {}
  let end = 0
  let widest = 1
  for (const line of body.split('\n').map((text) => text.replace(/\/\*.*?\*\//g, '').trim())) {
    if (line === '') continue
    const [, type, field, count] = /^(\w+) (\w+)(?:\[(\d+)\])?;$/.exec(line) ?? assert.fail(`cannot read: ${line}`)
    const size = SIZES[type!] ?? assert.fail(`unknown type: ${line}`)
    end = Math.ceil(end / size) * size
    fields[field!] = end
    end += size * Number(count ?? 1)
    widest = Math.max(widest, size)
  }
  return { fields, end: Math.ceil(end / widest) * widest }
}

function defines(prefix: string): Record<string, number> {
  return Object.fromEntries([...header.matchAll(new RegExp(`^#define ${prefix}_(\\w+) (\\d+)`, 'gm'))].map(([, name, value]) => [name, Number(value)]))
}

const shifted = (fields: Record<string, number>, by: number) => Object.fromEntries(Object.entries(fields).map(([name, at]) => [name, at + by]))

test('records.h and layout.ts have the same header', () => {
  const { fields, end } = structure('header')
  assert.deepEqual({ ...layout.HEADER }, fields)
  assert.equal(layout.HEADER_BYTES, end)
})

for (const [name, fields, bytes] of [
  ['fork', layout.FORK, layout.FORK_BYTES],
  ['exec', layout.EXEC, layout.EXEC_BYTES],
  ['exit', layout.EXIT, layout.EXIT_BYTES],
  ['open', layout.OPEN, layout.OPEN_BYTES],
  ['change', layout.CHANGE, layout.CHANGE_BYTES],
  ['sock_record', layout.SOCK, layout.SOCK_BYTES],
] as const) {
  test(`records.h and layout.ts have the same struct ${name}, with nothing left to the compiler`, () => {
    const parsed = structure(name)
    assert.deepEqual({ ...fields }, shifted(parsed.fields, layout.HEADER_BYTES))
    assert.equal(bytes, layout.HEADER_BYTES + parsed.end)
    assert.equal(parsed.end % 8, 0)
  })
}

test('records.h and layout.ts have the same numbers', () => {
  assert.deepEqual({ ...layout.KIND }, defines('KIND'))
  assert.deepEqual({ ...layout.OP }, defines('OP'))
  assert.deepEqual({ ...layout.FLAG }, defines('FLAG'))
})

test('an open with a path of 25 bytes takes at most 100 bytes of the ring', () => {
  assert.ok(8 + layout.OPEN_BYTES + Math.ceil(25 / 8) * 8 <= 100)
})
