import { COMMANDS, HIDDEN, overview } from './commands.ts'
import { printable } from './printable.ts'
import { print, say } from './say.ts'

// The launcher's: observed agents are not to inherit it.
delete process.env['NODE_COMPILE_CACHE']

function crashed(error: unknown): never {
  if (process.env['SPOOR_DEBUG'] === '1') say(printable(error instanceof Error ? (error.stack ?? error.message) : String(error)).replaceAll('\\n', '\n'))
  else say(`spoor: a bug: ${printable(error instanceof Error ? error.message : String(error))} (SPOOR_DEBUG=1 shows where; please report it)`)
  process.exit(1)
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    print(overview())
    return name === undefined ? 2 : 0
  }
  if (name === '--version') {
    const { version } = await import('./version.ts')
    print(version() + '\n')
    return 0
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]?.load : Object.hasOwn(HIDDEN, name) ? HIDDEN[name] : undefined
  if (load === undefined) {
    say(`spoor: unknown command '${printable(name)}' (spoor --help lists them)`)
    return 2
  }
  return (await load()).main(rest)
}

process.on('uncaughtException', crashed)
const code = await main(process.argv.slice(2)).catch(crashed)
// A look-up still in flight in another thread would keep us here; what had to be printed has been.
process.exit(code)
