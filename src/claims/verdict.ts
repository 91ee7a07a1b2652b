import type { Join, Verdict } from '../model/session.ts'

export type Judgement = { readonly verdict: Verdict; readonly why: string; readonly join: Join }

const judged = (verdict: Verdict, why: string, method: Join['method'], confidence: Join['confidence']): Judgement => ({ verdict, why, join: { method, confidence } })

/** The agent's id of the call stood in the environment of the tool-root process. `same`: the declared command was run; null: no command was declared. */
export const byId = (same: boolean | null): Judgement =>
  same === false
    ? judged('differs', 'the process of this call ran another command than the declared one', 'environment', 'certain')
    : judged('confirmed', 'a process with the id of this call ran what was declared', 'environment', 'certain')

export const byCommand = judged('confirmed', 'the declared command was run at the declared time', 'command', 'strong')
export const byPath = judged('confirmed', "the agent's own program opened the declared file at the declared time", 'path', 'strong')
/** Nothing but its place in time ties the two together. */
export const byPlace = judged('differs', 'at the place of the declared command another one was run', 'lineage', 'weak')
export const partly = (seen: number, all: number): Judgement => judged('differs', `${seen} of ${all} declared files were accessed`, 'path', 'strong')
export const repeat = judged('not_observable', 'the file had been opened before; the kernel counts further opens, but not when', 'path', 'weak')
export const byChildren = judged('confirmed', 'a program that the agent ran itself; calls that it made were seen', 'environment', 'strong')

export const ambiguous = (candidates: number): Judgement => judged('ambiguous', `${candidates} are equally good`, 'none', 'weak')
export const undeclared = judged('seen_not_declared', 'the agent declared no such call', 'lineage', 'strong')
export const silent = judged('not_observable', 'nothing that this agent says of itself was read', 'lineage', 'strong')
export const unread = (why: string): Judgement => judged('not_observable', `what the agent says of itself could not be read: ${why}`, 'lineage', 'strong')

export const missing = judged('declared_not_seen', 'nothing of the kind was seen', 'none', 'strong')
export const uncovered = (why: string): Judgement => judged('not_observable', `it may have been missed: ${why}`, 'none', 'weak')
export const traceless = judged('not_observable', 'this tool leaves no trace of its own', 'none', 'strong')
export const refused = judged('not_observable', 'by its own record the agent was not allowed to, and nothing was seen', 'none', 'strong')
export const failedBefore = judged('not_observable', 'by its own record it failed, and nothing was seen', 'none', 'strong')
export const unanswered = judged('not_observable', 'no result was claimed, and nothing was seen', 'none', 'weak')
