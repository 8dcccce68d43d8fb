/*
 * What tidemill-bench anonymity measures: the closed forms for the relay's strategies, less for strategies with planted faults, and the same
 * as a second, plainer computation of the posterior.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/alarm.h"

#include "bench/attack.h"
#include "bench/trace.h"

static struct tm_anonymity measured(struct tm_anonymity_options o)
{
  struct tm_anonymity a;

  assert_int_equal(tm_anonymity_measure(&a, &o), TM_OK);
  return a;
}

static struct tm_anonymity_options of(const struct tm_mix_strategy *strategy)
{
  struct tm_anonymity_options o = tm_anonymity_standard();

  o.strategy = strategy;
  o.packets = 40000;
  return o;
}

#define near(value, expected, by) assert_true(fabs((value) - (expected)) <= (by))

/* ---- the relay's own ---- */

static void test_closed_forms(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_threshold);
  struct tm_anonymity a;

  (void)state;
  for (o.threshold = 1; o.threshold <= 1000; o.threshold *= 10) {
    a = measured(o);
    near(a.closed_form, log2(o.threshold), 1e-9);
    near(a.bits.shannon, a.closed_form, 0.001);
    near(a.bits.min, a.closed_form, 0.001);
    near(a.mean_delay, (o.threshold - 1) / 2.0 / o.rate, 0.02 * (a.mean_delay + 0.01));
  }
  o = of(&tm_mix_threshold_pool);
  a = measured(o);
  near(a.closed_form, 8.644, 0.0005);
  near(a.bits.shannon, a.closed_form, 0.001);
  near(a.bits.min, log2(200), 0.001);
  o.pool = 10;
  o.threshold = 30;
  a = measured(o);
  near(a.closed_form, log2(40) * 4 / 3 - log2(10) / 3, 1e-9);
  near(a.bits.shannon, a.closed_form, 0.001);
  o.pool = 0; /* a threshold mix */
  a = measured(o);
  near(a.closed_form, log2(30), 1e-9);
  near(a.bits.shannon, a.closed_form, 0.001);
}

static void test_poisson_closed_form(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_poisson);

  (void)state;
  for (o.rate = 10; o.rate <= 1000; o.rate *= 10)
    for (o.seed = 1; o.seed <= 2; o.seed++) {
      struct tm_anonymity a = measured(o);
      near(a.closed_form, log2(M_E * o.rate), 1e-9);
      near(a.bits.shannon, a.closed_form, 0.05);
      near(a.pool, o.rate + 1, 0.05 * o.rate); /* the one that leaves is among them */
      near(a.mean_delay, 1, 0.03);
      near(a.delay[0], log(2), 0.03);
      near(a.delay[2], log(100), 0.2);
      assert_true(a.bits.min < a.bits.shannon);
    }
}

/* Arrivals at random make intervals unequal, but not by much: nearly what the threshold pool gives. */
static void test_pools_at_intervals(void **state)
{
  struct tm_anonymity a = measured(of(&tm_mix_pool));
  struct tm_anonymity_options o = of(&tm_mix_dynamic_pool);

  (void)state;
  assert_true(isnan(a.closed_form));
  near(a.bits.shannon, 8.644, 0.05);
  near(a.mean_delay, 1.5, 0.05); /* half an interval, and one interval on average in the pool */
  o.rate = 1000; /* more than the pool: 650 in a thousand leave. Released k = 1000, kept 1000 * 350 / 650 */
  a = measured(o);
  near(a.bits.shannon, log2(1000) + 0.9340681 / 0.65, 0.05);
}

/* ---- planted faults ---- */

/* The pool of mix_pool.c, with a fault each. */
struct faulty {
  struct tm_mix_config config;
  uint32_t *items; /* by arrival */
  size_t n;
};

static int faulty_create(void **mix, const struct tm_mix_config *config, uint64_t now_ms)
{
  struct faulty *p = calloc(1, sizeof *p);

  (void)now_ms;
  assert_non_null(p);
  p->config = *config;
  p->items = calloc(config->capacity, sizeof *p->items);
  assert_non_null(p->items);
  *mix = p;
  return TM_OK;
}

static void faulty_destroy(void *mix)
{
  struct faulty *p = mix;

  free(p->items);
  free(p);
}

static int faulty_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  struct faulty *p = mix;

  (void)now_ms;
  (void)delay_ms;
  p->items[p->n++] = item;
  return TM_OK;
}

static uint64_t faulty_next(const void *mix)
{
  const struct faulty *p = mix;

  return p->n >= p->config.threshold + p->config.pool_min ? 0 : TM_MIX_NEVER;
}

