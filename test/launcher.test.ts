import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { need, onPath } from './support/need.ts'
import { root } from './support/spoor.ts'
import { tempFolder } from './support/temp.ts'

type Lock = { packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string; link?: boolean; version?: string }> }
const lock: Lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const launch = (args: readonly string[], extra: Record<string, string> = {}, node = process.execPath) =>
  spawnSync(node, [join(root, 'scripts/launch.cjs'), ...args], { encoding: 'utf8', env: { ...process.env, ...extra } })

test('the lock file holds no download address', () => {
  const addresses = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined && entry.link !== true && /^(https?|git)/.test(entry.resolved))
  assert.deepEqual(addresses, [])
})

test('every optional dependency has a lock entry of that version', () => {
  // npm leaves a platform package that does not exist out of the lock without a word, and `npm ci` then fails on every machine.
  const missing: string[] = []
  for (const [folder, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const found = lock.packages[`${folder}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]
      if (found === undefined) missing.push(`${folder || '.'} -> ${name}@${range}`)
      else if (/^\d/.test(range) && found.version !== range) missing.push(`${folder || '.'} -> ${name}@${range}, locked ${found.version}`)
    }
  }
  assert.deepEqual(missing, [])
})

test('the launcher becomes the bundled Node, passes arguments and the exit status on', () => {
  const done = launch(['-e', 'console.log(process.versions.node, process.argv[1], process.ppid); process.exit(7)', 'a b'])
  assert.equal(done.status, 7)
  assert.equal(done.stderr, '')
  const [version, argument, parent] = [...done.stdout.trim().matchAll(/^(\S+) (.*) (\d+)$/g)][0]!.slice(1)
  assert.equal(version, process.versions.node)
  assert.equal(argument, 'a b')
  if (process.platform !== 'win32') assert.equal(Number(parent), process.pid, 'no launcher process stays between')
})

test('from an older Node too, no second process stays behind', { skip: olderNode() === null && 'no Node below 22.15 on PATH' }, () => {
  const done = launch(['-e', 'console.log(process.versions.node, process.ppid)'], {}, olderNode()!)
  assert.equal(done.stdout, `${process.versions.node} ${process.pid}\n`)
})

test('a signal ends the program with that signal', () => {
  const done = launch(['-e', 'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)'])
  assert.equal(done.signal, 'SIGTERM')
})

test('without the bundled Node, one older than 24 is refused in one sentence', () => {
  const folder = tempFolder('old-node')
  mkdirSync(join(folder, 'scripts'))
  cpSync(join(root, 'scripts/launch.cjs'), join(folder, 'scripts/launch.cjs'))
  cpSync(join(root, 'scripts/spoor.cjs'), join(folder, 'scripts/spoor.cjs'))
  writeFileSync(
    join(folder, 'old.cjs'),
    "Object.defineProperty(process, 'versions', { value: { node: '18.20.0' } }); Object.defineProperty(process, 'version', { value: 'v18.20.0' })",
  )
  const done = spawnSync(process.execPath, ['--require', join(folder, 'old.cjs'), join(folder, 'scripts/spoor.cjs'), 'status'], { encoding: 'utf8' })
  assert.equal(done.status, 1)
  assert.match(done.stderr, /^spoor: needs Node 24 or newer, this is v18\.20\.0[^\n]*\n$/)
})

test('a failing npm ci is reported and nothing is marked as installed', () => {
  const folder = tempFolder('no-npm')
  mkdirSync(join(folder, 'scripts'))
  cpSync(join(root, 'scripts/launch.cjs'), join(folder, 'scripts/launch.cjs'))
  writeFileSync(join(folder, 'package-lock.json'), '{}')
  const done = spawnSync(process.execPath, [join(folder, 'scripts/launch.cjs'), '-e', '0'], { encoding: 'utf8', env: { PATH: '/nonexistent', HOME: folder } })
  assert.equal(done.status, 1)
  assert.match(done.stderr, /npm ci failed .* then run the same command again/)
  assert.equal(existsSync(join(folder, 'node_modules/.spoor-installed')), false)
  assert.equal(existsSync(join(folder, '.spoor-installing')), false)
})

test('a second first start waits for the first, and takes over from one that died', () => {
  const folder = tempFolder('lock')
  mkdirSync(join(folder, 'scripts'))
  mkdirSync(join(folder, 'bin'))
  cpSync(join(root, 'scripts/launch.cjs'), join(folder, 'scripts/launch.cjs'))
  writeFileSync(join(folder, 'package-lock.json'), '{}')
  writeFileSync(join(folder, 'bin/npm'), '#!/bin/sh\necho installing >> "$PWD/calls"\nmkdir -p node_modules\nsleep 1\n', { mode: 0o755 })
  symlinkSync(process.execPath, join(folder, 'bin/node'))
  writeFileSync(join(folder, '.spoor-installing'), '4194999') // beyond pid_max's default: a process that is gone
  const both = spawnSync('/bin/sh', ['-c', 'node scripts/launch.cjs -p 1 & node scripts/launch.cjs -p 2 & wait'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder },
  })
  assert.deepEqual(both.stdout.trim().split('\n').sort(), ['1', '2'], both.stderr)
  assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), 'installing\n')
})

test('a long-running command gets its memory flags, a reader does not', () => {
  const flagsOf = (command: string): string => {
    const folder = tempFolder(`flags-${command}`)
    mkdirSync(join(folder, 'scripts'))
    mkdirSync(join(folder, 'dist'))
    for (const file of ['launch.cjs', 'spoor.cjs']) cpSync(join(root, 'scripts', file), join(folder, 'scripts', file))
    writeFileSync(join(folder, 'dist/spoor.mjs'), 'console.log(JSON.stringify([process.execArgv, process.argv.slice(2)]))')
    return spawnSync(process.execPath, [join(folder, 'scripts/spoor.cjs'), command, '--x'], { encoding: 'utf8' }).stdout.trim()
  }
  assert.equal(flagsOf('run'), '[["--max-semi-space-size=4","--max-old-space-size=64","--memory-saver-mode","--disable-sigusr1"],["run","--x"]]')
  assert.equal(flagsOf('show'), '[[],["show","--x"]]')
})

test('the packed tarball installs and runs', { ...need('npm'), timeout: 180_000 }, () => {
  const folder = tempFolder('tarball')
  // In a copy: `npm pack` runs prepack, which writes dist/, and other tests use this tree meanwhile.
  const copy = join(folder, 'copy')
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'scripts', 'src', 'collectors', 'tools', 'LICENSE', 'README.md', 'tsconfig.json']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const packed = spawnSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: copy, encoding: 'utf8' })
  assert.equal(packed.status, 0, packed.stderr)
  const [{ filename, files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('['))) as [{ filename: string; files: { path: string }[] }]
  const names = files.map((file) => file.path)
  assert.deepEqual(
    names.filter((name) => name.endsWith('.ts')),
    [],
    'no TypeScript in the package: Node strips none under node_modules',
  )
  assert.ok(names.includes('dist/spoor.bpf.o'), names.join(' '))
  const home = join(folder, 'installed')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{"private":true}')
  const installed = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--omit=dev', join(folder, filename)], { cwd: home, encoding: 'utf8' })
  assert.equal(installed.status, 0, installed.stderr)
  assert.equal(existsSync(join(home, 'node_modules/typescript')), false, 'no development dependency comes along')
  const run = (...args: string[]) => spawnSync(process.execPath, [join(home, 'node_modules/.bin/spoor'), ...args], { encoding: 'utf8', cwd: home })
  const help = run('--help')
  assert.equal(help.status, 0, help.stderr)
  assert.match(help.stdout, /record/)
  assert.equal(run('--version').stdout.trim().split(' ').at(-1), JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
  const status = run('status', '--json', '--state-dir', join(home, 'state'))
  assert.equal(status.status, 1, status.stderr)
  assert.equal(JSON.parse(status.stdout).state, 'disabled')
  if (need('ebpf').skip === false) {
    const recorded = run('record', '--state-dir', join(home, 'state'), '--', '/bin/sh', '-c', 'exit 5')
    assert.equal(recorded.status, 5, recorded.stderr)
    const sessions = JSON.parse(run('sessions', '--json', '--state-dir', join(home, 'state')).stdout)
    assert.equal(sessions.sessions.filter((session: { agent: { kind: string } }) => session.agent.kind === 'record').length, 1)
  }
})

/** A Node on PATH that has no process.execve of its own (Debian's). */
function olderNode(): string | null {
  const path = (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':')
  const saved = process.env['PATH']
  process.env['PATH'] = path
  try {
    const node = onPath('node')
    if (node === null) return null
    const version = spawnSync(node, ['-p', 'typeof process.execve'], { encoding: 'utf8' }).stdout.trim()
    return version === 'undefined' ? node : null
  } finally {
    process.env['PATH'] = saved
  }
}
