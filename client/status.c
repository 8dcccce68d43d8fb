#include "config.h"

#include <math.h>
#include <string.h>

#include "client/internal.h"

static bool reads(const struct tm_conv *conv) { return tm_conv_has_place(conv); }

/* Requests that the reads of one slot take on average, at most: a miss asks both stores, and a decoy misses as often as
 * it does not write. */
static double reads_per_slot(const struct tm_client *c)
{
  double h = c->params->decoy_write_permille / 1000.0;
  double sum = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (reads(&c->conv[i]))
      sum += c->conv[i].kind == TM_CONV_DECOY ? 2.0 - h : 2.0;
  return sum;
}

static double writes_per_slot(const struct tm_client *c)
{
  double sum = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (c->conv[i].used && c->conv[i].kind == TM_CONV_DECOY)
      sum += 2.0 * c->params->decoy_write_permille / 1000.0;
  return sum;
}

/* Requests that are left over when the present slots are read and the decoys written. */
static double spare_per_s(const struct tm_client *c)
{
  double rate = 1000.0 / tm_engine_request_ms(c);

  return rate - (reads_per_slot(c) + writes_per_slot(c)) * 1000.0 / c->params->slot_ms;
}

static uint64_t slots_behind(const struct tm_client *c)
{
  uint64_t end = tm_engine_readable_end(c);
  uint64_t sum = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    const struct tm_conv *conv = &c->conv[i];
    uint64_t done = (uint64_t)__builtin_popcountll(conv->read_done);
    if (reads(conv) && conv->read_base + done < end)
      sum += end - conv->read_base - done;
  }
  return sum;
}

static void fill_places(const struct tm_client *c, struct tm_client_status *status)
{
  status->sequences = c->params->sequences;
  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    const struct tm_conv *conv = &c->conv[i];
    bool place = tm_conv_has_place(conv) && conv->kind != TM_CONV_DECOY;
    status->contacts += place;
    status->pending += place && conv->kind != TM_CONV_CONTACT;
  }
}

static void fill_catch_up(const struct tm_client *c, struct tm_client_status *status)
{
  double spare = spare_per_s(c);
  double places = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++)
    places += reads(&c->conv[i]);
  status->slots_behind = slots_behind(c);
  if (spare <= 0) {
    status->catch_up_s = status->slots_behind == 0 ? 0 : TM_CLIENT_NEVER_S;
    status->catch_up_per_hour_s = (double)TM_CLIENT_NEVER_S;
    return;
  }
  /* Nobody wrote into the decoys meanwhile: nearly all of these reads are misses, and ask both stores. */
  status->catch_up_s = (uint64_t)ceil((double)status->slots_behind * 2.0 / spare);
  status->catch_up_per_hour_s = 3600000.0 / c->params->slot_ms * places * 2.0 / spare;
}

static void fill_writes(struct tm_client *c, struct tm_client_status *status)
{
  struct tm_request *r;
  size_t at = 0;

  while ((r = tm_pool_each(c->pool, &at)) != NULL) {
    status->working += r->state == TM_REQUEST_WORKING;
    status->refused += r->full;
  }
  status->stores_full = c->stores_full;
}

void tm_client_status(struct tm_client *c, struct tm_client_status *status)
{
  const struct tm_relay_info *entry = tm_engine_entry(c);

  memset(status, 0, sizeof *status);
  status->document_valid = tm_engine_document_valid(c);
  status->document_until_s = tm_document_valid_until(c->doc);
  strncpy(status->network, tm_document_network(c->doc), sizeof status->network - 1);
  if (entry != NULL)
    memcpy(status->entry, entry->name, sizeof status->entry);
  status->link_up = c->link_up;
  fill_places(c, status);
  fill_catch_up(c, status);
  status->waiting = (uint32_t)tm_pool_real(c->pool);
  fill_writes(c, status);
  status->ticks = c->ticks;
  status->requests = c->requests;
  status->loops = c->loops;
  status->loops_back = c->loops_back;
  status->replies = c->replies;
  status->retries = c->retries;
  status->bad_replies = c->bad_replies;
}
