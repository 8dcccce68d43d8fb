/* One measurement: a run of the simulation, a trace of some of the packets that left, and what is on average. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "bench/bench_anonymity.h"
#include "bench/measure.h"
#include "bench/trace.h"

#define WORK 1500.0       /* multiplications for all traces of a run, about, for each packet ... */
#define WORK_PACKETS 1e5  /* ... of the first so many */
#define SAMPLES_MIN 200
#define SAMPLES_MAX 20000
#define EARLY_MAX 1e-3  /* probability of origins at the record's beginning, in all but one of a hundred traces */
#define LIFETIMES 14    /* e^-14: so many mean pools a trace goes back */

enum { FOR_SAMPLES = 100 };

const double tm_anonymity_percentiles[4] = {0.5, 0.9, 0.99, 0.999};

struct tm_anonymity_options tm_anonymity_standard(void)
{
  return (struct tm_anonymity_options){.strategy = &tm_mix_poisson, .threshold = 100, .pool = 100, .interval = 1, .mean_delay = 1,
                                       .rate = 100, .loops = 5, .timeout = 20, .layers = 1, .width = 1, .packets = 100000, .trials = 300, .seed = 1};
}

double tm_anonymity_tick(const struct tm_anonymity_options *o)
{
  return o->mean_delay <= 100 && o->interval <= 1000 ? 1e-6 : 1e-3;
}

struct tm_mix_config tm_anonymity_mix(const struct tm_anonymity_options *o)
{
  uint32_t share = o->share;

  if (share == 0)
    share = o->strategy == &tm_mix_dynamic_pool ? 650 : 1000;
  return (struct tm_mix_config){.threshold = o->threshold,
                                .pool_interval_ms = (uint32_t)(o->interval / tm_anonymity_tick(o)),
                                .pool_min = o->pool,
                                .pool_share_permille = share,
                                .pool_floor = o->floor};
}

static double closed_form(const struct tm_anonymity_options *o)
{
  double in = o->threshold, kept = o->pool;

  if (o->layers * o->width > 1 || o->corrupt > 0 || o->dummies > 0 || o->floor > 0)
    return NAN;
  if (o->strategy == &tm_mix_threshold)
    return log2(in);
  if (o->strategy == &tm_mix_threshold_pool)
    return (1 + kept / in) * log2(in + kept) - (kept > 0 ? kept / in * log2(kept) : 0);
  if (o->strategy == &tm_mix_poisson)
    return log2(M_E * o->rate * o->mean_delay);
  return NAN;
}

/* ---- delays ---- */

/* Of the packets that came in the middle half of the record: neither before the pools had filled nor too late to leave. */
static int delays(struct tm_anonymity *out, const struct tm_sim *sim, double tick)
{
  double *delay = calloc(sim->exits, sizeof *delay), sum = 0;
  size_t n = 0;

  if (delay == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < sim->exits; i++) {
    uint32_t item = sim->exit[i];
    if (item < sim->packets / 4 || item > sim->packets - sim->packets / 4)
      continue;
    delay[n] = (double)(sim->out[item] - sim->in[item]) * tick;
    sum += delay[n++];
  }
  if (n > 0) {
    out->mean_delay = sum / (double)n;
    tm_bench_percentiles(delay, n, tm_anonymity_percentiles, out->delay, 4);
  }
  free(delay);
  return n > 0 ? TM_OK : TM_E_TOO_BIG;
}

/* ---- bits ---- */

static size_t samples_of(const struct tm_trace *trace, const struct tm_sim *sim)
{
  double events = 2 * LIFETIMES * (tm_trace_pool(trace) + 1) * (double)(sim->layers * sim->width);
  double each = tm_trace_law(trace)->uniform ? 4 * events : events * fmin(tm_trace_pool(trace) + 1, 1024);

  return (size_t)fmax(SAMPLES_MIN, fmin(SAMPLES_MAX, WORK * fmin((double)sim->packets, WORK_PACKETS) / each));
}

static size_t corrupt_relays(const struct tm_anonymity_options *o) { return (o->layers * o->width * o->corrupt + 50) / 100; }

