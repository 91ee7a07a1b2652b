/**
 * Does `text` match `glob`? `*` and `?` stop at slashes, `**` does not, `~/` at the beginning is anyone's home. No regular expression:
 * a person writes these, and the worst case must stay (length of glob) x (length of text).
 */
export function globMatches(glob: string, text: string): boolean {
  if (glob.startsWith('~/')) {
    const home = /^(?:\/root|\/home\/[^/]+|\/Users\/[^/]+)\//.exec(text)
    return home !== null && globMatches('/' + glob.slice(2), text.slice(home[0].length - 1))
  }
  let g = 0
  let t = 0
  /** Where to go on when the last `*` or `**` takes one character more. */
  let star = -1
  let starAt = 0
  let deep = -1
  let deepAt = 0
  // Followed by a slash: whole folders only, none is enough.
  let deepFolders = false
  for (;;) {
    if (g < glob.length && glob.charCodeAt(g) === ASTERISK) {
      if (glob.charCodeAt(g + 1) === ASTERISK) {
        deepFolders = glob.charCodeAt(g + 2) === SLASH
        g += deepFolders ? 3 : 2
        deep = g
        deepAt = t
        star = -1
      } else {
        star = ++g
        starAt = t
      }
      continue
    }
    if (t < text.length && g < glob.length && (glob.charCodeAt(g) === text.charCodeAt(t) || (glob.charCodeAt(g) === QUESTION && text.charCodeAt(t) !== SLASH))) {
      g++
      t++
      continue
    }
    if (t === text.length && g === glob.length) return true
    if (star >= 0 && starAt < text.length && text.charCodeAt(starAt) !== SLASH) {
      t = ++starAt
      g = star
    } else if (deep >= 0 && deepAt < text.length) {
      deepAt = deepFolders ? text.indexOf('/', deepAt) + 1 : deepAt + 1
      if (deepAt === 0) return false
      t = deepAt
      g = deep
      star = -1
    } else return false
  }
}

const ASTERISK = 0x2a
const QUESTION = 0x3f
const SLASH = 0x2f
