import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { need } from '../support/need.ts'
import { commandLine, sessions } from '../support/spoor.ts'
import { tempFolder } from '../support/temp.ts'

const kernel = need('root', 'ebpf', 'python3')
const here = tempFolder('terminal')

/** A terminal of its own: waits for `expect`, types `keys`, and gives the exit status and all that was printed. */
function onTerminal(args: readonly string[], steps: ReadonlyArray<readonly [expect: string, keys: string]>): { status: number; output: string } {
  const program = `
import json, os, pty, select, sys, time
args, steps = json.loads(sys.argv[1]), json.loads(sys.argv[2])
pid, fd = pty.fork()
if pid == 0: os.execv(args[0], args)
out, end = b'', time.time() + 40
while time.time() < end:
    ready, _, _ = select.select([fd], [], [], 0.1)
    if ready:
        try: part = os.read(fd, 65536)
        except OSError: break
        if not part: break
        out += part
    while steps and steps[0][0].encode() in out:
        time.sleep(0.4); out += b'[typed]'; os.write(fd, steps.pop(0)[1].encode())
else: os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
print(json.dumps({'status': os.waitstatus_to_exitcode(status), 'output': out.decode('utf8', 'replace')}))
`
  const done = spawnSync('python3', ['-c', program, JSON.stringify(args), JSON.stringify(steps)], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(done.status, 0, done.stderr)
  return JSON.parse(done.stdout) as { status: number; output: string }
}

test('a recorded command has the terminal: it is one, and Ctrl-C reaches it, not the recorder', kernel, () => {
  const state = join(here, 'interrupted')
  const script = 'test -t 0 && test -t 1 && echo terminal; trap "echo caught; exit 42" INT; echo up; while :; do sleep 0.1; done'
  const { status, output } = onTerminal(commandLine(['record', '--state-dir', state, '--', '/bin/sh', '-c', script]), [['up', '\u0003']])
  assert.equal(status, 42, output)
  assert.match(output, /terminal/)
  assert.match(output, /caught/)
  assert.equal(sessions(state).find((one) => one.agent.kind === 'record')?.state, 'ended')
})

test('a recorded shell keeps job control', kernel, () => {
  const state = join(here, 'jobs')
  const { status, output } = onTerminal(commandLine(['record', '--state-dir', state, '--', '/bin/bash', '--norc', '--noprofile', '-i']), [
    ['# ', 'sleep 30\n'],
    ['sleep 30', '\u001a'],
    ['Stopped', 'kill %1; echo job-$((40+2))\n'],
    ['job-42', 'exit 6\n'],
  ])
  assert.equal(status, 6, output)
  assert.doesNotMatch(output, /no job control/)
})

test('run on a terminal prints live lines of a session', kernel, () => {
  const state = join(here, 'live')
  const [node, ...rest] = commandLine(['run', '--state-dir', state])
  const record = commandLine(['record', '--state-dir', state, '--name', 'live-one', '--', '/bin/sh', '-c', 'cat /etc/hostname; exit 3']).join("' '")
  const { status, output } = onTerminal(
    ['/bin/sh', '-c', `'${[node, ...rest].join("' '")}' & observer=$!; sleep 2; '${record}' >/dev/null 2>&1; sleep 1.5; kill -INT $observer; wait $observer; echo status $?`],
    [],
  )
  assert.equal(status, 0, output)
  assert.match(output, /status 0/)
  assert.match(output, /live-one/)
  assert.match(output, /cat \/etc\/hostname/)
})
