/* Our listener against peers that do everything wrong. */
#include "config.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "link_raw.h"

static struct net net;
static struct raw raw;

static int set_up(void **state)
{
  (void)state;
  net_init(&net, true);
  memset(&raw, 0, sizeof raw);
  raw.fd = -1;
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  raw_free(&raw);
  net_end(&net);
  return 0;
}

static void start(bool want_anonymous) { net_start(&net, want_anonymous); }

/* Nobody has heard of that peer, and its place is free again. */
static void expect_unheard(void)
{
  raw_wait_closed(&raw);
  run_for(&net, 10);
  assert_int_equal(net.a.ups, 0);
  assert_int_equal(net.a.downs, 0);
  raw_free(&raw);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.ups == 1);
}

/* ---- before and during the handshake ---- */

static void test_garbage_instead_of_tls(void **state)
{
  static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

  (void)state;
  net.accept_config.max_links = 1;
  start(true);
  raw_connect(&raw, &net);
  raw_send_plain(&raw, text, sizeof text);
  expect_unheard();
}

static void test_huge_record(void **state)
{
  static uint8_t record[70000] = {0x16, 0x03, 0x01, 0xff, 0xff, 0x01};

  (void)state;
  start(true);
  raw_connect(&raw, &net);
  raw_send_plain(&raw, record, sizeof record);
  expect_unheard();
}

/* A hello that goes on and on, in good records: cut off long before the time-out. */
static void test_endless_hello(void **state)
{
  static uint8_t record[5 + 16000] = {0x16, 0x03, 0x01, 16000 >> 8, 16000 & 0xff, 0x01, 0x01, 0xff, 0xff, 0x03, 0x03};
  uint64_t began = real_ms();

  (void)state;
  start(true);
  raw_connect(&raw, &net);
  for (int i = 0; i < 4; i++)
    raw_send_plain(&raw, record, sizeof record);
  raw_wait_closed(&raw);
  assert_true(real_ms() - began < net.accept_config.handshake_ms / 2);
  expect_unheard();
}

static void test_half_open(void **state)
{
  (void)state;
  net.accept_config.handshake_ms = 100;
  net.accept_config.max_links = 1;
  start(true);
  raw_connect(&raw, &net);
  expect_unheard();
}

/* The timer is absolute: bytes now and then do not move it. */
static void test_slow_hello(void **state)
{
  static const uint8_t hello[] = {0x16, 0x03, 0x01, 0x20, 0x00, 0x01, 0x00, 0x10};
  uint64_t began = real_ms();

  (void)state;
  net.accept_config.handshake_ms = 150;
  start(true);
  raw_connect(&raw, &net);
  for (size_t i = 0; i < sizeof hello; i++) {
    raw_send_plain(&raw, hello + i, 1);
    run_for(&net, 40);
  }
  raw_wait_closed(&raw);
  assert_true(real_ms() - began >= 150);
  expect_unheard();
}

static void test_tls12(void **state)
{
  SSL_CTX *ctx = raw_context(false, dial_seed);

  (void)state;
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  start(true);
  raw_connect(&raw, &net);
  raw_tls(&raw, &net, raw.fd, ctx, false);
  assert_int_not_equal(raw_handshake(&raw), 1);
  expect_unheard();
}

static void test_missing_certificate(void **state)
{
  (void)state;
  start(false);
  raw_client(&raw, &net, NULL);
  expect_unheard();
  assert_int_equal(net.a.judged, 1); /* by the good one afterwards */
}

static void test_anonymous_refused(void **state)
{
  (void)state;
  net.a.allow_anonymous = false;
  start(true);
  raw_client(&raw, &net, NULL);
  raw_wait_closed(&raw);
  assert_int_equal(net.a.judged, 1);
  expect_unheard();
}

static void test_relay_refused(void **state)
{
  uint8_t byte;

  (void)state;
  net.a.allow_relays = false;
  start(false);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.judged == 1);
  run_for(&net, 10);
  ERR_clear_error();
  assert_true(SSL_read(raw.ssl, &byte, 1) <= 0);
  assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
  net.a.allow_relays = true;
  expect_unheard();
}

