#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "client/internal.h"

#define STORED(k) (1u << (k))   /* bits of a piece's mark: in store k */
#define GIVEN_UP(k) (4u << (k)) /* store k does not take it */
#define GOT 1u                  /* a piece of a message for us is here */
#define GIVEN_UP_MARKS (GIVEN_UP(0) | GIVEN_UP(1))

/* One message that is being moved, from its first piece to its last; each request lives until its piece is settled. */
struct transfer {
  bool used;
  struct tm_message_row row;
  uint32_t pieces, done;
  uint32_t next; /* the next piece to ask for; out: twice the piece, plus the store */
  uint32_t out;  /* requests that are not settled */
  uint8_t *marks;
  struct tm_box_writer writer; /* out: at some piece up to next */
  struct tm_box_reader reader; /* in: the same */
};

struct tm_transfers {
  struct transfer each[TM_TRANSFERS_MAX];
  size_t turn;
};

int tm_bulk_new(struct tm_transfers **out)
{
  struct tm_transfers *t = sodium_malloc(sizeof *t);

  *out = t;
  if (t == NULL)
    return TM_E_NOMEM;
  sodium_memzero(t, sizeof *t);
  return TM_OK;
}

static void clear(struct transfer *t)
{
  free(t->marks);
  sodium_memzero(t, sizeof *t);
}

void tm_bulk_free(struct tm_transfers *t)
{
  if (t == NULL)
    return;
  for (size_t i = 0; i < TM_TRANSFERS_MAX; i++)
    clear(&t->each[i]);
  sodium_free(t);
}

static struct transfer *find(const struct tm_client *c, uint64_t message)
{
  for (size_t i = 0; i < TM_TRANSFERS_MAX; i++)
    if (c->transfers->each[i].used && c->transfers->each[i].row.id == message)
      return &c->transfers->each[i];
  return NULL;
}

void tm_bulk_drop(struct tm_client *c, uint64_t message)
{
  struct transfer *t = find(c, message);

  if (t != NULL)
    clear(t);
}

/* Out: in both stores, or in one and given up at the other. */
static bool piece_done(const struct transfer *t, uint32_t n)
{
  unsigned mark = t->marks[n];

  if (t->row.way == TM_WAY_IN)
    return (mark & GOT) != 0;
  return ((mark & STORED(0)) != 0 && (mark & (STORED(1) | GIVEN_UP(1))) != 0) ||
         ((mark & STORED(1)) != 0 && (mark & GIVEN_UP(0)) != 0);
}

bool tm_bulk_progress(const struct tm_client *c, uint64_t message, uint32_t *done)
{
  const struct transfer *t = find(c, message);

  if (t == NULL)
    return false;
  *done = t->done;
  return true;
}

void tm_bulk_fresh(struct tm_client *c, struct tm_message_row *row)
{
  struct tm_box_writer writer;

  tm_rng_fill(&c->rng, row->seed, sizeof row->seed);
  tm_rng_fill(&c->rng, row->piece_key, sizeof row->piece_key);
  tm_box_writer_init(&writer, row->seed, 0);
  tm_box_capability(&writer, row->capability);
  sodium_memzero(&writer, sizeof writer);
}

void tm_bulk_restart(struct tm_client *c, struct tm_message_row *row)
{
  tm_bulk_drop(c, row->id);
  tm_bulk_fresh(c, row);
  row->state = TM_MESSAGE_UPLOADING;
  tm_piece_unmark(c->state, row->id);
  tm_message_update(c->state, row);
}

/* ---- starting ---- */

static int start(struct tm_client *c, struct transfer *t, const struct tm_message_row *row)
{
  int err = TM_OK;

  t->row = *row;
  t->pieces = tm_pieces_of(row->size);
  t->marks = calloc(t->pieces, 1);
  if (t->marks == NULL)
    return TM_E_NOMEM;
  tm_piece_marks(c->state, row->id, t->marks, t->pieces);
  if (row->way == TM_WAY_OUT)
    tm_box_writer_init(&t->writer, row->seed, 0);
  else
    err = tm_box_reader_init(&t->reader, row->capability);
  t->used = err == TM_OK;
  for (uint32_t n = 0; t->used && n < t->pieces; n++)
    t->done += piece_done(t, n);
  return err;
}

