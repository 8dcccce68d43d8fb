/* The mix strategies under a virtual clock and seeded randomness: exact times, exact numbers, uniform choice; and biased ones that must be found out. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/mix.h"
#include "relay/randomness.h"

static struct tm_rng_seeded seeded;

static struct tm_rng rng_of(uint8_t n)
{
  uint8_t seed[32] = {n, 's', 'e', 'e', 'd'};

  return tm_rng_seeded_init(&seeded, seed);
}

static struct tm_mix *make(const struct tm_mix_strategy *strategy, const struct tm_mix_config *config, uint64_t now)
{
  struct tm_mix *mix;

  assert_int_equal(tm_mix_new(&mix, strategy, config, now), TM_OK);
  return mix;
}

/* ---- Poisson ---- */

static void test_poisson_times(void **state)
{
  enum { N = 3000, SPAN = 1200 };
  static uint64_t due[N];
  struct tm_rng rng = rng_of(1);
  struct tm_mix_config config = {.capacity = N, .rng = &rng};
  struct tm_mix *mix = make(&tm_mix_poisson, &config, 0);
  uint32_t added = 0, out[16], released = 0;

  (void)state;
  assert_true(tm_mix_next_ms(mix) == TM_MIX_NEVER);
  for (uint64_t now = 0; now < 2 * SPAN; now++) {
    size_t n;
    for (int i = 0; i < 3 && added < N; i++, added++) {
      uint32_t delay = tm_rng_below(&rng, SPAN);
      due[added] = now + delay;
      assert_int_equal(tm_mix_add(mix, added, now, delay), TM_OK);
    }
    while ((n = tm_mix_release(mix, now, out, 16)) > 0)
      for (size_t i = 0; i < n; i++, released++)
        assert_int_equal(due[out[i]], now); /* not a millisecond sooner or later */
    assert_true(tm_mix_next_ms(mix) > now);
    assert_int_equal(tm_mix_count(mix), added - released);
  }
  assert_int_equal(released, N);
  tm_mix_free(mix);
}

static void test_poisson_bounds(void **state)
{
  struct tm_rng rng = rng_of(2);
  struct tm_mix_config config = {.capacity = 2, .rng = &rng};
  struct tm_mix *mix = make(&tm_mix_poisson, &config, 0);
  uint32_t out[4];

  (void)state;
  assert_int_equal(tm_mix_add(mix, 7, 100, 50), TM_OK);
  assert_int_equal(tm_mix_add(mix, 8, 100, UINT32_MAX), TM_OK);
  assert_int_equal(tm_mix_add(mix, 9, 100, 0), TM_E_FULL);
  assert_int_equal(tm_mix_next_ms(mix), 150);
  assert_int_equal(tm_mix_release(mix, 149, out, 4), 0);
  assert_int_equal(tm_mix_release(mix, 1000, out, 4), 1);
  assert_int_equal(out[0], 7);
  tm_mix_drain(mix); /* headers' delays still hold */
  assert_int_equal(tm_mix_release(mix, 1000, out, 4), 0);
  assert_int_equal(tm_mix_release(mix, TM_MIX_NEVER, out, 4), 1);
  tm_mix_free(mix);
}

/* ---- timed pool ---- */

struct dummies {
  uint32_t next;    /* item */
  size_t asked, can;
};

static size_t give_dummies(void *arg, uint32_t *items, size_t n)
{
  struct dummies *d = arg;

  d->asked += n;
  for (size_t i = 0; i < n && i < d->can; i++)
    items[i] = d->next++;
  return n < d->can ? n : d->can;
}

static size_t release_all(struct tm_mix *mix, uint64_t now)
{
  uint32_t out[7];
  size_t n, total = 0;

  while ((n = tm_mix_release(mix, now, out, 7)) > 0)
    total += n;
  return total;
}

static void add_many(struct tm_mix *mix, uint64_t now, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    assert_int_equal(tm_mix_add(mix, i, now, 12345), TM_OK);
}

