import { basename } from './paths.ts'

/** Node options (and bun's, python's) whose value is the next argument. Only those an agent's launcher was seen or may be expected to use. */
const WITH_VALUE = new Set(['-r', '--require', '--import', '--loader', '--experimental-loader', '-C', '--conditions', '--title', '--env-file', '--max-old-space-size', '-W', '-X'])
/** The program text is in the arguments: there is no script. `-m` runs a Python module by name. */
const INLINE = new Set(['-e', '--eval', '-p', '--print', '-pe', '-c', '-m', '-'])

const RUNTIME = /^(?:node|nodejs|bun|deno|tsx|ruby|python[\d.]*)$/

export const isRuntime = (exe: string): boolean => RUNTIME.test(basename(exe))

/** The script an interpreter was told to run, as written in argv; null where there is none. */
export function scriptOf(args: readonly string[]): string | null {
  for (let i = 1; i < args.length; i++) {
    const arg = args[i]!
    if (INLINE.has(arg)) return null
    if (arg === '--') return args[i + 1] ?? null
    if (!arg.startsWith('-')) {
      // `bun run FILE`, `deno run FILE`
      if (arg === 'run' && i === 1) continue
      return arg
    }
    if (WITH_VALUE.has(arg)) i++
  }
  return null
}
