import { closeSync, readSync, statSync } from 'node:fs'
import type { Claim } from '../model/claim.ts'
import { type Counters, count } from './counters.ts'
import type { FilePosition } from './frames.ts'
import { openOwn } from './open.ts'
import { placeOf, type Root, SLACK_MS, sinceOf } from './roots.ts'
import { createTail, type Tail } from './tail.ts'

/** Transcripts followed at a time, each an open file: what an agent deletes at its end can still be read. */
const FILES_MAX = 64
const DOCUMENTS_MAX = 64
const DOCUMENT_BYTES_MAX = 64 * 1024
/** Of a file that was there before the session (a resumed dialogue), what is looked through for records of now. */
const BACKLOG_MAX = 8 * 1024 * 1024
/** Positions of an earlier intake that are remembered. */
const POSITIONS_MAX = 1024

type Log = { readonly root: Root; readonly fd: number; readonly dev: number; readonly ino: number; readonly tail: Tail; behind: number; told: number }
type Document = { readonly root: Root; stamp: string; claims: readonly Claim[] }

export type Files = {
  /** Looks at a path that may have come, changed or gone. True where a log there may have something to read. */
  look(root: Root, segments: readonly string[], path: string): boolean
  /** Reads the next piece of a log, at most `budget` bytes. */
  pump(path: string, budget: number): { readonly read: number; readonly behind: number }
  /** Logs whose file has grown unnoticed, or was replaced. */
  stale(): readonly string[]
  /** Documents that may have changed or gone unnoticed. */
  documents(): readonly string[]
  followed(): number
  behind(): number
  /** Files whose position has moved without a claim since it was last told. */
  moved(): readonly FilePosition[]
  remember(positions: readonly FilePosition[]): void
  close(roots: readonly Root[]): void
}

