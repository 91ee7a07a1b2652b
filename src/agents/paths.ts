/** Text in these files is `Bytes` as often as `string`: all separators are ASCII, so both work alike. */
export function basename(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? path : path.slice(slash + 1)
}

/** No glob character in it. */
export const isLiteral = (glob: string): boolean => !glob.includes('*') && !glob.includes('?')

/** Joins a path as a process wrote it to its working directory, and folds `.` and `..`. */
export function resolvePath(cwd: string, path: string): string {
  const whole = path.startsWith('/') ? path : cwd + '/' + path
  if (!whole.includes('/.') && !whole.includes('//')) return whole
  const parts: string[] = []
  for (const part of whole.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return '/' + parts.join('/')
}

/**
 * The package (npm: the `node_modules/<name>` part) of those listed in which `path` lies, or null. Platform packages count as their main one's.
 * Only the path is looked at: package.json belongs to a user, and the observer opens no user's files.
 */
export function packageOf(path: string, packages: readonly string[]): string | null {
  for (const name of packages) {
    const needle = '/node_modules/' + name
    for (let at = path.indexOf(needle); at >= 0; at = path.indexOf(needle, at + 1)) {
      const rest = path.slice(at + needle.length)
      if (rest.startsWith('/')) return name
      const platform = /^-(?:linux|darwin|win32|windows)-[a-z0-9-]{1,32}\//.exec(rest.slice(0, 48))
      if (platform !== null) return name + platform[0].slice(0, -1)
    }
  }
  return null
}

/**
 * Globs: `*` any run without a slash, `**` any run, `?` one byte but a slash. A glob without a slash is compared with the basename.
 * Two-level backtracking, no regular expression: at most length(glob) * length(path)^2 steps on any input, in practice linear.
 */
export function globMatches(glob: string, path: string): boolean {
  const text = glob.includes('/') ? path : basename(path)
  let g = 0
  let t = 0
  let star = -1
  let starAt = 0
  let deep = -1
  let deepAt = 0
  while (t < text.length) {
    if (glob[g] === '*' && glob[g + 1] === '*') {
      deep = g
      deepAt = t
      star = -1
      g += 2
      // `**/x` matches `x` at the front as well.
      if (glob[g] === '/' && (deep === 0 || glob[deep - 1] === '/') && (t === 0 || text[t - 1] === '/')) g++
    } else if (glob[g] === '*') {
      star = g++
      starAt = t
    } else if (g < glob.length && (glob[g] === text[t] || (glob[g] === '?' && text[t] !== '/'))) {
      g++
      t++
    } else if (star >= 0 && text[starAt] !== '/') {
      g = star + 1
      t = ++starAt
    } else if (deep >= 0) {
      star = -1
      g = deep + 2
      t = ++deepAt
      if (glob[g] === '/' && text[t - 1] === '/' && (deep === 0 || glob[deep - 1] === '/')) g++
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}
