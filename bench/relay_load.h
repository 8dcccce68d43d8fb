/*
 * The load on a relay that is measured: sources or clients that send to it, sinks that it sends to, all over real links, in one thread of this process.
 */
#ifndef TM_BENCH_RELAY_LOAD_H
#define TM_BENCH_RELAY_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/relay_child.h"
#include "bench/relay_packets.h"
#include "bench/relay_world.h"

#define TM_BENCH_LATENCY_STEP_US 10
#define TM_BENCH_LATENCY_STEPS 500000 /* to 5 s; what is later counts as that */

struct tm_bench_load;

/* One phase. */
struct tm_bench_phase {
  double rate;     /* packets a second; 0: as fast as the relay takes them ... */
  size_t window;   /* ... with at most so many under way */
  double warm_s;   /* before anything counts */
  double seconds;  /* that count */
  bool profile;
  bool live;       /* a packet that is not made yet is waited for; else the phase ends when there are none */
  void (*each_second)(void *arg, double second, const struct tm_bench_stats *stats); /* may be NULL */
  void *arg;
};

struct tm_bench_result {
  uint64_t sent, came, lost;       /* of all that were sent, warm-up and all */
  double seconds;                  /* that count, really */
  double rate;                     /* packets a second that came out of the relay in them */
  double cpu_us;                   /* of the relay, in them, for each */
  double user_us, system_us;
  double cpu_share;                /* of the relay: 1 is one core */
  uint64_t held_back;              /* sends that a link refused as the relay did not read */
  double idle_s;                   /* live: no packet was ready */
  struct tm_bench_stats begin, end;
  uint64_t counted;                /* latencies */
  uint32_t latency[TM_BENCH_LATENCY_STEPS];
};

/* clients: 0: links of relays. Listens and sets the sinks' ports. stop: not 0: everything gives up. Errors: TM_E_NOMEM, TM_E_IO. */
int tm_bench_load_new(struct tm_bench_load **out, struct tm_bench_world *world, size_t clients, const volatile int *stop) TM_MUST_CHECK;
void tm_bench_load_free(struct tm_bench_load *load); /* NULL is fine */

/* Dials, and waits until all links are up. Errors: TM_E_TIMEOUT, TM_E_CLOSED (stop), TM_E_NOMEM, TM_E_IO. */
int tm_bench_load_connect(struct tm_bench_load *load) TM_MUST_CHECK;

/* Errors: TM_E_CLOSED (stop, the relay died or closed a link) and those of tm_bench_child_profile. */
int tm_bench_load_run(struct tm_bench_load *load, struct tm_bench_packets *packets, struct tm_bench_child *child,
                      const struct tm_bench_phase *phase, struct tm_bench_result *result) TM_MUST_CHECK;

/* In milliseconds; share: 0 to 1. */
double tm_bench_latency_ms(const struct tm_bench_result *result, double share);

#endif
