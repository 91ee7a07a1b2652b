import { coding } from './coding.ts'
import { mixed } from './mixed.ts'
import type { Scenario } from './scenario.ts'
import { swarm } from './swarm.ts'

export const SCENARIOS: readonly Scenario[] = [coding, swarm, mixed]
