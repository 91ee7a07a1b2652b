import type { EntryDraft } from '../model/entry.ts'

/** As many as lineage holds live processes. The oldest goes first: its exit then names no exec. */
const KNOWN_MAX = 65_536

/** `spoor.process.id` -> `log.record.uid` of its last exec entry. Plain data: part of the observer's snapshot. */
export type ExecUids = Map<string, string>

/**
 * Exit entries name the exec entry they belong to (`spoor.exec_uid`), which has its uid only when it has its index. To be called for every
 * draft in order, with the uid it gets; also for those that a replay does not write again.
 */
export function linkExec(known: ExecUids, draft: EntryDraft, uid: () => string): EntryDraft {
  if (draft.eventName !== 'spoor.process.exec' && draft.eventName !== 'spoor.process.exit') return draft
  const process = draft.attributes['spoor.process.id']
  if (typeof process !== 'string') return draft
  if (draft.eventName === 'spoor.process.exec') {
    known.delete(process)
    if (known.size >= KNOWN_MAX) {
      const [oldest] = known.keys()
      if (oldest !== undefined) known.delete(oldest)
    }
    known.set(process, uid())
    return draft
  }
  const exec = known.get(process)
  known.delete(process)
  return exec === undefined ? draft : { ...draft, attributes: { ...draft.attributes, 'spoor.exec_uid': exec } }
}
