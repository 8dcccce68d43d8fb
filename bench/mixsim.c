#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "bench/mixsim.h"

#define DUMMIES_A_PACKET 3 /* at most, on average */

enum { FOR_MIX, FOR_TRAFFIC };

struct run;

/* What a relay's mix needs to ask for dummies. */
struct place {
  struct run *run;
  size_t layer, number;
};

struct run {
  const struct tm_sim_config *config;
  struct tm_sim *sim;
  struct tm_mix *mix[TM_SIM_LAYERS_MAX][TM_SIM_WIDTH_MAX];
  struct place place[TM_SIM_LAYERS_MAX][TM_SIM_WIDTH_MAX];
  bool idle[TM_SIM_LAYERS_MAX][TM_SIM_WIDTH_MAX]; /* the last release let nothing go, and nothing has come since */
  struct tm_sim_rng mix_rng, traffic;
  uint32_t *out;       /* of one release */
  size_t items_max, capacity;
  uint64_t now;
  double next_packet, next_dummy; /* ticks */
  int err;
};

void tm_sim_rng_init(struct tm_sim_rng *r, uint64_t seed, uint32_t what_for)
{
  uint8_t key[32] = {0};

  memcpy(key, &seed, sizeof seed);
  memcpy(key + 8, &what_for, sizeof what_for);
  r->source = tm_rng_seeded_init(&r->seeded, key);
  r->rng = tm_rng_buffered_init(&r->buffered, &r->source);
}

/* ---- the record ---- */

static void note(struct run *run, struct tm_sim_relay *relay, struct tm_sim_event event)
{
  if (relay->n == relay->cap) {
    size_t cap = relay->cap > 0 ? 2 * relay->cap : 4096;
    struct tm_sim_event *grown = realloc(relay->event, cap * sizeof *grown);
    if (grown == NULL) {
      run->err = TM_E_NOMEM;
      return;
    }
    relay->event = grown;
    relay->cap = cap;
  }
  relay->event[relay->n++] = event;
}

static void note_entry(struct run *run, size_t layer, size_t number, uint32_t item, size_t pool)
{
  run->sim->relay_of[layer][item] = (uint8_t)number;
  note(run, &run->sim->relay[layer][number], (struct tm_sim_event){.item = item, .pool = (uint32_t)pool});
}

/* The number of a new dummy, or TM_SIM_NEVER. */
static uint32_t new_dummy(struct run *run)
{
  struct tm_sim *sim = run->sim;

  if (sim->items == run->items_max) {
    run->err = TM_E_TOO_BIG;
    return TM_SIM_NEVER;
  }
  sim->in[sim->items] = run->now;
  return (uint32_t)sim->items++;
}

/* ---- packets on their way ---- */

/*
 * What was left out while it was idle would have let nothing go; one release at the last of those moments stands for them. At the moment of a
 * release, what comes from a layer before comes in time for it.
 */
static void wake(struct run *run, size_t layer, size_t number)
{
  struct tm_mix *mix = run->mix[layer][number];
  uint64_t interval = run->config->mix.pool_interval_ms, next = tm_mix_next_ms(mix);

  if (run->idle[layer][number] && next + (layer > 0) <= run->now) {
    next += (run->now - (layer > 0) - next) / interval * interval;
    if (tm_mix_release(mix, next, run->out, run->capacity) > 0)
      run->err = TM_E_STATE;
  }
  run->idle[layer][number] = false;
}

static void enter(struct run *run, size_t layer, size_t number, uint32_t item)
{
  struct tm_mix *mix = run->mix[layer][number];
  size_t pool = tm_mix_count(mix);
  double delay = tm_rng_exponential(&run->traffic.rng, run->config->mean_delay);

  wake(run, layer, number);
  if (tm_mix_add(mix, item, run->now, delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX) != TM_OK)
    run->err = TM_E_TOO_BIG;
  else
    note_entry(run, layer, number, item, pool);
}

