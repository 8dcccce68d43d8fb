/*
 * Packets in bulk through one engine: nothing is allocated for a packet, a next hop that does not read stalls nobody and grows nothing, what workers have no
 * place for waits outside, and system calls carry many cells. This program puts its own functions in front of the C library's to count.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sodium.h>

#include "bench/relay_world.h"
#include "link/link.h"
#include "relay/engine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(SANITIZED) || !defined(__GLIBC__)
int main(void) { return 77; }
#else

/* ---- counting ---- */

#define INTERPOSE __attribute__((visibility("default"), noinline))

static atomic_size_t asked;             /* by code of this program and while somebody counts */
static atomic_bool counting;
static _Thread_local volatile bool not_the_relay; /* the load's own turns */

extern char __executable_start, etext;
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);

static void count(const void *caller)
{
  const char *at = caller;

  if (atomic_load(&counting) && !not_the_relay && at >= &__executable_start && at < &etext)
    atomic_fetch_add(&asked, 1);
}

INTERPOSE void *malloc(size_t len)
{
  count(__builtin_return_address(0));
  return __libc_malloc(len);
}

INTERPOSE void *calloc(size_t n, size_t len)
{
  count(__builtin_return_address(0));
  return __libc_calloc(n, len);
}

INTERPOSE void *realloc(void *p, size_t len)
{
  count(__builtin_return_address(0));
  return __libc_realloc(p, len);
}

/* ---- a relay between one source and two sinks ---- */

#define SINKS 2
#define MANY 6000
#define QUEUE_CELLS 16384
#define WAIT_MS 30000

struct sink {
  struct tm_link_context *links;
  struct tm_link_listener *listener;
  size_t up, cells;
};

static struct {
  struct tm_bench_world world;
  struct tm_relay_config config;
  struct tm_engine *engine;
  struct event_base *base;
  struct tm_link_context *links;
  struct tm_link *link;
  bool up;
  struct sink sink[SINKS];
  tm_sphinx *sphinx;
  struct tm_snapshot now; /* of the last turn */
} f;

static void source_up(void *arg, struct tm_link *link)
{
  (void)arg;
  f.link = link;
  f.up = true;
}

static void source_down(void *arg, struct tm_link *link, int reason)
{
  (void)arg;
  (void)link;
  (void)reason;
  f.up = false;
}

static bool sink_judge(void *arg, const uint8_t *identity)
{
  (void)arg;
  return identity != NULL;
}

static void sink_up(void *arg, struct tm_link *link)
{
  (void)link;
  ((struct sink *)arg)->up++;
}

static void sink_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  (void)link;
  (void)cells;
  ((struct sink *)arg)->cells += n;
}

static const struct tm_link_events source_events = {.up = source_up, .down = source_down};
static const struct tm_link_events sink_events = {.judge = sink_judge, .up = sink_up, .cells = sink_cells};

static struct tm_link_context *context(const uint8_t *seed)
{
  struct tm_link_context *ctx;
  struct tm_link_config config;

  tm_link_config_default(&config);
  config.base = f.base;
  config.clock = &tm_clock_system;
  config.rng = &tm_rng_system;
  config.identity_seed = seed;
  config.queue_cells = QUEUE_CELLS;
  assert_int_equal(tm_link_context_new(&ctx, &config), TM_OK);
  return ctx;
}

static void turn(void)
{
  event_base_loop(tm_engine_base(f.engine), EVLOOP_NONBLOCK);
  not_the_relay = true;
  event_base_loop(f.base, EVLOOP_NONBLOCK);
  not_the_relay = false;
  f.now = tm_engine_snapshot(f.engine);
  if (!tm_snapshot_balanced(&f.now))
    fail_msg("the equation does not hold");
}

#define WAIT(condition)                                                  \
  do {                                                                   \
    uint64_t end_ = tm_clock_mono_ms(&tm_clock_system) + WAIT_MS;        \
    do                                                                   \
      turn();                                                            \
    while (!(condition) && tm_clock_mono_ms(&tm_clock_system) < end_);   \
    assert_true(condition);                                              \
  } while (0)

