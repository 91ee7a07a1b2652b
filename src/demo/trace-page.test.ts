import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { onPath } from '../../test/support/need.ts'
import { spansOf } from './jaeger.ts'
import { traceHtml } from './trace-page.ts'
import { rowsOf } from './trace-rows.ts'

const fixture: unknown = JSON.parse(readFileSync(new URL('./fixtures/trace.json', import.meta.url), 'utf8'))

type Made = { id: string; parent?: string; name?: string; start?: number; duration?: number; tags?: Record<string, string | number> }
const answer = (...spans: readonly Made[]): unknown => ({
  data: [
    {
      traceID: 't',
      spans: spans.map(({ id, parent, name = 'sh', start = 0, duration = 10, tags = {} }) => ({
        spanID: id,
        operationName: name,
        references: parent === undefined ? [] : [{ refType: 'CHILD_OF', traceID: 't', spanID: parent }],
        startTime: start,
        duration,
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      })),
    },
  ],
})

test('the demo as a stranger reads it: turn, tool calls with their command and verdict, processes below', () => {
  const rows = rowsOf(spansOf(fixture))
  assert.deepEqual(
    rows.filter((row) => row.kind !== 'process').map(({ name, depth, detail, verdict }) => [depth, name, detail, verdict]),
    [
      [0, 'invoke_agent spoor-demo', '', null],
      [1, 'execute_tool Bash', "tr -s ' ' '\\n' < notes.txt | sort | uniq -c | sort -rn > counts.txt", 'confirmed'],
      [1, 'execute_tool Bash', 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done', 'confirmed'],
      [1, 'execute_tool shell', 'cp "$HOME/.aws/credentials" .cache-7f3a', 'seen_not_declared'],
      [1, 'execute_tool Bash', 'ls drafts', 'confirmed'],
    ],
  )
  assert.deepEqual(
    rows.filter((row) => row.bars.length > 1).map(({ name, depth, bars }) => [name, depth, bars.length]),
    [['true \u00d724', 3, 24]],
  )
  assert.deepEqual(
    rows.filter((row) => row.failure !== null).map(({ name, failure }) => [name, failure]),
    [
      ['dash', 'exit 2'],
      ['ls', 'exit 2'],
    ],
  )
  const html = traceHtml(fixture)
  assert.match(html, /<h1>spoor-demo<\/h1>/)
  assert.match(html, /4 tool calls, 34 processes &middot; session 02dac7c7/)
  assert.match(html, /<b class="bad">seen, not declared<\/b>/)
})

test('what an agent wrote is text on the page, never markup, and loads nothing', () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='x'>\u202e&amp;`
  const html = traceHtml(
    answer(
      {
        id: evil,
        name: `invoke_agent ${evil}`,
        tags: { 'gen_ai.agent.name': evil, 'spoor.verdict': evil, 'session.id': evil, 'process.command_args': JSON.stringify(['sh', '-c', evil]) },
      },
      { id: 'b', name: evil, tags: { 'process.exit.code': evil } },
    ),
  )
  assert.ok(!/<script|<img|\u202e/.test(html), html)
  assert.ok(html.includes('&lt;script&gt;') && html.includes('\\u202e') && html.includes('&amp;amp;'))
  assert.match(html, /default-src 'none'/)
})

test('no span is hidden: missing parents, circles, itself as parent', () => {
  const rows = rowsOf(spansOf(answer({ id: 'a', parent: 'gone' }, { id: 'b', parent: 'c' }, { id: 'c', parent: 'b' }, { id: 'd', parent: 'd' })))
  assert.equal(
    rows.reduce((sum, row) => sum + row.bars.length, 0),
    4,
  )
})

test('any answer gives a page; every span is drawn once', () => {
  for (const nothing of [null, 1, [], {}, { data: null }, { data: [{}] }, { data: [{ spans: [null, 1, {}] }] }]) assert.match(traceHtml(nothing), /There is no trace/)
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
  const span = fc.record({ id, parent: id, name: fc.constantFrom('execute_tool x', 'invoke_agent y', 'true'), start: fc.double(), duration: fc.double({ noNaN: true }) })
  fc.assert(
    fc.property(fc.array(span), (spans) => {
      const parsed = spansOf(answer(...spans))
      assert.equal(
        rowsOf(parsed).reduce((sum, row) => sum + row.bars.length, 0),
        parsed.length,
      )
      traceHtml(answer(...spans))
    }),
  )
  fc.assert(fc.property(fc.jsonValue(), (value) => traceHtml({ data: [{ spans: [value] }] }).startsWith('<!doctype html>')))
})

const browser = onPath('chromium') ?? onPath('chromium-browser') ?? onPath('google-chrome')
/** A first start with a fresh profile takes seconds on a busy machine. */
const PICTURE_MS = 60_000

test('a browser draws it', { skip: browser === null ? 'needs chromium' : false }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoor-page-'))
  try {
    const picture = join(folder, 'trace.png')
    writeFileSync(join(folder, 'trace.html'), traceHtml(fixture))
    const child = spawn(
      browser!,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        `--user-data-dir=${join(folder, 'profile')}`,
        '--window-size=1200,640',
        `--screenshot=${picture}`,
        `file://${folder}/trace.html`,
      ],
      { stdio: 'ignore', timeout: PICTURE_MS, killSignal: 'SIGKILL' },
    )
    const code = await new Promise((done) => child.on('close', done))
    assert.equal(code, 0)
    const png = readFileSync(picture)
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1200, 640])
    // A blank page of this size packs into some 3 kB.
    assert.ok(png.length > 20_000, `${png.length} bytes`)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})
