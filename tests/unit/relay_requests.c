#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/relay_requests.h"

void net_make_packet(struct net *net, const tm_sphinx_node *path, size_t hops, const uint8_t *body, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];

  randombytes_buf(random, sizeof random);
  assert_int_equal(tm_sphinx_create(net->sphinx, path, hops, body, random, packet), TM_SPHINX_OK);
}

void net_get_packet(struct net *net, unsigned store, const uint8_t *id, struct net_asked *asked, uint8_t *packet)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops = net_path_to_store(net, store, path);
  uint8_t surb[TM_SPHINX_SURB_LEN], body[TM_SPHINX_BODY_LEN], filling[TM_BOX_GET_RANDOM_LEN], point[64], decoy[TM_BOX_ID_LEN];

  net_surb(net, surb, asked->surb_id, &asked->keys);
  randombytes_buf(filling, sizeof filling);
  randombytes_buf(point, sizeof point);
  tm_box_decoy_id(point, decoy);
  tm_box_get_write(body, NULL, surb, id != NULL ? id : decoy, filling);
  net_make_packet(net, path, hops, body, packet);
}

/* A nonce for that store whose proof has the document's bits, or has not. */
static uint64_t find_nonce(struct net *net, const uint8_t store[static 32], const uint8_t *id, bool enough)
{
  unsigned bits = net->params.work_bits;
  struct tm_box_work work = {.epoch = tm_clock_wall_ms(&tm_clock_system) / 1000 / net->params.epoch_s};

  memcpy(work.store, store, sizeof work.store);
  memcpy(work.id, id, sizeof work.id);
  while ((tm_box_work_bits(work.store, work.epoch, work.id, work.nonce) >= bits) != enough)
    work.nonce++;
  return work.nonce;
}

static void put_packet(struct net *net, unsigned store, bool enough, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                       struct net_asked *asked, uint8_t *packet)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t hops = net_path_to_store(net, store, path);
  uint8_t surb[TM_SPHINX_SURB_LEN], body[TM_SPHINX_BODY_LEN], token[TM_BOX_TOKEN_LEN];

  net_surb(net, surb, asked->surb_id, &asked->keys);
  tm_box_work_token(find_nonce(net, path[hops - 1].identity, id, enough), token);
  tm_box_put_write(body, token, surb, id, signature, box);
  net_make_packet(net, path, hops, body, packet);
}

void net_put_packet(struct net *net, unsigned store, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                    struct net_asked *asked, uint8_t *packet)
{
  put_packet(net, store, true, id, signature, box, asked, packet);
}

void net_idle_packet(struct net *net, unsigned store, const uint8_t *id, const uint8_t *signature, const uint8_t *box,
                     struct net_asked *asked, uint8_t *packet)
{
  put_packet(net, store, false, id, signature, box, asked, packet);
}

bool net_has_answer(struct net *net, void *arg)
{
  struct net_asked *asked = arg;

  for (size_t i = 0; i < net->client.n_cells; i++) {
    struct tm_cell_view view;
    if (tm_cell_parse(net->client.cells[i], &view) == TM_OK && view.type == TM_CELL_REPLY &&
        memcmp(view.surb_id, asked->surb_id, sizeof asked->surb_id) == 0) {
      memcpy(asked->payload, view.payload, sizeof asked->payload);
      return true;
    }
  }
  return false;
}

enum tm_box_status net_answer_of(struct net *net, struct net_asked *asked, struct tm_box_answer *answer)
{
  net_pump_until(net, net_has_answer, asked);
  assert_int_equal(tm_sphinx_surb_open(net->sphinx, &asked->keys, asked->payload), TM_SPHINX_OK);
  assert_int_equal(tm_box_answer_parse(asked->payload + TM_SPHINX_TAG_LEN, answer), TM_OK);
  return answer->status;
}

void net_send_along(struct net *net, const unsigned *relays)
{
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  uint8_t body[TM_SPHINX_BODY_LEN] = {0}, packet[TM_SPHINX_PACKET_LEN];
  size_t n = net_path(net, path, relays, 0);

  net_make_packet(net, path, n, body, packet);
  net_send(net, packet);
}

bool net_holds_one(struct net *net, void *arg) { return net_snapshot(net, *(unsigned *)arg).held == 1; }