static void test_pool_numbers(void **state)
{
  struct tm_rng rng = rng_of(3);
  struct dummies d = {.next = 1000, .can = 100};
  struct tm_mix_config config = {.capacity = 100, .rng = &rng, .pool_interval_ms = 50, .pool_min = 10, .pool_share_permille = 600,
                                 .pool_floor = 20, .dummies = give_dummies, .dummies_arg = &d};
  struct tm_mix *mix = make(&tm_mix_pool, &config, 1000);

  (void)state;
  assert_int_equal(tm_mix_next_ms(mix), 1050);
  add_many(mix, 1000, 45);
  assert_int_equal(release_all(mix, 1049), 0);
  assert_int_equal(release_all(mix, 1050), 21); /* (45 - 10) * 0.6 */
  assert_int_equal(d.asked, 0);
  assert_int_equal(tm_mix_count(mix), 24);
  assert_int_equal(release_all(mix, 1099), 0);
  assert_int_equal(release_all(mix, 1100), 8); /* floor(8.4) */
  assert_int_equal(tm_mix_count(mix), 16);
  assert_int_equal(release_all(mix, 1350), 6); /* missed ones are skipped; 16 filled up to 20 */
  assert_int_equal(d.asked, 4);
  assert_int_equal(tm_mix_next_ms(mix), 1400);
  d.can = 1; /* dummies may fail */
  assert_int_equal(release_all(mix, 1400), 3); /* (15 - 10) * 0.6 */
  add_many(mix, 1400, 88);
  assert_int_equal(tm_mix_add(mix, 1, 1400, 0), TM_E_FULL);
  tm_mix_drain(mix);
  assert_int_equal(release_all(mix, 1450), 100);
  assert_int_equal(tm_mix_count(mix), 0);
  tm_mix_free(mix);
}

static void test_pool_keeps_newcomers_out_of_a_release(void **state)
{
  struct tm_rng rng = rng_of(4);
  struct tm_mix_config config = {.capacity = 100, .rng = &rng, .pool_interval_ms = 10, .pool_min = 0, .pool_share_permille = 1000};
  struct tm_mix *mix = make(&tm_mix_pool, &config, 0);
  uint32_t out[4];
  size_t total = 0, n;

  (void)state;
  add_many(mix, 0, 10);
  assert_int_equal(tm_mix_release(mix, 10, out, 4), 4);
  assert_int_equal(tm_mix_next_ms(mix), 0); /* the rest is due now */
  assert_int_equal(tm_mix_add(mix, 99, 10, 0), TM_OK);
  while ((n = tm_mix_release(mix, 10, out, 4)) > 0)
    for (total += n; n > 0; n--)
      assert_int_not_equal(out[n - 1], 99);
  assert_int_equal(total, 6);
  assert_int_equal(tm_mix_count(mix), 1);
  tm_mix_free(mix);
}

/* ---- are choice and order uniform? ---- */

enum { ORDER_N = 5, ORDERS = 120, CHOICE_N = 10, CHOICE_K = 3, CHOICES = 120, TRIALS = 24000 };

/* 119 degrees of freedom: mean 119, standard deviation 15.4. Beyond this by chance once in some millions. */
#define CHI_SQUARE_LIMIT 210.0

static double chi_square(const unsigned *counts, size_t n, double trials)
{
  double expected = trials / (double)n, sum = 0;

  for (size_t i = 0; i < n; i++)
    sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
  return sum;
}

static size_t number_of_order(const uint32_t *items)
{
  size_t number = 0;

  for (size_t i = 0; i < ORDER_N; i++) {
    size_t smaller = 0;
    for (size_t j = i + 1; j < ORDER_N; j++)
      smaller += items[j] < items[i];
    number = number * (ORDER_N - i) + smaller;
  }
  return number;
}

/* The order in which a whole release leaves. */
static double order_statistic(const struct tm_mix_strategy *strategy, uint8_t seed)
{
  struct tm_rng rng = rng_of(seed);
  struct tm_mix_config config = {.capacity = ORDER_N, .rng = &rng, .pool_interval_ms = 10, .pool_share_permille = 1000};
  unsigned counts[ORDERS] = {0};

  for (int t = 0; t < TRIALS; t++) {
    struct tm_mix *mix = make(strategy, &config, 0);
    uint32_t out[ORDER_N];
    for (uint32_t i = 0; i < ORDER_N; i++)
      assert_int_equal(tm_mix_add(mix, i, i, 10 - i), TM_OK);
    assert_int_equal(tm_mix_release(mix, 10, out, ORDER_N), ORDER_N);
    counts[number_of_order(out)]++;
    tm_mix_free(mix);
  }
  return chi_square(counts, ORDERS, TRIALS);
}

/* Number of a choice of 3 out of 10, in the combinatorial number system. */
static size_t number_of_choice(const uint32_t *items)
{
  uint32_t a = items[0], b = items[1], c = items[2], t;

  if (a > b) { t = a; a = b; b = t; }
  if (b > c) { t = b; b = c; c = t; }
  if (a > b) { t = a; a = b; b = t; }
  return a + b * (b - 1) / 2 + c * (c - 1) * (c - 2) / 6;
}