static size_t make_dummies(void *arg, uint32_t *items, size_t n)
{
  struct place *at = arg;
  size_t pool = tm_mix_count(at->run->mix[at->layer][at->number]);

  for (size_t i = 0; i < n; i++) {
    items[i] = new_dummy(at->run);
    if (items[i] == TM_SIM_NEVER)
      return i;
    note_entry(at->run, at->layer, at->number, items[i], pool + i);
  }
  return n;
}

static void leave(struct run *run, size_t layer, size_t number, size_t released)
{
  struct tm_sim *sim = run->sim;
  struct tm_sim_relay *relay = &sim->relay[layer][number];
  size_t pool = tm_mix_count(run->mix[layer][number]) + released;

  for (size_t i = 0; i < released; i++) {
    uint32_t item = run->out[i];
    sim->event_of[layer][item] = (uint32_t)relay->n;
    note(run, relay, (struct tm_sim_event){.item = item, .pool = (uint32_t)(pool - i), .at = (uint32_t)i, .of = (uint32_t)released});
  }
  for (size_t i = 0; i < released; i++) {
    uint32_t item = run->out[i];
    if (layer + 1 < sim->layers) {
      enter(run, layer + 1, tm_rng_below(&run->traffic.rng, (uint32_t)sim->width), item);
      continue;
    }
    sim->out[item] = run->now;
    if (item < sim->packets)
      sim->exit[sim->exits++] = item;
  }
}

/* Everything that is due at this moment, layer by layer. */
static void release(struct run *run)
{
  for (size_t layer = 0; layer < run->sim->layers; layer++)
    for (size_t number = 0; number < run->sim->width; number++) {
      struct tm_mix *mix = run->mix[layer][number];
      while (run->err == TM_OK && !run->idle[layer][number] && tm_mix_next_ms(mix) <= run->now) {
        size_t n = tm_mix_release(mix, run->now, run->out, run->capacity); /* a whole one: there is room for every item */
        run->idle[layer][number] = n == 0 && run->config->mix.pool_floor == 0 && run->config->mix.pool_interval_ms > 0;
        leave(run, layer, number, n);
      }
    }
}

static uint64_t next_release(const struct run *run)
{
  uint64_t first = TM_MIX_NEVER;

  for (size_t layer = 0; layer < run->sim->layers; layer++)
    for (size_t number = 0; number < run->sim->width; number++) {
      uint64_t next = tm_mix_next_ms(run->mix[layer][number]);
      if (next < first && !run->idle[layer][number])
        first = next;
    }
  return first;
}

static void own_dummy(struct run *run)
{
  size_t relays = run->sim->layers * run->sim->width;
  size_t which = tm_rng_below(&run->traffic.rng, (uint32_t)relays);
  uint32_t item = new_dummy(run);

  if (item != TM_SIM_NEVER)
    enter(run, which / run->sim->width, which % run->sim->width, item);
  run->next_dummy += tm_rng_exponential(&run->traffic.rng, 1 / (run->config->dummy_rate * (double)relays));
}

static void go(struct run *run)
{
  struct tm_sim *sim = run->sim;
  uint32_t item = 0;

  run->next_packet = tm_rng_exponential(&run->traffic.rng, 1 / run->config->rate);
  run->next_dummy = run->config->dummy_rate > 0 ? 0 : 1e300;
  while (item < sim->packets && run->err == TM_OK) {
    double next = run->next_packet < run->next_dummy ? run->next_packet : run->next_dummy;
    uint64_t due = next_release(run);
    if (due != TM_MIX_NEVER && (double)due <= next) {
      run->now = due > run->now ? due : run->now;
      release(run);
      continue;
    }
    run->now = (uint64_t)next;
    if (next >= run->next_dummy) {
      own_dummy(run);
    } else {
      sim->in[item] = run->now;
      enter(run, 0, tm_rng_below(&run->traffic.rng, (uint32_t)sim->width), item++);
      run->next_packet += tm_rng_exponential(&run->traffic.rng, 1 / run->config->rate);
    }
    release(run);
  }
}

