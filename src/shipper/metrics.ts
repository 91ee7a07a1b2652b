import type { SignalLedger } from '../model/status.ts'
import type { Environment } from '../ship/config.ts'
import type { ShipLine } from '../ship/report.ts'

export type OwnMetrics = { stop(): Promise<void> }

/**
 * The ledger as metrics, by the OpenTelemetry SDK, where the environment asks for metrics: many an endpoint takes logs and traces only,
 * so an endpoint alone is no such wish. Loaded only then (20 MB).
 */
export async function startMetrics(env: Environment, ledger: () => Extract<ShipLine, { type: 'ledger' }>): Promise<OwnMetrics | null> {
  const wanted = (env['OTEL_METRICS_EXPORTER'] ?? '').trim()
  if (wanted === 'none' || (wanted === '' && !env['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'])) return null
  const [{ NodeSDK }, { metrics }] = await Promise.all([import('@opentelemetry/sdk-node'), import('@opentelemetry/api')])
  // Readers come from OTEL_METRICS_EXPORTER and OTEL_EXPORTER_OTLP_METRICS_*; spans and records have their own way.
  const sdk = new NodeSDK({ serviceName: env['OTEL_SERVICE_NAME'] || 'spoor', spanProcessors: [], logRecordProcessors: [], instrumentations: [] })
  sdk.start()
  const meter = metrics.getMeter('spoor')
  const settled = meter.createObservableCounter('spoor.ship.items', {
    unit: '{item}',
    description: 'Log records and spans that are settled at a destination, by what became of them.',
  })
  const pending = meter.createObservableGauge('spoor.ship.pending', { unit: '{item}', description: 'Log records and spans that wait to be delivered.' })
  meter.addBatchObservableCallback(
    (observer) => {
      for (const [destination, signals] of Object.entries(ledger().destinations))
        for (const [signal, found] of Object.entries(signals) as [string, SignalLedger | null][]) {
          if (found === null) continue
          const common = { 'spoor.destination': destination, 'spoor.signal': signal }
          for (const state of ['acknowledged', 'parked', 'expired'] as const) observer.observe(settled, Number(found[state]), { ...common, 'spoor.ship.state': state })
          for (const [reason, count] of Object.entries(found.rejected))
            observer.observe(settled, Number(count), { ...common, 'spoor.ship.state': 'rejected', 'error.type': reason })
          observer.observe(pending, Number(found.pending), common)
        }
    },
    [settled, pending],
  )
  return { stop: () => sdk.shutdown().catch(() => {}) }
}
