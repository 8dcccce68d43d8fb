#include "config.h"

#include <math.h>

#include <sodium.h>

#include "client/schedule.h"

#define LATE_MS 1000.0

struct tm_schedule {
  struct tm_rng_seeded gap_stream, kind_stream;
  struct tm_rng gaps, kinds; /* over them; two, so that preparing a packet again doesn't shift the times */
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
  s->gaps = tm_rng_seeded_init(&s->gap_stream, seed);
  tm_rng_fill(rng, seed, sizeof seed);
  s->kinds = tm_rng_seeded_init(&s->kind_stream, seed);
  sodium_memzero(seed, sizeof seed);
  s->next = HUGE_VAL;
  return TM_OK;
}

void tm_schedule_free(struct tm_schedule *s) { sodium_free(s); }

static double gap(struct tm_schedule *s, uint32_t mean_us) { return tm_rng_exponential(&s->gaps, mean_us / 1000.0); }

void tm_schedule_start(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us)
{
  s->next = (double)now_ms + gap(s, mean_us);
}

void tm_schedule_stop(struct tm_schedule *s) { s->next = HUGE_VAL; }

double tm_schedule_next(const struct tm_schedule *s) { return s->next; }

void tm_schedule_advance(struct tm_schedule *s, uint64_t now_ms, uint32_t mean_us)
{
  double from = s->next;

  if ((double)now_ms - from > LATE_MS)
    from = (double)now_ms;
  s->next = from + gap(s, mean_us);
}

bool tm_schedule_draw_request(struct tm_schedule *s, uint32_t permille)
{
  return tm_rng_below(&s->kinds, 1000) < permille;
}
