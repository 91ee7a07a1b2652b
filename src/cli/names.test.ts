import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ATTRIBUTES, EVENTS } from '../shape/registry.ts'
import { SIXTY_FOUR_BITS } from './events.ts'

/** In the schema, written by a later version: shown when it comes. */
const LATER = new Set(['server.address'])

test('what the readers look for is what stage 5 writes', () => {
  for (const file of ['session-fold.ts', 'show-fold.ts', 'event-line.ts', 'show.ts']) {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8')
    const names = [...source.matchAll(/'((?:spoor|process|file|network|server|gen_ai|user|session|error)\.[a-z_.]+[a-z])'/g)].map((match) => match[1] ?? '')
    for (const name of names) assert.ok(name in ATTRIBUTES || name in EVENTS || LATER.has(name), `${file}: ${name} is not in the registry`)
  }
})

test('64-bit attributes are integers of the registry', () => {
  for (const name of SIXTY_FOUR_BITS) assert.equal((ATTRIBUTES as Record<string, { type: string }>)[name]?.type, 'int', name)
})
