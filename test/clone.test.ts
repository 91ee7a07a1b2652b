import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { need } from './support/need.ts'
import { root, until } from './support/spoor.ts'
import { tempFolder } from './support/temp.ts'

const clean: Record<string, string> = {
  HOME: process.env['HOME'] ?? '/',
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':'),
}
const quiet = { timeout: 180_000 }

/** What `git clone` would bring: the tracked files and the new ones that are not ignored. */
function clone(folder: string): void {
  const files = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  assert.equal(files.status, 0, files.stderr)
  for (const file of files.stdout.split('\0')) {
    if (file === '' || !existsSync(join(root, file))) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
}

test('in a fresh clone `npm start` is the first command: set-up, then the main job, until npm is stopped', { ...need('git', 'npm'), ...quiet }, async () => {
  const folder = tempFolder('clone')
  clone(folder)
  chmodSync(folder, 0o755)
  const state = join(folder, 'state')
  const child = spawn('npm', ['start', '--', '--state-dir', state], { cwd: folder, env: clean, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString('utf8')))
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  if (need('root', 'ebpf').skip !== false) {
    // Without root or eBPF: one sentence on what cannot be done here and how to get it.
    assert.equal(await ended, 1, output)
    assert.match(output, /^spoor.*root/m)
    return
  }
  const spoor = (...args: string[]) => spawnSync('node', [join(folder, 'scripts/spoor.cjs'), ...args, '--state-dir', state], { encoding: 'utf8', env: clean })
  const status = await until(
    'the observer of the clone',
    () => {
      if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}: ${output}`)
      if (!existsSync(join(folder, 'node_modules/.spoor-installed'))) return null
      const answer = spoor('status', '--json')
      return answer.status === 0 && (JSON.parse(answer.stdout) as { self: { observer: { pid: number } } })
    },
    120_000,
  )
  assert.match(output, /first run: installing/)
  // What stops npm reaches the observer, though npm passes nothing on.
  child.kill('SIGTERM')
  await ended
  await until('the observer to end', () => !existsSync(`/proc/${status.self.observer.pid}`))
  assert.equal(spoor('status', '--json').status, 1)

  // A clone that root installed, run by another account.
  const other = spawnSync('node', [join(folder, 'scripts/spoor.cjs'), 'run', '--state-dir', '/tmp/spoor-nobody'], {
    encoding: 'utf8',
    env: { ...clean, HOME: '/nonexistent' },
    uid: 65534,
    gid: 65534,
    cwd: '/',
  })
  assert.equal(other.status, 1, other.stderr)
  assert.match(other.stderr, /^spoor[^\n]*root[^\n]*\n$/)
})
