#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/alarm.h"

#include "bench/attack.h"
#include "bench/mixsim.h"

#define CAPACITY 400000
#define FLOOD 10          /* the adversary's packets for each one of everybody's, into pools and thresholds */
#define WARM_UP 15        /* rounds of ordinary traffic before, and of a trickle before it counts */
#define PATIENCE 100      /* rounds after which the adversary gives up */
#define APART 3           /* rounds between two packets of a trickle */
#define THIN_OF 3         /* of so many packets, one is kept away */
#define NEVER 1e300

/* An item's first bits say whose it is; the mix doesn't look. */
enum { HONEST = 0, COVER = 1u << 28, ADVERSARY = 2u << 28, TARGET = 3u << 28, WHOSE = 3u << 28 };

enum phase { ORDINARY, ATTACKED };

struct siege {
  const struct tm_anonymity_options *o;
  enum tm_attack attack;
  struct tm_mix *mix;
  struct tm_alarm alarm;
  struct tm_sim_rng mix_rng, rng;
  uint32_t *out;
  double tick, round; /* seconds; ticks */
  double now, honest_at, cover_at, loop_at, flood_at; /* ticks */
  bool holds, keeps_away;
  size_t honest_inside; /* that came before the attack */
  size_t stream;        /* packets that were kept away or let in, counted by THIN */
  bool guessing, guessed, right, target_left;
  int err;
};

const char *const tm_attack_names[TM_ATTACKS] = {"exact", "trickled", "thinned"};
const char *const tm_defence_names[TM_DEFENCES] = {"none", "cover", "floor", "hold", "all"};

static bool is_timed(const struct tm_mix_strategy *s) { return s == &tm_mix_pool || s == &tm_mix_dynamic_pool; }

/* What a round is: what a packet waits for, at least or on average. */
static double round_s(const struct tm_anonymity_options *o)
{
  if (o->strategy == &tm_mix_poisson)
    return o->mean_delay;
  if (is_timed(o->strategy))
    return o->interval;
  return o->threshold / (o->rate * FLOOD);
}

static void add(struct siege *s, uint32_t item)
{
  double delay = tm_rng_exponential(&s->rng.rng, s->o->mean_delay / s->tick);

  if (tm_mix_add(s->mix, item, (uint64_t)s->now, delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX) != TM_OK)
    s->err = TM_E_TOO_BIG;
  s->honest_inside += item == HONEST && !s->keeps_away;
}

static size_t floor_dummies(void *arg, uint32_t *items, size_t n)
{
  (void)arg;
  for (size_t i = 0; i < n; i++)
    items[i] = COVER;
  return n;
}

/* What leaves together. The adversary knows its own, and takes one of the others for the target. */
static void watch(struct siege *s, size_t n)
{
  size_t unknown = 0;

  for (size_t i = 0; i < n; i++) {
    unknown += (s->out[i] & WHOSE) != ADVERSARY;
    s->target_left |= s->out[i] == TARGET;
    s->honest_inside -= s->out[i] == HONEST && s->honest_inside > 0;
  }
  if (!s->guessing || s->guessed || unknown == 0)
    return;
  s->guessed = true;
  unknown = tm_rng_below(&s->rng.rng, (uint32_t)unknown);
  for (size_t i = 0; i < n; i++)
    if ((s->out[i] & WHOSE) != ADVERSARY && unknown-- == 0)
      s->right = s->out[i] == TARGET;
}

static void release(struct siege *s)
{
  tm_mix_hold(s->mix, s->holds && tm_alarm_is_raised(&s->alarm, (uint64_t)s->now));
  while (tm_mix_next_ms(s->mix) <= (uint64_t)s->now)
    watch(s, tm_mix_release(s->mix, (uint64_t)s->now, s->out, CAPACITY));
}

static double later(const struct siege *s, double rate)
{
  return rate > 0 ? s->now + tm_rng_exponential(&s->rng.rng, 1 / (rate * s->tick)) : NEVER;
}

/* Does the adversary let the next packet of the stream in? */
static bool passes(struct siege *s)
{
  return !s->keeps_away || (s->attack == TM_ATTACK_THIN && ++s->stream % THIN_OF != 0);
}

/* Goes on to the next thing that happens, at `until` at the latest. */
static void step(struct siege *s, double until)
{
  double mix_at = tm_mix_next_ms(s->mix) == TM_MIX_NEVER ? NEVER : fmax((double)tm_mix_next_ms(s->mix), s->now);
  double next = fmin(fmin(fmin(s->honest_at, s->cover_at), fmin(s->loop_at, s->flood_at)), fmin(mix_at, until));

  s->now = next;
  if (next == s->honest_at) {
    if (passes(s))
      add(s, HONEST);
    s->honest_at = later(s, s->o->rate);
  } else if (next == s->cover_at) {
    add(s, COVER);
    s->cover_at = later(s, s->o->dummies);
  } else if (next == s->loop_at) {
    if (passes(s))
      tm_alarm_home(&s->alarm, (uint64_t)s->now);
    s->loop_at = later(s, s->o->dummies);
  } else if (next == s->flood_at) {
    add(s, ADVERSARY);
    s->flood_at = s->now + 1 / (s->o->rate * FLOOD * s->tick);
  }
  release(s);
}

static void run_until(struct siege *s, double until)
{
  while (s->now < until && s->err == TM_OK)
    step(s, until);
}

