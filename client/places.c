#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

static size_t count(const struct tm_client *c, bool decoys)
{
  size_t n = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++)
    n += tm_conv_has_place(&c->conv[i]) && (decoys || c->conv[i].kind != TM_CONV_DECOY);
  return n;
}

bool tm_places_have_room(const struct tm_client *c) { return count(c, false) < c->params->sequences; }

/* A conversation with ourselves, from the present slot on. */
static void add_decoy(struct tm_client *c)
{
  struct tm_conv *conv = tm_conv_add(c->conv, c->state, TM_CONV_DECOY);
  uint8_t seed[TM_BOX_SEED_LEN];
  uint8_t capability[TM_BOX_CAPABILITY_LEN];

  if (conv == NULL)
    return;
  tm_rng_fill(&c->rng, seed, sizeof seed);
  tm_box_writer_init(&conv->writer, seed, c->slot);
  tm_box_capability(&conv->writer, capability);
  conv->has_writer = true;
  conv->has_reader = tm_box_reader_init(&conv->reader, capability) == TM_OK;
  conv->write_slot = c->slot;
  conv->read_base = c->slot;
  sodium_memzero(seed, sizeof seed);
  sodium_memzero(capability, sizeof capability);
}

static void remove_decoy(struct tm_client *c, struct tm_conv *conv)
{
  tm_writing_forget(c, conv->id);
  tm_conv_remove(conv, c->state);
}

static struct tm_conv *any_decoy(struct tm_client *c)
{
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (c->conv[i].used && c->conv[i].kind == TM_CONV_DECOY)
      return &c->conv[i];
  return NULL;
}

void tm_places_fill(struct tm_client *c)
{
  size_t n = count(c, true);
  struct tm_conv *decoy;

  for (; n < c->params->sequences && n < TM_CONV_PLACES_MAX; n++)
    add_decoy(c);
  for (; n > c->params->sequences && (decoy = any_decoy(c)) != NULL; n--)
    remove_decoy(c, decoy);
}

struct tm_conv *tm_places_take(struct tm_client *c, enum tm_conv_kind kind)
{
  struct tm_conv *decoy = any_decoy(c);
  struct tm_conv *conv;

  if (decoy == NULL || !tm_places_have_room(c))
    return NULL;
  remove_decoy(c, decoy);
  conv = tm_conv_add(c->conv, c->state, kind);
  if (conv == NULL)
    return NULL;
  /* Not in a slot in which the user has done something. */
  conv->write_slot = c->slot + 1;
  return conv;
}

/* Room for one more that is only listed: the oldest of them gives way. */
static void make_room_for_gone(struct tm_client *c)
{
  struct tm_conv *first = NULL;
  size_t n = 0;

  for (size_t i = 0; i < TM_CONV_MAX; i++) {
    struct tm_conv *conv = &c->conv[i];
    if (!conv->used || conv->kind != TM_CONV_GONE)
      continue;
    n++;
    if (first == NULL || conv->since_s < first->since_s)
      first = conv;
  }
  if (n + 1 >= TM_CONV_GONE_MAX)
    tm_conv_remove(first, c->state);
}

void tm_places_release(struct tm_client *c, struct tm_conv *conv, enum tm_contact_state why)
{
  struct tm_conv old = {.used = true,
                        .id = conv->id,
                        .kind = TM_CONV_GONE,
                        .state = why,
                        .contested = conv->contested,
                        .since_s = conv->since_s,
                        .next_number = 1,
                        .generation = conv->generation + 1,
                        .dirty = true};

  memcpy(old.name, conv->name, sizeof old.name);
  make_room_for_gone(c);
  tm_writing_forget(c, conv->id);
  tm_message_forget(c->state, conv->id);
  sodium_memzero(conv, sizeof *conv);
  *conv = old;
  tm_places_fill(c);
  c->changed = true;
}

