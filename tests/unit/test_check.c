/* What check-config says of files and of capacity, word for word. */
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/file.h"
#include "directory/params.h"
#include "relay/check.h"

static char dir[64];

static int start(void **state)
{
  (void)state;
  snprintf(dir, sizeof dir, "/tmp/tidemill-check-XXXXXX");
  return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int stop(void **state)
{
  char command[96];

  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  return chdir("/") == 0 ? system(command) : -1;
}

static void put(const char *path, mode_t mode, const char *text, size_t len)
{
  assert_int_equal(tm_file_write(path, mode, text, len), 0);
}

static struct tm_relay_config config_of(void)
{
  return (struct tm_relay_config){.name = "mill", .state_dir = "state", .address = "192.0.2.7:4711", .roles = TM_ROLE_ENTRY, .authorities = "auth",
                                  .document = "doc", .max_clients = 100, .replay_max_tags = 1024};
}

static void expect(const struct tm_relay_config *config, bool starts, const char *says)
{
  char *said = NULL;
  size_t len = 0;
  struct tm_check check = {.config = config, .path = "r.conf", .now_s = 1000, .out = open_memstream(&said, &len), .start = starts};

  assert_non_null(check.out);
  tm_check_all(&check);
  fclose(check.out);
  assert_string_equal(said, says);
  assert_int_equal(check.errors > 0, starts ? says[0] != '\0' : check.errors > 0);
  free(said);
}

#define NO_ADDRESS "r.conf:2: this machine has no address 192.0.2.7:4711: write one that it has, like  listen = \"0.0.0.0:4711\"\n"

static void test_files(void **state)
{
  struct tm_relay_config config = config_of();

  (void)state;
  put("r.conf", 0644, "name = mill\naddress = \"192.0.2.7:4711\"\nauthorities = auth\n", 58);
  expect(&config, true,
         "r.conf: state: No such file or directory; make it with  tidemill-relay -c r.conf keygen\n"
         "state/identity.key: there is no identity yet: make one with  tidemill-relay -c r.conf keygen\n"
         "r.conf:3: auth: there is no such file; who runs the network has it\n" NO_ADDRESS);
  assert_int_equal(mkdir("state", 0700), 0);
  put("auth", 0644, "nonsense\n", 9);
  put("state/identity.key", 0644, "0123456789abcdef0123456789abcdef", 32);
  expect(&config, true,
         "state/identity.key: others can read this secret: chmod 600 state/identity.key, and think about who may have it\n"
         "auth: malformed; a verifier key is due on each line, as tidemill-authority keygen prints it\n" NO_ADDRESS);
  put("state/identity.key", 0600, "0123456789abcdef", 16);
  put("auth", 0644, "", 0);
  config.address = "127.0.0.1:0"; /* any */
  expect(&config, true, "state/identity.key: it has not the 32 bytes of a key: remove it and run  tidemill-relay -c r.conf keygen\n"
                        "auth: not found; a verifier key is due on each line, as tidemill-authority keygen prints it\n");
}

static void test_capacity(void **state)
{
  static const struct tm_capacity_speed speed = {.backend = "test", .unwrap_us = 7.5, .rest_us = 2.5};
  struct tm_relay_config config = config_of();
  struct tm_params params;
  struct tm_capacity capacity;
  struct tm_check check = {.config = &config, .path = "no.conf"};
  char *said = NULL;
  size_t len = 0;

  (void)state;
  tm_params_standard(&params);
  params.epoch_s = 3000;
  params.key_grace_s = 1000;
  config.max_clients = 100000;
  config.replay_max_tags = 4000000;
  capacity = tm_capacity_estimate(&speed, 2, &config, &params);
  check.out = open_memstream(&said, &len);
  assert_non_null(check.out);
  tm_check_capacity(&check, &capacity, 64000000);
  fclose(check.out);
  assert_string_equal(said,
    "this machine carries about 160000 packets a second without loss (2 cores, 2 workers; packet crypto test, 7.5 us a packet)\n"
    "that is 3072 Mbit/s each way, and 640000000 replay tags over an epoch and its grace (3000 + 1000 s): 10240 MB of memory\n"
    "replay-max-tags lets 1000 packets a second through all the time, in 64 MB, twice that during the grace\n"
    "no.conf: warning: so many clients make 400000 packets a second, more than this machine carries: write  max-clients = 40000\n"
    "no.conf: warning: the clients that max-clients allows make 400000 packets a second, and this lets 1000 through all the time: write  "
    "replay-max-tags = 1600000000  (25600 MB of memory), or  max-clients = 250\n"
    "no.conf: warning: two keys' tags may take 128 MB, and this machine has 64 MB: write  replay-max-tags = 1000000\n");
  assert_int_equal(check.warnings, 3);
  free(said);
}

static void test_measure(void **state)
{
  struct tm_capacity_speed speed;

  (void)state;
  assert_int_equal(tm_capacity_measure(&speed, 5), 0);
  assert_true(speed.unwrap_us > 0.5 && speed.rest_us > 0.1 && speed.backend[0] != '\0');
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_files, start, stop),
    cmocka_unit_test(test_capacity),
    cmocka_unit_test(test_measure),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("check-config", tests, NULL, NULL);
}
