/* The store: put-if-absent, quota, expiry, failing disks, damaged files, and kill -9 in the middle of writes. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "base/log.h"
#include "box/request.h"
#include "relay/store.h"
#include "relay/store_db.h"

#define SLAB 600
#define EXPIRY_S 1600

static char path[80];
static struct tm_slab *slab;
static tm_sphinx *sphinx;
static tm_sphinx_key *hop_key;
static tm_sphinx_surb_keys keys_of[SLAB]; /* by item */
static atomic_uint_least64_t wall_s;

static uint64_t mono(void *ctx)
{
  (void)ctx;
  return tm_clock_mono_ms(&tm_clock_system);
}

static uint64_t wall(void *ctx)
{
  (void)ctx;
  return atomic_load(&wall_s) * 1000;
}

static const struct tm_clock the_clock = {mono, wall, NULL};

static int start(void **state)
{
  (void)state;
  tm_log_set_level(TM_LOG_ERROR);
  atomic_store(&wall_s, 1000000);
  snprintf(path, sizeof path, "/tmp/tidemill-test-store-XXXXXX");
  if (mkdtemp(path) == NULL || tm_sphinx_key_new(&hop_key, (const uint8_t *)"a key of thirty-two bytes, longer") != TM_SPHINX_OK)
    return -1;
  strcat(path, "/boxes.db");
  return tm_slab_new(&slab, SLAB) == TM_OK && tm_sphinx_new(&sphinx, NULL, TM_SPHINX_BODY_LEN) == TM_SPHINX_OK ? 0 : -1;
}

static int stop(void **state)
{
  char command[128];

  (void)state;
  tm_slab_free(slab);
  tm_sphinx_free(sphinx);
  tm_sphinx_key_free(hop_key);
  snprintf(command, sizeof command, "rm -rf \"$(dirname '%s')\"", path);
  return system(command);
}

static struct tm_store *open_store(uint64_t quota)
{
  struct tm_store_config config = {.slab = slab, .clock = &the_clock, .path = path, .quota = quota, .queue = 512};
  struct tm_store *s;

  assert_int_equal(tm_store_new(&s, &config), TM_OK);
  tm_store_set_expiry(s, EXPIRY_S);
  tm_store_rearm(s);
  return s;
}

/* ---- requests without signatures: the worker has judged them ---- */

static void id_of(uint64_t i, uint8_t id[static TM_BOX_ID_LEN])
{
  crypto_generichash(id, TM_BOX_ID_LEN, (const uint8_t *)&i, sizeof i, NULL, 0);
}

/* A reply block whose one hop is a key of the test's own. */
static void surb_of(uint32_t index, uint8_t surb[static TM_SPHINX_SURB_LEN])
{
  tm_sphinx_node node = {.identity = {0x11}, .delay_ms = 5};
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], field[TM_SPHINX_HANDLE_LEN + TM_SPHINX_SURB_ID_LEN] = {0};

  tm_sphinx_key_point(hop_key, node.mix_point);
  randombytes_buf(random, sizeof random);
  assert_int_equal(tm_sphinx_surb_create(sphinx, &node, 1, field, field + TM_SPHINX_HANDLE_LEN, random, surb, &keys_of[index]),
                   TM_SPHINX_OK);
}

static uint32_t put_item(uint64_t i, uint8_t filling, bool good)
{
  uint32_t index = tm_slab_take(slab);
  struct tm_item *item;
  uint8_t surb[TM_SPHINX_SURB_LEN], id[TM_BOX_ID_LEN], signature[TM_BOX_SIGNATURE_LEN], box[TM_BOX_LEN];

  assert_int_not_equal(index, TM_SLAB_NONE);
  item = tm_slab_item(slab, index);
  surb_of(index, surb);
  id_of(i, id);
  memset(signature, filling, sizeof signature);
  memset(box, filling, sizeof box);
  tm_box_put_write(item->packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, NULL, surb, id, signature, box);
  item->work_good = true;
  item->box_good = good;
  return index;
}

