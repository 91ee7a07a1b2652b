import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig, whyUntrusted } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'spoor-config-'))
after(() => rmSync(folder, { recursive: true }))

test('no file means the defaults', async () => {
  const result = await loadConfig(null, true)
  assert.ok(result.ok)
  assert.equal(result.config.file, null)
})

test('a missing file, a folder and a huge file are one clear sentence', async () => {
  const missing = await loadConfig(join(folder, 'none.yaml'), false)
  assert.ok(!missing.ok)
  assert.match(missing.message, /none\.yaml: cannot be read: ENOENT$/)
  const dir = await loadConfig(folder, false)
  assert.ok(!dir.ok)
  assert.match(dir.message, /is not a regular file$/)
  const huge = join(folder, 'huge.yaml')
  writeFileSync(huge, '#'.repeat(1024 * 1024 + 1))
  const large = await loadConfig(huge, false)
  assert.ok(!large.ok)
  assert.match(large.message, /at most 1048576$/)
})

test('a file is read', async () => {
  const file = join(folder, 'spoor.yaml')
  writeFileSync(file, 'volume: full\n', { mode: 0o600 })
  const result = await loadConfig(file, false)
  assert.ok(result.ok)
  assert.equal(result.config.volume, 'full')
})

test('root takes only what nobody else can write', () => {
  const root = { uid: 0, mode: 0o40755 }
  assert.equal(whyUntrusted('c', { uid: 0, mode: 0o100644 }, root), null)
  assert.equal(whyUntrusted('c', { uid: 0, mode: 0o100644 }, { uid: 0, mode: 0o41777 }), null)
  assert.match(whyUntrusted('c', { uid: 1000, mode: 0o100644 }, root) ?? '', /belongs to uid 1000/)
  assert.match(whyUntrusted('c', { uid: 0, mode: 0o100664 }, root) ?? '', /chmod go-w/)
  assert.match(whyUntrusted('c', { uid: 0, mode: 0o100644 }, { uid: 0, mode: 0o40777 }) ?? '', /can be replaced/)
  assert.match(whyUntrusted('c', { uid: 0, mode: 0o100644 }, { uid: 1000, mode: 0o40755 }) ?? '', /can be replaced/)
})
