#include "config.h"

#include <math.h>
#include <string.h>

#include "relay/cover.h"

/* Dummies that the document asks for, and those of an alarm, are one Poisson process with the sum of their rates. */
static double dummy_mean(const struct tm_cover *c)
{
  double rate = c->dummy_ms > 0 ? 1.0 / c->dummy_ms : 0;

  if (c->raised)
    rate += (double)TM_COVER_EXTRA / c->loop_ms;
  return rate > 0 ? 1 / rate : 0;
}

/* mean 0: never. */
static double draw_next(const struct tm_cover *c, double from, double mean)
{
  return mean > 0 ? from + tm_rng_exponential(c->rng, mean) : (double)INFINITY;
}

void tm_cover_init(struct tm_cover *cover, const struct tm_rng *rng)
{
  memset(cover, 0, sizeof *cover);
  cover->rng = rng;
}

void tm_cover_run(struct tm_cover *cover, const struct tm_params *params, uint64_t now)
{
  if (cover->runs && cover->loop_ms == params->loop_ms && cover->dummy_ms == params->dummy_ms &&
      cover->timeout_ms == params->request_timeout_ms)
    return;
  cover->runs = true;
  cover->raised = false;
  cover->hold_until = 0;
  cover->loop_ms = params->loop_ms;
  cover->dummy_ms = params->dummy_ms;
  cover->timeout_ms = params->request_timeout_ms;
  cover->next_loop = draw_next(cover, (double)now, cover->loop_ms);
  cover->next_dummy = draw_next(cover, (double)now, dummy_mean(cover));
  tm_alarm_init(&cover->alarm, cover->loop_ms, now + cover->timeout_ms);
}

void tm_cover_stop(struct tm_cover *cover)
{
  cover->runs = false;
  cover->raised = false;
  cover->hold_until = 0;
}

/* Is the tick due? Then draws the next one. */
static bool tick(const struct tm_cover *c, double *next, double mean, uint64_t now)
{
  if (*next > (double)now)
    return false;
  *next = draw_next(c, (double)now - *next > TM_COVER_LATE_MS ? (double)now : *next, mean);
  return true;
}

enum tm_cover_kind tm_cover_take(struct tm_cover *cover, uint64_t now)
{
  if (!cover->runs)
    return TM_COVER_NONE;
  if (tick(cover, &cover->next_loop, cover->loop_ms, now))
    return TM_COVER_LOOP;
  return tick(cover, &cover->next_dummy, dummy_mean(cover), now) ? TM_COVER_DUMMY : TM_COVER_NONE;
}

uint64_t tm_cover_next_ms(const struct tm_cover *cover, uint64_t now)
{
  double tick_at = fmin(cover->next_loop, cover->next_dummy);
  uint64_t next = TM_COVER_NEVER;

  if (!cover->runs)
    return next;
  if (tick_at < (double)UINT64_MAX)
    next = (uint64_t)ceil(tick_at);
  if (!cover->raised && tm_alarm_due(&cover->alarm) < next)
    next = tm_alarm_due(&cover->alarm);
  if (tm_cover_holds(cover, now) && cover->hold_until < next)
    next = cover->hold_until;
  return next;
}

void tm_cover_home(struct tm_cover *cover, uint64_t now)
{
  if (cover->runs)
    tm_alarm_home(&cover->alarm, now);
}

bool tm_cover_watch(struct tm_cover *cover, uint64_t now)
{
  bool raised = cover->runs && tm_alarm_is_raised(&cover->alarm, now);

  if (raised == cover->raised)
    return false;
  cover->raised = raised;
  cover->alarms += raised;
  if (raised && now >= cover->rest_until) {
    cover->hold_until = now + cover->timeout_ms / 2;
    cover->rest_until = now + (uint64_t)TM_COVER_REST * cover->timeout_ms;
  } else if (!raised)
    cover->hold_until = 0;
  if (cover->runs) /* the clock has no memory: drawing again changes nothing but the rate */
    cover->next_dummy = draw_next(cover, (double)now, dummy_mean(cover));
  return true;
}

bool tm_cover_holds(const struct tm_cover *cover, uint64_t now) { return now < cover->hold_until; }
