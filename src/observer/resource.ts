import type { Attributes } from '../model/entry.ts'

/** OTEL_RESOURCE_ATTRIBUTES is short by nature; a longer one is somebody's mistake. */
const TEXT_MAX = 8192
const ATTRIBUTES_MAX = 64

/**
 * Attributes that an operator adds to all that is recorded: `OTEL_RESOURCE_ATTRIBUTES` (`key=value,key=value`, percent-encoded) and `OTEL_SERVICE_NAME`,
 * as the OpenTelemetry specification has them. What is malformed is left out.
 */
export function resourceOf(env: Readonly<Record<string, string | undefined>>): Attributes {
  const found: Record<string, string> = {}
  for (const pair of (env['OTEL_RESOURCE_ATTRIBUTES'] ?? '').slice(0, TEXT_MAX).split(',', ATTRIBUTES_MAX)) {
    const at = pair.indexOf('=')
    const key = decoded(pair.slice(0, at).trim())
    const value = decoded(pair.slice(at + 1).trim())
    if (at > 0 && key !== null && key !== '' && value !== null) found[key] = value
  }
  const name = env['OTEL_SERVICE_NAME']
  if (name !== undefined && name !== '') found['service.name'] = name.slice(0, 256)
  return found
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
