import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, linkSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { need, onPath } from '../../test/support/need.ts'
import { tempFolder } from '../../test/support/temp.ts'
import { openOwn } from './open.ts'

const home = realpathSync(tempFolder('open'))
const root = join(home, '.agent')
mkdirSync(join(root, 'sub'), { recursive: true })
mkdirSync(join(home, 'elsewhere'))
const uid = process.getuid!()
const why = (path: string): string => {
  const opened = openOwn(path, root, uid)
  if (!opened.ok) return opened.why
  closeSync(opened.fd)
  return 'ok'
}

test('only a regular file of the user below the root is opened', () => {
  writeFileSync(join(root, 'sub/a'), 'x')
  writeFileSync(join(home, 'elsewhere/b'), 'x')
  assert.equal(why(join(root, 'sub/a')), 'ok')
  assert.equal(why(join(root, 'sub')), 'not_regular')
  assert.equal(why(join(root, 'none')), 'absent')
  assert.equal(why(join(root, 'sub/a/none')), 'open_failed')
  symlinkSync('../elsewhere/b', join(root, 'link'))
  assert.equal(why(join(root, 'link')), 'outside')
  symlinkSync('../elsewhere', join(root, 'folder'))
  assert.equal(why(join(root, 'folder/b')), 'outside')
  assert.equal(why(join(root, '../elsewhere/b')), 'outside')
  symlinkSync('/dev/zero', join(root, 'zero'))
  assert.equal(why(join(root, 'zero')), 'outside')
})

test('a FIFO is refused at once, without waiting for its writer', { skip: onPath('mkfifo') === null && 'needs mkfifo' }, () => {
  execFileSync('mkfifo', [join(root, 'fifo')])
  assert.equal(why(join(root, 'fifo')), 'not_regular')
})

test("another user's file is refused, also by its hard link", need('root'), () => {
  writeFileSync(join(home, 'elsewhere/theirs'), 'x')
  chownSync(join(home, 'elsewhere/theirs'), 64_002, 64_002)
  linkSync(join(home, 'elsewhere/theirs'), join(root, 'theirs'))
  assert.equal(why(join(root, 'theirs')), 'not_own')
})