/* Takes up the oldest message of that way which is not being moved, if there is room. */
static void take_up(struct tm_client *c, enum tm_way way)
{
  enum tm_message_state state = way == TM_WAY_OUT ? TM_MESSAGE_UPLOADING : TM_MESSAGE_FETCHING;
  struct tm_message_row row;
  struct transfer *room = NULL;
  uint64_t after = 0;
  size_t n = 0;
  int err;

  for (size_t i = 0; i < TM_TRANSFERS_MAX; i++) {
    struct transfer *t = &c->transfers->each[i];
    if (!t->used)
      room = t;
    else
      n += t->row.way == way;
  }
  if (n >= TM_TRANSFERS_MAX / 2 || room == NULL)
    return;
  do {
    row.id = 0;
    err = tm_message_oldest(c->state, way, state, after, &row);
    after = row.id;
  } while (err == TM_OK && find(c, row.id) != NULL);
  if (err == TM_OK) {
    int started = start(c, room, &row);
    if (started != TM_OK)
      clear(room);
    if (started != TM_OK && started != TM_E_NOMEM) {
      /* A capability that is none: waits for another announcement. */
      row.state = TM_MESSAGE_FAILED;
      tm_message_update(c->state, &row);
    }
  }
  if (err != TM_OK && err != TM_E_NOT_FOUND)
    tm_db_fail(c->state->db, err);
  sodium_memzero(&row, sizeof row);
}

/* ---- asking ---- */

/* Moves next to a piece that is to be asked for, out: for a store; false: none is left. */
static bool advance(struct transfer *t, uint32_t *n, unsigned *store)
{
  uint32_t end = t->row.way == TM_WAY_OUT ? 2 * t->pieces : t->pieces;

  for (; t->next < end; t->next++) {
    *n = t->row.way == TM_WAY_OUT ? t->next / 2 : t->next;
    *store = t->row.way == TM_WAY_OUT ? t->next & 1 : 0;
    if (piece_done(t, *n) || (t->row.way == TM_WAY_OUT && (t->marks[*n] & (STORED(*store) | GIVEN_UP(*store))) != 0))
      continue;
    t->next++;
    return true;
  }
  return false;
}

static struct tm_request *ask(struct tm_client *c, struct transfer *t)
{
  bool out = t->row.way == TM_WAY_OUT;
  struct tm_request *r;
  uint32_t n;
  unsigned store;
  int err;

  if (out && tm_effort_pieces(c) >= TM_EFFORT_AHEAD)
    return NULL;
  if (t->out >= TM_TRANSFER_WINDOW || tm_pool_real(c->pool) >= TM_POOL_BULK_MAX || !advance(t, &n, &store))
    return NULL;
  r = tm_pool_take(c->pool, out ? TM_REQUEST_BULK_WRITE : TM_REQUEST_BULK_READ);
  if (r == NULL)
    return NULL;
  r->state = TM_REQUEST_PREPARED;
  r->conv = t->row.conv;
  r->message = t->row.id;
  r->index = n;
  r->store = store;
  if (out) {
    err = tm_box_writer_advance(&t->writer, n);
    if (err == TM_OK)
      err = tm_box_writer_id(&t->writer, r->id);
  } else {
    err = tm_box_reader_advance(&t->reader, n);
    r->reader = t->reader;
    if (err == TM_OK)
      err = tm_box_reader_id(&r->reader, r->id);
  }
  if (err != TM_OK) {
    tm_pool_release(c->pool, r);
    return NULL;
  }
  /* Ties an answer to this sequence of a message that may get another one. */
  memcpy(&r->generation, t->row.capability, sizeof r->generation);
  t->out++;
  return r;
}

