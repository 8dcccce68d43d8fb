/* Journals of replay sets: what is written comes back, a torn end is told from damage, and every error of the disk is said. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>

#include "base/file.h"
#include "relay/journal.h"
#include "tests/unit/disk_shim.h"

#define EPOCH 41
#define FILE_MAX (8 << 20)
#define FOUND_MAX 200000

static char dir[64], path[96];
static struct tm_journal_keys keys;
static uint64_t found[FOUND_MAX];
static size_t n_found;

static int collect(void *arg, const uint64_t *tags, size_t n)
{
  (void)arg;
  assert_true(n_found + n <= FOUND_MAX);
  memcpy(found + n_found, tags, n * sizeof *tags);
  n_found += n;
  return TM_OK;
}

static int start(void **state)
{
  uint8_t secret[32] = {1}, fresh[TM_JOURNAL_FRAMES_AT];

  (void)state;
  disk_fail_at = disk_die_at = disk_calls = 0;
  snprintf(dir, sizeof dir, "/tmp/tidemill-test-journal-XXXXXX");
  if (mkdtemp(dir) == NULL)
    return -1;
  snprintf(path, sizeof path, "%s/mix-41.seen", dir);
  tm_journal_keys_derive(&keys, secret, EPOCH);
  tm_journal_fresh(fresh, &keys, EPOCH);
  return tm_file_write(path, 0600, fresh, sizeof fresh);
}

static int stop(void **state)
{
  char command[96];

  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  return system(command);
}

static int try_open(struct tm_journal **j)
{
  n_found = 0;
  return tm_journal_open(j, path, &keys, EPOCH, collect, NULL);
}

static struct tm_journal *must_open(size_t expected)
{
  struct tm_journal *j;

  assert_int_equal(try_open(&j), TM_OK);
  assert_int_equal(n_found, expected);
  return j;
}

static uint64_t tag_of(uint64_t i)
{
  uint64_t v;

  crypto_generichash((uint8_t *)&v, sizeof v, (const uint8_t *)&i, sizeof i, NULL, 0);
  return v;
}

static int append(struct tm_journal *j, uint64_t first, size_t n)
{
  static uint64_t tags[TM_JOURNAL_TAGS_MAX + 1];

  for (size_t i = 0; i < n; i++)
    tags[i] = tag_of(first + i);
  return tm_journal_append(j, tags, n);
}

static int by_value(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

static void expect_tags(uint64_t first, size_t at, size_t n)
{
  static uint64_t tags[TM_JOURNAL_TAGS_MAX];

  for (size_t i = 0; i < n; i++)
    tags[i] = tag_of(first + i);
  qsort(tags, n, sizeof *tags, by_value);
  assert_memory_equal(tags, found + at, n * sizeof *tags); /* sorted within the group */
}

static void test_comes_back(void **state)
{
  static const size_t sizes[] = {1, 2, 3, 1024, TM_JOURNAL_TAGS_MAX, 1, 777};
  struct tm_journal *j = must_open(0);
  uint64_t first = 0;

  (void)state;
  assert_int_equal(append(j, 0, 0), TM_OK);
  for (size_t i = 0; i < 7; i++, first += 10000) {
    unsigned syncs = disk_syncs;
    assert_int_equal(append(j, first, sizes[i]), TM_OK);
    assert_int_equal(disk_syncs, syncs + 1);
  }
  assert_int_equal(append(j, 0, TM_JOURNAL_TAGS_MAX + 1), TM_E_FULL);
  tm_journal_close(j);
  for (int again = 0; again < 2; again++) {
    size_t at = 0;
    j = must_open(1 + 2 + 3 + 1024 + TM_JOURNAL_TAGS_MAX + 1 + 777);
    for (size_t i = 0; i < 7; i++) {
      expect_tags(i * 10000, at, sizes[i]);
      at += sizes[i];
    }
    tm_journal_close(j);
  }
  j = must_open(1 + 2 + 3 + 1024 + TM_JOURNAL_TAGS_MAX + 1 + 777);
  assert_int_equal(append(j, 99, 1), TM_OK); /* and goes on */
  tm_journal_close(j);
  tm_journal_close(must_open(1 + 2 + 3 + 1024 + TM_JOURNAL_TAGS_MAX + 1 + 777 + 1));
}

static void test_grows(void **state)
{
  struct tm_journal *j = must_open(0);
  size_t frames = 0;

  (void)state;
  assert_true(tm_journal_room(j) >= 128 * 1024);
  while (tm_journal_room(j) >= TM_JOURNAL_FRAME_MAX)
    assert_int_equal(append(j, 5000 * frames++, TM_JOURNAL_TAGS_MAX), TM_OK);
  assert_int_equal(append(j, 0, TM_JOURNAL_TAGS_MAX), TM_E_FULL); /* not broken by that */
  assert_int_equal(tm_journal_extend(j), TM_OK);
  while (frames < 40) {
    if (tm_journal_room(j) < TM_JOURNAL_FRAME_MAX)
      assert_int_equal(tm_journal_extend(j), TM_OK);
    assert_int_equal(append(j, 5000 * frames++, TM_JOURNAL_TAGS_MAX), TM_OK);
  }
  tm_journal_close(j);
  tm_journal_close(must_open(40 * TM_JOURNAL_TAGS_MAX));
}

