import type { Entry } from '../model/entry.ts'
import { globMatches } from '../shape/glob.ts'
import { type CommandSpec, JSON_OUT, readArguments, STATE_DIR } from './arguments.ts'
import { textOf } from './attributes.ts'
import { eventLine } from './event-line.ts'
import { followBatches, openJournalOf, readBatches } from './journal.ts'
import { standardOutput } from './output.ts'
import { safeJson } from './printable.ts'
import { failed, misused } from './say.ts'
import { defaultStateDir } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'events',
  usage: '[options]',
  summary: 'Prints the entries of the journal that are durable, oldest first.',
  options: {
    'state-dir': STATE_DIR,
    session: { type: 'text', value: 'ID', help: 'only this session (the beginning of its id is enough)' },
    name: { type: 'text', value: 'GLOB', help: "only events of this name, e.g. 'spoor.network.*'" },
    follow: { type: 'flag', help: 'go on as the journal grows, until Ctrl-C' },
    json: { type: 'flag', help: JSON_OUT.help.replace('JSON', 'one JSON object a line (spoor.event/1)') },
  },
}

const SEVERITY_TEXT = (severity: number): string => (severity >= 17 ? 'ERROR' : severity >= 13 ? 'WARN' : 'INFO')

/** 64-bit by their nature (times, bytes, indices): strings always, also where one of them happens to be small. */
export const SIXTY_FOUR_BITS: ReadonlySet<string> = new Set([
  'spoor.clock.offset_ns',
  'spoor.clock.step_ns',
  'spoor.gap.at_least',
  'spoor.gap.from',
  'spoor.gap.to',
  'spoor.health.cpu_ns',
  'spoor.health.oldest_open_index',
  'spoor.health.rss_bytes',
  'spoor.journal.bytes',
  'spoor.journal.durable',
  'spoor.journal.entries',
  'spoor.journal.from',
  'spoor.journal.to',
  'spoor.network.bytes_in',
  'spoor.network.bytes_out',
  'spoor.process.cpu_ns',
  'spoor.sandbox.cgroup',
  'spoor.ship.entries',
  'spoor.ship.from',
  'spoor.ship.to',
  'spoor.start_time',
  'spoor.totals.bytes_in',
  'spoor.totals.bytes_out',
])

/** `spoor.event/1`. */
export const eventDocument = (entry: Entry): object => ({
  schema: 'spoor.event/1',
  index: String(entry.index),
  uid: entry.uid,
  timeUnixNano: String(entry.timeUnixNano),
  eventName: entry.eventName,
  severityText: SEVERITY_TEXT(entry.severity),
  sessionId: textOf(entry.attributes, 'session.id'),
  traceId: entry.traceId ?? null,
  spanId: entry.spanId ?? null,
  attributes: Object.fromEntries(Object.entries(entry.attributes).map(([name, value]) => [name, SIXTY_FOUR_BITS.has(name) && typeof value === 'number' ? String(value) : value])),
})

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const session = args.text('session')
  if (session !== null && !/^[0-9a-f]{1,32}$/.test(session)) return misused('events', `--session takes a session id or its beginning (hexadecimal), not '${session}'`)
  const glob = args.text('name')
  if (glob !== null && glob.length > 128) return misused('events', '--name is longer than any event name')
  const stateDir = args.text('state-dir') ?? defaultStateDir()
  const opened = openJournalOf(stateDir)
  if (!opened.ok) return failed('events', opened.message)
  const matches = (name: string): boolean => glob === null || globMatches(glob, name)
  const output = standardOutput()
  const stop = new AbortController()
  const interrupted = (): void => stop.abort()
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const { reader } = opened
  const containing = session === null ? null : [session]
  const json = args.flag('json')
  for await (const batch of args.flag('follow') ? followBatches(stateDir, reader, containing, stop.signal) : readBatches(reader, containing)) {
    for (const entry of batch) {
      if (!matches(entry.eventName)) continue
      if (session !== null && !textOf(entry.attributes, 'session.id')?.startsWith(session)) continue
      await output.write((json ? safeJson(eventDocument(entry)) : eventLine(entry)) + '\n')
    }
    await output.flush()
    if (stop.signal.aborted) break
  }
  reader.close()
  return 0
}
