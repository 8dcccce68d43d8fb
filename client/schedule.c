#include "config.h"

#include <math.h>

#include <sodium.h>

#include "client/schedule.h"

#define LATE_MS 1000.0

struct tm_schedule {
  struct tm_rng_seeded gaps; /* two streams, so that preparing a packet again doesn't shift the times */
  struct tm_rng_seeded kinds;
  double next;
};

int tm_schedule_new(struct tm_schedule **out, const struct tm_rng *rng)
{
  struct tm_schedule *s = sodium_malloc(sizeof *s);
  uint8_t seed[32];

  *out = s;
  if (s == NULL)
    return TM_E_NOMEM;
  tm_rng_fill(rng, seed, sizeof seed);
  tm_rng_seeded_init(&s->gaps, seed);
  tm_rng_fill(rng, seed, sizeof seed);
  tm_rng_seeded_init(&s->kinds, seed);
  sodium_memzero(seed, sizeof seed);
  s->next = HUGE_VAL;
  return TM_OK;
}

void tm_schedule_free(struct tm_schedule *s)
{
  sodium_free(s);
}

/* A tm_rng over one of the streams. */
static struct tm_rng stream(struct tm_rng_seeded *seeded)
{
  struct tm_rng_seeded copy;
  struct tm_rng rng = tm_rng_seeded_init(&copy, seeded->key);

  sodium_memzero(&copy, sizeof copy);
  rng.ctx = seeded;
  return rng;
}

static double gap(struct tm_schedule *s, uint32_t mean_us)
{
  struct tm_rng rng = stream(&s->gaps);

  return tm_rng_exponential(&rng, mean_us / 1000.0);
}

void tm_schedule_start(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us)
{
  s->next = (double)now_ms + gap(s, mean_us);
}

void tm_schedule_stop(struct tm_schedule *s)
{
  s->next = HUGE_VAL;
}

bool tm_schedule_is_running(const struct tm_schedule *s)
{
  return s->next != HUGE_VAL;
}

double tm_schedule_next(const struct tm_schedule *s)
{
  return s->next;
}

void tm_schedule_advance(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us)
{
  double from = s->next;

  if ((double)now_ms - from > LATE_MS)
    from = (double)now_ms;
  s->next = from + gap(s, mean_us);
}

bool tm_schedule_draw_request(struct tm_schedule *s, uint32_t permille)
{
  struct tm_rng rng = stream(&s->kinds);

  return tm_rng_below(&rng, 1000) < permille;
}
