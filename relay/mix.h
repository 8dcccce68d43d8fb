/*
 * The mix: holds packets and releases them at its time, so that what goes out cannot be matched with what came in
 * (doc/spec/mixing.md, section 5). A strategy is one small table of functions; this is its face.
 *
 * Items are indices that the mix does not look behind. Time and randomness are given to it; it has no thread, no socket and no clock.
 * Owner: the loop thread.
 */
#ifndef TM_RELAY_MIX_H
#define TM_RELAY_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "directory/document.h"

#define TM_MIX_NEVER UINT64_MAX

struct tm_mix;

/* Makes up to n of the relay's own dummies and writes their items; returns how many it could make. */
typedef size_t tm_mix_dummies(void *arg, uint32_t *items, size_t n);

struct tm_mix_config {
  size_t capacity;              /* items, > 0 */
  const struct tm_rng *rng;     /* outlives the mix */
  uint32_t threshold;           /* threshold and threshold pool: packets of a round, > 0 */
  uint32_t pool_interval_ms;    /* timed and dynamic pool; this and the rest as in tm_params */
  uint32_t pool_min;            /* all but threshold and poisson */
  uint32_t pool_share_permille; /* timed pool: of what is above pool_min; dynamic pool: of all */
  uint32_t pool_floor;          /* timed and dynamic pool */
  tm_mix_dummies *dummies;      /* for the floor; NULL: none */
  void *dummies_arg;
};

/* What a strategy has to bring. `mix` is its own. */
struct tm_mix_strategy {
  const char *name;
  /* Errors: TM_E_NOMEM, TM_E_TOO_BIG. */
  int (*create)(void **mix, const struct tm_mix_config *config, uint64_t now_ms);
  /* Errors: TM_E_FULL. */
  int (*add)(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms);
  uint64_t (*next_ms)(const void *mix);
  size_t (*release)(void *mix, uint64_t now_ms, uint32_t *out, size_t cap);
  size_t (*count)(const void *mix);
  void (*drain)(void *mix);
  void (*destroy)(void *mix);
};

/* What a document may name ... */
extern const struct tm_mix_strategy tm_mix_poisson;
extern const struct tm_mix_strategy tm_mix_pool; /* timed-pool */
/* ... and what exists to be measured beside it (tidemill-bench anonymity; mixing.md, section 5.5, says why no document may). */
extern const struct tm_mix_strategy tm_mix_threshold;
extern const struct tm_mix_strategy tm_mix_threshold_pool;
extern const struct tm_mix_strategy tm_mix_dynamic_pool;

/* All of them, the last NULL. */
extern const struct tm_mix_strategy *const tm_mix_strategies[];

/* The table of that strategy; NULL: there is none. */
const struct tm_mix_strategy *tm_mix_strategy(enum tm_strategy strategy);

/*
 * now_ms: on the monotonic clock, here and below. (A mix compares and adds times and looks behind none of them: a simulation may count in
 * another unit, in all of them.) Errors: TM_E_NOMEM, TM_E_TOO_BIG (a round and what stays are more than the capacity: it would never end).
 */
int tm_mix_new(struct tm_mix **out, const struct tm_mix_strategy *strategy, const struct tm_mix_config *config, uint64_t now_ms)
  TM_MUST_CHECK;
void tm_mix_free(struct tm_mix *mix); /* forgets what it holds; NULL is fine */

/* Holds an item; delay_ms is what its header asks for, and a strategy may ignore it. Errors: TM_E_FULL. */
int tm_mix_add(struct tm_mix *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms) TM_MUST_CHECK;

/* When release has something to do; TM_MIX_NEVER: not before something is added. */
uint64_t tm_mix_next_ms(const struct tm_mix *mix);

/*
 * Writes up to cap items whose time has come, in an order that says nothing about when they came; call again while it fills cap. What is
 * added between two such calls does not join a release that has begun.
 */
size_t tm_mix_release(struct tm_mix *mix, uint64_t now_ms, uint32_t *out, size_t cap) TM_MUST_CHECK;

size_t tm_mix_count(const struct tm_mix *mix);
const char *tm_mix_name(const struct tm_mix *mix); /* of its strategy, static */

/*
 * How well a packet is hidden that would leave now, in bits: the Shannon entropy over the packets that came in, for somebody who has seen when
 * packets came and went (mixing.md, section 5.8). 0: the mix is empty. It takes the mix's word that each of those inside is as likely to leave next.
 */
double tm_mix_entropy(const struct tm_mix *mix);

/*
 * While it is held, a mix takes packets in and lets none go (mixing.md, section 5.6): for a relay that has reason to think that somebody
 * keeps other people's packets away from it. Afterwards what is due leaves in one uniformly random order; intervals that passed are left out.
 */
void tm_mix_hold(struct tm_mix *mix, bool held);

/* From now on nothing is kept back for company's sake: the relay goes away. No hold, no more dummies. Delays of headers still hold. */
void tm_mix_drain(struct tm_mix *mix);

#endif
