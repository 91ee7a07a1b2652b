import { writeFileSync } from 'node:fs'
import { agentBehaviour } from './agent-behaviour.ts'

export const file = new URL('./agent-behaviour.json', import.meta.url)
export const text = (): string => `${JSON.stringify(agentBehaviour(), null, 2)}\n`

// To be run by hand after a change of the dashboard: node scripts/launch.cjs dashboards/write.ts
if (import.meta.main) writeFileSync(file, text())
