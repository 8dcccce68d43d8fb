#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/trace.h"

#define WARM_UP 0.25          /* of a relay's events from which nothing is learned */
#define SAMPLES_A_CLASS 50    /* that the law is learned from, at least */
#define RANKS_MAX 1024        /* of larger pools, several packets are one */
#define DEVIATIONS 5.0        /* standard deviations of the chi-square statistic up to which a choice passes for uniform */
#define ENOUGH 1e-6           /* what may stay untraced */
#define EARLY 16              /* one in so many packets came while the pools were filling */

/* Weights of items, and which of them are not zero. */
struct weights {
  double *of;
  uint32_t *item;
  size_t n;
};

struct tm_trace {
  const struct tm_sim *sim;
  struct tm_law law;
  double pool;
  double each;           /* uniform law: the mass of every rank; `mass` and what belongs to it is not used then */
  size_t grain;          /* packets that are traced as one */
  struct weights now, next;
  double *mass;          /* by rank from the youngest, from `start` on: that the packet in question stands there */
  size_t start, len, cap;
  double *leaves;        /* by rank: probability that the packet that leaves stands below it; 0 to len */
  uint32_t *block;       /* items that came since the last grain */
};

/* ---- learning ---- */

static void set_edges(struct tm_law *law)
{
  size_t n = 0;

  law->edge[n++] = 0;
  for (int i = 13; i > 4; i--)
    law->edge[n++] = ldexp(1, -i);
  for (int i = 1; i < 16; i++)
    law->edge[n++] = i / 16.0;
  for (int i = 5; i < 12; i++)
    law->edge[n++] = 1 - ldexp(1, -i);
  law->edge[n] = 1;
}

static size_t phase_of(const struct tm_law *law, const struct tm_sim_event *e)
{
  return (size_t)((uint64_t)e->at * law->phases / e->of);
}

/* One departure of the packet of that rank, from 0, of a pool: its place is anywhere from rank / pool to (rank + 1) / pool. */
static void learn(struct tm_law *law, size_t phase, size_t rank, size_t pool)
{
  double from = (double)rank / (double)pool, to = (double)(rank + 1) / (double)pool;

  for (size_t i = 0; i < TM_LAW_PLACES; i++) {
    double low = fmax(from, law->edge[i]), high = fmin(to, law->edge[i + 1]);
    if (high > low)
      law->below[phase][i + 1] += (high - low) / (to - from);
  }
}

/* Chi-square of the counts against a uniform choice. Places that were spread over classes make it smaller, never larger. */
static bool looks_uniform(const struct tm_law *law)
{
  double sum = 0, cells = 0;

  for (size_t phase = 0; phase < law->phases; phase++) {
    double seen = 0;
    for (size_t i = 1; i <= TM_LAW_PLACES; i++)
      seen += law->below[phase][i];
    for (size_t i = 0; i < TM_LAW_PLACES && seen > 0; i++) {
      double expected = seen * (law->edge[i + 1] - law->edge[i]);
      double off = law->below[phase][i + 1] - expected;
      sum += off * off / expected;
      cells += 1;
    }
  }
  return sum < cells + DEVIATIONS * sqrt(2 * cells);
}

/* Counts to probabilities. A phase of which nothing was seen chooses uniformly; it is not met when tracing either. */
static void finish(struct tm_law *law)
{
  law->uniform = looks_uniform(law);
  for (size_t phase = 0; phase < law->phases; phase++) {
    double *below = law->below[phase];
    for (size_t i = 1; i <= TM_LAW_PLACES; i++)
      below[i] += below[i - 1];
    for (size_t i = 1; i <= TM_LAW_PLACES; i++)
      below[i] = !law->uniform && below[TM_LAW_PLACES] > 0 && i < TM_LAW_PLACES ? below[i] / below[TM_LAW_PLACES] : law->edge[i];
    below[TM_LAW_PLACES] = 1;
  }
}

/* A Fenwick tree over arrivals: which of them are still there. */
static void tree_add(uint32_t *tree, size_t n, size_t i, uint32_t by)
{
  for (i++; i <= n; i += i & (~i + 1))
    tree[i] += by;
}

static uint32_t tree_below(const uint32_t *tree, size_t i)
{
  uint32_t sum = 0;

  for (; i > 0; i -= i & (~i + 1))
    sum += tree[i];
  return sum;
}

static void learn_relay(struct tm_trace *t, const struct tm_sim_relay *relay, uint32_t *tree, uint32_t *place, size_t *learned)
{
  size_t came = 0;

  memset(tree, 0, (relay->n + 1) * sizeof *tree);
  for (size_t i = 0; i < relay->n; i++) {
    const struct tm_sim_event *e = &relay->event[i];
    if (e->of == 0) {
      place[e->item] = (uint32_t)came;
      tree_add(tree, relay->n, came++, 1);
      continue;
    }
    if ((double)i >= WARM_UP * (double)relay->n) {
      uint32_t older = tree_below(tree, place[e->item]);
      learn(&t->law, phase_of(&t->law, e), e->pool - 1 - older, e->pool);
      t->pool += e->pool;
      ++*learned;
    }
    tree_add(tree, relay->n, place[e->item], UINT32_MAX);
  }
}

