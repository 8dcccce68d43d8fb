/* Links between good peers: who is let in, what arrives, and in which order. */
#include "config.h"

#include <string.h>

#include <openssl/x509.h>
#include <sodium.h>

#include "base/codec.h"

#include "link_raw.h"

static void test_relay_link(void **state)
{
  struct net net;
  uint8_t identity[32];
  static const uint8_t zero[TM_SPHINX_HANDLE_LEN];

  (void)state;
  net_init(&net, false);
  net_start(&net, false);
  net_up(&net);
  identity_of(dial_seed, identity);
  assert_false(net.a.anonymous);
  assert_memory_equal(net.a.peer, identity, 32);
  identity_of(accept_seed, identity);
  assert_memory_equal(net.d.peer, identity, 32);
  assert_memory_equal(tm_link_handle(net.a.link), zero, sizeof zero);
  assert_memory_equal(tm_link_handle(net.d.link), zero, sizeof zero);
  send_numbered(net.d.link, 0);
  WAIT(&net, net.a.cells == 1);
  assert_true(net.a.in_order);
  assert_int_equal(net.a.judged, 1);
  assert_int_equal(net.d.judged, 0);
  net_end(&net);
  assert_int_equal(net.a.downs, 1);
  assert_int_equal(net.d.downs, 1);
}

static void test_client_link(void **state)
{
  struct net net;
  uint8_t first[TM_SPHINX_HANDLE_LEN];
  uint8_t cell[TM_CELL_LEN], payload[TM_SPHINX_PAYLOAD_LEN] = {7}, surb_id[TM_SPHINX_SURB_ID_LEN] = {8};
  struct tm_cell_view view;

  (void)state;
  net_init(&net, true);
  net_start(&net, true);
  net_up(&net);
  assert_true(net.a.anonymous);
  memcpy(first, tm_link_handle(net.a.link), sizeof first);
  assert_memory_equal(tm_link_handle(net.d.link), first, sizeof first);
  assert_false(sodium_is_zero(first, sizeof first));
  tm_cell_reply(cell, surb_id, payload);
  assert_int_equal(tm_link_send(net.a.link, cell), TM_OK);
  WAIT(&net, net.d.cells == 1);
  assert_int_equal(tm_cell_parse(net.d.last, &view), TM_OK);
  assert_int_equal(view.type, TM_CELL_REPLY);
  assert_memory_equal(view.payload, payload, sizeof payload);
  net_up(&net);
  assert_memory_not_equal(tm_link_handle(net.a.link), first, sizeof first);
  assert_memory_equal(tm_link_handle(net.d.link), tm_link_handle(net.a.link), sizeof first);
  net_end(&net);
}

static void feed(struct ear *ear, struct tm_link *link)
{
  uint32_t *next = ear->arg;
  uint8_t cell[TM_CELL_LEN];

  while (*next < 10000) {
    numbered_cell(cell, *next);
    if (tm_link_send(link, cell) == TM_E_FULL)
      return;
    ++*next;
  }
}

static void test_flood_in_order(void **state)
{
  struct net net;
  uint32_t next = 0;

  (void)state;
  net_init(&net, false);
  net_start(&net, false);
  net_up(&net);
  net.d.arg = &next;
  net.d.on_writable = feed;
  feed(&net.d, net.d.link);
  assert_int_equal(next, net.dial_config.queue_cells);
  WAIT(&net, net.a.cells == 10000);
  assert_true(net.a.in_order);
  assert_true(net.a.calls < 5000);
  assert_true(net.d.writables > 0);
  net_end(&net);
}

/* doc/spec/link.md, section 2.2: the bytes of the vector there. */
static void test_certificate_vector(void **state)
{
  static const char form[] =
    "3081d4308187a003020102020101300506032b657030133111300f06035504030c08746964656d696c6c3020170d"
    "3730303130313030303030305a180f39393939313233313233353935395a30133111300f06035504030c08746964"
    "656d696c6c302a300506032b6570032100"
    "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    "300506032b6570034100"
    "59fbb8f223c0dc5ccdfb39a21cb2d695a6723c9527d88f1f9af1b1e45cb103e0"
    "171680d46ef106083a86312dcb75bb3634b18fafb7a2ab135a49579c63240701";
  struct net net;
  struct raw raw;
  uint8_t seed[32];
  unsigned char *der = NULL;
  char text[2 * 215 + 1];

  (void)state;
  for (size_t i = 0; i < sizeof seed; i++)
    seed[i] = (uint8_t)i;
  net_init(&net, true);
  net.accept_config.identity_seed = seed;
  net_start(&net, true);
  raw_client(&raw, &net, NULL);
  assert_int_equal(i2d_X509(SSL_get0_peer_certificate(raw.ssl), &der), 215);
  assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(raw.ssl)), 1);
  tm_hex_encode(der, 215, text);
  assert_string_equal(text, form);
  OPENSSL_free(der);
  raw_free(&raw);
  net_end(&net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_relay_link),
    cmocka_unit_test(test_client_link),
    cmocka_unit_test(test_flood_in_order),
    cmocka_unit_test(test_certificate_vector),
  };

  return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