static size_t faulty_count(const void *mix) { return ((const struct faulty *)mix)->n; }

static void take(struct faulty *p, size_t i, uint32_t *out)
{
  *out = p->items[i];
  memmove(p->items + i, p->items + i + 1, (--p->n - i) * sizeof *p->items);
}

/* In the order of arrival. */
static size_t fifo_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct faulty *p = mix;

  (void)now_ms;
  (void)cap;
  for (size_t i = 0; i < p->config.threshold; i++)
    take(p, 0, out + i);
  return p->config.threshold;
}

/* The oldest, well shuffled. */
static size_t oldest_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct faulty *p = mix;
  size_t n = fifo_release(mix, now_ms, out, cap);

  tm_rng_shuffle(p->config.rng, out, n);
  return n;
}

/* The youngest, as a stack. */
static size_t lifo_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct faulty *p = mix;

  (void)now_ms;
  (void)cap;
  for (size_t i = 0; i < p->config.threshold; i++)
    take(p, p->n - 1, out + i);
  return p->config.threshold;
}

/* Chosen uniformly, but the order of arrival shows. */
static int by_number(const void *a, const void *b) { return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1; }

static size_t sorted_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct faulty *p = mix;

  (void)now_ms;
  (void)cap;
  for (size_t i = 0; i < p->config.threshold; i++)
    take(p, tm_rng_below(p->config.rng, (uint32_t)p->n), out + i);
  qsort(out, p->config.threshold, sizeof *out, by_number);
  return p->config.threshold;
}

/* Each time the older of two. */
static size_t older_release(void *mix, uint64_t now_ms, uint32_t *out, size_t cap)
{
  struct faulty *p = mix;

  (void)now_ms;
  (void)cap;
  for (size_t i = 0; i < p->config.threshold; i++) {
    size_t a = tm_rng_below(p->config.rng, (uint32_t)p->n), b = tm_rng_below(p->config.rng, (uint32_t)p->n);
    take(p, a < b ? a : b, out + i);
  }
  return p->config.threshold;
}

#define FAULTY(how) \
  {.name = #how, .create = faulty_create, .add = faulty_add, .next_ms = faulty_next, .release = how, .count = faulty_count, \
   .destroy = faulty_destroy}

static const struct tm_mix_strategy fifo = FAULTY(fifo_release), lifo = FAULTY(lifo_release), oldest = FAULTY(oldest_release),
                                    sorted = FAULTY(sorted_release), older = FAULTY(older_release);

static void test_faults_score_lower(void **state)
{
  struct tm_anonymity_options o = of(&fifo);
  struct tm_anonymity a;

  (void)state;
  o.pool = 0; /* for the threshold mix's 6.644 bits */
  assert_true(measured(o).bits.shannon < 2);
  o.strategy = &lifo;
  assert_true(measured(o).bits.shannon < 2);
  o = of(&oldest); /* from here on for the threshold pool's 8.644 */
  near(measured(o).bits.shannon, log2(100), 0.3);
  o.strategy = &sorted;
  a = measured(o);
  assert_true(a.bits.shannon < 8);
  assert_true(a.bits.shannon > 4);
  o.strategy = &older;
  a = measured(o);
  assert_true(a.bits.shannon < 8.4);
  near(a.bits.surprise, a.bits.shannon, 0.15); /* the law explains what was seen */
}

/* The relay's Poisson mix, for senders who draw a delay from 0 to twice the mean: who came long ago has left for certain. */
static int even_add(void *mix, uint32_t item, uint64_t now_ms, uint32_t delay_ms)
{
  double share = 1 - exp(-(double)delay_ms / 1e6); /* the draw behind the exponential one, uniform in (0, 1) */

  return tm_mix_poisson.add(mix, item, now_ms, (uint32_t)(2e6 * share));
}

static void test_even_delays_score_lower(void **state)
{
  struct tm_mix_strategy even = tm_mix_poisson;
  struct tm_anonymity_options o = of(&even);
  struct tm_anonymity a;

  (void)state;
  even.add = even_add;
  a = measured(o);
  near(a.mean_delay, 1, 0.03);
  assert_true(a.bits.shannon < 7.8);
  near(measured(of(&tm_mix_poisson)).bits.shannon, 8.087, 0.05);
}

/* ---- the trace ---- */

/*
 * The posterior of a mix that chooses uniformly, by its definition: an arrival is the origin if it stayed at every departure in between, and
 * left at this one.
 */
