import { getPriority, setPriority } from 'node:os'

/** Of the thread that reads the ring. */
const READER_NICE = -10

/** On a machine whose cores are all busy the ring fills within 50 ms: its reader must not wait for a turn behind those that fill it. It costs what they do, no more. */
export function preferReader(): void {
  try {
    setPriority(READER_NICE)
  } catch {
    // Without CAP_SYS_NICE it waits like others; what is lost is counted.
  }
}

/** A child begins as any other program: the preference is not for it. To be called as soon as it is spawned, before it has threads. */
export function ordinary(pid: number | undefined): void {
  try {
    if (pid !== undefined && getPriority() < 0) setPriority(pid, 0)
  } catch {
    // gone already
  }
}
