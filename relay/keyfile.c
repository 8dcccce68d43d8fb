/* The key files of keys.h. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/file.h"

#include "relay/keys.h"

#define IDENTITY_NAME "identity.key"
#define MIX_PREFIX "mix-"
#define KEY_SUFFIX ".key"
#define JOURNAL_SUFFIX ".seen"
#define NAME_MAX_LEN 64

static char *path_of(const char *dir, const char *name)
{
  size_t cap = strlen(dir) + 1 + strlen(name) + 1;
  char *path = malloc(cap);

  if (path != NULL)
    snprintf(path, cap, "%s/%s", dir, name);
  return path;
}

static void mix_name(uint64_t epoch, const char *suffix, char name[NAME_MAX_LEN])
{
  snprintf(name, NAME_MAX_LEN, MIX_PREFIX "%" PRIu64 "%s", epoch, suffix);
}

static char *mix_path(const char *dir, uint64_t epoch, const char *suffix)
{
  char name[NAME_MAX_LEN];

  mix_name(epoch, suffix, name);
  return path_of(dir, name);
}

/* 32 bytes from a file that nobody else may read, into memory of the caller. */
static int load_secret(const char *dir, const char *name, uint8_t secret[static TM_KEYS_SEED_LEN])
{
  char *path = path_of(dir, name);
  struct stat st;
  uint8_t *data = NULL;
  size_t len = 0;
  int err;

  if (path == NULL)
    return TM_E_NOMEM;
  err = tm_file_read(path, TM_KEYS_SEED_LEN, &data, &len);
  if (err == TM_E_TOO_BIG || (err == TM_OK && len != TM_KEYS_SEED_LEN))
    err = TM_E_SYNTAX;
  else if (err == TM_OK && stat(path, &st) != 0)
    err = TM_E_IO;
  else if (err == TM_OK && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    err = TM_E_AUTH;
  if (err == TM_OK)
    memcpy(secret, data, TM_KEYS_SEED_LEN);
  tm_file_free(data, len);
  free(path);
  return err;
}

/* TM_OK: there is no such file. */
static int is_absent(const char *path)
{
  if (path == NULL)
    return TM_E_NOMEM;
  if (access(path, F_OK) == 0)
    return TM_E_EXISTS;
  return errno == ENOENT ? TM_OK : TM_E_IO;
}

const char *tm_key_reason(int err)
{
  if (err == TM_E_AUTH)
    return "others can read this secret: make it private (chmod 600), and think about who may have it";
  if (err == TM_E_SYNTAX)
    return "it has not the 32 bytes of a key";
  return tm_file_reason(err);
}

int tm_identity_load(const char *state_dir, uint8_t **seed)
{
  int err;

  *seed = sodium_malloc(TM_KEYS_SEED_LEN);
  if (*seed == NULL)
    return TM_E_NOMEM;
  err = load_secret(state_dir, IDENTITY_NAME, *seed);
  if (err != TM_OK) {
    sodium_free(*seed);
    *seed = NULL;
  }
  return err;
}

int tm_identity_make(const char *state_dir, const struct tm_rng *rng)
{
  char *path = path_of(state_dir, IDENTITY_NAME);
  uint8_t secret[TM_KEYS_SEED_LEN];
  int err = is_absent(path);

  if (err == TM_OK) {
    tm_rng_fill(rng, secret, sizeof secret);
    err = tm_file_write(path, 0600, secret, sizeof secret);
  }
  sodium_memzero(secret, sizeof secret);
  free(path);
  return err;
}

/* ---- mix keys ---- */

char *tm_mix_journal_path(const char *state_dir, uint64_t epoch) { return mix_path(state_dir, epoch, JOURNAL_SUFFIX); }

static int load_mix_secret(const char *state_dir, uint64_t epoch, uint8_t secret[static TM_KEYS_SEED_LEN])
{
  char name[NAME_MAX_LEN];

  mix_name(epoch, KEY_SUFFIX, name);
  return load_secret(state_dir, name, secret);
}

static int write_journal(const char *state_dir, uint64_t epoch, const uint8_t secret[static TM_KEYS_SEED_LEN])
{
  char *path = tm_mix_journal_path(state_dir, epoch);
  uint8_t fresh[TM_JOURNAL_FRAMES_AT];
  struct tm_journal_keys keys;
  int err = TM_E_NOMEM;

  tm_journal_keys_derive(&keys, secret, epoch);
  tm_journal_fresh(fresh, &keys, epoch);
  if (path != NULL)
    err = tm_file_write(path, 0600, fresh, sizeof fresh);
  sodium_memzero(&keys, sizeof keys);
  free(path);
  return err;
}

/* TM_E_EXISTS: the key that is there has its journal. */
static int check_journal(const char *state_dir, uint64_t epoch)
{
  char *path = tm_mix_journal_path(state_dir, epoch);
  uint8_t secret[TM_KEYS_SEED_LEN];
  struct tm_journal_keys keys;
  int err = path == NULL ? TM_E_NOMEM : load_mix_secret(state_dir, epoch, secret);

  if (err == TM_OK) {
    tm_journal_keys_derive(&keys, secret, epoch);
    err = tm_journal_probe(path, &keys, epoch);
    sodium_memzero(&keys, sizeof keys);
    err = err == TM_OK ? TM_E_EXISTS : err == TM_E_NOT_FOUND || err == TM_E_AUTH ? TM_E_CONFLICT : err;
  }
  sodium_memzero(secret, sizeof secret);
  free(path);
  return err;
}

/* The journal first: a key without one is not used, a journal without a key does no harm. */
int tm_mix_key_make(const char *state_dir, uint64_t epoch, const struct tm_rng *rng)
{
  char *path = mix_path(state_dir, epoch, KEY_SUFFIX);
  uint8_t secret[TM_KEYS_SEED_LEN];
  int err = is_absent(path);

  if (err == TM_OK) {
    tm_rng_fill(rng, secret, sizeof secret);
    err = write_journal(state_dir, epoch, secret);
    if (err == TM_OK)
      err = tm_file_write(path, 0600, secret, sizeof secret);
  } else if (err == TM_E_EXISTS)
    err = check_journal(state_dir, epoch);
  sodium_memzero(secret, sizeof secret);
  free(path);
  return err;
}

int tm_mix_key_open(const char *state_dir, uint64_t epoch, tm_sphinx_key **key, struct tm_journal_keys *journal)
{
  uint8_t secret[TM_KEYS_SEED_LEN];
  int err;

  *key = NULL;
  sodium_memzero(journal, sizeof *journal);
  err = load_mix_secret(state_dir, epoch, secret);
  if (err == TM_OK && tm_sphinx_key_new(key, secret) != TM_SPHINX_OK)
    err = TM_E_NOMEM;
  if (err == TM_OK)
    tm_journal_keys_derive(journal, secret, epoch);
  sodium_memzero(secret, sizeof secret);
  return err;
}

int tm_mix_key_load(const char *state_dir, uint64_t epoch, tm_sphinx_key **key)
{
  struct tm_journal_keys journal;
  int err = tm_mix_key_open(state_dir, epoch, key, &journal);

  sodium_memzero(&journal, sizeof journal);
  return err;
}

static int sync_dir(const char *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int err = fd >= 0 && fsync(fd) == 0 ? TM_OK : TM_E_IO;

  if (fd >= 0)
    close(fd);
  return err;
}

/* What the file system and the device do with the old block is theirs; the manual says so. */
static int overwrite(const char *path)
{
  static const uint8_t zeros[TM_KEYS_SEED_LEN];
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  int err = TM_OK;

  if (fd < 0)
    return errno == ENOENT ? TM_E_NOT_FOUND : TM_E_IO;
  if (write(fd, zeros, sizeof zeros) != (ssize_t)sizeof zeros || fsync(fd) != 0)
    err = TM_E_IO;
  close(fd);
  return err;
}

static int remove_key(const char *state_dir, const char *path)
{
  int err = overwrite(path);

  if (err != TM_E_NOT_FOUND && unlink(path) != 0)
    err = TM_E_IO;
  return err == TM_OK ? sync_dir(state_dir) : err;
}

static int remove_journal(const char *state_dir, const char *path)
{
  if (unlink(path) != 0)
    return errno == ENOENT ? TM_OK : TM_E_IO;
  return sync_dir(state_dir);
}

/* While the key might be there the journal stays. */
int tm_mix_key_erase(const char *state_dir, uint64_t epoch)
{
  char *key = mix_path(state_dir, epoch, KEY_SUFFIX), *journal = tm_mix_journal_path(state_dir, epoch);
  int err = key == NULL || journal == NULL ? TM_E_NOMEM : remove_key(state_dir, key);

  if (err == TM_OK || err == TM_E_NOT_FOUND) {
    int journal_err = remove_journal(state_dir, journal);
    if (journal_err != TM_OK)
      err = journal_err;
  }
  free(key);
  free(journal);
  return err;
}

/* "mix-123.key", canonical: what mix_name would write. */
static bool parse_name(const char *name, const char *suffix, uint64_t *epoch)
{
  char again[NAME_MAX_LEN];
  char *end;

  if (strncmp(name, MIX_PREFIX, strlen(MIX_PREFIX)) != 0)
    return false;
  errno = 0;
  *epoch = strtoull(name + strlen(MIX_PREFIX), &end, 10);
  if (errno != 0)
    return false;
  mix_name(*epoch, suffix, again);
  return strcmp(again, name) == 0;
}

static int by_epoch(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

static int list(const char *state_dir, const char *suffix, uint64_t **epochs, size_t *n)
{
  DIR *dir = opendir(state_dir);
  struct dirent *e;
  int err = TM_OK;

  *n = 0;
  *epochs = NULL;
  if (dir == NULL)
    return TM_E_IO;
  *epochs = calloc(TM_KEYS_FILES_MAX, sizeof **epochs);
  if (*epochs == NULL)
    err = TM_E_NOMEM;
  while (err == TM_OK && (e = readdir(dir)) != NULL) {
    uint64_t epoch;
    if (!parse_name(e->d_name, suffix, &epoch))
      continue;
    if (*n == TM_KEYS_FILES_MAX)
      err = TM_E_TOO_BIG;
    else
      (*epochs)[(*n)++] = epoch;
  }
  closedir(dir);
  if (err != TM_OK) {
    free(*epochs);
    *epochs = NULL;
    *n = 0;
    return err;
  }
  qsort(*epochs, *n, sizeof **epochs, by_epoch);
  return TM_OK;
}

int tm_mix_keys_list(const char *state_dir, uint64_t **epochs, size_t *n) { return list(state_dir, KEY_SUFFIX, epochs, n); }
int tm_mix_journals_list(const char *state_dir, uint64_t **epochs, size_t *n) { return list(state_dir, JOURNAL_SUFFIX, epochs, n); }
