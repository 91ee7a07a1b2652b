/** Bytes read from users' files per second, over all of one intake. A long session writes some 200 KiB a turn. */
export const BYTES_PER_SECOND = 8 * 1024 * 1024
const BURST = BYTES_PER_SECOND

/** A token bucket. `wait` is how many milliseconds until `need` bytes may be read. */
export function createBudget(now: () => number): { take(most: number): number; give(back: number): void; wait(need: number): number } {
  let left = BURST
  let at = now()
  function fill(): void {
    const present = now()
    left = Math.min(BURST, left + ((present - at) / 1000) * BYTES_PER_SECOND)
    at = present
  }
  return {
    take(most) {
      fill()
      const given = Math.max(0, Math.min(most, Math.floor(left)))
      left -= given
      return given
    },
    give(back) {
      left = Math.min(BURST, left + back)
    },
    wait(need) {
      fill()
      return left >= need ? 0 : Math.ceil(((need - left) / BYTES_PER_SECOND) * 1000)
    },
  }
}
