#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

/* ---- choosing ---- */

typedef struct tm_request *(*source)(struct tm_client *c);

static struct tm_request *again(struct tm_client *c) { return tm_pool_pop(c->pool); }

/*
 * In which order the kinds of work are asked, by turns: whatever one of them brings up, each of the others that has
 * something to send is first in at least one turn of four.
 */
static const source orders[4][4] = {
    {again, tm_writing_next, tm_reading_next, tm_bulk_next},
    {tm_writing_next, again, tm_reading_next, tm_bulk_next},
    {tm_reading_next, again, tm_writing_next, tm_bulk_next},
    {tm_bulk_next, again, tm_writing_next, tm_reading_next},
};

static int make_packet(struct tm_client *c, struct tm_request *r)
{
  switch (r->kind) {
  case TM_REQUEST_SLOT_READ:
    return tm_reading_packet(c, r);
  case TM_REQUEST_SLOT_WRITE:
    return tm_writing_packet(c, r);
  case TM_REQUEST_BULK_READ:
  case TM_REQUEST_BULK_WRITE:
    return tm_bulk_packet(c, r);
  case TM_REQUEST_DECOY:
    return tm_packet_decoy(c, r);
  case TM_REQUEST_LOOP:
    return tm_packet_loop(c, r);
  }
  return TM_E_STATE;
}

/* The next real request with its packet made; NULL: nothing waits. */
static struct tm_request *choose(struct tm_client *c)
{
  const source *order = orders[c->turn % 4];
  size_t i = 0;

  while (i < 4) {
    struct tm_request *r = order[i](c);
    int err;

    if (r == NULL) {
      i++;
      continue;
    }
    if (!tm_effort_ready(c, r))
      continue;
    r->state = TM_REQUEST_PREPARED;
    err = make_packet(c, r);
    if (err == TM_OK) {
      c->turn++;
      return r;
    }
    /* No longer wanted: gone. No way to its store just now: the same as if nobody had answered. */
    if (err == TM_E_STATE)
      tm_pool_release(c->pool, r);
    else
      tm_work_later(c, r);
  }
  return NULL;
}

/* If no store of any decoy id has a key, a loop goes instead: it needs none. */
static void prepare_cover(struct tm_client *c, enum tm_request_kind kind)
{
  struct tm_request *r = tm_pool_take(c->pool, kind);
  int err;

  if (r != NULL)
    r->state = TM_REQUEST_PREPARED;
  err = kind == TM_REQUEST_LOOP ? tm_packet_loop(c, r) : tm_packet_decoy(c, r);
  if (err != TM_OK && r != NULL) {
    tm_pool_release(c->pool, r);
    r = NULL;
  }
  c->upcoming = r;
  c->upcoming_loop = kind == TM_REQUEST_LOOP;
  c->prepared = err == TM_OK;
  if (!c->prepared && kind == TM_REQUEST_DECOY)
    prepare_cover(c, TM_REQUEST_LOOP);
}

void tm_work_prepare(struct tm_client *c)
{
  bool request = tm_schedule_draw_request(c->schedule, c->params->request_permille);

  tm_writing_decide(c);
  tm_effort_settle(c);
  c->upcoming_loop = false;
  if (!request) {
    prepare_cover(c, TM_REQUEST_LOOP);
    return;
  }
  c->upcoming = choose(c);
  c->prepared = c->upcoming != NULL;
  if (!c->prepared)
    prepare_cover(c, TM_REQUEST_DECOY);
}

void tm_engine_drop_prepared(struct tm_client *c)
{
  struct tm_request *r = c->upcoming;

  c->prepared = false;
  c->upcoming = NULL;
  sodium_memzero(c->packet, sizeof c->packet);
  if (r == NULL)
    return;
  if (tm_request_is_real(r))
    tm_pool_ready(c->pool, r);
  else
    tm_pool_release(c->pool, r);
}

/* ---- answers ---- */

void tm_work_later(struct tm_client *c, struct tm_request *r)
{
  r->deadline_ms = tm_clock_mono_ms(&c->clock) + c->params->request_timeout_ms;
  sodium_memzero(&r->keys, sizeof r->keys);
  /* An identifier that no answer can have any more: the one it had is used up. */
  tm_rng_fill(&c->rng, r->surb_id, sizeof r->surb_id);
  r->state = TM_REQUEST_OUT;
}

enum tm_next tm_work_next_store(struct tm_request *r, bool answered, bool hurry)
{
  unsigned other = r->store ^ 1u;

  if (answered) {
    r->answered |= 1u << r->store;
  } else {
    if (++r->unanswered < 2)
      return TM_NEXT_AGAIN;
    r->silent |= 1u << r->store;
    r->rounds++;
  }
  if ((r->answered | r->silent) == 3 && (r->answered != 0 || hurry))
    return TM_NEXT_MISSING;
  r->store = other;
  r->unanswered = 0;
  return TM_NEXT_AGAIN;
}

void tm_work_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer)
{
  switch (r->kind) {
  case TM_REQUEST_SLOT_READ:
    tm_reading_answer(c, r, answer);
    return;
  case TM_REQUEST_SLOT_WRITE:
    tm_writing_answer(c, r, answer);
    return;
  case TM_REQUEST_BULK_READ:
  case TM_REQUEST_BULK_WRITE:
    tm_bulk_answer(c, r, answer);
    return;
  case TM_REQUEST_DECOY:
  case TM_REQUEST_LOOP:
    break;
  }
  tm_pool_release(c->pool, r);
}

void tm_work_overdue(struct tm_client *c)
{
  uint64_t now = tm_clock_mono_ms(&c->clock);
  struct tm_request *r;

  while ((r = tm_pool_overdue(c->pool, now)) != NULL) {
    c->retries += tm_request_is_real(r);
    tm_work_answer(c, r, NULL);
  }
}

void tm_work_link_lost(struct tm_client *c)
{
  struct tm_request *r;
  size_t at = 0;

  tm_engine_drop_prepared(c);
  while ((r = tm_pool_each(c->pool, &at)) != NULL) {
    if (r->state != TM_REQUEST_OUT)
      continue;
    /* Not the store's fault, so it doesn't count against it. */
    if (tm_request_is_real(r))
      tm_pool_ready(c->pool, r);
    else
      tm_pool_release(c->pool, r);
  }
}
