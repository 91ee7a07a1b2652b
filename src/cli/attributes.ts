import type { Attributes, Value } from '../model/entry.ts'

// The journal is read back as it stands: a value of another type than expected counts as absent.

export const textOf = (attributes: Attributes, name: string): string | null => {
  const value = attributes[name]
  return typeof value === 'string' ? value : null
}

export const numberOf = (attributes: Attributes, name: string): number | null => {
  const value = attributes[name]
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null
}

export const bigOf = (attributes: Attributes, name: string): bigint | null => {
  const value = attributes[name]
  return typeof value === 'bigint' ? value : typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : null
}

/** Unix nanoseconds, in decimal. */
export const timeOf = (attributes: Attributes, name: string): string | null => {
  const value = attributes[name]
  if (typeof value === 'string') return /^\d{1,20}$/.test(value) ? value : null
  return bigOf(attributes, name)?.toString() ?? null
}

export const flagOf = (attributes: Attributes, name: string): boolean => attributes[name] === true

export const listOf = (attributes: Attributes, name: string): readonly string[] => {
  const value = attributes[name]
  return Array.isArray(value) ? (value as readonly Value[]).filter((item) => typeof item === 'string') : []
}

/** A map of names to counts. */
export const countsOf = (attributes: Attributes, name: string): readonly (readonly [string, number])[] => {
  const value = attributes[name]
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) return []
  return Object.entries(value as Attributes).flatMap(([key, count]) => (typeof count === 'number' ? [[key, count] as const] : []))
}
