// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What Spoor runs in the kernel. kernel.h: its types; maps.h and records.h: the contract with user space; the rest by subject. */
#include "kernel.h"
#include "reading.h"
#include "records.h"
#include "maps.h"
#include "emit.h"
#include "path.h"
#include "name.h"
#include "file.h"
#include "assembly.h"
#include "change.h"
#include "socket.h"
#include "process.h"
#include "order.h"

/* bpf_rdonly_cast and most tracing helpers are for GPL-compatible programs. */
char programs_license[] SEC("license") = "Dual BSD/GPL";
/* Of maps.h and records.h: user space must not use pinned maps of another version. */
const volatile u32 version SEC(".rodata") = 1;