static uint32_t get_item(uint64_t i)
{
  uint32_t index = tm_slab_take(slab);
  uint8_t surb[TM_SPHINX_SURB_LEN], id[TM_BOX_ID_LEN], filling[TM_BOX_GET_RANDOM_LEN] = {0};

  assert_int_not_equal(index, TM_SLAB_NONE);
  surb_of(index, surb);
  id_of(i, id);
  tm_box_get_write(tm_slab_item(slab, index)->packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, NULL, surb, id, filling);
  return index;
}

/* The answer in an item that came back, opened as its hop and its owner would. */
static enum tm_box_status status_of(uint32_t index, struct tm_box_answer *answer)
{
  struct tm_item *item = tm_slab_item(slab, index);
  uint8_t *packet = item->packet;
  size_t len = TM_SPHINX_PACKET_LEN;
  tm_sphinx_hop hop;

  assert_int_equal(item->drop, TM_DROP_NONE);
  assert_int_equal(item->command, TM_SPHINX_FORWARD);
  assert_int_equal(item->delay_ms, 0);
  assert_int_equal(item->next[0], 0x11);
  assert_int_equal(tm_sphinx_unwrap_headers(sphinx, hop_key, &packet, &len, &hop, 1), 1);
  assert_int_equal(tm_sphinx_unwrap_bodies(sphinx, &packet, &hop, 1), 1);
  assert_int_equal(tm_sphinx_surb_open(sphinx, &keys_of[index], packet + TM_SPHINX_HEADER_LEN), TM_SPHINX_OK);
  assert_int_equal(tm_box_answer_parse(item->packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, answer), TM_OK);
  return answer->status;
}

static void pass(struct tm_store *s, uint32_t *items, size_t n)
{
  size_t got = 0;

  assert_int_equal(tm_store_push(s, items, n), n);
  while (got < n) {
    struct pollfd p = {.fd = tm_store_fd(s), .events = POLLIN};
    assert_true(tm_store_held(s) <= n);
    assert_int_equal(poll(&p, 1, 10000), 1);
    tm_store_rearm(s);
    got += tm_store_pop(s, items + got, n - got);
  }
  assert_int_equal(tm_store_held(s), 0);
}

static enum tm_box_status pass_one(struct tm_store *s, uint32_t index)
{
  struct tm_box_answer answer;
  enum tm_box_status status;

  pass(s, &index, 1);
  status = status_of(index, &answer);
  tm_slab_give(slab, index);
  return status;
}

static void test_put_and_get(void **state)
{
  struct tm_store *s = open_store(100);
  struct tm_box_answer answer;
  struct stat st;
  uint32_t index;

  (void)state;
  assert_int_equal(pass_one(s, get_item(1)), TM_BOX_MISSING);
  assert_int_equal(pass_one(s, put_item(1, 7, true)), TM_BOX_STORED);
  assert_int_equal(pass_one(s, put_item(1, 7, true)), TM_BOX_STORED); /* the same again */
  assert_int_equal(pass_one(s, put_item(1, 8, true)), TM_BOX_CONFLICT);
  assert_int_equal(pass_one(s, put_item(2, 8, false)), TM_BOX_REFUSED);
  assert_int_equal(pass_one(s, get_item(2)), TM_BOX_MISSING);
  index = get_item(1);
  pass(s, &index, 1);
  assert_int_equal(status_of(index, &answer), TM_BOX_FOUND);
  assert_int_equal(answer.box[100], 7);
  assert_int_equal(answer.signature[0], 7);
  assert_int_equal(tm_store_totals(s).boxes, 1);
  assert_int_equal(tm_store_totals(s).conflict, 1);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  tm_store_free(s);
  s = open_store(100); /* still there */
  assert_int_equal(tm_store_totals(s).boxes, 1);
  assert_int_equal(pass_one(s, get_item(1)), TM_BOX_FOUND);
  tm_store_free(s);
}

static void test_malformed(void **state)
{
  struct tm_store *s = open_store(100);
  uint32_t items[3] = {put_item(1, 1, true), tm_slab_take(slab), put_item(2, 1, true)};
  struct tm_box_answer answer;

  (void)state;
  pass(s, items, 3);
  assert_int_equal(status_of(items[0], &answer), TM_BOX_STORED);
  assert_int_equal(tm_slab_item(slab, items[1])->drop, TM_DROP_STORE_MALFORMED);
  assert_int_equal(status_of(items[2], &answer), TM_BOX_STORED);
  tm_store_free(s);
}