static void test_another_key(void **state)
{
  struct tm_journal_keys other;
  struct tm_journal *j;
  uint8_t secret[32] = {1};

  (void)state;
  tm_journal_keys_derive(&other, secret, EPOCH + 1);
  assert_memory_not_equal(other.tag, keys.tag, sizeof keys.tag);
  assert_memory_not_equal(other.mac, keys.mac, sizeof keys.mac);
  assert_int_equal(tm_journal_open(&j, path, &other, EPOCH, collect, NULL), TM_E_AUTH);
  assert_null(j);
  assert_int_equal(tm_journal_open(&j, path, &keys, EPOCH + 1, collect, NULL), TM_E_AUTH);
  assert_int_equal(tm_journal_probe(path, &other, EPOCH), TM_E_AUTH);
  assert_int_equal(tm_journal_probe(path, &keys, EPOCH), TM_OK);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(try_open(&j), TM_E_NOT_FOUND);
  assert_int_equal(tm_journal_probe(path, &keys, EPOCH), TM_E_NOT_FOUND);
  assert_int_equal(symlink("/dev/null", path), 0);
  assert_int_equal(try_open(&j), TM_E_IO);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(try_open(&j), TM_E_IO);
}

/* ---- damage ---- */

static uint8_t *image;
static size_t image_len;

/* Frames of that many tags each, a mark behind each 64. end[i]: where frame i ends. */
static void make_image(size_t frames, size_t tags, bool stop_well, size_t *end)
{
  struct tm_journal *j = must_open(0);
  uint64_t all = tm_journal_room(j);

  for (size_t i = 0; i < frames; i++) {
    assert_int_equal(append(j, 1000 * i, tags), TM_OK);
    if (end != NULL)
      end[i] = TM_JOURNAL_FRAMES_AT + (size_t)(all - tm_journal_room(j));
  }
  if (!stop_well)
    assert_int_equal(tm_file_read(path, FILE_MAX, &image, &image_len), TM_OK); /* as a crash leaves it */
  tm_journal_close(j);
  if (stop_well)
    assert_int_equal(tm_file_read(path, FILE_MAX, &image, &image_len), TM_OK);
}

static int open_image(size_t len)
{
  struct tm_journal *j;
  int err;

  assert_int_equal(tm_file_write(path, 0600, image, len), TM_OK);
  err = try_open(&j);
  tm_journal_close(j);
  return err;
}

/* Any byte that carries something, after a good end: found. A mark is there twice; the older one does not count. */
static void test_every_byte_counts(void **state)
{
  size_t end[5];

  (void)state;
  make_image(5, 3, true, end);
  for (size_t i = 0; i < end[4]; i++) {
    bool carries = i < 48 || i >= TM_JOURNAL_FRAMES_AT;
    image[i] ^= 0x10;
    if (carries)
      assert_true(open_image(image_len) == TM_E_SYNTAX || open_image(image_len) == TM_E_AUTH);
    image[i] ^= 0x10;
  }
  assert_int_equal(open_image(image_len), TM_OK);
  assert_int_equal(n_found, 15);
  memset(image + TM_JOURNAL_BLOCK, 0, 2 * TM_JOURNAL_BLOCK); /* both marks */
  assert_int_equal(open_image(image_len), TM_E_SYNTAX);
  tm_file_free(image, image_len);
}

/* Cut anywhere after a good end: found, as the last mark says how much there was. */
static void test_cut_after_a_good_end(void **state)
{
  size_t end[5];

  (void)state;
  make_image(5, 3, true, end);
  for (size_t len = 0; len < end[4]; len += len < TM_JOURNAL_FRAMES_AT ? 997 : 1)
    assert_int_not_equal(open_image(len), TM_OK);
  assert_int_equal(open_image(end[4]), TM_OK);
  memset(image + end[3], 0, end[4] - end[3]);
  assert_int_equal(open_image(image_len), TM_E_SYNTAX);
  tm_file_free(image, image_len);
}

/* Without a good end: only the last frame can be taken for torn. */
static void test_torn_or_damaged(void **state)
{
  size_t end[5];

  (void)state;
  make_image(5, 100, false, end);
  for (size_t i = TM_JOURNAL_FRAMES_AT; i < end[4]; i += 13) {
    image[i] ^= 0x10;
    if (i < end[3])
      assert_int_equal(open_image(image_len), TM_E_SYNTAX);
    else {
      assert_int_equal(open_image(image_len), TM_OK);
      assert_int_equal(n_found, 400);
    }
    image[i] ^= 0x10;
  }
  for (size_t len = end[3]; len < end[4]; len += 7) {
    assert_int_equal(open_image(len), TM_OK);
    assert_int_equal(n_found, 400);
  }
  image[end[4] + TM_JOURNAL_FRAME_MAX] = 1; /* further than a torn frame reaches */
  assert_int_equal(open_image(image_len), TM_E_SYNTAX);
  tm_file_free(image, image_len);
}

