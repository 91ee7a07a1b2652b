import type { Claim } from '../model/claim.ts'
import type { BootNs } from '../model/observation.ts'
import { createMachine, type Machine, type Proc } from '../sessions/machine.fixture.ts'

export const CONVERSATION = '0f8fad5b-d9cb-469f-a165-70867728950e'
const CLAUDE = '/opt/npm/node_modules/@anthropic-ai/claude-code/bin/claude.exe'
const CODEX = '/opt/npm/node_modules/@openai/codex-linux-x64/vendor/x/bin/codex'

/** Of each member of the union: what differs from claim to claim. */
type Particular<C> = C extends Claim ? Omit<C, 'source' | 'agent' | 'conversation' | 'order' | 'at'> : never
type Call = Extract<Claim, { kind: 'tool_call' }>

/** An agent in a machine, with a pen: writes claims at the present time, `deliver` hands over what has been written `delayMs` ago. */
export function createAgent(
  options: {
    readonly agent?: 'claude-code' | 'codex'
    readonly machine?: Machine
    readonly conversation?: string
    readonly delayMs?: number
    readonly onActivity?: (a: never) => unknown
  } = {},
) {
  const agent = options.agent ?? 'claude-code'
  const m = options.machine ?? createMachine({ claims: true, ...(options.onActivity && { onActivity: options.onActivity as never }) })
  const conversation = options.conversation ?? CONVERSATION
  const exe = agent === 'codex' ? CODEX : CLAUDE
  const proc = m.exec(m.newcomer(), { exe, args: [agent === 'codex' ? 'codex' : 'claude'], cwd: '/work' })
  const written: { readonly claim: Claim; readonly at: BootNs }[] = []
  let order = 0
  let turnId: string | null = null
  let calls = 0

  const self = {
    m,
    proc,
    conversation,
    written,
    write(claim: Particular<Claim>, at: BootNs = m.now): void {
      written.push({ claim: { source: 'test', agent, conversation, order: order++, at, ...claim } as Claim, at: m.now })
      self.deliver()
    },
    /** What the intake has read by now. */
    deliver(all = false): void {
      const due: Claim[] = []
      while (written.length > 0 && (all || written[0]!.at + BigInt(options.delayMs ?? 0) * 1_000_000n <= m.now)) due.push(written.shift()!.claim)
      if (due.length > 0) m.claim(1000, ...due)
    },
    /** Moves time in small steps, reading as it goes. */
    wait(ms: number, step = 100): void {
      for (let left = ms; left > 0; left -= step) {
        m.wait(Math.min(step, left), step)
        self.deliver()
      }
    },
    register(): void {
      self.write({ kind: 'registry', id: 'r', pid: proc.task.pid, startTicks: proc.task.startTicks, pidNamespace: null, cwd: '/work', version: '2.1' })
    },
    prompt(id: string, length = 10): void {
      turnId = id
      self.write({ kind: 'prompt', id: `u-${id}`, sha256: 'a'.repeat(64), length, turnId })
    },
    endTurn(): void {
      self.write({ kind: 'end', id: `e-${turnId}`, scope: 'turn', reason: 'end_turn', turnId })
    },
    declare(
      tool: string,
      what: { readonly command?: string; readonly paths?: readonly string[]; readonly program?: boolean; readonly parentId?: string; readonly id?: string } = {},
    ): string {
      const id = what.id ?? `call_${calls++}`
      const claim: Particular<Call> = {
        kind: 'tool_call',
        id,
        tool,
        command: what.command === undefined ? null : { head: what.command, total: what.command.length },
        program: what.program ?? false,
        paths: what.paths ?? [],
        cwd: '/work',
        inputSha256: 'b'.repeat(64),
        parentId: what.parentId ?? null,
        turnId,
      }
      self.write(claim)
      return id
    },
    result(id: string, ok = true, exitCode: number | null = null, running = false): void {
      self.write({ kind: 'tool_result', id, ok, exitCode, bytes: 1, running, turnId })
    },
    /** The shell that the agent runs for a call. */
    shell(command: string, env: ReadonlyArray<readonly [string, string]> = []): Proc {
      const args =
        agent === 'codex'
          ? ['bash', '-c', command]
          : ['/bin/bash', '-c', `source /h/.claude/shell-snapshots/s.sh && eval '${command.replaceAll("'", `'"'"'`)}' < /dev/null && pwd -P >| /tmp/x`]
      return m.spawn(proc, { exe: '/usr/bin/bash', args, leader: true, env: agent === 'codex' ? env : [['CLAUDE_CODE_SESSION_ID', conversation], ...env] })
    },
    /** Declares a command, runs it (a child of the shell, too), answers. */
    run(command: string, ran: string = command, ms = 20): string {
      const id = self.declare(agent === 'codex' ? 'exec_command' : 'Bash', { command })
      m.pass(5)
      const shell = self.shell(
        ran,
        agent === 'codex'
          ? [
              ['CODEX_TOOL_CALL_ID', id],
              ['CODEX_THREAD_ID', conversation],
            ]
          : [],
      )
      const child = m.spawn(shell, { exe: '/bin/true', args: ['true'] })
      m.pass(ms)
      m.exit(child)
      m.exit(shell)
      m.pass(2)
      self.result(id, true, 0)
      m.pass(30)
      return id
    },
    read(path: string, ok = true): string {
      const id = self.declare('Read', { paths: [path] })
      m.pass(3)
      if (ok) m.open(proc, path)
      m.pass(3)
      self.result(id, ok)
      m.pass(30)
      return id
    },
    writeFile(path: string): string {
      const id = self.declare('Write', { paths: [path] })
      m.pass(3)
      m.open(proc, `${path}.tmp.1`, { access: 'write', created: true })
      m.change(proc, 'rename', `${path}.tmp.1`, path)
      m.pass(3)
      self.result(id)
      m.pass(30)
      return id
    },
    exit(): void {
      m.exit(proc)
    },
    verdicts(): string[] {
      return m.of('tool_call.end').map(({ toolCall, verdict, join }) => `${toolCall.callId ?? '-'} ${toolCall.name} ${verdict} ${join.method}/${join.confidence}`)
    },
  }
  return self
}