/* Which of a pool leave. */
static double choice_statistic(const struct tm_mix_strategy *strategy, uint8_t seed)
{
  struct tm_rng rng = rng_of(seed);
  struct tm_mix_config config = {.capacity = CHOICE_N, .rng = &rng, .pool_interval_ms = 10, .pool_min = 4, .pool_share_permille = 500};
  unsigned counts[CHOICES] = {0};

  for (int t = 0; t < TRIALS; t++) {
    struct tm_mix *mix = make(strategy, &config, 0);
    uint32_t out[CHOICE_N];
    add_many(mix, 0, CHOICE_N);
    assert_int_equal(tm_mix_release(mix, 10, out, CHOICE_N), CHOICE_K);
    counts[number_of_choice(out)]++;
    tm_mix_free(mix);
  }
  return chi_square(counts, CHOICES, TRIALS);
}

static void test_uniform(void **state)
{
  (void)state;
  assert_true(order_statistic(&tm_mix_poisson, 10) < CHI_SQUARE_LIMIT);
  assert_true(order_statistic(&tm_mix_pool, 11) < CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&tm_mix_pool, 12) < CHI_SQUARE_LIMIT);
}

/* ---- planted faults ---- */

/* A pool that shuffles as people often do: each item swapped with any. It looks random and is not uniform. */
struct naive {
  const struct tm_mix_config *config;
  uint32_t items[16];
  size_t n;
};

static int naive_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct naive *p = calloc(1, sizeof *p);

  (void)now_ms;
  assert_non_null(p);
  p->config = config;
  *mix = p;
  return TM_OK;
}

static int naive_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  struct naive *p = mix;

  (void)now_ms;
  (void)delay_ms;
  p->items[p->n++] = item;
  return TM_OK;
}

static size_t naive_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct naive *p = mix;
  size_t due = (p->n - p->config->pool_min) * p->config->pool_share_permille / 1000;

  (void)now_ms;
  (void)cap;
  for (size_t i = 0; i < p->n; i++) {
    size_t j = tm_rng_below(p->config->rng, (uint32_t)p->n);
    uint32_t t = p->items[i];
    p->items[i] = p->items[j];
    p->items[j] = t;
  }
  memcpy(out, p->items + p->n - due, due * sizeof *out);
  p->n -= due;
  return due;
}

static const struct tm_mix_strategy naive_pool = {.name = "naive", .create = naive_create, .add = naive_add, .release = naive_release,
                                                  .destroy = free};

/* First in, first out. */
static size_t fifo_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct naive *p = mix;
  size_t due = (p->n - p->config->pool_min) * p->config->pool_share_permille / 1000;

  (void)now_ms;
  (void)cap;
  memcpy(out, p->items, due * sizeof *out);
  return due;
}

static const struct tm_mix_strategy fifo_pool = {.name = "fifo", .create = naive_create, .add = naive_add, .release = fifo_release,
                                                 .destroy = free};

static void test_bias_is_found(void **state)
{
  (void)state;
  assert_true(order_statistic(&naive_pool, 13) > CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&fifo_pool, 14) > CHI_SQUARE_LIMIT);
}

/* ---- randomness in blocks ---- */

static void test_buffered_randomness(void **state)
{
  struct tm_rng source = rng_of(20);
  struct tm_rng_buffered b;
  struct tm_rng rng = tm_rng_buffered_init(&b, &source);
  uint8_t seen[4096], chunk[300];
  unsigned counts[256] = {0};
  size_t at = 0;

  (void)state;
  for (size_t len = 1; at + len <= sizeof seen; at += len, len = len % 250 + 1)
    tm_rng_fill(&rng, seen + at, len);
  /* No stretch comes twice, and what was handed out is not kept. */
  for (size_t i = 0; i + 16 <= at; i += 16)
    assert_null(memmem(seen + i + 16, at - i - 16, seen + i, 16));
  assert_null(memmem(b.block, sizeof b.block, seen + at - 16, 16));
  for (int i = 0; i < 40; i++) {
    tm_rng_fill(&rng, chunk, sizeof chunk);
    for (size_t j = 0; j < sizeof chunk; j++)
      counts[chunk[j]]++;
  }
  assert_true(chi_square(counts, 256, 40.0 * sizeof chunk) < 400);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_poisson_times),
    cmocka_unit_test(test_poisson_bounds),
    cmocka_unit_test(test_pool_numbers),
    cmocka_unit_test(test_pool_keeps_newcomers_out_of_a_release),
    cmocka_unit_test(test_uniform),
    cmocka_unit_test(test_bias_is_found),
    cmocka_unit_test(test_buffered_randomness),
  };

  return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