static double plain_entropy(const struct tm_sim_relay *relay, size_t event)
{
  double left = 1.0 / relay->event[event].pool, bits = 0;

  for (size_t i = event; i-- > 0;) {
    const struct tm_sim_event *e = &relay->event[i];
    if (e->of > 0)
      left *= 1 - 1.0 / e->pool;
    else if (left > 1e-12)
      bits -= left * log2(left);
  }
  return bits;
}

static void test_trace_against_definition(void **state)
{
  static const struct tm_mix_strategy *const strategies[] = {&tm_mix_poisson, &tm_mix_pool, &tm_mix_threshold_pool};

  (void)state;
  for (size_t s = 0; s < 3; s++) {
    struct tm_sim_config config = {.strategy = strategies[s], .rate = 0.02, .mean_delay = 1000, .layers = 1, .width = 1, .packets = 8000,
                                   .seed = s, .mix = {.threshold = 15, .pool_min = 10, .pool_interval_ms = 700, .pool_share_permille = 800}};
    struct tm_sim sim;
    struct tm_trace *trace;
    assert_int_equal(tm_sim_run(&sim, &config), TM_OK);
    assert_int_equal(tm_trace_new(&trace, &sim), TM_OK);
    assert_true(tm_trace_law(trace)->uniform);
    for (size_t i = sim.exits / 2; i < sim.exits; i += 37) {
      struct tm_hiding h = tm_trace_back(trace, i, NULL);
      near(h.shannon, plain_entropy(&sim.relay[0][0], sim.event_of[0][sim.exit[i]]), 1e-3);
      assert_true(h.truth > 0 && h.truth <= h.likeliest && h.early < 1e-5);
    }
    tm_trace_free(trace);
    tm_sim_free(&sim);
  }
}

/* ---- networks ---- */

static void test_networks(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_threshold);
  double one, all;

  (void)state;
  o.layers = 3; /* a cascade of equal rounds shuffles the same packets three times */
  near(measured(o).bits.shannon, log2(100), 0.001);
  o = of(&tm_mix_poisson);
  one = measured(o).bits.shannon;
  o.layers = 3;
  all = measured(o).bits.shannon;
  assert_true(all > one + 0.5);
  o.corrupt = 67; /* two of three: one honest relay is as good as alone */
  near(measured(o).bits.shannon, one, 0.05);
  o.corrupt = 100;
  near(measured(o).bits.shannon, 0, 1e-9);
  o.corrupt = 0;
  o.width = 3; /* three times as many packets for each of its relays to hide among */
  o.rate = 300;
  assert_true(measured(o).bits.shannon > all + 1);
}

static void test_dummies(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_poisson);
  struct tm_anonymity a;

  (void)state;
  o.dummies = 100;
  a = measured(o);
  assert_true(a.dummies);
  near(a.bits.shannon, log2(M_E * 200), 0.05);       /* as many again */
  near(a.recognised.shannon, log2(M_E * 100), 0.05); /* and nothing, if they are known */
  o = of(&tm_mix_pool);
  o.rate = 10;
  o.pool = 30;
  o.floor = 60;
  o.packets = 20000;
  a = measured(o);
  assert_true(a.dummies);
  assert_true(a.bits.shannon > a.recognised.shannon);
}

static void test_same_seed_same_result(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_poisson);
  struct tm_anonymity a = measured(o), b = measured(o);

  (void)state;
  assert_true(a.bits.shannon == b.bits.shannon && a.mean_delay == b.mean_delay);
  o.seed++;
  b = measured(o);
  assert_true(a.bits.shannon != b.bits.shannon && a.mean_delay != b.mean_delay);
}

static void test_too_short(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_poisson);
  struct tm_anonymity a;

  (void)state;
  for (o.packets = 1; o.packets <= 1000; o.packets *= 10)
    assert_int_equal(tm_anonymity_measure(&a, &o), TM_E_TOO_BIG);
}

/* A packet in eleven days: nobody waits for the intervals in between, and each packet leaves with the next. */
static void test_quiet_traffic(void **state)
{
  struct tm_anonymity_options o = of(&tm_mix_pool);
  struct tm_anonymity a;

  (void)state;
  o.rate = 1e-6;
  o.pool = 0;
  o.packets = 3000;
  a = measured(o);
  near(a.mean_delay, 0.5, 0.05);
  near(a.bits.shannon, 0, 1e-9);
  o.layers = 3; /* all begin at one moment, so that a packet passes all of them at once */
  near(measured(o).mean_delay, 0.5, 0.05);
}

