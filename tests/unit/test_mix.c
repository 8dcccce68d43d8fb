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

/* ---- threshold, threshold pool, dynamic pool ---- */

static void test_threshold_numbers(void **state)
{
  struct tm_rng rng = rng_of(5);
  struct tm_mix_config config = {.capacity = 100, .rng = &rng, .threshold = 10, .pool_min = 25};
  struct tm_mix *mix = make(&tm_mix_threshold, &config, 0); /* pool_min is nothing to it */
  uint32_t out[4];

  (void)state;
  add_many(mix, 0, 9);
  assert_true(tm_mix_next_ms(mix) == TM_MIX_NEVER);
  assert_int_equal(release_all(mix, TM_MIX_NEVER), 0); /* however long it takes */
  add_many(mix, 0, 1);
  assert_int_equal(tm_mix_next_ms(mix), 0);
  assert_int_equal(tm_mix_release(mix, 0, out, 4), 4);
  add_many(mix, 0, 9); /* does not join the round that has begun */
  assert_int_equal(tm_mix_next_ms(mix), 0);
  assert_int_equal(release_all(mix, 0), 6);
  assert_true(tm_mix_next_ms(mix) == TM_MIX_NEVER);
  assert_int_equal(tm_mix_count(mix), 9);
  add_many(mix, 0, 91);
  assert_int_equal(tm_mix_add(mix, 1, 0, 0), TM_E_FULL);
  tm_mix_drain(mix);
  assert_int_equal(release_all(mix, 0), 100);
  tm_mix_free(mix);
}

static void test_threshold_pool_numbers(void **state)
{
  struct tm_rng rng = rng_of(6);
  struct tm_mix_config config = {.capacity = 35, .rng = &rng, .threshold = 10, .pool_min = 25};
  struct tm_mix *mix = make(&tm_mix_threshold_pool, &config, 0), *none;

  (void)state;
  add_many(mix, 0, 34);
  assert_int_equal(release_all(mix, 0), 0);
  add_many(mix, 0, 1);
  assert_int_equal(tm_mix_next_ms(mix), 0);
  assert_int_equal(release_all(mix, 0), 10);
  assert_int_equal(tm_mix_count(mix), 25);
  tm_mix_drain(mix);
  assert_int_equal(tm_mix_next_ms(mix), 0);
  assert_int_equal(release_all(mix, 0), 25);
  tm_mix_free(mix);
  config.capacity = 34; /* a round would never be full */
  assert_int_equal(tm_mix_new(&none, &tm_mix_threshold_pool, &config, 0), TM_E_TOO_BIG);
  assert_null(none);
  config.threshold = 0;
  assert_int_equal(tm_mix_new(&none, &tm_mix_threshold, &config, 0), TM_E_TOO_BIG);
  assert_null(none);
}

static void test_dynamic_pool_numbers(void **state)
{
  struct tm_rng rng = rng_of(7);
  struct dummies d = {.next = 1000, .can = 100};
  struct tm_mix_config config = {.capacity = 300, .rng = &rng, .pool_interval_ms = 50, .pool_min = 45, .pool_share_permille = 650,
                                 .dummies = give_dummies, .dummies_arg = &d};
  struct tm_mix *mix = make(&tm_mix_dynamic_pool, &config, 0);

  (void)state;
  add_many(mix, 0, 45);
  assert_int_equal(release_all(mix, 50), 0);
  add_many(mix, 50, 55);
  assert_int_equal(release_all(mix, 99), 0);
  assert_int_equal(release_all(mix, 100), 55); /* 45 stay: less than 65 in a hundred */
  add_many(mix, 100, 155);
  assert_int_equal(release_all(mix, 150), 130); /* 65 in a hundred of 200: more than 45 stay */
  tm_mix_free(mix);

  config.pool_share_permille = 1;
  config.pool_floor = 47;
  mix = make(&tm_mix_dynamic_pool, &config, 0);
  assert_int_equal(release_all(mix, 50), 1); /* at least one; of dummies, here */
  assert_int_equal(d.asked, 47);
  tm_mix_free(mix);
}

