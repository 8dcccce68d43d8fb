/* What a relay says of itself: the entropy estimate against closed forms, rates, and the text for people. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "relay/mix.h"
#include "relay/rates.h"
#include "relay/status.h"
#include "relay/status_text.h"

static struct tm_rng_seeded seeded;

static struct tm_rng rng_of(uint8_t n)
{
  uint8_t seed[32] = {n, 's', 't', 'a', 't'};

  return tm_rng_seeded_init(&seeded, seed);
}

static void assert_near(double is, double should, double by)
{
  if (!(fabs(is - should) <= by))
    fail_msg("%f is not within %f of %f", is, by, should);
}

/* ---- entropy ---- */

static size_t release_all(struct tm_mix *mix, uint64_t now)
{
  uint32_t out[7];
  size_t n, total = 0;

  while ((n = tm_mix_release(mix, now, out, 7)) > 0)
    total += n;
  return total;
}

/* So many rounds of so many packets; returns the bits right before the last release. */
static double rounds(const struct tm_mix_strategy *strategy, struct tm_mix_config config, uint32_t rounds, uint32_t each)
{
  struct tm_rng rng = rng_of(1);
  struct tm_mix *mix;
  double bits = 0;

  config.rng = &rng;
  assert_int_equal(tm_mix_new(&mix, strategy, &config, 0), TM_OK);
  for (uint32_t r = 1; r <= rounds; r++) {
    for (uint32_t i = 0; i < each; i++)
      assert_int_equal(tm_mix_add(mix, i, r * 1000 - 500, 0), TM_OK);
    bits = tm_mix_entropy(mix);
    release_all(mix, r * 1000);
  }
  tm_mix_free(mix);
  return bits;
}

static void test_entropy_of_rounds(void **state)
{
  struct tm_mix_config threshold = {.capacity = 300, .threshold = 100};
  struct tm_mix_config pool = {.capacity = 300, .threshold = 100, .pool_min = 100};
  struct tm_mix_config timed = {.capacity = 300, .pool_min = 100, .pool_share_permille = 1000, .pool_interval_ms = 1000};

  (void)state;
  assert_near(rounds(&tm_mix_threshold, threshold, 3, 100), log2(100), 1e-9);
  assert_near(rounds(&tm_mix_threshold_pool, pool, 200, 100), 8.644, 0.001);
  assert_near(rounds(&tm_mix_pool, timed, 200, 100), 8.644, 0.001);
}

/* Poisson arrivals at rate lambda and delays of mean 1/mu: log2(e lambda/mu) on average, lambda/mu the mean number inside. */
static void poisson(double inside)
{
  struct tm_rng rng = rng_of(2);
  struct tm_mix_config config = {.capacity = 4096, .rng = &rng};
  struct tm_mix *mix;
  double next = 0, sum = 0, mean_delay = 10000;
  size_t n = 0;

  assert_int_equal(tm_mix_new(&mix, &tm_mix_poisson, &config, 0), TM_OK);
  assert_true(tm_mix_entropy(mix) == 0);
  for (uint32_t i = 0; i < 60000; i++) {
    next += tm_rng_exponential(&rng, mean_delay / inside);
    for (uint64_t at; (at = tm_mix_next_ms(mix)) <= (uint64_t)next;)
      release_all(mix, at);
    assert_int_equal(tm_mix_add(mix, i, (uint64_t)next, (uint32_t)tm_rng_exponential(&rng, mean_delay)), TM_OK);
    if (i > 5000) {
      sum += tm_mix_entropy(mix);
      n++;
    }
  }
  assert_near(sum / (double)n, log2(exp(1) * inside), 0.05);
  release_all(mix, TM_MIX_NEVER);
  assert_true(tm_mix_entropy(mix) == 0);
  tm_mix_free(mix);
}

static void test_entropy_of_poisson(void **state)
{
  (void)state;
  poisson(20);
  poisson(200);
}

static size_t one_dummy(void *arg, uint32_t *items, size_t n)
{
  (void)arg;
  (void)n;
  items[0] = 1000;
  return 1;
}

/* A dummy that the strategy adds counts as one more; so four alike. */
static void test_entropy_counts_dummies(void **state)
{
  struct tm_rng rng = rng_of(3);
  struct tm_mix_config config = {.capacity = 10, .rng = &rng, .pool_interval_ms = 10, .pool_min = 1, .pool_share_permille = 1000,
                                 .pool_floor = 4, .dummies = one_dummy};
  struct tm_mix *mix;

  (void)state;
  assert_int_equal(tm_mix_new(&mix, &tm_mix_pool, &config, 0), TM_OK);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(tm_mix_add(mix, i, 0, 0), TM_OK);
  assert_near(tm_mix_entropy(mix), log2(3), 1e-9);
  assert_int_equal(release_all(mix, 10), 3);
  assert_near(tm_mix_entropy(mix), log2(4), 1e-9);
  tm_mix_free(mix);
}

