import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { folderOf, joinPath } from './paths.ts'

test('a name is joined below its folder, and folded', () => {
  for (const [folder, name, path] of [
    ['/home/ann', 'a.txt', '/home/ann/a.txt'],
    ['/home/ann', '/etc/passwd', '/etc/passwd'],
    ['/', 'etc', '/etc'],
    ['/home/ann', '', '/home/ann'],
    ['/home/ann', '../bob//./x', '/home/bob/x'],
    ['/home', '../../../..', '/'],
    ['/home', '.git/..hidden', '/home/.git/..hidden'],
    ['/home', 'x/', '/home/x'],
    ['/', '', '/'],
    // The folder is not known: nothing is made up.
    ['', 'a/../b', 'b'],
    ['', '../b', '../b'],
    ['', '../../b', '../../b'],
    ['', '', ''],
  ] as const)
    assert.equal(joinPath(folder, name), path, `${folder} + ${name}`)
})

test('it agrees with path.posix.join', () => {
  const part = fc.constantFrom('a', '.', '..', '', '.b', 'c..', ' ')
  const name = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('/'))
  fc.assert(
    fc.property(name, (relative) => {
      fc.pre(!relative.startsWith('/') && relative !== '')
      const expected = posix.join('/x/y', relative)
      assert.equal(joinPath('/x/y', relative), expected.length > 1 ? expected.replace(/\/$/, '') : expected)
    }),
  )
})

test('the folder of a path', () => {
  assert.deepEqual(['/a/b', '/a', 'a', ''].map(folderOf), ['/a', '/', '', ''])
})
