/** Columns padded to their widest cell; the last one runs free. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  return rows
    .map(
      (row) =>
        row
          .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - width(cell) + 2)))
          .join('')
          .trimEnd() + '\n',
    )
    .join('')
}

/** Code points, with East Asian wide ones and emoji as two: close enough to keep columns straight. */
function width(text: string): number {
  let columns = 0
  for (const character of text) columns += WIDE.test(character) ? 2 : MARK.test(character) ? 0 : 1
  return columns
}
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const MARK = /\p{M}/u
