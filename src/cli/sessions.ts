import type { SessionDocument } from '../model/status.ts'
import { type CommandSpec, JSON_OUT, readArguments, STATE_DIR } from './arguments.ts'
import { openJournalOf, readEntries } from './journal.ts'
import { standardOutput } from './output.ts'
import { clipped, printable, quoted, safeJson } from './printable.ts'
import { failed } from './say.ts'
import { createSessionFold, SESSION_EVENTS } from './session-fold.ts'
import { table } from './table.ts'
import { counted, duration, localTime } from './units.ts'
import { defaultStateDir } from './where.ts'

const COMMAND: CommandSpec = {
  name: 'sessions',
  usage: '[options]',
  summary: 'Lists the sessions in the journal, the newest last.',
  options: { 'state-dir': STATE_DIR, json: JSON_OUT },
}

export async function main(argv: readonly string[]): Promise<number> {
  const args = readArguments(COMMAND, argv)
  if (!args.ok) return args.exit
  const stateDir = args.text('state-dir') ?? defaultStateDir()
  const opened = openJournalOf(stateDir)
  if (!opened.ok) return failed('sessions', opened.message)
  const fold = createSessionFold()
  for (const entry of readEntries(opened.reader, SESSION_EVENTS)) fold.add(entry)
  opened.reader.close()
  const sessions = [...fold.sessions.values()]
  const output = standardOutput()
  if (args.flag('json')) await output.write(safeJson({ schema: 'spoor.sessions/1', sessions }) + '\n')
  else await output.write(sessions.length === 0 ? `no sessions in ${printable(stateDir)}\n` : listing(sessions))
  await output.flush()
  return 0
}

export function listing(sessions: readonly SessionDocument[]): string {
  return table([['ID', 'AGENT', 'STARTED', 'LASTED', 'USER', 'FROM', 'DID', 'IN'], ...sessions.map(row)])
}

function row(session: SessionDocument): readonly string[] {
  const { agent, totals } = session
  return [
    session.id.slice(0, 8),
    printable(agent.name) + (agent.version === null ? '' : ' ' + printable(agent.version)) + (session.parentId === null ? '' : ` (in ${printable(session.parentId.slice(0, 8))})`),
    session.startedAt === null ? '?' : localTime(BigInt(session.startedAt)),
    session.state === 'open' ? 'open' : session.startedAt === null || session.endedAt === null ? '?' : duration(BigInt(session.endedAt) - BigInt(session.startedAt)),
    printable(session.user.name ?? session.user.id ?? '?'),
    printable(session.origin),
    totals === null ? '' : `${counted(totals.processes, 'process', 'processes')}, ${totals.filesChanged} changed, ${counted(totals.connections, 'connection')}`,
    session.cwd === null ? '?' : clipped(quoted(session.cwd), 60),
  ]
}
