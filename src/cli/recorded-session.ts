import { textOf } from './attributes.ts'
import { openJournalOf, readEntries } from './journal.ts'
import { createShowFold, type ShowFold } from './show-fold.ts'
import { defaultStateDir, SYSTEM_STATE_DIR } from './where.ts'

/** An observer makes its entries durable every 200 ms; a session with claims settles 8 s after its last one at the latest. */
const WRITTEN_MS = 10_000
const LOOK_EVERY_MS = 100

/** A session that has just been recorded, as the journal has it once its end stands there. Null: no journal that this user may read has it. */
export async function recordedSession(session: string, stateDir: string | null, withinMs = WRITTEN_MS): Promise<ShowFold | null> {
  const candidates = stateDir !== null ? [stateDir] : [...new Set([defaultStateDir(), SYSTEM_STATE_DIR])]
  for (const until = Date.now() + withinMs; ; ) {
    let found: ShowFold | null = null
    let readable = false
    for (const candidate of candidates) {
      const opened = openJournalOf(candidate)
      if (!opened.ok) continue
      readable = true
      const fold = createShowFold()
      let ended = false
      for (const entry of readEntries(opened.reader, [session])) {
        if (textOf(entry.attributes, 'session.id') !== session) continue
        ended ||= entry.eventName === 'session.end'
        fold.add(entry)
      }
      opened.reader.close()
      if (ended) return fold
      if (fold.entries > 0) found = fold
    }
    if (!readable || Date.now() > until) return found
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS))
  }
}
