import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCounters } from './counters.ts'
import type { Libbpf } from './libbpf.ts'
import { kindOf } from './misses.ts'
import { fillCandidates, fillEnvironment, stillRecording, writeControl } from './tables.ts'

/** Hash maps of the kernel, by descriptor, with room for `room` keys each. */
function kernel(room = 100) {
  const maps = new Map<number, Map<string, Uint8Array>>()
  const map = (fd: number) => maps.get(fd) ?? maps.set(fd, new Map()).get(fd)!
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength)
  const lib = {
    update(fd: number, key: ArrayBufferView, value: ArrayBufferView) {
      const name = bytes(key).toString('latin1')
      if (!map(fd).has(name) && map(fd).size >= room) return -7
      map(fd).set(name, Uint8Array.from(bytes(value)))
      return 0
    },
    lookup(fd: number, key: ArrayBufferView, value: ArrayBufferView) {
      const found = map(fd).get(bytes(key).toString('latin1'))
      if (found === undefined) return -2
      bytes(value).set(found)
      return 0
    },
    remove: (fd: number, key: ArrayBufferView) => (map(fd).delete(bytes(key).toString('latin1')) ? 0 : -2),
    nextKey(fd: number, key: ArrayBufferView | null, next: ArrayBufferView) {
      const keys = [...map(fd).keys()]
      const at = key === null ? 0 : keys.indexOf(bytes(key).toString('latin1')) + 1
      if (at >= keys.length) return -2
      bytes(next).set(Buffer.from(keys[at]!, 'latin1'))
      return 0
    },
    possibleCpus: () => 4,
  }
  return { lib: lib as unknown as Libbpf, keys: (fd: number) => [...map(fd).keys()].sort(), map }
}

test('candidates are NUL-padded, cut at 15 bytes, and replace those of an earlier start', () => {
  const { lib, keys } = kernel()
  assert.deepEqual(fillCandidates(lib, 1, ['node', 'a-name-of-twenty-two-b']), [])
  assert.deepEqual(keys(1), ['a-name-of-twent\0', `node${'\0'.repeat(12)}`])
  assert.deepEqual(fillCandidates(lib, 1, ['node', 'bun']), [])
  assert.deepEqual(keys(1), [`bun${'\0'.repeat(13)}`, `node${'\0'.repeat(12)}`])
})

test('a variable is read under its whole name only; prefixes go along', () => {
  const { lib, keys } = kernel()
  const long = 'A_NAME_OF_MORE_THAN_THIRTY_ONE_BYTES'
  assert.deepEqual(fillEnvironment(lib, 1, 2, ['CI', 'CLAUDECODE', 'CLAUDECODE_TOKEN', long]), [long])
  assert.deepEqual(
    keys(1).map((key) => [key.length, key.replaceAll('\0', '')]),
    [
      [32, 'CI'],
      [32, 'CLAUDECODE'],
      [32, 'CLAUDECODE_TOKEN'],
    ],
  )
  assert.deepEqual(keys(2), [`CI${'\0'.repeat(6)}`, 'CLAUDECO'])
})

test('names without room are returned', () => {
  assert.deepEqual(fillCandidates(kernel(2).lib, 1, ['a', 'b', 'c']), ['c'])
})

test('the sign of life decides whether pinned programs have gone on', () => {
  const { lib } = kernel()
  assert.equal(stillRecording(lib, 1, 1n), false)
  writeControl(lib, 1, 1_000_000_000n, 3)
  assert.equal(stillRecording(lib, 1, 600_999_999_999n), true)
  assert.equal(stillRecording(lib, 1, 601_000_000_001n), false)
  writeControl(lib, 1, 0n, 0)
  assert.equal(stillRecording(lib, 1, 10n ** 18n), true)
})

test('counters are summed over CPUs; what the kernel skipped stands on both sides of the equation', () => {
  const { lib, map } = kernel(1000)
  const set = (kind: number, term: number, perCpu: bigint[]) =>
    map(1).set(Buffer.from(Uint32Array.of(kind * 16 + term).buffer).toString('latin1'), new Uint8Array(BigUint64Array.from(perCpu).buffer))
  set(4, 0, [10n, 20n, 0n, 0n])
  set(4, 1, [5n, 0n, 0n, 0n])
  set(4, 2, [10n, 5n, 0n, 0n])
  set(4, 5, [0n, 7n, 0n, 0n])
  set(4, 8, [3n, 0n, 0n, 0n])
  const stats = createCounters(lib, 1, () => new Map([['open', 2n]]))()
  assert.deepEqual(stats.open, { observed: 32n, coalesced: 5n, delivered: 15n, filtered: { o_path: 3n }, lost: { ring_full: 7n, recursion: 2n } })
  assert.deepEqual(stats.fork, { observed: 0n, coalesced: 0n, delivered: 0n, filtered: {}, lost: {} })
})

test('a hook tells which kind its misses belong to', () => {
  assert.equal(kindOf('tp_btf/sched_process_exec'), 'exec')
  assert.equal(kindOf('tracepoint/syscalls/sys_exit_openat2'), 'open')
  assert.equal(kindOf('tracepoint/syscalls/sys_exit_accept4'), 'accept')
  assert.equal(kindOf('tp_btf/inet_sock_set_state'), 'sock.end')
  assert.equal(kindOf('tracepoint/syscalls/sys_exit_renameat2'), 'change')
})
