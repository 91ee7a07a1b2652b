import { createHash, randomBytes } from 'node:crypto'
import { candidates, createCatalogue, environmentNames } from '../agents/catalogue.ts'
import { createAccounts, spoorAccount } from '../identity/accounts.ts'
import { bootNow, wallNow } from '../identity/libc.ts'
import { bootId, machineId } from '../identity/machine.ts'
import { ancestry } from '../identity/processes.ts'
import { readStat } from '../identity/procfs.ts'
import { CLAIM_ENVIRONMENT } from '../intake/sources.ts'
import { openJournal } from '../journal/journal.ts'
import { type OpenState, openOpenState } from '../journal/open-state.ts'
import { lockStateDir, prepareStateDir } from '../journal/state-dir.ts'
import type { Unavailable } from '../model/sensor.ts'
import { createEncoder } from '../shape/encode.ts'
import { createEngine } from './engine.ts'
import type { Observer, ObserverOptions } from './face.ts'
import { createOrderQueue } from './order-queue.ts'
import { createPipeline, emptyState } from './pipeline.ts'
import { createRecorder } from './recorded.ts'
import { createRemains } from './replay.ts'
import { beginRun } from './run.ts'
import { SENSORS } from './sensors.ts'

export type Started = { readonly ok: true; readonly observer: Observer } | { readonly ok: false; readonly message: string }

/** The bound on what a power cut can take (DESIGN 7). */
const SYNC_EVERY_MS = 200

const refusal = ({ unavailable, why, mend }: Unavailable): Started => ({ ok: false, message: `${unavailable}: ${why}; ${mend}` })

/** Starts the one observer of a state directory. Failures a person can meet come back as one sentence. */
export async function startObserver(options: ObserverOptions): Promise<Started> {
  const { config, stateDir, sensor = SENSORS[0]! } = options
  const probed = sensor.probe()
  if (!probed.ok) return refusal(probed)
  const accounts = createAccounts()
  const prepared = prepareStateDir({ path: stateDir, spoor: spoorAccount(accounts) })
  if (!prepared.ok) return prepared
  const { dir } = prepared
  const locked = lockStateDir(dir.path)
  if (!locked.ok) return locked
  const opened = await openJournal({ dir: dir.journal, maxBytes: config.journal.maxBytes, syncEveryMs: SYNC_EVERY_MS })
  if (!opened.ok) {
    locked.unlock()
    return opened
  }
  const { journal } = opened
  const remains = createRemains()
  const inputs = openInputs(dir.openState, remains.take)
  if (typeof inputs === 'string') {
    await journal.close()
    locked.unlock()
    return { ok: false, message: inputs }
  }
  const close = async (): Promise<void> => {
    await journal.close()
    inputs.close()
    locked.unlock()
  }

  const engine = createEngine({ inputs, journal, encode: createEncoder(), wallNow })
  const recorder = createRecorder(engine.answer)
  const orders = createOrderQueue()
  const catalogue = createCatalogue(config.agents)
  const machine = machineId(dir.path)
  const boot = bootId()
  const earlier = remains.remains(boot)
  const pipeline = createPipeline({
    sensor,
    machineId: machine.id,
    catalogue,
    host: {
      ancestry: recorder.wrap((pid: number) => ancestry(pid)),
      userName: recorder.wrap((uid: number) => accounts.byUid(uid)?.name ?? null),
    },
    orders,
    policy: { mode: config.volume, sensitive: config.sensitive },
    claims: true,
    append: engine.append,
    state: earlier.snapshot?.pipeline ?? emptyState(boot),
  })
  engine.attach(pipeline)
  recorder.replay(earlier.answers)
  engine.repeat(earlier.inputs, earlier.snapshot?.nextIndex ?? 0)
  recorder.replay([])

  const machineWide = options.scope === 'machine'
  const environment = environmentNames(catalogue, [...CLAIM_ENVIRONMENT, ...config.environment])
  const self = { pid: process.pid, tid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0 }
  const running = await sensor.start(
    {
      candidates: machineWide ? candidates(catalogue) : [],
      environment,
      ringBytes: config.ringBytes,
      pinName: machineWide ? createHash('sha256').update(dir.path).digest('hex').slice(0, 16) : null,
      self: [self],
    },
    { batch: (bytes, position) => engine.feed({ kind: 'batch', position, boot: bootNow(), bytes }) },
  )
  if ('unavailable' in running) {
    await close()
    return refusal(running)
  }
  // From here to the end of beginRun's first part nothing waits: the sensor's first batch must find the run begun.
  orders.connect(running.orders)
  const observer = await beginRun({
    ...options,
    dir,
    sensor,
    running,
    pipeline,
    engine,
    journal,
    report: opened.report,
    accounts,
    catalogue,
    machine: machine.id,
    bootId: Buffer.from(boot).toString('hex'),
    runId: randomBytes(16).toString('hex'),
    environment: new Set(environment),
    // Without a snapshot or inputs there is nobody who could have been missed.
    continued: earlier.snapshot !== null || earlier.inputs.length > 0,
    close,
  })
  return { ok: true, observer }
}

function openInputs(path: string, take: Parameters<typeof openOpenState>[1]): OpenState | string {
  try {
    return openOpenState(path, take).state
  } catch (error) {
    return `${path} cannot be opened (${(error as Error).message}): move it away; what an observer before this one had open is then ended as unseen.`
  }
}