static void test_no_judge(void **state)
{
  struct tm_link_events events = ear_events;
  struct tm_link_listener *listener;
  struct sockaddr_storage addr;
  socklen_t len;

  (void)state;
  events.judge = NULL;
  start(true);
  assert_int_equal(tm_link_address_parse("127.0.0.1:0", &addr, &len), TM_OK);
  assert_int_equal(tm_link_listen(net.acceptor, (struct sockaddr *)&addr, len, true, &events, &net.a, &listener),
                   TM_OK);
  for (int i = 0; i < 2; i++) {
    ((struct sockaddr_in *)&net.addr)->sin_port = htons(tm_link_listener_port(listener));
    raw_client(&raw, &net, i == 0 ? NULL : dial_seed);
    raw_wait_closed(&raw);
    assert_int_equal(net.a.ups, 0);
    assert_int_equal(net.a.judged, 0);
    raw_free(&raw);
  }
}

static SSL_CTX *p256_client(void)
{
  SSL_CTX *ctx = raw_context(false, NULL);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = raw_certificate(key);

  assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
  X509_free(cert);
  EVP_PKEY_free(key);
  return ctx;
}

static void test_other_key_type(void **state)
{
  (void)state;
  start(false);
  raw_connect(&raw, &net);
  raw_tls(&raw, &net, raw.fd, p256_client(), false);
  raw_handshake(&raw);
  raw_wait_closed(&raw);
  assert_int_equal(net.a.judged, 0);
  expect_unheard();
}

/* Good certificates, but more than the one. */
static void send_chain(int extra)
{
  SSL_CTX *ctx = raw_context(false, dial_seed);
  EVP_PKEY *key = raw_ed25519(other_seed);

  for (int i = 0; i < extra; i++)
    assert_int_equal(SSL_CTX_add_extra_chain_cert(ctx, raw_certificate(key)), 1);
  EVP_PKEY_free(key);
  raw_connect(&raw, &net);
  raw_tls(&raw, &net, raw.fd, ctx, false);
  raw_handshake(&raw);
  raw_wait_closed(&raw);
  assert_int_equal(net.a.judged, 0);
}

static void test_certificate_chain(void **state)
{
  (void)state;
  start(false);
  send_chain(1);
  raw_free(&raw);
  send_chain(20);
  expect_unheard();
}

/* One good certificate, but a fat one. */
static void test_fat_certificate(void **state)
{
  static char text[10000];
  SSL_CTX *ctx = raw_context(false, NULL);
  EVP_PKEY *key = raw_ed25519(dial_seed);
  X509 *cert = raw_certificate(key);
  ASN1_IA5STRING *comment = ASN1_IA5STRING_new();

  (void)state;
  memset(text, 'x', sizeof text - 1);
  ASN1_STRING_set(comment, text, sizeof text - 1);
  assert_int_equal(X509_add1_ext_i2d(cert, NID_netscape_comment, comment, 0, 0), 1);
  ASN1_IA5STRING_free(comment);
  assert_true(X509_sign(cert, key, NULL) > 0);
  assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
  X509_free(cert);
  EVP_PKEY_free(key);
  start(false);
  raw_connect(&raw, &net);
  raw_tls(&raw, &net, raw.fd, ctx, false);
  raw_handshake(&raw);
  raw_wait_closed(&raw);
  assert_int_equal(net.a.judged, 0);
  expect_unheard();
}

/* ---- no way back into a session ---- */

static void test_no_resumption(void **state)
{
  uint8_t cell[TM_CELL_LEN];
  SSL_SESSION *session;

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  raw_read_cell(&raw, cell);
  assert_int_equal(cell[0], TM_CELL_WELCOME);
  assert_int_equal(raw.tickets, 0);
  session = SSL_get1_session(raw.ssl);
  assert_int_equal(SSL_SESSION_is_resumable(session), 0);
  raw_free(&raw);
  raw_connect(&raw, &net);
  raw_tls(&raw, &net, raw.fd, raw_context(false, NULL), false);
  SSL_set_session(raw.ssl, session);
  assert_int_equal(raw_handshake(&raw), 1);
  assert_int_equal(SSL_session_reused(raw.ssl), 0);
  raw_read_cell(&raw, cell);
  SSL_SESSION_free(session);
}

/* ---- after the handshake ---- */

static void update_keys(int times)
{
  for (int i = 0; i < times; i++) {
    if (SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED) != 1)
      return;
    ERR_clear_error();
    if (SSL_do_handshake(raw.ssl) != 1)
      return;
    run_once(&net);
  }
}

static void test_some_key_updates(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  start(true);
  raw_client(&raw, &net, dial_seed);
  raw_read_cell(&raw, cell);
  update_keys(8);
  numbered_cell(cell, 0);
  assert_true(raw_write(&raw, cell, sizeof cell));
  WAIT(&net, net.a.cells == 1);
  assert_true(net.a.in_order);
  send_numbered(net.a.link, 0); /* also outwards, under the new keys */
  raw_read_cell(&raw, cell);
  assert_true(raw.key_updates > 0);
}

