import { readFileSync } from 'node:fs'
import type { Orders } from '../../src/model/sensor.ts'
import type { Libbpf } from './libbpf.ts'

/** bpf/maps.h: ORDER_*, STATE_*. */
const SET = 1
const INSERT = 2
const RELEASE = 3
const TRACKED = 2
const SELF = 3
const NO_SUCH_ENTRY = -3

/** libbpf.h: struct bpf_test_run_opts, and behind it struct order_context of bpf/maps.h, in one piece of memory. */
const OPTIONS_BYTES = 80
const CONTEXT_BYTES = 24
const CONTEXT_AT = OPTIONS_BYTES

/** Kernel: include/linux/sched.h, in field 9 of /proc/PID/stat. Set before the exit event is raised. */
const PF_EXITING = 4

type Target = { readonly pid: number; readonly startTicks: number }

/** Orders are given by running the BPF program `order`: the table of processes and the bitmap before it change together, in the kernel (about 1 us). */
export function createOrders(lib: Libbpf, orderFd: number, slotsFd: number | undefined, alive: (task: Target) => boolean = isAlive): Orders {
  const memory = new ArrayBuffer(OPTIONS_BYTES + CONTEXT_BYTES)
  const view = new DataView(memory)
  view.setBigUint64(0, BigInt(OPTIONS_BYTES), true)
  view.setBigUint64(32, lib.address(memory) + BigInt(CONTEXT_AT), true)
  view.setUint32(48, CONTEXT_BYTES, true)
  const key = new Uint32Array(1)

  /** The order's own result, or the error of running it. */
  function order(op: number, { pid, startTicks }: Target, state: number): number {
    view.setUint32(CONTEXT_AT, op, true)
    view.setUint32(CONTEXT_AT + 4, pid, true)
    view.setUint32(CONTEXT_AT + 8, startTicks >>> 0, true)
    view.setUint32(CONTEXT_AT + 12, Math.floor(startTicks / 2 ** 32), true)
    view.setUint32(CONTEXT_AT + 16, state, true)
    view.setInt32(CONTEXT_AT + 20, 0, true)
    const error = lib.progRun(orderFd, memory)
    return error < 0 ? error : view.getInt32(CONTEXT_AT + 20, true)
  }

  function release(task: Target): boolean {
    if (order(RELEASE, task, 0) !== 0) return false
    if (slotsFd !== undefined) {
      key[0] = task.pid
      lib.remove(slotsFd, key)
    }
    return true
  }

  /** A process that the kernel's table does not have is added, but only while it lives: an entry made after its exit event would stay for ever. */
  function set(task: Target, state: number): boolean {
    const result = order(SET, task, state)
    if (result !== NO_SUCH_ENTRY) return result === 0
    if (!alive(task) || order(INSERT, task, state) !== 0) return false
    if (alive(task)) return true
    release(task)
    return false
  }

  return { track: (task) => set(task, TRACKED), own: (task) => set(task, SELF), release }
}

/** The process with this start time runs, and does not just end. A leader that exited before its other threads does not count as ending. */
export function isAlive({ pid, startTicks }: Target): boolean {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return false
  }
  // Behind the last ")": the name may hold anything. The first field there is number 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (Number(fields[22 - 3]) !== startTicks) return false
  const threads = Number(fields[20 - 3])
  return threads > 1 || (Number(fields[9 - 3]) & PF_EXITING) === 0
}
