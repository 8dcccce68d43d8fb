/* Frames of the daemon's socket: whole, in pieces, and what is none. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "client/protocol.h"

static int feed(struct tm_frames *f, const char *text, size_t len, struct tm_frame *frame, bool *whole, size_t *used)
{
  return tm_frames_take(f, text, len, used, frame, whole);
}

static void test_one_line(void **state)
{
  static const char text[] = "{\"op\":\"status\"}\n{\"op\"";
  struct tm_frames *f = tm_frames_new();
  struct tm_frame frame;
  bool whole;
  size_t used;

  (void)state;
  assert_true(tm_frames_between(f));
  assert_int_equal(feed(f, text, sizeof text - 1, &frame, &whole, &used), TM_OK);
  assert_true(whole);
  assert_int_equal(used, strlen("{\"op\":\"status\"}\n"));
  assert_string_equal(tm_member_text(frame.head, "op"), "status");
  assert_null(frame.body);
  tm_frame_clear(&frame);
  assert_true(tm_frames_between(f));
  assert_int_equal(feed(f, text + used, sizeof text - 1 - used, &frame, &whole, &used), TM_OK);
  assert_false(whole);
  assert_false(tm_frames_between(f));
  tm_frames_free(f);
}

static void test_body_byte_by_byte(void **state)
{
  static const char text[] = "{\"op\":\"send\",\"bytes\":5}\na\0\nbc";
  struct tm_frames *f = tm_frames_new();
  struct tm_frame frame;
  bool whole = false;
  size_t used;

  (void)state;
  for (size_t i = 0; i < sizeof text - 1; i++) {
    assert_false(whole);
    assert_int_equal(feed(f, text + i, 1, &frame, &whole, &used), TM_OK);
    assert_int_equal(used, 1);
  }
  assert_true(whole);
  assert_int_equal(frame.body_len, 5);
  assert_memory_equal(frame.body, "a\0\nbc", 6); /* the NUL behind it as well */
  tm_frame_clear(&frame);
  tm_frames_free(f);
}

static void test_refused(void **state)
{
  static const struct {
    const char *text;
    int err;
  } bad[] = {
    {"\n", TM_E_SYNTAX},
    {"[]\n", TM_E_SYNTAX},
    {"{} {}\n", TM_E_SYNTAX},
    {"{\"a\":1,\"a\":2}\n", TM_E_SYNTAX},
    {"{\"op\":\"\\u0000\"}\n", TM_E_SYNTAX},
    {"{\"op\":\"\xff\"}\n", TM_E_SYNTAX},
    {"{\"bytes\":-1}\n", TM_E_SYNTAX},
    {"{\"bytes\":\"5\"}\n", TM_E_SYNTAX},
    {"{\"bytes\":1.5}\n", TM_E_SYNTAX},
    {"{\"bytes\":99999999999999999999}\n", TM_E_SYNTAX},
    {"{\"bytes\":16777217}\n", TM_E_TOO_BIG},
  };

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct tm_frames *f = tm_frames_new();
    struct tm_frame frame;
    bool whole;
    size_t used;
    assert_int_equal(feed(f, bad[i].text, strlen(bad[i].text), &frame, &whole, &used), bad[i].err);
    assert_false(whole);
    assert_null(frame.head);
    tm_frames_free(f);
  }
}

static void test_long_line(void **state)
{
  struct tm_frames *f = tm_frames_new();
  char chunk[1000];
  struct tm_frame frame;
  bool whole;
  size_t used;
  size_t sum = 0;
  int err = TM_OK;

  (void)state;
  memset(chunk, ' ', sizeof chunk);
  while (err == TM_OK && sum <= TM_CONTROL_LINE_MAX + sizeof chunk) {
    err = feed(f, chunk, sizeof chunk, &frame, &whole, &used);
    sum += used;
  }
  assert_int_equal(err, TM_E_TOO_BIG);
  assert_true(sum <= TM_CONTROL_LINE_MAX);
  tm_frames_free(f);
}

static void test_there_and_back(void **state)
{
  char *line = malloc(TM_CONTROL_LINE_LEN);
  json_t *head = tm_control_error("no-contact", "No contact is called 'b\no'.");
  struct tm_frames *f = tm_frames_new();
  struct tm_frame frame;
  bool whole;
  size_t len;
  size_t used;

  (void)state;
  assert_int_equal(tm_frame_line(head, line, &len), TM_OK);
  assert_int_equal(line[len - 1], '\n');
  assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
  assert_int_equal(feed(f, line, len, &frame, &whole, &used), TM_OK);
  assert_true(whole);
  assert_true(json_equal(head, frame.head));
  assert_false(tm_member_bool(frame.head, "ok"));
  tm_frame_clear(&frame);
  tm_frames_free(f);
  json_decref(head);
  free(line);
}

static void test_line_too_big(void **state)
{
  char *line = malloc(TM_CONTROL_LINE_LEN);
  char *text = malloc(TM_CONTROL_LINE_MAX);
  json_t *head;
  size_t len;

  (void)state;
  memset(text, 'a', TM_CONTROL_LINE_MAX - 1);
  text[TM_CONTROL_LINE_MAX - 1] = '\0';
  head = json_pack("{s:s}", "text", text);
  assert_int_equal(tm_frame_line(head, line, &len), TM_E_TOO_BIG);
  assert_int_equal(len, 0);
  json_decref(head);
  free(text);
  free(line);
}

static void test_members(void **state)
{
  json_t *head = json_pack("{s:i, s:i, s:s, s:b}", "n", 7, "minus", -7, "text", "t", "yes", 1);

  (void)state;
  assert_int_equal(tm_member_number(head, "n", 1), 7);
  assert_int_equal(tm_member_number(head, "minus", 1), 1);
  assert_int_equal(tm_member_number(head, "text", 1), 1);
  assert_int_equal(tm_member_number(NULL, "n", 1), 1);
  assert_null(tm_member_text(head, "n"));
  assert_string_equal(tm_member_text(head, "text"), "t");
  assert_true(tm_member_bool(head, "yes"));
  assert_false(tm_member_bool(head, "n"));
  json_decref(head);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_line),       cmocka_unit_test(test_body_byte_by_byte), cmocka_unit_test(test_refused),
    cmocka_unit_test(test_long_line),      cmocka_unit_test(test_there_and_back),    cmocka_unit_test(test_line_too_big),
    cmocka_unit_test(test_members),
  };

  tm_control_setup();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
