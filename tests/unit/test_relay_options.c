/* The relay's option table: the sample loads, mistakes are explained. */
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

/* Whole files, and every word that is said about them. */
static void test_whole_files(void **state)
{
  static const struct {
    const char *text, *says;
  } cases[] = {
    {"name = Mill\nstate-dir = s\naddress = \"0.0.0.0:4711\"\nroles = {mix}\nauthorities = a\ndrain-ms = 5s\nmax-client = 5\n",
     "relay.conf:1: \"Mill\" has other characters than a-z, 0-9 and '-', or does not begin with a letter\n"
     "relay.conf:3: address: \"0.0.0.0:4711\" is every address of this machine, and none that others could connect to: announce the one that they "
     "reach, and write  listen = \"0.0.0.0:4711\"\n"
     "relay.conf:4: a mix needs a layer: add \"layer = 1\", 2 or 3\n"
     "relay.conf:6: drain-ms: \"5s\" is no plain number: write 5000 (milliseconds)\n"
     "relay.conf:7: unknown option \"max-client\"; did you mean max-clients?\n"
     "relay.conf: document is missing: add a line like  document = /var/lib/tidemill-relay/document\n"},
    {"name = mill\nstate-dir = s\naddress = \"[::]:4711\"\nroles = {mxi}\nlayer = 4\nauthorities = a\ndocument = d\nreplay-max-tags = 20M\n",
     "relay.conf:3: address: \"[::]:4711\" is every address of this machine, and none that others could connect to: announce the one that they "
     "reach, and write  listen = \"[::]:4711\"\n"
     "relay.conf:4: roles: \"mxi\" is not a list in braces, one or more of entry, mix or store; did you mean mix?\n"
     "relay.conf:5: layer: 4 is too much: write an integer from 1 to 3\n"
     "relay.conf:8: replay-max-tags: \"20M\" is no plain number: write 20000000 (packets)\n"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct tm_relay_config config;
    char *said = NULL;
    size_t len = 0;
    FILE *complaints = open_memstream(&said, &len);

    (void)state;
    assert_non_null(complaints);
    assert_int_equal(tm_options_parse(&tm_relay_options, "relay.conf", cases[i].text, strlen(cases[i].text), &config, complaints), TM_E_SYNTAX);
    fclose(complaints);
    assert_string_equal(said, cases[i].says);
    free(said);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sample_loads),
    cmocka_unit_test(test_values),
    cmocka_unit_test(test_mistakes),
    cmocka_unit_test(test_whole_files),
  };

  return cmocka_run_group_tests_name("relay options", tests, NULL, NULL);
}
