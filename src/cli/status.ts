import { listSegments } from '../journal/files.ts'
import type { StatusDocument } from '../model/status.ts'
import { askControl } from '../observer/client.ts'
import { type CommandSpec, JSON_OUT, readArguments, STATE_DIR } from './arguments.ts'
import { openJournalOf } from './journal.ts'
import { standardOutput } from './output.ts'
import { printable, safeJson } from './printable.ts'
import { statusText } from './status-text.ts'
import { controlPaths, defaultStateDir } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'status',
  usage: '[options]',
  summary: 'Says how the observer is, what it costs and what its ledger counts. Exit code 1 when none runs.',
  options: { 'state-dir': STATE_DIR, json: JSON_OUT },
}

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const flag = args.text('state-dir')
  const why: string[] = []
  let status: StatusDocument | null = null
  for (const path of controlPaths(flag)) {
    const reply = await askControl(path, { op: 'status' })
    if ('unreachable' in reply) why.push(reply.unreachable)
    else if (!reply.ok) why.push(`the observer at ${path} refused: ${reply.error}`)
    else {
      status = reply.status
      break
    }
  }
  const shown = status ?? disabled(flag ?? defaultStateDir(), why)
  const output = standardOutput()
  await output.write(args.flag('json') ? safeJson(shown) + '\n' : statusText(shown))
  await output.flush()
  return shown.state === 'disabled' ? 1 : 0
}

/** What can be said without an observer: why there is none, and what the journal on disk holds. */
function disabled(stateDir: string, why: readonly string[]): StatusDocument {
  return {
    schema: 'spoor.status/1',
    state: 'disabled',
    why: why.map(printable),
    run: null,
    sensor: null,
    ledger: null,
    journal: journalOf(stateDir),
    self: { observer: null, shipper: null, intake: null },
  }
}

function journalOf(stateDir: string): StatusDocument['journal'] {
  const opened = openJournalOf(stateDir)
  if (!opened.ok) return null
  try {
    const { first, durable } = opened.reader.bounds()
    const bytes = listSegments(`${stateDir}/journal`).reduce((sum, segment) => sum + segment.bytes + segment.leafBytes, 0)
    // Without a writer, what is behind the mark is cut or kept by the next start: nobody knows the next index before.
    return { first: String(first), next: String(durable), durable: String(durable), bytes: String(bytes) }
  } catch {
    return null // pruned or removed while we looked
  } finally {
    opened.reader.close()
  }
}