static void start(const char *extra)
{
  struct tm_bench_world_options o = {.peers = SINKS, .mean_delay_ms = 100, .workers = 2, .extra = extra};
  struct tm_engine_config config = {.relay = &f.config, .clock = &tm_clock_system, .rng = &tm_rng_system};
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

  memset(&f, 0, sizeof f);
  assert_int_equal(tm_bench_world_new(&f.world, &o), TM_OK);
  assert_int_equal(tm_sphinx_new(&f.sphinx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  f.base = event_base_new();
  for (size_t i = 0; i < SINKS; i++) {
    f.sink[i].links = context(f.world.sink[i].seed);
    assert_int_equal(tm_link_listen(f.sink[i].links, (struct sockaddr *)&addr, sizeof addr, false, &sink_events, &f.sink[i],
                                    &f.sink[i].listener), TM_OK);
    f.world.sink[i].port = tm_link_listener_port(f.sink[i].listener);
  }
  assert_int_equal(tm_bench_world_publish(&f.world, &o), TM_OK);
  assert_int_equal(tm_options_load(&tm_relay_options, f.world.config, &f.config, stderr), TM_OK);
  tm_log_set_level(TM_LOG_ERROR);
  assert_int_equal(tm_engine_new(&f.engine, &config), TM_OK);
  addr.sin_port = htons(f.world.relay.port);
  f.links = context(f.world.source[0].seed);
  assert_int_equal(tm_link_dial(f.links, (struct sockaddr *)&addr, sizeof addr, f.world.relay.identity, &source_events, NULL, &f.link),
                   TM_OK);
  WAIT(f.up && f.sink[0].up == 1 && f.sink[1].up == 1 && f.now.relay_links == 1 + SINKS);
}

static void stop(void)
{
  tm_engine_free(f.engine);
  tm_options_free(&tm_relay_options, &f.config);
  tm_link_context_free(f.links);
  for (size_t i = 0; i < SINKS; i++)
    tm_link_context_free(f.sink[i].links);
  event_base_free(f.base);
  tm_sphinx_free(f.sphinx);
  tm_bench_world_free(&f.world);
}

/* Queues n packets to that sink, which the relay is to hold for so long. */
static void pour(size_t n, size_t sink, uint32_t delay_ms)
{
  static uint8_t cell[32][TM_CELL_LEN], random[32][TM_SPHINX_CREATE_RANDOM_LEN], body[TM_SPHINX_BODY_LEN];
  static const uint8_t empty[TM_SPHINX_PACKET_LEN];
  tm_sphinx_packet_job job[32];
  tm_sphinx_node path[2] = {{.delay_ms = delay_ms}, {.delay_ms = 0}};

  memcpy(path[0].identity, f.world.relay.identity, 32);
  memcpy(path[0].mix_point, f.world.relay.point, 32);
  memcpy(path[1].identity, f.world.sink[sink].identity, 32);
  memcpy(path[1].mix_point, f.world.sink[sink].point, 32);
  while (n > 0) {
    size_t some = n < 32 ? n : 32;
    randombytes_buf(random, sizeof random);
    for (size_t i = 0; i < some; i++) {
      tm_cell_packet(cell[i], empty);
      job[i] = (tm_sphinx_packet_job){.path = path, .hops = 2, .body = body, .random = random[i], .packet = cell[i] + TM_CELL_HEAD_LEN};
    }
    assert_int_equal(tm_sphinx_create_many(f.sphinx, job, some), some);
    for (size_t i = 0; i < some; i++)
      assert_int_equal(tm_link_send(f.link, cell[i]), TM_OK);
    n -= some;
  }
}

static uint64_t drops(void)
{
  uint64_t n = 0;

  for (size_t i = TM_DROP_NONE + 1; i < TM_DROPS; i++)
    n += f.now.totals.drop[i];
  return n;
}

/* ---- the tests ---- */

/* Is the counter alive? Otherwise the test below proves nothing. */
static void test_counter(void **state)
{
  void *volatile p;

  (void)state;
  atomic_store(&asked, 0);
  atomic_store(&counting, true);
  p = malloc(10);
  free(p);
  not_the_relay = true;
  p = malloc(10);
  not_the_relay = false;
  free(p);
  atomic_store(&counting, false);
  assert_int_equal(atomic_load(&asked), 1);
}

static void test_nothing_is_allocated(void **state)
{
  (void)state;
  start("");
  for (unsigned round = 0; round < 6; round++) {
    atomic_store(&asked, 0);
    not_the_relay = true;
    pour(500, 0, round);
    pour(500, 1, 2 * round);
    not_the_relay = false;
    atomic_store(&counting, true);
    WAIT(f.sink[0].cells == 500 * (round + 1) && f.sink[1].cells == 500 * (round + 1));
    atomic_store(&counting, false);
    assert_int_equal(atomic_load(&asked), 0);
  }
  stop();
}

static void test_slow_hop(void **state)
{
  size_t before, since;

  (void)state;
  start("egress-queue = 64\n");
  tm_link_context_hold(f.sink[0].links, true);
  /* Until the kernel's buffers and the queue of that link are full. */
  for (unsigned i = 0; f.now.totals.drop[TM_DROP_EGRESS_FULL] == 0; i++) {
    assert_true(i < 1000);
    pour(200, 0, 0);
    WAIT(f.now.totals.in_link == 200 * (i + 1) && f.now.held == 0);
  }
  before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (unsigned i = 0; i < 20; i++) {
    pour(100, 0, 1);
    pour(50, 1, 1);
    WAIT(f.sink[1].cells == 50 * (i + 1) && f.now.held == 0);
  }
  since = mallinfo2().uordblks + mallinfo2().hblkhd;
  assert_true(since < before + 65536);
  turn();
  assert_int_equal(drops(), f.now.totals.drop[TM_DROP_EGRESS_FULL]);
  assert_int_equal(f.sink[0].cells, 0);
  /* What waited comes when it reads again. */
  tm_link_context_hold(f.sink[0].links, false);
  WAIT(f.sink[0].cells + f.sink[1].cells == f.now.totals.out_link);
  stop();
}

/* A flood is read no faster than the workers open it. */
static void test_workers_are_not_overrun(void **state)
{
  struct tm_link_io io;

  (void)state;
  start("ingress-queue = 256\n");
  /* Delays, so that no queue to a sink is what this is about. */
  for (unsigned i = 0; i < MANY / 100; i++)
    pour(100, i % 2, 20 * (i % 30));
  WAIT(f.sink[0].cells + f.sink[1].cells == MANY);
  turn();
  assert_int_equal(drops(), 0);
  io = tm_engine_io(f.engine);
  assert_true(io.cells_in >= MANY && io.cells_out >= MANY);
  assert_true(io.cells_in / io.reads >= 8);
  assert_true(io.cells_out / io.writes >= 4);
  stop();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_counter),
    cmocka_unit_test(test_nothing_is_allocated),
    cmocka_unit_test(test_slow_hop),
    cmocka_unit_test(test_workers_are_not_overrun),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
#endif
