#include "config.h"

#include <string.h>

#include <sodium.h>

#include "client/internal.h"

#define DECOY_TRIES 256 /* ids, until one's first store has a key */
#define SURB_RANDOM_LEN (TM_SPHINX_CREATE_RANDOM_LEN + TM_SPHINX_REPLY_KEY_LEN)

/* What Sphinx says, as one of ours: only a document that we checked badly can make it fail. */
static int from_sphinx(int err) { return err == TM_SPHINX_OK ? TM_OK : TM_E_POINT; }

/* A reply block that ends at our session, with a fresh identifier. */
static int make_surb(struct tm_client *c, const tm_sphinx_node *path, size_t hops,
                     uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN], uint8_t surb[static TM_SPHINX_SURB_LEN],
                     tm_sphinx_surb_keys *keys)
{
  uint8_t random[SURB_RANDOM_LEN];
  int err;

  tm_rng_fill(&c->rng, surb_id, TM_SPHINX_SURB_ID_LEN);
  tm_rng_fill(&c->rng, random, sizeof random);
  err = tm_sphinx_surb_create(c->sphinx, path, hops, c->handle, surb_id, random, surb, keys);
  sodium_memzero(random, sizeof random);
  return from_sphinx(err);
}

/* The body of a request to a store: a put with that box and proof of work, or a get. */
static void write_body(struct tm_client *c, uint8_t body[static TM_SPHINX_BODY_LEN], const uint8_t *surb,
                       const struct tm_request *r, const uint8_t *signature, const uint8_t *box)
{
  uint8_t random[TM_BOX_GET_RANDOM_LEN];
  uint8_t token[TM_BOX_TOKEN_LEN] = {0};

  if (box != NULL) {
    tm_box_work_token(r->work_nonce, token);
    tm_box_put_write(body, token, surb, r->id, signature, box);
    return;
  }
  tm_rng_fill(&c->rng, token, TM_BOX_WORK_NONCE_LEN);
  tm_rng_fill(&c->rng, random, sizeof random);
  tm_box_get_write(body, token, surb, r->id, random);
  sodium_memzero(random, sizeof random);
}

/* keys, surb_id and trip_ms of the request are written; the packet too. */
static int make_request(struct tm_client *c, const struct tm_relay_info *store, struct tm_request *r,
                        const uint8_t *signature, const uint8_t *box)
{
  const struct tm_relay_info *entry = tm_engine_entry(c);
  tm_sphinx_node out[TM_PATH_OUT], back[TM_PATH_BACK];
  uint8_t surb[TM_SPHINX_SURB_LEN];
  uint8_t body[TM_SPHINX_BODY_LEN];
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];
  uint64_t epoch = tm_engine_epoch(c);
  uint32_t out_ms = 0, back_ms = 0;
  int err = tm_network_path_out(c->net, &c->rng, epoch, entry, store, out, &out_ms);

  if (err == TM_OK)
    err = tm_network_path_back(c->net, &c->rng, epoch, entry, back, &back_ms);
  if (err == TM_OK)
    err = make_surb(c, back, TM_PATH_BACK, r->surb_id, surb, &r->keys);
  if (err == TM_OK) {
    write_body(c, body, surb, r, signature, box);
    tm_rng_fill(&c->rng, random, sizeof random);
    err = from_sphinx(tm_sphinx_create(c->sphinx, out, TM_PATH_OUT, body, random, c->packet));
  }
  r->trip_ms = out_ms + back_ms;
  sodium_memzero(out, sizeof out);
  sodium_memzero(back, sizeof back);
  sodium_memzero(surb, sizeof surb);
  sodium_memzero(body, sizeof body);
  sodium_memzero(random, sizeof random);
  return err;
}

int tm_packet_store(struct tm_client *c, struct tm_request *r, const uint8_t *signature, const uint8_t *box)
{
  return make_request(c, tm_network_store_of(c->net, r->id, r->store), r, signature, box);
}

/* An id that nobody waits for, whose first store has a key now: real reads go there first as well. */
static const struct tm_relay_info *draw_decoy_id(struct tm_client *c, uint8_t id[static TM_BOX_ID_LEN])
{
  uint8_t random[64];
  const struct tm_relay_info *store = NULL;

  for (unsigned i = 0; store == NULL && i < DECOY_TRIES; i++) {
    tm_rng_fill(&c->rng, random, sizeof random);
    tm_box_decoy_id(random, id);
    store = tm_network_store_of(c->net, id, 0);
    if (tm_relay_key(store, tm_engine_epoch(c)) == NULL)
      store = NULL;
  }
  sodium_memzero(random, sizeof random);
  return store;
}

int tm_packet_decoy(struct tm_client *c, struct tm_request *r)
{
  struct tm_request nobody = {0};
  struct tm_request *to = r == NULL ? &nobody : r;
  const struct tm_relay_info *store = draw_decoy_id(c, to->id);
  int err = TM_E_NOT_FOUND;

  if (store != NULL)
    err = make_request(c, store, to, NULL, NULL);
  sodium_memzero(&nobody, sizeof nobody);
  return err;
}

int tm_packet_loop(struct tm_client *c, struct tm_request *r)
{
  struct tm_request nobody = {0};
  struct tm_request *to = r == NULL ? &nobody : r;
  tm_sphinx_node path[TM_PATH_OUT];
  uint8_t surb[TM_SPHINX_SURB_LEN];
  uint8_t body[TM_SPHINX_BODY_LEN];
  uint8_t first_hop[TM_SPHINX_IDENTITY_LEN];
  int err = tm_network_path_loop(c->net, &c->rng, tm_engine_epoch(c), tm_engine_entry(c), path, &to->trip_ms);

  if (err == TM_OK)
    err = make_surb(c, path, TM_PATH_OUT, to->surb_id, surb, &to->keys);
  if (err == TM_OK) {
    tm_rng_fill(&c->rng, body, sizeof body);
    tm_sphinx_surb_use(c->sphinx, surb, body, c->packet, first_hop);
  }
  sodium_memzero(&nobody, sizeof nobody);
  sodium_memzero(path, sizeof path);
  sodium_memzero(surb, sizeof surb);
  sodium_memzero(body, sizeof body);
  return err;
}
