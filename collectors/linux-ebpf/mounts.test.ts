import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { linuxEbpf } from './index.ts'
import { BPFFS, isBpffs, isTracefs, TRACEFS } from './mounts.ts'

/** A mount namespace of one's own, so that the machine's mounts stay as they are. */
const privately = (script: string, args: readonly string[]): string => execFileSync('unshare', ['-m', 'sh', '-ec', script, 'sh', ...args], { encoding: 'utf8' })

const skip = (() => {
  const probed = linuxEbpf.probe()
  if (!probed.ok) return `${probed.unavailable}: ${probed.why}`
  try {
    privately('true', [])
    return false
  } catch {
    return 'unshare(1) cannot make a mount namespace here'
  }
})()

const START = `
  import { linuxEbpf } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
  const probed = linuxEbpf.probe()
  const running = await linuxEbpf.start({ candidates: [], environment: [], ringBytes: 65536, pinName: 'test-mounts', self: [] }, { batch() {} })
  console.log(JSON.stringify({ probed, ...running.describe() }))
  await running.stop()`

test('start mounts tracefs and bpffs where they are not, as the probe announced', { skip }, () => {
  const output = privately(`umount -a -t tracefs,bpf,debugfs; "$1" --input-type=module -e "$2"; grep -E ' (tracefs|bpf) ' /proc/self/mounts`, [process.execPath, START])
  const [line = '', ...mounts] = output.trim().split('\n')
  const result = JSON.parse(line) as { probed: { notes: string[] }; hooks: string[]; pinned: string | null }
  assert.equal(result.probed.notes.length, 2)
  assert.ok(result.hooks.length > 0)
  assert.equal(result.pinned, `${BPFFS}/spoor-test-mounts`)
  assert.ok(mounts.some((mount) => mount.includes(` ${TRACEFS} tracefs `) && mount.includes('nosuid,nodev,noexec')))
  assert.ok(mounts.some((mount) => mount.includes(` ${BPFFS} bpf `) && mount.includes('mode=700')))
})

test('where bpffs cannot be mounted the sensor runs, and says that it does not pin', { skip }, () => {
  const output = privately(`mount -t tmpfs none /sys/fs; "$1" --input-type=module -e "$2"`, [process.execPath, START])
  const result = JSON.parse(output.trim()) as { hooks: string[]; missing: string[]; pinned: string | null }
  assert.ok(result.hooks.length > 0)
  assert.equal(result.pinned, null)
  assert.ok(result.missing.some((line) => line.startsWith('pins, ') && line.includes(BPFFS)))
})

test('a folder is what its file system says it is', () => {
  assert.equal(isTracefs('/'), false)
  assert.equal(isBpffs('/nowhere'), false)
})