static size_t departures(const struct tm_sim *sim, size_t *events_max)
{
  size_t n = 0;

  *events_max = 0;
  for (size_t layer = 0; layer < sim->layers; layer++)
    for (size_t number = 0; number < sim->width; number++) {
      const struct tm_sim_relay *relay = &sim->relay[layer][number];
      if (relay->n > *events_max)
        *events_max = relay->n;
      for (size_t i = (size_t)(WARM_UP * (double)relay->n); i < relay->n; i++)
        n += relay->event[i].of > 0;
    }
  return n;
}

static int learn_all(struct tm_trace *t)
{
  const struct tm_sim *sim = t->sim;
  size_t events_max, n = departures(sim, &events_max), learned = 0;
  uint32_t *tree = calloc(events_max + 1, sizeof *tree), *place = calloc(sim->items, sizeof *place);
  int err = TM_E_NOMEM;

  if (tree != NULL && place != NULL) {
    set_edges(&t->law);
    t->law.phases = TM_LAW_PHASES_MAX;
    while (t->law.phases > 1 && n < t->law.phases * TM_LAW_PLACES * SAMPLES_A_CLASS)
      t->law.phases /= 2;
    for (size_t layer = 0; layer < sim->layers; layer++)
      for (size_t number = 0; number < sim->width; number++)
        learn_relay(t, &sim->relay[layer][number], tree, place, &learned);
    finish(&t->law);
    err = learned > 0 ? TM_OK : TM_E_TOO_BIG;
    t->pool /= (double)learned;
  }
  free(tree);
  free(place);
  return err;
}

/* ---- life ---- */

static int weights_init(struct weights *w, size_t n)
{
  w->of = calloc(n, sizeof *w->of);
  w->item = calloc(n, sizeof *w->item);
  return w->of != NULL && w->item != NULL ? TM_OK : TM_E_NOMEM;
}

static void weights_add(struct weights *w, uint32_t item, double by)
{
  if (by <= 0)
    return;
  if (w->of[item] == 0)
    w->item[w->n++] = item;
  w->of[item] += by;
}

static void weights_clear(struct weights *w)
{
  while (w->n > 0)
    w->of[w->item[--w->n]] = 0;
}

static void weights_free(struct weights *w)
{
  free(w->of);
  free(w->item);
}

static size_t pool_max(const struct tm_sim *sim)
{
  size_t most = 1;

  for (size_t layer = 0; layer < sim->layers; layer++)
    for (size_t number = 0; number < sim->width; number++)
      for (size_t i = 0; i < sim->relay[layer][number].n; i++)
        if (sim->relay[layer][number].event[i].pool > most)
          most = sim->relay[layer][number].event[i].pool;
  return most;
}

int tm_trace_new(struct tm_trace **out, const struct tm_sim *sim)
{
  struct tm_trace *t = calloc(1, sizeof *t);
  int err;

  *out = NULL;
  if (t == NULL)
    return TM_E_NOMEM;
  t->sim = sim;
  err = learn_all(t);
  if (err != TM_OK) {
    tm_trace_free(t);
    return err;
  }
  t->grain = t->law.uniform ? 1 : 1 + (size_t)t->pool / RANKS_MAX;
  t->cap = 4 * (pool_max(sim) / t->grain + 4);
  t->mass = calloc(t->cap, sizeof *t->mass);
  t->leaves = calloc(t->cap + 1, sizeof *t->leaves);
  t->block = calloc(t->grain, sizeof *t->block);
  if (weights_init(&t->now, sim->items) != TM_OK || weights_init(&t->next, sim->items) != TM_OK || t->mass == NULL ||
      t->leaves == NULL || t->block == NULL) {
    tm_trace_free(t);
    return TM_E_NOMEM;
  }
  *out = t;
  return TM_OK;
}

void tm_trace_free(struct tm_trace *trace)
{
  if (trace == NULL)
    return;
  weights_free(&trace->now);
  weights_free(&trace->next);
  free(trace->mass);
  free(trace->leaves);
  free(trace->block);
  free(trace);
}

const struct tm_law *tm_trace_law(const struct tm_trace *trace) { return &trace->law; }
double tm_trace_pool(const struct tm_trace *trace) { return trace->pool; }

/* ---- back through one relay ---- */

/* leaves[r], r from 0 to len: that the one who leaves a pool of len ranks stands below rank r. */
static void apply_law(struct tm_trace *t, size_t phase, size_t len)
{
  const struct tm_law *law = &t->law;
  const double *below = law->below[phase];
  size_t r = 0;

  for (size_t i = 0; i < TM_LAW_PLACES; i++) {
    double slope = (below[i + 1] - below[i]) / (law->edge[i + 1] - law->edge[i]);
    double base = below[i] - law->edge[i] * slope;
    for (; r <= len && (double)r <= law->edge[i + 1] * (double)len; r++)
      t->leaves[r] = base + slope * (double)r / (double)len;
  }
  for (; r <= len; r++)
    t->leaves[r] = 1;
}

