#include "config.h"

#include <sodium.h>

#include "client/internal.h"

/* The first slot of the window that is neither read nor being read; TM_CONV_WINDOW: none. */
static unsigned first_open(const struct tm_conv *conv)
{
  uint64_t taken = conv->read_done | conv->read_sent;
  unsigned i = 0;

  while (i < TM_CONV_WINDOW && (taken >> i & 1) != 0)
    i++;
  return i;
}

static bool reads(const struct tm_conv *conv)
{
  return tm_conv_has_place(conv) &&
         (conv->has_reader || conv->kind == TM_CONV_INVITER || conv->kind == TM_CONV_ACCEPTOR);
}

/* It reads nothing more before its oldest slot is read. */
static bool is_stuck(const struct tm_client *c, const struct tm_conv *conv)
{
  return tm_engine_readable_end(c) > conv->read_base + TM_CONV_WINDOW;
}

/* The conversation with the oldest slot to be read; uniform among equals. */
static struct tm_conv *oldest(struct tm_client *c, uint64_t end, uint64_t *slot)
{
  struct tm_conv *best = NULL;
  uint32_t equals = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    struct tm_conv *conv = &c->conv[i];
    uint64_t s;
    unsigned open;

    if (!reads(conv))
      continue;
    open = first_open(conv);
    s = conv->read_base + open;
    if (open == TM_CONV_WINDOW || s >= end || (best != NULL && s > *slot))
      continue;
    equals = best == NULL || s < *slot ? 1 : equals + 1;
    if (tm_rng_below(&c->rng, equals) == 0)
      best = conv;
    *slot = s;
  }
  return best;
}

/* The reader at a slot of the window. */
static int reader_at(const struct tm_conv *conv, uint64_t slot, struct tm_box_reader *reader)
{
  if (conv->kind == TM_CONV_INVITER || conv->kind == TM_CONV_ACCEPTOR)
    return tm_meeting_reader(conv, slot, reader);
  *reader = conv->reader;
  return tm_box_reader_advance(reader, slot);
}

/* The window's first slot is one that has not been read. */
static void slide(struct tm_conv *conv)
{
  while ((conv->read_done & 1) != 0) {
    conv->read_done >>= 1;
    conv->read_sent >>= 1;
    conv->read_base++;
  }
}

static void mark_read(struct tm_conv *conv, uint64_t slot)
{
  uint64_t bit = UINT64_C(1) << (slot - conv->read_base);

  conv->read_done |= bit;
  conv->read_sent &= ~bit;
  slide(conv);
  /* Forgets what lies behind. It cannot fail: the step is below the window. A meeting's sequence has no chain of its
   * own. */
  if ((conv->kind == TM_CONV_CONTACT || conv->kind == TM_CONV_DECOY) &&
      tm_box_reader_advance(&conv->reader, conv->read_base) != TM_OK)
    conv->has_reader = false;
  conv->dirty = true;
}

void tm_reading_skip(struct tm_conv *conv, uint64_t slot)
{
  uint64_t n = slot - conv->read_base;

  if (slot <= conv->read_base)
    return;
  conv->read_done = n < TM_CONV_WINDOW ? conv->read_done >> n : 0;
  conv->read_sent = n < TM_CONV_WINDOW ? conv->read_sent >> n : 0;
  conv->read_base = slot;
  slide(conv);
  conv->dirty = true;
}

void tm_reading_restart(struct tm_conv *conv, uint64_t slot)
{
  conv->read_base = slot;
  conv->read_done = 0;
  conv->read_sent = 0;
  conv->generation++;
  conv->dirty = true;
}

struct tm_request *tm_reading_next(struct tm_client *c)
{
  uint64_t slot = 0;
  struct tm_conv *conv = oldest(c, tm_engine_readable_end(c), &slot);
  struct tm_request *r;

  if (conv == NULL)
    return NULL;
  r = tm_pool_take(c->pool, TM_REQUEST_SLOT_READ);
  if (r == NULL)
    return NULL;
  r->conv = conv->id;
  r->generation = conv->generation;
  r->index = slot;
  r->state = TM_REQUEST_PREPARED;
  conv->read_sent |= UINT64_C(1) << (slot - conv->read_base);
  if (reader_at(conv, slot, &r->reader) != TM_OK || tm_box_reader_id(&r->reader, r->id) != TM_OK) {
    /* A point that is none: nothing can be read there. */
    tm_pool_release(c->pool, r);
    mark_read(conv, slot);
    return NULL;
  }
  return r;
}

/* Whose it is, if its answer still matters. */
static struct tm_conv *owner(struct tm_client *c, const struct tm_request *r)
{
  struct tm_conv *conv = tm_conv_by_id(c->conv, r->conv);

  if (conv == NULL || !tm_conv_has_place(conv) || conv->generation != r->generation || r->index < conv->read_base ||
      r->index - conv->read_base >= TM_CONV_WINDOW)
    return NULL;
  return conv;
}

int tm_reading_packet(struct tm_client *c, struct tm_request *r)
{
  if (owner(c, r) == NULL)
    return TM_E_STATE;
  return tm_packet_store(c, r, NULL, NULL);
}

static void read_text(struct tm_client *c, struct tm_conv *conv, uint64_t slot,
                      const uint8_t text[static TM_BOX_TEXT_LEN])
{
  switch (conv->kind) {
  case TM_CONV_CONTACT:
    tm_conversation_read(c, conv, slot, text);
    return;
  case TM_CONV_INVITER:
  case TM_CONV_ACCEPTOR:
    tm_meeting_read(c, conv, slot, text);
    return;
  case TM_CONV_DECOY:
  case TM_CONV_GONE:
    return;
  }
}

void tm_reading_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer)
{
  struct tm_conv *conv = owner(c, r);
  uint8_t text[TM_BOX_TEXT_LEN];
  uint64_t slot = r->index;
  bool missing = false;

  if (conv == NULL) {
    tm_pool_release(c->pool, r);
    return;
  }
  if (answer != NULL && answer->status == TM_BOX_FOUND &&
      tm_box_open(&r->reader, answer->box, answer->signature, text) == TM_OK) {
    uint64_t id = conv->id;
    uint32_t generation = r->generation;

    tm_pool_release(c->pool, r);
    read_text(c, conv, slot, text);
    sodium_memzero(text, sizeof text);
    /* What it said may have ended this sequence. */
    if (conv->used && conv->id == id && conv->generation == generation)
      mark_read(conv, slot);
    return;
  }
  missing = tm_work_next_store(r, answer != NULL, is_stuck(c, conv)) == TM_NEXT_MISSING;
  if (!missing) {
    tm_pool_ready(c->pool, r);
    return;
  }
  tm_pool_release(c->pool, r);
  mark_read(conv, slot);
}
