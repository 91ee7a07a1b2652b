const SECOND = 1_000_000_000n

/** What is over waits that long for what the agent says of it: transcripts are written 0.1 to 5 s after the act (DESIGN 2). */
export const GRACE_NS = 8n * SECOND
/** An ended process of a tree that goes on waits no longer than that. */
export const AFTER_EXIT_NS = 30n * SECOND
/** What still runs that long after the turn that the agent declared over is settled as truncated, as without claims. */
export const TURN_OVER_NS = 30n * SECOND
/** Between what an agent's record says of a time and what the kernel saw: agents write times in milliseconds, some compute a start from a duration. */
export const SLACK_NS = 2n * SECOND
/** What was decided without a claim is remembered that long, for claims that come late. */
export const LATE_NS = 600n * SECOND
/** Claims of a conversation that no process showed to be its own are kept that long. */
export const UNBOUND_NS = 60n * SECOND
/** Turns and grace are looked at that often; nothing here is due more precisely. */
export const LOOK_NS = SECOND / 5n

/** Settled processes held, in a session and in all. Beyond it they are told without turn and tool call (a span they would not get anyway: a turn has 1,000). */
export const HELD_MAX = 8_192
export const HELD_TOTAL = 32_768
/** Calls of a session without a decision. A turn has some hundreds. */
export const CALLS_MAX = 4_096
/** Spans of tool calls in a turn; with the 1,000 of its processes a trace stays below 2,000. */
export const CALL_SPANS_MAX = 900
/** File accesses of an agent's own program that are remembered, for the file tools that it carries out itself. Its start-up opens about 1,000 files. */
export const ACTS_MAX = 8_192
/** Connections of an agent's own program that are remembered for their turn. */
export const CONNECTS_MAX = 4_096
/** Rows of processes whose span others may hang on. */
export const ROWS_MAX = 8_192
/** Turns of a session that are remembered, ended ones included: processes of old turns may still run. */
export const TURNS_MAX = 512
export const LATE_MAX = 256
export const CONVERSATIONS_MAX = 4_096
/** Claims that wait for their session, of a conversation and in all. */
export const WAITING_MAX = 4_096
export const WAITING_TOTAL = 16_384
