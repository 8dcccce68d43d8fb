/* Cells: what is written comes back, and no other byte is let through. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "link/cell.h"

static uint8_t cell[TM_CELL_LEN];
static uint8_t bytes[TM_CELL_LEN];
static struct tm_cell_view view;

static int set_up(void **state)
{
  (void)state;
  memset(cell, 0xee, sizeof cell);
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(i * 7 + 1);
  return 0;
}

static void expect_head(unsigned type, size_t len)
{
  assert_int_equal(cell[0], type);
  assert_int_equal(cell[1], 0);
  assert_int_equal(cell[2] << 8 | cell[3], len);
  for (size_t i = TM_CELL_HEAD_LEN + len; i < sizeof cell; i++)
    assert_int_equal(cell[i], 0);
  assert_int_equal(tm_cell_parse(cell, &view), TM_OK);
  assert_int_equal(view.type, type);
}

/* Every byte that must be zero, in turn, is not. */
static void expect_refused_beyond(size_t len)
{
  for (size_t i = 0; i < sizeof cell; i++) {
    if (i != 1 && i < TM_CELL_HEAD_LEN + len)
      continue;
    cell[i] ^= 0x80;
    assert_int_equal(tm_cell_parse(cell, &view), TM_E_SYNTAX);
    assert_int_equal(view.type, 0);
    cell[i] ^= 0x80;
  }
}

/* Every other length that a header can say. */
static void expect_one_length(size_t len)
{
  for (size_t n = 0; n <= 0xffff; n++) {
    cell[2] = (uint8_t)(n >> 8);
    cell[3] = (uint8_t)n;
    assert_int_equal(tm_cell_parse(cell, &view), n == len ? TM_OK : TM_E_LENGTH);
  }
}

static void test_padding(void **state)
{
  (void)state;
  tm_cell_padding(cell);
  expect_head(1, 0);
  expect_refused_beyond(0);
  expect_one_length(0);
}

static void test_packet(void **state)
{
  (void)state;
  tm_cell_packet(cell, bytes);
  expect_head(2, 2393);
  assert_memory_equal(view.packet, bytes, TM_SPHINX_PACKET_LEN);
  assert_ptr_equal(view.packet, cell + 4);
  expect_refused_beyond(2393);
  expect_one_length(2393);
}

static void test_welcome(void **state)
{
  (void)state;
  tm_cell_welcome(cell, bytes);
  expect_head(3, 20);
  assert_int_equal(cell[4] << 8 | cell[5], 1);
  assert_int_equal(cell[6] | cell[7], 0);
  assert_int_equal(view.version, TM_LINK_VERSION);
  assert_memory_equal(view.handle, bytes, TM_SPHINX_HANDLE_LEN);
  assert_ptr_equal(view.handle, cell + 8);
  expect_refused_beyond(20);
  for (size_t i = 6; i < 8; i++) {
    cell[i] = 1;
    assert_int_equal(tm_cell_parse(cell, &view), TM_E_SYNTAX);
    cell[i] = 0;
  }
  cell[4] = 9; /* another version is the link's affair */
  assert_int_equal(tm_cell_parse(cell, &view), TM_OK);
  assert_int_equal(view.version, 0x901);
  expect_one_length(20);
}

static void test_reply(void **state)
{
  (void)state;
  tm_cell_reply(cell, bytes + 1, bytes + 100);
  expect_head(4, 2096);
  assert_memory_equal(view.surb_id, bytes + 1, TM_SPHINX_SURB_ID_LEN);
  assert_memory_equal(view.payload, bytes + 100, TM_SPHINX_PAYLOAD_LEN);
  assert_ptr_equal(view.payload, cell + 20);
  expect_refused_beyond(2096);
  expect_one_length(2096);
}

static void test_doc_request(void **state)
{
  (void)state;
  tm_cell_doc_request(cell, bytes);
  expect_head(5, 32);
  assert_memory_equal(view.digest, bytes, TM_CELL_DIGEST_LEN);
  expect_refused_beyond(32);
  expect_one_length(32);
}

static void test_doc_piece(void **state)
{
  (void)state;
  tm_cell_doc_piece(cell, bytes, 100000, 4712, bytes + 40, TM_CELL_DOC_DATA_MAX);
  expect_head(6, TM_CELL_BODY_MAX);
  assert_int_equal(TM_CELL_DOC_DATA_MAX, 2356);
  assert_memory_equal(view.digest, bytes, TM_CELL_DIGEST_LEN);
  assert_int_equal(view.total, 100000);
  assert_int_equal(view.offset, 4712);
  assert_int_equal(view.data_len, 2356);
  assert_memory_equal(view.data, bytes + 40, 2356);
  tm_cell_doc_piece(cell, bytes, 100000, 99990, bytes, 10);
  expect_head(6, 50);
  expect_refused_beyond(50);
  cell[2] = 0;
  cell[3] = 39;
  assert_int_equal(tm_cell_parse(cell, &view), TM_E_LENGTH);
  cell[2] = (2396 + 1) >> 8;
  cell[3] = (2396 + 1) & 0xff;
  assert_int_equal(tm_cell_parse(cell, &view), TM_E_LENGTH);
}

static void test_doc_newest(void **state)
{
  (void)state;
  tm_cell_doc_piece(cell, bytes, 0, 0, NULL, 0);
  expect_head(6, 40);
  assert_int_equal(view.total, 0);
  assert_int_equal(view.data_len, 0);
}

/* A piece that is empty, or not inside its document. */
static void test_doc_piece_outside(void **state)
{
  static const struct {
    uint32_t total, offset;
    size_t len;
    int result;
  } cases[] = {
    {0, 0, 1, TM_E_SYNTAX},
    {0, 1, 0, TM_E_SYNTAX},
    {10, 0, 0, TM_E_SYNTAX},
    {10, 10, 0, TM_E_SYNTAX},
    {10, 10, 1, TM_E_SYNTAX},
    {10, 9, 2, TM_E_SYNTAX},
    {10, 0, 11, TM_E_SYNTAX},
    {10, UINT32_MAX, 2, TM_E_SYNTAX},
    {UINT32_MAX, UINT32_MAX - 1, 2, TM_E_SYNTAX},
    {UINT32_MAX, UINT32_MAX - 1, 1, TM_OK},
    {10, 9, 1, TM_OK},
    {10, 0, 10, TM_OK},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tm_cell_doc_piece(cell, bytes, cases[i].total, cases[i].offset, bytes, cases[i].len);
    assert_int_equal(tm_cell_parse(cell, &view), cases[i].result);
  }
}

static void test_unknown_types(void **state)
{
  (void)state;
  tm_cell_padding(cell);
  for (unsigned type = 0; type < 256; type++) {
    cell[0] = (uint8_t)type;
    assert_int_equal(tm_cell_parse(cell, &view),
                     type == 1 ? TM_OK : type >= 2 && type <= 6 ? TM_E_LENGTH : TM_E_UNKNOWN);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_padding, set_up),
    cmocka_unit_test_setup(test_packet, set_up),
    cmocka_unit_test_setup(test_welcome, set_up),
    cmocka_unit_test_setup(test_reply, set_up),
    cmocka_unit_test_setup(test_doc_request, set_up),
    cmocka_unit_test_setup(test_doc_piece, set_up),
    cmocka_unit_test_setup(test_doc_newest, set_up),
    cmocka_unit_test_setup(test_doc_piece_outside, set_up),
    cmocka_unit_test_setup(test_unknown_types, set_up),
  };

  return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
