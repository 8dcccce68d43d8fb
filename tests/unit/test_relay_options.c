/* The relay's option table: the sample loads, mistakes are explained, and the manual says what the table says. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "directory/document.h"
#include "relay/options.h"

#define GOOD                                                                                                          \
  "name = mill1\nstate-dir = state\naddress = \"127.0.0.1:4711\"\nroles = {mix}\nlayer = 2\nauthorities = auth\n" \
  "document = doc\n"

static void test_sample_loads(void **state)
{
  struct tm_relay_config config;
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  (void)state;
  assert_non_null(out);
  tm_options_print_sample(&tm_relay_options, out);
  fclose(out);
  assert_int_equal(tm_options_parse(&tm_relay_options, "/etc/relay.conf", text, len, &config, stderr), TM_OK);
  assert_string_equal(config.name, "mill1");
  assert_int_equal(config.packets_max, 65536);
  tm_options_free(&tm_relay_options, &config);
  free(text);
}

static void test_values(void **state)
{
  static const char text[] = GOOD "log-level = debug\nstore-quota-boxes = 7\n";
  struct tm_relay_config config;

  (void)state;
  assert_int_equal(tm_options_parse(&tm_relay_options, "/etc/relay.conf", text, strlen(text), &config, stderr), TM_OK);
  assert_int_equal(config.roles, TM_ROLE_MIX);
  assert_int_equal(config.layer, 2);
  assert_int_equal(config.log_level, TM_LOG_DEBUG);
  assert_int_equal(config.store_quota_boxes, 7);
  assert_null(config.listen);
  assert_null(config.counters_file);
  assert_string_equal(config.document, "/etc/doc");
  tm_options_free(&tm_relay_options, &config);
}

/* The file's text must be refused, in a line that has all of these. */
static void expect_complaint(const char *text, const char *where, const char *what)
{
  struct tm_relay_config config;
  char *said = NULL;
  size_t len = 0;
  FILE *complaints = open_memstream(&said, &len);

  assert_non_null(complaints);
  assert_int_equal(tm_options_parse(&tm_relay_options, "relay.conf", text, strlen(text), &config, complaints), TM_E_SYNTAX);
  fclose(complaints);
  if (strstr(said, where) == NULL || strstr(said, what) == NULL)
    fail_msg("complaint: %s", said);
  free(said);
}

static void test_mistakes(void **state)
{
  (void)state;
  expect_complaint("", "relay.conf", "name");
  expect_complaint(GOOD "workers = 65\n", "relay.conf:8", "workers");
  expect_complaint(GOOD "wrokers = 2\n", "relay.conf:8", "workers"); /* did you mean */
  expect_complaint(GOOD "layer = 2\n", "relay.conf:8", "layer");
  expect_complaint(GOOD "store-file = boxes\n", "relay.conf:8", "only a store");
  expect_complaint(GOOD "packets-max = 1000\nmix-max = 2000\n", "relay.conf:9", "packets-max");
  expect_complaint("name = Mill\nstate-dir = s\naddress = \"127.0.0.1:1\"\nroles = {entry}\nauthorities = a\ndocument = d\n",
                   "relay.conf:1", "a-z");
  expect_complaint("name = mill\nstate-dir = s\naddress = \"127.0.0.1:1\"\nroles = {mix}\nauthorities = a\ndocument = d\n",
                   "relay.conf", "a mix needs a layer");
  expect_complaint("name = mill\nstate-dir = s\naddress = \"127.0.0.1:1\"\nroles = {store}\nlayer = 1\nauthorities = a\ndocument = d\n",
                   "relay.conf:5", "only a mix has a layer");
  expect_complaint("name = mill\nstate-dir = s\naddress = \"localhost:1\"\nroles = {entry}\nauthorities = a\ndocument = d\n",
                   "relay.conf:3", "address");
}

/* tidemill-relay.conf.5 has the table's text word for word. */
static void test_manual(void **state)
{
  static const char begin[] = ".\\\" begin options\n", end[] = ".\\\" end options\n";
  const char *srcdir = getenv("srcdir");
  char path[512], *text = NULL, *from, *to;
  uint8_t *page;
  size_t len = 0, page_len;
  FILE *out = open_memstream(&text, &len);

  (void)state;
  if (srcdir == NULL)
    skip(); /* not run by make check */
  assert_non_null(out);
  tm_options_print_manual(&tm_relay_options, out);
  fclose(out);
  snprintf(path, sizeof path, "%s/doc/man/tidemill-relay.conf.5", srcdir);
  assert_int_equal(tm_file_read(path, 1 << 20, &page, &page_len), TM_OK);
  from = strstr((char *)page, begin);
  to = strstr((char *)page, end);
  assert_true(from != NULL && to != NULL && to > from);
  from += strlen(begin);
  *to = '\0';
  if (strcmp(from, text) != 0)
    fail_msg("doc/man/tidemill-relay.conf.5 does not say what relay/options.c says; copy in what tidemill-relay options --manual prints");
  tm_file_free(page, page_len);
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sample_loads),
    cmocka_unit_test(test_values),
    cmocka_unit_test(test_mistakes),
    cmocka_unit_test(test_manual),
  };

  return cmocka_run_group_tests_name("relay options", tests, NULL, NULL);
}
