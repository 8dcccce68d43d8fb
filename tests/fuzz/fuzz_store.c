/*
 * A store's files, damaged: the database, its write-ahead log and the log's index. Whatever they hold, the store opens or says why it does not; one that
 * opens reads, writes and expires, or fails, and never gives out a box of another length.
 *
 * An input is a byte that says what the store was like (bit 0: it was killed, with boxes in the log; bit 1: with an index), then changes: a byte (the file, and
 * whether it is cut), a place of three bytes, a length, so many bytes.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"
#include "relay/store_db.h"

#define FILES 3
#define FILE_MAX (1 << 20)
#define BOXES 12
#define EXPIRY_S 4000
#define CUT 0x80 /* bit of a change */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct file {
  uint8_t *bytes;
  size_t len;
};

static char dir[64];
static char path[FILES][96];
static struct file whole[2][FILES]; /* closed well; killed */

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void remove_files(void)
{
  for (size_t i = 0; i < FILES; i++)
    unlink(path[i]);
}

static void leave(void)
{
  remove_files();
  rmdir(dir);
}

static void fill(uint8_t which, uint8_t id[static TM_BOX_ID_LEN], uint8_t signature[static TM_BOX_SIGNATURE_LEN], uint8_t box[static TM_BOX_LEN])
{
  memset(id, which, TM_BOX_ID_LEN);
  memset(signature, which + 1, TM_BOX_SIGNATURE_LEN);
  memset(box, which + 2, TM_BOX_LEN);
}

static int put(struct tm_store_db *db, uint8_t which)
{
  uint8_t id[TM_BOX_ID_LEN], signature[TM_BOX_SIGNATURE_LEN], box[TM_BOX_LEN];

  fill(which, id, signature, box);
  return tm_store_db_put(db, id, signature, box, EXPIRY_S, 16, 1000);
}

static void keep(struct file *files)
{
  for (size_t i = 0; i < FILES; i++)
    if (tm_file_read(path[i], FILE_MAX, &files[i].bytes, &files[i].len) != TM_OK)
      files[i] = (struct file){NULL, 0};
}

/* The store as it is after a kill, and after an end. */
static void make_whole(void)
{
  struct tm_store_db *db;

  require(tm_store_db_open(&db, path[0]) == TM_OK && tm_store_db_begin(db) == TM_OK);
  for (uint8_t i = 0; i < BOXES; i++)
    require(put(db, i) == TM_OK);
  require(tm_store_db_commit(db) == TM_OK);
  keep(whole[1]);
  tm_store_db_close(db);
  keep(whole[0]);
  require(whole[0][0].len > 0 && whole[1][1].len > 0 && whole[1][2].len > 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  static const char *const names[FILES] = {"boxes.db", "boxes.db-wal", "boxes.db-shm"};

  (void)argc;
  (void)argv;
  require(sodium_init() >= 0);
  snprintf(dir, sizeof dir, "%s/tidemill-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  require(mkdtemp(dir) != NULL);
  for (size_t i = 0; i < FILES; i++)
    snprintf(path[i], sizeof path[i], "%s/%s", dir, names[i]);
  atexit(leave);
  make_whole();
  return 0;
}

/* ---- damage ---- */

static void write_out(size_t i, const uint8_t *bytes, size_t len)
{
  int fd = open(path[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
  close(fd);
}

/* What is left of the input after one change. */
static size_t change(struct file files[static FILES], const uint8_t *data, size_t len)
{
  struct file *f = &files[data[0] % FILES];
  size_t at = data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16;
  size_t n = data[4] < len - 5 ? data[4] : len - 5;

  if (f->len > 0) {
    at %= f->len;
    if ((data[0] & CUT) != 0)
      f->len = at;
    else
      memcpy(f->bytes + at, data + 5, n < f->len - at ? n : f->len - at);
  }
  return len - 5 - n;
}

static void damage(const uint8_t *data, size_t len)
{
  const struct file *from = whole[data[0] & 1];
  struct file files[FILES] = {{NULL, 0}};

  for (size_t i = 0; i < FILES; i++) {
    if (from[i].len == 0 || (i == 2 && (data[0] & 2) == 0))
      continue;
    files[i] = (struct file){malloc(from[i].len), from[i].len};
    require(files[i].bytes != NULL);
    memcpy(files[i].bytes, from[i].bytes, from[i].len);
  }
  for (size_t left = len - 1; left >= 5;)
    left = change(files, data + (len - left), left);
  remove_files();
  for (size_t i = 0; i < FILES; i++) {
    if (files[i].bytes != NULL)
      write_out(i, files[i].bytes, files[i].len);
    free(files[i].bytes);
  }
}

/* ---- use ---- */

static void use(struct tm_store_db *db, bool damaged)
{
  uint8_t id[TM_BOX_ID_LEN], signature[TM_BOX_SIGNATURE_LEN], box[TM_BOX_LEN], expected[TM_BOX_LEN], ignored[TM_BOX_SIGNATURE_LEN];
  size_t n;

  for (uint8_t i = 0; i <= BOXES; i++) {
    int r;
    fill(i, id, ignored, expected);
    r = tm_store_db_get(db, id, signature, box);
    require(r == TM_OK || r == TM_E_NOT_FOUND || r == TM_E_IO);
    require(r == TM_OK || (sodium_is_zero(signature, sizeof signature) && sodium_is_zero(box, sizeof box)));
    require(damaged || (i < BOXES ? r == TM_OK && memcmp(box, expected, sizeof box) == 0 : r == TM_E_NOT_FOUND));
  }
  if (tm_store_db_begin(db) == TM_OK) {
    int a = put(db, 2), b = put(db, BOXES + 1);
    require(damaged || (a == TM_E_EXISTS && b == TM_OK));
    if (tm_store_db_commit(db) != TM_OK)
      require(damaged);
  }
  if (tm_store_db_expire(db, EXPIRY_S + 16, &n) != TM_OK)
    require(damaged);
  tm_store_db_checkpoint(db);
  require(damaged || (n == BOXES + 1 && tm_store_db_boxes(db) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct tm_store_db *db;
  int r;

  if (len == 0)
    return 0;
  damage(data, len);
  r = tm_store_db_open(&db, path[0]);
  if (r == TM_OK)
    use(db, len >= 6);
  else {
    require(r == TM_E_SYNTAX || r == TM_E_IO || r == TM_E_UNKNOWN || r == TM_E_NOMEM);
    require(db == NULL && len >= 6);
  }
  tm_store_db_close(db);
  return 0;
}