/* ---- what all of them do ---- */

/* So that all strategies release `leave` of `all` at the time 10; threshold and poisson that all of them have. */
static struct tm_mix_config config_for(const struct tm_rng *rng, uint32_t all, uint32_t leave)
{
  return (struct tm_mix_config){.capacity = all, .rng = rng, .threshold = leave, .pool_interval_ms = 10, .pool_min = all - leave,
                                .pool_share_permille = 1000};
}

static void test_hold(void **state)
{
  (void)state;
  for (size_t i = 0; tm_mix_strategies[i] != NULL; i++) {
    struct tm_rng rng = rng_of(8);
    struct tm_mix_config config = config_for(&rng, 6, 6);
    struct tm_mix *mix = make(tm_mix_strategies[i], &config, 0);
    add_many(mix, 0, 6);
    tm_mix_hold(mix, true);
    assert_true(tm_mix_next_ms(mix) == TM_MIX_NEVER);
    assert_int_equal(release_all(mix, 1000000), 0);
    assert_int_equal(tm_mix_count(mix), 6);
    tm_mix_hold(mix, false);
    assert_int_equal(release_all(mix, 1000000), 6);
    add_many(mix, 1000000, 5);
    tm_mix_hold(mix, true);
    tm_mix_drain(mix); /* who goes away holds nothing */
    assert_int_equal(release_all(mix, 2000000), 5);
    tm_mix_free(mix);
  }
}

static void test_names(void **state)
{
  static const char *const names[] = {"threshold", "threshold-pool", "timed-pool", "dynamic-pool", "poisson"};

  (void)state;
  for (size_t i = 0; i < 5; i++)
    assert_string_equal(tm_mix_strategies[i]->name, names[i]);
  assert_null(tm_mix_strategies[5]);
  assert_ptr_equal(tm_mix_strategy(TM_STRATEGY_POISSON), &tm_mix_poisson);
  assert_ptr_equal(tm_mix_strategy(TM_STRATEGY_TIMED_POOL), &tm_mix_pool);
  assert_null(tm_mix_strategy((enum tm_strategy)3)); /* no document may name the others */
}

/* ---- are choice and order uniform? ---- */

enum { ORDER_N = 5, ORDERS = 120, CHOICE_N = 10, CHOICE_K = 3, CHOICES = 120, STAY_N = 8, STAYS = 8, TRIALS = 24000 };

/*
 * 119 degrees of freedom: mean 119, standard deviation 15.4. A uniform choice goes beyond the limit once in 1.9 million tries, one of the
 * seventeen below once in 110,000. As the seeds are fixed, that is the chance that a change of the code that is right turns the test red.
 */
#define CHI_SQUARE_LIMIT 210.0
/* The same for 7 degrees of freedom, once in 1.9 million. */
#define STAY_LIMIT 42.0

/* Of counts with these expectations. */
static double chi_square_of(const unsigned *counts, const double *expected, size_t n)
{
  double sum = 0;

  for (size_t i = 0; i < n; i++)
    sum += ((double)counts[i] - expected[i]) * ((double)counts[i] - expected[i]) / expected[i];
  return sum;
}

