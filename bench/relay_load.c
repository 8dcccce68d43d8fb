#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "link/link.h"

#include "bench/relay_load.h"

#define TICK_US 1000
#define BURST_MAX 4096     /* packets of one tick */
#define QUEUE_CELLS 4096
#define CONNECT_MS 60000
#define DIALS_AT_ONCE 64
#define SETTLE_NS 3000000000ull /* what comes no later than so long after its time is not lost */
#define EXPIRE_EVERY_NS 1000000000ull

struct source {
  struct tm_bench_load *load;
  struct tm_link *link; /* NULL: not dialled, or down */
  bool up;
};

struct sink {
  struct tm_bench_load *load;
  struct tm_link_context *links;
  struct tm_link_listener *listener;
  size_t up;
};

struct tm_bench_load {
  struct tm_bench_world *world;
  const volatile int *stop;
  struct event_base *base;
  struct event *tick;
  struct tm_link_context *links[TM_BENCH_PEERS_MAX]; /* of sources; clients share the first */
  size_t clients;
  struct source *source;
  size_t sources, dialled, up;
  struct sink sink[TM_BENCH_PEERS_MAX];
  bool broken; /* a link went down */

  /* The phase that runs. */
  struct tm_bench_packets *packets;
  struct tm_bench_child *child;
  const struct tm_bench_phase *phase;
  struct tm_bench_result *result;
  uint64_t start_ns, warm_ns, end_ns, expire_ns, second_ns, last_ns;
  uint64_t refused_ns; /* when the next packet was refused first; 0: it was not */
  bool counting, settling;
  struct tm_rng_seeded seeded;
  struct tm_rng rng;
  int err;
};

static uint64_t now_ns(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- links ---- */

static void source_up(void *arg, struct tm_link *link)
{
  struct source *s = arg;

  (void)link;
  s->up = true;
  s->load->up++;
}

/* A client gets replies and pieces of the document; here none was asked for. */
static void source_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  (void)arg;
  (void)link;
  (void)cells;
  (void)n;
}

static void source_down(void *arg, struct tm_link *link, int reason)
{
  struct source *s = arg;

  (void)link;
  (void)reason;
  s->link = NULL;
  s->load->up -= s->up;
  s->up = false;
  s->load->broken = true;
}

static const struct tm_link_events source_events = {.up = source_up, .cells = source_cells, .down = source_down};

static bool sink_judge(void *arg, const uint8_t *identity)
{
  const struct sink *s = arg;

  return identity != NULL && memcmp(identity, s->load->world->relay.identity, 32) == 0;
}

static void sink_up(void *arg, struct tm_link *link)
{
  (void)link;
  ((struct sink *)arg)->up++;
}

static void count_latency(struct tm_bench_load *l, const struct tm_bench_flight *flight, uint64_t now)
{
  uint64_t due = flight->sent_ns + (uint64_t)flight->delay_ms * 1000000;
  uint64_t step = now > due ? (now - due) / (TM_BENCH_LATENCY_STEP_US * 1000) : 0;

  if (flight->sent_ns < l->warm_ns)
    return;
  l->result->latency[step < TM_BENCH_LATENCY_STEPS ? step : TM_BENCH_LATENCY_STEPS - 1]++;
  l->result->counted++;
}

static void sink_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  struct tm_bench_load *l = ((struct sink *)arg)->load;
  uint64_t now = now_ns();

  (void)link;
  for (size_t i = 0; i < n; i++) {
    struct tm_bench_flight flight;
    if (l->packets == NULL || !tm_bench_packets_came(l->packets, cells + i * TM_CELL_LEN + TM_CELL_HEAD_LEN, &flight))
      continue; /* the relay's own cover */
    l->result->came++;
    count_latency(l, &flight, now);
  }
}

static void sink_down(void *arg, struct tm_link *link, int reason)
{
  struct sink *s = arg;

  (void)link;
  (void)reason;
  s->up--;
  s->load->broken = true;
}

static const struct tm_link_events sink_events = {.judge = sink_judge, .up = sink_up, .cells = sink_cells, .down = sink_down};