struct tm_request *tm_bulk_next(struct tm_client *c)
{
  struct tm_request *worked = tm_effort_take(c, TM_REQUEST_BULK_WRITE);

  if (worked != NULL)
    return worked;
  take_up(c, TM_WAY_OUT);
  take_up(c, TM_WAY_IN);
  for (size_t i = 0; i < TM_TRANSFERS_MAX; i++) {
    struct transfer *t = &c->transfers->each[c->transfers->turn++ % TM_TRANSFERS_MAX];
    struct tm_request *r = t->used ? ask(c, t) : NULL;
    if (r != NULL)
      return r;
  }
  return NULL;
}

/* Whose request it is, if it still matters. */
static struct transfer *owner(struct tm_client *c, const struct tm_request *r)
{
  struct transfer *t = find(c, r->message);

  if (t == NULL || memcmp(&r->generation, t->row.capability, sizeof r->generation) != 0)
    return NULL;
  return t;
}

/* The box of a piece: always the same bytes, because all randomness comes from the piece key. */
static int seal_piece(struct tm_client *c, struct transfer *t, uint32_t n, struct tm_pending *p)
{
  static const uint8_t personal[17] = "tidemill.piece.1";
  const uint8_t number[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
  struct tm_box_writer writer = t->writer;
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN];
  uint8_t data[TM_BULK_PIECE_LEN];
  int err = tm_piece_get(c->state, t->row.id, n, data);

  crypto_generichash_blake2b_salt_personal(random, sizeof random, number, sizeof number, t->row.piece_key,
                                           sizeof t->row.piece_key, NULL, personal);
  if (writer.index > n)
    tm_box_writer_init(&writer, t->row.seed, 0);
  if (err == TM_OK)
    err = tm_box_writer_advance(&writer, n);
  if (err == TM_OK)
    err = tm_box_seal(&writer, data, random, p->id, p->box, p->signature);
  sodium_memzero(&writer, sizeof writer);
  sodium_memzero(random, sizeof random);
  sodium_memzero(data, sizeof data);
  return err;
}

bool tm_bulk_is_wanted(struct tm_client *c, const struct tm_request *r) { return owner(c, r) != NULL; }

int tm_bulk_packet(struct tm_client *c, struct tm_request *r)
{
  struct transfer *t = owner(c, r);
  struct tm_pending p;
  int err;

  if (t == NULL)
    return TM_E_STATE;
  if (t->row.way == TM_WAY_IN)
    return tm_packet_store(c, r, NULL, NULL);
  err = seal_piece(c, t, (uint32_t)r->index, &p);
  if (err != TM_OK) {
    tm_db_fail(c->state->db, err);
    return TM_E_STATE;
  }
  return tm_packet_store(c, r, p.signature, p.box);
}

/* ---- answers, out ---- */

/* All pieces lie in the stores: the announcement may go. */
static void finish_out(struct tm_client *c, struct transfer *t)
{
  struct tm_conv *conv = tm_conv_by_id(c->conv, t->row.conv);

  t->row.state = TM_MESSAGE_WAITING;
  tm_message_update(c->state, &t->row);
  if (conv != NULL)
    conv->waiting = true;
  clear(t);
}

static void mark_out(struct tm_client *c, struct transfer *t, uint32_t n, unsigned mark)
{
  t->marks[n] |= (uint8_t)mark;
  tm_piece_mark(c->state, t->row.id, n, t->marks[n]);
  c->changed = true;
  if ((t->marks[n] & GIVEN_UP_MARKS) == GIVEN_UP_MARKS) {
    /* No store takes a box under this id: all over again under another sequence. */
    struct tm_message_row row = t->row;
    tm_bulk_restart(c, &row);
    sodium_memzero(&row, sizeof row);
    return;
  }
  t->done += piece_done(t, n);
  if (t->done == t->pieces)
    finish_out(c, t);
}

