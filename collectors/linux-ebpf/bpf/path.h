/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The path of a dentry on a mount, as d_path(9) gives it: up to the mount's root, over to where it is mounted, and so on to the namespace's root. */

#define COMPONENTS 256 /* a path of PATH_MAX can have 2,048: FLAG_CUT says so, and the end is kept */

/* Typed reads (kernel 6.2) cost a third of probe reads. `typed` is a constant, so one of the two is compiled. */
#define GET(typed, pointer, field) ((typed) ? (pointer)->field : BPF_CORE_READ(pointer, field))

/* Copies a name without a helper call. Overlapping words instead of a loop; longer ones are rare. */
static __always_inline void copy_name(char *to, u64 len, const unsigned char *name) {
  if (len > 16) {
    bpf_probe_read_kernel(to, len, name);
  } else if (len >= 8) {
    u64 head = *(u64 *)name, tail = *(u64 *)(name + len - 8);
    *(u64 *)to = head;
    *(u64 *)(to + len - 8) = tail;
  } else if (len >= 4) {
    u32 head = *(u32 *)name, tail = *(u32 *)(name + len - 4);
    *(u32 *)to = head;
    *(u32 *)(to + len - 4) = tail;
  } else if (len) {
    to[0] = name[0];
    to[len >> 1] = name[len >> 1];
    to[len - 1] = name[len - 1];
  }
}

/* Puts one component in front, with its slash. 0: no room. Masks, not tests, for the verifier's sake. */
static __always_inline int prepend(int direct, struct scratch *s, const unsigned char *name, u64 len, u32 slash) {
  len &= 255; /* NAME_MAX */
  u64 at = s->at - len - slash;
  if (at - ROOM > PATH_BOUND) {
    s->flags |= FLAG_CUT;
    return 0;
  }
  s->at = at;
  s->bytes[at & PATH_MASK] = '/';
  at += slash;
  REGISTER(at);
  REGISTER(len);
  if (direct) copy_name(&s->bytes[at & PATH_MASK], len & 255, name);
  else bpf_probe_read_kernel(&s->bytes[at & PATH_MASK], len & 255, name);
  return 1;
}

/* One component, or one mount, upwards. 1: the end. `direct`: names can be read like any memory (READS_ANY_MEMORY). */
static __always_inline int ascend(int typed, int direct, struct scratch *s, struct mount *mount, struct dentry *dentry) {
  struct dentry *parent = GET(typed, dentry, d_parent);
  if (dentry == GET(typed, mount, mnt.mnt_root)) {
    struct mount *above = GET(typed, mount, mnt_parent);
    if (mount == above) return 1;
    s->dentry = (u64)GET(typed, mount, mnt_mountpoint);
    s->mount = (u64)above;
    return 0;
  }
  s->dentry = (u64)parent;
  /* A root that is mounted nowhere, as that of a memfd: its name is all there is. */
  u32 slash = dentry != parent;
  u64 len = GET(typed, dentry, d_name.len);
  return !prepend(direct, s, GET(typed, dentry, d_name.name), len, slash) || !slash;
}

static __always_inline int walk(void) {
  struct scratch *s = acquired();
  if (!s) return 1;
  if (!bpf_rdonly_cast) return ascend(0, 0, s, (void *)s->mount, (void *)s->dentry);
  struct mount *mount = bpf_rdonly_cast((void *)s->mount, bpf_core_type_id_kernel(struct mount));
  struct dentry *dentry = bpf_rdonly_cast((void *)s->dentry, bpf_core_type_id_kernel(struct dentry));
  return READS_ANY_MEMORY ? ascend(1, 1, s, mount, dentry) : ascend(1, 0, s, mount, dentry);
}

static long walk_turn(u32 turn, void *unused) {
  return walk();
}

/*
 * Walks up from what `mount` and `dentry` of the scratch memory say. A global function, because the verifier looks at it once and not at each call; such a
 * function takes no kernel pointers, so they come through the memory, as numbers.
 */
__noinline int walk_stored(void) {
  struct scratch *s = acquired();
  int stopped = 0;
  if (!s) return 0;
  s->at = PATH_END;
  REPEAT(COMPONENTS, walk, stopped)
  if (!stopped) s->flags |= FLAG_CUT;
  if (s->at == PATH_END) {
    s->bytes[PATH_END - 1] = '/';
    s->at = PATH_END - 1;
  }
  return 0;
}

static __always_inline void walk_path(struct scratch *s, struct vfsmount *vfs, struct dentry *dentry) {
  s->mount = (u64)vfs - __builtin_preserve_field_info(((struct mount *)0)->mnt, BPF_FIELD_BYTE_OFFSET);
  s->dentry = (u64)dentry;
  walk_stored();
}

/* The open file of a descriptor of the current process, or 0. */
static __always_inline struct file *file_of(s64 fd) {
  struct task_struct *task = current_task();
  struct fdtable *table = task->files->fdt;
  struct file *file = 0;
  if (fd < 0 || fd >= table->max_fds) return 0;
  if (bpf_rdonly_cast && READS_ANY_MEMORY) file = ((struct file **)bpf_rdonly_cast(table->fd, 0))[fd];
  else bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]);
  return file;
}

/* What is told about a file that is open. */
struct facts {
  u64 ino;
  u64 name;
  struct vfsmount *mnt;
  struct dentry *dentry;
  u32 dev;
  u32 mode; /* f_mode */
  u32 flags; /* FLAG_* */
};

/* The verifier does no arithmetic on typed pointers; out of a map's memory it is a number. */
static __always_inline u64 number(volatile u64 *memory, void *pointer) {
  *memory = (u64)pointer;
  return *memory;
}

static __always_inline void look(int typed, struct scratch *s, struct file *file, struct facts *o) {
  struct inode *inode = GET(typed, file, f_inode);
  struct super_block *super = GET(typed, inode, i_sb);
  u32 type = GET(typed, inode, i_mode);
  o->mode = GET(typed, file, f_mode);
  o->mnt = GET(typed, file, f_path.mnt);
  struct dentry *dentry = GET(typed, file, f_path.dentry);
  o->dentry = dentry;
  o->ino = GET(typed, inode, i_ino);
  o->dev = GET(typed, super, s_dev);
  o->name = GET(typed, dentry, d_name.hash_len) ^ number(&s->dentry, GET(typed, dentry, d_parent)) ^ number(&s->mount, o->mnt);
  o->flags = FLAG_EXACT | (type & S_IFMT) | (GET(typed, inode, i_nlink) ? 0 : FLAG_DELETED);
}

/* 0: no such file. */
static __always_inline int inspect(struct scratch *s, s64 fd, struct facts *o) {
  struct file *file = file_of(fd);
  if (!file) return 0;
  if (bpf_rdonly_cast) look(1, s, bpf_rdonly_cast(file, bpf_core_type_id_kernel(struct file)), o);
  else look(0, s, file, o);
  return 1;
}

/* Walks the path of a descriptor (AT_FDCWD: of the current folder). */
static __always_inline void walk_folder(struct scratch *s, s64 fd) {
  struct task_struct *task = current_task();
  struct facts f = {};
  s->at = PATH_END;
  if (fd == AT_FDCWD) {
    struct fs_struct *fs = task->fs;
    f.mnt = fs->pwd.mnt;
    f.dentry = fs->pwd.dentry;
  } else if (!inspect(s, fd, &f)) {
    return;
  }
  walk_path(s, f.mnt, f.dentry);
}