static void test_key_update_flood(void **state)
{
  (void)state;
  start(true);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.ups == 1);
  update_keys(60);
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_SYNTAX);
}

static void test_garbage_after_tls(void **state)
{
  static const uint8_t record[40] = {0x17, 0x03, 0x03, 0x00, 0x23};

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  WAIT(&net, net.a.ups == 1);
  raw_send_plain(&raw, record, sizeof record);
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_SYNTAX);
  assert_int_equal(net.a.cells, 0);
}

static const uint8_t zeros[TM_SPHINX_PACKET_LEN];

static void make_bad_cell(uint8_t cell[TM_CELL_LEN], int kind)
{
  static const uint8_t one[1];

  tm_cell_padding(cell);
  switch (kind) {
  case 0: cell[0] = 7; break;
  case 1: cell[0] = 0; break;
  case 2: cell[1] = 1; break;
  case 3: cell[TM_CELL_LEN - 1] = 1; break;
  case 4: cell[3] = 1; break;
  case 5: tm_cell_welcome(cell, zeros); break;
  case 6: tm_cell_reply(cell, zeros, zeros); break;
  case 7: tm_cell_doc_piece(cell, zeros, 5, 0, one, 1); break;
  case 8: tm_cell_doc_request(cell, zeros); break; /* from a relay */
  default: break;
  }
}

#define BAD_KINDS 9

/* Two good cells, padding between, a bad one, and one that must not be seen. */
static void test_bad_cells(void **state)
{
  uint8_t cells[5 * TM_CELL_LEN];

  (void)state;
  start(true);
  for (int kind = 0; kind < BAD_KINDS; kind++) {
    ear_init(&net.a);
    net.a.allow_relays = net.a.allow_anonymous = true;
    raw_client(&raw, &net, kind == 8 ? dial_seed : NULL);
    numbered_cell(cells, 0);
    tm_cell_padding(cells + TM_CELL_LEN);
    numbered_cell(cells + 2 * TM_CELL_LEN, 1);
    make_bad_cell(cells + 3 * TM_CELL_LEN, kind);
    numbered_cell(cells + 4 * TM_CELL_LEN, 2);
    raw_write(&raw, cells, sizeof cells);
    WAIT(&net, net.a.downs == 1);
    assert_int_equal(net.a.reason, TM_E_SYNTAX);
    assert_int_equal(net.a.cells, 2);
    assert_true(net.a.in_order);
    raw_free(&raw);
  }
}

static void test_client_may_ask_for_document(void **state)
{
  uint8_t cell[TM_CELL_LEN];

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  tm_cell_doc_request(cell, zeros);
  assert_true(raw_write(&raw, cell, sizeof cell));
  WAIT(&net, net.a.cells == 1);
  assert_int_equal(net.a.last[0], TM_CELL_DOC_REQUEST);
}

/* Records of one byte each, and cells that begin and end anywhere. */
static void test_tiny_records(void **state)
{
  uint8_t cells[2 * TM_CELL_LEN];

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  numbered_cell(cells, 0);
  numbered_cell(cells + TM_CELL_LEN, 1);
  for (size_t i = 0; i < TM_CELL_LEN; i++) {
    ERR_clear_error();
    assert_int_equal(SSL_write(raw.ssl, cells + i, 1), 1);
    if (i % 8 == 0)
      run_once(&net);
  }
  assert_true(raw_write(&raw, cells + TM_CELL_LEN, 1000));
  assert_true(raw_write(&raw, cells + TM_CELL_LEN + 1000, TM_CELL_LEN - 1000));
  WAIT(&net, net.a.cells == 2);
  assert_true(net.a.in_order);
}

static void test_silence(void **state)
{
  uint64_t began;

  (void)state;
  net.accept_config.idle_ms = 150;
  start(true);
  raw_client(&raw, &net, NULL);
  WAIT(&net, net.a.ups == 1);
  began = real_ms();
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_TIMEOUT);
  assert_in_range(real_ms() - began, 100, 3000);
}

