import type { Orders } from '../model/sensor.ts'

/** Orders given before the sensor runs (while the inputs of an earlier life are repeated) wait here; one per process can matter, so the bound is the process table's. */
const QUEUE_MAX = 65_536

export type OrderQueue = Orders & {
  /** Carries out what waits, and from now on each at once. */
  connect(orders: Orders): void
}

export function createOrderQueue(): OrderQueue {
  let connected: Orders | null = null
  const waiting: ((orders: Orders) => void)[] = []
  const give =
    (name: keyof Orders): Orders[keyof Orders] =>
    (task) => {
      if (connected !== null) return connected[name](task)
      if (waiting.length < QUEUE_MAX) waiting.push((orders) => orders[name](task))
      return true
    }
  return {
    track: give('track'),
    release: give('release'),
    own: give('own'),
    connect(orders) {
      connected = orders
      for (const order of waiting.splice(0)) order(orders)
    },
  }
}
