import type { Config } from '../config/config.ts'
import type { SessionId } from '../model/ids.ts'
import type { Task } from '../model/observation.ts'
import type { Sensor } from '../model/sensor.ts'
import type { SessionActivity } from '../model/session.ts'
import type { SessionSummary, StatusDocument } from '../model/status.ts'

export type ObserverOptions = {
  readonly stateDir: string
  readonly config: Config
  /**
   * `machine`: all agents, those that run already too; the kernel's part is pinned, so that it goes on recording while a crashed observer restarts.
   * `command`: only what `record` hands over (`spoor record`, without an observer).
   */
  readonly scope: 'machine' | 'command'
  /** The shipper's OTEL_EXPORTER_OTLP_* variables; null = nothing is shipped. */
  readonly ship: Readonly<Record<string, string>> | null
  readonly onActivity?: (activity: SessionActivity, offsetNs: bigint) => void
  /** A state change that an operator would want to know of. */
  readonly onState?: (message: string, detail?: Readonly<Record<string, unknown>>) => void
  readonly sensor?: Sensor
}

export type Observer = {
  /** Takes over a process of `spoor record`, which waits to exec its command. Null: it is gone. */
  record(task: Pick<Task, 'pid' | 'startTicks'>, name: string | null): SessionId | null
  status(): StatusDocument
  /** Null: no such session, open or lately ended. */
  summary(id: SessionId): SessionSummary | null
  /** Drains the sensor, settles what is open, ships what is durable, closes the journal. */
  stop(): Promise<void>
}