/* Less than a cell does not count as life. */
static void test_trickle_is_silence(void **state)
{
  static const uint8_t byte[1] = {TM_CELL_PADDING};

  (void)state;
  net.accept_config.idle_ms = 150;
  start(true);
  raw_client(&raw, &net, NULL);
  WAIT(&net, net.a.ups == 1);
  for (int i = 0; i < 50 && net.a.downs == 0; i++) {
    SSL_write(raw.ssl, i == 0 ? byte : zeros, 1);
    run_for(&net, 20);
  }
  assert_int_equal(net.a.downs, 1);
  assert_int_equal(net.a.reason, TM_E_TIMEOUT);
}

static void test_never_reads(void **state)
{
  uint8_t cell[TM_CELL_LEN];
  int r = TM_OK;
  size_t sent = 0;
  uint64_t began;

  (void)state;
  net.accept_config.stall_ms = 200;
  net.accept_config.queue_cells = 32;
  start(true);
  raw_client(&raw, &net, dial_seed);
  WAIT(&net, net.a.ups == 1);
  while (net.a.downs == 0 && sent < 20000) {
    numbered_cell(cell, (uint32_t)sent);
    r = tm_link_send(net.a.link, cell);
    assert_true(tm_link_queued(net.a.link) <= 32);
    if (r == TM_E_FULL)
      break;
    assert_int_equal(r, TM_OK);
    sent++;
    if (sent % 16 == 0)
      run_once(&net);
  }
  assert_int_equal(r, TM_E_FULL);
  began = real_ms();
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.reason, TM_E_TIMEOUT);
  assert_in_range(real_ms() - began, 100, 5000);
}

/* The end comes behind the last record, however close. */
static void test_last_cells_before_end(void **state)
{
  uint8_t cells[30 * TM_CELL_LEN];

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  WAIT(&net, net.a.ups == 1);
  for (uint32_t i = 0; i < 30; i++)
    numbered_cell(cells + i * TM_CELL_LEN, i);
  for (size_t at = 0; at < sizeof cells;) {
    int n = SSL_write(raw.ssl, cells + at, (int)(sizeof cells - at));
    at += n > 0 ? (size_t)n : 0;
    if (n <= 0)
      run_once(&net);
  }
  shutdown(raw.fd, SHUT_WR);
  WAIT(&net, net.a.downs == 1);
  assert_int_equal(net.a.cells, 30);
  assert_true(net.a.in_order);
  assert_int_equal(net.a.reason, TM_E_CLOSED);
}

/* The quiet one's cell, and how many of the other's came before it. */
static size_t came_before;

static void note_request(struct ear *ear, struct tm_link *link)
{
  (void)link;
  if (ear->last[0] == TM_CELL_DOC_REQUEST && came_before == 0)
    came_before = ear->cells;
}

/* One who floods gets his share of a turn, then it is the next one's. */
static void test_flood_does_not_starve(void **state)
{
  static uint8_t flood[100 * TM_CELL_LEN];
  struct raw other;
  int written = 0;

  (void)state;
  start(true);
  raw_client(&raw, &net, NULL);
  raw_client(&other, &net, NULL);
  WAIT(&net, net.a.ups == 2);
  net.a.on_cells = note_request;
  came_before = 0;
  for (uint32_t i = 0; i < 100; i++)
    numbered_cell(flood + i * TM_CELL_LEN, i);
  for (int n = 1; n > 0 && written < 20 * (int)sizeof flood; written += n)
    n = SSL_write(raw.ssl, flood, sizeof flood);
  assert_true(written > 400 * TM_CELL_LEN);
  tm_cell_doc_request(flood, zeros);
  assert_int_equal(SSL_write(other.ssl, flood, TM_CELL_LEN), TM_CELL_LEN);
  WAIT(&net, came_before > 0);
  raw_free(&other);
  assert_in_range(came_before, 1, 240);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(test_garbage_instead_of_tls), TEST(test_huge_record), TEST(test_endless_hello), TEST(test_half_open),
    TEST(test_slow_hello), TEST(test_tls12), TEST(test_missing_certificate), TEST(test_anonymous_refused),
    TEST(test_relay_refused), TEST(test_no_judge), TEST(test_other_key_type), TEST(test_certificate_chain),
    TEST(test_fat_certificate), TEST(test_no_resumption), TEST(test_some_key_updates),
    TEST(test_key_update_flood), TEST(test_garbage_after_tls), TEST(test_bad_cells),
    TEST(test_client_may_ask_for_document), TEST(test_tiny_records), TEST(test_silence),
    TEST(test_trickle_is_silence), TEST(test_never_reads), TEST(test_last_cells_before_end),
    TEST(test_flood_does_not_starve),
  };

  return cmocka_run_group_tests_name("link against hostile clients", tests, NULL, NULL);
}
