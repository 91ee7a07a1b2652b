import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import { type Ancestor, originOf } from './origin.ts'

const chain = (...exes: readonly string[]): readonly Ancestor[] =>
  exes.map((exe, i) => ({ pid: exes.length - i, startTicks: 1, comm: bytesOf(exe.slice(exe.lastIndexOf('/') + 1, 99).slice(0, 15)), exe: bytesOf(exe) }))
const env = (record: Record<string, string>): (readonly [string, Bytes])[] => Object.entries(record).map(([name, value]) => [name, bytesOf(value)] as const)
const origin = (ancestry: readonly Ancestor[], variables: Record<string, string> = {}, tty = 0): string => originOf(ancestry, env(variables), tty).origin

test('who asked: the nearest program that tells', () => {
  assert.equal(origin(chain('/usr/bin/bash', '/usr/libexec/gnome-terminal-server', '/usr/lib/systemd/systemd'), {}, 34816), 'terminal')
  assert.equal(origin(chain('/usr/bin/zsh', '/usr/share/code/code', '/usr/bin/gnome-shell'), {}, 34816), 'ide')
  assert.equal(origin(chain('/usr/bin/bash', '/usr/lib/openssh/sshd-session', '/usr/sbin/sshd', '/usr/lib/systemd/systemd')), 'ssh')
  assert.equal(origin(chain('/usr/bin/bash', '/usr/bin/tmux', '/usr/lib/systemd/systemd'), { SSH_CONNECTION: '1.2.3.4 5 6.7.8.9 22' }), 'terminal')
  assert.equal(origin(chain('/usr/bin/dash', '/usr/sbin/cron', '/usr/lib/systemd/systemd')), 'cron')
  assert.equal(origin(chain('/usr/bin/bash', '/opt/runner/bin/Runner.Worker')), 'ci')
  assert.equal(origin(chain('/usr/bin/bash'), { GITHUB_ACTIONS: 'true' }), 'ci')
  assert.equal(origin(chain('/usr/bin/node', '/usr/lib/systemd/systemd')), 'service')
})

test('where the ancestry is gone, the environment and the terminal say something', () => {
  assert.equal(origin([], { SSH_CONNECTION: 'x' }), 'ssh')
  assert.equal(origin([], { TERM_PROGRAM: 'vscode' }), 'ide')
  assert.equal(origin([], { CI: 'true' }), 'ci')
  assert.equal(origin([], { CI: 'false' }, 34816), 'terminal')
  assert.equal(origin([]), 'unknown')
})

test('the chain is kept for people, and is bounded', () => {
  assert.deepEqual(originOf(chain('/bin/a', '/bin/b'), [], 0).via, ['a', 'b'])
  assert.equal(originOf(chain(...Array.from({ length: 60 }, () => '/bin/a')), [], 0).via.length, 16)
})
