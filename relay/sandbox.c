#include "config.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"

#include "relay/sandbox.h"

#if defined HAVE_SECCOMP && !defined TM_INSTRUMENTED

#include <seccomp.h>

/* By name, as not every machine has each: "open" is no call of aarch64, and an older libseccomp does not know the newest. */
static const char *const plain[] = {
  /* descriptors */
  "read", "readv", "pread64", "write", "writev", "pwrite64", "close", "lseek", "fcntl", "epoll_ctl",
  "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "timerfd_settime", "timerfd_gettime",
  /* files: documents, configuration, journals, counters, the database */
  "open", "openat", "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
  "readlinkat", "getcwd", "getdents64", "rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "fallocate", "fsync", "fdatasync",
  "sync_file_range", "fadvise64", "flock", "fchmod", "fchown",
  /* links; socket has a rule of its own */
  "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "sendto", "recvfrom",
  "sendmsg", "recvmsg",
  /* memory; mmap and mprotect have rules of their own */
  "brk", "munmap", "mremap", "madvise", "mlock", "mlock2", "munlock", "mincore", "membarrier",
  /* threads that are there, and the first steps of one that has not got the processor yet */
  "set_robust_list", "rseq", "futex", "futex_waitv", "sched_yield", "sched_getaffinity", "getcpu", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
  "restart_syscall", "exit", "exit_group",
  /* time, chance, itself */
  "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom", "getrusage", "times", "sysinfo", "uname",
  "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
  /* The same on machines of 32 bits. */
  "_llseek", "fcntl64", "stat64", "lstat64", "fstat64", "fstatat64", "ftruncate64", "fadvise64_64", "arm_fadvise64_64", "sync_file_range2",
  "arm_sync_file_range", "fchown32", "getuid32", "geteuid32", "getgid32", "getegid32", "send", "recv", "sigreturn", "clock_gettime64", "clock_getres_time64",
  "clock_nanosleep_time64", "futex_time64", "ppoll_time64", "pselect6_time64", "_newselect", "timerfd_settime64", "timerfd_gettime64", "ugetrlimit",
};

/* A call with conditions on its arguments; several rules for one call: any of them. */
struct rule {
  const char *name;
  unsigned n;
  struct scmp_arg_cmp arg[2];
};

#define TYPE_BITS 0xf /* of socket's second argument; the rest are flags */

static const struct rule rules[] = {
  {"mmap", 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
  {"mmap2", 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}}, /* of 32 bits */
  {"mprotect", 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
  {"socket", 2, {{0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_INET}, {1, SCMP_CMP_MASKED_EQ, TYPE_BITS, SOCK_STREAM}}},
  {"socket", 2, {{0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_INET6}, {1, SCMP_CMP_MASKED_EQ, TYPE_BITS, SOCK_STREAM}}},
  /* The service manager is told by datagrams; local services that could be asked for something listen on streams. */
  {"socket", 2, {{0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX}, {1, SCMP_CMP_MASKED_EQ, TYPE_BITS, SOCK_DGRAM}}},
  {"ioctl", 1, {{1, SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONREAD}}},
  {"ioctl", 1, {{1, SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONBIO}}},
  {"ioctl", 1, {{1, SCMP_CMP_MASKED_EQ, UINT32_MAX, TCGETS}}}, /* isatty */
  {"prlimit64", 1, {{2, SCMP_CMP_EQ, 0, 0}}},                  /* asks only */
  {"prctl", 1, {{0, SCMP_CMP_MASKED_EQ, UINT32_MAX, PR_SET_NAME}}},
  /* Nobody else may answer SIGSYS. */
  {"rt_sigaction", 1, {{0, SCMP_CMP_NE, SIGSYS, 0}}},
};

/* The call's number and no more. It cannot be stopped from ending: SA_RESETHAND has put the default back, which ends the process. */
static void on_forbidden(int signal, siginfo_t *info, void *context)
{
  (void)context;
  tm_log(TM_LOG_ERROR, "sandbox", "a system call that no relay makes; this is a bug or an attack, and ends the relay", TM_KV_INT("call", info->si_syscall),
         TM_KV_END);
  raise(signal);
}

static int answer_forbidden(void)
{
  struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER)};

  sigemptyset(&action.sa_mask);
  return sigaction(SIGSYS, &action, NULL) == 0 ? 0 : -errno;
}

/* Zero, or a negative errno. */
static int allow(scmp_filter_ctx filter, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
  int call = seccomp_syscall_resolve_name(name);

  if (call == __NR_SCMP_ERROR || call < 0)
    return 0;
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, args);
}

static int fill(scmp_filter_ctx filter)
{
  struct scmp_arg_cmp self = {0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)getpid()};
  int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

  for (size_t i = 0; rc == 0 && i < sizeof plain / sizeof plain[0]; i++)
    rc = allow(filter, plain[i], 0, NULL);
  for (size_t i = 0; rc == 0 && i < sizeof rules / sizeof rules[0]; i++)
    rc = allow(filter, rules[i].name, rules[i].n, rules[i].arg);
  return rc == 0 ? allow(filter, "tgkill", 1, &self) : rc; /* abort and raise */
}

int tm_sandbox_close(void)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
  int rc = filter == NULL ? -ENOMEM : fill(filter);

  if (rc == 0)
    rc = answer_forbidden();
  if (rc == 0)
    rc = seccomp_load(filter); /* sets no_new_privs as well */
  if (filter != NULL)
    seccomp_release(filter);
  if (rc == 0) {
    tm_log(TM_LOG_INFO, "sandbox", "closed: other system calls than a relay's end the process", TM_KV_END);
    return TM_OK;
  }
  tm_log(TM_LOG_ERROR, "sandbox", "the filter of system calls cannot be set; where the machine has none, \"sandbox = no\" runs without it",
         TM_KV_NAME("reason", strerror(-rc)), TM_KV_END);
  return rc == -ENOMEM ? TM_E_NOMEM : TM_E_IO;
}

#else

int tm_sandbox_close(void)
{
#ifdef TM_INSTRUMENTED
  tm_log(TM_LOG_WARN, "sandbox", "no filter of system calls: this program is built with a sanitizer", TM_KV_END);
#else
  tm_log(TM_LOG_WARN, "sandbox", "no filter of system calls: this program is built without libseccomp", TM_KV_END);
#endif
  return TM_OK;
}

#endif
