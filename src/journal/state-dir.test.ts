import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { lockStateDir, prepareStateDir } from './state-dir.ts'

const uid = process.getuid?.() ?? 0
const spoor = { uid: 61_180, gid: 61_180 }
const needsRoot = uid === 0 ? false : 'needs root: it gives folders to other accounts'

function parent(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-dir-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function prepared(path: string, as = uid): ReturnType<typeof prepareStateDir> & { ok: true } {
  const result = prepareStateDir({ path, spoor, uid: as })
  assert.ok(result.ok, result.ok ? '' : result.message)
  return result
}

function refused(path: string, says: RegExp, as = uid): void {
  const result = prepareStateDir({ path, spoor, uid: as })
  assert.ok(!result.ok)
  assert.match(result.message, says)
  assert.ok(result.message.startsWith(`The state directory ${path} `), result.message)
}

const mode = (path: string): string => {
  const found = statSync(path)
  return `${(found.mode & 0o777).toString(8)} ${found.uid}:${found.gid}`
}

test('as root: owners and modes as the schema has them, whatever the umask', { skip: needsRoot }, (t) => {
  const before = process.umask(0o077)
  t.after(() => process.umask(before))
  const path = join(parent(t), 'a', 'spoor')
  const { dir } = prepared(path)
  assert.deepEqual([dir.path, dir.journal, dir.keys, dir.ship, dir.index, dir.claims, dir.run].map(mode), [
    '751 0:61180',
    '750 0:61180',
    '700 0:61180',
    '700 61180:61180',
    '750 61180:61180',
    '750 0:61180',
    '755 0:61180',
  ])
  assert.equal(readFileSync(join(path, 'VERSION'), 'utf8'), '1\n')
  chmodSync(dir.keys, 0o777)
  prepared(path)
  assert.equal(mode(dir.keys), '700 0:61180')
})

test('as one user: 0700 throughout', { skip: needsRoot }, (t) => {
  const path = parent(t)
  const child = `
    import { prepareStateDir } from ${JSON.stringify(new URL('./state-dir.ts', import.meta.url).href)}
    process.setgid(4321); process.setuid(1234)
    console.log(JSON.stringify(prepareStateDir({ path: ${JSON.stringify(join(path, 'mine'))}, spoor: { uid: 61180, gid: 61180 } })))
    console.log(JSON.stringify(prepareStateDir({ path: '/proc/spoor', spoor: { uid: 61180, gid: 61180 } })))
    console.log(JSON.stringify(prepareStateDir({ path: '/root-of-nobody/spoor', spoor: { uid: 61180, gid: 61180 } })))`
  chmodSync(path, 0o777)
  const running = spawn(process.execPath, ['--input-type=module', '-e', child], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  running.stdout.on('data', (data) => (output += data))
  return once(running, 'close').then(() => {
    const [mine, proc, denied] = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(mine.ok, true, mine.message)
    assert.deepEqual([join(path, 'mine'), mine.dir.ship, mine.dir.run].map(mode), Array(3).fill('700 1234:4321'))
    assert.match(proc.message, /cannot be used/)
    assert.match(denied.message, /cannot be used \(permission denied\): make it writable, or name another one with --state-dir\.$/)
    // root does not trust what that user can write.
    refused(join(path, 'mine'), /belongs to uid 1234, not to uid 0: name another one/)
  })
})

test('a start that was killed half way is completed by the next', (t) => {
  const path = join(parent(t), 'spoor')
  const { dir } = prepared(path)
  rmSync(join(path, 'VERSION'))
  rmdirSync(dir.claims)
  prepared(path)
  assert.ok(existsSync(dir.claims) && existsSync(join(path, 'VERSION')))
})

test('what is not ours is refused in a sentence, and left as it was', (t) => {
  const base = parent(t)
  const mine = join(base, 'documents')
  mkdirSync(mine)
  writeFileSync(join(mine, 'thesis.txt'), 'x')
  chmodSync(mine, 0o755)
  refused(mine, /is not empty and no Spoor made it \(it has no VERSION file\): name an empty or new one with --state-dir\.$/)
  assert.equal(statSync(mine).mode & 0o777, 0o755)
  assert.ok(!existsSync(join(mine, 'journal')))

  const file = join(base, 'file')
  writeFileSync(file, '')
  refused(file, /is not a directory: name another one/)
  refused(join(file, 'below'), /cannot be used \(a part of its path is no directory|a file of that name/)
  symlinkSync(mine, join(base, 'link'))
  refused(join(base, 'link'), /is not empty and no Spoor made it/)
  mkdirSync(join(base, 'disk'))
  symlinkSync(join(base, 'disk'), join(base, 'our-link'))
  prepared(join(base, 'our-link'))
  symlinkSync(join(base, 'nowhere'), join(base, 'dangling'))
  refused(join(base, 'dangling'), /cannot be used/)
  refused(join(base, 'x'.repeat(300)), /its path is too long/)
})

test('a VERSION that is none, or a later one', (t) => {
  const path = join(parent(t), 'spoor')
  prepared(path)
  writeFileSync(join(path, 'VERSION'), '2\n')
  refused(path, /was made by a later Spoor \(layout 2, this one knows 1\): install that version/)
  for (const garbage of ['', 'one', '1\n1\n', '\0'.repeat(100), 'x'.repeat(100_000)]) {
    writeFileSync(join(path, 'VERSION'), garbage)
    refused(path, /has a VERSION file that is no number/)
  }
})

test('a folder inside that leads elsewhere, or belongs to another user, is refused', (t) => {
  const path = join(parent(t), 'spoor')
  const { dir } = prepared(path)
  rmdirSync(dir.keys)
  symlinkSync('/etc', dir.keys)
  refused(path, /cannot be used: .*keys is a symbolic link/)
  rmSync(dir.keys)
  if (uid === 0) {
    mkdirSync(dir.keys)
    chownSync(dir.keys, 1234, 1234)
    refused(path, /keys belongs to uid 1234, not to uid 0/)
  }
})

test('a second observer is refused, by name; the lock ends with its holder, however that ends', async (t) => {
  const path = join(parent(t), 'spoor')
  prepared(path)
  const child = `
    import { lockStateDir } from ${JSON.stringify(new URL('./state-dir.ts', import.meta.url).href)}
    console.log(JSON.stringify(lockStateDir(${JSON.stringify(path)}).ok))
    setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', child], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => holder.kill('SIGKILL'))
  const [line] = await once(holder.stdout, 'data')
  assert.equal(String(line).trim(), 'true')
  const second = lockStateDir(path)
  assert.ok(!second.ok)
  assert.equal(second.message, `Another observer (pid ${holder.pid}) runs on ${path}: stop it, or name another directory with --state-dir.`)
  holder.kill('SIGKILL')
  await once(holder, 'close')
  const third = lockStateDir(path)
  assert.ok(third.ok)
  assert.equal(readFileSync(join(path, 'lock'), 'latin1'), `${process.pid}\n`)
  assert.ok(!lockStateDir(path).ok, 'nor twice in one process')
  third.unlock()
  const fourth = lockStateDir(path)
  assert.ok(fourth.ok)
  fourth.unlock()
})
