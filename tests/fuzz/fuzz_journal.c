/*
 * Journals of replay sets, as a relay finds them after a crash or after somebody had the disk. What the reader gives is compared with a second reader
 * that is written here from the specification (doc/spec/mixing.md, section 4.2); a journal that it refuses stays as it is, and one that it takes can be
 * written and read again.
 *
 * An input is one byte of flags, the header, two marks, and the bytes behind the third block; what the blocks have between them is zero. Flags: 1, 2, 4:
 * header, marks, frames get good MACs, so that their contents are looked at; 8: zeros follow.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include <endian.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "relay/journal.h"

#define EPOCH 41
#define MAGIC "tidemill replay journal\n"
#define MAGIC_LEN (sizeof MAGIC - 1)
#define HEADER_LEN (MAGIC_LEN + 8 + TM_JOURNAL_MAC_LEN)
#define MARK_LEN (16 + TM_JOURNAL_MAC_LEN)
#define PREFIX_LEN (1 + HEADER_LEN + 2 * MARK_LEN)
#define REST_MAX (96 * 1024)
#define FILE_MAX (TM_JOURNAL_FRAMES_AT + REST_MAX + 8192)

enum { SIGN_HEADER = 1, SIGN_MARKS = 2, SIGN_FRAMES = 4, ZEROS = 8 };
enum { HEADER = 0, MARK = 1, FRAME = 2 };

struct tags {
  uint64_t tag[REST_MAX / 8 + 8];
  size_t n;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char path[4096];
static int fd;
static struct tm_journal_keys keys;
static uint8_t file[FILE_MAX], after[FILE_MAX];
static struct tags model, found;

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void remove_file(void) { unlink(path); }

/* In memory if possible: a sync costs nothing there. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  static const uint8_t secret[32] = {1};
  const char *tmp = getenv("TMPDIR");

  (void)argc;
  (void)argv;
  snprintf(path, sizeof path, "/dev/shm/tidemill-fuzz-journal-XXXXXX");
  fd = mkstemp(path);
  if (fd < 0) {
    snprintf(path, sizeof path, "%s/tidemill-fuzz-journal-XXXXXX", tmp != NULL ? tmp : "/tmp");
    fd = mkstemp(path);
  }
  require(fd >= 0 && atexit(remove_file) == 0 && sodium_init() >= 0);
  tm_journal_keys_derive(&keys, secret, EPOCH);
  return 0;
}

/* ---- the format, once more ---- */

static uint64_t be64(const uint8_t *in)
{
  uint64_t v;

  memcpy(&v, in, sizeof v);
  return be64toh(v);
}

static void mac(uint8_t out[static TM_JOURNAL_MAC_LEN], uint8_t kind, const uint8_t *m, size_t len)
{
  crypto_generichash_state state;

  crypto_generichash_init(&state, keys.mac, sizeof keys.mac, TM_JOURNAL_MAC_LEN);
  crypto_generichash_update(&state, &kind, 1);
  crypto_generichash_update(&state, m, len);
  crypto_generichash_final(&state, out, TM_JOURNAL_MAC_LEN);
}

static bool is_good(uint8_t kind, const uint8_t *m, size_t len)
{
  uint8_t want[TM_JOURNAL_MAC_LEN];

  mac(want, kind, m, len);
  return memcmp(want, m + len, sizeof want) == 0;
}

/* Bytes of a frame without its MAC, if its count makes sense and it fits; 0 if not. */
static size_t frame_len(const uint8_t *at, size_t have)
{
  uint32_t n;
  size_t len;

  if (have < TM_JOURNAL_HEAD_LEN)
    return 0;
  memcpy(&n, at + 8, sizeof n);
  n = be32toh(n);
  len = TM_JOURNAL_HEAD_LEN + 8 * (size_t)n;
  return n == 0 || n > TM_JOURNAL_TAGS_MAX || have < len + TM_JOURNAL_MAC_LEN ? 0 : len;
}

static void sign(uint8_t flags, size_t end)
{
  size_t len;

  if ((flags & SIGN_HEADER) != 0)
    mac(file + MAGIC_LEN + 8, HEADER, file, MAGIC_LEN + 8);
  for (size_t block = 1; block <= 2 && (flags & SIGN_MARKS) != 0; block++)
    mac(file + TM_JOURNAL_BLOCK * block + 16, MARK, file + TM_JOURNAL_BLOCK * block, 16);
  for (size_t at = TM_JOURNAL_FRAMES_AT; (flags & SIGN_FRAMES) != 0 && (len = frame_len(file + at, end - at)) > 0; at += len + TM_JOURNAL_MAC_LEN)
    mac(file + at + len, FRAME, file + at, len);
}