static void test_quota(void **state)
{
  struct tm_store *s = open_store(3);
  uint32_t items[5];
  struct tm_box_answer answer;

  (void)state;
  for (uint64_t i = 0; i < 5; i++)
    items[i] = put_item(i, 1, true); /* in one group, too */
  pass(s, items, 5);
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(status_of(items[i], &answer), i < 3 ? TM_BOX_STORED : TM_BOX_FULL);
  assert_int_equal(pass_one(s, put_item(0, 1, true)), TM_BOX_STORED); /* was there */
  assert_int_equal(pass_one(s, put_item(9, 1, true)), TM_BOX_FULL);
  tm_store_free(s);
}

/* Waits until the store has that many boxes. */
static void wait_for_boxes(struct tm_store *s, uint64_t n)
{
  for (int i = 0; tm_store_totals(s).boxes != n; i++) {
    assert_true(i < 800);
    usleep(10000);
  }
}

static void fill(struct tm_store *s, uint64_t from, uint64_t to)
{
  for (uint64_t i = from; i < to; i++)
    assert_int_equal(pass_one(s, put_item(i, 1, true)), TM_BOX_STORED);
}

static uint32_t idle_item(uint64_t i)
{
  uint32_t index = put_item(i, 1, true);

  tm_slab_item(slab, index)->work_good = false;
  return index;
}

/* What it asks for in an answer to a put without work. */
static unsigned asked(struct tm_store *s)
{
  uint32_t index = idle_item(77777);
  struct tm_box_answer answer;

  pass(s, &index, 1);
  assert_int_equal(status_of(index, &answer), TM_BOX_WORK);
  tm_slab_give(slab, index);
  return answer.work;
}

/* With the fill, in the steps of the specification; it takes one step less than it asks for. */
static void test_work_rises(void **state)
{
  struct tm_store *s = open_store(40);

  (void)state;
  assert_int_equal(tm_store_work_taken(s), 0); /* there is no document yet */
  tm_store_set_work(s, 12);
  assert_int_equal(tm_store_work_taken(s), 12);
  assert_int_equal(asked(s), 12);
  fill(s, 0, 19);
  assert_int_equal(tm_store_work_taken(s), 12);
  assert_int_equal(asked(s), 12);
  fill(s, 19, 20);
  assert_int_equal(tm_store_work_taken(s), 12);
  assert_int_equal(asked(s), 13);
  fill(s, 20, 22);
  assert_int_equal(tm_store_work_taken(s), 13);
  assert_int_equal(asked(s), 14);
  fill(s, 22, 36);
  assert_int_equal(tm_store_work_taken(s), 20);
  assert_int_equal(asked(s), 21);
  fill(s, 36, 39);
  assert_int_equal(asked(s), 22);
  assert_int_equal(tm_store_totals(s).work, 6);
  tm_store_free(s);
}

/* A full store keeps every box that it has said STORED to, whatever comes; when they expire there is room. */
static void test_full_keeps_what_it_has(void **state)
{
  struct tm_store *s = open_store(200);
  struct tm_box_answer answer;
  uint32_t items[300];

  (void)state;
  tm_store_set_work(s, 5);
  fill(s, 0, 200);
  for (uint64_t i = 0; i < 300; i++)
    items[i] = i % 2 == 0 ? put_item(1000 + i, 1, true) : idle_item(1000 + i);
  pass(s, items, 300);
  for (size_t i = 0; i < 300; i++) {
    assert_int_equal(status_of(items[i], &answer), TM_BOX_FULL); /* no work is asked for in vain */
    tm_slab_give(slab, items[i]);
  }
  assert_int_equal(pass_one(s, put_item(7, 2, true)), TM_BOX_CONFLICT);
  assert_int_equal(pass_one(s, put_item(7, 1, true)), TM_BOX_STORED); /* its answer was lost, say */
  atomic_store(&wall_s, 1000000 + EXPIRY_S - 1);
  usleep(1500000); /* it had the time to delete some */
  for (uint64_t i = 0; i < 200; i++)
    assert_int_equal(pass_one(s, get_item(i)), TM_BOX_FOUND);
  assert_int_equal(pass_one(s, put_item(5000, 1, true)), TM_BOX_FULL);
  atomic_store(&wall_s, 1000000 + EXPIRY_S + EXPIRY_S / TM_STORE_EXPIRY_STEPS);
  wait_for_boxes(s, 0);
  assert_int_equal(tm_store_work_taken(s), 5);
  assert_int_equal(pass_one(s, put_item(5000, 1, true)), TM_BOX_STORED);
  tm_store_free(s);
}

