import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAccounts, SPOOR_ID, spoorAccount } from './accounts.ts'
import { bootId, hostFacts, hostId, machineId, parseId, parseOsRelease } from './machine.ts'

test('the machine id is taken as it is; without one, a random id is kept', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-machine-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'id')
  writeFileSync(file, '000102030405060708090a0b0c0d0e0f\n')
  const found = machineId(dir, [join(dir, 'nowhere'), file])
  assert.deepEqual([Buffer.from(found.id).toString('hex'), found.source], ['000102030405060708090a0b0c0d0e0f', 'machine-id'])
  for (const useless of ['', 'uninitialized\n', '0'.repeat(32), 'x'.repeat(32)]) {
    writeFileSync(file, useless)
    const random = machineId(dir, [file])
    assert.equal(random.source, 'random')
    assert.equal(random.id.length, 16)
    assert.deepEqual(machineId(dir, [file]), random, 'the same at the next start')
  }
  assert.equal(statSync(join(dir, 'machine-id')).size, 33)
})

test('ids are 16 bytes, dashes or not', () => {
  assert.deepEqual(parseId('F0E0D0C0-b0a0-9080-7060-504030201000\n'), Buffer.from('f0e0d0c0b0a090807060504030201000', 'hex'))
  assert.equal(parseId('f0e0'), null)
  assert.equal(Buffer.from(bootId()).toString('hex'), readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().replaceAll('-', ''))
})

test('the exported host id can be hashed; it then tells nothing of the real one', () => {
  const id = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  assert.equal(hostId(id), '000102030405060708090a0b0c0d0e0f')
  assert.equal(hostId(id, 'hashed'), '43cd228ea6758549d465d687b880a42a')
})

test('host facts by their OpenTelemetry names', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-machine-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'os'), `# c\nNAME="Debian GNU/Linux"\nVERSION_ID='12'\nPRETTY_NAME=Debian\nBAD LINE\n__proto__=x\nX="a\n`)
  const facts = hostFacts(Buffer.alloc(16, 1), 'plain', join(dir, 'os'))
  assert.deepEqual(
    [facts['host.id'], facts['os.type'], facts['os.name'], facts['os.version'], facts['os.description']],
    ['01'.repeat(16), 'linux', 'Debian GNU/Linux', '12', 'Debian'],
  )
  assert.match(facts['host.arch']!, /^(amd64|arm64|arm32|x86|[a-z0-9]+)$/)
  assert.deepEqual(Object.keys(parseOsRelease('A=1\nB="x y"\nC=\nd=2\n')), ['A', 'B', 'C'])
  assert.equal(hostFacts(Buffer.alloc(16, 1), 'plain', join(dir, 'none'))['os.name'], undefined)
})

test('accounts are those of passwd, read again when it changes', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spoor-machine-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'passwd')
  writeFileSync(path, 'root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:\nnonsense\n:x:5:5::/:\nbad:x:-1:0::/:\n\n')
  const accounts = createAccounts(path)
  assert.deepEqual(accounts.byUid(0), { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/bash' })
  assert.equal(accounts.byName('toor')?.uid, 0)
  assert.equal(accounts.byUid(5), null)
  assert.equal(accounts.byName('bad'), null)
  assert.deepEqual(spoorAccount(accounts), { uid: SPOOR_ID, gid: SPOOR_ID })
  writeFileSync(path, 'spoor:x:990:991::/:/bin/false\n')
  assert.deepEqual(spoorAccount(accounts), { name: 'spoor', uid: 990, gid: 991, home: '/', shell: '/bin/false' })
  assert.equal(accounts.byUid(0), null)
  rmSync(path)
  assert.equal(accounts.byName('spoor')?.uid, 990, 'what was known stays')
  assert.equal(createAccounts(path).byUid(0), null)
})
