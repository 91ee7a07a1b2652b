import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PLANTED } from './acts.ts'

/** Where the demo agent plays: a temporary home, a temporary project, and a sink on loopback that it may talk to. */
export type Stage = {
  readonly home: string
  readonly work: string
  readonly configDir: string
  readonly sink: string
  /** Body bytes that arrived at the sink. */
  received(): number
  /** What starts the agent: our own program under the agent's name, so that it is recognised as any agent from npm is. */
  readonly command: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  transcript(): string
  close(): Promise<void>
}

export async function openStage(program: string, env: NodeJS.ProcessEnv = process.env): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'spoor-demo-'))
  const home = join(folder, 'home')
  const work = join(folder, 'snow')
  const configDir = join(home, '.claude')
  for (const [base, files] of [[home, PLANTED.home] as const, [work, PLANTED.work] as const])
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(base, name)), { recursive: true })
      writeFileSync(join(base, name), content)
    }
  const named = join(folder, 'node_modules', 'spoor-demo', 'spoor-demo.mjs')
  mkdirSync(dirname(named), { recursive: true })
  symlinkSync(program, named)

  let bytes = 0
  const server = createServer((asked, answer) => {
    asked.on('data', (part: Buffer) => (bytes += part.length))
    asked.on('end', () => answer.end('thank you\n'))
  })
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done))
  const sink = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    home,
    work,
    configDir,
    sink,
    received: () => bytes,
    command: [process.execPath, named, '__demo-agent', work, sink],
    // Nothing of the caller's environment but what programs need to run: the demo is the same everywhere.
    environment: { HOME: home, PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', CLAUDE_CONFIG_DIR: configDir },
    transcript() {
      try {
        const projects = join(configDir, 'projects')
        return readdirSync(projects, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.jsonl'))
          .map((name) => readFileSync(join(projects, name), 'utf8'))
          .join('')
      } catch {
        return ''
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