/* The input as a file. Returns its length. */
static size_t unpack(const uint8_t *data, size_t len)
{
  size_t end = TM_JOURNAL_FRAMES_AT, rest = len - PREFIX_LEN;

  memset(file, 0, sizeof file);
  memcpy(file, data + 1, HEADER_LEN);
  memcpy(file + TM_JOURNAL_BLOCK, data + 1 + HEADER_LEN, MARK_LEN);
  memcpy(file + 2 * TM_JOURNAL_BLOCK, data + 1 + HEADER_LEN + MARK_LEN, MARK_LEN);
  memcpy(file + end, data + PREFIX_LEN, rest);
  end += rest;
  sign(data[0], end);
  return end + ((data[0] & ZEROS) != 0 ? 8192 : 0);
}

/* All frames that follow each other from the first on. Returns how many, and where they end. */
static uint64_t read_model(size_t size, size_t *end)
{
  uint64_t n = 0;
  size_t len;

  model.n = 0;
  *end = TM_JOURNAL_FRAMES_AT;
  while ((len = frame_len(file + *end, size - *end)) > 0 && be64(file + *end) == n + 1 && is_good(FRAME, file + *end, len)) {
    for (size_t at = *end + TM_JOURNAL_HEAD_LEN; at < *end + len; at += 8) {
      memcpy(&model.tag[model.n], file + at, 8);
      model.tag[model.n] = le64toh(model.tag[model.n]);
      model.n++;
    }
    *end += len + TM_JOURNAL_MAC_LEN;
    n++;
  }
  return n;
}

/* What the file must open as: the header is ours; a mark is good, and none that is says more than there is. (Of two that say the same number, the
 * first one's end counts.) What is behind the frames decides further; that is for the reader alone. */
static int expected(size_t size, uint64_t *frames)
{
  size_t end;
  const uint8_t *best = NULL;

  *frames = read_model(size, &end);
  if (memcmp(file, MAGIC, MAGIC_LEN) != 0 || be64(file + MAGIC_LEN) != EPOCH || !is_good(HEADER, file, MAGIC_LEN + 8))
    return TM_E_AUTH;
  for (size_t block = 1; block <= 2; block++) {
    const uint8_t *mark = file + TM_JOURNAL_BLOCK * block;
    if (is_good(MARK, mark, 16) && (best == NULL || be64(mark) > be64(best)))
      best = mark;
  }
  if (best == NULL || be64(best) > *frames)
    return TM_E_SYNTAX;
  return TM_OK;
}

/* ---- the reader ---- */

static int collect(void *arg, const uint64_t *tags, size_t n)
{
  (void)arg;
  require(n > 0 && n <= TM_JOURNAL_TAGS_MAX && found.n + n <= sizeof found.tag / sizeof found.tag[0]);
  memcpy(found.tag + found.n, tags, n * sizeof *tags);
  found.n += n;
  return TM_OK;
}

static int read_journal(struct tm_journal **j)
{
  found.n = 0;
  return tm_journal_open(j, path, &keys, EPOCH, collect, NULL);
}

static void require_model(void) { require(found.n == model.n && memcmp(found.tag, model.tag, model.n * sizeof model.tag[0]) == 0); }

/* It can be written, and comes back with that. */
static void go_on(struct tm_journal *j)
{
  uint64_t tags[2] = {UINT64_MAX, 5};

  require(tm_journal_room(j) >= TM_JOURNAL_FRAME_MAX && tm_journal_append(j, tags, 2) == TM_OK);
  model.tag[model.n++] = 5;
  model.tag[model.n++] = UINT64_MAX;
  tm_journal_close(j);
  require(read_journal(&j) == TM_OK);
  require_model();
  tm_journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  struct tm_journal *j = NULL;
  uint64_t frames;
  size_t size;
  int want, err;

  if (len < PREFIX_LEN || len > PREFIX_LEN + REST_MAX)
    return 0;
  size = unpack(data, len);
  require(ftruncate(fd, 0) == 0 && pwrite(fd, file, size, 0) == (ssize_t)size);
  want = expected(size, &frames);
  require(tm_journal_probe(path, &keys, EPOCH) == (want == TM_E_AUTH ? TM_E_AUTH : TM_OK));
  err = read_journal(&j);
  require(err == want || (err == TM_E_SYNTAX && want == TM_OK));
  if (err == TM_OK) {
    require_model();
    go_on(j);
    return 0;
  }
  require(j == NULL && pread(fd, after, sizeof after, 0) == (ssize_t)size && memcmp(after, file, size) == 0);
  return 0;
}
