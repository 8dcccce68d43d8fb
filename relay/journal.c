#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "relay/journal.h"

#define MAGIC "tidemill replay journal\n"
#define MAGIC_LEN (sizeof MAGIC - 1)
#define HEADER_LEN (MAGIC_LEN + 8 + TM_JOURNAL_MAC_LEN)
#define MARK_LEN (16 + TM_JOURNAL_MAC_LEN)
#define FIRST_ROOM (128 * 1024)
#define MORE_ROOM (1024 * 1024)
#define WINDOW (8 * TM_JOURNAL_FRAME_MAX) /* read at a time */

#define KEYS_LABEL "tidemill replay journal keys"

enum kind { KIND_HEADER = 0, KIND_MARK = 1, KIND_FRAME = 2 };

struct mark {
  uint64_t frames; /* so many, ... */
  uint64_t end;    /* ... up to here, are on disk */
};

struct tm_journal {
  int fd;
  bool broken;
  struct tm_journal_keys keys;
  struct mark mark; /* the last one written */
  unsigned slot;    /* where it is */
  uint64_t frames, end;
  uint64_t zeroed;  /* from end to here all is zero */
  uint8_t frame[TM_JOURNAL_FRAME_MAX];
  uint64_t spare[TM_JOURNAL_TAGS_MAX]; /* for sorting */
};

/* ---- bytes ---- */

static void put64(uint8_t *out, uint64_t v)
{
  v = htobe64(v);
  memcpy(out, &v, sizeof v);
}

static uint64_t get64(const uint8_t *in)
{
  uint64_t v;

  memcpy(&v, in, sizeof v);
  return be64toh(v);
}

static void put32(uint8_t *out, uint32_t v)
{
  v = htobe32(v);
  memcpy(out, &v, sizeof v);
}

static uint32_t get32(const uint8_t *in)
{
  uint32_t v;

  memcpy(&v, in, sizeof v);
  return be32toh(v);
}

void tm_journal_keys_derive(struct tm_journal_keys *keys, const uint8_t mix_secret[static 32], uint64_t epoch)
{
  uint8_t m[sizeof KEYS_LABEL - 1 + 8], out[sizeof keys->tag + sizeof keys->mac];

  memcpy(m, KEYS_LABEL, sizeof KEYS_LABEL - 1);
  put64(m + sizeof KEYS_LABEL - 1, epoch);
  crypto_generichash(out, sizeof out, m, sizeof m, mix_secret, 32);
  memcpy(keys->tag, out, sizeof keys->tag);
  memcpy(keys->mac, out + sizeof keys->tag, sizeof keys->mac);
  sodium_memzero(out, sizeof out);
}

static void mac_of(uint8_t mac[static TM_JOURNAL_MAC_LEN], const struct tm_journal_keys *keys, enum kind kind, const uint8_t *m, size_t len)
{
  crypto_generichash_state state;
  uint8_t first = (uint8_t)kind;

  crypto_generichash_init(&state, keys->mac, sizeof keys->mac, TM_JOURNAL_MAC_LEN);
  crypto_generichash_update(&state, &first, 1);
  crypto_generichash_update(&state, m, len);
  crypto_generichash_final(&state, mac, TM_JOURNAL_MAC_LEN);
  sodium_memzero(&state, sizeof state);
}

/* Does the MAC behind those bytes fit them? */
static bool is_ours(const struct tm_journal_keys *keys, enum kind kind, const uint8_t *m, size_t len)
{
  uint8_t mac[TM_JOURNAL_MAC_LEN];

  mac_of(mac, keys, kind, m, len);
  return sodium_memcmp(mac, m + len, sizeof mac) == 0;
}

static void make_header(uint8_t out[static HEADER_LEN], const struct tm_journal_keys *keys, uint64_t epoch)
{
  memcpy(out, MAGIC, MAGIC_LEN);
  put64(out + MAGIC_LEN, epoch);
  mac_of(out + MAGIC_LEN + 8, keys, KIND_HEADER, out, MAGIC_LEN + 8);
}

static void make_mark(uint8_t out[static MARK_LEN], const struct tm_journal_keys *keys, struct mark mark)
{
  put64(out, mark.frames);
  put64(out + 8, mark.end);
  mac_of(out + 16, keys, KIND_MARK, out, 16);
}

void tm_journal_fresh(uint8_t out[static TM_JOURNAL_FRAMES_AT], const struct tm_journal_keys *keys, uint64_t epoch)
{
  struct mark none = {.frames = 0, .end = TM_JOURNAL_FRAMES_AT};

  memset(out, 0, TM_JOURNAL_FRAMES_AT);
  make_header(out, keys, epoch);
  make_mark(out + TM_JOURNAL_BLOCK, keys, none);
  make_mark(out + 2 * TM_JOURNAL_BLOCK, keys, none);
}