double tm_anonymity_corrupt(const struct tm_anonymity_options *o)
{
  return 100 * (double)corrupt_relays(o) / (double)(o->layers * o->width);
}

/* A fresh choice of who is corrupt. */
static void corrupt_some(bool *corrupt, const struct tm_anonymity_options *o, const struct tm_rng *rng)
{
  size_t relays = o->layers * o->width, left = corrupt_relays(o);

  for (size_t i = 0; i < relays; i++) {
    corrupt[i] = tm_rng_below(rng, (uint32_t)(relays - i)) < left;
    left -= corrupt[i];
  }
}

static int look_at(struct tm_anonymity_bits *bits, size_t *samples, struct tm_trace *trace, const struct tm_sim *sim,
                   const struct tm_anonymity_options *o)
{
  bool corrupt[TM_SIM_LAYERS_MAX * TM_SIM_WIDTH_MAX] = {false};
  double *shannon, likeliest = 0, sum = 0, surprise = 0;
  const double at[] = {0.05, 0.5};
  double percentile[2];
  struct tm_sim_rng rng;
  size_t n = samples_of(trace, sim), early = 0;

  if (sim->exits < 2)
    return TM_E_TOO_BIG;
  shannon = calloc(n, sizeof *shannon);
  if (shannon == NULL)
    return TM_E_NOMEM;
  tm_sim_rng_init(&rng, o->seed, FOR_SAMPLES);
  for (size_t i = 0; i < n; i++) {
    size_t half = sim->exits / 2;
    struct tm_hiding h;
    corrupt_some(corrupt, o, &rng.rng);
    h = tm_trace_back(trace, half + tm_rng_below(&rng.rng, (uint32_t)(sim->exits - half)), corrupt);
    shannon[i] = h.shannon;
    sum += h.shannon;
    likeliest += h.likeliest;
    surprise -= log2(h.truth);
    early += h.early > EARLY_MAX;
  }
  tm_bench_percentiles(shannon, n, at, percentile, 2);
  *bits = (struct tm_anonymity_bits){.shannon = sum / (double)n, .min = fabs(log2(fmin(1, likeliest / (double)n))), .p5 = percentile[0],
                                     .p50 = percentile[1], .surprise = surprise / (double)n};
  *samples = n;
  free(shannon);
  return early > n / 100 ? TM_E_TOO_BIG : TM_OK;
}

static int trace_all(struct tm_anonymity_bits *bits, struct tm_anonymity *out, const struct tm_sim *sim,
                     const struct tm_anonymity_options *o)
{
  struct tm_trace *trace;
  int err = tm_trace_new(&trace, sim);

  if (err != TM_OK)
    return err;
  out->pool = tm_trace_pool(trace);
  err = look_at(bits, &out->samples, trace, sim, o);
  tm_trace_free(trace);
  return err;
}

int tm_anonymity_measure(struct tm_anonymity *out, const struct tm_anonymity_options *o)
{
  double tick = tm_anonymity_tick(o);
  struct tm_sim_config config = {.strategy = o->strategy, .mix = tm_anonymity_mix(o), .rate = o->rate * tick,
                                 .mean_delay = o->mean_delay / tick, .dummy_rate = o->dummies * tick, .layers = o->layers,
                                 .width = o->width, .packets = o->packets, .seed = o->seed};
  struct tm_sim sim;
  int err;

  *out = (struct tm_anonymity){.closed_form = closed_form(o)};
  err = tm_sim_run(&sim, &config);
  if (err != TM_OK)
    return err;
  out->dummies = sim.items > sim.packets;
  err = delays(out, &sim, tick);
  if (err == TM_OK && out->dummies) {
    err = trace_all(&out->bits, out, &sim, o);
    tm_sim_strike_dummies(&sim);
  }
  if (err == TM_OK)
    err = trace_all(&out->recognised, out, &sim, o);
  if (!out->dummies)
    out->bits = out->recognised;
  tm_sim_free(&sim);
  return err;
}
