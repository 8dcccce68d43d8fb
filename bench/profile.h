/*
 * Where a process spends its time: looks, at every tick of the kernel's clock that a thread has worked through, where that thread is. Needs no
 * privileges. A sample in a system call counts for it. The program's own part is told by its symbols, so a stripped one is one lump.
 *
 * One at a time per process; main thread. Signals: SIGPROF.
 */
#ifndef TM_BENCH_PROFILE_H
#define TM_BENCH_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tm_bench_part {
  TM_BENCH_PART_SOCKETS, /* system calls on sockets */
  TM_BENCH_PART_TLS,     /* OpenSSL, links and cells */
  TM_BENCH_PART_PACKET,  /* header and body step */
  TM_BENCH_PART_REPLAY,
  TM_BENCH_PART_MIX,
  TM_BENCH_PART_QUEUES,  /* slab, rings, the engine itself */
  TM_BENCH_PART_COPY,    /* copying and wiping bytes, wherever */
  TM_BENCH_PART_WAKE,    /* event loop, timers, threads that wake each other */
  TM_BENCH_PART_REST,
  TM_BENCH_PARTS
};

const char *tm_bench_part_name(enum tm_bench_part part);

/* Samples so far, by part. */
struct tm_bench_profile {
  uint64_t n[TM_BENCH_PARTS];
};

/* Begins, for all threads that there are now. Errors: TM_E_NOMEM, TM_E_IO (not on this kind of machine). */
int tm_bench_profile_start(void) TM_MUST_CHECK;
/* Ends, and tells; zeros if it did not run. */
void tm_bench_profile_stop(struct tm_bench_profile *profile);

#endif
