/**
 * One agent as the catalogue knows it. Data, so that adding an agent is adding a file of a dozen lines.
 * All names are matched against paths the kernel gave (the executable, the path passed to execve, the script in argv, a file opened), never against comm.
 */
export type AgentEntry = {
  /** `gen_ai.agent.name`. */
  readonly name: string
  /** npm packages whose code is the agent. `x` also covers its platform packages `x-linux-x64`, `x-darwin-arm64`, ... */
  readonly packages: readonly string[]
  /** Basenames of the agent's native executable. */
  readonly natives: readonly string[]
  /** Globs of the native executable outside npm, for names that say nothing (`versions/2.1.328`). */
  readonly exes: readonly string[]
  /** Names it is called by: basenames of argv[0], of the path passed to execve, of a script. They make a process a suspect, not an agent. */
  readonly bins: readonly string[]
  /** Environment variables that the agent sets or reads and that say something about a session. Exact names, at most 32 bytes, never secrets. */
  readonly environment: readonly string[]
  /** Set for every command of a tool call and only there; its value is the agent's own tool call id. */
  readonly toolCallVariable?: string
  /** Who can read what it says of itself: an id in src/intake. Absent: it makes no claims, and is settled at once. */
  readonly claims?: 'claude-transcript' | 'codex-transcript'
  /** Set by the agent for a tool's shell: its own id of the dialogue. A hint until it is found to be this session's (children can set what they like). */
  readonly conversationVariables?: readonly string[]
  /** Version in the executable's path: the text behind this folder name. */
  readonly versionFolder?: string
  /** A person's own entry: every field given must match. */
  readonly custom?: CustomAgent
}

/** As in the configuration (`AgentConfig` of src/config). `exe` and `script` are globs, `args` is part of one argument. */
export type CustomAgent = {
  readonly name: string
  readonly exe?: string
  readonly script?: string
  readonly package?: string
  readonly args?: string
  readonly candidates?: readonly string[]
}
