/*
 * Proofs of work for puts (doc/spec/client.md, section 9.1): what is to be searched for, for which request. The search
 * itself is somebody else's (tm_client_work_next, tm_client_work_done), so that a tick never waits for it.
 *
 * How much work a put gets follows from the document, and from what its own store said to it before. What a store says
 * to one put never changes another: it could tell the two by it.
 */
#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

static bool is_put(const struct tm_request *r)
{
  return r->kind == TM_REQUEST_SLOT_WRITE || r->kind == TM_REQUEST_BULK_WRITE;
}

static unsigned needed(const struct tm_client *c, const struct tm_request *r)
{
  return r->work_asked > c->params->work_bits ? r->work_asked : c->params->work_bits;
}

/* A proof of the last epoch is good for half the grace: then the packet is there within the whole. */
static bool epoch_fits(const struct tm_client *c, uint64_t epoch)
{
  uint64_t now = tm_engine_epoch(c);

  if (epoch == now)
    return true;
  return epoch + 1 == now && tm_engine_wall_s(c) < now * c->params->epoch_s + c->params->key_grace_s / 2;
}

static bool is_proved(const struct tm_client *c, const struct tm_request *r)
{
  return needed(c, r) == 0 || (r->proved && r->work_bits >= needed(c, r) && epoch_fits(c, r->work_epoch));
}

bool tm_effort_ready(struct tm_client *c, struct tm_request *r)
{
  if (!is_put(r) || is_proved(c, r))
    return true;
  r->proved = false;
  r->deadline_ms = 0;
  r->work_order = ++c->work_order;
  r->state = TM_REQUEST_WORKING;
  return false;
}

/* Proved, and its time has come: it may go. One that never left belongs to its source, which has its own turn. */
static bool may_go(const struct tm_client *c, const struct tm_request *r)
{
  return r->state == TM_REQUEST_WORKING && is_proved(c, r) && r->deadline_ms <= tm_clock_mono_ms(&c->clock);
}

struct tm_request *tm_effort_take(struct tm_client *c, enum tm_request_kind kind)
{
  struct tm_request *r, *first = NULL;
  size_t at = 0;

  while ((r = tm_pool_each(c->pool, &at)) != NULL)
    if (r->kind == kind && !r->sent && may_go(c, r) && (first == NULL || r->work_order < first->work_order))
      first = r;
  return first;
}

void tm_effort_settle(struct tm_client *c)
{
  struct tm_request *r;
  size_t at = 0;

  while ((r = tm_pool_each(c->pool, &at)) != NULL) {
    if (r->state != TM_REQUEST_WORKING)
      continue;
    if (r->kind == TM_REQUEST_SLOT_WRITE ? !tm_writing_is_wanted(c, r) : !tm_bulk_is_wanted(c, r))
      tm_pool_release(c->pool, r);
    else if (r->sent && may_go(c, r))
      tm_pool_ready(c->pool, r);
  }
}

size_t tm_effort_pieces(struct tm_client *c)
{
  struct tm_request *r;
  size_t at = 0, n = 0;

  while ((r = tm_pool_each(c->pool, &at)) != NULL)
    n += r->state == TM_REQUEST_WORKING && r->kind == TM_REQUEST_BULK_WRITE && !r->sent;
  return n;
}

/* A fixed time, so that it does not tell how fast this machine is; short enough for the box to be in time. */
static uint32_t wait_ms(const struct tm_client *c)
{
  return c->params->slot_ms / 4 < c->params->request_timeout_ms ? c->params->slot_ms / 4 : c->params->request_timeout_ms;
}

bool tm_effort_raise(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer)
{
  if (answer->work <= needed(c, r) || answer->work > c->params->work_bits + TM_BOX_WORK_STEPS_MAX)
    return false;
  r->work_asked = answer->work;
  tm_work_later(c, r); /* wipes what an answer would be opened with */
  r->deadline_ms = tm_clock_mono_ms(&c->clock) + wait_ms(c);
  r->proved = false;
  r->work_order = ++c->work_order;
  r->state = TM_REQUEST_WORKING;
  return true;
}

/* Boxes of slots first: pieces can wait. */
static bool comes_before(const struct tm_request *a, const struct tm_request *b)
{
  if (a->kind != b->kind)
    return a->kind == TM_REQUEST_SLOT_WRITE;
  return a->work_order < b->work_order;
}

bool tm_client_work_next(struct tm_client *c, struct tm_box_work *work)
{
  struct tm_request *r, *first = NULL;
  size_t at = 0;

  memset(work, 0, sizeof *work);
  if (c->failed != TM_OK || c->working != 0 || !tm_engine_document_valid(c))
    return false;
  while ((r = tm_pool_each(c->pool, &at)) != NULL)
    if (r->state == TM_REQUEST_WORKING && !is_proved(c, r) && (first == NULL || comes_before(r, first)))
      first = r;
  if (first == NULL)
    return false;
  memcpy(work->store, tm_network_store_of(c->net, first->id, first->store)->identity, sizeof work->store);
  work->epoch = tm_engine_epoch(c);
  memcpy(work->id, first->id, sizeof work->id);
  tm_rng_fill(&c->rng, (uint8_t *)&work->nonce, sizeof work->nonce);
  work->bits = needed(c, first);
  c->working = first->work_order;
  return true;
}

void tm_client_work_done(struct tm_client *c, const struct tm_box_work *work)
{
  struct tm_request *r;
  size_t at = 0;

  while ((r = tm_pool_each(c->pool, &at)) != NULL) {
    /* It may be gone meanwhile, or wait for another proof; or a new document gives its id another store. */
    if (r->state != TM_REQUEST_WORKING || r->work_order != c->working ||
        memcmp(tm_network_store_of(c->net, r->id, r->store)->identity, work->store, sizeof work->store) != 0)
      continue;
    r->proved = true;
    r->work_bits = work->bits;
    r->work_epoch = work->epoch;
    r->work_nonce = work->nonce;
  }
  c->working = 0;
}
