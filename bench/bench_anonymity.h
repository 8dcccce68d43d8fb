/*
 * tidemill-bench anonymity: how well the relay's own mix code hides packets, in bits, and what that costs in delay. One thread.
 */
#ifndef TM_BENCH_ANONYMITY_H
#define TM_BENCH_ANONYMITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config/command.h"
#include "relay/mix.h"

struct tm_anonymity_options {
  const struct tm_mix_strategy *strategy;
  uint32_t threshold, pool, share, floor; /* as in tm_mix_config; share 0: the strategy's own */
  double interval, mean_delay;            /* seconds */
  double rate;                            /* packets a second into the network */
  double dummies;                         /* packets a second that each relay makes */
  double loops, timeout;                  /* of an attack: loops a second, > 0; seconds of request_timeout_ms */
  size_t layers, width;
  unsigned corrupt;                       /* relays in a hundred */
  size_t packets;
  size_t trials;                          /* targets of an attack */
  uint64_t seed;
  bool json, attack;
  const char *plot; /* file; NULL: none */
};

/* Bits, of a packet that leaves the network in the steady state, over all that came in. */
struct tm_anonymity_bits {
  double shannon; /* mean over the packets looked at */
  double min;     /* of the mean probability of the likeliest origin */
  double p5, p50; /* percentiles of the Shannon entropy */
  double surprise;/* mean of -log2 of the probability that the true origin got: as much as shannon if the law was learned well; NAN: none */
};

struct tm_anonymity {
  struct tm_anonymity_bits bits;
  struct tm_anonymity_bits recognised; /* if whoever watches recognises all dummies */
  bool dummies;                        /* there were any */
  double closed_form;                  /* bits; NAN: there is none */
  double pool;                         /* packets in a relay when one leaves */
  double mean_delay, delay[4];         /* seconds; percentiles as in tm_anonymity_percentiles */
  size_t samples;
};

extern const double tm_anonymity_percentiles[4];

/* What the program does without options. */
struct tm_anonymity_options tm_anonymity_standard(void);

/* Errors: TM_E_NOMEM; TM_E_TOO_BIG: pool or dummies do not fit, or too few packets for a steady state. */
int tm_anonymity_measure(struct tm_anonymity *out, const struct tm_anonymity_options *o) TM_MUST_CHECK;

/* The unit of the virtual clock in seconds: a microsecond, or for long delays a millisecond; and the mixes' configuration in that unit. */
double tm_anonymity_tick(const struct tm_anonymity_options *o);
struct tm_mix_config tm_anonymity_mix(const struct tm_anonymity_options *o);

/* How many relays in a hundred really are corrupt: relays come whole. */
double tm_anonymity_corrupt(const struct tm_anonymity_options *o);

/* The command; returns enum tm_exit. */
int tm_bench_anonymity(const struct tm_command_call *call);

/* report_anonymity.c, to standard output. Errors: TM_E_NOMEM, TM_E_IO. */
void tm_anonymity_print_table(const struct tm_anonymity_options *o, const struct tm_anonymity *a);
int tm_anonymity_print_json(const struct tm_anonymity_options *o, const struct tm_anonymity *a) TM_MUST_CHECK;

/*
 * plot_anonymity.c: measures all strategies at o's rate, mean delay and packets, and draws what comes out to o->plot. Errors: as
 * tm_anonymity_measure, and TM_E_IO (errno says why).
 */
int tm_anonymity_plot(const struct tm_anonymity_options *o) TM_MUST_CHECK;

#endif
