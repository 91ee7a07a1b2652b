/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* How user space changes who is reported: table and bits in one place, so that they cannot differ. */

static __always_inline s32 obey(struct order_context *o) {
  u32 tgid = o->tgid, state = o->state;
  struct proc *found = bpf_map_lookup_elem(&procs, &tgid);
  if (found && found->start_ticks != o->start_ticks) {
    /* The number has had another life. Only an insert (of a process read from /proc now) knows better than the table. */
    if (o->op != ORDER_INSERT) return -ESRCH;
    found = 0;
  }
  if (o->op == ORDER_RELEASE) {
    if (!found) return -ESRCH;
    set_bits(tgid, 0);
    bpf_map_delete_elem(&procs, &tgid);
    return 0;
  }
  if ((o->op != ORDER_SET && o->op != ORDER_INSERT) || state < STATE_PROVISIONAL || state > STATE_SELF) return -EINVAL;
  if (o->op == ORDER_SET && !found) return -ESRCH;
  struct proc entry = {.start_ticks = o->start_ticks, .state = state};
  if (bpf_map_update_elem(&procs, &tgid, &entry, BPF_ANY)) return -E2BIG;
  set_bits(tgid, state == STATE_SELF ? 2 : 1);
  return 0;
}

SEC("syscall")
int order(struct order_context *ctx) {
  ctx->result = obey(ctx);
  return 0;
}
