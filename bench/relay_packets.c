#include "config.h"

#include <sys/mman.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/rng.h"
#include "link/cell.h"

#include "bench/relay_packets.h"

#define CHUNK 64
#define MAKERS_MAX 8
#define DELAY_FACTOR 12 /* times the mean: longer ones are drawn again, or the end of a run would wait for them */
#define NONE UINT32_MAX

enum state { EMPTY, UNDER_WAY, RETIRED };

struct slot {
  uint64_t id; /* the first bytes of the packet behind the relay */
  struct tm_bench_flight flight;
  uint32_t chain;
  uint8_t state;
};

struct maker {
  struct tm_bench_packets *packets;
  pthread_t thread;
  tm_sphinx *sphinx;
  struct tm_rng_seeded seeded;
  struct tm_rng rng;
  tm_sphinx_node path[CHUNK][2];
  tm_sphinx_packet_job job[CHUNK];
  tm_sphinx_hop hop[CHUNK];
  uint8_t random[CHUNK][TM_SPHINX_CREATE_RANDOM_LEN];
  uint8_t scratch[CHUNK][TM_SPHINX_PACKET_LEN];
  uint8_t body[TM_SPHINX_BODY_LEN];
};

struct tm_bench_packets {
  const struct tm_bench_world *world;
  size_t n;
  uint8_t (*cells)[TM_CELL_LEN];
  struct slot *slots;
  uint32_t *buckets;
  size_t mask;

  struct maker *maker[MAKERS_MAX];
  size_t makers;
  uint32_t mean_delay_ms;
  const volatile int *give_up;
  atomic_bool stop, failed;
  atomic_size_t claimed; /* packets that some maker works on or has made ... */
  size_t goal;           /* ... up to here */
  atomic_size_t made;    /* ready to be sent, counted from the start, like those below */
  atomic_size_t retired; /* all before are */
  size_t sent;
  size_t under_way;
  bool live;
};

/* ---- making ---- */

static uint32_t draw_delay(struct maker *m)
{
  double mean = (double)m->packets->mean_delay_ms;
  double ms;

  do
    ms = tm_rng_exponential(&m->rng, mean);
  while (ms > DELAY_FACTOR * mean);
  return (uint32_t)ms;
}

static void prepare(struct maker *m, size_t i, uint8_t *packet)
{
  const struct tm_bench_world *w = m->packets->world;
  const struct tm_bench_peer *sink = &w->sink[tm_rng_below(&m->rng, (uint32_t)w->peers)];
  tm_sphinx_node *node = m->path[i];

  memcpy(node[0].identity, w->relay.identity, sizeof node[0].identity);
  memcpy(node[0].mix_point, w->relay.point, sizeof node[0].mix_point);
  node[0].delay_ms = draw_delay(m);
  memcpy(node[1].identity, sink->identity, sizeof node[1].identity);
  memcpy(node[1].mix_point, sink->point, sizeof node[1].mix_point);
  node[1].delay_ms = 0;
  tm_rng_fill(&m->rng, m->random[i], sizeof m->random[i]);
  m->job[i] = (tm_sphinx_packet_job){.path = node, .hops = 2, .body = m->body, .random = m->random[i], .packet = packet};
}

/* What the relay will make of their headers. */
static bool foresee(struct maker *m, size_t n)
{
  uint8_t *packet[CHUNK];
  size_t len[CHUNK];

  for (size_t i = 0; i < n; i++) {
    memcpy(m->scratch[i], m->job[i].packet, TM_SPHINX_PACKET_LEN);
    packet[i] = m->scratch[i];
    len[i] = TM_SPHINX_PACKET_LEN;
  }
  return tm_sphinx_unwrap_headers(m->sphinx, m->packets->world->key, packet, len, m->hop, n) == n;
}

static bool make_chunk(struct maker *m, size_t first, size_t n)
{
  struct tm_bench_packets *p = m->packets;
  static const uint8_t empty[TM_SPHINX_PACKET_LEN];

  for (size_t i = 0; i < n; i++) {
    uint8_t *cell = p->cells[(first + i) % p->n];
    tm_cell_packet(cell, empty);
    prepare(m, i, cell + TM_CELL_HEAD_LEN);
  }
  if (tm_sphinx_create_many(m->sphinx, m->job, n) != n || !foresee(m, n))
    return false;
  for (size_t i = 0; i < n; i++) {
    struct slot *s = &p->slots[(first + i) % p->n];
    *s = (struct slot){.flight.delay_ms = m->path[i][0].delay_ms, .chain = NONE, .state = EMPTY};
    memcpy(&s->id, m->scratch[i], sizeof s->id);
  }
  return true;
}

