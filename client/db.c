#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "client/db.h"

#define STATEMENTS_MAX 96

struct tm_db {
  sqlite3 *sqlite;
  struct {
    const char *sql;
    sqlite3_stmt *stmt;
  } cache[STATEMENTS_MAX];
  size_t n_cached;
  bool open; /* a transaction is */
  int err;
};

/* errno says more about TM_E_IO; 0: the file is damaged. */
static int from_sqlite(struct tm_db *db, int rc)
{
  if ((rc & 0xff) == SQLITE_NOMEM)
    return TM_E_NOMEM;
  if ((rc & 0xff) == SQLITE_FULL)
    errno = ENOSPC;
  else
    errno = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB ? 0 : sqlite3_system_errno(db->sqlite);
  return TM_E_IO;
}

void tm_db_fail(struct tm_db *db, int err)
{
  if (db->err == TM_OK)
    db->err = err;
}

int tm_db_error(const struct tm_db *db) { return db->err; }

void tm_db_script(struct tm_db *db, const char *sql)
{
  int rc;

  if (db->err != TM_OK)
    return;
  rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
  if (rc != SQLITE_OK)
    tm_db_fail(db, from_sqlite(db, rc));
}

/* SQLite gives its log and index files the mode of the database, so that is made first. */
static int make_file(const char *path)
{
  int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0)
    return errno == EEXIST ? TM_E_EXISTS : TM_E_IO;
  close(fd);
  return TM_OK;
}

static int check_file(const char *path)
{
  struct stat st;

  if (lstat(path, &st) != 0)
    return errno == ENOENT || errno == ENOTDIR ? TM_E_NOT_FOUND : TM_E_IO;
  return S_ISREG(st.st_mode) ? TM_OK : TM_E_IO;
}

static const char pragmas[] = "PRAGMA journal_mode=WAL;"
                              "PRAGMA synchronous=FULL;"
                              "PRAGMA secure_delete=ON;"
                              "PRAGMA temp_store=MEMORY;"
                              "PRAGMA foreign_keys=OFF;"
                              "PRAGMA mmap_size=0;"
                              "PRAGMA trusted_schema=OFF;"
                              "PRAGMA cell_size_check=ON;";

int tm_db_open(struct tm_db **out, const char *path, bool create)
{
  struct tm_db *db;
  int err = create ? make_file(path) : check_file(path);
  int rc;

  *out = NULL;
  if (err != TM_OK)
    return err;
  db = calloc(1, sizeof *db);
  if (db == NULL)
    return TM_E_NOMEM;
  rc = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
  if (rc != SQLITE_OK) {
    err = from_sqlite(db, rc);
    tm_db_close(db);
    return err;
  }
  sqlite3_extended_result_codes(db->sqlite, 1);
  sqlite3_limit(db->sqlite, SQLITE_LIMIT_ATTACHED, 0);
  tm_db_script(db, pragmas);
  err = db->err;
  if (err != TM_OK) {
    tm_db_close(db);
    return err;
  }
  *out = db;
  return TM_OK;
}

void tm_db_close(struct tm_db *db)
{
  int why = errno; /* of what it is closed for */

  if (db == NULL)
    return;
  for (size_t i = 0; i < db->n_cached; i++)
    sqlite3_finalize(db->cache[i].stmt);
  if (db->open)
    sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  sqlite3_close(db->sqlite);
  free(db);
  errno = why;
}

int tm_db_version(struct tm_db *db) { return (int)tm_db_integer(db, -1, "PRAGMA user_version", ""); }

static sqlite3_stmt *find_statement(struct tm_db *db, const char *sql)
{
  sqlite3_stmt *stmt = NULL;
  int rc;

  for (size_t i = 0; i < db->n_cached; i++)
    if (db->cache[i].sql == sql)
      return db->cache[i].stmt;
  if (db->n_cached == STATEMENTS_MAX) {
    tm_db_fail(db, TM_E_FULL);
    return NULL;
  }
  rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  if (rc != SQLITE_OK) {
    tm_db_fail(db, from_sqlite(db, rc));
    return NULL;
  }
  db->cache[db->n_cached].sql = sql;
  db->cache[db->n_cached].stmt = stmt;
  db->n_cached++;
  return stmt;
}

static int bind_blob(sqlite3_stmt *stmt, int at, va_list *args)
{
  const void *data = va_arg(*args, const void *);
  size_t len = va_arg(*args, size_t);

  if (data == NULL)
    return sqlite3_bind_null(stmt, at);
  return sqlite3_bind_blob64(stmt, at, data, len, SQLITE_STATIC);
}

static sqlite3_stmt *start(struct tm_db *db, const char *sql, const char *types, va_list *args)
{
  sqlite3_stmt *stmt;
  int rc = SQLITE_OK;

  if (db->err != TM_OK)
    return NULL;
  stmt = find_statement(db, sql);
  if (stmt == NULL)
    return NULL;
  for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
    if (types[i] == 'i')
      rc = sqlite3_bind_int64(stmt, i + 1, va_arg(*args, int64_t));
    else
      rc = bind_blob(stmt, i + 1, args);
  }
  if (rc != SQLITE_OK) {
    tm_db_fail(db, from_sqlite(db, rc));
    tm_db_end(stmt);
    return NULL;
  }
  return stmt;
}

sqlite3_stmt *tm_db_start(struct tm_db *db, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  va_list args;

  va_start(args, types);
  stmt = start(db, sql, types, &args);
  va_end(args);
  return stmt;
}

bool tm_db_row(struct tm_db *db, sqlite3_stmt *stmt)
{
  int rc;

  if (stmt == NULL)
    return false;
  rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW)
    return true;
  if (rc != SQLITE_DONE)
    tm_db_fail(db, from_sqlite(db, rc));
  tm_db_end(stmt);
  return false;
}

void tm_db_end(sqlite3_stmt *stmt)
{
  if (stmt == NULL)
    return;
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
}

void tm_db_run(struct tm_db *db, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  va_list args;

  if (db->err == TM_OK && !db->open) {
    tm_db_script(db, "BEGIN IMMEDIATE");
    db->open = db->err == TM_OK;
  }
  va_start(args, types);
  stmt = start(db, sql, types, &args);
  va_end(args);
  while (tm_db_row(db, stmt))
    continue;
}

int64_t tm_db_integer(struct tm_db *db, int64_t otherwise, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  va_list args;
  int64_t value = otherwise;

  va_start(args, types);
  stmt = start(db, sql, types, &args);
  va_end(args);
  if (!tm_db_row(db, stmt))
    return otherwise;
  if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
    value = sqlite3_column_int64(stmt, 0);
  tm_db_end(stmt);
  return value;
}

int64_t tm_db_last_row(struct tm_db *db) { return sqlite3_last_insert_rowid(db->sqlite); }

const uint8_t *tm_db_blob(sqlite3_stmt *stmt, int column, size_t *len)
{
  const uint8_t *data = sqlite3_column_blob(stmt, column);

  *len = (size_t)sqlite3_column_bytes(stmt, column);
  return *len == 0 ? NULL : data;
}

int tm_db_commit(struct tm_db *db)
{
  if (db->open) {
    tm_db_script(db, "COMMIT");
    if (db->err != TM_OK)
      sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    db->open = false;
  }
  return db->err;
}

void tm_db_checkpoint(struct tm_db *db)
{
  int rc;

  if (db->err != TM_OK)
    return;
  rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  /* Busy only means that somebody looks at the file; the next slot tries again. */
  if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
    tm_db_fail(db, from_sqlite(db, rc));
}
