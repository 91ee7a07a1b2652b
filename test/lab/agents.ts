import type { Program } from './install.ts'
import type { Place } from './scenarios/scenario.ts'

export type Invocation = {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Settings, by path. */
  readonly files: Readonly<Record<string, string>>
  /** The agent's own state, which is nobody's work. */
  readonly configDir: string
}
export type LabAgent = { readonly program: Program; readonly invoke: (place: Place & { readonly model: string; readonly prompt: string; readonly root: boolean }) => Invocation }

/** Headless, approvals off, the vendor's telemetry and updates off, the model on loopback. */
const claude: LabAgent = {
  program: 'claude',
  invoke: ({ home, model, prompt, root }) => ({
    args: ['-p', prompt, '--dangerously-skip-permissions', '--output-format', 'json'],
    environment: {
      ANTHROPIC_BASE_URL: model,
      ANTHROPIC_API_KEY: 'no-key-in-the-lab',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      // Without it the CLI refuses to skip permissions as root.
      ...(root ? { IS_SANDBOX: '1' } : {}),
    },
    files: {},
    configDir: `${home}/.claude`,
  }),
}

const codexWith = (name: string): LabAgent => ({
  program: 'codex',
  invoke: ({ home, work, model, prompt }) => ({
    args: ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', '--disable', 'plugins', '--json', prompt],
    environment: { LAB_KEY: 'no-key-in-the-lab' },
    files: {
      [`${home}/.codex/config.toml`]: `model = "${name}"
model_provider = "lab"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.lab]
name = "lab"
base_url = "${model}/v1"
env_key = "LAB_KEY"
wire_api = "responses"

[projects."${work}"]
trust_level = "trusted"
`,
    },
    configDir: `${home}/.codex`,
  }),
})

/** Codex knows its tools by the model's name: gpt-5.5 calls each, gpt-6-sol writes programs that do (code mode). */
export const LAB_AGENTS: Readonly<Record<string, LabAgent>> = { claude, codex: codexWith('gpt-5.5'), 'codex-codemode': codexWith('gpt-6-sol') }
