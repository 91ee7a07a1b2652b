import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { bootNow, flock, peerCredentials, wallNow } from './libc.ts'

const libc = JSON.stringify(new URL('./libc.ts', import.meta.url).href)
const run = (code: string, io: 'pipe' | 'inherit' = 'pipe') => spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', io, 'inherit'] })

test('importing it loads nothing native', async () => {
  const child = run(`await import(${libc}); console.log(/koffi/.test(await (await import('node:fs/promises')).readFile('/proc/self/maps', 'utf8')))`)
  const [output] = await once(child.stdout!, 'data')
  assert.equal(String(output).trim(), 'false')
})

test('the clocks are the kernel\u2019s', () => {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  assert.ok(Math.abs(Number(bootNow()) / 1e9 - uptime) < 0.5)
  assert.ok(Math.abs(Number(wallNow() / 1_000_000n) - Date.now()) < 50)
  const earlier = bootNow()
  assert.ok(bootNow() > earlier)
})

test('the peer of a unix socket is known by the kernel, anything else has none', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-libc-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'sock')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const child = run(`import('node:net').then(({ connect }) => connect(${JSON.stringify(path)}).on('connect', () => {}))`)
  t.after(() => child.kill('SIGKILL'))
  const [socket] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }]
  assert.deepEqual(peerCredentials(socket._handle.fd), { pid: child.pid, uid: process.getuid!(), gid: process.getgid!() })
  socket.destroy()
  server.close()

  const tcp = createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as { port: number }
  const client = connect(port, '127.0.0.1') as Socket & { _handle: { fd: number } }
  await once(client, 'connect')
  assert.equal(peerCredentials(client._handle.fd), null)
  client.destroy()
  tcp.close()
  assert.equal(peerCredentials(openSync('/dev/null', 'r')), null)
  for (const bad of [-1, 1.5, Number.NaN, 1_000_000]) assert.equal(peerCredentials(bad), null)
})

test('flock on something that is no file says why', () => {
  assert.deepEqual(flock(1_000_000), { ok: false, busy: false, error: 'EBADF' })
})

test('the death of its parent reaches a process, after it dropped its privileges too', { timeout: 20_000 }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root to drop')
  // As a clone under root's home: the folder is open, what leads to it is not.
  const closed = mkdtempSync(join(tmpdir(), 'spoor-libc-'))
  t.after(() => rmSync(closed, { recursive: true, force: true }))
  const open = join(closed, 'open')
  mkdirSync(open)
  writeFileSync(join(open, 'file'), '')
  const grandchild = `
    import { openSync, readdirSync } from 'node:fs'
    import { dropPrivileges, setParentDeathSignal } from ${libc}
    const fd = openSync(${JSON.stringify(open)}, 'r')
    dropPrivileges(61180, 61180)
    let locked = 'yes'
    try { readdirSync(${JSON.stringify(open)}) } catch { locked = 'no' }
    process.on('SIGTERM', () => { console.log('told'); process.exit(0) })
    const set = setParentDeathSignal(15)
    console.log(JSON.stringify([process.getuid(), process.getgid(), process.getgroups(), set, locked, readdirSync('/proc/self/fd/' + fd)]))
    setInterval(() => {}, 1000)`
  const parent = run(`
    const { spawn } = await import('node:child_process')
    spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(grandchild)}], { stdio: ['ignore', 'inherit', 'inherit'] })
    setInterval(() => {}, 1000)`)
  let output = ''
  parent.stdout!.on('data', (data) => (output += data))
  while (!output.includes('\n')) await once(parent.stdout!, 'data')
  assert.deepEqual(JSON.parse(output.trim()), [61180, 61180, [61180], true, 'no', ['file']])
  parent.kill('SIGKILL')
  while (!output.includes('told')) await once(parent.stdout!, 'data')
})
