/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Records of several strings, put one behind the other. */

#define ARGS_BOUND 2048 /* head, and again tail */
#define ENV_BOUND 4096
#define ENV_STEPS 512 /* variables (or 255-byte pieces of long ones) that are looked at */
#define ENV_PIECE 256
#define ASSEMBLY_BYTES (4 * PATH_BOUND + 2 * ARGS_BOUND) /* of an exec: 3 paths, argv, environment; of a change: 4 strings */

struct assembly {
  u64 len; /* of bytes; in memory for the verifier's sake */
  u64 read; /* where the environment is being read, its end, and whether that is within a variable */
  u64 end;
  u64 inside;
  struct variable variable;
  char piece[ENV_PIECE];
  union {
    struct {
      struct header header;
      struct exec exec;
    };
    struct {
      char before[sizeof(struct exec) - sizeof(struct change)];
      struct header change_header;
      struct change change;
    };
  };
  char bytes[ASSEMBLY_BYTES + PATH_BOUND];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct assembly);
} assemblies SEC(".maps");

static __always_inline struct assembly *assembled(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&assemblies, &zero);
}

/* Where the next bytes go; PATH_BOUND of them have room. */
static __always_inline void *tail_of(struct assembly *a) {
  u64 at = a->len;
  REGISTER(at);
  CLAMP(at, ASSEMBLY_BYTES);
  return &a->bytes[at];
}

static __always_inline u32 append(struct assembly *a, const void *from, u64 len) {
  REGISTER(len);
  CLAMP(len, PATH_BOUND);
  bpf_probe_read_kernel(tail_of(a), len, from);
  a->len += len;
  return len;
}

/* What was walked: it ends at PATH_END. And what was read: it begins there. */
static __always_inline u32 append_walked(struct assembly *a, struct scratch *s) {
  u64 at = s->at;
  REGISTER(at);
  CLAMP(at, PATH_END);
  return append(a, &s->bytes[at], PATH_END - at);
}

static __always_inline u32 append_name(struct assembly *a, struct scratch *s) {
  return append(a, &s->bytes[PATH_END], s->name_len);
}
