/*
 * tidemill-bench relay: how much a whole relay carries, and what that costs. The relay runs in a process of its own; load and sinks in this one.
 */
#ifndef TM_BENCH_RELAY_H
#define TM_BENCH_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config/command.h"
#include "bench/measure.h"
#include "bench/relay_load.h"

struct tm_bench_relay_options {
  double seconds;       /* of the fixed phase */
  double rate;          /* 0: find it */
  size_t clients;       /* 0: a mix between relays */
  size_t peers;
  uint32_t mean_delay_ms;
  uint32_t workers;
  const char *backend;  /* NULL: the best */
  bool json;
  const char *plot;
};

struct tm_bench_relay_report {
  char cpu_name[TM_BENCH_CPU_NAME_LEN];
  bool searched;
  struct tm_bench_result search; /* as fast as it takes them */
  struct tm_bench_result fixed;  /* at a rate that was given or is TM_BENCH_FIXED_SHARE of what was found */
  struct tm_bench_stats last;    /* after it drained */
};

#define TM_BENCH_FIXED_SHARE 0.8

/* The command; returns enum tm_exit. */
int tm_bench_relay(const struct tm_command_call *call);

/* To standard output. */
void tm_bench_relay_print_table(const struct tm_bench_relay_options *o, const struct tm_bench_relay_report *r);
/* Errors: TM_E_NOMEM, TM_E_IO. */
int tm_bench_relay_print_json(const struct tm_bench_relay_report *r) __attribute__((warn_unused_result));
/* A chart as SVG to o->plot: latency, and where a packet's time goes. Errors: TM_E_IO (errno says why). */
int tm_bench_relay_plot(const struct tm_bench_relay_options *o, const struct tm_bench_relay_report *r)
  __attribute__((warn_unused_result));

#endif
