import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/spoor.ts'
import type { Peers } from './peers.ts'
import { freePorts, type Program, startProgram } from './programs.ts'

export const config = join(root, 'otel-collector.yaml')

/** The far side: a Collector with the product's own configuration, and behind it Jaeger, Loki and Prometheus, all on loopback. */
export type Fleet = {
  readonly otlp: string
  readonly jaeger: string
  readonly loki: string
  readonly prometheus: string
  /** What the variables of otel-collector.yaml were set to. */
  readonly environment: Readonly<Record<string, string>>
  startCollector(): Promise<void>
  killCollector(): Promise<void>
  stop(): Promise<void>
}

export async function startFleet(folder: string, peers: Peers): Promise<Fleet> {
  const running = new Map<string, Program>()
  const ports = await freePorts(10)
  const next = (): string => `127.0.0.1:${ports.pop()!}`
  const [otlp, spans, query, loki, metrics, prometheus] = [next(), next(), next(), next(), next(), next()]
  const environment = {
    SPOOR_QUEUE_DIR: join(folder, 'queue'),
    SPOOR_OTLP_HTTP: otlp,
    SPOOR_OTLP_GRPC: next(),
    SPOOR_TRACES_URL: `http://${spans}/v1/traces`,
    SPOOR_LOGS_URL: `http://${loki}/otlp/v1/logs`,
    SPOOR_METRICS: metrics,
    SPOOR_METRICS_INTERVAL: '1s',
    SPOOR_COLLECTOR_METRICS_PORT: String(ports.pop()!),
  }
  const start = async (name: string, command: readonly string[], ready: string, env: Record<string, string> = {}): Promise<void> => {
    running.set(name, await startProgram(name, command, { env, log: join(folder, `${name}.log`), ready: `http://${ready}` }))
  }
  const file = (name: string, content: unknown): string => {
    writeFileSync(join(folder, name), JSON.stringify(content)) // JSON is YAML
    return join(folder, name)
  }
  const fleet: Fleet = {
    otlp: `http://${otlp}`,
    jaeger: `http://${query}`,
    loki: `http://${loki}`,
    prometheus: `http://${prometheus}`,
    environment,
    startCollector: () => start('collector', [peers.otelcol, '--config', config], `${metrics}/metrics`, environment),
    killCollector: () => running.get('collector')!.stop('SIGKILL'),
    stop: async () => {
      for (const program of running.values()) await program.stop('SIGTERM')
    },
  }
  const scrape = { scrape_configs: [{ job_name: 'spans', scrape_interval: '1s', static_configs: [{ targets: [metrics] }] }] }
  const prometheusFlags = [`--config.file=${file('prometheus.yaml', scrape)}`, `--storage.tsdb.path=${join(folder, 'prometheus')}`, `--web.listen-address=${prometheus}`]
  try {
    await Promise.all([
      start('jaeger', [peers.jaeger, '--config', file('jaeger.yaml', jaegerSettings(spans, query, next()))], `${query}/api/services`),
      start('loki', [peers.loki, `-config.file=${file('loki.yaml', lokiSettings(join(folder, 'loki'), loki, next()))}`], `${loki}/ready`),
      start('prometheus', [peers.prometheus, ...prometheusFlags], `${prometheus}/-/ready`),
    ])
    await fleet.startCollector()
  } catch (error) {
    await fleet.stop()
    throw error
  }
  return fleet
}

function jaegerSettings(otlp: string, http: string, grpc: string): unknown {
  return {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' } },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 100_000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: { endpoint: http }, grpc: { endpoint: grpc } },
    },
    receivers: { otlp: { protocols: { http: { endpoint: otlp } } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  }
}

function lokiSettings(data: string, http: string, grpc: string): unknown {
  const port = (address: string): number => Number(address.split(':')[1])
  mkdirSync(data)
  return {
    auth_enabled: false,
    server: { http_listen_address: '127.0.0.1', http_listen_port: port(http), grpc_listen_address: '127.0.0.1', grpc_listen_port: port(grpc), log_level: 'warn' },
    common: {
      instance_addr: '127.0.0.1',
      path_prefix: data,
      storage: { filesystem: { chunks_directory: join(data, 'chunks'), rules_directory: join(data, 'rules') } },
      replication_factor: 1,
      ring: { kvstore: { store: 'inmemory' } },
    },
    ingester: { lifecycler: { min_ready_duration: '0s' } },
    schema_config: { configs: [{ from: '2020-10-24', store: 'tsdb', object_store: 'filesystem', schema: 'v13', index: { prefix: 'index_', period: '24h' } }] },
    limits_config: { max_entries_limit_per_query: 1_000_000 },
    analytics: { reporting_enabled: false },
  }
}
