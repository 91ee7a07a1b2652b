/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What changes names and metadata. Such calls leave no descriptor: the caller's words and the folder they are relative to, for user space to join. */

/* Everything by name: file, and for some a second one. Returns FLAG_* of the file, if its name is a descriptor. A symbolic link's text is passed on as it is. */
static __always_inline u32 name_files(struct scratch *s, struct assembly *a, struct change *c) {
  u32 flags = read_name(s, s->call.folder, s->call.name, s->call.follows);
  if (flags) {
    c->change_ino = s->ino;
    c->change_dev = s->dev;
  }
  c->change_base_len = append_walked(a, s);
  c->change_name_len = append_name(a, s);
  if (c->op == OP_SYMLINK) {
    read_text(s, s->call.target);
  } else if (s->call.target) {
    read_name(s, s->call.target_folder, s->call.target, 0);
  } else {
    return flags;
  }
  c->target_base_len = append_walked(a, s);
  c->target_len = append_name(a, s);
  return flags;
}

/* By descriptor: the file itself. 0: there is none. */
static __always_inline u32 see_file(struct scratch *s, struct assembly *a, struct change *c) {
  struct facts f = {};
  if (!inspect(s, s->call.folder, &f)) return 0;
  walk_path(s, f.mnt, f.dentry);
  c->change_base_len = append_walked(a, s);
  c->change_ino = f.ino;
  c->change_dev = f.dev;
  return f.flags;
}

__noinline int changed(void) {
  struct scratch *s = acquired();
  struct assembly *a = assembled();
  if (!s || !a) return 0;
  struct change *c = &a->change;
  u32 flags;
  a->len = 0;
  *c = (struct change){.change_result = result_of(s->call.result), .op = s->call.op, .mode = s->call.mode & 07777};
  if (s->call.name) flags = name_files(s, a, c);
  else flags = see_file(s, a, c);
  u64 size = a->len;
  REGISTER(size);
  CLAMP(size, ASSEMBLY_BYTES);
  size += sizeof(struct header) + sizeof(struct change);
  fill_header(&a->change_header, KIND_CHANGE, flags | s->flags, size, bpf_ktime_get_boot_ns());
  emitted(KIND_CHANGE, &a->change_header, size);
  return 0;
}

/* One program a system call. `name` 0: `folder` is the descriptor of the file itself. */
static __always_inline int change_call(struct sys_exit *ctx, u64 who, u32 op, s64 folder, u64 name, s64 target_folder, u64 target, u32 mode, u32 follows) {
  struct scratch *s = begin(KIND_CHANGE, who);
  if (!s) return 0;
  s->call = (struct call){.result = ctx->result, .folder = folder, .name = name, .target_folder = target_folder, .target = target, .op = op, .mode = mode, .follows = follows};
  changed();
  finish(s);
  return 0;
}

/* A NULL name fails with EFAULT; it must not be taken for "by descriptor". */
#define NAME(n) (given.at[n] ? given.at[n] : 1)
#define NUMBER(n) ((s32)given.at[n])
#define FOLLOWS(n) (!(NUMBER(n) & AT_SYMLINK_NOFOLLOW))
#define CHANGE(call, op, folder, name, target_folder, target, mode, follows) \
  SEC("tracepoint/syscalls/sys_exit_" #call) \
  int on_##call(struct sys_exit *ctx) { \
    u64 who = mine(); \
    if (!who) return 0; \
    struct arguments given = arguments(); \
    return change_call(ctx, who, op, folder, name, target_folder, target, mode, follows); \
  }

CHANGE(rename, OP_RENAME, AT_FDCWD, NAME(0), AT_FDCWD, NAME(1), 0, 0)
CHANGE(renameat, OP_RENAME, NUMBER(0), NAME(1), NUMBER(2), NAME(3), 0, 0)
CHANGE(renameat2, OP_RENAME, NUMBER(0), NAME(1), NUMBER(2), NAME(3), 0, 0)
CHANGE(unlink, OP_UNLINK, AT_FDCWD, NAME(0), 0, 0, 0, 0)
CHANGE(unlinkat, NUMBER(2) & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, NUMBER(0), NAME(1), 0, 0, 0, 0)
CHANGE(rmdir, OP_RMDIR, AT_FDCWD, NAME(0), 0, 0, 0, 0)
CHANGE(mkdir, OP_MKDIR, AT_FDCWD, NAME(0), 0, 0, NUMBER(1), 0)
CHANGE(mkdirat, OP_MKDIR, NUMBER(0), NAME(1), 0, 0, NUMBER(2), 0)
CHANGE(link, OP_LINK, AT_FDCWD, NAME(0), AT_FDCWD, NAME(1), 0, 0)
CHANGE(linkat, OP_LINK, NUMBER(0), NAME(1), NUMBER(2), NAME(3), 0, NUMBER(4) & AT_SYMLINK_FOLLOW)
CHANGE(symlink, OP_SYMLINK, AT_FDCWD, NAME(1), 0, NAME(0), 0, 0)
CHANGE(symlinkat, OP_SYMLINK, NUMBER(1), NAME(2), 0, NAME(0), 0, 0)
CHANGE(chmod, OP_CHMOD, AT_FDCWD, NAME(0), 0, 0, NUMBER(1), 1)
CHANGE(fchmod, OP_CHMOD, NUMBER(0), 0, 0, 0, NUMBER(1), 0)
CHANGE(fchmodat, OP_CHMOD, NUMBER(0), NAME(1), 0, 0, NUMBER(2), 1)
CHANGE(fchmodat2, OP_CHMOD, NUMBER(0), NAME(1), 0, 0, NUMBER(2), FOLLOWS(3))
CHANGE(chown, OP_CHOWN, AT_FDCWD, NAME(0), 0, 0, 0, 1)
CHANGE(lchown, OP_CHOWN, AT_FDCWD, NAME(0), 0, 0, 0, 0)
CHANGE(fchown, OP_CHOWN, NUMBER(0), 0, 0, 0, 0, 0)
CHANGE(fchownat, OP_CHOWN, NUMBER(0), NAME(1), 0, 0, 0, FOLLOWS(4))
CHANGE(truncate, OP_TRUNCATE, AT_FDCWD, NAME(0), 0, 0, 0, 1)
CHANGE(ftruncate, OP_TRUNCATE, NUMBER(0), 0, 0, 0, 0, 0)
