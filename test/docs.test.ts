import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { need } from './support/need.ts'
import { commandLine, root } from './support/spoor.ts'
import { tempFolder } from './support/temp.ts'

const pages = ['README.md', 'ARCHITECTURE.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'))
const scripts: Record<string, string> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts

/** Lines of the fenced `sh` blocks. */
const commandsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```sh\n(.*?)^```/gms)].flatMap((match) => match[1]!.split('\n')).filter((line) => line.trim() !== '')
const all = [...new Set(pages.flatMap(commandsOf))]

test('links between the pages lead somewhere', () => {
  for (const page of pages) {
    for (const [, target] of readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      assert.ok(existsSync(join(root, page, '..', target!)), `${page} links to ${target}`)
    }
  }
})

test('every npm script that a page names exists', () => {
  for (const page of pages) {
    for (const [, name] of readFileSync(join(root, page), 'utf8').matchAll(/npm run ([a-z:]+)/g)) assert.ok(name! in scripts, `${page}: npm run ${name}`)
  }
  assert.ok('start' in scripts && 'test' in scripts)
})

test('every command of the pages works as written', { ...need('root', 'ebpf', 'unshare'), timeout: 180_000 }, () => {
  const folder = tempFolder('docs')
  const bin = join(folder, 'spoor')
  const [node, main] = commandLine([])
  writeFileSync(bin, `#!/bin/sh\nexec ${node} ${main} "$@"\n`)
  chmodSync(bin, 0o755)
  // In a mount namespace where /var/lib is empty: the pages use the default state directory.
  const inside = (script: string): { status: number | null; output: string } => {
    const done = spawnSync('unshare', ['--mount', '/bin/sh', '-c', `mount --make-rprivate / && mount -t tmpfs docs /var/lib && cd ${root} && ${script}`], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: folder, CI: process.env['CI'] ?? '' },
    })
    return { status: done.status, output: `${done.stdout}${done.stderr}` }
  }
  const observer = (command: string): string =>
    `${command} > /dev/null 2>${folder}/observer.log & observer=$!; trap 'kill -TERM $observer 2> /dev/null' EXIT; for i in $(seq 100); do spoor status --json > /dev/null && break; sleep 0.1; done; spoor status > /dev/null || { cat ${folder}/observer.log; exit 90; }`
  const stop = 'kill -TERM $observer; wait $observer'

  const long = all.filter((line) => /^(spoor run|npm start)/.test(line))
  const readers = all.filter((line) => line.startsWith('spoor ') && !long.includes(line))
  const npm = all.filter((line) => !readers.includes(line) && !long.includes(line))
  assert.ok(long.length > 0 && readers.length > 5)
  for (const line of npm) assert.match(line, /^npm (test|run (check|lint))$/, `${line}: not run here, because it runs this`)
  for (const line of long) {
    // `npm` itself does not pass SIGTERM on; the observer notices that its parent has gone.
    const done = inside(
      `${observer(line)}; ${line.startsWith('npm') ? 'kill -TERM $observer; for i in $(seq 100); do spoor status --json > /dev/null || exit 0; sleep 0.1; done; exit 91' : stop}`,
    )
    assert.equal(done.status, 0, `${line}: ${done.output}`)
  }
  const session = 'SESSION=$(spoor sessions --json | sed -n \'s/.*"sessions":\\[{"id":"\\([0-9a-f]*\\)".*/\\1/p\')'
  const body = readers
    .map((line) => line.replaceAll('SESSION', '$SESSION'))
    .map((line) =>
      line.includes('--follow')
        ? `timeout --preserve-status -s INT 2 ${line} > /dev/null || exit 92`
        : `${line} > ${folder}/out 2>&1 || { echo "failed: ${line.replaceAll(/["'$]/g, '')}"; cat ${folder}/out; exit 93; }`,
    )
  const done = inside(
    `${observer('spoor run')}; spoor record -- /bin/true 2>/dev/null || exit 94; sleep 0.5; ${session}; [ -n "$SESSION" ] || exit 95; ${body.join('; ')}; ${stop}`,
  )
  assert.equal(done.status, 0, done.output)
})
