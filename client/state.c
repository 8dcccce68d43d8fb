#include "config.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "client/engine.h"

#include "client/state.h"

#define DB_NAME TM_CLIENT_STATE_FILE
#define NEW_NAME "state.db.new"
#define LOCK_NAME "lock"

/* conversation, pending, message and piece are described where their rows are written: conv.c, pending.c, message.c. */
static const char schema[] =
    "CREATE TABLE meta(key INTEGER PRIMARY KEY, value BLOB NOT NULL);"
    "CREATE TABLE conversation(id INTEGER PRIMARY KEY AUTOINCREMENT, sealed BLOB NOT NULL);"
    "CREATE TABLE pending(conv INTEGER NOT NULL, slot INTEGER NOT NULL, done INTEGER NOT NULL, accepted INTEGER NOT NULL,"
    " sealed BLOB NOT NULL, PRIMARY KEY(conv, slot)) WITHOUT ROWID;"
    "CREATE TABLE message(id INTEGER PRIMARY KEY AUTOINCREMENT, conv INTEGER NOT NULL, way INTEGER NOT NULL,"
    " number INTEGER NOT NULL, state INTEGER NOT NULL, slot INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL, delivery INTEGER, unread INTEGER NOT NULL DEFAULT 0,"
    " head BLOB NOT NULL, body BLOB, UNIQUE(conv, way, number));"
    "CREATE INDEX message_delivery ON message(delivery) WHERE delivery IS NOT NULL;"
    "CREATE INDEX message_state ON message(way, state, conv, number);"
    "CREATE TABLE piece(message INTEGER NOT NULL, n INTEGER NOT NULL, done INTEGER NOT NULL, sealed BLOB NOT NULL,"
    " PRIMARY KEY(message, n)) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

_Static_assert(TM_STATE_VERSION == 1, "the schema says its version");

static char *path_of(const char *dir, const char *name)
{
  size_t cap = strlen(dir) + 1 + strlen(name) + 1;
  char *path = malloc(cap);

  if (path != NULL)
    snprintf(path, cap, "%s/%s", dir, name);
  return path;
}

/* Takes the directory's lock, which lives as long as the descriptor. */
static int take_lock(struct tm_state *s)
{
  char *path = path_of(s->dir, LOCK_NAME);

  if (path == NULL)
    return TM_E_NOMEM;
  s->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  free(path);
  if (s->lock < 0)
    return errno == ENOENT || errno == ENOTDIR ? TM_E_NOT_FOUND : TM_E_IO;
  if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? TM_E_EXISTS : TM_E_IO;
  return TM_OK;
}

static struct tm_state *state_new(const char *dir, const struct tm_rng *rng)
{
  struct tm_state *s = calloc(1, sizeof *s);

  if (s == NULL)
    return NULL;
  s->lock = -1;
  s->rng = *rng;
  s->dir = strdup(dir);
  if (s->dir == NULL) {
    free(s);
    return NULL;
  }
  return s;
}

/* What an interrupted creation left. */
static void remove_new(const char *path)
{
  char *side = malloc(strlen(path) + 5);

  unlink(path);
  if (side == NULL)
    return;
  sprintf(side, "%s-wal", path);
  unlink(side);
  sprintf(side, "%s-shm", path);
  unlink(side);
  free(side);
}

static int create_db(struct tm_state *s, const char *passphrase)
{
  uint8_t header[TM_VAULT_HEADER_LEN];
  char *path = path_of(s->dir, NEW_NAME);
  int err;

  if (path == NULL)
    return TM_E_NOMEM;
  remove_new(path);
  err = tm_db_open(&s->db, path, true);
  free(path);
  if (err != TM_OK)
    return err;
  tm_db_script(s->db, schema);
  err = tm_vault_create(&s->vault, passphrase, &s->rng, header);
  if (err != TM_OK)
    return err;
  tm_db_run(s->db, "INSERT INTO meta(key, value) VALUES(?, ?)", "ib", (int64_t)TM_META_VAULT, header, sizeof header);
  return tm_db_error(s->db);
}

static int check_none(const char *dir)
{
  char *path = path_of(dir, DB_NAME);
  int err = TM_OK;

  if (path == NULL)
    return TM_E_NOMEM;
  if (access(path, F_OK) == 0)
    err = TM_E_EXISTS;
  free(path);
  return err;
}

/* Whoever may write into the directory can put another socket or state there; so it is ours alone, also if it was there. */
static int close_dir(const char *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  int error = 0;

  if (fd < 0 || fstat(fd, &st) != 0)
    error = errno;
  else if (st.st_uid != geteuid())
    error = EPERM;
  else if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) != 0)
    error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return error == 0 ? TM_OK : TM_E_IO;
}

int tm_state_create(struct tm_state **out, const char *dir, const char *passphrase, const struct tm_rng *rng)
{
  struct tm_state *s;
  int err = tm_dir_make(dir);

  *out = NULL;
  if (err == TM_OK)
    err = close_dir(dir);
  if (err != TM_OK)
    return err;
  s = state_new(dir, rng);
  if (s == NULL)
    return TM_E_NOMEM;
  err = take_lock(s);
  if (err == TM_OK)
    err = check_none(dir);
  if (err == TM_OK)
    err = create_db(s, passphrase);
  if (err != TM_OK) {
    tm_state_close(s);
    return err;
  }
  *out = s;
  return TM_OK;
}

static int sync_dir(const char *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int err = fd >= 0 && fsync(fd) == 0 ? TM_OK : TM_E_IO;

  if (fd >= 0)
    close(fd);
  return err;
}

