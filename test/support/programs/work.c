// The observed side of tests and benches: one small static program with one mode per question. Not part of what users get.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static long long now(int clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static long number(const char *text) { return strtol(text, NULL, 10); }
static void die(const char *what) {
  perror(what);
  exit(99);
}
static int touch(const char *path, int flags) {
  int fd = open(path, flags, 0644);
  if (fd >= 0) close(fd);
  return fd;
}
static void name_of(char *path, const char *folder, long d, long f) { sprintf(path, "%s/d%ld/f%ld", folder, d, f); }

// make DIR FOLDERS FILES: DIR/dI/fJ, all of them
static int make(char **a) {
  char path[4096];
  long folders = number(a[1]), files = number(a[2]);
  for (long d = 0; d < folders; d++) {
    sprintf(path, "%s/d%ld", a[0], d);
    if (mkdir(path, 0755) && errno != EEXIST) die(path);
    for (long f = 0; f < files; f++) {
      name_of(path, a[0], d, f);
      if (touch(path, O_CREAT | O_WRONLY) < 0) die(path);
    }
  }
  return 0;
}
// open DIR FOLDERS FILES WRITER WRITERS: opens every WRITERS-th folder's files once
static int open_all(char **a) {
  char path[4096];
  long folders = number(a[1]), files = number(a[2]), writer = number(a[3]), writers = number(a[4]);
  long long t = now(CLOCK_PROCESS_CPUTIME_ID), n = 0;
  for (long d = writer; d < folders; d += writers)
    for (long f = 0; f < files; f++, n++) {
      name_of(path, a[0], d, f);
      if (touch(path, O_RDONLY) < 0) die(path);
    }
  printf("{\"ops\":%lld,\"cpuNs\":%lld}\n", n, now(CLOCK_PROCESS_CPUTIME_ID) - t);
  return 0;
}
// reopen FILE N: the same file again and again
static int reopen(char **a) {
  long n = number(a[1]);
  long long t = now(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < n; i++)
    if (touch(a[0], O_RDONLY) < 0) die(a[0]);
  printf("{\"ops\":%ld,\"cpuNs\":%lld}\n", n, now(CLOCK_PROCESS_CPUTIME_ID) - t);
  return 0;
}
// getppid N
static int getppids(char **a) {
  long n = number(a[0]);
  long long t = now(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < n; i++) syscall(SYS_getppid);
  printf("{\"ops\":%ld,\"cpuNs\":%lld}\n", n, now(CLOCK_PROCESS_CPUTIME_ID) - t);
  return 0;
}
// spawn N PARALLEL PROGRAM: PROGRAM `short` NONCE CODE each, CODE = NONCE % 200; all waited for
static int spawn_many(char **a) {
  long n = number(a[0]), parallel = number(a[1]), running = 0;
  struct rusage before, after, own;
  getrusage(RUSAGE_CHILDREN, &before);
  long long t = now(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < n || running > 0;) {
    if (i < n && running < parallel) {
      char nonce[32], code[32];
      sprintf(nonce, "nonce-%ld", i);
      sprintf(code, "%ld", i % 200);
      char *args[] = {a[2], "short", nonce, code, NULL};
      pid_t pid;
      if (posix_spawn(&pid, a[2], NULL, NULL, args, environ)) die("posix_spawn");
      i++, running++;
    } else {
      int status;
      if (wait(&status) < 0) die("wait");
      running--;
    }
  }
  getrusage(RUSAGE_CHILDREN, &after);
  getrusage(RUSAGE_SELF, &own);
  long long children = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000000LL +
                       (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1000LL;
  printf("{\"ops\":%ld,\"cpuNs\":%lld}\n", n, now(CLOCK_PROCESS_CPUTIME_ID) - t + children);
  return 0;
}
// measure COMMAND...: its CPU time with all it waited for, and its wall time
static int measure(char **a) {
  long long t = now(CLOCK_MONOTONIC);
  pid_t pid;
  if (posix_spawnp(&pid, a[0], NULL, NULL, a, environ)) die(a[0]);
  int status;
  struct rusage use;
  if (wait4(pid, &status, 0, &use) < 0) die("wait4");
  fprintf(stderr, "\n{\"wallNs\":%lld,\"cpuNs\":%lld,\"code\":%d}\n", now(CLOCK_MONOTONIC) - t,
          (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000LL + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000LL, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
// first SECRET: what an agent could do in its first two milliseconds
static int first(char **a) {
  touch(a[0], O_RDONLY);
  pid_t pid = fork();
  if (pid == 0) _exit(4);
  if (pid < 0) die("fork");
  _exit(3);
}
static char *shared;
static void *outlive_leader(void *unused) {
  (void)unused;
  usleep(100000);
  touch(shared, O_RDONLY);
  exit(9);
}
// leader FILE: the first thread ends, another opens FILE 100 ms later and ends the process with 9
static int leader(char **a) {
  pthread_t thread;
  shared = a[0];
  if (pthread_create(&thread, NULL, outlive_leader, NULL)) die("pthread_create");
  syscall(SYS_exit, 0);
  return 1;
}
static char **next;
static void *exec_here(void *unused) {
  (void)unused;
  touch(shared, O_RDONLY);
  execv(next[0], next);
  die(next[0]);
  return NULL;
}
// thread-exec FILE PROGRAM ARGS...: a second thread opens FILE, then becomes PROGRAM, which has the process's pid
static int thread_exec(char **a) {
  pthread_t thread;
  shared = a[0];
  next = a + 1;
  if (pthread_create(&thread, NULL, exec_here, NULL)) die("pthread_create");
  pause();
  return 1;
}
// deep DIR LEVELS: a folder LEVELS deep and a file in it
static int deep(char **a) {
  if (chdir(a[0])) die(a[0]);
  for (long i = 0, n = number(a[1]); i < n; i++) {
    char name[64];
    sprintf(name, "level-%02ld-of-a-rather-long-folder-name", i);
    if (mkdir(name, 0755) || chdir(name)) die(name);
  }
  return touch("deepest", O_CREAT | O_WRONLY) < 0;
}
// deleted FILE: creates it, removes it, opens it again through /proc
static int deleted(char **a) {
  char self[64];
  int fd = open(a[0], O_CREAT | O_RDWR, 0600);
  if (fd < 0 || unlink(a[0])) die(a[0]);
  sprintf(self, "/proc/self/fd/%d", fd);
  return touch(self, O_RDONLY) < 0;
}
// bomb N: each process forks two until N are made; all end by themselves
static int bomb(char **a) {
  long n = number(a[0]), made = 0;
  for (; made < n; made++) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      usleep(1000);
      _exit(made & 127);
    }
  }
  while (wait(NULL) > 0) {}
  printf("{\"made\":%ld}\n", made);
  return 0;
}
// long-argv BYTES: becomes itself with an argv of that many bytes
static int long_argv(char **a, char *self) {
  long n = number(a[0]), each = 100000, count = n / each;
  char **args = calloc(count + 4, sizeof *args);
  char *filler = malloc(each + 1);
  memset(filler, 'x', each);
  filler[each] = 0;
  args[0] = self, args[1] = "ok";
  for (long i = 0; i < count; i++) args[2 + i] = filler;
  args[2 + count] = "the-tail-of-it";
  execv(self, args);
  die("execv");
  return 1;
}
// outlive MS: a child in a session of its own that goes on after its parent
static int outlive(char **a) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      usleep(number(a[0]) * 1000);
      touch("/etc/hostname", O_RDONLY);
    }
    _exit(0);
  }
  wait(NULL);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  char *mode = argv[1], **a = argv + 2;
#define MODE(name, need, call) if (!strcmp(mode, name) && argc >= 2 + need) return call
  MODE("short", 2, number(a[1]));
  MODE("ok", 0, 0);
  MODE("make", 3, make(a));
  MODE("open", 5, open_all(a));
  MODE("reopen", 2, reopen(a));
  MODE("getppid", 1, getppids(a));
  MODE("spawn", 3, spawn_many(a));
  MODE("measure", 1, measure(a));
  MODE("first", 1, first(a));
  MODE("leader", 1, leader(a));
  MODE("thread-exec", 2, thread_exec(a));
  MODE("deep", 2, deep(a));
  MODE("deleted", 1, deleted(a));
  MODE("bomb", 1, bomb(a));
  MODE("long-argv", 1, long_argv(a, argv[0]));
  MODE("outlive", 1, outlive(a));
  fprintf(stderr, "work: no mode %s with %d arguments\n", mode, argc - 2);
  return 2;
}