/* ---- the file ---- */

static int write_all(int fd, const uint8_t *data, size_t len, uint64_t at)
{
  while (len > 0) {
    ssize_t n = pwrite(fd, data, len, (off_t)at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return TM_E_IO;
    data += n;
    len -= (size_t)n;
    at += (uint64_t)n;
  }
  return TM_OK;
}

/* As much as there is, up to len. */
static int read_some(int fd, uint8_t *data, size_t len, uint64_t at, size_t *got)
{
  *got = 0;
  while (*got < len) {
    ssize_t n = pread(fd, data + *got, len - *got, (off_t)(at + *got));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return TM_E_IO;
    if (n == 0)
      break;
    *got += (size_t)n;
  }
  return TM_OK;
}

static int sync_data(int fd)
{
  int r;

  do
    r = fdatasync(fd);
  while (r != 0 && errno == EINTR);
  return r == 0 ? TM_OK : TM_E_IO;
}

static int open_file(const char *path, int flags, int *fd)
{
  struct stat st;

  *fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
  if (*fd < 0)
    return errno == ENOENT ? TM_E_NOT_FOUND : TM_E_IO;
  if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
    return TM_OK;
  close(*fd);
  *fd = -1;
  errno = EINVAL;
  return TM_E_IO;
}

static int check_header(int fd, const struct tm_journal_keys *keys, uint64_t epoch)
{
  uint8_t want[HEADER_LEN], have[HEADER_LEN];
  size_t got;
  int err = read_some(fd, have, sizeof have, 0, &got);

  if (err != TM_OK)
    return err;
  make_header(want, keys, epoch);
  return got == sizeof have && sodium_memcmp(want, have, sizeof have) == 0 ? TM_OK : TM_E_AUTH;
}

int tm_journal_probe(const char *path, const struct tm_journal_keys *keys, uint64_t epoch)
{
  int fd, err = open_file(path, O_RDONLY, &fd);

  if (err != TM_OK)
    return err;
  err = check_header(fd, keys, epoch);
  close(fd);
  return err;
}

/* The later one of the two marks. A crash tears one at most. */
static int read_marks(struct tm_journal *j)
{
  bool found = false;

  for (unsigned slot = 0; slot < 2; slot++) {
    uint8_t m[MARK_LEN];
    size_t got;
    int err = read_some(j->fd, m, sizeof m, (uint64_t)TM_JOURNAL_BLOCK * (slot + 1), &got);
    if (err != TM_OK)
      return err;
    if (got < sizeof m || !is_ours(&j->keys, KIND_MARK, m, 16) || (found && get64(m) <= j->mark.frames))
      continue;
    j->mark = (struct mark){.frames = get64(m), .end = get64(m + 8)};
    j->slot = slot;
    found = true;
  }
  return found ? TM_OK : TM_E_SYNTAX;
}

static int write_mark(struct tm_journal *j)
{
  struct mark mark = {.frames = j->frames, .end = j->end};
  uint8_t m[MARK_LEN];
  int err;

  make_mark(m, &j->keys, mark);
  err = write_all(j->fd, m, sizeof m, (uint64_t)TM_JOURNAL_BLOCK * (2 - j->slot));
  if (err == TM_OK) {
    j->mark = mark;
    j->slot = 1 - j->slot;
  }
  return err;
}

/* ---- reading ---- */

/* A piece of the file in memory. */
struct window {
  int fd;
  uint64_t at;
  size_t len;
  uint8_t *data;
};

/* Makes len bytes from at visible, or as many as there are. */
static int look(struct window *w, uint64_t at, size_t len, const uint8_t **bytes, size_t *have)
{
  if (at < w->at || at + len > w->at + w->len) {
    int err = read_some(w->fd, w->data, WINDOW, at, &w->len);
    w->at = at;
    if (err != TM_OK)
      return err;
  }
  *bytes = w->data + (at - w->at);
  *have = w->len - (size_t)(at - w->at);
  return TM_OK;
}

/* The length of frame `number` if it begins there; 0: it does not. */
static size_t frame_at(const struct tm_journal *j, const uint8_t *bytes, size_t have, uint64_t number)
{
  size_t n, len;

  if (have < TM_JOURNAL_HEAD_LEN + TM_JOURNAL_MAC_LEN || get64(bytes) != number)
    return 0;
  n = get32(bytes + 8);
  if (n == 0 || n > TM_JOURNAL_TAGS_MAX)
    return 0;
  len = TM_JOURNAL_HEAD_LEN + 8 * n;
  if (have < len + TM_JOURNAL_MAC_LEN || !is_ours(&j->keys, KIND_FRAME, bytes, len))
    return 0;
  return len + TM_JOURNAL_MAC_LEN;
}

static int give(const uint8_t *frame, uint64_t *tags, tm_journal_found found, void *arg)
{
  size_t n = get32(frame + 8);

  for (size_t i = 0; i < n; i++) {
    memcpy(&tags[i], frame + TM_JOURNAL_HEAD_LEN + 8 * i, 8);
    tags[i] = le64toh(tags[i]);
  }
  return found(arg, tags, n);
}

/* All good frames. j->frames, j->end: where they end. */
static int read_frames(struct tm_journal *j, struct window *w, tm_journal_found found, void *arg)
{
  for (;;) {
    const uint8_t *bytes;
    size_t have, len;
    int err = look(w, j->end, TM_JOURNAL_FRAME_MAX, &bytes, &have);
    if (err != TM_OK)
      return err;
    len = frame_at(j, bytes, have, j->frames + 1);
    if (len == 0)
      return j->frames < j->mark.frames ? TM_E_SYNTAX : TM_OK;
    err = give(bytes, j->spare, found, arg);
    if (err != TM_OK)
      return err;
    j->frames++;
    j->end += len;
    if (j->frames == j->mark.frames && j->end != j->mark.end)
      return TM_E_SYNTAX;
    memcpy(j->frame, bytes, len); /* the last one, for rewrite */
  }
}

static bool is_zero(const uint8_t *bytes, size_t len) { return len == 0 || sodium_is_zero(bytes, len) == 1; }

/*
 * Can what is behind the last good frame come from a write that a crash tore? Then it is within the length of one frame, has no later frame in it, and
 * all behind it is zero. *torn: so many bytes may not be zero.
 */
static int read_tail(struct tm_journal *j, struct window *w, size_t *torn)
{
  uint64_t at = j->end;
  const uint8_t *bytes;
  size_t have;
  int err = look(w, at, TM_JOURNAL_FRAME_MAX * 2, &bytes, &have);

  if (err != TM_OK)
    return err;
  *torn = have < TM_JOURNAL_FRAME_MAX ? have : TM_JOURNAL_FRAME_MAX;
  for (size_t i = 0; i < *torn; i++)
    if (frame_at(j, bytes + i, have - i, j->frames + 2) > 0)
      return TM_E_SYNTAX;
  while (*torn > 0 && bytes[*torn - 1] == 0)
    --*torn;
  for (at += TM_JOURNAL_FRAME_MAX;; at += have) {
    err = look(w, at, WINDOW, &bytes, &have);
    if (err != TM_OK)
      return err;
    if (have == 0)
      break;
    if (!is_zero(bytes, have))
      return TM_E_SYNTAX;
    j->zeroed = at + have;
  }
  return TM_OK;
}

/* The last good frame is written again: if its sync failed it may be in memory only. */
static int rewrite(struct tm_journal *j)
{
  size_t len = j->frames == 0 ? 0 : TM_JOURNAL_HEAD_LEN + 8 * (size_t)get32(j->frame + 8) + TM_JOURNAL_MAC_LEN;

  return write_all(j->fd, j->frame, len, j->end - len);
}

static int write_zeros(int fd, uint64_t from, uint64_t to)
{
  static const uint8_t zeros[64 * 1024];

  while (from < to) {
    size_t n = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
    int err = write_all(fd, zeros, n, from);
    if (err != TM_OK)
      return err;
    from += n;
  }
  return TM_OK;
}

/* On disk when it returns: what was found, zeros in place of a torn frame, and a mark about it. */
static int repair(struct tm_journal *j, size_t torn)
{
  int err = rewrite(j);

  if (err == TM_OK)
    err = write_zeros(j->fd, j->end, j->end + torn);
  if (j->zeroed < j->end + torn)
    j->zeroed = j->end + torn;
  if (err == TM_OK)
    err = sync_data(j->fd);
  if (err == TM_OK)
    err = write_mark(j);
  if (err == TM_OK)
    err = sync_data(j->fd);
  return err;
}

static int recover(struct tm_journal *j, uint64_t epoch, tm_journal_found found, void *arg)
{
  struct window w = {.fd = j->fd};
  size_t torn = 0;
  int err = check_header(j->fd, &j->keys, epoch);

  if (err == TM_OK)
    err = read_marks(j);
  if (err != TM_OK)
    return err;
  w.data = malloc(WINDOW);
  if (w.data == NULL)
    return TM_E_NOMEM;
  j->end = j->zeroed = TM_JOURNAL_FRAMES_AT;
  err = read_frames(j, &w, found, arg);
  if (err == TM_OK)
    err = read_tail(j, &w, &torn);
  free(w.data);
  if (err == TM_OK)
    err = repair(j, torn);
  if (err == TM_OK && tm_journal_room(j) < FIRST_ROOM)
    err = tm_journal_extend(j);
  return err;
}

int tm_journal_open(struct tm_journal **out, const char *path, const struct tm_journal_keys *keys, uint64_t epoch, tm_journal_found found,
                    void *arg)
{
  struct tm_journal *j = calloc(1, sizeof *j);
  int err;

  *out = NULL;
  if (j == NULL)
    return TM_E_NOMEM;
  j->keys = *keys;
  j->broken = true; /* no mark from a file that was not understood */
  err = open_file(path, O_RDWR, &j->fd);
  if (err == TM_OK)
    err = recover(j, epoch, found, arg);
  if (err != TM_OK) {
    int saved = errno;
    tm_journal_close(j);
    errno = saved;
    return err;
  }
  j->broken = false;
  *out = j;
  return TM_OK;
}

void tm_journal_close(struct tm_journal *journal)
{
  if (journal == NULL)
    return;
  if (!journal->broken && journal->mark.frames < journal->frames && write_mark(journal) == TM_OK)
    (void)sync_data(journal->fd); /* without it, the old mark holds */
  if (journal->fd >= 0)
    close(journal->fd);
  sodium_memzero(journal, sizeof *journal);
  free(journal);
}

/* ---- writing ---- */

uint64_t tm_journal_room(const struct tm_journal *journal) { return journal->zeroed > journal->end ? journal->zeroed - journal->end : 0; }

static bool disk_is_full(void) { return errno == ENOSPC || errno == EDQUOT || errno == EFBIG; }

int tm_journal_extend(struct tm_journal *journal)
{
  uint64_t to = journal->zeroed + (tm_journal_room(journal) < FIRST_ROOM ? FIRST_ROOM : MORE_ROOM);
  int err = write_zeros(journal->fd, journal->zeroed, to);

  if (err == TM_OK)
    err = sync_data(journal->fd);
  if (err == TM_OK) {
    journal->zeroed = to;
    return TM_OK;
  }
  if (disk_is_full())
    return TM_E_FULL; /* more zeros than we know of do no harm */
  journal->broken = true;
  return err;
}

/* Fingerprints are uniform: spread over as many places as there are, they are nearly sorted. */
static void sort(uint64_t *tags, uint64_t *spare, size_t n)
{
  uint16_t start[TM_JOURNAL_TAGS_MAX + 1] = {0};

  for (size_t i = 0; i < n; i++)
    start[(size_t)(((unsigned __int128)tags[i] * n) >> 64) + 1]++;
  for (size_t i = 0; i < n; i++)
    start[i + 1] = (uint16_t)(start[i + 1] + start[i]);
  for (size_t i = 0; i < n; i++)
    spare[start[(size_t)(((unsigned __int128)tags[i] * n) >> 64)]++] = tags[i];
  for (size_t i = 1; i < n; i++) {
    uint64_t tag = spare[i];
    size_t at = i;
    for (; at > 0 && spare[at - 1] > tag; at--)
      spare[at] = spare[at - 1];
    spare[at] = tag;
  }
  memcpy(tags, spare, n * sizeof *tags);
}

static size_t make_frame(struct tm_journal *j, uint64_t *tags, size_t n)
{
  size_t len = TM_JOURNAL_HEAD_LEN + 8 * n;

  sort(tags, j->spare, n);
  put64(j->frame, j->frames + 1);
  put32(j->frame + 8, (uint32_t)n);
  for (size_t i = 0; i < n; i++) {
    uint64_t le = htole64(tags[i]);
    memcpy(j->frame + TM_JOURNAL_HEAD_LEN + 8 * i, &le, sizeof le);
  }
  mac_of(j->frame + len, &j->keys, KIND_FRAME, j->frame, len);
  return len + TM_JOURNAL_MAC_LEN;
}

int tm_journal_append(struct tm_journal *journal, uint64_t *tags, size_t n)
{
  size_t len;
  int err = TM_OK;

  if (journal->broken)
    return TM_E_IO;
  if (n == 0)
    return TM_OK;
  if (n > TM_JOURNAL_TAGS_MAX || tm_journal_room(journal) < TM_JOURNAL_HEAD_LEN + 8 * n + TM_JOURNAL_MAC_LEN)
    return TM_E_FULL;
  len = make_frame(journal, tags, n);
  if (journal->frames >= journal->mark.frames + TM_JOURNAL_MARK_EVERY)
    err = write_mark(journal);
  if (err == TM_OK)
    err = write_all(journal->fd, journal->frame, len, journal->end);
  if (err == TM_OK)
    err = sync_data(journal->fd);
  if (err != TM_OK) {
    journal->broken = true;
    return err;
  }
  journal->frames++;
  journal->end += len;
  return TM_OK;
}
