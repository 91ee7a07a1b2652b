import { runIntake } from './main.ts'

// `spoor __intake` without the command line around it.
process.exit(await runIntake(process.argv.slice(2)))
