import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { openOpenState, SNAPSHOT } from './open-state.ts'

function place(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-state-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'open.state')
}

type Frame = readonly [kind: number, text: string]
function frames(path: string): { found: Frame[]; tornBytes: number } {
  const found: Frame[] = []
  const { state, replayed } = openOpenState(path, (kind, bytes) => found.push([kind, bytes.toString('latin1')]))
  state.close()
  assert.equal(replayed.frames, found.length)
  return { found, tornBytes: replayed.tornBytes }
}

test('frames come back in order, of several chunks or none', (t) => {
  const path = place(t)
  assert.deepEqual(frames(path), { found: [], tornBytes: 0 })
  const { state } = openOpenState(path, () => assert.fail())
  assert.ok(state.append(1, Buffer.from('a'), new Uint8Array([98]), Buffer.alloc(0), Buffer.from('cd')))
  assert.ok(state.append(4_294_967_295))
  assert.ok(state.append(7, Buffer.alloc(1_000_000, 'x')))
  assert.equal(state.bytes, statSync(path).size)
  state.close()
  assert.deepEqual(frames(path).found, [
    [1, 'abcd'],
    [4_294_967_295, ''],
    [7, 'x'.repeat(1_000_000)],
  ])
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('a rotation begins anew with the snapshot as the first frame', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => assert.fail())
  for (let i = 0; i < 100; i++) state.append(1, Buffer.alloc(1000))
  assert.ok(state.rotate(Buffer.from('all of it')))
  assert.ok(state.append(2, Buffer.from('later')))
  assert.equal(state.bytes, statSync(path).size)
  state.close()
  assert.equal(existsSync(path + '.new'), false)
  assert.deepEqual(frames(path).found, [
    [SNAPSHOT, 'all of it'],
    [2, 'later'],
  ])
})

test('a rotation that was killed before its rename leaves the old file', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => assert.fail())
  state.append(1, Buffer.from('old'))
  state.close()
  writeFileSync(path + '.new', 'half a snapsh')
  assert.deepEqual(frames(path).found, [[1, 'old']])
  assert.equal(existsSync(path + '.new'), false)
})

test('a rotation that fails keeps the old file and goes on in it', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => assert.fail())
  state.append(1, Buffer.from('old'))
  mkdirSync(path + '.new')
  assert.equal(state.rotate(Buffer.from('new')), false)
  assert.match(state.trouble ?? '', /EISDIR/)
  assert.ok(state.append(2, Buffer.from('more')))
  cpSync(path, path + '.copy')
  assert.deepEqual(frames(path + '.copy').found, [
    [1, 'old'],
    [2, 'more'],
  ])
  assert.equal(state.trouble, null)
  assert.ok(state.rotate(Buffer.from('later')), 'what was in the way has been removed')
  state.close()
  assert.deepEqual(frames(path).found, [[SNAPSHOT, 'later']])
})

test('cut at every byte: all frames before the cut, none of the rest, and it can go on', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => {})
  const ends: number[] = [0]
  for (let i = 0; i < 6; i++) {
    state.append(i, Buffer.alloc(i * 5, 65 + i))
    ends.push(state.bytes)
  }
  state.close()
  const whole = readFileSync(path)
  for (let length = 0; length <= whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length))
    const expected = ends.filter((end) => end <= length).length - 1
    const { found, tornBytes } = frames(path)
    assert.equal(found.length, expected, `cut at ${length}`)
    assert.equal(tornBytes, length - ends[expected]!)
    assert.equal(statSync(path).size, ends[expected])
    const again = openOpenState(path, () => {})
    assert.ok(again.state.append(99, Buffer.from('on')))
    again.state.close()
    assert.deepEqual(frames(path).found.at(-1), [99, 'on'])
  }
})

test('zeroes behind the end (as a power cut leaves them) are no frames', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => {})
  state.append(1, Buffer.from('x'))
  state.close()
  appendFileSync(path, Buffer.alloc(8192))
  assert.deepEqual(frames(path), { found: [[1, 'x']], tornBytes: 8192 })
})

test('a changed byte ends the replay at its frame; garbage never throws', (t) => {
  const path = place(t)
  const { state } = openOpenState(path, () => {})
  for (let i = 0; i < 5; i++) state.append(i, Buffer.alloc(20, i))
  state.close()
  const whole = readFileSync(path)
  fc.assert(
    fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(whole)
      changed[at] = changed[at]! ^ change
      writeFileSync(path, changed)
      assert.equal(frames(path).found.length, Math.floor(at / 32))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(path, bytes)
      assert.equal(frames(path).tornBytes, bytes.length)
    }),
  )
})

test('a frame of an absurd length is not read into memory', (t) => {
  const path = place(t)
  const head = Buffer.alloc(12)
  head.writeUInt32BE(0xffff_ffff, 0)
  writeFileSync(path, head)
  truncateSync(path, 5 * 1024 ** 3)
  assert.deepEqual(frames(path).found, [])
  assert.equal(statSync(path).size, 0)
})

const KILLS = 12

test('killed at any point, with rotations: what was appended before is there, in order, and nothing doubled', { timeout: 60_000 }, async (t) => {
  const path = place(t)
  const child = `
    import { openOpenState } from ${JSON.stringify(new URL('./open-state.ts', import.meta.url).href)}
    import { writeSync } from 'node:fs'
    let n = 0
    const { state } = openOpenState(${JSON.stringify(path)}, (kind, bytes) => { n = bytes.readUInt32BE(0) + 1 })
    for (;; n++) {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(n)
      if (n % 50 === 0) state.rotate(Buffer.concat([head, Buffer.alloc(300000)]))
      else state.append(1, head, Buffer.alloc(n % 5000, n % 256))
      if (n % 10 === 0) writeSync(1, n + '\\n')
    }`
  let told = 0
  for (let life = 0; life < KILLS; life++) {
    const running = spawn(process.execPath, ['--input-type=module', '-e', child], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    running.stdout.on('data', (data) => (output += data))
    await once(running.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 5 + ((life * 37) % 60)))
    running.kill('SIGKILL')
    await once(running, 'close')
    told = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
    const numbers: number[] = []
    const { state } = openOpenState(path, (kind, bytes) => {
      assert.equal(kind, bytes.length > 300_000 ? SNAPSHOT : 1)
      numbers.push(bytes.readUInt32BE(0))
    })
    state.close()
    for (let at = 1; at < numbers.length; at++) assert.equal(numbers[at], numbers[at - 1]! + 1)
    assert.ok(numbers.at(-1)! >= told, `${numbers.at(-1)} of ${told}`)
  }
  assert.ok(told > 200, String(told))
})