static void drop_transfers(struct tm_client *c, uint64_t conv)
{
  struct tm_message_row row;
  uint32_t after = 0;

  while (tm_message_first(c->state, conv, TM_WAY_OUT, TM_MESSAGE_UPLOADING, after, &row) == TM_OK) {
    tm_bulk_drop(c, row.id);
    after = row.number;
  }
  after = 0;
  while (tm_message_first(c->state, conv, TM_WAY_IN, TM_MESSAGE_FETCHING, after, &row) == TM_OK) {
    tm_bulk_drop(c, row.id);
    after = row.number;
  }
  sodium_memzero(&row, sizeof row);
}

void tm_places_forget(struct tm_client *c, struct tm_conv *conv)
{
  drop_transfers(c, conv->id);
  tm_writing_forget(c, conv->id);
  tm_message_forget(c->state, conv->id);
  tm_conv_remove(conv, c->state);
  tm_places_fill(c);
  c->changed = true;
}

/* ---- with every slot ---- */

/* A reader's chain to a slot, in as many steps as it takes. False: not all the way, the rest is for the next roll. */
static bool advance_reader(struct tm_conv *conv, uint64_t slot)
{
  uint64_t steps = slot <= conv->reader.index ? 0 : slot - conv->reader.index;

  if (conv->kind != TM_CONV_CONTACT && conv->kind != TM_CONV_DECOY)
    return true; /* the sequence of a meeting has no chain */
  if (steps > TM_BOX_STEP_MAX)
    steps = TM_BOX_STEP_MAX;
  if (tm_box_reader_advance(&conv->reader, conv->reader.index + steps) != TM_OK)
    return false;
  return conv->reader.index >= slot;
}

/* What the stores have thrown away by now need not be asked for. */
static void skip_expired(struct tm_client *c, struct tm_conv *conv)
{
  uint64_t wall = tm_engine_wall_ms(c);
  uint64_t expiry = (uint64_t)c->params->box_expiry_s * 1000;
  uint64_t first = wall <= expiry ? 0 : (wall - expiry) / c->params->slot_ms;

  if (conv->read_base >= first || !advance_reader(conv, first))
    return;
  tm_reading_skip(conv, first);
  if (!advance_reader(conv, conv->read_base))
    conv->has_reader = false; /* cannot happen: it is a step within the window */
}

static void roll_one(struct tm_client *c, struct tm_conv *conv)
{
  if (conv->write_slot < c->slot)
    conv->write_slot = c->slot;
  /* Forgets the keys of slots that were not written in. What is left of too many steps is for the next roll. */
  if (conv->has_writer && conv->writer.index < c->slot) {
    uint64_t steps = c->slot - conv->writer.index;
    if (tm_box_writer_advance(&conv->writer,
                              conv->writer.index + (steps > TM_BOX_STEP_MAX ? TM_BOX_STEP_MAX : steps)) != TM_OK)
      conv->has_writer = false;
  }
  if (conv->kind == TM_CONV_DECOY)
    conv->decoy_write = tm_rng_below(&c->rng, 1000) < c->params->decoy_write_permille;
  tm_writing_draw(c, conv);
  skip_expired(c, conv);
  conv->dirty = true;
}

static void expire(struct tm_client *c, struct tm_conv *conv)
{
  if (conv->kind != TM_CONV_INVITER && conv->kind != TM_CONV_ACCEPTOR)
    return;
  if (tm_engine_wall_s(c) >= conv->expires_s)
    tm_places_release(c, conv, TM_CONTACT_EXPIRED);
}

void tm_places_roll(struct tm_client *c)
{
  uint64_t slot = tm_engine_slot(c);

  if (slot <= c->slot)
    return;
  c->slot = slot;
  c->rolled = true;
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (tm_conv_has_place(&c->conv[i]))
      expire(c, &c->conv[i]);
  for (size_t i = 0; i < TM_CONV_MAX; i++)
    if (tm_conv_has_place(&c->conv[i]))
      roll_one(c, &c->conv[i]);
  tm_writing_settle(c);
  tm_conversation_resend(c);
}
