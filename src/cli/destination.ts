import { readFileSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { otlpEnvironment, parseDestination } from '../ship/config.ts'

/** `environment` is what the shipper gets; null = nothing is shipped. `shown` names the far side without secrets. */
export type Shipping =
  | { readonly ok: true; readonly environment: Readonly<Record<string, string>> | null; readonly shown: string | null }
  | { readonly ok: false; readonly message: string }

/** Flag over OTEL_* over file. Checked here so that a wrong address is an answer to the person who typed it, not a line in a log. */
export function shippingOf(flag: string | null, config: Config, env: NodeJS.ProcessEnv = process.env): Shipping {
  const environment = otlpEnvironment(flag, env, config.otlp)
  const parsed = parseDestination(environment, (path) => readFileSync(path))
  if (!parsed.ok) return parsed
  if (parsed.destination === null) return { ok: true, environment: null, shown: null }
  const { logs, traces } = parsed.destination
  return { ok: true, environment, shown: [...new Set([logs, traces].flatMap((target) => (target === null ? [] : [target.url.origin])))].join(', ') }
}
