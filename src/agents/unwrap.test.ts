import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Bytes, bytesOf } from '../model/bytes.ts'
import { unwrapCommand } from './unwrap.ts'

const unwrap = (...args: readonly string[]): string | null => unwrapCommand({ head: args.map(bytesOf), total: args.length })

test('claude-code: the text of eval, quotes taken off', () => {
  const prelude =
    "source /home/ann/.claude/shell-snapshots/snapshot-bash-1795160029238-ptvfw9.sh 2>/dev/null || true && \\builtin shopt -u extglob 2>/dev/null || true && { \\builtin unalias -- 'which'; \\builtin unset -f -- 'which'; } >/dev/null 2>&1 || true"
  const wrap = (quoted: string): string => `${prelude} && eval ${quoted} < /dev/null && pwd -P >| /tmp/claude-a788-cwd`
  assert.equal(unwrap('/bin/bash', '-c', wrap("'node --test'")), 'node --test')
  assert.equal(unwrap('/bin/bash', '-c', wrap(`'echo '"'"'it is'"'"' && ls'`)), "echo 'it is' && ls")
  assert.equal(unwrap('/bin/bash', '-c', wrap("'printf '\\''x'\\'''")), "printf 'x'")
  assert.equal(unwrap('/bin/bash', '-c', wrap('"echo \\"$HOME\\""')), 'echo "$HOME"')
})

test('codex: set-up stage, snapshot stage and the plain shell show the same command', () => {
  const stage =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    "__CODEX_SNAPSHOT_OVERRIDE_SET_0=\"${CODEX_APPLY_PATCH_PRESERVE_LINE_ENDINGS+x}\"\nif . '/home/ann/.codex/shell_snapshots/x.sh' >/dev/null 2>&1; then :; fi\n\nexec '/bin/bash' -c 'cat '\"'\"'/work/a.json'\"'\"''"
  assert.equal(unwrap('/bin/bash', '-c', stage), "cat '/work/a.json'")
  assert.equal(unwrap('/proc/self/exe', '--codex-run-as-process-setup', '48', '15528', 'pipe', '', '/work', '/bin/bash', '/bin/bash', '-c', stage), "cat '/work/a.json'")
  assert.equal(unwrap('/bin/bash', '-c', "cat '/work/a.json'"), "cat '/work/a.json'")
})

test('gemini-cli: between the trap and the exit code', () => {
  const script =
    'shopt -u promptvars nullglob; _bgpids_file=/tmp/gemini-shell-D1/bgpids.tmp\n(\n  trap \'jobs -p > "$_bgpids_file"\' EXIT\ngit init -q .\ngit add -A\n)\n__code=$?\nexit $__code'
  assert.equal(unwrap('/usr/bin/bash', '-c', script), 'git init -q .\ngit add -A')
  assert.equal(unwrap('bash', '-c', '{ npm test; }; __code=$?; pgrep -g 0 >/tmp/x 2>&1; exit $__code;'), 'npm test')
})

test('openclaw: two shells, one eval', () => {
  const inner = "if [ -r '/tmp/o/shell-snapshots/2.sh' ]; then . '/tmp/o/shell-snapshots/2.sh'; fi\nexport PATH='/usr/bin'\neval 'node --test'"
  assert.equal(unwrap('/bin/sh', '-c', 'echo 1000 > /proc/self/oom_score_adj 2>/dev/null; exec "$0" "$@"', '/bin/bash', '--noprofile', '--norc', '-c', inner), 'node --test')
})

test('no prelude, no shell', () => {
  assert.equal(unwrap('/bin/bash', '-l', '-c', 'ls'), 'ls')
  assert.equal(unwrap('bash', '-lc', 'ls', 'zero', 'one'), 'ls')
  assert.equal(unwrap('bash', 'script.sh', '-c', 'x'), null)
  assert.equal(unwrap('git', '-c', 'user.name=x', 'commit'), null)
  assert.equal(unwrap('bash'), null)
  assert.equal(unwrap(), null)
})

test('a text cut in the middle keeps its two ends', () => {
  const head = ['/bin/bash', '-c', 'echo begin '].map(bytesOf)
  assert.equal(unwrapCommand({ head, tail: [bytesOf(' end')], total: 3 }), bytesOf('echo begin … end'))
})

test('never throws, never hangs', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'bash',
      '-c',
      "eval '",
      "\nexec '",
      '_bgpids_file',
      "' EXIT\n",
      '__CODEX_SNAPSHOT_OVERRIDE',
      '&& eval "',
      'shell-snapshots/',
      'exec "$0" "$@"',
      '/proc/self/exe',
      '--',
    ),
  )
  fc.assert(
    fc.property(
      fc.array(
        fc.array(word, { maxLength: 5 }).map((parts) => parts.join('')),
        { maxLength: 8 },
      ),
      fc.boolean(),
      (args, cut) => {
        const bytes = args.map(bytesOf) as Bytes[]
        unwrapCommand(cut ? { head: bytes.slice(0, 3), tail: bytes.slice(3), total: bytes.length } : { head: bytes, total: bytes.length })
      },
    ),
  )
  const begun = performance.now()
  unwrap('bash', '-c', `x shell-snapshots/ && eval ${'\'"'.repeat(1_000_000)}`)
  assert.ok(performance.now() - begun < 2000)
})