static void loopback(struct sockaddr_in *addr, uint16_t port)
{
  *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int make_context(struct tm_bench_load *l, const uint8_t *seed, struct tm_link_context **out)
{
  struct tm_link_config config;

  tm_link_config_default(&config);
  config.base = l->base;
  config.clock = &tm_clock_system;
  config.rng = &tm_rng_system;
  config.identity_seed = seed;
  config.queue_cells = l->clients > 0 ? 64 : QUEUE_CELLS;
  return tm_link_context_new(out, &config);
}

static int open_sink(struct tm_bench_load *l, size_t i)
{
  struct sink *s = &l->sink[i];
  struct sockaddr_in addr;
  int err;

  s->load = l;
  loopback(&addr, 0);
  err = make_context(l, l->world->sink[i].seed, &s->links);
  if (err == TM_OK)
    err = tm_link_listen(s->links, (struct sockaddr *)&addr, sizeof addr, false, &sink_events, s, &s->listener);
  if (err == TM_OK)
    l->world->sink[i].port = tm_link_listener_port(s->listener);
  return err;
}

static int open_sources(struct tm_bench_load *l)
{
  int err = TM_OK;

  l->source = calloc(l->sources, sizeof *l->source);
  if (l->source == NULL)
    return TM_E_NOMEM;
  for (size_t i = 0; i < l->sources; i++)
    l->source[i].load = l;
  if (l->clients > 0)
    return make_context(l, NULL, &l->links[0]);
  for (size_t i = 0; err == TM_OK && i < l->sources; i++)
    err = make_context(l, l->world->source[i].seed, &l->links[i]);
  return err;
}

static void on_tick(evutil_socket_t fd, short what, void *arg);

static int start_base(struct tm_bench_load *l)
{
  struct event_config *config = event_config_new();
  struct timeval tick = {.tv_usec = TICK_US};

  if (config == NULL)
    return TM_E_NOMEM;
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  l->base = event_base_new_with_config(config);
  event_config_free(config);
  if (l->base == NULL)
    return TM_E_NOMEM;
  l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
  return l->tick != NULL && event_add(l->tick, &tick) == 0 ? TM_OK : TM_E_NOMEM;
}

int tm_bench_load_new(struct tm_bench_load **out, struct tm_bench_world *world, size_t clients, const volatile int *stop)
{
  struct tm_bench_load *l = calloc(1, sizeof *l);
  uint8_t seed[32];
  int err;

  *out = NULL;
  if (l == NULL)
    return TM_E_NOMEM;
  l->world = world;
  l->stop = stop;
  l->clients = clients;
  l->sources = clients > 0 ? clients : world->peers;
  tm_rng_fill(&tm_rng_system, seed, sizeof seed);
  l->rng = tm_rng_seeded_init(&l->seeded, seed);
  err = start_base(l);
  for (size_t i = 0; err == TM_OK && i < world->peers; i++)
    err = open_sink(l, i);
  if (err == TM_OK)
    err = open_sources(l);
  if (err != TM_OK) {
    tm_bench_load_free(l);
    return err;
  }
  *out = l;
  return TM_OK;
}

void tm_bench_load_free(struct tm_bench_load *l)
{
  if (l == NULL)
    return;
  for (size_t i = 0; i < TM_BENCH_PEERS_MAX; i++) {
    tm_link_context_free(l->links[i]);
    tm_link_context_free(l->sink[i].links);
  }
  if (l->tick != NULL)
    event_free(l->tick);
  if (l->base != NULL)
    event_base_free(l->base);
  free(l->source);
  free(l);
}

/* ---- connecting ---- */

static int dial_next(struct tm_bench_load *l)
{
  struct source *s = &l->source[l->dialled];
  struct sockaddr_in addr;
  int err;

  loopback(&addr, l->world->relay.port);
  err = tm_link_dial(l->links[l->clients > 0 ? 0 : l->dialled], (struct sockaddr *)&addr, sizeof addr, l->world->relay.identity,
                     &source_events, s, &s->link);
  l->dialled++;
  return err;
}

static bool all_up(const struct tm_bench_load *l)
{
  for (size_t i = 0; i < l->world->peers; i++)
    if (l->sink[i].up == 0)
      return false;
  return l->up == l->sources;
}

int tm_bench_load_connect(struct tm_bench_load *load)
{
  uint64_t until = now_ns() + (uint64_t)CONNECT_MS * 1000000;
  int err = TM_OK;

  while (err == TM_OK && !all_up(load)) {
    if (*load->stop)
      return TM_E_CLOSED;
    if (load->broken || now_ns() > until)
      return TM_E_TIMEOUT;
    while (err == TM_OK && load->dialled < load->sources && load->dialled < load->up + DIALS_AT_ONCE)
      err = dial_next(load);
    event_base_loop(load->base, EVLOOP_ONCE);
  }
  return err;
}

/* ---- a phase ---- */

static bool send_one(struct tm_bench_load *l, uint64_t now)
{
  const uint8_t *cell = tm_bench_packets_next(l->packets);
  struct source *s = &l->source[tm_rng_below(&l->rng, (uint32_t)l->sources)];
  int err;

  if (cell == NULL || s->link == NULL)
    return false;
  err = tm_link_send(s->link, cell);
  if (err != TM_OK) {
    l->result->held_back++;
    if (l->refused_ns == 0)
      l->refused_ns = now;
    return false;
  }
  /* Time that the relay kept a packet waiting outside is its own. */
  tm_bench_packets_sent(l->packets, l->refused_ns != 0 ? l->refused_ns : now);
  l->refused_ns = 0;
  l->result->sent++;
  return true;
}

/* How many should go now. */
static uint64_t wanted(const struct tm_bench_load *l, uint64_t now)
{
  double due = l->phase->rate * (double)(now - l->start_ns) / 1e9;
  size_t under_way = tm_bench_packets_under_way(l->packets);

  if (l->phase->rate > 0)
    return due > (double)l->result->sent ? (uint64_t)(due - (double)l->result->sent) : 0;
  return under_way < l->phase->window ? l->phase->window - under_way : 0;
}

static void finish(struct tm_bench_load *l)
{
  l->settling = true;
  if (l->err == TM_OK)
    l->err = l->phase->profile ? tm_bench_child_profile(l->child, false, &l->result->end)
                               : tm_bench_child_stats(l->child, &l->result->end);
  if (!l->counting)
    l->err = TM_E_STATE;
}

static void begin_counting(struct tm_bench_load *l, uint64_t now)
{
  l->counting = true;
  l->warm_ns = now;
  l->end_ns = now + (uint64_t)(l->phase->seconds * 1e9);
  l->err = l->phase->profile ? tm_bench_child_profile(l->child, true, &l->result->begin)
                             : tm_bench_child_stats(l->child, &l->result->begin);
}

static void send_what_is_due(struct tm_bench_load *l, uint64_t now)
{
  uint64_t n = wanted(l, now);

  if (n > BURST_MAX)
    n = BURST_MAX;
  while (n > 0 && send_one(l, now))
    n--;
  if (tm_bench_packets_ready(l->packets) > 0)
    return;
  if (l->phase->live)
    l->result->idle_s += (double)(now - l->last_ns) / 1e9;
  else if (l->counting)
    finish(l);
}

static void report_second(struct tm_bench_load *l, uint64_t now)
{
  struct tm_bench_stats stats;

  if (l->phase->each_second == NULL || now < l->second_ns)
    return;
  l->second_ns += 1000000000u;
  l->err = tm_bench_child_stats(l->child, &stats);
  l->phase->each_second(l->phase->arg, (double)(now - l->start_ns) / 1e9, &stats);
}

static void step(struct tm_bench_load *l, uint64_t now)
{
  if (!l->counting && now >= l->start_ns + (uint64_t)(l->phase->warm_s * 1e9))
    begin_counting(l, now);
  if (now >= l->expire_ns) {
    l->expire_ns = now + EXPIRE_EVERY_NS;
    l->result->lost += tm_bench_packets_expire(l->packets, now, SETTLE_NS);
  }
  report_second(l, now);
  if (l->counting && !l->settling && now >= l->end_ns)
    finish(l);
  if (!l->settling)
    send_what_is_due(l, now);
  l->last_ns = now;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
  struct tm_bench_load *l = arg;

  (void)fd;
  (void)what;
  if (l->phase == NULL)
    return;
  if (*l->stop || l->broken)
    l->err = TM_E_CLOSED;
  if (l->err == TM_OK)
    step(l, now_ns());
  if (l->err != TM_OK || (l->settling && tm_bench_packets_under_way(l->packets) == 0))
    event_base_loopbreak(l->base);
}

static void reduce(struct tm_bench_result *r)
{
  const struct tm_bench_stats *a = &r->begin, *b = &r->end;
  double out = (double)(b->snapshot.totals.out_link - a->snapshot.totals.out_link);

  r->seconds = (b->now_us - a->now_us) / 1e6;
  if (r->seconds <= 0 || out <= 0)
    return;
  r->rate = out / r->seconds;
  r->user_us = (b->user_us - a->user_us) / out;
  r->system_us = (b->system_us - a->system_us) / out;
  r->cpu_us = r->user_us + r->system_us;
  r->cpu_share = r->cpu_us * r->rate / 1e6;
}

int tm_bench_load_run(struct tm_bench_load *load, struct tm_bench_packets *packets, struct tm_bench_child *child,
                      const struct tm_bench_phase *phase, struct tm_bench_result *result)
{
  memset(result, 0, sizeof *result);
  load->packets = packets;
  load->child = child;
  load->phase = phase;
  load->result = result;
  load->start_ns = load->last_ns = now_ns();
  load->second_ns = load->start_ns + 1000000000u;
  load->expire_ns = load->start_ns + EXPIRE_EVERY_NS;
  load->counting = load->settling = false;
  load->refused_ns = 0;
  load->warm_ns = UINT64_MAX;
  load->err = TM_OK;
  event_base_loop(load->base, 0);
  result->lost += tm_bench_packets_expire(packets, UINT64_MAX, 0);
  load->phase = NULL;
  load->packets = NULL;
  if (load->err == TM_OK)
    reduce(result);
  return load->err;
}

double tm_bench_latency_ms(const struct tm_bench_result *result, double share)
{
  uint64_t rank = (uint64_t)(share * (double)result->counted);
  uint64_t seen = 0;

  for (size_t i = 0; i < TM_BENCH_LATENCY_STEPS; i++) {
    seen += result->latency[i];
    if (seen > rank || (seen == result->counted && seen > 0))
      return (double)(i + 1) * TM_BENCH_LATENCY_STEP_US / 1e3;
  }
  return 0;
}
