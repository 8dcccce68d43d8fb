/* Keys of a relay: files, which live when, and how they die. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/file.h"
#include "base/log.h"
#include "relay/keys.h"
#include "tests/unit/disk_shim.h"

#define EPOCH_S 100
#define GRACE_S 20

static char dir[64];
static struct tm_replay *replay;

static int start(void **state)
{
  (void)state;
  snprintf(dir, sizeof dir, "/tmp/tidemill-test-keys-XXXXXX");
  tm_log_set_level(TM_LOG_ERROR);
  return mkdtemp(dir) != NULL && tm_replay_new(&replay) == TM_OK ? 0 : -1;
}

static int stop(void **state)
{
  char command[96];

  (void)state;
  tm_replay_free(replay);
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  return system(command);
}

static char *file_of(const char *name)
{
  static char path[160];

  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static struct tm_keys *make(void)
{
  struct tm_keys_config config = {.state_dir = dir, .replay = replay, .replay_max = 1000};
  struct tm_keys *keys;

  assert_int_equal(tm_keys_new(&keys, &config), TM_OK);
  return keys;
}

static void make_keys(uint64_t from, uint64_t to)
{
  for (uint64_t e = from; e <= to; e++)
    assert_int_equal(tm_mix_key_make(dir, e, &tm_rng_system), TM_OK);
}

static void test_files(void **state)
{
  struct stat st;
  uint8_t *seed, *data;
  tm_sphinx_key *key;
  uint64_t *epochs;
  size_t n, len;

  (void)state;
  assert_int_equal(tm_identity_load(dir, &seed), TM_E_NOT_FOUND);
  assert_null(seed);
  assert_int_equal(tm_identity_make(dir, &tm_rng_system), TM_OK);
  assert_int_equal(tm_file_read(file_of("identity.key"), 32, &data, &len), TM_OK);
  assert_int_equal(tm_identity_make(dir, &tm_rng_system), TM_E_EXISTS); /* and did not touch it */
  assert_int_equal(tm_identity_load(dir, &seed), TM_OK);
  assert_memory_equal(seed, data, 32);
  sodium_free(seed);
  tm_file_free(data, len);
  assert_int_equal(stat(file_of("identity.key"), &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(chmod(file_of("identity.key"), 0640), 0);
  assert_int_equal(tm_identity_load(dir, &seed), TM_E_AUTH);
  make_keys(12, 12);
  make_keys(7, 7);
  assert_int_equal(tm_mix_key_make(dir, 7, &tm_rng_system), TM_E_EXISTS);
  assert_int_equal(tm_file_write(file_of("mix-007.key"), 0600, "x", 1), TM_OK); /* not names of ours */
  assert_int_equal(tm_file_write(file_of("mix-8.keys"), 0600, "x", 1), TM_OK);
  assert_int_equal(tm_file_write(file_of("mix-99999999999999999999.key"), 0600, "x", 1), TM_OK);
  assert_int_equal(tm_mix_keys_list(dir, &epochs, &n), TM_OK);
  assert_int_equal(n, 2);
  assert_int_equal(epochs[0], 7);
  assert_int_equal(epochs[1], 12);
  free(epochs);
  assert_int_equal(tm_file_write(file_of("mix-13.key"), 0600, "short", 5), TM_OK);
  assert_int_equal(tm_mix_key_load(dir, 13, &key), TM_E_SYNTAX);
  assert_null(key);
  assert_int_equal(tm_mix_key_erase(dir, 7), TM_OK);
  assert_int_equal(tm_mix_key_erase(dir, 7), TM_E_NOT_FOUND);
  assert_int_not_equal(access(file_of("mix-7.key"), F_OK), 0);
}

/* The file's bytes are gone before its name is: a second name of the same file shows it. */
static void test_erasing_overwrites(void **state)
{
  static const uint8_t zeros[32];
  char second[160];
  uint8_t *data;
  size_t len;

  (void)state;
  make_keys(5, 5);
  snprintf(second, sizeof second, "%s/second", dir);
  assert_int_equal(link(file_of("mix-5.key"), second), 0);
  assert_int_equal(tm_mix_key_erase(dir, 5), TM_OK);
  assert_int_equal(tm_file_read(second, 64, &data, &len), TM_OK);
  assert_int_equal(len, 32);
  assert_memory_equal(data, zeros, 32);
  tm_file_free(data, len);
}

static void expect_live(struct tm_keys *keys, size_t n, uint64_t first, uint64_t second)
{
  const struct tm_keyset *set = tm_keys_acquire(keys);

  assert_int_equal(set->n, n);
  if (n > 0)
    assert_int_equal(set->live[0].epoch, first);
  if (n > 1)
    assert_int_equal(set->live[1].epoch, second);
  tm_keys_release(keys, set);
}

static void test_which_live(void **state)
{
  struct tm_keys *keys = make();

  (void)state;
  make_keys(6, 12);
  expect_live(keys, 0, 0, 0);
  assert_int_equal(tm_keys_update(keys, 1000, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 2, 10, 9);
  assert_int_equal(access(file_of("mix-8.key"), F_OK), -1); /* left over from before: over */
  assert_int_equal(access(file_of("mix-6.key"), F_OK), -1);
  assert_int_equal(access(file_of("mix-9.key"), F_OK), 0);
  assert_int_equal(tm_keys_update(keys, 1019, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 2, 10, 9);
  assert_int_equal(tm_keys_update(keys, 1020, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 1, 10, 0);
  assert_int_equal(access(file_of("mix-9.key"), F_OK), -1);
  assert_int_equal(access(file_of("mix-11.key"), F_OK), 0); /* to come */
  assert_int_equal(tm_keys_update(keys, 1100, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 2, 11, 10);
  assert_int_equal(tm_keys_update(keys, 1300, EPOCH_S, GRACE_S), TM_E_NOT_FOUND); /* no key for 13 */
  expect_live(keys, 1, 12, 0);
  assert_int_equal(tm_keys_update(keys, 1330, EPOCH_S, GRACE_S), TM_E_NOT_FOUND);
  expect_live(keys, 0, 0, 0);
  make_keys(13, 13);
  assert_int_equal(tm_keys_update(keys, 1331, EPOCH_S, GRACE_S), TM_OK); /* somebody ran keygen */
  expect_live(keys, 1, 13, 0);
  tm_keys_free(keys);
}

/* A key that goes on living keeps its replay set; a batch that holds old keys may finish with them. */
static void test_handover(void **state)
{
  struct tm_keys *keys = make();
  struct tm_replay_query q = {.tag = {1}};
  const struct tm_keyset *held, *now;

  (void)state;
  make_keys(10, 12);
  assert_int_equal(tm_keys_update(keys, 1050, EPOCH_S, GRACE_S), TM_OK);
  held = tm_keys_acquire(keys);
  q.set = held->live[0].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_NEW);
  assert_int_equal(tm_keys_update(keys, 1100, EPOCH_S, GRACE_S), TM_OK);
  now = tm_keys_acquire(keys);
  assert_ptr_equal(now->live[1].seen, held->live[0].seen);
  q.set = now->live[1].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_KNOWN);
  tm_keys_release(keys, now);
  assert_int_equal(tm_keys_update(keys, 1200, EPOCH_S, GRACE_S), TM_OK);
  assert_int_equal(tm_keys_update(keys, 1230, EPOCH_S, GRACE_S), TM_OK); /* 10 and 11 are over, but held has 10 */
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_KNOWN);
  tm_keys_release(keys, held);
  tm_keys_free(keys);
}

/* A retired key that came back would have forgotten what it has seen. */
static void test_clock_set_back(void **state)
{
  struct tm_keys *keys = make();
  struct tm_replay_query q = {.tag = {1}};
  const struct tm_keyset *set;

  (void)state;
  make_keys(10, 12);
  assert_int_equal(tm_keys_update(keys, 1105, EPOCH_S, GRACE_S), TM_OK);
  set = tm_keys_acquire(keys);
  q.set = set->live[0].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_NEW);
  tm_keys_release(keys, set);
  assert_int_equal(tm_keys_update(keys, 1095, EPOCH_S, GRACE_S), TM_OK); /* over the beginning of 11 */
  expect_live(keys, 2, 11, 10);
  assert_int_equal(tm_keys_update(keys, 1106, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 2, 11, 10);
  set = tm_keys_acquire(keys);
  q.set = set->live[0].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_KNOWN);
  tm_keys_release(keys, set);
  assert_int_equal(tm_keys_update(keys, 1120, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 1, 11, 0);
  tm_keys_free(keys);
}

/* Nor does one whose file could not be erased, or was put back, when a new document lengthens the grace. */
static void test_grace_lengthened(void **state)
{
  struct tm_keys *keys = make();
  uint8_t *data;
  size_t len;

  (void)state;
  make_keys(10, 12);
  assert_int_equal(tm_file_read(file_of("mix-10.key"), 32, &data, &len), TM_OK);
  assert_int_equal(tm_keys_update(keys, 1100, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 2, 11, 10);
  assert_int_equal(tm_keys_update(keys, 1110, EPOCH_S, 2 * GRACE_S), TM_OK);
  expect_live(keys, 2, 11, 10);
  assert_int_equal(tm_keys_update(keys, 1120, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 1, 11, 0);
  assert_int_equal(tm_file_write(file_of("mix-10.key"), 0600, data, len), TM_OK);
  assert_int_equal(tm_keys_update(keys, 1130, EPOCH_S, 2 * GRACE_S), TM_OK);
  expect_live(keys, 1, 11, 0);
  assert_int_equal(tm_keys_update(keys, 1200, EPOCH_S, 2 * GRACE_S), TM_OK);
  expect_live(keys, 2, 12, 11);
  assert_int_not_equal(access(file_of("mix-10.key"), F_OK), 0);
  tm_file_free(data, len);
  tm_keys_free(keys);
}

/* ---- journals ---- */

/* Keys 10 and 11 with something in the journal of 10, closed. */
static void make_used_keys(void)
{
  struct tm_replay_query q = {.tag = {9}};
  struct tm_keys *keys = make();
  const struct tm_keyset *set;

  make_keys(10, 11);
  assert_int_equal(tm_keys_update(keys, 1050, EPOCH_S, GRACE_S), TM_OK);
  set = tm_keys_acquire(keys);
  q.set = set->live[0].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_NEW);
  tm_keys_release(keys, set);
  tm_keys_free(keys);
  tm_replay_free(replay); /* now all is on disk, and closed */
  assert_int_equal(tm_replay_new(&replay), TM_OK);
}

static void spoil(const char *name, off_t at)
{
  FILE *f = fopen(file_of(name), "r+b");
  int byte;

  assert_non_null(f);
  assert_int_equal(fseeko(f, at, SEEK_SET), 0);
  byte = fgetc(f);
  assert_int_equal(fseeko(f, at, SEEK_SET), 0);
  assert_int_not_equal(fputc(byte ^ 1, f), EOF);
  assert_int_equal(fclose(f), 0);
}

/* It lives no more, its files are gone, and it never comes back, even if they do; the next epoch is as ever. */
static void expect_destroyed(void)
{
  struct tm_keys *keys = make();

  assert_int_equal(tm_keys_update(keys, 1050, EPOCH_S, GRACE_S), TM_E_STATE);
  expect_live(keys, 0, 0, 0);
  assert_int_not_equal(access(file_of("mix-10.key"), F_OK), 0);
  assert_int_not_equal(access(file_of("mix-10.seen"), F_OK), 0);
  make_keys(10, 10);
  assert_int_equal(tm_keys_update(keys, 1051, EPOCH_S, GRACE_S), TM_E_STATE);
  expect_live(keys, 0, 0, 0);
  assert_int_equal(tm_keys_update(keys, 1100, EPOCH_S, GRACE_S), TM_OK);
  expect_live(keys, 1, 11, 0);
  tm_keys_free(keys);
}

static void test_sound_journal(void **state)
{
  struct tm_replay_query q = {.tag = {9}};
  struct tm_keys *keys;
  const struct tm_keyset *set;

  (void)state;
  make_used_keys();
  keys = make();
  assert_int_equal(tm_keys_update(keys, 1060, EPOCH_S, GRACE_S), TM_OK);
  set = tm_keys_acquire(keys);
  q.set = set->live[0].seen;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_KNOWN);
  tm_keys_release(keys, set);
  tm_keys_free(keys);
}

static void test_missing_journal(void **state)
{
  (void)state;
  make_used_keys();
  assert_int_equal(unlink(file_of("mix-10.seen")), 0);
  expect_destroyed();
}

static void test_journal_of_another_key(void **state)
{
  uint8_t *data;
  size_t len;

  (void)state;
  make_used_keys();
  assert_int_equal(tm_file_read(file_of("mix-11.seen"), 1 << 20, &data, &len), TM_OK);
  assert_int_equal(tm_file_write(file_of("mix-10.seen"), 0600, data, len), TM_OK);
  tm_file_free(data, len);
  expect_destroyed();
}

static void test_damaged_journal(void **state)
{
  (void)state;
  make_used_keys();
  spoil("mix-10.seen", TM_JOURNAL_FRAMES_AT + TM_JOURNAL_HEAD_LEN); /* its one tag; the last mark says that it is there */
  expect_destroyed();
}

static void test_damaged_header(void **state)
{
  (void)state;
  make_used_keys();
  spoil("mix-10.seen", 0);
  expect_destroyed();
}

/* keygen's view: a journal that is missing or foreign makes a conflict, which erasing solves. */
static void test_making_again(void **state)
{
  (void)state;
  make_used_keys();
  assert_int_equal(tm_mix_key_make(dir, 10, &tm_rng_system), TM_E_EXISTS);
  spoil("mix-10.seen", 0);
  assert_int_equal(tm_mix_key_make(dir, 10, &tm_rng_system), TM_E_CONFLICT);
  assert_int_equal(unlink(file_of("mix-11.seen")), 0);
  assert_int_equal(tm_mix_key_make(dir, 11, &tm_rng_system), TM_E_CONFLICT);
  assert_int_equal(access(file_of("mix-11.key"), F_OK), 0); /* it does not decide that by itself */
  assert_int_equal(tm_mix_key_erase(dir, 10), TM_OK);
  assert_int_equal(tm_mix_key_erase(dir, 11), TM_OK);
  make_keys(10, 11);
  assert_int_equal(tm_mix_key_make(dir, 11, &tm_rng_system), TM_E_EXISTS);
}

/* The disk refuses while the key lives: what was under way is lost, nothing passes any more, and the key is destroyed. */
static void test_unwritable_journal(void **state)
{
  struct tm_keys *keys = make();
  struct tm_replay_query q = {.tag = {1}};
  const struct tm_keyset *set;
  struct stat st;
  uint64_t ticket;

  (void)state;
  make_keys(10, 11);
  assert_int_equal(tm_keys_update(keys, 1050, EPOCH_S, GRACE_S), TM_OK);
  set = tm_keys_acquire(keys);
  q.set = set->live[0].seen;
  for (int i = 0; i < 5000 && (stat(file_of("mix-10.seen"), &st) != 0 || st.st_size < 1 << 20); i++)
    usleep(1000);
  usleep(50000); /* it has got its room: the journal thread is at rest */
  disk_fail_at = disk_calls + 1;
  ticket = tm_replay_check(replay, &q, 1);
  for (int i = 0; i < 5000 && !tm_replay_set_failed(q.set); i++)
    usleep(1000);
  assert_true(tm_replay_set_failed(q.set));
  for (int i = 0; i < 5000 && !tm_replay_lost(replay, ticket); i++)
    usleep(1000);
  assert_true(tm_replay_lost(replay, ticket) && !tm_replay_durable(replay, ticket));
  disk_fail_at = 0;
  q.tag[0] = 2;
  assert_true(tm_replay_check(replay, &q, 1) > 0);
  assert_int_equal(q.verdict, TM_REPLAY_FAILED);
  tm_keys_release(keys, set);
  assert_int_equal(tm_keys_update(keys, 1051, EPOCH_S, GRACE_S), TM_E_STATE);
  expect_live(keys, 0, 0, 0);
  assert_int_not_equal(access(file_of("mix-10.key"), F_OK), 0);
  assert_int_not_equal(access(file_of("mix-10.seen"), F_OK), 0);
  tm_keys_free(keys);
}

static struct tm_keys *shared;
static atomic_bool over;

static void *use(void *arg)
{
  unsigned *errors = arg;

  while (!atomic_load(&over)) {
    const struct tm_keyset *set = tm_keys_acquire(shared);
    uint8_t point[32];
    for (size_t i = 0; i < set->n; i++) {
      struct tm_replay_query q = {.set = set->live[i].seen};
      tm_sphinx_key_point(set->live[i].key, point);
      memcpy(q.tag, point, sizeof q.tag);
      *errors += tm_replay_check(replay, &q, 1) == 0;
    }
    tm_keys_release(shared, set);
  }
  return NULL;
}

static void test_threads(void **state)
{
  pthread_t thread[2];
  unsigned errors[2] = {0};

  (void)state;
  make_keys(10, 40);
  shared = make();
  atomic_store(&over, false);
  for (int t = 0; t < 2; t++)
    assert_int_equal(pthread_create(&thread[t], NULL, use, &errors[t]), 0);
  for (uint64_t now = 1000; now < 4000; now += 15)
    assert_int_equal(tm_keys_update(shared, now, EPOCH_S, GRACE_S), TM_OK);
  atomic_store(&over, true);
  for (int t = 0; t < 2; t++) {
    pthread_join(thread[t], NULL);
    assert_int_equal(errors[t], 0);
  }
  tm_keys_free(shared);
}

/* A document with another length of epochs makes other numbers: every key would seem to be long over. */
static void test_another_epoch_length(void **state)
{
  struct tm_keys_config config = {.state_dir = dir, .replay = replay, .replay_max = 1000};
  struct tm_keys *keys;
  uint32_t noted;

  (void)state;
  make_keys(10, 12);
  assert_int_equal(tm_keys_new(&keys, &config), TM_OK);
  assert_int_equal(tm_epoch_length(dir), 0);
  assert_int_equal(tm_keys_update(keys, 1100, EPOCH_S, GRACE_S), TM_OK);
  assert_int_equal(tm_epoch_length(dir), EPOCH_S);
  expect_live(keys, 2, 11, 10);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(tm_keys_update(keys, 1101, EPOCH_S / 10, GRACE_S / 10), TM_E_CONFLICT);
    expect_live(keys, 0, 0, 0);
  }
  for (unsigned epoch = 10; epoch <= 12; epoch++) {
    char name[32];
    snprintf(name, sizeof name, "mix-%u.key", epoch);
    assert_int_equal(access(file_of(name), F_OK), 0);
    snprintf(name, sizeof name, "mix-%u.seen", epoch);
    assert_int_equal(access(file_of(name), F_OK), 0);
  }
  assert_int_equal(tm_keys_update(keys, 1102, EPOCH_S, GRACE_S), TM_OK); /* the right one again */
  expect_live(keys, 2, 11, 10);
  tm_keys_free(keys);

  /* The same for a relay that starts with the wrong document; and a note that is damaged decides nothing. */
  assert_int_equal(tm_keys_new(&keys, &config), TM_OK);
  assert_int_equal(tm_keys_update(keys, 1103, EPOCH_S * 2, GRACE_S), TM_E_CONFLICT);
  assert_int_equal(tm_epoch_length_keep(dir, EPOCH_S * 2, &noted), TM_E_CONFLICT);
  assert_int_equal(noted, EPOCH_S);
  assert_int_equal(tm_epoch_length_forget(dir), TM_E_STATE);
  assert_int_equal(tm_file_write(file_of("epoch-length"), 0600, "0100\n", 5), TM_OK);
  assert_int_equal(tm_keys_update(keys, 1104, EPOCH_S, GRACE_S), TM_E_SYNTAX);
  expect_live(keys, 0, 0, 0);
  assert_int_equal(access(file_of("mix-10.key"), F_OK), 0);
  tm_keys_free(keys);
  for (unsigned epoch = 10; epoch <= 12; epoch++)
    assert_int_equal(tm_mix_key_erase(dir, epoch), TM_OK);
  assert_int_equal(tm_epoch_length_forget(dir), TM_OK);
  assert_int_equal(tm_epoch_length(dir), 0);
  assert_int_equal(tm_epoch_length_forget(dir), TM_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_files, start, stop),
    cmocka_unit_test_setup_teardown(test_erasing_overwrites, start, stop),
    cmocka_unit_test_setup_teardown(test_which_live, start, stop),
    cmocka_unit_test_setup_teardown(test_handover, start, stop),
    cmocka_unit_test_setup_teardown(test_clock_set_back, start, stop),
    cmocka_unit_test_setup_teardown(test_grace_lengthened, start, stop),
    cmocka_unit_test_setup_teardown(test_sound_journal, start, stop),
    cmocka_unit_test_setup_teardown(test_missing_journal, start, stop),
    cmocka_unit_test_setup_teardown(test_journal_of_another_key, start, stop),
    cmocka_unit_test_setup_teardown(test_another_epoch_length, start, stop),
    cmocka_unit_test_setup_teardown(test_damaged_journal, start, stop),
    cmocka_unit_test_setup_teardown(test_damaged_header, start, stop),
    cmocka_unit_test_setup_teardown(test_making_again, start, stop),
    cmocka_unit_test_setup_teardown(test_unwritable_journal, start, stop),
    cmocka_unit_test_setup_teardown(test_threads, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
