/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What a caller calls a file: read from its memory, and put below the folder that it is relative to. A name that goes through a descriptor of the caller's own
 * (/proc/self/fd/14/notes.txt) says nothing to anybody later, so that descriptor's folder is taken for it.
 */

/* Reads a string of the caller behind PATH_END. 0: it could not be read. */
static __always_inline int read_text(struct scratch *s, u64 from) {
  s->at = PATH_END;
  s64 n = bpf_probe_read_user_str(&s->bytes[PATH_END], NAME_BOUND, (void *)from);
  s->name_len = n > 0 ? n - 1 : 0;
  if (n == NAME_BOUND) s->flags |= FLAG_CUT;
  return n > 0;
}

/* 8 bytes of a text (a literal has a NUL behind it), as a number, and a mask for the first of them. */
#define WORD(text) (*(const u64 *)(text))
#define FIRST(n) (~0ull >> (64 - 8 * (n)))
#define NUMBER_DIGITS 7
#define NAME_MASK 63 /* a position in the parsed part, for the verifier: its longest is /proc/1234567/fd/1234567 */

static __always_inline char parsed_at(struct scratch *s) {
  return s->bytes[PATH_END + (s->parsed & NAME_MASK)];
}

/* The number that stands next, written as /proc wants it: decimal, without leading zeros. -1: none such. */
static __always_inline s64 parse_number(struct scratch *s) {
  s64 number = 0;
  for (u32 i = 0; i <= NUMBER_DIGITS; i++) {
    u32 digit = parsed_at(s) - '0';
    if (digit > 9) return i ? number : -1;
    if (i && !number) return -1;
    number = number * 10 + digit;
    s->parsed++;
  }
  return -1; /* more digits than that */
}

/* The descriptor of the current process that the name behind PATH_END begins with, `parsed` behind it; or -1. No byte behind a NUL is looked at. */
static __always_inline s64 parse_descriptor(struct scratch *s) {
  struct task_struct *task = current_task();
  char *name = &s->bytes[PATH_END];
  u32 of_thread = 0;
  if (*(u64 *)name == WORD("/dev/fd/")) {
    s->parsed = 8;
  } else if ((*(u64 *)name & FIRST(6)) != (WORD("/proc/\0"))) {
    return -1;
  } else if (*(u64 *)(name + 6) == WORD("self/fd/")) {
    s->parsed = 14;
  } else if (*(u64 *)(name + 6) == WORD("thread-s") && (*(u64 *)(name + 14) & FIRST(7)) == WORD("elf/fd/")) {
    s->parsed = 21;
    of_thread = 1;
  } else {
    s->parsed = 6;
    /* What getpid(2) gives, and the /proc of its namespace calls it. */
    struct upid *own = innermost(task->group_leader->thread_pid);
    if (parse_number(s) != BPF_CORE_READ(own, nr)) return -1;
    for (u32 i = 0; i < 4; i++) {
      if (parsed_at(s) != "/fd/"[i]) return -1;
      s->parsed++;
    }
  }
  /* A process's descriptors are its leader's; a thread can have made itself others by unshare(2), and the leader can have ended. */
  if (!of_thread && task->files != task->group_leader->files) return -1;
  return parse_number(s);
}

/*
 * Makes such a name one below the walked path of its descriptor; any other, and one of a descriptor that is not open, stays what it is. A name that is the
 * descriptor itself means the open file, but only for a call that `follows`: then the walked path is all, and FLAG_EXACT and the file's others are returned, with
 * ino and dev in the scratch memory. Otherwise 0. Who mounts something else on /proc can have us name a wrong file. A global function, which the verifier looks
 * at once.
 */
__noinline int through_descriptor(u32 follows) {
  struct scratch *s = acquired();
  struct facts f = {};
  if (!s) return 0;
  s64 fd = parse_descriptor(s);
  if (fd < 0) return 0;
  char next = parsed_at(s);
  if (next ? next != '/' : !follows) return 0;
  if (!inspect(s, fd, &f)) return 0;
  if (next && (f.flags & S_IFMT) != S_IFDIR) return 0; /* the call failed */
  if (!next) {
    s->name_len = 0; /* the path is all */
  } else {
    /* The last digit becomes a dot: what follows may begin with several slashes, and a name must not. Bytes move to lower addresses only. */
    u64 before = (s->parsed - 1) & NAME_MASK, left = s->name_len - before;
    REGISTER(left);
    CLAMP(left, NAME_BOUND);
    s->bytes[PATH_END + before] = '.';
    bpf_probe_read_kernel(&s->bytes[PATH_END], left, &s->bytes[PATH_END + before]);
    s->name_len = left;
  }
  walk_path(s, f.mnt, f.dentry);
  if (next) return 0;
  s->ino = f.ino;
  s->dev = f.dev;
  return f.flags;
}

/* Reads a name, and puts in front of it the folder that it is relative to. Returns what through_descriptor does. */
static __always_inline u32 read_name(struct scratch *s, s64 folder, u64 from, u32 follows) {
  if (!read_text(s, from)) return 0;
  if (s->bytes[PATH_END] == '/') return through_descriptor(follows);
  walk_folder(s, folder);
  return 0;
}
