/*
 * The relay that is measured, in a process of its own: the relay's engine and nothing else. It ends with the process that started it, however that ends.
 * One thread.
 */
#ifndef TM_BENCH_RELAY_CHILD_H
#define TM_BENCH_RELAY_CHILD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/profile.h"
#include "link/link.h"
#include "relay/counters.h"

#define TM_BENCH_THREADS_MAX 16

struct tm_bench_child {
  pid_t pid; /* 0: there is none */
  int fd;
};

/* One moment of the relay. */
struct tm_bench_stats {
  int err;                   /* of what was asked */
  double now_us;             /* monotonic */
  double user_us, system_us; /* getrusage of the process */
  double rss_mb;
  uint64_t voluntary, involuntary; /* context switches */
  struct tm_snapshot snapshot;     /* without its name */
  bool balanced;
  struct tm_link_io io;
  char backend[32];
  size_t threads;
  struct {
    char name[16];
    double cpu_us;
  } thread[TM_BENCH_THREADS_MAX];
  struct tm_bench_profile profile; /* of tm_bench_child_profile(child, false) only */
};

/* Before the caller has threads or much memory. backend: NULL: the best. Errors: TM_E_IO. */
int tm_bench_child_fork(struct tm_bench_child *child, const char *backend) TM_MUST_CHECK;
/* Starts the engine; it listens afterwards. Errors: those of tm_engine_new and tm_options_load; TM_E_CLOSED: it died. */
int tm_bench_child_start(struct tm_bench_child *child, const char *config) TM_MUST_CHECK;
/* Errors: TM_E_CLOSED. */
int tm_bench_child_stats(struct tm_bench_child *child, struct tm_bench_stats *stats) TM_MUST_CHECK;
/* Begins to take samples, or ends it and tells. Errors: those of tm_bench_profile_start, TM_E_CLOSED. */
int tm_bench_child_profile(struct tm_bench_child *child, bool begin, struct tm_bench_stats *stats) TM_MUST_CHECK;
/* Lets it drain and end; *stats is of its last moment. Errors: TM_E_CLOSED. */
int tm_bench_child_stop(struct tm_bench_child *child, struct tm_bench_stats *stats) TM_MUST_CHECK;
/* Ends it, if it still runs, and waits for it. Fine on a zeroed struct. */
void tm_bench_child_end(struct tm_bench_child *child);

#endif