static void answer_out(struct tm_client *c, struct transfer *t, struct tm_request *r,
                       const struct tm_box_answer *answer)
{
  uint32_t n = (uint32_t)r->index;
  unsigned k = r->store;
  bool again = answer == NULL || answer->status == TM_BOX_FULL || answer->status == TM_BOX_FAILED ||
               answer->status == TM_BOX_WORK;
  unsigned mark = STORED(k);

  if (answer != NULL)
    r->full = answer->status == TM_BOX_FULL;
  if (answer != NULL && answer->status == TM_BOX_WORK && tm_effort_raise(c, r, answer))
    return;
  if (again) {
    r->unanswered++;
    if (r->unanswered < TM_GIVE_UP || (t->marks[n] & STORED(k ^ 1)) == 0) {
      if (answer == NULL)
        tm_pool_ready(c->pool, r);
      else
        tm_work_later(c, r);
      return;
    }
  }
  if (again || answer->status != TM_BOX_STORED)
    mark = GIVEN_UP(k);
  tm_pool_release(c->pool, r);
  t->out--;
  mark_out(c, t, n, mark);
}

/* ---- answers, in ---- */

/* The pieces make what was announced, and it may be shown. */
static bool is_as_announced(struct tm_client *c, struct transfer *t)
{
  uint8_t hash[32];
  uint8_t *data;
  bool good = false;

  if (tm_message_body(c->state, &t->row, &data) != TM_OK)
    return false;
  crypto_generichash(hash, sizeof hash, data, (size_t)t->row.size, NULL, 0);
  good = sodium_memcmp(hash, t->row.hash, sizeof hash) == 0 &&
         (t->row.kind != TM_KIND_BULK_TEXT || tm_record_text_ok(data, (size_t)t->row.size));
  tm_file_free(data, (size_t)t->row.size);
  return good;
}

static void finish_in(struct tm_client *c, struct transfer *t, bool complete)
{
  struct tm_conv *conv = tm_conv_by_id(c->conv, t->row.conv);

  complete = complete && is_as_announced(c, t);
  t->row.state = complete ? TM_MESSAGE_COMPLETE : TM_MESSAGE_FAILED;
  if (!complete)
    tm_piece_delete(c->state, t->row.id);
  /* What led to it is not needed any more. */
  sodium_memzero(t->row.capability, sizeof t->row.capability);
  t->row.received_s = tm_engine_wall_s(c);
  tm_message_update(c->state, &t->row);
  clear(t);
  if (complete && conv != NULL)
    tm_conversation_deliver(c, conv);
  c->changed = true;
}

static void answer_in(struct tm_client *c, struct transfer *t, struct tm_request *r, const struct tm_box_answer *answer)
{
  uint32_t n = (uint32_t)r->index;
  uint8_t text[TM_BOX_TEXT_LEN];

  if (answer != NULL && answer->status == TM_BOX_FOUND &&
      tm_box_open(&r->reader, answer->box, answer->signature, text) == TM_OK) {
    tm_pool_release(c->pool, r);
    t->out--;
    tm_piece_put(c->state, t->row.id, n, text, GOT);
    sodium_memzero(text, sizeof text);
    t->marks[n] |= GOT;
    c->changed = true;
    if (++t->done == t->pieces)
      finish_in(c, t, true);
    return;
  }
  if (tm_work_next_store(r, answer != NULL, r->rounds >= TM_SILENT_ROUNDS) == TM_NEXT_AGAIN) {
    tm_pool_ready(c->pool, r);
    return;
  }
  tm_pool_release(c->pool, r);
  finish_in(c, t, false);
}

void tm_bulk_answer(struct tm_client *c, struct tm_request *r, const struct tm_box_answer *answer)
{
  struct transfer *t = owner(c, r);

  if (t == NULL)
    tm_pool_release(c->pool, r);
  else if (t->row.way == TM_WAY_OUT)
    answer_out(c, t, r, answer);
  else
    answer_in(c, t, r, answer);
}
