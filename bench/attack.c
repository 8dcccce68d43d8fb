#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/cover.h"

#include "bench/attack.h"
#include "bench/mixsim.h"

#define CAPACITY 400000
#define FLOOD 10          /* the adversary's packets for each one of everybody's, into pools and thresholds */
#define WARM_UP 15        /* rounds of ordinary traffic before, and of a trickle before it counts */
#define PATIENCE 100      /* rounds, and one more hold, after which the adversary gives up */
#define QUIET_LOOPS 9     /* missed in a row, and no alarm yet */
#define UNDER_WAY 4096    /* loops between two passages of the relay */
#define HOPS 3            /* of a loop, besides the relay: as many draws of what a packet waits */
#define APART 3           /* rounds between two packets of a trickle */
#define THIN_OF 3         /* of so many packets, one is kept away */
#define NEVER 1e300

/* An item's first bits say whose it is; the mix doesn't look. */
enum { HONEST = 0, COVER = 1u << 28, LOOP = COVER | 1, ADVERSARY = 2u << 28, TARGET = 3u << 28, WHOSE = 3u << 28 };

/* A loop on its way, in ticks. */
struct under_way {
  double home, expires; /* when it is back; until when it counts */
};

struct siege {
  const struct tm_anonymity_options *o;
  enum tm_attack attack;
  struct tm_mix *mix;
  struct tm_cover cover;   /* the relay's own clock of loops and dummies, its alarm and its hold */
  struct tm_params params; /* what of a document it looks at, in ticks */
  struct tm_sim_rng mix_rng, rng, cover_rng;
  struct under_way way[UNDER_WAY];
  size_t n_way;
  uint32_t *out;
  double tick, round; /* seconds; ticks */
  double now, honest_at, flood_at, home_at; /* ticks */
  bool covers, holds, keeps_away;
  size_t honest_inside; /* that came before the attack */
  size_t stream;        /* packets that were kept away or let in, counted by THIN */
  bool guessing, guessed, right;
  int err;
};

const char *const tm_attack_names[TM_ATTACKS] = {"exact", "hurried", "again", "trickled", "thinned"};
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

/* Does the adversary let the next packet of the stream in? */
static bool passes(struct siege *s)
{
  return !s->keeps_away || (s->attack == TM_ATTACK_THIN && ++s->stream % THIN_OF != 0);
}

/* ---- the relay's own packets ---- */

static void find_next_home(struct siege *s)
{
  s->home_at = NEVER;
  for (size_t i = 0; i < s->n_way; i++)
    s->home_at = fmin(s->home_at, s->way[i].home);
}

/* A loop has left the mix, and goes round. What it waits elsewhere is drawn; the relay waits for it as long as it would for any loop. */
static void loop_leaves(struct siege *s)
{
  double trip = 0;

  if (s->n_way == UNDER_WAY)
    return;
  for (int i = 0; i < HOPS; i++)
    trip += tm_rng_exponential(&s->rng.rng, s->round);
  s->way[s->n_way++] = (struct under_way){.home = s->now + trip, .expires = s->now + trip + s->params.request_timeout_ms};
  s->home_at = fmin(s->home_at, s->now + trip);
}

/* It comes to the relay like everybody's: who keeps those away, keeps it away. */
static void loop_comes(struct siege *s)
{
  size_t i = 0;

  while (s->way[i].home > s->home_at)
    i++;
  if (passes(s) && s->now <= s->way[i].expires)
    tm_cover_home(&s->cover, (uint64_t)s->now);
  s->way[i] = s->way[--s->n_way];
  find_next_home(s);
}

/* As the relay's engine does it (relay/engine_cover.c): the alarm, the hold, what is due. */
static void cover(struct siege *s)
{
  enum tm_cover_kind kind;
  uint64_t now = (uint64_t)s->now;

  if (!s->covers)
    return;
  if (s->holds)
    (void)tm_cover_watch(&s->cover, now);
  tm_mix_hold(s->mix, tm_cover_holds(&s->cover, now));
  while ((kind = tm_cover_take(&s->cover, now)) != TM_COVER_NONE)
    add(s, kind == TM_COVER_LOOP ? LOOP : COVER);
}

