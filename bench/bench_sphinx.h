/*
 * tidemill-bench sphinx: what the packet costs, per back-end and batch size. One thread.
 */
#ifndef TM_BENCH_SPHINX_H
#define TM_BENCH_SPHINX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config/command.h"
#include "bench/measure.h"

#define TM_BENCH_BATCHES_MAX 16
#define TM_BENCH_BACKENDS_MAX 16

/* What is measured, each per operation or packet. */
enum tm_bench_step {
  TM_BENCH_X25519,  /* one multiplication in a batch */
  TM_BENCH_LIONESS, /* one layer of one payload */
  TM_BENCH_HEADER,  /* the header step */
  TM_BENCH_BODY,    /* the body step */
  TM_BENCH_UNWRAP,  /* both, one after the other */
  TM_BENCH_FORGED,  /* a packet whose MAC is wrong, in a batch of such */
  TM_BENCH_CREATE,  /* a whole packet, made in a batch */
  TM_BENCH_STEPS
};

struct tm_bench_sphinx_options {
  size_t hops;
  size_t payload; /* body length in bytes */
  size_t batch[TM_BENCH_BATCHES_MAX];
  size_t batches;
  size_t runs;
  const char *backend; /* NULL: all */
  bool json;
  const char *plot; /* file; NULL: none */
};

struct tm_bench_sphinx_row {
  size_t batch;
  struct tm_bench_value ns[TM_BENCH_STEPS];
};

struct tm_bench_sphinx_backend {
  const char *name;
  bool available;
  struct tm_bench_sphinx_row row[TM_BENCH_BATCHES_MAX]; /* one for each batch size, in the order of the options */
};

struct tm_bench_sphinx_report {
  int cpu; /* -1: not pinned */
  char cpu_name[TM_BENCH_CPU_NAME_LEN];
  struct tm_bench_value scalarmult_ns; /* libsodium's X25519: the unit S */
  struct tm_bench_value point_check_ns;
  struct tm_bench_sphinx_backend backend[TM_BENCH_BACKENDS_MAX];
  size_t backends;
};

/* The command; returns enum tm_exit. */
int tm_bench_sphinx(const struct tm_command_call *call);

/* A chart as SVG to o->plot: packets a second by batch size, and what an unwrap's time goes to. Errors: TM_E_IO. */
int tm_bench_sphinx_plot(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
  __attribute__((warn_unused_result));

/* To standard output. */
void tm_bench_sphinx_print_table(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r);
/* Errors: TM_E_NOMEM, TM_E_IO. */
int tm_bench_sphinx_print_json(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
  __attribute__((warn_unused_result));

#endif