static void test_expiry(void **state)
{
  struct tm_store *s = open_store(10000);
  struct tm_box_answer answer;
  uint32_t items[500];

  (void)state;
  for (uint64_t i = 0; i < 500; i++)
    items[i] = put_item(i, 1, true);
  pass(s, items, 500);
  for (size_t i = 0; i < 500; i++) {
    assert_int_equal(status_of(items[i], &answer), TM_BOX_STORED);
    tm_slab_give(slab, items[i]);
  }
  atomic_store(&wall_s, 1000000 + EXPIRY_S - 1);
  assert_int_equal(pass_one(s, put_item(9999, 1, true)), TM_BOX_STORED);
  usleep(1500000); /* it had the time to */
  assert_int_equal(tm_store_totals(s).boxes, 501);
  atomic_store(&wall_s, 1000000 + EXPIRY_S + EXPIRY_S / TM_STORE_EXPIRY_STEPS);
  wait_for_boxes(s, 1);
  assert_int_equal(pass_one(s, get_item(7)), TM_BOX_MISSING);
  assert_int_equal(pass_one(s, get_item(9999)), TM_BOX_FOUND);
  assert_int_equal(tm_store_totals(s).expired, 500);
  tm_store_free(s);
}

/* All that the file knows of time is a few steps. */
static void test_times_are_coarse(void **state)
{
  struct tm_store *s = open_store(10000);
  sqlite3 *db;
  sqlite3_stmt *q;

  (void)state;
  for (uint64_t i = 0; i < 20; i++) {
    atomic_store(&wall_s, 1000001 + i);
    assert_int_equal(pass_one(s, put_item(i, 1, true)), TM_BOX_STORED);
  }
  tm_store_free(s);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, "SELECT DISTINCT expires FROM boxes", -1, &q, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(q), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int64(q, 0), 1001700); /* 1001601 to 1001620, in steps of 100 */
  assert_int_equal(sqlite3_step(q), SQLITE_DONE);
  sqlite3_finalize(q);
  assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM boxes", -1, &q, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_column_count(q), 5); /* row, id, signature, box, expires: nothing else is kept */
  sqlite3_finalize(q);
  sqlite3_close(db);
}

static void test_full_disk(void **state)
{
  struct tm_store *s = open_store(100000);
  struct tm_box_answer answer;
  uint32_t items[500];
  size_t failed = 0, stored = 0;

  (void)state;
  assert_int_equal(pass_one(s, put_item(100000, 3, true)), TM_BOX_STORED);
  tm_store_db_limit_pages(tm_store_db_of(s), 20); /* the thread sleeps: nothing was pushed */
  for (uint64_t i = 0; i < 500; i++)
    items[i] = i % 10 == 9 ? get_item(100000) : put_item(i, 1, true);
  pass(s, items, 500);
  for (size_t i = 0; i < 500; i++) {
    enum tm_box_status status = status_of(items[i], &answer);
    if (i % 10 == 9)
      assert_int_equal(status, TM_BOX_FOUND); /* a full disk still reads */
    else {
      assert_true(status == TM_BOX_STORED || status == TM_BOX_FAILED);
      stored += status == TM_BOX_STORED;
      failed += status == TM_BOX_FAILED;
    }
    tm_slab_give(slab, items[i]);
  }
  assert_true(failed > 0);
  assert_int_equal(tm_store_totals(s).boxes, stored + 1);
  tm_store_db_limit_pages(tm_store_db_of(s), 1000000);
  assert_int_equal(pass_one(s, put_item(100001, 3, true)), TM_BOX_STORED); /* room again */
  tm_store_free(s);
}

static int open_anyway(void)
{
  struct tm_store_db *db;
  int err = tm_store_db_open(&db, path);

  tm_store_db_close(db);
  return err;
}

