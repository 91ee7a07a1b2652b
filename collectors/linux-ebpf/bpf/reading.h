/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* How the kernel is read: in each way that is cheapest on the kernel that runs, with the others for older ones. */

#include <bpf/bpf_core_read.h>

/*
 * bpf_loop (kernel 5.17): its body is verified once, a plain loop's once a turn, which for a walk is 40 ms a program. `body` is a function(u32, void *)
 * that returns 1 to stop, and keeps its state in a map. Gives 1 when it stopped.
 */
enum bpf_func_id { BPF_FUNC_loop = 181 };

#define REPEAT(turns, body, stopped) \
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) { \
    stopped = bpf_loop(turns, body##_turn, 0, 0) < turns; \
  } else { \
    for (int i = 0; i < turns && !stopped; i++) stopped = body(); \
  }

/* A pointer out of an array or out of user-controlled data, as a typed one. Kernel 6.2; without it all reads go through probe reads. */
extern void *bpf_rdonly_cast(void *pointer, u32 btf_id) __ksym __weak;

/*
 * A task, file, ... to read from. For pointers that it trusts, the verifier of 6.2 and later looks up a name in all of the kernel's types at each read
 * of a further pointer, 0.3 ms each; so it is made to trust them less.
 */
#define READABLE(type, pointer) ((type *)(bpf_rdonly_cast ? bpf_rdonly_cast((void *)(pointer), bpf_core_type_id_kernel(type)) : (void *)(pointer)))

static __always_inline struct task_struct *current_task(void) {
  return READABLE(struct task_struct, bpf_get_current_task_btf());
}

/*
 * What a typed read gives for a pointer to something that is no struct: a number, or (from here on) memory that can be read without a helper
 * call, 25 ns each. libbpf fills in the running kernel's version, and the verifier drops the branch that is not taken.
 */
extern u32 LINUX_KERNEL_VERSION __kconfig;
#define READS_ANY_MEMORY (LINUX_KERNEL_VERSION >= (6 << 16) + (17 << 8))

/* A process's number in the pid namespace that it lives in, and that namespace. */
static __always_inline struct upid *innermost(struct pid *pid) {
  return (void *)pid->numbers + pid->level * bpf_core_type_size(struct upid);
}

/* Arguments 0-4 of a system call, from the registers saved at its entry. One object serves both architectures. */
struct arguments {
  u64 at[5];
};

static __always_inline struct arguments arguments(void) {
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
  struct pt_regs___x86 *x86 = (void *)regs;
  struct pt_regs___arm64 *arm64 = (void *)regs;
  if (bpf_core_field_exists(x86->orig_ax)) return (struct arguments){{x86->di, x86->si, x86->dx, x86->r10, x86->r8}};
  return (struct arguments){{arm64->orig_x0, arm64->regs[1], arm64->regs[2], arm64->regs[3], arm64->regs[4]}};
}

/* The record of a sys_exit_* tracepoint. */
struct sys_exit {
  u64 common;
  s64 number;
  s64 result;
};
