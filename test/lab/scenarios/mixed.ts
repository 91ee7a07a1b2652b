import { ordinaryFiles, type Scenario } from './scenario.ts'

/** What makes joining hard: calls at the same time, the same command twice, quotes, a slow one, a failing one, a file of a file tool and of a shell. */
export const mixed: Scenario = {
  name: 'mixed',
  about: 'parallel shell calls, a slow one, a file edit, a failing command, a command repeated, quotes and a here document',
  prompt: 'Look around from several sides, then tidy up the module.',
  files: ordinaryFiles,
  turns: ({ home, work }) => [
    [
      { kind: 'shell', command: 'sleep 0.4; echo first of three' },
      { kind: 'shell', command: 'sleep 0.2; echo second of three' },
      { kind: 'shell', command: 'echo third of three | tr a-z A-Z' },
    ],
    [
      { kind: 'read', path: `${work}/src/round.js` },
      { kind: 'read', path: `${work}/README.md` },
    ],
    [{ kind: 'shell', command: 'sleep 3 && date -u +%Y' }],
    [{ kind: 'edit', path: `${work}/src/round.js`, from: 'exports.name = "round";', to: 'exports.name = "step-round";' }],
    [{ kind: 'shell', command: 'grep -c nothing-like-it README.md' }],
    [{ kind: 'shell', command: 'echo same' }],
    [{ kind: 'shell', command: 'echo same' }],
    [{ kind: 'shell', command: `printf '%s\\n' "it's" 'a "quoted" $HOME' && cat > notes.txt <<'EOF'\nline one\n  $(not run) line two\nEOF` }],
    [{ kind: 'shell', command: `wc -c < ${home}/.aws/credentials; exit 3` }],
  ],
  farewell: 'Looked around and tidied up.',
}
