/*
 * Cells against the vectors of doc/spec/link.md (tests/vectors/link.json). The file is made by another program from the
 * specification alone.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "link/cell.h"
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

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_refused)};
  int failed;

  root = vec_load("link.json");
  if (root == NULL)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
