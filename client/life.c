#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "client/internal.h"

static int from_sphinx(int err)
{
  return err == TM_SPHINX_OK ? TM_OK : err == TM_SPHINX_E_NOMEM ? TM_E_NOMEM : TM_E_STATE;
}

/* An empty client over that state, which is its own from then on, whatever happens. */
static int client_new(struct tm_client **out, struct tm_state *state, const struct tm_clock *clock,
                      const struct tm_rng *rng)
{
  struct tm_client *c = sodium_malloc(sizeof *c);
  int err;

  *out = NULL;
  if (c == NULL) {
    tm_state_close(state);
    return TM_E_NOMEM;
  }
  sodium_memzero(c, sizeof *c);
  c->state = state;
  c->clock = *clock;
  c->rng = *rng;
  c->conv = tm_conv_table_new();
  c->pending = tm_pending_table_new();
  err = c->conv == NULL || c->pending == NULL ? TM_E_NOMEM : TM_OK;
  if (err == TM_OK)
    err = tm_schedule_new(&c->schedule, rng);
  if (err == TM_OK)
    err = tm_pool_new(&c->pool);
  if (err == TM_OK)
    err = tm_bulk_new(&c->transfers);
  if (err == TM_OK)
    err = tm_guard_new(&c->guard);
  if (err == TM_OK)
    err = from_sphinx(tm_sphinx_new(&c->sphinx, NULL, TM_SPHINX_BODY_LEN));
  if (err != TM_OK) {
    tm_client_close(c);
    return err;
  }
  *out = c;
  return TM_OK;
}

void tm_client_close(struct tm_client *c)
{
  if (c == NULL)
    return;
  tm_sphinx_free(c->sphinx);
  tm_guard_free(c->guard);
  tm_bulk_free(c->transfers);
  tm_pool_free(c->pool);
  tm_schedule_free(c->schedule);
  if (c->pending != NULL)
    sodium_memzero(c->pending, TM_PENDING_MAX * sizeof *c->pending);
  free(c->pending);
  sodium_free(c->conv);
  tm_network_free(c->net);
  tm_document_free(c->doc);
  tm_trust_free(c->trust);
  tm_state_close(c->state);
  sodium_free(c);
}

static int use_document(struct tm_client *c, struct tm_document *doc)
{
  c->doc = doc;
  c->params = tm_document_params(doc);
  return tm_network_new(&c->net, doc);
}

/* Everything a new state holds: trust, document, decoys in all places. */
static int fill_new(struct tm_client *c, const char *trust, size_t trust_len, const uint8_t *document,
                    size_t document_len)
{
  struct tm_document *doc;
  int err = tm_trust_parse(&c->trust, trust, trust_len);

  if (err == TM_OK)
    err = tm_document_open(&doc, c->trust, document, document_len, tm_engine_wall_s(c), NULL);
  if (err == TM_OK)
    err = use_document(c, doc);
  if (err != TM_OK)
    return err;
  tm_state_put_meta(c->state, TM_META_TRUST, trust, trust_len);
  tm_engine_store_document(c->state, c->doc);
  tm_guard_update(c->guard, c->state, c->net, &c->rng, tm_engine_wall_s(c));
  c->slot = tm_engine_slot(c);
  tm_places_fill(c);
  tm_conv_save(c->conv, c->state);
  return tm_db_error(c->state->db);
}

int tm_client_create(const char *dir, const char *passphrase, const char *trust, size_t trust_len,
                     const uint8_t *document, size_t document_len, const struct tm_clock *clock,
                     const struct tm_rng *rng)
{
  struct tm_state *state;
  struct tm_client *c;
  int err = tm_box_self_test();

  if (err == TM_OK)
    err = tm_state_create(&state, dir, passphrase, rng);
  if (err == TM_OK)
    err = client_new(&c, state, clock, rng);
  if (err != TM_OK)
    return err;
  err = fill_new(c, trust, trust_len, document, document_len);
  if (err == TM_OK) {
    err = tm_state_publish(c->state);
    c->state = NULL;
  }
  tm_client_close(c);
  return err;
}

static int load_trust(struct tm_client *c)
{
  uint8_t *text;
  size_t len;
  int err = tm_state_get_meta(c->state, TM_META_TRUST, &text, &len);

  if (err == TM_OK)
    err = tm_trust_parse(&c->trust, (const char *)text, len);
  tm_file_free(text, len);
  return err;
}

/* It was valid when it was stored; if it is not any more, it still says where an entry is that can give a newer one. */
static int load_document(struct tm_client *c)
{
  struct tm_document *doc;
  uint64_t from = 0;
  uint8_t *value;
  size_t len;
  int err = tm_state_get_meta(c->state, TM_META_DOCUMENT, &value, &len);

  if (err == TM_OK && len < 8)
    err = TM_E_SYNTAX;
  if (err == TM_OK) {
    for (int i = 0; i < 8; i++)
      from = from << 8 | value[i];
    err = tm_document_open(&doc, c->trust, value + 8, len - 8, from, NULL);
  }
  if (err == TM_OK)
    err = use_document(c, doc);
  tm_file_free(value, len);
  return err;
}

static int load_all(struct tm_client *c)
{
  int err = load_trust(c);

  if (err == TM_OK)
    err = load_document(c);
  if (err == TM_OK)
    err = tm_guard_load(c->guard, c->state);
  if (err == TM_OK)
    err = tm_conv_load(c->conv, c->state);
  if (err == TM_OK)
    err = tm_pending_load(c->pending, c->state);
  return err;
}

int tm_client_open(struct tm_client **out, const char *dir, const char *passphrase, const struct tm_clock *clock,
                   const struct tm_rng *rng)
{
  struct tm_state *state;
  struct tm_client *c;
  int err = tm_box_self_test();

  *out = NULL;
  if (err == TM_OK)
    err = tm_state_open(&state, dir, passphrase, rng);
  if (err == TM_OK)
    err = client_new(&c, state, clock, rng);
  if (err != TM_OK)
    return err;
  err = load_all(c);
  if (err == TM_OK) {
    tm_writing_resume(c);
    tm_conversation_resume(c);
    err = tm_engine_begin(c);
  }
  if (err == TM_OK)
    err = tm_engine_finish(c, TM_OK);
  if (err != TM_OK) {
    /* Damaged values say AUTH; the passphrase itself was right, so that must not be the word for it. */
    tm_client_close(c);
    return err == TM_E_AUTH ? TM_E_SYNTAX : err;
  }
  *out = c;
  return TM_OK;
}
