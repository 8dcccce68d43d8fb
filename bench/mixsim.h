/*
 * A network of mixes under a virtual clock: the relay's own mix code (relay/mix.h), fed with packets that come at random, and a record of
 * what an observer sees of it, together with which packet each departure was. Nothing here mixes.
 *
 * `layers` layers of `width` mixes; a packet passes one of each layer, drawn uniformly. Links take no time. One layer of one mix is one mix,
 * layers of one mix are a cascade. Everything follows from the seed. Times are in ticks, whose length the caller chooses. One thread.
 */
#ifndef TM_BENCH_MIXSIM_H
#define TM_BENCH_MIXSIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/mix.h"
#include "relay/randomness.h"

#define TM_SIM_LAYERS_MAX 16
#define TM_SIM_WIDTH_MAX 64
#define TM_SIM_NEVER UINT32_MAX

struct tm_sim_config {
  const struct tm_mix_strategy *strategy;
  struct tm_mix_config mix; /* of each relay; capacity, rng and dummies are set here */
  double rate;              /* packets a tick that come into the network, > 0 */
  double mean_delay;        /* ticks; what senders draw for each hop, for poisson */
  double dummy_rate;        /* packets a tick that each relay makes by itself, beside those for pool_floor */
  size_t layers, width;     /* > 0 */
  size_t packets;           /* that come in, > 0; the record ends with the last */
  uint64_t seed;
};

/* A packet enters or leaves a relay. */
struct tm_sim_event {
  uint32_t item; /* packets are numbered as they come into the network; dummies from `packets` on */
  uint32_t pool; /* packets in the relay before it */
  uint32_t at, of; /* leaves as number `at`, from 0, of a release of `of`; of == 0: it enters */
};

struct tm_sim_relay {
  struct tm_sim_event *event;
  size_t n, cap;
};

struct tm_sim {
  size_t layers, width;
  size_t packets; /* numbers below are packets ... */
  size_t items;   /* ... and those from there, below this, dummies */
  struct tm_sim_relay relay[TM_SIM_LAYERS_MAX][TM_SIM_WIDTH_MAX];
  uint8_t *relay_of[TM_SIM_LAYERS_MAX];  /* by item: the relay that it passed in this layer */
  uint32_t *event_of[TM_SIM_LAYERS_MAX]; /* by item: the event there with which it left, or TM_SIM_NEVER */
  uint64_t *in, *out;                    /* by item: ticks when it came into the network and left it */
  uint32_t *exit;                        /* packets (no dummies) in the order in which they left the network */
  size_t exits;
};

/* Errors: TM_E_NOMEM, TM_E_TOO_BIG (as tm_mix_new; or more than three dummies for each packet). *sim is then empty. */
int tm_sim_run(struct tm_sim *sim, const struct tm_sim_config *config) TM_MUST_CHECK;
void tm_sim_free(struct tm_sim *sim);

/* Strikes the dummies out, as if whoever watches recognised each of them. */
void tm_sim_strike_dummies(struct tm_sim *sim);

/* A random source from a seed and a number that says what for. */
struct tm_sim_rng {
  struct tm_rng_seeded seeded;
  struct tm_rng source;
  struct tm_rng_buffered buffered;
  struct tm_rng rng; /* use this; it points into the struct */
};
void tm_sim_rng_init(struct tm_sim_rng *r, uint64_t seed, uint32_t what_for);

#endif