/* The mix is held, and stays so as long as the adversary goes on. */
static bool is_stuck(const struct siege *s)
{
  return s->holds && s->attack == TM_ATTACK_EXACT && tm_alarm_is_raised(&s->alarm, (uint64_t)s->now);
}

static void begin_attack(struct siege *s)
{
  s->keeps_away = true;
  if (s->attack != TM_ATTACK_THIN && s->o->strategy != &tm_mix_poisson)
    s->flood_at = s->now;
}

static void aim(struct siege *s)
{
  s->guessing = true;
  s->guessed = s->right = s->target_left = false;
  add(s, TARGET);
  release(s);
}

/* Keeps everybody away until nothing from before is left inside (which the adversary is told, to be on the safe side), then lets one in. */
static void exact(struct siege *s)
{
  double patience = s->now + PATIENCE * s->round;

  while (s->honest_inside > 0 && s->now < patience && s->err == TM_OK && !is_stuck(s))
    step(s, patience);
  if (s->honest_inside > 0 || s->err != TM_OK)
    return;
  aim(s);
  while (!s->guessed && s->now < patience && s->err == TM_OK && !is_stuck(s))
    step(s, patience);
}

/* The next of the stream, by itself: a loop as often as there are loops. A loop is nothing to aim at; the next is. */
static void trickle(struct siege *s)
{
  double loops = s->o->dummies / (s->o->dummies + s->o->rate);

  for (int i = 0; i < WARM_UP; i++) {
    if (tm_rng_below(&s->rng.rng, 1000000) < loops * 1e6)
      tm_alarm_home(&s->alarm, (uint64_t)s->now);
    else
      add(s, HONEST);
    run_until(s, s->now + APART * s->round);
  }
  aim(s);
  run_until(s, s->now + APART * s->round);
}

static void thin(struct siege *s)
{
  run_until(s, s->now + WARM_UP * s->round);
  aim(s);
  run_until(s, s->now + WARM_UP * s->round);
}

static void one_target(struct siege *s, struct tm_attack_result *sum)
{
  double began;

  s->now = 0;
  s->keeps_away = s->guessing = s->guessed = s->right = s->target_left = false;
  s->honest_inside = s->stream = 0;
  s->flood_at = NEVER;
  s->honest_at = later(s, s->o->rate);
  s->cover_at = later(s, s->o->dummies);
  s->loop_at = later(s, s->holds ? s->o->dummies : 0);
  tm_alarm_init(&s->alarm, s->holds ? 1 / (s->o->dummies * s->tick) : 0, 0);
  /* A threshold's round is the time in which the adversary fills it; others take longer. */
  run_until(s, WARM_UP * s->round * (is_timed(s->o->strategy) || s->o->strategy == &tm_mix_poisson ? 1 : FLOOD));
  began = s->now;
  begin_attack(s);
  if (s->attack == TM_ATTACK_EXACT)
    exact(s);
  else if (s->attack == TM_ATTACK_TRICKLE)
    trickle(s);
  else
    thin(s);
  sum->success += s->right;
  sum->unseen += !s->target_left;
  sum->seconds += s->right ? (s->now - began) * s->tick : 0;
}

static bool applies(const struct tm_mix_strategy *strategy, enum tm_defence defence)
{
  return is_timed(strategy) || (defence != TM_DEFENCE_FLOOR && defence != TM_DEFENCE_ALL);
}

int tm_attack_run(struct tm_attack_result *out, const struct tm_anonymity_options *options, enum tm_attack attack, enum tm_defence defence,
                  size_t trials)
{
  struct tm_anonymity_options o = *options;
  struct siege s = {.o = &o, .attack = attack, .holds = defence == TM_DEFENCE_HOLD || defence == TM_DEFENCE_ALL};
  struct tm_mix_config config;

  *out = (struct tm_attack_result){.applies = applies(o.strategy, defence)};
  if (!out->applies)
    return TM_OK;
  if (defence == TM_DEFENCE_NONE || defence == TM_DEFENCE_FLOOR)
    o.dummies = 0;
  if (defence != TM_DEFENCE_FLOOR && defence != TM_DEFENCE_ALL)
    o.floor = 0;
  s.tick = tm_anonymity_tick(&o);
  s.round = round_s(&o) / s.tick;
  s.out = calloc(CAPACITY, sizeof *s.out);
  if (s.out == NULL)
    return TM_E_NOMEM;
  tm_sim_rng_init(&s.mix_rng, o.seed, (uint32_t)(200 + 20 * attack + 2 * defence));
  tm_sim_rng_init(&s.rng, o.seed, (uint32_t)(201 + 20 * attack + 2 * defence));
  config = tm_anonymity_mix(&o);
  config.capacity = CAPACITY;
  config.rng = &s.mix_rng.rng;
  config.dummies = floor_dummies;
  for (size_t i = 0; i < trials && s.err == TM_OK; i++) {
    s.err = tm_mix_new(&s.mix, o.strategy, &config, 0);
    if (s.err == TM_OK)
      one_target(&s, out);
    tm_mix_free(s.mix);
  }
  out->seconds = out->success > 0 ? out->seconds / out->success : NAN;
  out->success /= (double)trials;
  out->unseen /= (double)trials;
  free(s.out);
  return s.err;
}

struct tm_anonymity_options tm_attack_options(const struct tm_anonymity_options *o)
{
  struct tm_anonymity_options with = *o;

  if (with.dummies <= 0)
    with.dummies = with.rate / 20;
  if (with.floor == 0)
    with.floor = with.pool + with.pool / 2;
  return with;
}