/* ---- life ---- */

static int prepare(struct run *run)
{
  struct tm_sim *sim = run->sim;
  const struct tm_sim_config *config = run->config;
  bool dummies = config->dummy_rate > 0 || config->mix.pool_floor > 0;

  run->items_max = sim->packets * (dummies ? 1 + DUMMIES_A_PACKET : 1);
  run->capacity = run->items_max;
  run->out = calloc(run->capacity, sizeof *run->out);
  sim->in = calloc(run->items_max, sizeof *sim->in);
  sim->out = calloc(run->items_max, sizeof *sim->out);
  sim->exit = calloc(sim->packets, sizeof *sim->exit);
  if (run->out == NULL || sim->in == NULL || sim->out == NULL || sim->exit == NULL)
    return TM_E_NOMEM;
  for (size_t layer = 0; layer < sim->layers; layer++) {
    sim->relay_of[layer] = calloc(run->items_max, sizeof *sim->relay_of[layer]);
    sim->event_of[layer] = malloc(run->items_max * sizeof *sim->event_of[layer]);
    if (sim->relay_of[layer] == NULL || sim->event_of[layer] == NULL)
      return TM_E_NOMEM;
    memset(sim->event_of[layer], 0xff, run->items_max * sizeof *sim->event_of[layer]);
    for (size_t number = 0; number < sim->width; number++) {
      struct tm_mix_config mix = config->mix;
      int err;
      run->place[layer][number] = (struct place){run, layer, number};
      mix.capacity = run->capacity;
      mix.rng = &run->mix_rng.rng;
      mix.dummies = make_dummies;
      mix.dummies_arg = &run->place[layer][number];
      err = tm_mix_new(&run->mix[layer][number], config->strategy, &mix, 0);
      if (err != TM_OK)
        return err;
    }
  }
  return TM_OK;
}

int tm_sim_run(struct tm_sim *sim, const struct tm_sim_config *config)
{
  struct run *run = calloc(1, sizeof *run);
  int err;

  *sim = (struct tm_sim){.layers = config->layers, .width = config->width, .packets = config->packets, .items = config->packets};
  if (run == NULL)
    return TM_E_NOMEM;
  run->config = config;
  run->sim = sim;
  tm_sim_rng_init(&run->mix_rng, config->seed, FOR_MIX);
  tm_sim_rng_init(&run->traffic, config->seed, FOR_TRAFFIC);
  run->err = prepare(run);
  if (run->err == TM_OK)
    go(run);
  for (size_t layer = 0; layer < sim->layers; layer++)
    for (size_t number = 0; number < sim->width; number++)
      tm_mix_free(run->mix[layer][number]);
  err = run->err;
  free(run->out);
  free(run);
  if (err != TM_OK)
    tm_sim_free(sim);
  return err;
}

void tm_sim_free(struct tm_sim *sim)
{
  for (size_t layer = 0; layer < sim->layers; layer++) {
    free(sim->relay_of[layer]);
    free(sim->event_of[layer]);
    for (size_t number = 0; number < sim->width; number++)
      free(sim->relay[layer][number].event);
  }
  free(sim->in);
  free(sim->out);
  free(sim->exit);
  *sim = (struct tm_sim){0};
}

void tm_sim_strike_dummies(struct tm_sim *sim)
{
  for (size_t layer = 0; layer < sim->layers; layer++)
    for (size_t number = 0; number < sim->width; number++) {
      struct tm_sim_relay *relay = &sim->relay[layer][number];
      uint32_t pool = 0;
      size_t kept = 0;
      for (size_t i = 0; i < relay->n; i++) {
        struct tm_sim_event event = relay->event[i];
        if (event.item >= sim->packets)
          continue;
        event.pool = pool;
        pool = event.of > 0 ? pool - 1 : pool + 1;
        if (event.of > 0)
          sim->event_of[layer][event.item] = (uint32_t)kept;
        relay->event[kept++] = event;
      }
      relay->n = kept;
    }
  sim->items = sim->packets;
}
