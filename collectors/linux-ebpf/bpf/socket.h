/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * TCP. A call's exit tells who and what result; the states tell when a connection stands and ends. Those run in any task's time, so the owner is kept
 * by the address of the socket: from SYN_SENT (still in the caller's time) or accept, until CLOSE.
 */

/*
 * Who reports a connect: exactly one, namely who moves `phase` to REPORTED. The call's exit does when it knows the outcome; after EINPROGRESS (PENDING)
 * the state does. On loopback the state comes before the exit (DECIDED).
 */
#define PHASE_STARTED 0
#define PHASE_PENDING 1
#define PHASE_DECIDED 2
#define PHASE_REPORTED 3

#define GENERATED_COOKIE (1ull << 63)

struct sock_event {
  struct header header;
  struct sock_record sock;
};

static __always_inline int moved(struct owner *o, u64 from, u64 to) {
  return __sync_val_compare_and_swap(&o->phase, from, to) == from;
}

static __always_inline int claimed(struct owner *o) {
  return moved(o, PHASE_STARTED, PHASE_REPORTED) || moved(o, PHASE_PENDING, PHASE_REPORTED) || moved(o, PHASE_DECIDED, PHASE_REPORTED);
}

/* Of a connect that did not wait. Neither established nor an error: the caller closed the socket before. */
static __always_inline s32 outcome_of(struct owner *o) {
  return o->established ? 0 : o->error ? -o->error : -ECANCELED;
}

/* Addresses as far as they are known now: what a socket has lost (as one whose connect failed) stays as it was. */
static __always_inline void see_addresses(struct owner *o, struct sock *sk) {
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  u16 local_port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport), peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
  o->family = family;
  o->protocol = IPPROTO_TCP;
  o->net_ns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
  if (local_port) {
    o->local_port = local_port;
    if (family == AF_INET6) BPF_CORE_READ_INTO(&o->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
    else o->local[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
  }
  if (peer_port) {
    o->peer_port = peer_port;
    if (family == AF_INET6) BPF_CORE_READ_INTO(&o->peer, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
    else o->peer[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
  }
}

/* The kernel gives a socket its cookie when somebody asks; where only a look is allowed, one of our own must do, unique since boot. */
static __always_inline u64 seen_cookie(struct sock *sk, u64 now) {
  u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  return cookie ? cookie : GENERATED_COOKIE | now;
}

static __always_inline void fill_owner(struct owner *o, u64 now) {
  struct task_struct *task = current_task();
  o->tgid = task->tgid;
  o->tid = task->pid;
  o->start_ticks = ticks_of(task);
  o->begun = now;
}

static __always_inline void emit_sock(struct owner *o, u32 kind, s32 result, u64 now, u64 tx, u64 rx, u64 duration) {
  struct sock_event r = {};
  r.header.type = kind;
  r.header.size = sizeof(r);
  r.header.boot_ns = now;
  r.header.tgid = o->tgid;
  r.header.tid = o->tid;
  r.header.start_ticks = o->start_ticks;
  r.sock.cookie = o->cookie;
  __builtin_memcpy(r.sock.local, o->local, 16);
  __builtin_memcpy(r.sock.peer, o->peer, 16);
  r.sock.local_port = o->local_port;
  r.sock.peer_port = o->peer_port;
  r.sock.family = o->family;
  r.sock.protocol = o->protocol;
  r.sock.sock_result = result;
  r.sock.sock_net_ns = o->net_ns;
  r.sock.tx = tx;
  r.sock.rx = rx;
  r.sock.duration_ns = duration;
  emitted(kind, &r, sizeof(r));
}

/* The end of a connection that stood. Its connect may be unreported still: a call that we do not hook (TCP fast open, io_uring) made it. */
static __always_inline void end_connection(struct owner *o, struct sock *sk, u64 now) {
  struct tcp_sock *tcp = (void *)sk;
  int is_stale = stale(now);
  if (claimed(o) && admitted(KIND_CONNECT, 1, is_stale)) emit_sock(o, KIND_CONNECT, 0, o->begun, 0, 0, 0);
  if (!admitted(KIND_SOCK_END, 1, is_stale)) return;
  /* The peer's FIN counts as a byte received; SOCK_DONE says that it came. */
  u64 rx = BPF_CORE_READ(tcp, bytes_received), fin = BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;
  u64 tx = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
  emit_sock(o, KIND_SOCK_END, o->error, now, tx, rx - (rx ? fin : 0), now - o->begun);
}

static __always_inline void begin_connection(struct sock *sk, u64 key) {
  u64 who = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP ? 0 : mine(); /* its subflows tell all */
  if (who != 1) {
    /* The address of a socket whose end was not seen, used again. */
    bpf_map_delete_elem(&socks, &key);
    return;
  }
  u64 now = bpf_ktime_get_boot_ns();
  struct owner o = {.phase = PHASE_STARTED, .cookie = bpf_get_socket_cookie(sk)};
  fill_owner(&o, now);
  see_addresses(&o, sk);
  /* A subflow of MPTCP is not the caller's socket, whose connect call is therefore not looked at. */
  if (bpf_core_field_exists(((struct tcp_sock *)sk)->is_mptcp) && BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, is_mptcp)) o.phase = PHASE_PENDING;
  if (bpf_map_update_elem(&socks, &key, &o, BPF_ANY)) {
    count(KIND_SOCK_END, TERM_OBSERVED, 1);
    count(KIND_SOCK_END, TERM_LOST_TABLE_FULL, 1);
  }
}

/* inet_sock_set_state(sk, old, new), in softirq mostly: so no scratch memory here. */
SEC("tp_btf/inet_sock_set_state")
int on_state(u64 *ctx) {
  struct sock *sk = (void *)ctx[0];
  int before = ctx[1], after = ctx[2];
  u64 key = (u64)sk;
  if (after == TCP_SYN_SENT) {
    begin_connection(sk, key);
    return 0;
  }
  if (after != TCP_CLOSE && (after != TCP_ESTABLISHED || before != TCP_SYN_SENT)) return 0;
  struct owner *o = bpf_map_lookup_elem(&socks, &key);
  if (!o) return 0;
  u64 now = bpf_ktime_get_boot_ns();
  see_addresses(o, sk);
  if (after == TCP_ESTABLISHED) {
    o->established = 1;
    if (moved(o, PHASE_PENDING, PHASE_REPORTED)) {
      if (admitted(KIND_CONNECT, 1, stale(now))) emit_sock(o, KIND_CONNECT, 0, now, 0, 0, 0);
    } else {
      moved(o, PHASE_STARTED, PHASE_DECIDED);
    }
    return 0;
  }
  o->error = BPF_CORE_READ(sk, sk_err);
  struct owner last = *o;
  if (last.established) {
    /* An accept of the same moment may end it too: who deletes reports. */
    if (!bpf_map_delete_elem(&socks, &key)) end_connection(&last, sk, now);
    return 0;
  }
  /* A connect that failed. While its call lasts, the exit reports it, with the addresses that are kept here. */
  if (moved(o, PHASE_STARTED, PHASE_DECIDED)) return 0;
  if (!moved(o, PHASE_PENDING, PHASE_REPORTED)) return 0;
  bpf_map_delete_elem(&socks, &key);
  if (admitted(KIND_CONNECT, 1, stale(now))) emit_sock(&last, KIND_CONNECT, outcome_of(&last), now, 0, 0, 0);
  return 0;
}

/* The socket of a descriptor, if it is a TCP one (MPTCP: 262, whose first subflow is TCP). */
static __always_inline struct sock *tcp_of(s64 fd, u16 *protocol) {
  struct file *file = file_of(fd);
  if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return 0;
  struct socket *socket = BPF_CORE_READ(file, private_data);
  struct sock *sk = BPF_CORE_READ(socket, sk);
  if (!sk) return 0;
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  *protocol = BPF_CORE_READ(sk, sk_protocol);
  if (family != AF_INET && family != AF_INET6) return 0;
  return *protocol == IPPROTO_TCP || *protocol == IPPROTO_MPTCP ? sk : 0;
}

/* The peer that the caller asked for, of a connect that failed before there was anything to see. */
static __always_inline void ask_peer(struct owner *o, u64 address) {
  struct {
    u16 family;
    u16 port;
    u32 v4; /* IPv6: flow label */
    u32 v6[4];
  } given = {};
  bpf_probe_read_user(&given, 8, (void *)address);
  if (given.family == AF_INET6) bpf_probe_read_user(&given, sizeof(given), (void *)address);
  o->family = given.family == AF_INET6 ? AF_INET6 : AF_INET;
  o->peer_port = given.port;
  if (given.family == AF_INET6) __builtin_memcpy(o->peer, given.v6, 16);
  else o->peer[0] = given.v4;
}

SEC("tracepoint/syscalls/sys_exit_connect")
int on_connect(struct sys_exit *ctx) {
  u64 who = mine();
  if (!who) return 0;
  struct arguments a = arguments();
  u16 protocol = 0, family = 0;
  struct sock *sk = tcp_of((s32)a.at[0], &protocol);
  bpf_probe_read_user(&family, sizeof(family), (void *)a.at[1]);
  if (!sk || protocol == IPPROTO_MPTCP || family == AF_UNSPEC) return 0; /* AF_UNSPEC dissolves a connection */
  s64 result = result_of(ctx->result);
  u64 key = (u64)sk, now = bpf_ktime_get_boot_ns();
  struct owner *o = who == 1 ? bpf_map_lookup_elem(&socks, &key) : 0;
  struct owner last = {};
  if (o) {
    int waits = result == -EINPROGRESS || result == -EALREADY || result == -EINTR;
    if (waits && (moved(o, PHASE_STARTED, PHASE_PENDING) || o->phase == PHASE_PENDING)) return 0;
    if (!claimed(o)) return 0; /* asked again, after the outcome was reported */
    last = *o;
    if (waits) result = outcome_of(&last);
    if (!last.established && result < 0) bpf_map_delete_elem(&socks, &key);
  } else {
    fill_owner(&last, now);
    last.cookie = seen_cookie(sk, now);
    see_addresses(&last, sk);
    ask_peer(&last, a.at[1]);
  }
  if (admitted(KIND_CONNECT, who, stale(now))) emit_sock(&last, KIND_CONNECT, result, now, 0, 0, 0);
  return 0;
}

static __always_inline int accepted(struct sys_exit *ctx) {
  u64 who = mine();
  u16 protocol = 0;
  if (!who || ctx->result < 0) return 0; /* nobody came: no connection, so nothing to report */
  struct sock *sk = tcp_of(ctx->result, &protocol);
  if (sk && protocol == IPPROTO_MPTCP) sk = bpf_core_field_exists(((struct mptcp_sock *)sk)->first) ? BPF_CORE_READ((struct mptcp_sock *)sk, first) : 0;
  if (!sk) return 0;
  u64 key = (u64)sk, now = bpf_ktime_get_boot_ns();
  if (!admitted(KIND_ACCEPT, who, stale(now))) return 0;
  struct owner o = {.phase = PHASE_REPORTED, .established = 1, .cookie = seen_cookie(sk, now)};
  fill_owner(&o, now);
  see_addresses(&o, sk);
  emit_sock(&o, KIND_ACCEPT, 0, now, 0, 0, 0);
  if (bpf_map_update_elem(&socks, &key, &o, BPF_ANY)) {
    count(KIND_SOCK_END, TERM_OBSERVED, 1);
    count(KIND_SOCK_END, TERM_LOST_TABLE_FULL, 1);
  } else if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE && !bpf_map_delete_elem(&socks, &key)) {
    /* It had ended before it stood in the table. */
    o.error = BPF_CORE_READ(sk, sk_err);
    end_connection(&o, sk, now);
  }
  return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept(struct sys_exit *ctx) {
  return accepted(ctx);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4(struct sys_exit *ctx) {
  return accepted(ctx);
}

SEC("tracepoint/syscalls/sys_exit_listen")
int on_listen(struct sys_exit *ctx) {
  u64 who = mine();
  if (!who) return 0;
  u16 protocol = 0;
  struct sock *sk = tcp_of((s32)arguments().at[0], &protocol);
  if (!sk) return 0;
  u64 now = bpf_ktime_get_boot_ns();
  if (!admitted(KIND_LISTEN, who, stale(now))) return 0;
  struct owner o = {.cookie = seen_cookie(sk, now)};
  fill_owner(&o, now);
  see_addresses(&o, sk);
  emit_sock(&o, KIND_LISTEN, result_of(ctx->result), now, 0, 0, 0);
  return 0;
}
