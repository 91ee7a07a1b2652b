import type { Declared } from '../../src/demo/declared.ts'
import type { Asked } from './model/server.ts'

/** What the model asked for and got a result of, in the words that `compare` knows. */
export function declaredBy(asked: readonly Asked[]): readonly Declared[] {
  return asked
    .filter((call) => call.result !== null)
    .flatMap(({ id, tool, steps, result }) =>
      steps.map((step) => {
        const common = { id, url: null, failed: result?.isError ?? null }
        if (step.kind === 'shell') return { ...common, tool, command: step.command, path: null }
        // A CLI without a tool for reading is asked for `cat`.
        const inShell = step.kind === 'read' && tool !== 'Read'
        return inShell ? { ...common, tool, command: `cat '${step.path}'`, path: null } : { ...common, tool, command: null, path: step.path }
      }),
    )
}