/* ---- rates ---- */

static void test_rates(void **state)
{
  struct tm_rates rates = {.n = 0};
  uint64_t total[TM_RATES] = {0};
  double rate[TM_RATES];

  (void)state;
  assert_int_equal(tm_rates_over(&rates, 5, total, rate), 0);
  assert_true(rate[TM_RATE_IN] == 0);
  for (uint64_t s = 0; s <= 300; s++) { /* 5 a second, then 11 */
    total[TM_RATE_IN] = s <= 200 ? s * 5 : 1000 + (s - 200) * 11;
    tm_rates_note(&rates, s * 1000, total);
    if (s == 8) {
      assert_int_equal(tm_rates_over(&rates, 8000, total, rate), 8000);
      assert_near(rate[TM_RATE_IN], 5, 1e-9);
    }
  }
  assert_int_equal(tm_rates_over(&rates, 305000, total, rate), 65000); /* a minute and what is new */
  assert_near(rate[TM_RATE_IN], 11.0 * 60 / 65, 1e-9);
  assert_true(rate[TM_RATE_DROP] == 0);
}

/* ---- for people ---- */

static char *print(const char *status, const char *before, double seconds)
{
  json_t *now = json_loads(status, 0, NULL), *then = before == NULL ? NULL : json_loads(before, 0, NULL);
  char *text = NULL;
  size_t len = 0;
  FILE *f = open_memstream(&text, &len);

  assert_non_null(now);
  assert_non_null(f);
  tm_status_print(f, now, then, seconds);
  fclose(f);
  json_decref(now);
  json_decref(then);
  return text;
}

static void expect(char *text, const char *const *parts)
{
  for (; *parts != NULL; parts++)
    if (strstr(text, *parts) == NULL)
      fail_msg("\"%s\" is not in\n%s", *parts, text);
  free(text);
}

static void test_text(void **state)
{
  static const char good[] =
    "{\"name\": \"mill1\", \"roles\": [\"mix\"], \"layer\": 2, \"state\": \"running\", \"time\": 1000, \"uptime_s\": 90, \"balanced\": true,"
    "\"in\": {\"link\": 500}, \"out\": {\"link\": 450, \"client\": 20}, \"drop\": {\"mac\": 3, \"replay\": 0}, \"rates\": {\"in\": 7.5, \"seconds\": 60},"
    "\"mix\": {\"strategy\": \"poisson\", \"packets\": 9, \"entropy_bits\": 3.0}, \"next\": {\"document_ends\": 1100, \"key_erased\": null},"
    "\"document\": {\"network\": \"n\\u001b[2Jet\", \"valid\": true, \"valid_until\": 1100, \"roles\": []},"
    "\"keys\": [{\"epoch\": 7, \"tags\": 50, \"tags_max\": 100, \"ends\": 1100}], \"store\": null}";
  static const char *const parts[] = {"mill1: mix of layer 2; running, up for 90 s", "7.5 packets/s in", "Dropped   mac 3\n", "(as among 8)",
                                      "network n[2Jet", "epoch 7: 50 of 100 packets (50.0%)", "1970-01-01T00:18:20Z, in 100 s: the document ends",
                                      "every packet is accounted for", "loops come home (0 before)", NULL};
  static const char *const rates[] = {"50.0 packets/s in, 45.0 out, 0.3 dropped (over 10 s)", NULL};
  static const char *const bad[] = {"WAITING for a valid document", "DOES NOT BALANCE", "OWN LOOPS DO NOT COME HOME", "NOT VALID", "AGO",
                                    "CHANGED ON THEIR WAY (1 before)", "Keys      none", NULL};

  (void)state;
  expect(print(good, NULL, 0), parts);
  expect(print(good, "{\"in\": {\"link\": 0}, \"out\": {\"link\": 20}}", 10), rates);
  expect(print("{\"state\": \"waiting\", \"time\": 1000, \"alarms\": {\"loops\": {\"raised\": true, \"count\": 1}, \"tag_failures\": {\"raised\": true,"
               "\"count\": 2}}, \"document\": {\"valid\": false, \"valid_until\": 10}}", NULL, 0), bad);
  /* Whatever somebody else on that path answers. */
  free(print("{}", "{}", 0));
  free(print("{\"name\": [1], \"roles\": 5, \"drop\": [3], \"keys\": {\"a\": 1}, \"next\": {\"document_ends\": 9223372036854775807}}", NULL, 0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_entropy_of_rounds), cmocka_unit_test(test_entropy_of_poisson), cmocka_unit_test(test_entropy_counts_dummies),
    cmocka_unit_test(test_rates),             cmocka_unit_test(test_text),
  };

  return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
