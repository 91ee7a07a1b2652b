import { ordinaryFiles, type Scenario } from './scenario.ts'

const TEST = `const test = require('node:test')
const assert = require('node:assert')
const { round } = require('../src/round.js')

test('rounds to a step', () => assert.equal(round(7.4, 5), 5))
`

export const coding: Scenario = {
  name: 'coding',
  about: 'reads, a new file, an edit, tests run, a commit',
  prompt: 'Add a test for round(), rename what the module calls itself, run the tests and commit.',
  files: ordinaryFiles,
  turns: ({ work }) => [
    [{ kind: 'shell', command: 'ls -la && find . -name "*.js" | sort' }],
    [{ kind: 'read', path: `${work}/README.md` }],
    [{ kind: 'read', path: `${work}/src/round.js` }],
    [{ kind: 'write', path: `${work}/test/round.test.js`, content: TEST }],
    [{ kind: 'edit', path: `${work}/src/round.js`, from: 'exports.name = "round";', to: 'exports.name = "rounding";' }],
    [{ kind: 'shell', command: 'node --test test/*.test.js 2>&1 | tail -12' }],
    [{ kind: 'shell', command: "git init -q . && git add src test README.md && git commit -q -m 'test: cover round' && git log --oneline | cat" }],
  ],
  farewell: 'round() has a test now, and it is committed.',
}
