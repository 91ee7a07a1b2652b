import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ATTRIBUTES, EVENTS } from '../src/shape/registry.ts'
import { agentBehaviour } from './agent-behaviour.ts'
import { countOrUnseen, entries, key, NOT_OBSERVABLE, UNSEEN } from './queries.ts'
import { file, text } from './write.ts'

type Target = { readonly expr: string; readonly legendFormat?: string; readonly datasource?: { readonly type?: string } }
type Panel = {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly datasource?: { readonly type: string }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: { readonly defaults?: { readonly mappings?: readonly unknown[] } }
}
const panels = (JSON.parse(JSON.stringify(agentBehaviour())) as { panels: readonly Panel[] }).panels
const queried = panels.filter((panel) => panel.type !== 'row')
const queries = queried.flatMap((panel) => panel.targets!.map((target) => ({ title: panel.title, ...target })))

test('agent-behaviour.json is what the typed source says', () => {
  assert.equal(readFileSync(file, 'utf8'), text(), 'run: node scripts/launch.cjs dashboards/write.ts')
})

test('every panel has a title, a description, a query and a place of its own', () => {
  assert.ok(queries.length >= 15, `${queries.length} queries`)
  assert.equal(new Set(queried.map((panel) => panel.title)).size, queried.length)
  assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length)
  for (const panel of queried) {
    assert.ok(panel.targets!.length > 0 && panel.targets!.every((target) => target.expr !== ''), panel.title)
    assert.ok('description' in panel && panel.description !== '', panel.title)
    assert.ok(panel.datasource?.type === 'loki' || panel.datasource?.type === 'prometheus', panel.title)
  }
})

/** Names that are not the registry's: of the store, of the span metrics connector, of otel-collector.yaml. */
const FOREIGN = new Set(['service_name', 'event_name', 'le'])
const names = new Set(Object.keys(ATTRIBUTES).map((name) => name.replaceAll('.', '_')))
const maps = Object.entries(ATTRIBUTES)
  .filter(([, definition]) => definition.type === 'map')
  .map(([name]) => `${name.replaceAll('.', '_')}_`)

/** Every attribute that a query names: compared, grouped by, unwrapped, shown. */
function namesIn(target: Target): string[] {
  const templates = [...`${target.expr} ${target.legendFormat ?? ''}`.matchAll(/\{\{\.?(\w+)\}\}/g)].map((match) => match[1]!)
  const code = target.expr.replaceAll(/"[^"]*"|`[^`]*`/g, '""')
  const compared = [...code.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map((match) => match[1]!)
  const grouped = [...code.matchAll(/\bby \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(',').map((name) => name.trim()))
  const unwrapped = [...code.matchAll(/\bunwrap (\w+)/g)].map((match) => match[1]!)
  return [...templates, ...compared, ...grouped, ...unwrapped]
}

test('every query uses names of the registry', () => {
  for (const query of queries) {
    const used = namesIn(query)
    for (const name of used) assert.ok(FOREIGN.has(name) || names.has(name) || maps.some((prefix) => name.startsWith(prefix)), `${query.title}: ${name} is no attribute`)
    assert.ok(
      used.some((name) => !FOREIGN.has(name)),
      `${query.title} names no attribute`,
    )
    for (const [, events] of query.expr.matchAll(/event_name=~?"([^"]*)"/g))
      for (const event of events!.split('|')) assert.ok(Object.hasOwn(EVENTS, event), `${query.title}: ${event} is no event`)
  }
})

test('what is filtered by or shown stands in the events that are asked for', () => {
  for (const query of queries) {
    for (const selector of query.expr.matchAll(/event_name=~?"([^"]*)"((?:(?!event_name)[^[])*)/g)) {
      const can = new Set(selector[1]!.split('|').flatMap((event) => [...EVENTS[event]!.required, ...EVENTS[event]!.optional].map((name) => name.replaceAll('.', '_'))))
      for (const name of namesIn({ expr: selector[2]! })) {
        assert.ok(can.has(name) || [...can].some((known) => maps.includes(`${known}_`) && name.startsWith(`${known}_`)), `${query.title}: ${selector[1]} never has ${name}`)
      }
    }
  }
})

test('where nothing was counted, a panel says 0 only if the sensor could have seen it', () => {
  const kinds = ['exec', 'change', 'open', 'connect', 'sock.end']
  for (const kind of kinds)
    assert.ok(
      queries.some((query) => query.expr.includes(key('spoor.capabilities', kind))),
      kind,
    )
  for (const panel of queried.filter((panel) => panel.targets!.some((target) => target.expr.includes(key('spoor.capabilities', ''))))) {
    assert.match(JSON.stringify(panel.fieldConfig), new RegExp(`"${NOT_OBSERVABLE}":\\{"text":"not observable"`), panel.title)
    assert.ok(
      panel.targets!.every((target) => target.expr.endsWith(` or ${UNSEEN}`)),
      panel.title,
    )
  }
  assert.match(countOrUnseen('sum(x)', 'exec'), /^sum\(x\) or \(.*spoor_capabilities_exec=~"exact\|sampled\|intent".* \* 0\) or \(vector\(0\) - 1\)$/)
})

test('a query for an event that does not exist cannot be written', () => {
  assert.throws(() => entries(['spoor.file.eaten']), /no such event/)
})
