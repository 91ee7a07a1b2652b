/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* open: from the exit of the call, where the descriptor gives the file that was really opened. */

/* Header and fields go in front of the path, 8-aligned; the record ends where the name ends. */
static __always_inline int emit_open(struct scratch *s, struct open *fields, u32 flags, u64 now) {
  u64 at = s->at, name = s->name_len;
  REGISTER(at);
  CLAMP(at, PATH_END);
  REGISTER(name);
  CLAMP(name, NAME_BOUND);
  fields->base_len = PATH_END - at;
  fields->name_len = name;
  u64 kept = ~0ull << ((at & 7) * 8);
  at &= ~7ull;
  if (at < ROOM) at = ROOM; /* cannot be, but the verifier does not know */
  *(u64 *)&s->bytes[at] &= kept; /* what stood there before */
  at -= sizeof(struct header) + sizeof(struct open);
  u64 size = PATH_END - at + name;
  REGISTER(size);
  CLAMP(size, PATH_BOUND + NAME_BOUND + ROOM);
  struct header *h = (void *)&s->bytes[at];
  fill_header(h, KIND_OPEN, flags | s->flags, size, now);
  *(struct open *)(h + 1) = *fields;
  return emitted(KIND_OPEN, h, size);
}

#define LOCKED ~0ull

/* A table of no slots, as value for new ones. */
struct slots no_slots;

static __always_inline struct slots *slots_of(u32 tgid) {
  struct slots *table = bpf_map_lookup_elem(&slots, &tgid);
  if (table) return table;
  if (bpf_map_update_elem(&slots, &tgid, &no_slots, BPF_NOEXIST)) return 0;
  return bpf_map_lookup_elem(&slots, &tgid);
}

/* Takes the repeats out of a slot and reports them. The total stays exact, whoever comes between. */
static __always_inline void emit_repeats(struct slot *slot, u64 ino) {
  if (!slot->count) return;
  u64 n = __sync_lock_test_and_set(&slot->count, 0);
  if (!n) return;
  struct {
    struct header header;
    struct open open;
    u64 path[SLOT_PATH / 8];
  } r;
  u64 len = slot->path_len;
  u32 flags = slot->flags | FLAG_REPEATS;
  if (len > SLOT_PATH) {
    len = SLOT_PATH;
    flags |= FLAG_CUT;
  }
  fill_header(&r.header, KIND_OPEN, flags, sizeof(r), slot->last);
  r.open = (struct open){.ino = ino, .dev = slot->dev, .count = n, .base_len = len};
  for (int i = 0; i < SLOT_PATH / 8; i++) {
    s64 before = SLOT_PATH - (s64)len - i * 8;
    r.path[i] = before <= 0 ? slot->path[i] : before < 8 ? slot->path[i] & ~0ull << (before * 8) : 0;
  }
  if (bpf_ringbuf_output(&ring, &r, sizeof(r), 0)) {
    count(KIND_OPEN, TERM_COALESCED, -n);
    count(KIND_OPEN, TERM_LOST_RING_FULL, n);
  } else {
    count(KIND_OPEN, TERM_REPEATS, 1);
  }
}

/* A global function: the verifier looks at it once, not at each of the 64 calls. */
__noinline int flush_slot(u32 tgid, u32 index) {
  struct slots *table = bpf_map_lookup_elem(&slots, &tgid);
  if (!table) return 0;
  struct slot *slot = &table->at[index & (SLOTS - 1)];
  emit_repeats(slot, slot->ino);
  return 0;
}

static __always_inline void flush_slots(u32 tgid) {
  struct slots *table = bpf_map_lookup_elem(&slots, &tgid);
  if (!table) return;
  for (u32 i = 0; i < SLOTS; i++)
    if (table->at[i].count) flush_slot(tgid, i);
  bpf_map_delete_elem(&slots, &tgid);
}

static __always_inline u32 access_flags(u64 flags) {
  u32 mode = flags & O_ACCMODE;
  u32 access = mode == 0 ? FLAG_READ : mode == 1 ? FLAG_WRITE : FLAG_READ | FLAG_WRITE;
  return flags & O_TRUNC && mode ? access | FLAG_TRUNCATED : access;
}

/* Nobody got anything: the caller's own words are all there is. */
static __always_inline void failed_open(struct scratch *s) {
  struct open fields = {.result = result_of(s->call.result), .count = 1};
  /* A link as the last component was not followed: O_EXCL, O_NOFOLLOW, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS. */
  u32 follows = fields.result != -EEXIST && fields.result != -ELOOP;
  u32 flags = read_name(s, s->call.folder, s->call.name, follows);
  if (flags) {
    fields.ino = s->ino;
    fields.dev = s->dev;
  }
  emit_open(s, &fields, flags | access_flags(s->call.flags), bpf_ktime_get_boot_ns());
}

