import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseAccount } from './account.ts'
import { lookUpCommand } from './lookup.ts'
import { startShim, startTicksOf } from './shim.ts'

const folder = mkdtempSync(join(tmpdir(), 'spoor-shim-'))
after(() => rmSync(folder, { recursive: true }))
const linux = { skip: process.platform === 'linux' ? false : 'needs /proc' }

async function shim(command: readonly string[]) {
  const started = await startShim(command, null)
  if (typeof started === 'string') assert.fail(started)
  return started
}

test('the command begins when the gate opens, not before, with its arguments as they are and without descriptor 3', linux, async () => {
  const out = join(folder, 'out')
  const run = await shim(['sh', '-c', 'printf "%s|" "$@" > "$0"; ls /proc/$$/fd >> "$0"', out, 'a b', "it's", '', '-n', '$HOME'])
  await new Promise((done) => setTimeout(done, 60))
  assert.equal(existsSync(out), false)
  assert.equal(startTicksOf(run.pid), run.startTicks)
  run.open()
  assert.deepEqual(await run.ended, { exitCode: 0, signal: null })
  const [args, ...descriptors] = readFileSync(out, 'utf8').split('\n')
  assert.equal(args, "a b|it's||-n|$HOME|0")
  assert.equal(descriptors.includes('3'), false)
})

test('exit codes and signals are kept', linux, async () => {
  const cases: readonly [string, number][] = [
    ['exit 7', 7],
    ['kill -TERM $$', 143],
    ['kill -SEGV $$', 139],
  ]
  for (const [script, exitCode] of cases) {
    const run = await shim(['sh', '-c', script])
    run.open()
    assert.equal((await run.ended).exitCode, exitCode, script)
  }
})

test('a shim that is abandoned never becomes its command', linux, async () => {
  const out = join(folder, 'abandoned')
  const run = await shim(['touch', out])
  await run.abandon()
  assert.equal(existsSync(out), false)
})

test('if we die before the gate opens, the command never begins', linux, () => {
  const out = join(folder, 'orphan')
  const program = `import { startShim } from ${JSON.stringify(new URL('./shim.ts', import.meta.url).href)}; await startShim(['touch', ${JSON.stringify(out)}], null); process.kill(process.pid, 'SIGKILL')`
  spawnSync(process.execPath, ['--input-type=module', '-e', program])
  spawnSync('sleep', ['0.2'])
  assert.equal(existsSync(out), false)
})

test('the command has the limit of open files that our parent has', linux, () => {
  const program = `import { startShim } from ${JSON.stringify(new URL('./shim.ts', import.meta.url).href)}; const s = await startShim(['sh', '-c', 'ulimit -S -n'], null); s.open(); process.exit((await s.ended).exitCode)`
  const run = spawnSync('sh', ['-c', 'ulimit -S -n 257; "$0" --input-type=module -e "$1"; exit $?', process.execPath, program], { encoding: 'utf8' })
  assert.equal(run.stdout, '257\n', run.stderr)
})

test('a command is looked up as a shell does', () => {
  const file = join(folder, 'plain')
  writeFileSync(file, '')
  chmodSync(file, 0o644)
  assert.deepEqual(lookUpCommand('sh', { PATH: '/nowhere:/bin' }), { ok: true, path: '/bin/sh' })
  assert.deepEqual(lookUpCommand('no-such-command-anywhere', { PATH: '/bin' }), { ok: false, exit: 127, message: 'command not found: no-such-command-anywhere' })
  assert.deepEqual(lookUpCommand('plain', { PATH: folder }), { ok: false, exit: 126, message: `${file} is not executable` })
  assert.deepEqual(lookUpCommand(folder, {}), { ok: false, exit: 126, message: `${folder} is a folder` })
  assert.equal(lookUpCommand('', {}).ok, false)
  assert.equal(lookUpCommand(join(file, 'below'), {}).ok, false)
})

test('accounts are read from passwd lines', () => {
  assert.deepEqual(parseAccount('ada:x:1000:1001:Ada,,,:/home/ada:/bin/bash', 'ada'), { name: 'ada', uid: 1000, gid: 1001, home: '/home/ada', shell: '/bin/bash' })
  assert.equal(parseAccount('ada:x:1000:1001::/home/ada:/bin/bash', 'ad'), null)
  assert.equal(parseAccount('ada:x:-1:1::/:', 'ada'), null)
  assert.equal(parseAccount('', 'ada'), null)
})
