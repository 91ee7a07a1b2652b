/** Nanoseconds as a person reads them. */
export function duration(ns: bigint): string {
  const ms = Number(ns) / 1e6
  if (ms < 0) return '?'
  if (ms < 1) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = ms / 1000
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.round(s)} s`
  const minutes = Math.floor(s / 60)
  if (minutes < 60) return `${minutes} min ${two(Math.floor(s % 60))} s`
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'] as const

export function byteSize(bytes: number | bigint): string {
  let value = Number(bytes)
  let unit = 0
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000
    unit++
  }
  return unit === 0 ? `${value} B` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${SIZES[unit]}`
}

const two = (n: number): string => String(n).padStart(2, '0')

/** Unix nanoseconds in local time. */
export function localTime(ns: bigint): string {
  const at = new Date(Number(ns / 1_000_000n))
  if (Number.isNaN(at.getTime())) return '?'
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(ns)}`
}

export function clockTime(ns: bigint): string {
  const at = new Date(Number(ns / 1_000_000n))
  return Number.isNaN(at.getTime()) ? '?' : `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

export const counted = (n: number | bigint, one: string, many = one + 's'): string => `${n} ${Number(n) === 1 ? one : many}`