static __always_inline void succeeded_open(struct scratch *s, struct slot *slot, struct facts *f, u32 flags) {
  struct open fields = {.ino = f->ino, .dev = f->dev, .result = s->call.result, .count = 1};
  walk_path(s, f->mnt, f->dentry);
  /* Who finds the slot locked reports without it. Under the lock, so that a path and its key belong together. */
  u64 before = slot ? __sync_lock_test_and_set(&slot->ino, LOCKED) : LOCKED;
  if (before != LOCKED) emit_repeats(slot, before);
  u64 now = bpf_ktime_get_boot_ns();
  int there = emit_open(s, &fields, flags, now);
  if (before == LOCKED) return;
  /* After a record that found no room the slot stays free, so that the next open brings the path. */
  if (there) {
    slot->name = f->name;
    slot->last = now;
    slot->dev = f->dev;
    slot->flags = flags | s->flags;
    slot->path_len = PATH_END - s->at;
    u64 *tail = (u64 *)&s->bytes[PATH_END - SLOT_PATH];
    for (int i = 0; i < SLOT_PATH / 8; i++) slot->path[i] = tail[i];
  }
  __sync_lock_test_and_set(&slot->ino, there ? f->ino : 0);
}

__noinline int opened(void) {
  struct scratch *s = acquired();
  if (!s) return 0;
  struct facts f = {};
  u64 asked = s->call.flags;
  if (s->call.result < 0) {
    if (asked & O_PATH) count(KIND_OPEN, TERM_FILTERED_O_PATH, 1);
    else failed_open(s);
    return 0;
  }
  /* Closed by another thread in the meantime: what the caller said. */
  if (!inspect(s, s->call.result, &f)) {
    failed_open(s);
    return 0;
  }
  if (f.mode & FMODE_PATH) {
    count(KIND_OPEN, TERM_FILTERED_O_PATH, 1);
    return 0;
  }
  u32 flags = f.flags | (f.mode & FMODE_READ ? FLAG_READ : 0) | (f.mode & FMODE_WRITE ? FLAG_WRITE : 0);
  struct slot *slot = 0;
  struct control *c = controls();
  if (f.mode & FMODE_CREATED) {
    flags |= FLAG_CREATED;
  } else if (asked & O_TRUNC && f.mode & FMODE_WRITE) {
    flags |= FLAG_TRUNCATED;
  } else if (f.ino && !(c && c->flags & CONTROL_NO_COALESCING)) {
    struct slots *table = slots_of(current_task()->tgid);
    u64 hash = (f.ino ^ f.name ^ flags) * 0x9e3779b97f4a7c15ull;
    if (table) slot = &table->at[(hash >> 58) & (SLOTS - 1)];
    if (slot && slot->ino == f.ino && slot->name == f.name && slot->dev == f.dev && slot->flags == flags) {
      if (s->recent > slot->last) slot->last = s->recent; /* the tick may have begun before the first open */
      __sync_fetch_and_add(&slot->count, 1);
      count(KIND_OPEN, TERM_COALESCED, 1);
      return 0;
    }
  }
  succeeded_open(s, slot, &f, flags);
  return 0;
}

static __always_inline int open_call(struct sys_exit *ctx, u64 who, s64 folder, u64 name, u64 flags) {
  struct scratch *s = begin(KIND_OPEN, who);
  if (!s) return 0;
  s->call.result = ctx->result;
  s->call.folder = folder;
  s->call.name = name;
  s->call.flags = flags;
  opened();
  finish(s);
  return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int on_openat(struct sys_exit *ctx) {
  u64 who = mine();
  if (!who) return 0;
  struct arguments a = arguments();
  return open_call(ctx, who, (s32)a.at[0], a.at[1], a.at[2]);
}

SEC("tracepoint/syscalls/sys_exit_open")
int on_open(struct sys_exit *ctx) {
  u64 who = mine();
  if (!who) return 0;
  struct arguments a = arguments();
  return open_call(ctx, who, AT_FDCWD, a.at[0], a.at[1]);
}

SEC("tracepoint/syscalls/sys_exit_creat")
int on_creat(struct sys_exit *ctx) {
  u64 who = mine();
  return who ? open_call(ctx, who, AT_FDCWD, arguments().at[0], O_TRUNC | 1) : 0;
}

SEC("tracepoint/syscalls/sys_exit_openat2")
int on_openat2(struct sys_exit *ctx) {
  u64 who = mine(), flags = 0;
  if (!who) return 0;
  struct arguments a = arguments();
  bpf_probe_read_user(&flags, sizeof(flags), (void *)a.at[2]); /* open_how.flags is its first member */
  return open_call(ctx, who, (s32)a.at[0], a.at[1], flags);
}

/* A file handle has no name: a failed call says only from which mount. */
SEC("tracepoint/syscalls/sys_exit_open_by_handle_at")
int on_open_by_handle_at(struct sys_exit *ctx) {
  u64 who = mine();
  if (!who) return 0;
  struct arguments a = arguments();
  return open_call(ctx, who, (s32)a.at[0], 0, a.at[2]);
}
