import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatches, packageOf, resolvePath } from './paths.ts'
import { scriptOf } from './script.ts'

test('globs: one level, any level, one byte', () => {
  const yes: [string, string][] = [
    ['/opt/*/agent', '/opt/acme/agent'],
    ['/opt/**/agent', '/opt/a/b/c/agent'],
    ['/opt/**/agent', '/opt/agent'],
    ['**/cli.js', '/a/b/cli.js'],
    ['**/cli.js', 'cli.js'],
    ['agent-?', '/usr/bin/agent-7'],
    ['/opt/**', '/opt/a/b'],
    ['**/claude/versions/*', '/home/a/.local/share/claude/versions/2.1.328'],
    ['*a*b*', '/x/xaxbx'],
  ]
  const no: [string, string][] = [
    ['/opt/*/agent', '/opt/a/b/agent'],
    ['**/cli.js', '/a/xcli.js'],
    ['agent-?', '/usr/bin/agent-77'],
    ['**/versions/*', '/claude/versions/2/3'],
    ['/opt/**/agent', '/opt/xagent'],
    ['agent', '/usr/bin/agents'],
  ]
  for (const [glob, path] of yes) assert.ok(globMatches(glob, path), `${glob} ${path}`)
  for (const [glob, path] of no) assert.ok(!globMatches(glob, path), `${glob} ${path}`)
})

/** The same meaning by recursion: slow, and plain to see. */
function plain(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob.startsWith('**')) {
    for (let i = 0; i <= text.length; i++) if (plain(glob.slice(2), text.slice(i))) return true
    return false
  }
  if (glob[0] === '*') {
    for (let i = 0; i <= text.length && (i === 0 || text[i - 1] !== '/'); i++) if (plain(glob.slice(1), text.slice(i))) return true
    return false
  }
  return text !== '' && (glob[0] === text[0] || (glob[0] === '?' && text[0] !== '/')) && plain(glob.slice(1), text.slice(1))
}

test('globs without the `**/` shorthand mean what a plain recursion says', () => {
  const letter = fc.constantFrom('a', 'b', '/')
  const glob = fc.array(fc.oneof(letter, fc.constantFrom('*', '**', '?')), { maxLength: 7 }).map((parts) => parts.join('').replace(/\*{3,}/g, '**'))
  fc.assert(
    fc.property(glob, fc.string({ unit: letter, maxLength: 8 }), (pattern, path) => {
      fc.pre(pattern.includes('/') && !/(?:^|\/)\*\*\//.test(pattern))
      assert.equal(globMatches(pattern, path), plain(pattern, path))
    }),
    { numRuns: 2000 },
  )
})

test('a hostile path costs no more than its square', () => {
  const begun = performance.now()
  globMatches('**a*a*a*a*a*a*a*a*b', 'a'.repeat(4096))
  assert.ok(performance.now() - begun < 1000)
})

test('packages by path, platform packages as well', () => {
  assert.equal(packageOf('/x/node_modules/@openai/codex-linux-arm64/vendor/bin/codex', ['@openai/codex']), '@openai/codex-linux-arm64')
  assert.equal(packageOf('/x/node_modules/.pnpm/a@1/node_modules/@openai/codex/bin/codex.js', ['@openai/codex']), '@openai/codex')
  assert.equal(packageOf('/x/node_modules/@openai/codex-sdk/index.js', ['@openai/codex']), null)
  assert.equal(packageOf('/x/node_modules/@openai/codex', ['@openai/codex']), null)
})

test('paths as written are joined to the working directory', () => {
  assert.equal(resolvePath('/work', 'a/../b/./c.js'), '/work/b/c.js')
  assert.equal(resolvePath('/work', '/x/y'), '/x/y')
  assert.equal(resolvePath('/', '../../x'), '/x')
})

test('the script in an argv', () => {
  assert.equal(scriptOf(['node', '--max-old-space-size=1', '-r', './x.cjs', 'cli.js', '-p']), 'cli.js')
  assert.equal(scriptOf(['node', '-e', '1', 'x.js']), null)
  assert.equal(scriptOf(['node', '--', '-x.js']), '-x.js')
  assert.equal(scriptOf(['bun', 'run', 'x.ts']), 'x.ts')
  assert.equal(scriptOf(['python3', '-m', 'agent']), null)
  assert.equal(scriptOf(['node']), null)
})
