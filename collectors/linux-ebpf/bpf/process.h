/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* fork, exec, exit: who is reported, and what a process is. */

static __always_inline u32 append_user(struct assembly *a, u64 from, u64 len) {
  REGISTER(len);
  CLAMP(len, ARGS_BOUND);
  if (bpf_probe_read_user(tail_of(a), len, (void *)from)) return 0;
  a->len += len;
  return len;
}

/* The bytes of `word` before its first '=', the rest zero, if `go`; the '=' ends it. Zero bytes are found as in strchr: no loop, no branches. */
static __always_inline u64 until_equals(u64 word, u64 *go) {
  u64 x = word ^ 0x3d3d3d3d3d3d3d3dull;
  u64 found = (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
  u64 kept = word & (((found & -found) >> 7) - 1) & *go;
  *go &= ((found | -found) >> 63) - 1;
  return kept;
}

/*
 * Looks at one variable (or a further piece of a long one) and copies it if it is allowed. Only a whole name counts; its first 8 bytes are a
 * cheap first test. 1: stop. A global function, for the verifier looks at it once and not at each step.
 */
__noinline int read_variable(void) {
  struct assembly *a = assembled();
  if (!a) return 1;
  s64 n = bpf_probe_read_user_str(a->piece, ENV_PIECE, (void *)a->read);
  if (n <= 0) return 1;
  u32 inside = a->inside;
  a->inside = n == ENV_PIECE; /* a long value goes on in the next piece */
  a->read += n - (n == ENV_PIECE);
  if (inside) return 0;
  u64 go = ~0ull;
  u64 prefix = until_equals(*(u64 *)a->piece, &go);
  if (!bpf_map_lookup_elem(&prefixes, &prefix)) return 0;
  u64 *name = (u64 *)a->variable.name;
  name[0] = prefix;
  name[1] = until_equals(*(u64 *)(a->piece + 8), &go);
  name[2] = until_equals(*(u64 *)(a->piece + 16), &go);
  name[3] = until_equals(*(u64 *)(a->piece + 24), &go);
  if (go || !bpf_map_lookup_elem(&environment, &a->variable)) return 0;
  u64 len = n, copied = a->exec.env_len;
  REGISTER(len);
  CLAMP(len, ENV_PIECE);
  if (copied + len > ENV_BOUND) return 1;
  bpf_probe_read_kernel(tail_of(a), len, a->piece);
  a->len += len;
  a->exec.env_len = copied + len;
  if (n == ENV_PIECE) a->header.flags |= FLAG_ENV_MISSED;
  return 0;
}

static __always_inline int scan(void) {
  struct assembly *a = assembled();
  return !a || a->read >= a->end || read_variable();
}

static long scan_turn(u32 turn, void *unused) {
  return scan();
}

static __always_inline void append_environment(struct assembly *a, u64 from, u64 end) {
  int stopped = 0;
  a->read = from;
  a->end = end;
  a->inside = 0;
  REPEAT(ENV_STEPS, scan, stopped)
  if (a->read < end) a->header.flags |= FLAG_ENV_MISSED;
}

static __always_inline u32 tty_of(struct signal_struct *signal) {
  struct tty_struct *tty = signal->tty;
  if (!tty) return 0;
  struct tty_driver *driver = tty->driver;
  if (!driver) return 0;
  return ((u32)driver->major << 20 | (u32)driver->minor_start) + tty->index;
}

/* Number in the initial pid namespace. */
static __always_inline u32 number_of(struct pid *pid) {
  return pid ? pid->numbers[0].nr : 0;
}

static __always_inline void fill_exec(struct exec *x, struct task_struct *task, struct linux_binprm *bprm) {
  const struct cred *cred = task->cred;
  struct task_struct *parent = task->real_parent;
  struct signal_struct *signal = task->signal;
  struct nsproxy *ns = task->nsproxy;
  x->parent_tgid = parent->tgid;
  x->parent_start_ticks = ticks_of(parent);
  x->cgroup = bpf_get_current_cgroup_id();
  x->uid = cred->uid.val;
  x->gid = cred->gid.val;
  x->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : ~0u;
  x->audit_session = bpf_core_field_exists(task->sessionid) ? task->sessionid : ~0u;
  x->tty = tty_of(signal);
  x->pgid = number_of(signal->pids[PIDTYPE_PGID]);
  x->sid = number_of(signal->pids[PIDTYPE_SID]);
  x->mnt_ns = ns->mnt_ns->ns.inum;
  x->pid_ns = BPF_CORE_READ(innermost(task->thread_pid), ns, ns.inum); /* nsproxy has the one of its children */
  x->net_ns = ns->net_ns->ns.inum;
  x->user_ns = cred->user_ns->ns.inum;
  x->argc = bprm->argc;
  x->no_new_privs = task->atomic_flags & 1; /* PFA_NO_NEW_PRIVS, include/linux/sched.h */
  x->seccomp = bpf_core_field_exists(task->seccomp) ? task->seccomp.mode : 0;
  bpf_get_current_comm(x->comm, sizeof(x->comm));
}

/* Called path or executable named like a candidate? The comm after an exec is the basename of the called path. */
static __always_inline int is_candidate(struct task_struct *task) {
  struct candidate c = {};
  bpf_get_current_comm(c.name, sizeof(c.name));
  if (bpf_map_lookup_elem(&candidates, &c)) return 1;
  struct file *exe = task->mm->exe_file;
  if (!exe) return 0;
  __builtin_memset(&c, 0, sizeof(c));
  bpf_probe_read_kernel_str(c.name, sizeof(c.name), exe->f_path.dentry->d_name.name);
  return bpf_map_lookup_elem(&candidates, &c) != 0;
}

/* sched_process_exec(task, old_pid, bprm): after the point of no return, so all of this is the new image's. */
SEC("tp_btf/sched_process_exec")
int on_exec(u64 *ctx) {
  struct task_struct *task = READABLE(struct task_struct, ctx[0]);
  struct linux_binprm *bprm = READABLE(struct linux_binprm, ctx[2]);
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  u64 who = bits_of(tgid);
  u32 flags = FLAG_EXACT;
  if (!who) {
    if (!is_candidate(task) || stale(bpf_ktime_get_boot_ns())) return 0; /* stale: nobody would confirm or release it */
    struct proc entry = {.start_ticks = ticks_of(task), .state = STATE_PROVISIONAL};
    if (bpf_map_update_elem(&procs, &tgid, &entry, BPF_ANY)) {
      count(KIND_EXEC, TERM_OBSERVED, 1);
      count(KIND_EXEC, TERM_LOST_TABLE_FULL, 1);
      return 0;
    }
    set_bits(tgid, 1);
    who = 1;
    flags |= FLAG_PROVISIONAL;
  } else {
    struct proc *entry = bpf_map_lookup_elem(&procs, &tgid);
    if (entry && entry->state == STATE_PROVISIONAL) flags |= FLAG_PROVISIONAL;
  }
  flush_slots(tgid); /* what the image before opened belongs before this record; all its other threads are gone */
  struct scratch *s = begin(KIND_EXEC, who);
  if (!s) return 0;
  struct assembly *a = assembled();
  if (!a) {
    finish(s);
    return 0;
  }
  a->len = 0;
  fill_header(&a->header, KIND_EXEC, flags, 0, bpf_ktime_get_boot_ns());
  struct exec *x = &a->exec;
  fill_exec(x, task, bprm);

  struct mm_struct *mm = task->mm;
  struct file *exe = mm->exe_file;
  if (exe) {
    struct inode *inode = exe->f_inode;
    x->exe_ino = inode->i_ino;
    x->exe_dev = inode->i_sb->s_dev;
    if (!inode->i_nlink) a->header.flags |= FLAG_DELETED;
    a->header.flags |= (inode->i_mode >> 12) << 12;
    walk_path(s, exe->f_path.mnt, exe->f_path.dentry);
  }
  x->exe_len = append_walked(a, s);
  u64 n = bpf_probe_read_kernel_str(tail_of(a), PATH_BOUND, bprm->filename);
  n = (s64)n > 0 ? n - 1 : 0;
  a->len += n;
  x->called_len = n;
  a->header.flags |= s->flags & FLAG_CUT;
  walk_folder(s, AT_FDCWD);
  x->cwd_len = append_walked(a, s);

  u64 start = mm->arg_start, end = mm->arg_end, total = end - start;
  x->args_bytes = total;
  x->args_len = append_user(a, start, total);
  u64 left = total > ARGS_BOUND ? total - ARGS_BOUND : 0;
  if (left > ARGS_BOUND) left = ARGS_BOUND;
  x->tail_len = left ? append_user(a, end - left, left) : 0;
  x->env_len = 0;
  struct control *c = controls();
  if (!c || !(c->flags & CONTROL_NO_ENVIRONMENT)) append_environment(a, mm->env_start, mm->env_end);
  x->exec_pad = 0;

  u64 size = a->len;
  REGISTER(size);
  CLAMP(size, ASSEMBLY_BYTES);
  size += sizeof(struct header) + sizeof(struct exec);
  a->header.size = size;
  emitted(KIND_EXEC, &a->header, size);
  finish(s);
  return 0;
}

/* sched_process_fork(parent, child): before the child runs, so nothing it does is missed. */
SEC("tp_btf/sched_process_fork")
int on_fork(u64 *ctx) {
  struct task_struct *child = READABLE(struct task_struct, ctx[1]);
  u32 tgid = bpf_get_current_pid_tgid() >> 32, child_tgid = child->tgid;
  if (child->pid != child_tgid) return 0; /* a thread */
  u64 who = bits_of(tgid);
  if (!who) {
    /* The number of a process whose end was not seen is used again. */
    if (bits_of(child_tgid)) {
      set_bits(child_tgid, 0);
      bpf_map_delete_elem(&procs, &child_tgid);
    }
    return 0;
  }
  struct {
    struct header header;
    struct fork fork;
  } r = {};
  struct proc *own = bpf_map_lookup_elem(&procs, &tgid);
  struct proc entry = {.start_ticks = child->start_boottime / TICK_NS, .state = own ? own->state : who == 1 ? STATE_TRACKED : STATE_SELF};
  u64 now = bpf_ktime_get_boot_ns();
  int refused = bpf_map_update_elem(&procs, &child_tgid, &entry, BPF_ANY) != 0;
  set_bits(child_tgid, refused ? 0 : who);
  bpf_map_delete_elem(&slots, &child_tgid);
  if (!admitted(KIND_FORK, who, stale(now))) return 0;
  if (refused) {
    /* What the child does will not be seen: its fork is reported as lost, for a delivered one would promise the rest. */
    count(KIND_FORK, TERM_LOST_TABLE_FULL, 1);
    return 0;
  }
  fill_header(&r.header, KIND_FORK, 0, sizeof(r), now);
  r.fork.child_tgid = child_tgid;
  r.fork.child_state = entry.state;
  r.fork.child_start_ticks = entry.start_ticks;
  emitted(KIND_FORK, &r, sizeof(r));
  return 0;
}

/* sched_process_exit(task), once per thread. The process has ended with the last one, whichever that is. */
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *ctx) {
  struct task_struct *task = READABLE(struct task_struct, ctx[0]);
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  u64 who = bits_of(tgid);
  if (!who) return 0;
  struct signal_struct *signal = task->signal;
  if (signal->live.counter) return 0;
  /* Two last threads can both read 0: the one that deletes reports. */
  if (bpf_map_delete_elem(&procs, &tgid)) return 0;
  set_bits(tgid, 0);
  u64 now = bpf_ktime_get_boot_ns();
  flush_slots(tgid);
  if (!admitted(KIND_EXIT, who, stale(now))) return 0;
  struct {
    struct header header;
    struct exit exit;
  } r = {};
  u32 status = signal->group_exit_code;
  if (!status) status = task->exit_code;
  struct task_struct *leader = task->group_leader;
  fill_header(&r.header, KIND_EXIT, status & 0x80 ? FLAG_CORE : 0, sizeof(r), now);
  r.exit.status = status;
  r.exit.cpu_ns = signal->sum_sched_runtime + task->se.sum_exec_runtime + (leader == task ? 0 : leader->se.sum_exec_runtime);
  emitted(KIND_EXIT, &r, sizeof(r));
  return 0;
}
