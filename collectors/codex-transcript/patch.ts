/** Files that a patch in Codex's own format names, in order: `*** Add File: a`, `*** Update File: b`, `*** Delete File: c`, `*** Move to: d`. */
export function* patchPaths(patch: string): Generator<string> {
  const line = /^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm
  for (let found = line.exec(patch); found !== null; found = line.exec(patch)) yield found[1]!.trim()
}
