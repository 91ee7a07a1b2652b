const SECOND = 1_000_000_000n

/** Start-up ends then at the latest; so does waiting for the first tool call (DESIGN 1). */
export const STARTUP_NS = 10n * SECOND
/** A silence of that length (no exec, no connect) ends a turn. */
export const GAP_NS = 120n * SECOND
/** What still runs that long after its turn has ended is settled as truncated. */
export const TRUNCATE_NS = 30n * SECOND
/** An ended process waits that long for its descendants before it is settled. */
export const WAIT_NS = 30n * SECOND
/** An exit is reported before the kernel closes the sockets: their byte counts follow within microseconds, unless the peer keeps silent. */
export const DRAIN_NS = 2n * SECOND
/** How long a suspect may take to open a file of the agent's package. Node does so within 0.1 s. */
export const HOLD_NS = 5n * SECOND
/** Late words about a process: orders that were under way. Its rows weigh: at 3,300 exits/s five seconds of them were 14 MB. */
export const LINGER_NS = SECOND
/** Where the agent makes claims: they are read up to 5 s late. */
export const CLAIM_LINGER_NS = 5n * SECOND
/** Sockets that outlive their process (a silent peer): Linux gives up on FIN_WAIT2 after 60 s. */
export const SOCKET_LINGER_NS = 65n * SECOND
/** After the agent's end: what then still runs has outlived it. A shell that ends with its agent takes a few ms. */
export const OUTLIVE_NS = SECOND
/** Sweeps look at all sessions; nothing here is due more precisely than that. */
export const SWEEP_NS = SECOND / 10n

/** Process spans of a turn (and of the session's own trace); the rest is counted on the tool call's span. */
export const SPANS_MAX = 1_000
export const SESSIONS_MAX = 4_096
/** As many as lineage has rows, live and ended. */
export const STANDINGS_MAX = 131_072
export const HOLDS_MAX = 1_024
/** A suspect that did that much without a file of the agent's package is none. gemini-cli opens its package's after about 40. */
export const HOLD_ITEMS_MAX = 2_048
export const HELD_ITEMS_MAX = 16_384
/** Open sockets a process is waited for; more are counted, not waited for. */
export const SOCKETS_MAX = 1_024
/** Children forked before their parent's first exec. */
export const EARLY_MAX = 64
/** Named in `session.end`; more are counted. */
export const OUTLIVED_MAX = 16
export const RECENT_MAX = 256
export const RELEASES_MAX = 256
export const SEEDS_MAX = 131_072