static double chi_square(const unsigned *counts, size_t n, double trials)
{
  double expected[256];

  for (size_t i = 0; i < n; i++)
    expected[i] = trials / (double)n;
  return chi_square_of(counts, expected, n);
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

/* The order in which a whole release leaves; all at once or, as a relay takes it, in pieces. */
static double order_statistic(const struct tm_mix_strategy *strategy, uint8_t seed, size_t cap)
{
  struct tm_rng rng = rng_of(seed);
  struct tm_mix_config config = config_for(&rng, ORDER_N, ORDER_N);
  unsigned counts[ORDERS] = {0};

  for (int t = 0; t < TRIALS; t++) {
    struct tm_mix *mix = make(strategy, &config, 0);
    uint32_t out[ORDER_N];
    size_t n = 0;
    for (uint32_t i = 0; i < ORDER_N; i++)
      assert_int_equal(tm_mix_add(mix, i, i, 9 - i), TM_OK);
    while (n < ORDER_N)
      n += tm_mix_release(mix, 10, out + n, ORDER_N - n < cap ? ORDER_N - n : cap);
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
  struct tm_mix_config config = config_for(&rng, CHOICE_N, CHOICE_K);
  unsigned counts[CHOICES] = {0};

  for (int t = 0; t < TRIALS; t++) {
    struct tm_mix *mix = make(strategy, &config, 0);
    uint32_t out[CHOICE_N];
    add_many(mix, 0, CHOICE_N);
    assert_int_equal(tm_mix_release(mix, 10, out, CHOICE_K), CHOICE_K);
    counts[number_of_choice(out)]++;
    tm_mix_free(mix);
  }
  return chi_square(counts, CHOICES, TRIALS);
}

/*
 * How many rounds a packet of a running pool stays, if half of the pool leaves in each: each time with probability one half, whatever it has
 * been through. Items are numbered by arrival, and round r brings those from STAY_N / 2 * r.
 */
static double stay_statistic(const struct tm_mix_strategy *strategy, uint8_t seed)
{
  struct tm_rng rng = rng_of(seed);
  struct tm_mix_config config = config_for(&rng, STAY_N, STAY_N / 2);
  struct tm_mix *mix = make(strategy, &config, 0);
  unsigned counts[STAYS] = {0};
  double expected[STAYS];
  uint32_t item = 0, out[STAY_N];

  for (; item < STAY_N / 2; item++)
    assert_int_equal(tm_mix_add(mix, item, 0, 0), TM_OK);
  for (uint32_t round = 1; round <= TRIALS; round++) {
    for (int i = 0; i < STAY_N / 2; i++)
      assert_int_equal(tm_mix_add(mix, item++, 10 * round, 0), TM_OK);
    assert_int_equal(tm_mix_release(mix, 10 * round, out, STAY_N / 2), STAY_N / 2);
    /* One packet a round, so that the counts are as good as independent. */
    counts[round - out[0] / (STAY_N / 2) < STAYS ? round - out[0] / (STAY_N / 2) : STAYS - 1]++;
  }
  tm_mix_free(mix);
  for (int i = 0; i < STAYS; i++)
    expected[i] = TRIALS / (double)(i < STAYS - 1 ? 2 << i : 1 << i);
  return chi_square_of(counts, expected, STAYS);
}

static void test_uniform(void **state)
{
  (void)state;
  for (uint8_t i = 0; tm_mix_strategies[i] != NULL; i++) {
    assert_true(order_statistic(tm_mix_strategies[i], 10 + i, ORDER_N) < CHI_SQUARE_LIMIT);
    assert_true(order_statistic(tm_mix_strategies[i], 20 + i, 2) < CHI_SQUARE_LIMIT);
    if (tm_mix_strategies[i] != &tm_mix_poisson) /* there the sender chooses */
      assert_true(choice_statistic(tm_mix_strategies[i], 30 + i) < CHI_SQUARE_LIMIT);
  }
  assert_true(stay_statistic(&tm_mix_threshold_pool, 40) < STAY_LIMIT);
  assert_true(stay_statistic(&tm_mix_pool, 41) < STAY_LIMIT);
  assert_true(stay_statistic(&tm_mix_dynamic_pool, 42) < STAY_LIMIT);
}

/* ---- planted faults ---- */

/* Pools as people often write them. */
struct biased {
  const struct tm_mix_config *config;
  uint32_t items[STAY_N + CHOICE_N];
  size_t n;
};

static int biased_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct biased *p = calloc(1, sizeof *p);

  (void)now_ms;
  assert_non_null(p);
  p->config = config;
  *mix = p;
  return TM_OK;
}

static int biased_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  struct biased *p = mix;

  (void)now_ms;
  (void)delay_ms;
  p->items[p->n++] = item;
  return TM_OK;
}