/* The last mark says that 192 frames were there. */
static void test_marks_in_between(void **state)
{
  static size_t end[200];

  (void)state;
  make_image(200, 1, false, end);
  assert_int_equal(open_image(end[198]), TM_OK); /* the last one torn away */
  assert_int_equal(n_found, 199);
  assert_int_equal(open_image(end[191]), TM_OK);
  assert_int_equal(n_found, 192);
  assert_int_equal(open_image(end[190]), TM_E_SYNTAX);
  memset(image + end[100], 0, image_len - end[100]);
  assert_int_equal(open_image(image_len), TM_E_SYNTAX);
  tm_file_free(image, image_len);
}

/* A torn frame is cleared away, so that nothing of it is taken for damage behind a shorter one later. */
static void test_goes_on_after_a_torn_frame(void **state)
{
  struct tm_journal *j;
  size_t end[2];

  (void)state;
  make_image(2, 1000, false, end);
  image[end[0] + 5000] ^= 1;
  assert_int_equal(tm_file_write(path, 0600, image, image_len), TM_OK);
  tm_file_free(image, image_len);
  j = must_open(1000);
  assert_int_equal(append(j, 77, 1), TM_OK);
  disk_die_at = 0;
  assert_int_equal(disk_crash(path, DISK_DROP, NULL), 0); /* all was synced */
  tm_journal_close(j);
  j = must_open(1001);
  tm_journal_close(j);
}

/* ---- errors of the disk ---- */

static void test_errors_end_it(void **state)
{
  static const int errors[] = {EIO, ENOSPC};

  (void)state;
  for (size_t e = 0; e < 2; e++)
    for (unsigned call = 1; call <= 2; call++) { /* the write, the sync */
      struct tm_journal *j;
      assert_int_equal(stop(NULL), 0);
      assert_int_equal(start(NULL), TM_OK);
      j = must_open(0);
      assert_int_equal(append(j, 1, 10), TM_OK);
      disk_errno = errors[e];
      disk_fail_at = disk_calls + call;
      assert_int_equal(append(j, 100, 10), TM_E_IO);
      disk_fail_at = 0;
      assert_int_equal(append(j, 200, 10), TM_E_IO); /* never again: what is on disk is not known */
      tm_journal_close(j);
      assert_true(disk_crash(path, DISK_DROP, NULL) >= 0);
      tm_journal_close(must_open(10));
    }
}

static void test_full_disk(void **state)
{
  struct tm_journal *j = must_open(0);
  uint64_t room = tm_journal_room(j);

  (void)state;
  disk_errno = ENOSPC;
  disk_fail_at = disk_calls + 1;
  assert_int_equal(tm_journal_extend(j), TM_E_FULL);
  disk_fail_at = disk_calls + 5;
  assert_int_equal(tm_journal_extend(j), TM_E_FULL);
  disk_fail_at = 0;
  assert_int_equal(tm_journal_room(j), room);
  assert_int_equal(append(j, 1, 100), TM_OK);
  assert_int_equal(tm_journal_extend(j), TM_OK);
  disk_errno = EIO;
  disk_fail_at = disk_calls + 1;
  assert_int_equal(tm_journal_extend(j), TM_E_IO);
  disk_fail_at = 0;
  assert_int_equal(append(j, 1, 100), TM_E_IO);
  tm_journal_close(j);
  tm_journal_close(must_open(100));
}

/* Opening makes changes, too: every one of them may fail, and the next time all is there. */
static void test_errors_while_opening(void **state)
{
  size_t end[3];

  (void)state;
  make_image(3, 500, false, end);
  image[end[1] + 100] ^= 1;
  for (unsigned call = 1;; call++) {
    struct tm_journal *j;
    int err;
    assert_int_equal(tm_file_write(path, 0600, image, image_len), TM_OK);
    disk_errno = EIO;
    disk_fail_at = disk_calls + call;
    err = try_open(&j);
    disk_fail_at = 0;
    tm_journal_close(j);
    if (err == TM_OK) {
      assert_true(call > 4);
      break;
    }
    assert_int_equal(err, TM_E_IO);
    assert_null(j);
    assert_true(disk_crash(path, DISK_TEAR, &tm_rng_system) >= 0);
    tm_journal_close(must_open(1000));
  }
  tm_file_free(image, image_len);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_comes_back, start, stop),
    cmocka_unit_test_setup_teardown(test_grows, start, stop),
    cmocka_unit_test_setup_teardown(test_another_key, start, stop),
    cmocka_unit_test_setup_teardown(test_every_byte_counts, start, stop),
    cmocka_unit_test_setup_teardown(test_cut_after_a_good_end, start, stop),
    cmocka_unit_test_setup_teardown(test_torn_or_damaged, start, stop),
    cmocka_unit_test_setup_teardown(test_marks_in_between, start, stop),
    cmocka_unit_test_setup_teardown(test_goes_on_after_a_torn_frame, start, stop),
    cmocka_unit_test_setup_teardown(test_errors_end_it, start, stop),
    cmocka_unit_test_setup_teardown(test_full_disk, start, stop),
    cmocka_unit_test_setup_teardown(test_errors_while_opening, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