static bool must_stop(struct maker *m)
{
  return atomic_load(&m->packets->stop) || (m->packets->give_up != NULL && *m->packets->give_up);
}

/* Waits until the slots of a chunk are free again. */
static bool wait_room(struct maker *m, size_t last)
{
  struct timespec ms = {.tv_nsec = 1000000};

  while (last > atomic_load(&m->packets->retired) + m->packets->n) {
    if (must_stop(m))
      return false;
    nanosleep(&ms, NULL);
  }
  return true;
}

static void *make(void *arg)
{
  struct maker *m = arg;
  struct tm_bench_packets *p = m->packets;

  while (!must_stop(m)) {
    size_t first = atomic_fetch_add(&p->claimed, CHUNK);
    size_t n = p->live || first + CHUNK <= p->goal ? CHUNK : first < p->goal ? p->goal - first : 0;
    if (n == 0 || !wait_room(m, first + n))
      break;
    if (!make_chunk(m, first, n)) {
      atomic_store(&p->failed, true);
      break;
    }
    if (p->live)
      atomic_store(&p->made, first + n);
  }
  return NULL;
}

static void maker_free(struct maker *m)
{
  if (m == NULL)
    return;
  tm_sphinx_free(m->sphinx);
  sodium_memzero(m, sizeof *m);
  free(m);
}

static struct maker *maker_new(struct tm_bench_packets *p)
{
  struct maker *m = calloc(1, sizeof *m);
  uint8_t seed[32];

  if (m == NULL)
    return NULL;
  m->packets = p;
  randombytes_buf(seed, sizeof seed);
  m->rng = tm_rng_seeded_init(&m->seeded, seed);
  randombytes_buf(m->body, sizeof m->body);
  if (tm_sphinx_new(&m->sphinx, NULL, TM_SPHINX_BODY_LEN) == TM_SPHINX_OK)
    return m;
  maker_free(m);
  return NULL;
}

static void join_makers(struct tm_bench_packets *p)
{
  for (; p->makers > 0; p->makers--)
    pthread_join(p->maker[p->makers - 1]->thread, NULL);
}

/* Threads that go to work; their scratch space stays with them. */
static int start_makers(struct tm_bench_packets *p, size_t n)
{
  while (p->makers < n) {
    struct maker *m = p->maker[p->makers];
    if (m == NULL)
      m = p->maker[p->makers] = maker_new(p);
    if (m == NULL)
      return TM_E_STATE;
    if (pthread_create(&m->thread, NULL, make, m) != 0)
      return TM_E_IO;
    p->makers++;
  }
  return TM_OK;
}

int tm_bench_packets_make(struct tm_bench_packets *p, size_t n, uint32_t mean_delay_ms, const volatile int *stop)
{
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  int err;

  p->mean_delay_ms = mean_delay_ms;
  p->give_up = stop;
  atomic_store(&p->claimed, p->sent);
  p->goal = p->sent + (n < p->n ? n : p->n);
  err = start_makers(p, cores < 1 ? 1 : cores > MAKERS_MAX ? MAKERS_MAX : (size_t)cores);
  if (err != TM_OK)
    atomic_store(&p->stop, true);
  join_makers(p);
  atomic_store(&p->stop, false);
  if (err == TM_OK && stop != NULL && *stop)
    err = TM_E_CLOSED;
  if (err == TM_OK && atomic_load(&p->failed))
    err = TM_E_STATE;
  if (err == TM_OK)
    atomic_store(&p->made, p->goal);
  return err;
}

int tm_bench_packets_live(struct tm_bench_packets *p, uint32_t mean_delay_ms)
{
  p->mean_delay_ms = mean_delay_ms;
  p->give_up = NULL;
  p->live = true;
  atomic_store(&p->claimed, p->sent);
  return start_makers(p, 1);
}

