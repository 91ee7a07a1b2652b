import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Libbpf } from './libbpf.ts'
import { koffi } from './libc.ts'
import { createOrders, isAlive } from './orders.ts'

const ESRCH = -3
const SET = 1
const INSERT = 2
const RELEASE = 3

/** The program `order` of bpf/order.h, in TypeScript, behind the memory layout that libbpf takes. */
function kernel() {
  const table = new Map<number, { ticks: number; state: number }>()
  const removedSlots: number[] = []
  const ops: number[] = []
  const lib = {
    address: (buffer: ArrayBuffer) => koffi().address(buffer),
    progRun(fd: number, options: ArrayBuffer) {
      assert.equal(fd, 77)
      const view = new DataView(options)
      assert.equal(view.getBigUint64(0, true), 80n)
      assert.equal(view.getBigUint64(32, true), koffi().address(options) + 80n)
      assert.equal(view.getUint32(48, true), 24)
      const context = new DataView(options, 80, 24)
      const op = context.getUint32(0, true)
      const pid = context.getUint32(4, true)
      const ticks = Number(context.getBigUint64(8, true))
      ops.push(op)
      const found = table.get(pid)
      let result = 0
      if (op !== INSERT && found?.ticks !== ticks) result = ESRCH
      else if (op === RELEASE) table.delete(pid)
      else table.set(pid, { ticks, state: context.getUint32(16, true) })
      context.setInt32(20, result, true)
      return 0
    },
    remove(fd: number, key: ArrayBufferView) {
      assert.equal(fd, 88)
      removedSlots.push((key as Uint32Array)[0]!)
      return 0
    },
  }
  return { lib: lib as unknown as Libbpf, table, ops, removedSlots }
}

test('an entry of the kernel changes its state; start times past 2^32 ticks are whole', () => {
  const k = kernel()
  const ticks = 2 ** 33 + 5
  k.table.set(10, { ticks, state: 1 })
  const orders = createOrders(k.lib, 77, 88, () => assert.fail('the kernel knows it'))
  assert.equal(orders.track({ pid: 10, startTicks: ticks }), true)
  assert.deepEqual(k.table.get(10), { ticks, state: 2 })
  assert.equal(orders.own({ pid: 10, startTicks: ticks }), true)
  assert.equal(k.table.get(10)!.state, 3)
  assert.equal(orders.release({ pid: 10, startTicks: ticks }), true)
  assert.deepEqual(k.removedSlots, [10])
  assert.equal(orders.release({ pid: 10, startTicks: ticks }), false)
  assert.deepEqual(k.removedSlots, [10])
})

test('an unknown process is added while it lives, and not left behind when it ends meanwhile', () => {
  const k = kernel()
  const lives = [true, true]
  const orders = createOrders(k.lib, 77, 88, () => lives.shift()!)
  assert.equal(orders.track({ pid: 11, startTicks: 3 }), true)
  assert.deepEqual(k.table.get(11), { ticks: 3, state: 2 })

  lives.push(false)
  assert.equal(orders.track({ pid: 12, startTicks: 3 }), false)
  assert.equal(k.table.has(12), false)

  lives.push(true, false)
  k.ops.length = 0
  assert.equal(orders.track({ pid: 13, startTicks: 3 }), false)
  assert.deepEqual(k.ops, [SET, INSERT, RELEASE])
  assert.equal(k.table.has(13), false)
})

test('a process is alive only under its own start time, and not as a zombie', { skip: existsSync('/proc/self/stat') ? false : 'needs /proc' }, async () => {
  const ticksOf = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  }
  const own = { pid: process.pid, startTicks: ticksOf(process.pid) }
  assert.equal(isAlive(own), true)
  assert.equal(isAlive({ ...own, startTicks: own.startTicks + 1 }), false)
  // A shell that becomes `sleep` without waiting for its child: the child stays a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 5'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const zombie = await new Promise<number>((done) => parent.stdout.once('data', (data) => done(Number(String(data)))))
  const state = () => readFileSync(`/proc/${zombie}/stat`, 'latin1').split(') ')[1]![0]
  for (let i = 0; i < 100 && state() !== 'Z'; i++) await new Promise((done) => setTimeout(done, 10))
  assert.equal(state(), 'Z')
  assert.equal(isAlive({ pid: zombie, startTicks: ticksOf(zombie) }), false)
  parent.kill('SIGKILL')
})