static void swap(struct biased *p, size_t i, size_t j)
{
  uint32_t t = p->items[i];

  p->items[i] = p->items[j];
  p->items[j] = t;
}

static size_t release_last(struct biased *p, uint32_t *out, size_t cap)
{
  size_t due = p->n - p->config->pool_min;

  assert_true(due <= cap);
  p->n -= due;
  memcpy(out, p->items + p->n, due * sizeof *out);
  return due;
}

static size_t biased_count(const void *mix) { return ((const struct biased *)mix)->n; }

/* Each item swapped with any: looks random and is not uniform. */
static size_t naive_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct biased *p = mix;

  (void)now_ms;
  for (size_t i = 0; i < p->n; i++)
    swap(p, i, tm_rng_below(p->config->rng, (uint32_t)p->n));
  return release_last(p, out, cap);
}

/* The right shuffle with the remainder of five random bits: of five places some come up 7 times where others do 6 times. */
static size_t modulo_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct biased *p = mix;

  (void)now_ms;
  for (size_t i = p->n; i > 1; i--) {
    uint8_t random;
    tm_rng_fill(p->config->rng, &random, 1);
    swap(p, i - 1, (random & 31) % i);
  }
  return release_last(p, out, cap);
}

/* First in, first out. */
static size_t fifo_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct biased *p = mix;
  size_t due = p->n - p->config->pool_min;

  (void)now_ms;
  assert_true(due <= cap);
  memcpy(out, p->items, due * sizeof *out);
  p->n -= due;
  memmove(p->items, p->items + due, p->n * sizeof *out);
  return due;
}

/* The right choice, but in the order of arrival. */
static int by_number(const void *a, const void *b) { return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1; }

static size_t sorted_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct biased *p = mix;
  size_t due;

  (void)now_ms;
  tm_rng_shuffle(p->config->rng, p->items, p->n);
  due = release_last(p, out, cap);
  qsort(out, due, sizeof *out, by_number);
  return due;
}

#define BIASED(release_fn) {.name = "biased", .create = biased_create, .add = biased_add, .release = release_fn, .count = biased_count, .destroy = free}

static const struct tm_mix_strategy naive_pool = BIASED(naive_release), modulo_pool = BIASED(modulo_release),
                                    fifo_pool = BIASED(fifo_release), sorted_pool = BIASED(sorted_release);

static void test_bias_is_found(void **state)
{
  (void)state;
  assert_true(order_statistic(&naive_pool, 50, ORDER_N) > CHI_SQUARE_LIMIT);
  assert_true(order_statistic(&modulo_pool, 51, ORDER_N) > CHI_SQUARE_LIMIT);
  assert_true(order_statistic(&fifo_pool, 52, ORDER_N) > CHI_SQUARE_LIMIT);
  assert_true(order_statistic(&sorted_pool, 53, ORDER_N) > CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&naive_pool, 54) > CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&modulo_pool, 55) > CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&fifo_pool, 56) > CHI_SQUARE_LIMIT);
  assert_true(choice_statistic(&sorted_pool, 57) < CHI_SQUARE_LIMIT); /* its choice is right, its order is not */
  assert_true(stay_statistic(&naive_pool, 58) > STAY_LIMIT);
  assert_true(stay_statistic(&fifo_pool, 59) > STAY_LIMIT);
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
    cmocka_unit_test(test_threshold_numbers),
    cmocka_unit_test(test_threshold_pool_numbers),
    cmocka_unit_test(test_dynamic_pool_numbers),
    cmocka_unit_test(test_hold),
    cmocka_unit_test(test_names),
    cmocka_unit_test(test_uniform),
    cmocka_unit_test(test_bias_is_found),
    cmocka_unit_test(test_buffered_randomness),
  };

  return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
