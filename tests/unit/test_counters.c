/* The accounting equation, the file it is written to, and losses that it must notice. */
#include "config.h"

#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "directory/document.h"
#include "relay/counters.h"
#include "sphinx/sphinx.h"

static struct tm_snapshot good(void)
{
  struct tm_snapshot s = {.name = "mill1", .roles = TM_ROLE_MIX | TM_ROLE_STORE, .held = 7, .slab_used = 7};

  s.totals.in_link = 100;
  s.totals.in_own = 10;
  s.totals.in_reply = 5;
  s.totals.out_link = 80;
  s.totals.out_store = 6;
  s.totals.out_client = 1;
  s.totals.out_loop = 1;
  for (int i = 1; i < 21; i++)
    s.totals.drop[i]++;
  return s;
}

static void test_equation(void **state)
{
  struct tm_snapshot s = good();

  (void)state;
  assert_true(tm_snapshot_balanced(&s));
}

/* Each of these is a packet lost, or counted twice. */
static void test_losses_are_noticed(void **state)
{
  struct tm_snapshot s;

  (void)state;
  s = good();
  s.totals.in_link++;
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.totals.out_client--;
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.totals.out_loop++; /* a loop that came home twice */
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.totals.drop[TM_DROP_MAC]++;
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.held--; /* out of every queue, and counted nowhere */
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.slab_used++; /* its memory is not free, and nobody has it */
  assert_false(tm_snapshot_balanced(&s));
  s = good();
  s.totals.drop[TM_DROP_NONE]++;
  s.totals.in_link++;
  assert_false(tm_snapshot_balanced(&s)); /* dropped without a reason */
}

static void test_names(void **state)
{
  (void)state;
  for (unsigned i = 0; i < TM_DROPS; i++) {
    assert_true(strlen(tm_drop_name((enum tm_drop)i)) > 1);
    for (unsigned j = 0; j < i; j++)
      assert_string_not_equal(tm_drop_name((enum tm_drop)i), tm_drop_name((enum tm_drop)j));
  }
  assert_string_equal(tm_drop_name(TM_DROPS), "unknown");
}

static void test_verdicts(void **state)
{
  static const struct {
    int verdict;
    enum tm_drop reason;
  } expected[] = {
    {TM_SPHINX_OK, TM_DROP_NONE},
    {TM_SPHINX_E_LENGTH, TM_DROP_LENGTH},
    {TM_SPHINX_E_NONCANONICAL, TM_DROP_NONCANONICAL},
    {TM_SPHINX_E_LOW_ORDER, TM_DROP_LOW_ORDER},
    {TM_SPHINX_E_MAC, TM_DROP_MAC},
    {TM_SPHINX_E_COMMAND, TM_DROP_COMMAND},
    {TM_SPHINX_E_REPLAY, TM_DROP_REPLAY},
    {TM_SPHINX_E_TAG, TM_DROP_TAG},
  };

  (void)state;
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
    assert_int_equal(tm_drop_of_verdict(expected[i].verdict), expected[i].reason);
}

static json_int_t number(const json_t *root, const char *object, const char *key)
{
  const json_t *value = object == NULL ? json_object_get(root, key) : json_object_get(json_object_get(root, object), key);

  assert_true(json_is_integer(value));
  return json_integer_value(value);
}

static void test_file(void **state)
{
  struct tm_snapshot s = good();
  char path[] = "/tmp/tidemill-test-counters-XXXXXX";
  char temp[sizeof path + 8], other[sizeof path + 8];
  struct stat st;
  json_t *root;
  int fd = mkstemp(path);

  (void)state;
  assert_true(fd >= 0);
  close(fd);
  s.store.get_hit = 3;
  s.client_links = 4;
  s.cover = (struct tm_cover_totals){.home = 8, .alarms = 2, .alarm = true};
  s.refused.n[TM_LINK_REFUSED_FLOOD] = 4;
  s.refused.handshakes = 6;
  s.tagging = (struct tm_tagging_totals){.failures = 9, .alarms = 3, .alarm = true};
  assert_int_equal(tm_snapshot_write(&s, path), TM_OK);
  root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(root);
  assert_string_equal(json_string_value(json_object_get(root, "name")), "mill1");
  assert_int_equal(json_array_size(json_object_get(root, "roles")), 2);
  assert_string_equal(json_string_value(json_array_get(json_object_get(root, "roles"), 1)), "store");
  assert_int_equal(number(root, "in", "link"), 100);
  assert_int_equal(number(root, "out", "client"), 1);
  assert_int_equal(number(root, "out", "loop"), 1);
  assert_int_equal(number(root, "cover", "home"), 8);
  assert_int_equal(number(root, "cover", "alarms"), 2);
  assert_true(json_is_true(json_object_get(json_object_get(root, "cover"), "alarm")));
  assert_true(json_is_false(json_object_get(json_object_get(root, "cover"), "held")));
  assert_int_equal(number(root, "refused", "flood"), 4);
  assert_int_equal(number(root, "links", "handshakes"), 6);
  for (int i = 0; i < TM_LINK_REFUSALS; i++)
    if (i != TM_LINK_REFUSED_FLOOD)
      assert_int_equal(number(root, "refused", tm_link_refusal_name((enum tm_link_refusal)i)), 0);
  assert_int_equal(number(root, "tagging", "failures"), 9);
  assert_int_equal(number(root, "tagging", "alarms"), 3);
  assert_true(json_is_true(json_object_get(json_object_get(root, "tagging"), "alarm")));
  assert_int_equal(number(root, NULL, "held"), 7);
  assert_int_equal(number(root, "drop", "mac"), 1);
  assert_int_equal(json_object_size(json_object_get(root, "drop")), TM_DROPS - 1);
  assert_int_equal(number(root, "store", "get_hit"), 3);
  assert_int_equal(number(root, "links", "clients"), 4);
  assert_true(json_is_true(json_object_get(root, "balanced")));
  json_decref(root);
  /* Not for everybody, and never through a link that somebody has put there. */
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07, 0);
  snprintf(temp, sizeof temp, "%s.new", path);
  snprintf(other, sizeof other, "%s.other", path);
  assert_int_equal(symlink(other, temp), 0);
  s.held++;
  assert_int_equal(tm_snapshot_write(&s, path), TM_OK);
  assert_int_not_equal(access(other, F_OK), 0);
  root = json_load_file(path, 0, NULL);
  assert_true(json_is_false(json_object_get(root, "balanced")));
  json_decref(root);
  unlink(path);
  assert_int_equal(tm_snapshot_write(&s, "/nonexistent/counters.json"), TM_E_IO);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_equation), cmocka_unit_test(test_losses_are_noticed), cmocka_unit_test(test_names),
    cmocka_unit_test(test_verdicts), cmocka_unit_test(test_file),
  };

  return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
