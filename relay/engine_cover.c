/* The engine's own packets: dummies, and loops that come home or do not. */
#include "config.h"

#include "base/log.h"

#include "relay/internal.h"

#define SAY_EVERY_MS 60000 /* an alarm that comes and goes is said no more often */
#define AT_ONCE 64         /* packets made in one turn of the loop */

/* Packets are made here, on the loop thread, at some tenths of a millisecond each. TM_SLAB_NONE: it could not be, and is accounted for. */
static uint32_t make(struct tm_engine *e, enum tm_cover_kind kind)
{
  const struct tm_relay_info *self = e->valid ? tm_network_self(e->net) : NULL;
  uint32_t index = self == NULL ? TM_SLAB_NONE : tm_slab_take(e->slab);
  const struct tm_document *doc = tm_watch_document(e->watch);
  uint64_t now_s = tm_clock_wall_ms(e->clock) / 1000;
  struct tm_item *item;
  int err;

  if (index == TM_SLAB_NONE)
    return index;
  item = tm_slab_item(e->slab, index);
  item->command = TM_SPHINX_FORWARD;
  item->delay_ms = tm_dummy_delay(e->dummy, &e->params);
  e->counters.in_own++;
  if (kind == TM_COVER_LOOP)
    err = tm_loop_make(e->dummy, doc, self, now_s, tm_clock_mono_ms(e->clock) + item->delay_ms + e->params.request_timeout_ms,
                       item->packet, item->next);
  else
    err = tm_dummy_make(e->dummy, doc, self, now_s, item->packet, item->next);
  if (err != TM_OK) {
    tm_engine_drop(e, index, TM_DROP_OWN_FAILED);
    return TM_SLAB_NONE;
  }
  if (kind == TM_COVER_LOOP)
    e->cover_totals.loops++;
  else
    e->cover_totals.dummies++;
  return index;
}

/* The pool asks for them only when traffic is thin, and for no more than its floor. */
size_t tm_engine_make_dummies(void *engine, uint32_t *items, size_t n)
{
  size_t made = 0;

  while (made < n && (items[made] = make(engine, TM_COVER_DUMMY)) != TM_SLAB_NONE)
    made++;
  return made;
}

bool tm_engine_loop_is_home(struct tm_engine *e, uint32_t index)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  enum tm_loop verdict = tm_loop_judge(e->dummy, tm_slab_item(e->slab, index)->next, now);

  if (verdict == TM_LOOP_NONE)
    return false;
  e->counters.out_loop++;
  tm_slab_give(e->slab, index);
  if (verdict == TM_LOOP_HOME) {
    e->cover_totals.home++;
    tm_cover_home(&e->cover, now);
  } else
    e->cover_totals.late++;
  return true;
}

static void say(struct tm_engine *e, uint64_t now)
{
  if (e->cover.raised && (e->alarm_said_ms == 0 || now - e->alarm_said_ms >= SAY_EVERY_MS)) {
    tm_log(TM_LOG_WARN, "relay", "own loops do not come home: a neighbour drops packets, or somebody keeps them away",
           TM_KV_INT("alarms", e->cover.alarms), TM_KV_END);
    e->alarm_said = true;
    e->alarm_said_ms = now;
  } else if (!e->cover.raised && e->alarm_said) {
    tm_log(TM_LOG_INFO, "relay", "own loops come home again", TM_KV_INT("seconds", (now - e->alarm_said_ms) / 1000), TM_KV_END);
    e->alarm_said = false;
  }
}

static void make_due(struct tm_engine *e, uint64_t now)
{
  enum tm_cover_kind kind;
  size_t made = 0;

  while (made++ < AT_ONCE && (kind = tm_cover_take(&e->cover, now)) != TM_COVER_NONE) {
    uint32_t index = make(e, kind);
    if (index != TM_SLAB_NONE)
      tm_engine_into_mix(e, index);
  }
}

void tm_engine_cover(struct tm_engine *e)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  uint64_t next;

  if (e->draining)
    return;
  if (e->valid && e->mix != NULL && tm_network_self(e->net) != NULL)
    tm_cover_run(&e->cover, &e->params, now);
  else {
    tm_cover_stop(&e->cover);
    e->alarm_said = false;
  }
  tm_cover_watch(&e->cover, now);
  say(e, now);
  if (e->mix != NULL)
    tm_mix_hold(e->mix, tm_cover_holds(&e->cover, now));
  make_due(e, now);
  next = tm_cover_next_ms(&e->cover, now);
  if (next == TM_COVER_NEVER)
    event_del(e->cover_timer);
  else
    tm_engine_set_timer(e->cover_timer, next > now ? next - now : 0);
  tm_engine_release(e);
}

void tm_engine_on_cover(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  tm_engine_cover(arg);
}