export function createFiles(uid: number, counters: Counters, emit: (file: FilePosition, claims: readonly Claim[]) => void): Files {
  const logs = new Map<string, Log>()
  const documents = new Map<string, Document>()
  const positions = new Map<string, FilePosition>()
  const refused = new Map<string, string>()

  /** Once for each file and reason: a FIFO that is looked at every second is one thing that cannot be read. */
  function refuse(path: string, why: Parameters<typeof count>[1]): void {
    if (refused.get(path) === why) return
    if (refused.size > 4096) refused.clear()
    refused.set(path, why)
    count(counters, why)
  }

  function attach(root: Root, segments: readonly string[], path: string): Log | null {
    const opened = openOwn(path, root.real!, uid)
    if (!opened.ok) {
      if (opened.why !== 'absent') refuse(path, opened.why)
      return null
    }
    const { fd, stat } = opened
    if (logs.size >= FILES_MAX && !evict()) {
      closeSync(fd)
      refuse(path, 'files_over_bound')
      return null
    }
    const known = positions.get(path)
    const resumes = known !== undefined && known.dev === stat.dev && known.ino === stat.ino && known.next <= stat.size
    const young = stat.birthtimeMs >= sinceOf(root)
    const from = resumes ? known.next : young ? 0 : Math.max(0, stat.size - BACKLOG_MAX)
    if (!resumes && from > 0) count(counters, 'backlog_skipped')
    const { agent, source } = root
    const tail = createTail({ fd, from, cut: !resumes && from > 0, decoder: () => source.decoder(segments, agent), since: () => BigInt(sinceOf(root)) * 1_000_000n, counters })
    const log: Log = { root, fd, dev: stat.dev, ino: stat.ino, tail, behind: stat.size - from, told: from }
    logs.set(path, log)
    return log
  }

  function drop(path: string, log: Log): void {
    positions.delete(path)
    positions.set(path, { path, dev: log.dev, ino: log.ino, next: log.tail.next })
    if (positions.size > POSITIONS_MAX) positions.delete(positions.keys().next().value!)
    closeSync(log.fd)
    logs.delete(path)
  }

  /** The log that was read longest ago and has nothing unread makes room: it is opened again, where it was, when it grows. */
  function evict(): boolean {
    for (const [path, log] of logs)
      if (log.behind === 0) {
        drop(path, log)
        return true
      }
    return false
  }

  function lookLog(root: Root, segments: readonly string[], path: string): boolean {
    const log = logs.get(path)
    let present: { readonly dev: number; readonly ino: number; readonly mtimeMs: number } | null = null
    try {
      present = statSync(path)
    } catch {
      // Gone, or a loop of links.
    }
    if (log !== undefined) {
      if (present !== null && present.ino === log.ino && present.dev === log.dev) return true
      // Renamed or deleted: the rest of what was open is read before anything else is.
      if (pump(path, BACKLOG_MAX).behind > 0) count(counters, 'backlog_skipped')
      if (present !== null) count(counters, 'rotated')
      drop(path, log)
    }
    if (present === null) return false
    return attach(root, segments, path) !== null
  }

  function lookDocument(root: Root, segments: readonly string[], path: string): void {
    const opened = openOwn(path, root.real!, uid)
    const last = documents.get(path)
    if (!opened.ok) {
      if (opened.why !== 'absent') refuse(path, opened.why)
      else if (last !== undefined) {
        documents.delete(path)
        const claims = root.source.gone(last.claims)
        counters.claims += claims.length
        emit({ path, dev: 0, ino: 0, next: 0 }, claims)
      }
      return
    }
    try {
      const { stat, fd } = opened
      const stamp = `${stat.ino} ${stat.size} ${stat.mtimeMs}`
      if (last?.stamp === stamp) return
      if (last === undefined && documents.size >= DOCUMENTS_MAX) {
        refuse(path, 'files_over_bound')
        return
      }
      if (stat.size > DOCUMENT_BYTES_MAX) {
        refuse(path, 'document_too_large')
        return
      }
      const bytes = Buffer.alloc(stat.size)
      const got = readSync(fd, bytes, 0, bytes.length, 0)
      counters.bytes += got
      // Opened between its making and its writing: the next change tells.
      if (got === 0) return
      const decoded = root.source.document(segments, root.agent, bytes.toString('utf8', 0, got))
      if (!decoded.ok) {
        refuse(path, decoded.why)
        return
      }
      const told = new Set(last?.claims.map(({ id }) => id))
      const fresh = decoded.claims.filter(({ id }) => !told.has(id))
      documents.set(path, { root, stamp, claims: decoded.claims })
      counters.claims += fresh.length
      if (fresh.length > 0) emit({ path, dev: stat.dev, ino: stat.ino, next: 0 }, fresh)
    } catch {
      refuse(path, 'open_failed')
    } finally {
      closeSync(opened.fd)
    }
  }

  function pump(path: string, budget: number): { readonly read: number; readonly behind: number } {
    const log = logs.get(path)
    if (log === undefined) return { read: 0, behind: 0 }
    const { read, behind, claims } = log.tail.pump(budget)
    log.behind = behind
    // Moved to the end: the first in the map is the one read longest ago.
    logs.delete(path)
    logs.set(path, log)
    if (claims.length > 0) {
      log.told = log.tail.next
      emit({ path, dev: log.dev, ino: log.ino, next: log.tail.next }, claims)
    }
    return { read, behind }
  }

  return {
    look(root, segments, path) {
      if (root.real === null) return false
      const place = placeOf(root, segments)
      if (place === 'document') lookDocument(root, segments, path)
      return place === 'log' && lookLog(root, segments, path)
    },
    pump,
    stale() {
      const found: string[] = []
      for (const [path, { dev, ino, tail }] of logs) {
        try {
          const stat = statSync(path)
          if (stat.ino !== ino || stat.dev !== dev || stat.size !== tail.scanned) found.push(path)
        } catch {
          found.push(path)
        }
      }
      return found
    },
    documents: () => [...documents.keys()],
    followed: () => logs.size,
    behind() {
      let total = 0
      for (const { behind } of logs.values()) total += behind
      return total
    },
    moved() {
      const found: FilePosition[] = []
      for (const [path, log] of logs)
        if (log.tail.next !== log.told) {
          log.told = log.tail.next
          found.push({ path, dev: log.dev, ino: log.ino, next: log.tail.next })
        }
      return found
    },
    remember(files) {
      for (const file of files.slice(-POSITIONS_MAX)) positions.set(file.path, file)
    },
    close(roots) {
      for (const [path, log] of logs) if (roots.includes(log.root)) drop(path, log)
      for (const [path, { root }] of documents) if (roots.includes(root)) documents.delete(path)
    },
  }
}

/** Whether a file or folder has changed since the sessions of this root began. */
export const fresh = (root: Root, mtimeMs: number): boolean => mtimeMs >= sinceOf(root) - SLACK_MS
