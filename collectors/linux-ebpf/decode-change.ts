import type { Bytes } from '../../src/model/bytes.ts'
import type { ChangeOp } from '../../src/model/observation.ts'
import { CHANGE, CHANGE_BYTES, FLAG, OP } from './layout.ts'
import { folderOf, joinPath } from './paths.ts'
import { type Batch, type Each, fileRef, type Head, text } from './record.ts'

const OPS: ReadonlyMap<number, ChangeOp> = new Map([
  [OP.RENAME, 'rename'],
  [OP.UNLINK, 'unlink'],
  [OP.RMDIR, 'rmdir'],
  [OP.MKDIR, 'mkdir'],
  [OP.LINK, 'link'],
  [OP.SYMLINK, 'symlink'],
  [OP.CHMOD, 'chmod'],
  [OP.CHOWN, 'chown'],
  [OP.TRUNCATE, 'truncate'],
])

export function decodeChange(batch: Batch, { seq, boot, task, flags, at, end }: Head, each: Each): boolean {
  const u16 = (offset: number) => batch.u16[(at + offset) >> 1]!
  const op = OPS.get(u16(CHANGE.op))
  if (op === undefined) return false
  let from = at + CHANGE_BYTES
  const take = (bytes: number): Bytes => text(batch, from, (from += bytes))
  const lengths = [CHANGE.change_base_len, CHANGE.change_name_len, CHANGE.target_base_len, CHANGE.target_len].map(u16)
  if (lengths.reduce((sum, bytes) => sum + bytes, from) !== end) return false
  const [base, name, targetBase, target] = lengths.map(take) as [Bytes, Bytes, Bytes, Bytes]
  const path = (flags & FLAG.EXACT) !== 0 ? base : joinPath(base, name)
  const file = fileRef(path, flags, batch.u32[(at + CHANGE.change_dev) >> 2]!, batch.u64[(at + CHANGE.change_ino) >> 3]!)
  const unknown = flags & FLAG.CUT
  each({
    sensor: 'linux-ebpf',
    seq,
    boot,
    task,
    fidelity: 'exact',
    kind: 'change',
    op,
    file,
    ...(op === 'rename' || op === 'link' ? { target: fileRef(joinPath(targetBase, target), unknown, 0, 0n) } : {}),
    // A symbolic link's text means a path below the link's own folder.
    ...(op === 'symlink' ? { target: fileRef(joinPath(folderOf(path), target), unknown, 0, 0n) } : {}),
    ...(op === 'chmod' || op === 'mkdir' ? { mode: u16(CHANGE.mode) } : {}),
    result: batch.i32[(at + CHANGE.change_result) >> 2]!,
  })
  return true
}