int tm_state_publish(struct tm_state *s)
{
  char *from = path_of(s->dir, NEW_NAME);
  char *to = path_of(s->dir, DB_NAME);
  int err = from == NULL || to == NULL ? TM_E_NOMEM : tm_db_commit(s->db);

  if (err == TM_OK) {
    tm_db_checkpoint(s->db);
    err = tm_db_error(s->db);
  }
  /* Closing the last connection removes the log, so that one rename moves it all. */
  tm_db_close(s->db);
  s->db = NULL;
  if (err == TM_OK && rename(from, to) != 0)
    err = TM_E_IO;
  if (err == TM_OK)
    err = sync_dir(s->dir);
  free(from);
  free(to);
  tm_state_close(s);
  return err;
}

static int open_vault(struct tm_state *s, const char *passphrase)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT value FROM meta WHERE key = ?", "i", (int64_t)TM_META_VAULT);
  const uint8_t *header;
  size_t len;
  int err;

  if (!tm_db_row(s->db, stmt))
    return TM_E_SYNTAX;
  header = tm_db_blob(stmt, 0, &len);
  err = header == NULL ? TM_E_SYNTAX : tm_vault_open(&s->vault, passphrase, header, len);
  tm_db_end(stmt);
  return err;
}

static int open_db(struct tm_state *s, const char *passphrase)
{
  char *path = path_of(s->dir, DB_NAME);
  int version;
  int err;

  if (path == NULL)
    return TM_E_NOMEM;
  err = tm_db_open(&s->db, path, false);
  free(path);
  if (err != TM_OK)
    return err;
  version = tm_db_version(s->db);
  if (version > TM_STATE_VERSION)
    return TM_E_UNKNOWN;
  if (version != TM_STATE_VERSION)
    return TM_E_SYNTAX;
  return open_vault(s, passphrase);
}

int tm_state_open(struct tm_state **out, const char *dir, const char *passphrase, const struct tm_rng *rng)
{
  struct tm_state *s = state_new(dir, rng);
  int err;

  *out = NULL;
  if (s == NULL)
    return TM_E_NOMEM;
  /* Looked at first, so that a directory without state doesn't get a lock file. */
  err = check_none(dir) == TM_E_EXISTS ? take_lock(s) : TM_E_NOT_FOUND;
  if (err == TM_OK)
    err = open_db(s, passphrase);
  if (err != TM_OK) {
    tm_state_close(s);
    return err;
  }
  *out = s;
  return TM_OK;
}

void tm_state_close(struct tm_state *s)
{
  if (s == NULL)
    return;
  tm_db_close(s->db);
  tm_vault_free(s->vault);
  if (s->lock >= 0)
    close(s->lock);
  free(s->dir);
  free(s);
}

int tm_state_commit(struct tm_state *s) { return tm_db_commit(s->db); }

int tm_state_seal(struct tm_state *s, struct tm_vault_place place, const uint8_t *data, size_t len, uint8_t **sealed,
                  size_t *sealed_len)
{
  *sealed_len = len + TM_VAULT_OVERHEAD;
  *sealed = malloc(*sealed_len);
  if (*sealed == NULL)
    return TM_E_NOMEM;
  tm_vault_seal(s->vault, &s->rng, place, data, len, *sealed);
  return TM_OK;
}

int tm_state_unseal(struct tm_state *s, struct tm_vault_place place, const uint8_t *sealed, size_t sealed_len,
                    uint8_t **data, size_t *len)
{
  int err;

  *data = NULL;
  *len = 0;
  if (sealed == NULL || sealed_len < TM_VAULT_OVERHEAD)
    return TM_E_AUTH;
  *data = malloc(sealed_len - TM_VAULT_OVERHEAD + 1);
  if (*data == NULL)
    return TM_E_NOMEM;
  err = tm_vault_unseal(s->vault, place, sealed, sealed_len, *data);
  if (err != TM_OK) {
    free(*data);
    *data = NULL;
    return err;
  }
  *len = sealed_len - TM_VAULT_OVERHEAD;
  (*data)[*len] = '\0';
  return TM_OK;
}

static struct tm_vault_place meta_place(enum tm_meta key)
{
  return (struct tm_vault_place){.table = "meta", .row = (uint64_t)key};
}

void tm_state_put_meta(struct tm_state *s, enum tm_meta key, const void *data, size_t len)
{
  uint8_t *sealed = NULL;
  size_t sealed_len = 0;
  int err = tm_state_seal(s, meta_place(key), data, len, &sealed, &sealed_len);

  if (err != TM_OK)
    tm_db_fail(s->db, err);
  else
    tm_db_run(s->db, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", "ib", (int64_t)key, sealed, sealed_len);
  free(sealed);
}

int tm_state_get_meta(struct tm_state *s, enum tm_meta key, uint8_t **data, size_t *len)
{
  sqlite3_stmt *stmt = tm_db_start(s->db, "SELECT value FROM meta WHERE key = ?", "i", (int64_t)key);
  const uint8_t *sealed;
  size_t sealed_len;
  int err;

  *data = NULL;
  *len = 0;
  if (!tm_db_row(s->db, stmt))
    return tm_db_error(s->db) != TM_OK ? tm_db_error(s->db) : TM_E_NOT_FOUND;
  sealed = tm_db_blob(stmt, 0, &sealed_len);
  err = tm_state_unseal(s, meta_place(key), sealed, sealed_len, data, len);
  tm_db_end(stmt);
  return err;
}

int tm_state_get_meta_exact(struct tm_state *s, enum tm_meta key, void *data, size_t len)
{
  uint8_t *value;
  size_t value_len;
  int err = tm_state_get_meta(s, key, &value, &value_len);

  if (err == TM_OK && value_len != len)
    err = TM_E_SYNTAX;
  if (err == TM_OK)
    memcpy(data, value, len);
  tm_file_free(value, value_len);
  return err;
}
