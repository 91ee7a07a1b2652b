// biome-ignore-start lint/style/noRestrictedImports: the one file that names sources of claims, as src/observer/sensors.ts names sensors (DESIGN 9).
import { claudeTranscript } from '../../collectors/claude-transcript/index.ts'
import { codexTranscript } from '../../collectors/codex-transcript/index.ts'
// biome-ignore-end lint/style/noRestrictedImports: see above
import type { ClaimSource } from '../model/claim.ts'

export const SOURCES: readonly ClaimSource[] = [claudeTranscript, codexTranscript]

/** Who reads what this agent writes about itself; null: nobody in this version. */
export const sourceOf = (agent: string): ClaimSource | null => SOURCES.find((source) => source.agents.includes(agent)) ?? null

/** Names of environment variables that say where agents write. Paths, no secrets: `HOME` is the user's own word for where their files are. */
export const CLAIM_ENVIRONMENT: readonly string[] = ['HOME', ...SOURCES.flatMap((source) => source.environment)]