/* ---- the attack ---- */

static void test_alarm(void **state)
{
  struct tm_sim_rng rng;
  struct tm_alarm alarm;
  uint64_t now = 0;
  unsigned raised = 0;

  (void)state;
  tm_alarm_init(&alarm, 0, 0);
  assert_false(tm_alarm_is_raised(&alarm, UINT64_MAX - 1));
  tm_alarm_init(&alarm, 100, 500);
  assert_false(tm_alarm_is_raised(&alarm, 1499));
  assert_true(tm_alarm_is_raised(&alarm, 1500)); /* none in ten times the mean */
  tm_alarm_home(&alarm, 1600);
  assert_false(tm_alarm_is_raised(&alarm, 1601));
  tm_alarm_init(&alarm, 100, 0);
  for (now = 300; now <= 2400; now += 300) /* a third of them: the eighth is too late */
    tm_alarm_home(&alarm, now);
  assert_int_equal(tm_alarm_due(&alarm), 300 + 2400);
  tm_sim_rng_init(&rng, 1, 0);
  tm_alarm_init(&alarm, 1000, 0);
  for (int i = 0; i < 200000; i++) { /* by itself: three times 10 in 200,000, about */
    now = (uint64_t)i == 0 ? 0 : now + (uint64_t)tm_rng_exponential(&rng.rng, 1000);
    raised += tm_alarm_is_raised(&alarm, now);
    tm_alarm_home(&alarm, now);
  }
  assert_true(raised < 60);
}

static struct tm_attack_result tried(const struct tm_mix_strategy *strategy, enum tm_attack attack, enum tm_defence defence)
{
  struct tm_anonymity_options standard = tm_anonymity_standard(), o = tm_attack_options(&standard);
  struct tm_attack_result r;

  o.strategy = strategy;
  assert_int_equal(tm_attack_run(&r, &o, attack, defence, 60), TM_OK);
  assert_true(r.applies);
  return r;
}

static double found(const struct tm_mix_strategy *strategy, enum tm_attack attack, enum tm_defence defence)
{
  return tried(strategy, attack, defence).success;
}

static void test_attack(void **state)
{
  (void)state;
  for (size_t i = 0; tm_mix_strategies[i] != NULL; i++) {
    assert_true(found(tm_mix_strategies[i], TM_ATTACK_EXACT, TM_DEFENCE_NONE) == 1);
    assert_true(found(tm_mix_strategies[i], TM_ATTACK_EXACT, TM_DEFENCE_COVER) < 1);
    assert_true(found(tm_mix_strategies[i], TM_ATTACK_THIN, TM_DEFENCE_NONE) < 0.1);
  }
  assert_true(found(&tm_mix_threshold, TM_ATTACK_EXACT, TM_DEFENCE_HOLD) > 0.5); /* the alarm is too slow for it */
  assert_true(found(&tm_mix_poisson, TM_ATTACK_HURRY, TM_DEFENCE_NONE) < 0.2);   /* what was inside before is not flushed yet */
}

/* The relay's hold ends, whatever the adversary does; what is left then is its packets, more of them than before. */
static void test_attack_outlasts_the_hold(void **state)
{
  static const enum tm_attack patient[] = {TM_ATTACK_EXACT, TM_ATTACK_AGAIN, TM_ATTACK_TRICKLE};

  (void)state;
  for (size_t i = 0; i < 3; i++) {
    assert_true(tried(&tm_mix_poisson, patient[i], TM_DEFENCE_HOLD).unseen < 0.1);
    assert_true(found(&tm_mix_poisson, patient[i], TM_DEFENCE_HOLD) < 0.1);
    assert_true(found(&tm_mix_pool, patient[i], TM_DEFENCE_HOLD) < 0.1);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_closed_forms),          cmocka_unit_test(test_poisson_closed_form),
    cmocka_unit_test(test_pools_at_intervals),    cmocka_unit_test(test_faults_score_lower),
    cmocka_unit_test(test_even_delays_score_lower), cmocka_unit_test(test_trace_against_definition),
    cmocka_unit_test(test_networks),              cmocka_unit_test(test_dummies),
    cmocka_unit_test(test_same_seed_same_result), cmocka_unit_test(test_too_short),
    cmocka_unit_test(test_alarm),                 cmocka_unit_test(test_attack),
    cmocka_unit_test(test_attack_outlasts_the_hold), cmocka_unit_test(test_quiet_traffic),
  };

  return cmocka_run_group_tests_name("anonymity", tests, NULL, NULL);
}
