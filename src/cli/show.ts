import type { SessionDocument } from '../model/status.ts'
import { type CommandSpec, JSON_OUT, readArguments, STATE_DIR } from './arguments.ts'
import { textOf } from './attributes.ts'
import { openJournalOf, readEntries } from './journal.ts'
import { standardOutput } from './output.ts'
import { safeJson } from './printable.ts'
import { failed, misused } from './say.ts'
import { createSessionFold, SESSION_EVENTS } from './session-fold.ts'
import { createShowFold, type ShowFold } from './show-fold.ts'
import { showText } from './show-text.ts'
import { defaultStateDir } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'show',
  usage: 'SESSION [options]',
  summary: 'Shows what one session did: its processes, files and sockets. The beginning of a session id is enough.',
  options: { 'state-dir': STATE_DIR, json: JSON_OUT },
  positionals: { min: 1, max: 1, what: 'SESSION (spoor sessions lists them)' },
}
const CANDIDATES_SHOWN = 5

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const prefix = args.positionals[0] ?? ''
  if (!/^[0-9a-f]{1,32}$/.test(prefix)) return misused('show', `SESSION is a session id or its beginning (hexadecimal), not '${prefix}'`)
  const stateDir = args.text('state-dir') ?? defaultStateDir()
  const opened = openJournalOf(stateDir)
  if (!opened.ok) return failed('show', opened.message)
  const { reader } = opened

  const sessions = createSessionFold()
  for (const entry of readEntries(reader, SESSION_EVENTS)) sessions.add(entry)
  const found = [...sessions.sessions.values()].filter((session) => session.id.startsWith(prefix))
  const [session] = found
  if (session === undefined) return failed('show', `no session ${prefix} in ${stateDir} (spoor sessions lists them)`)
  if (found.length > 1) {
    const shown = found.slice(0, CANDIDATES_SHOWN).map(({ id }) => id)
    return failed('show', `${found.length} sessions begin with ${prefix}: ${shown.join(', ')}${found.length > CANDIDATES_SHOWN ? ', ...' : ''}`)
  }

  const fold = createShowFold()
  for (const entry of readEntries(reader, [session.id])) if (textOf(entry.attributes, 'session.id') === session.id) fold.add(entry)
  reader.close()
  const children = [...sessions.sessions.values()].filter((other) => other.parentId === session.id)
  const output = standardOutput()
  await output.write(args.flag('json') ? safeJson(showDocument(session, fold)) + '\n' : showText(session, children, fold, process.stdout.columns || 160))
  await output.flush()
  return 0
}

/** `spoor.show/1`. */
export const showDocument = (session: SessionDocument, fold: ShowFold): object => ({
  schema: 'spoor.show/1',
  session,
  turns: [...fold.turns.values()],
  processes: [...fold.processes.values()],
  files: [...fold.files.values()],
  connections: [...fold.connections.values()],
  unattributed: unattributed(fold),
  omitted: fold.omitted,
})

/** Processes that no turn could be named for, and why. */
function unattributed(fold: ShowFold): readonly { readonly processId: string; readonly why: string }[] {
  const rows: { processId: string; why: string }[] = []
  for (const process of fold.processes.values()) {
    if (process.turnId !== null) continue
    rows.push({ processId: process.id, why: process.endedAt === null ? 'not settled yet' : 'its settled entry names no turn, or is not in the journal' })
  }
  return rows
}