static double cover_at(const struct siege *s)
{
  uint64_t next = s->covers ? tm_cover_next_ms(&s->cover, (uint64_t)s->now) : TM_COVER_NEVER;

  return next == TM_COVER_NEVER ? NEVER : fmax((double)next, s->now);
}

/* ---- time ---- */

/* What leaves together. The adversary knows its own, and takes one of the others for the target. */
static void watch(struct siege *s, size_t n)
{
  size_t unknown = 0;

  for (size_t i = 0; i < n; i++) {
    unknown += (s->out[i] & WHOSE) != ADVERSARY;
    s->honest_inside -= s->out[i] == HONEST && s->honest_inside > 0;
    if (s->out[i] == LOOP)
      loop_leaves(s);
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
  while (tm_mix_next_ms(s->mix) <= (uint64_t)s->now)
    watch(s, tm_mix_release(s->mix, (uint64_t)s->now, s->out, CAPACITY));
}

static double later(const struct siege *s, double rate)
{
  return rate > 0 ? s->now + tm_rng_exponential(&s->rng.rng, 1 / (rate * s->tick)) : NEVER;
}

/* Goes on to the next thing that happens, at `until` at the latest. */
static void step(struct siege *s, double until)
{
  double mix_at = tm_mix_next_ms(s->mix) == TM_MIX_NEVER ? NEVER : fmax((double)tm_mix_next_ms(s->mix), s->now);
  double next = fmin(fmin(fmin(s->honest_at, s->flood_at), fmin(s->home_at, cover_at(s))), fmin(mix_at, until));

  s->now = next;
  if (next == s->honest_at) {
    if (passes(s))
      add(s, HONEST);
    s->honest_at = later(s, s->o->rate);
  } else if (next == s->home_at) {
    loop_comes(s);
  } else if (next == s->flood_at) {
    add(s, ADVERSARY);
    s->flood_at = s->now + 1 / (s->o->rate * FLOOD * s->tick);
  }
  cover(s);
  release(s);
}

static void run_until(struct siege *s, double until)
{
  while (s->now < until && s->err == TM_OK)
    step(s, until);
}

/* ---- attacks ---- */

static void begin_attack(struct siege *s)
{
  s->keeps_away = true;
  if (s->attack != TM_ATTACK_THIN && s->o->strategy != &tm_mix_poisson)
    s->flood_at = s->now;
}

static void aim(struct siege *s)
{
  s->guessing = true;
  s->guessed = s->right = false;
  add(s, TARGET);
  release(s);
}

/* How long the adversary waits for one thing: a hold is over by then. */
static double patience(const struct siege *s) { return s->now + PATIENCE * s->round + s->params.request_timeout_ms; }

static void wait_for_target(struct siege *s)
{
  double end = patience(s);

  while (!s->guessed && s->now < end && s->err == TM_OK)
    step(s, end);
}

/*
 * Keeps everybody away until nothing from before is left inside (which the adversary is told, to be on the safe side), then lets one in. A hold
 * is waited for.
 */
static void exact(struct siege *s)
{
  double end = patience(s);

  while (s->honest_inside > 0 && s->now < end && s->err == TM_OK)
    step(s, end);
  if (s->honest_inside > 0 || s->err != TM_OK)
    return;
  aim(s);
  wait_for_target(s);
}

/* Lets one in before the alarm can be raised, whatever is inside. */
static void hurried(struct siege *s)
{
  run_until(s, s->now + QUIET_LOOPS / (s->o->loops * s->tick));
  aim(s);
  wait_for_target(s);
}

/* Has the hold over with, gives back the traffic until all is well, and then begins before the next hold is allowed. */
static void again(struct siege *s)
{
  double rest = (TM_COVER_REST - 1) * (double)s->params.request_timeout_ms;

  run_until(s, s->now + s->params.request_timeout_ms);
  s->keeps_away = false;
  s->flood_at = NEVER;
  run_until(s, s->now + fmin(WARM_UP * s->round, rest / 2));
  begin_attack(s);
  exact(s);
}

/* The next of the stream, by itself: a loop as often as there are loops. A loop is nothing to aim at; the next is. */
static void trickle(struct siege *s)
{
  double loops = s->covers ? s->o->loops / (s->o->loops + s->o->rate) : 0;
  double end = patience(s);

  for (int i = 0; i < WARM_UP || s->now < end; i++) {
    if (tm_rng_below(&s->rng.rng, 1000000) < loops * 1e6)
      tm_cover_home(&s->cover, (uint64_t)s->now);
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

static void (*const attacks[TM_ATTACKS])(struct siege *s) = {exact, hurried, again, trickle, thin};

static void begin(struct siege *s)
{
  s->now = 0;
  s->keeps_away = s->guessing = s->guessed = s->right = false;
  s->honest_inside = s->stream = s->n_way = 0;
  s->flood_at = s->home_at = NEVER;
  s->honest_at = later(s, s->o->rate);
  tm_cover_init(&s->cover, &s->cover_rng.rng);
  if (!s->covers)
    return;
  tm_cover_run(&s->cover, &s->params, 0);
  if (!s->holds)
    tm_alarm_init(&s->cover.alarm, 0, 0); /* its packets, and nothing made of them */
}

static void one_target(struct siege *s, struct tm_attack_result *sum)
{
  /* A threshold's round is the time in which the adversary fills it; others take longer. */
  double warm_up = WARM_UP * s->round * (is_timed(s->o->strategy) || s->o->strategy == &tm_mix_poisson ? 1 : FLOOD);
  double began;

  begin(s);
  run_until(s, warm_up + (s->holds ? s->params.request_timeout_ms : 0)); /* the alarm counts from then */
  began = s->now;
  begin_attack(s);
  attacks[s->attack](s);
  sum->success += s->right;
  sum->unseen += !s->guessed;
  sum->seconds += s->right ? (s->now - began) * s->tick : 0;
}

static bool applies(const struct tm_mix_strategy *strategy, enum tm_defence defence)
{
  return is_timed(strategy) || (defence != TM_DEFENCE_FLOOR && defence != TM_DEFENCE_ALL);
}

static uint32_t mean_ticks(const struct siege *s, double rate)
{
  return rate > 0 ? (uint32_t)fmin(UINT32_MAX, fmax(1, 1 / (rate * s->tick))) : 0;
}

int tm_attack_run(struct tm_attack_result *out, const struct tm_anonymity_options *options, enum tm_attack attack, enum tm_defence defence,
                  size_t trials)
{
  struct tm_anonymity_options o = *options;
  struct siege s = {.o = &o, .attack = attack, .holds = defence == TM_DEFENCE_HOLD || defence == TM_DEFENCE_ALL,
                    .covers = defence != TM_DEFENCE_NONE && defence != TM_DEFENCE_FLOOR};
  struct tm_mix_config config;

  *out = (struct tm_attack_result){.applies = applies(o.strategy, defence)};
  if (!out->applies)
    return TM_OK;
  if (defence != TM_DEFENCE_FLOOR && defence != TM_DEFENCE_ALL)
    o.floor = 0;
  s.tick = tm_anonymity_tick(&o);
  s.round = round_s(&o) / s.tick;
  s.params = (struct tm_params){.loop_ms = mean_ticks(&s, o.loops), .dummy_ms = mean_ticks(&s, o.dummies),
                                .request_timeout_ms = (uint32_t)(o.timeout / s.tick)};
  s.out = calloc(CAPACITY, sizeof *s.out);
  if (s.out == NULL)
    return TM_E_NOMEM;
  tm_sim_rng_init(&s.mix_rng, o.seed, (uint32_t)(200 + 20 * attack + 2 * defence));
  tm_sim_rng_init(&s.rng, o.seed, (uint32_t)(201 + 20 * attack + 2 * defence));
  tm_sim_rng_init(&s.cover_rng, o.seed, (uint32_t)(400 + 20 * attack + 2 * defence));
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
    with.dummies = with.rate / 50;
  if (with.floor == 0)
    with.floor = with.pool + with.pool / 2;
  if (with.timeout > UINT32_MAX * tm_anonymity_tick(&with))
    with.timeout = floor(UINT32_MAX * tm_anonymity_tick(&with));
  return with;
}
