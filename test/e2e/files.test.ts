import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { need } from '../support/need.ts'
import { type Event, events, list, type Observer, sessions, spoor, startRun, until } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'
import { compileWork } from '../support/work.ts'

const kernel = need('root', 'ebpf', 'compiler', 'python3')
const here = tempFolder('files')
const state = join(here, 'state')
let agent = ''
let observer: Observer
const known = new Set<string>()

before(async () => {
  if (kernel.skip !== false) return
  agent = compileWork(here, 'stub-agent')
  observer = await startRun(state, { config: `volume: full\nagents:\n  - name: stub\n    exe: "${agent}"\n` })
})
after(async () => {
  if (kernel.skip === false) await observer?.stop()
})

/** A Python program below the stub agent: `measure` waits for it. */
async function python(program: string): Promise<Event[]> {
  const done = spawnSync(agent, ['measure', 'python3', '-S', '-E', '-c', program], { encoding: 'utf8' })
  assert.match(done.stderr, /"code":0/, done.stderr)
  return ended()
}
async function ended(): Promise<Event[]> {
  const session = await until('the session to end', () => sessions(state).find((one) => one.agent.name === 'stub' && one.state === 'ended' && !known.has(one.id)))
  known.add(session.id)
  return events(state, '--session', session.id)
}
const changes = (entries: readonly Event[]): string[] =>
  entries
    .filter((event) => event.eventName === 'spoor.file.change')
    .map((event) =>
      [event.attributes['spoor.file.operation'], event.attributes['file.path'], event.attributes['spoor.file.target_path']].filter((part) => part !== undefined).join(' '),
    )
    .filter((line) => line.includes(here))

test('every kind of change, with its kernel path', kernel, async () => {
  const f = join(here, 'changes')
  mkdirSync(f)
  const entries = await python(`
import os
os.chdir(${JSON.stringify(f)})
os.mkdir('sub'); open('a','w').close(); os.rename('a','sub/b'); os.link('sub/b','hard'); os.symlink('sub/b','soft')
os.chmod('hard',0o600); os.chown('hard',0,0); os.truncate('hard',0); os.unlink('soft'); os.unlink('hard'); os.unlink('sub/../sub/b'); os.rmdir('sub')
try: os.unlink('missing')
except OSError: pass
`)
  const lines = changes(entries)
  for (const expected of [
    `mkdir ${f}/sub`,
    `rename ${f}/a ${f}/sub/b`,
    `chmod ${f}/hard`,
    `chown ${f}/hard`,
    `truncate ${f}/hard`,
    `unlink ${f}/soft`,
    `unlink ${f}/hard`,
    `unlink ${f}/sub/b`,
    `rmdir ${f}/sub`,
  ]) {
    assert.ok(lines.includes(expected), `${expected} in\n${lines.join('\n')}`)
  }
  assert.ok(
    lines.some((line) => line.startsWith('link ') && line.includes(`${f}/hard`)),
    lines.join('\n'),
  )
  assert.ok(
    lines.some((line) => line.startsWith('symlink ') && line.includes(`${f}/soft`)),
    lines.join('\n'),
  )
  const failed = entries.find((event) => event.eventName === 'spoor.file.change' && event.attributes['file.path'] === `${f}/missing`)
  assert.equal(failed?.attributes['error.type'], 'ENOENT')
})

