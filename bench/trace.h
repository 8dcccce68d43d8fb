/*
 * How well a packet that left a network of mixes is hidden among those that came in, computed from a record (bench/mixsim.h) and from nothing
 * that is known about the strategy. doc/anonymity.md says why this is what an adversary can do who sees every link. One thread.
 *
 * First the *law* is learned: how often the packet that leaves stood at which place of the pool, by order of arrival there, depending on how
 * far the release has gone. A law that cannot be told from a uniform choice is taken for one. Then single departures are traced back through the events, with the law, to a probability for each packet that
 * came in.
 */
#ifndef TM_BENCH_TRACE_H
#define TM_BENCH_TRACE_H

#include "bench/mixsim.h"

#define TM_LAW_PHASES_MAX 16
#define TM_LAW_PLACES 32

/* edge[i] to edge[i + 1]: a class of places, 0 the youngest packet of the pool, 1 the oldest; finer at both ends. */
struct tm_law {
  size_t phases; /* into which releases are divided */
  bool uniform;  /* what was seen does not tell the mix from one that chooses uniformly, and that is what is below */
  double edge[TM_LAW_PLACES + 1];
  double below[TM_LAW_PHASES_MAX][TM_LAW_PLACES + 1]; /* how probable a place under edge[i] is */
};

struct tm_trace;

/* Learns the law of all relays of sim, which outlives the trace. Errors: TM_E_NOMEM; TM_E_TOO_BIG: too few departures. */
int tm_trace_new(struct tm_trace **out, const struct tm_sim *sim) TM_MUST_CHECK;
void tm_trace_free(struct tm_trace *trace); /* NULL is fine */
const struct tm_law *tm_trace_law(const struct tm_trace *trace);
double tm_trace_pool(const struct tm_trace *trace); /* packets in a relay when one leaves, on average; in the steady state */

struct tm_hiding {
  double shannon;  /* bits: entropy of where the packet came from */
  double likeliest;/* probability of the likeliest origin */
  double truth;    /* probability that the tracer gave to the true one */
  double early;    /* probability of origins at the record's very beginning: it was too short if that is not next to nothing */
};

/*
 * Traces the packet that left the network as exit number `exit`. corrupt: by layer * width + number, the relays whose owner tells the
 * tracer everything; NULL: none. A dummy that may have been it counts as an origin of its own.
 */
struct tm_hiding tm_trace_back(struct tm_trace *trace, size_t exit, const bool *corrupt);

#endif