static void make_room(struct tm_trace *t)
{
  if (t->start + t->len + 1 < t->cap)
    return;
  memmove(t->mass, t->mass + t->start, t->len * sizeof *t->mass);
  t->start = 0;
}

/* Undoes a departure: somebody stood at one of len + 1 ranks; whoever was above has been one rank higher. */
static void undo_departure(struct tm_trace *t)
{
  double *m;

  if (t->law.uniform) {
    /* As below with leaves[r] = r / (len + 1): where all ranks have one mass, they keep having one. */
    t->each *= (double)t->len / (double)(t->len + 1);
    t->len++;
    return;
  }
  make_room(t);
  m = t->mass + t->start;
  m[t->len] = 0;
  for (size_t r = t->len; r > 0; r--)
    m[r] = m[r] * (1 - t->leaves[r + 1]) + m[r - 1] * t->leaves[r];
  m[0] *= 1 - t->leaves[1];
  t->len++;
}

/* The packet in question may be the one that leaves here, with that weight. */
static void inject(struct tm_trace *t, double weight)
{
  if (t->law.uniform) {
    t->each += weight / (double)t->len;
    return;
  }
  for (size_t r = 0; r < t->len; r++)
    t->mass[t->start + r] += weight * (t->leaves[r + 1] - t->leaves[r]);
}

/* Undoes the arrival of a block of packets: whoever is youngest now has been one of them. */
static double undo_arrivals(struct tm_trace *t)
{
  double share;

  if (t->len == 0)
    return 0;
  share = t->law.uniform ? t->each : t->mass[t->start++];
  t->len--;
  for (size_t i = 0; i < t->grain; i++)
    weights_add(&t->next, t->block[i], share / (double)t->grain);
  return share;
}

/* Takes what left this relay with weights `now` to those who came in, in `next`; `waiting` of them, the last at event `from`. */
static void through_relay(struct tm_trace *t, const struct tm_sim_relay *relay, size_t from, size_t waiting)
{
  size_t gone = 0, come = 0;
  double mass = 0, untraced = ENOUGH;

  t->start = 0;
  t->each = 0;
  t->len = (relay->event[from].pool - 1) / t->grain;
  memset(t->mass, 0, (t->len + 1) * sizeof *t->mass);
  for (size_t i = from + 1; i-- > 0 && (waiting > 0 || mass > untraced);) {
    const struct tm_sim_event *e = &relay->event[i];
    if (e->of == 0) {
      t->block[come++] = e->item;
      if (come == t->grain) {
        mass -= undo_arrivals(t);
        come = 0;
      }
      continue;
    }
    if (!t->law.uniform)
      apply_law(t, phase_of(&t->law, e), t->len + (gone + 1 == t->grain || t->len == 0));
    if (++gone == t->grain || t->len == 0) {
      undo_departure(t);
      gone = 0;
    }
    if (t->now.of[e->item] > 0) {
      inject(t, t->now.of[e->item]);
      mass += t->now.of[e->item];
      untraced = mass * ENOUGH > untraced ? mass * ENOUGH : untraced;
      waiting--;
    }
  }
}

/* ---- back through the network ---- */

static void through_layer(struct tm_trace *t, size_t layer, const bool *corrupt)
{
  const struct tm_sim *sim = t->sim;
  size_t last[TM_SIM_WIDTH_MAX] = {0}, waiting[TM_SIM_WIDTH_MAX] = {0};

  for (size_t i = 0; i < t->now.n; i++) {
    uint32_t item = t->now.item[i], event = sim->event_of[layer][item];
    size_t number = sim->relay_of[layer][item];
    /* A dummy of a later layer's; or the owner of this relay tells. */
    if (event == TM_SIM_NEVER || (corrupt != NULL && corrupt[layer * sim->width + number])) {
      weights_add(&t->next, item, t->now.of[item]);
      continue;
    }
    waiting[number]++;
    if (event > last[number])
      last[number] = event;
  }
  for (size_t number = 0; number < sim->width; number++)
    if (waiting[number] > 0)
      through_relay(t, &sim->relay[layer][number], last[number], waiting[number]);
}

struct tm_hiding tm_trace_back(struct tm_trace *trace, size_t exit, const bool *corrupt)
{
  struct tm_hiding h = {0};
  uint32_t item = trace->sim->exit[exit];
  double sum = 0;

  weights_clear(&trace->now);
  weights_add(&trace->now, item, 1);
  for (size_t layer = trace->sim->layers; layer-- > 0;) {
    struct weights swap = trace->now;
    weights_clear(&trace->next);
    through_layer(trace, layer, corrupt);
    trace->now = trace->next;
    trace->next = swap;
  }
  for (size_t i = 0; i < trace->now.n; i++)
    sum += trace->now.of[trace->now.item[i]];
  for (size_t i = 0; i < trace->now.n; i++) {
    double p = trace->now.of[trace->now.item[i]] / sum;
    h.shannon -= p * log2(p);
    h.likeliest = fmax(h.likeliest, p);
    h.early += trace->now.item[i] < trace->sim->packets / EARLY ? p : 0;
  }
  h.truth = sum > 0 ? trace->now.of[item] / sum : 0;
  return h;
}
