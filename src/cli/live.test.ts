import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf } from '../model/bytes.ts'
import type { SessionActivity } from '../model/session.ts'
import { file, observed, opened, place, processOf, session, sock } from '../shape/sample.ts'
import { createLive } from './live.ts'

function live(now: () => number = () => 0) {
  const lines: string[] = []
  const { onActivity } = createLive({ write: (line) => lines.push(line), now, width: () => 200, home: '/home/ann', sensitive: ['/srv/keys/**'] })
  return {
    lines,
    say: (activity: SessionActivity) => onActivity(activity, 1_700_000_000_000_000_000n),
    texts: () => lines.map((line) => line.slice('00:00:00  aaaaaaaa  '.length)),
  }
}
const exec = (args: readonly string[]) =>
  observed(
    {
      kind: 'exec',
      parent: { pid: 1, tid: 1, startTicks: 1 },
      comm: bytesOf('x'),
      exe: file('/bin/x'),
      called: bytesOf('/bin/x'),
      args: { head: args.map(bytesOf), total: args.length },
      argsBytes: 1,
      env: [],
      envMissed: false,
      cwd: bytesOf('/home/ann/project'),
      ids: { uid: 0, gid: 0, loginUid: 0, auditSession: 0, tty: 0, pgid: 1, sid: 1 },
      ns: { mnt: 1, pid: 1, net: 1, user: 1 },
      cgroup: 1n,
      noNewPrivs: false,
      seccomp: 0,
    },
    { process: processOf({ images: [{ ...processOf().images[0]!, args: { head: args.map(bytesOf), total: args.length } }] }) },
  )

test('a session begins and ends with who asked and what was done', () => {
  const { say, texts } = live()
  say({ kind: 'session.start', session, process: processOf(), at: session.startedAt })
  say({ kind: 'session.end', session, reason: 'exit', process: processOf(), at: session.startedAt + 27_000_000_000n })
  assert.deepEqual(texts(), ['claude-code 2.1.328 started in ~/project, asked by ann from terminal', 'claude-code ended after 27 s: 3 processes, 6 files changed, 7 connections'])
})

test('a tool call is one line, whatever shells it passes through', () => {
  const { say, texts } = live()
  say(exec(['/bin/bash', '-c', "source /home/ann/.claude/shell-snapshots/snapshot-bash-1-x.sh && eval 'curl http://x' < /dev/null && pwd -P >| /tmp/claude-1-cwd"]))
  say(exec(['curl', 'http://x']))
  assert.deepEqual(texts(), ['$ curl http://x'])
})

test('a secret in a command is not shown', () => {
  const { say, texts } = live()
  say(exec(['curl', '-H', 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789', 'http://x']))
  assert.doesNotMatch(texts().join(), /abcdefghij/)
  assert.match(texts().join(), /^\$ curl -H/)
})

test('changes and secrets are named, ordinary reads, libraries and scratch files are not', () => {
  const { say, texts } = live()
  say(observed(opened('/home/ann/project/src/app.ts')))
  say(observed(opened('/home/ann/project/src/app.ts', { access: 'write' })))
  say(observed(opened('/home/ann/project/src/app.ts', { access: 'write' })))
  say(observed(opened('/home/ann/project/new.ts', { access: 'write', created: true })))
  say(observed(opened('/home/ann/project/new.ts', { access: 'write', result: -13 })))
  say(observed(opened('/home/ann/.aws/credentials')))
  say(observed(opened('/srv/keys/a')))
  say(observed(opened('/home/ann/project/node_modules/x/y.js', { access: 'write' })))
  say(observed(opened('/tmp/scratch', { access: 'write' })))
  say(observed({ kind: 'change', op: 'rename', file: file('/home/ann/project/a.tmp'), target: file('/home/ann/project/a.json'), result: 0 }))
  say(observed({ kind: 'change', op: 'unlink', file: file('/home/ann/project/old.ts'), result: 0 }))
  assert.deepEqual(texts(), ['w src/app.ts', '+ new.ts', 'r /home/ann/.aws/credentials  !cloud', 'r /srv/keys/a  !configured', '+ a.json', '- old.ts'])
})

test('an agent that reads its own settings is no news', () => {
  const { say, texts } = live()
  say(observed(opened('/home/ann/.claude/settings.json'), { place: { ...place, role: 'agent' } }))
  say(observed(opened('/home/ann/.claude/settings.json')))
  assert.deepEqual(texts(), ['r /home/ann/.claude/settings.json  !agent_config'])
})

test('sockets are named once, failures with their error', () => {
  const { say, texts } = live()
  say(observed({ kind: 'connect', sock, result: -115 }))
  say(observed({ kind: 'connect', sock, result: 0 }))
  say(observed({ kind: 'connect', sock, result: -111 }))
  say(observed({ kind: 'listen', sock: { ...sock, local: { address: '::1', port: 8080 } }, result: 0 }))
  assert.deepEqual(texts(), ['-> 66.35.250.204:80', '-> 66.35.250.204:80  ECONNREFUSED', 'listens on [::1]:8080'])
})

test('what a program puts into names does not reach the terminal raw', () => {
  const { say, lines } = live()
  say(observed(opened('/home/ann/project/a\x1b]0;x\x07', { access: 'write' })))
  say(exec(['bash', '-c', 'echo \x1b[2J']))
  say(observed(opened('/home/ann/project/\xff', { access: 'write' })))
  for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f]/)
  assert.equal(lines.length, 3)
})

test('a flood is bounded, and counted', () => {
  let ms = 0
  const { say, lines } = live(() => ms)
  for (let i = 0; i < 100; i++) say(observed(opened(`/home/ann/project/f${i}`, { access: 'write' })))
  assert.equal(lines.length, 30)
  ms = 1000
  say(observed(opened('/home/ann/project/last', { access: 'write' })))
  assert.deepEqual(
    lines.slice(30).map((line) => line.trim().replace(/^[\d:]+ +aaaaaaaa +/, '')),
    ['... and 70 more lines (spoor events has them)', 'w last'],
  )
})