static void overwrite(long at, size_t len)
{
  uint8_t junk[4096];
  int fd = open(path, O_RDWR);

  memset(junk, 0x5a, sizeof junk);
  assert_true(fd >= 0 && len <= sizeof junk);
  assert_int_equal(pwrite(fd, junk, len, at), (ssize_t)len);
  close(fd);
}

static void test_damaged_files(void **state)
{
  struct tm_store *s = open_store(100000);
  sqlite3 *other;

  (void)state;
  for (uint64_t i = 0; i < 60; i++)
    assert_int_equal(pass_one(s, put_item(i, 1, true)), TM_BOX_STORED);
  tm_store_free(s);
  assert_int_equal(open_anyway(), TM_OK);
  overwrite(8192 + 8, 4000); /* a page in the middle */
  assert_int_equal(open_anyway(), TM_E_SYNTAX);
  assert_true(strlen(tm_store_db_reason()) > 0);
  overwrite(0, 100); /* the head */
  assert_int_equal(open_anyway(), TM_E_SYNTAX);
  unlink(path);
  assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "CREATE TABLE cats (name)", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  assert_int_equal(open_anyway(), TM_E_SYNTAX); /* somebody else's, left alone */
  unlink(path);
  assert_int_equal(open_anyway(), TM_OK);
  assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  assert_int_equal(open_anyway(), TM_E_UNKNOWN);
  snprintf(path + strlen(path) - strlen("boxes.db"), 10, "no/x.db");
  assert_int_equal(open_anyway(), TM_E_IO);
  snprintf(path + strlen(path) - strlen("no/x.db"), 10, "boxes.db");
}

/* ---- kill -9 ---- */

/* Puts box after box, and tells of each that was answered STORED through the pipe, after the answer and not before. */
static void write_until_killed(int pipe_fd, uint64_t first)
{
  struct tm_store *s = open_store(UINT32_MAX);
  uint32_t items[40];

  for (uint64_t i = first;; i += 40) {
    struct tm_box_answer answer;
    for (uint64_t j = 0; j < 40; j++)
      items[j] = put_item(i + j, (uint8_t)(i + j), true);
    pass(s, items, 40);
    for (uint64_t j = 0; j < 40; j++) {
      uint64_t number = i + j;
      if (status_of(items[j], &answer) == TM_BOX_STORED && write(pipe_fd, &number, sizeof number) != sizeof number)
        _exit(1);
      tm_slab_give(slab, items[j]);
    }
  }
}

static void test_killed(void **state)
{
  uint64_t answered = 0;

  (void)state;
  for (unsigned round = 0; round < 5; round++) {
    int ends[2];
    pid_t child;
    uint64_t number, last;
    struct tm_store *s;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      close(ends[0]);
      write_until_killed(ends[1], round * 1000000);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &number, sizeof number), sizeof number); /* it is at work */
    last = number;
    usleep(70000 + round * 37000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    s = open_store(UINT32_MAX);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
      struct tm_box_answer answer;
      uint32_t index = get_item(number);
      pass(s, &index, 1);
      assert_int_equal(status_of(index, &answer), TM_BOX_FOUND);
      assert_int_equal(answer.box[0], (uint8_t)number);
      tm_slab_give(slab, index);
      last = number;
      answered++;
      if (answered % 40 > 3) /* a few of each group will do */
        for (int skip = 0; skip < 6; skip++)
          if (read(ends[0], &number, sizeof number) != sizeof number)
            break;
    }
    close(ends[0]);
    assert_true(last >= round * 1000000);
    tm_store_free(s);
  }
  assert_true(answered > 50);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_put_and_get, start, stop),
    cmocka_unit_test_setup_teardown(test_malformed, start, stop),
    cmocka_unit_test_setup_teardown(test_quota, start, stop),
    cmocka_unit_test_setup_teardown(test_expiry, start, stop),
    cmocka_unit_test_setup_teardown(test_work_rises, start, stop),
    cmocka_unit_test_setup_teardown(test_full_keeps_what_it_has, start, stop),
    cmocka_unit_test_setup_teardown(test_times_are_coarse, start, stop),
    cmocka_unit_test_setup_teardown(test_full_disk, start, stop),
    cmocka_unit_test_setup_teardown(test_damaged_files, start, stop),
    cmocka_unit_test_setup_teardown(test_killed, start, stop),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
