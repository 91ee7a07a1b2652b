/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The filter, the counters, the scratch memory, and the way into the ring. */

#define TICK_NS 10000000ull /* USER_HZ is 100 on both architectures */
#define STALE_NS 600000000000ull /* without a heartbeat for so long nobody will read: DESIGN 3 */
#define PATH_BOUND 4096
#define ROOM 128 /* before the path, for the header and the fields of an open */
#define PATH_END (ROOM + PATH_BOUND)
#define PATH_MASK 8191 /* a position is masked with it for the verifier; greater than PATH_END */
#define NAME_BOUND 4096

/* Clamps for the verifier: clang tests 32-bit bounds on a copy and the verifier loses them, so lengths are u64 and tested in assembly. */
#define CLAMP(value, bound) asm volatile("if %0 < %1 goto +1\n%0 = %1" : "+r"(value) : "i"(bound))
#define REGISTER(value) asm volatile("" : "+r"(value))

/* What a program says about a system call before it calls the function that all programs of its kind share. */
struct call {
  s64 result;
  s64 folder; /* descriptor, or AT_FDCWD */
  u64 name;   /* of the caller */
  s64 target_folder;
  u64 target;
  u64 flags; /* open */
  u32 op;
  u32 mode;
  u32 follows; /* the call goes where `name` leads, should that be a symbolic link */
};

/*
 * A path is walked from its end to its root, so it is written backwards from PATH_END. The header goes in front of it, 8-aligned, and a name
 * that user space will join goes behind it. Positions live here and not in registers, or the verifier would follow each of their values.
 */
struct scratch {
  struct call call;
  u64 tick;
  u64 recent; /* boot time at the beginning of this tick */
  u32 stale;
  u32 busy; /* tracepoint programs are not preempted today; should a kernel do so, the second one is counted as lost, not mixed with the first */
  u32 at;
  u32 flags;
  u32 name_len;
  u64 mount;
  u64 dentry;
  u64 ino; /* of the descriptor that a name stands for */
  u32 dev;
  u32 parsed; /* how far a name has been parsed */
  char bytes[PATH_END + PATH_BOUND + NAME_BOUND + ROOM]; /* more than is used: the verifier adds the greatest start to the greatest length */
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline u64 bits_of(u32 pid) {
  return (bits[(pid >> 5) & (BITS_WORDS - 1)] >> ((pid & 31) * 2)) & 3;
}

/* 0 nobody's, 1 reported, 2 self. All a program does for a process that is not ours. */
static __always_inline u64 mine(void) {
  return bits_of(current_task()->tgid);
}

static __always_inline void set_bits(u32 pid, u64 value) {
  u64 *word = &bits[(pid >> 5) & (BITS_WORDS - 1)];
  u32 shift = (pid & 31) * 2;
  if (value != 3) __sync_fetch_and_and(word, ~((3 ^ value) << shift));
  if (value) __sync_fetch_and_or(word, value << shift);
}

static __always_inline void count(u32 kind, u32 term, u64 n) {
  u32 key = kind * TERMS + term;
  u64 *counter = bpf_map_lookup_elem(&counters, &key);
  /* Atomic, although per CPU: a softirq may come between load and store. */
  if (counter) __sync_fetch_and_add(counter, n);
}

static __always_inline struct control *controls(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline int stale(u64 now) {
  struct control *c = controls();
  return c && c->heartbeat_boot_ns && now > c->heartbeat_boot_ns && now - c->heartbeat_boot_ns > STALE_NS;
}

/* Counts one observation and says whether to go on with it: who as in mine(). */
static __always_inline int admitted(u32 kind, u64 who, int is_stale) {
  count(kind, TERM_OBSERVED, 1);
  if (who != 1) {
    count(kind, TERM_FILTERED_SELF, 1);
    return 0;
  }
  if (is_stale) {
    count(kind, TERM_FILTERED_STALE, 1);
    return 0;
  }
  return 1;
}

static __always_inline struct scratch *acquired(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&scratches, &zero);
}

/*
 * Counts one observation of the current process; 1: it is to be reported, and the scratch memory is taken. The clock costs 40 ns, a tenth of what an open
 * may: here it is read once a tick (10 ms at most), which is enough for the heartbeat and for coalesced opens. Records read it again.
 * A global function, which the verifier looks at once.
 */
__noinline int begun(u32 kind, u32 who) {
  struct scratch *s = acquired();
  if (!s) return 0;
  u64 tick = bpf_jiffies64();
  if (s->tick != tick) {
    s->tick = tick;
    s->recent = bpf_ktime_get_boot_ns();
    s->stale = stale(s->recent);
  }
  if (!admitted(kind, who, s->stale)) return 0;
  if (s->busy) {
    count(kind, TERM_LOST_RECURSION, 1);
    return 0;
  }
  s->busy = 1;
  s->at = PATH_END;
  s->flags = 0;
  s->name_len = 0;
  return 1;
}

static __always_inline struct scratch *begin(u32 kind, u64 who) {
  return begun(kind, who) ? acquired() : 0;
}

static __always_inline void finish(struct scratch *s) {
  s->busy = 0;
}

/* -ERESTART*: the call starts again (and is seen again), or user space sees EINTR. */
static __always_inline s64 result_of(s64 result) {
  return result <= -ERESTARTSYS && result >= -516 ? -EINTR : result;
}

static __always_inline u64 ticks_of(struct task_struct *task) {
  return task->group_leader->start_boottime / TICK_NS;
}

static __always_inline void fill_header(struct header *h, u32 kind, u32 flags, u64 size, u64 now) {
  struct task_struct *task = current_task();
  h->type = kind;
  h->flags = flags;
  h->size = size;
  h->boot_ns = now;
  h->tgid = task->tgid;
  h->tid = task->pid;
  h->start_ticks = ticks_of(task);
}

static __always_inline int emitted(u32 kind, void *record, u64 size) {
  if (bpf_ringbuf_output(&ring, record, size, 0)) {
    count(kind, TERM_LOST_RING_FULL, 1);
    return 0;
  }
  count(kind, TERM_DELIVERED, 1);
  return 1;
}