/* ---- life ---- */

static void *map(size_t len)
{
  void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return memory == MAP_FAILED ? NULL : memory;
}

int tm_bench_packets_new(struct tm_bench_packets **out, const struct tm_bench_world *world, size_t n)
{
  struct tm_bench_packets *p = calloc(1, sizeof *p);

  *out = NULL;
  if (p == NULL)
    return TM_E_NOMEM;
  p->world = world;
  p->n = n;
  p->mask = 1;
  while (p->mask < n)
    p->mask = 2 * p->mask + 1;
  p->cells = map(n * sizeof *p->cells);
  p->slots = map(n * sizeof *p->slots);
  p->buckets = map((p->mask + 1) * sizeof *p->buckets);
  if (p->cells == NULL || p->slots == NULL || p->buckets == NULL) {
    tm_bench_packets_free(p);
    return TM_E_NOMEM;
  }
  memset(p->buckets, 0xff, (p->mask + 1) * sizeof *p->buckets);
  *out = p;
  return TM_OK;
}

void tm_bench_packets_free(struct tm_bench_packets *p)
{
  if (p == NULL)
    return;
  atomic_store(&p->stop, true);
  join_makers(p);
  for (size_t i = 0; i < MAKERS_MAX; i++)
    maker_free(p->maker[i]);
  if (p->cells != NULL)
    munmap(p->cells, p->n * sizeof *p->cells);
  if (p->slots != NULL)
    munmap(p->slots, p->n * sizeof *p->slots);
  if (p->buckets != NULL)
    munmap(p->buckets, (p->mask + 1) * sizeof *p->buckets);
  free(p);
}

/* ---- sending and recognising ---- */

void tm_bench_packets_discard(struct tm_bench_packets *p) { atomic_store(&p->made, p->sent); }

size_t tm_bench_packets_ready(const struct tm_bench_packets *p) { return atomic_load(&p->made) - p->sent; }

const uint8_t *tm_bench_packets_next(struct tm_bench_packets *p)
{
  return tm_bench_packets_ready(p) > 0 ? p->cells[p->sent % p->n] : NULL;
}

void tm_bench_packets_sent(struct tm_bench_packets *p, uint64_t now_ns)
{
  uint32_t index = (uint32_t)(p->sent % p->n);
  struct slot *s = &p->slots[index];
  uint32_t *bucket = &p->buckets[s->id & p->mask];

  s->flight.sent_ns = now_ns;
  s->state = UNDER_WAY;
  s->chain = *bucket;
  *bucket = index;
  p->sent++;
  p->under_way++;
}

static void retire(struct tm_bench_packets *p, struct slot *s)
{
  uint32_t index = (uint32_t)(s - p->slots);
  uint32_t *at = &p->buckets[s->id & p->mask];
  size_t retired = atomic_load_explicit(&p->retired, memory_order_relaxed);

  while (*at != index)
    at = &p->slots[*at].chain;
  *at = s->chain;
  s->state = RETIRED;
  p->under_way--;
  while (retired < p->sent && p->slots[retired % p->n].state == RETIRED)
    retired++;
  atomic_store(&p->retired, retired);
}

bool tm_bench_packets_came(struct tm_bench_packets *p, const uint8_t *packet, struct tm_bench_flight *flight)
{
  uint64_t id;
  uint32_t i;

  memcpy(&id, packet, sizeof id);
  for (i = p->buckets[id & p->mask]; i != NONE && p->slots[i].id != id; i = p->slots[i].chain)
    ;
  if (i == NONE)
    return false;
  *flight = p->slots[i].flight;
  retire(p, &p->slots[i]);
  return true;
}

size_t tm_bench_packets_under_way(const struct tm_bench_packets *p) { return p->under_way; }

size_t tm_bench_packets_expire(struct tm_bench_packets *p, uint64_t now_ns, uint64_t late_ns)
{
  size_t n = 0;

  for (size_t i = atomic_load(&p->retired); i < p->sent; i++) {
    struct slot *s = &p->slots[i % p->n];
    if (s->state == UNDER_WAY && now_ns > s->flight.sent_ns + (uint64_t)s->flight.delay_ms * 1000000 + late_ns) {
      retire(p, s);
      n++;
    }
  }
  return n;
}
