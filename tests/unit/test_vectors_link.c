/*
 * Cells and certificates against the vectors of doc/spec/link.md (tests/vectors/link.json). The file is made by another program from the
 * specification alone.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "link/cell.h"
#include "link/tls.h"
#include "tests/unit/vectors.h"

static json_t *root;

static int error_named(const char *name)
{
  if (strcmp(name, "unknown") == 0)
    return TM_E_UNKNOWN;
  if (strcmp(name, "length") == 0)
    return TM_E_LENGTH;
  assert_string_equal(name, "syntax");
  return TM_E_SYNTAX;
}

/* The fields of the view against the case, and the cell made of them again. */
static void check_cell(const json_t *c, const struct tm_cell_view *view, uint8_t again[TM_CELL_LEN])
{
  switch (view->type) {
  case TM_CELL_PADDING:
    tm_cell_padding(again);
    break;
  case TM_CELL_PACKET:
    vec_assert_bytes(c, "packet", view->packet, TM_SPHINX_PACKET_LEN);
    tm_cell_packet(again, view->packet);
    break;
  case TM_CELL_WELCOME:
    assert_int_equal(view->version, vec_number(c, "version"));
    vec_assert_bytes(c, "handle", view->handle, TM_SPHINX_HANDLE_LEN);
    tm_cell_welcome(again, view->handle);
    break;
  case TM_CELL_REPLY:
    vec_assert_bytes(c, "surb_id", view->surb_id, TM_SPHINX_SURB_ID_LEN);
    vec_assert_bytes(c, "payload", view->payload, TM_SPHINX_PAYLOAD_LEN);
    tm_cell_reply(again, view->surb_id, view->payload);
    break;
  case TM_CELL_DOC_REQUEST:
    vec_assert_bytes(c, "digest", view->digest, TM_CELL_DIGEST_LEN);
    tm_cell_doc_request(again, view->digest);
    break;
  case TM_CELL_DOC_PIECE:
    vec_assert_bytes(c, "digest", view->digest, TM_CELL_DIGEST_LEN);
    assert_int_equal(view->total, vec_number(c, "total"));
    assert_int_equal(view->offset, vec_number(c, "offset"));
    vec_assert_bytes(c, "data", view->data, view->data_len);
    tm_cell_doc_piece(again, view->digest, view->total, view->offset, view->data, view->data_len);
    break;
  }
}

static void test_cells(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "cells"), c) {
    uint8_t cell[TM_CELL_LEN], again[TM_CELL_LEN] = {0};
    struct tm_cell_view view;

    vec_exactly(c, "cell", cell, sizeof cell);
    assert_int_equal(tm_cell_parse(cell, &view), TM_OK);
    assert_int_equal(view.type, vec_number(c, "type"));
    check_cell(c, &view, again);
    assert_memory_equal(again, cell, sizeof cell);
  }
}

static void test_refused(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "refused"), c) {
    uint8_t cell[TM_CELL_LEN];
    struct tm_cell_view view;
    int got, want = error_named(vec_text(c, "error"));

    vec_exactly(c, "cell", cell, sizeof cell);
    got = tm_cell_parse(cell, &view);
    if (got != want)
      fail_msg("%s: %d instead of %d", vec_text(c, "name"), got, want);
  }
}

/* ---- the certificate that a client is shown ---- */

static size_t take(void *arg, uint8_t *out, size_t len)
{
  int n = BIO_read(SSL_get_wbio(arg), out, (int)len);

  return n > 0 ? (size_t)n : 0;
}

static bool put(void *arg, const uint8_t *data, size_t len)
{
  return BIO_write(SSL_get_rbio(arg), data, (int)len) == (int)len;
}

static bool judge(void *arg, const uint8_t *identity)
{
  (void)arg;
  (void)identity;
  return false; /* the client has none */
}

/* A client of plain OpenSSL in memory, that believes anything. */
static SSL *client_new(SSL_CTX *ctx)
{
  SSL *client = SSL_new(ctx);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

  assert_non_null(client);
  assert_non_null(in);
  assert_non_null(out);
  SSL_set_bio(client, in, out);
  SSL_set_connect_state(client);
  return client;
}

static void check_certificate(const json_t *c, const SSL *client)
{
  X509 *shown = SSL_get0_peer_certificate(client);
  uint8_t der[256], identity[TM_TLS_IDENTITY_LEN], *end = der;
  size_t len = sizeof identity;

  assert_non_null(shown);
  assert_in_range(i2d_X509(shown, NULL), 1, sizeof der);
  (void)i2d_X509(shown, &end);
  vec_assert_bytes(c, "certificate", der, (size_t)(end - der));
  assert_int_equal(EVP_PKEY_get_raw_public_key(X509_get0_pubkey(shown), identity, &len), 1);
  vec_assert_bytes(c, "identity", identity, len);
}

static void test_certificates(void **state)
{
  static const struct tm_tls_owner owner = {take, put, judge};
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

  (void)state;
  assert_non_null(ctx);
  EACH_CASE(vec_member(root, "certificates"), c) {
    SSL *client = client_new(ctx);
    struct tm_tls *tls;
    struct tm_tls_session *session;
    uint8_t seed[TM_TLS_IDENTITY_LEN];
    int r = TM_E_NOT_YET;

    vec_exactly(c, "seed", seed, sizeof seed);
    assert_int_equal(tm_tls_new(&tls, seed), TM_OK);
    assert_int_equal(tm_tls_session_new(&session, tls, true, false, &owner, client), TM_OK);
    for (int turns = 0; turns < 4 && (r != TM_OK || SSL_is_init_finished(client) == 0); turns++) {
      (void)SSL_do_handshake(client);
      r = tm_tls_handshake(session);
    }
    assert_int_equal(r, TM_OK);
    check_certificate(c, client);
    tm_tls_session_free(session);
    tm_tls_free(tls);
    SSL_free(client);
  }
  SSL_CTX_free(ctx);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_certificates)};
  int failed;

  root = vec_load("link.json");
  if (root == NULL)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