test('control characters and invalid UTF-8 in a path: bytes kept, never raw on a terminal', kernel, async () => {
  const f = join(here, 'odd')
  mkdirSync(f)
  const entries = await python(`
import os
os.chdir(${JSON.stringify(f)})
for name in (b'esc\\x1b[31mred', b'bad\\xff\\xfeutf', b'new\\nline', 'bidi\\u202e.txt'.encode()):
    os.close(os.open(name, os.O_CREAT|os.O_WRONLY))
`)
  const opens = entries.filter((event) => event.eventName === 'spoor.file.open' && String(event.attributes['file.path']).startsWith(`${f}/`))
  const paths = opens.map((event) => String(event.attributes['file.path']).slice(f.length + 1))
  assert.deepEqual(paths, ['esc\u001b[31mred', 'bad\ufffd\ufffdutf', 'new\nline', 'bidi\u202e.txt'])
  assert.ok(
    Object.keys(opens[1]!.attributes).some((name) => name.startsWith('spoor.raw.')),
    'the true bytes of an invalid name',
  )
  for (const args of [['show', opens[0]!.sessionId!], ['events']]) {
    const printed = spoor([...args, '--state-dir', state])
    assert.equal(printed.code, 0, printed.stderr)
    assert.doesNotMatch(printed.stdout.replaceAll(/\u001b\[[0-9;]*m(?=[^\u001b]*\u001b\[0m)/g, ''), /[\u0000-\u0008\u000b-\u001f\u007f\u202e]/)
  }
})

test('40 levels deep: the whole path', kernel, async () => {
  const f = join(here, 'deep')
  mkdirSync(f)
  spawnSync(agent, ['deep', f, '40'])
  const entries = await ended()
  const levels = Array.from({ length: 40 }, (_, i) => `level-${String(i).padStart(2, '0')}-of-a-rather-long-folder-name`)
  const expected = [f, ...levels, 'deepest'].join('/')
  assert.ok(
    entries.some((event) => event.eventName === 'spoor.file.open' && event.attributes['file.path'] === expected),
    `${expected.length} bytes of path`,
  )
})

test('a file deleted while open is named and marked', kernel, async () => {
  const file = join(here, 'going')
  spawnSync(agent, ['deleted', file])
  const entries = await ended()
  const opens = entries.filter((event) => event.eventName === 'spoor.file.open' && event.attributes['file.path'] === file)
  assert.equal(opens.length, 2, 'the creation, and the opening through /proc after its unlink')
  assert.ok(changes(entries).includes(`unlink ${file}`))
})

test('a failed open is there with its error', kernel, async () => {
  const entries = await python(`
try: open(${JSON.stringify(join(here, 'not-there'))})
except OSError: pass
`)
  const failed = entries.filter((event) => JSON.stringify(event.attributes).includes('not-there') && event.eventName.startsWith('spoor.file.'))
  assert.equal(failed.length, 1)
  assert.match(JSON.stringify(failed[0]!.attributes), /ENOENT/)
})

test('IPv4 and IPv6 connections: both ends, bytes both ways, refusals', kernel, async () => {
  const entries = await python(`
import socket
for family, address in ((socket.AF_INET,'127.0.0.1'),(socket.AF_INET6,'::1')):
    s = socket.socket(family); s.bind((address,0)); s.listen(1)
    c = socket.socket(family); c.connect(s.getsockname()[:2]); a,_ = s.accept()
    c.sendall(b'x'*1000); a.recv(1000); a.sendall(b'y'*300); c.recv(300)
    c.close(); a.close(); s.close()
r = socket.socket(); 
try: r.connect(('127.0.0.1', 1))
except OSError: pass
`)
  const of = (name: string): Event[] => entries.filter((event) => event.eventName === `spoor.network.${name}`)
  assert.equal(of('listen').length, 2)
  assert.equal(of('accept').length, 2)
  assert.equal(of('connect').length, 3)
  assert.match(JSON.stringify(of('connect')[2]!.attributes), /ECONNREFUSED/)
  assert.deepEqual(
    of('connect')
      .slice(0, 2)
      .map((event) => event.attributes['network.peer.address']),
    ['127.0.0.1', '::1'],
  )
  const bytes = of('end').map((event) => JSON.stringify(event.attributes))
  assert.equal(bytes.filter((line) => /\b1000\b/.test(line) && /\b300\b/.test(line)).length, 4, bytes.join('\n'))
  const ids = new Set(of('connect').map((event) => event.attributes['spoor.connection.id']))
  assert.equal(ids.size, 3)
  assert.ok(list(of('connect')[0]!, 'network.type') !== undefined)
})
