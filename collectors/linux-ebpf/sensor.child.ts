// Run by sensor.test.ts: an observer that tracks one process, takes in what is there, and is then killed (by its parent) with its pins left behind.
import { linuxEbpf } from './index.ts'

const [pinName, pid, startTicks, ringBytes] = process.argv.slice(2)
const taken: string[] = []
const running = await linuxEbpf.start(
  { candidates: [], environment: [], ringBytes: Number(ringBytes), pinName: pinName!, self: [] },
  {
    batch(bytes, position) {
      linuxEbpf.decode(bytes, position, (o) => {
        if (o.kind === 'fork') taken.push(String(o.child.pid))
      })
    },
  },
)
if ('ok' in running) throw new Error(running.why)
if (!running.orders.track({ pid: Number(pid), startTicks: Number(startTicks) })) throw new Error('the process is gone')
process.send?.('tracking')
// The last word before the end: all that was handed to this observer.
process.on('message', () => {
  running.drain()
  process.send?.({ taken, position: String(running.position()) })
  process.kill(process.pid, 'SIGKILL')
})
