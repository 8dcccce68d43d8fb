#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "relay/store_db.h"

#define APPLICATION_ID 0x746d6278 /* "tmbx" */
#define SCHEMA_VERSION 1
#define PAGE_LEN 8192
#define WAL_PASSIVE_PAGES 2000
#define WAL_RESTART_PAGES (64 * 1024 * 1024 / PAGE_LEN)
#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

enum statement { BEGIN, COMMIT, ROLLBACK, INSERT, SELECT, EXPIRE, STATEMENTS };

static const char *const sql[STATEMENTS] = {
  [BEGIN] = "BEGIN IMMEDIATE",
  [COMMIT] = "COMMIT",
  [ROLLBACK] = "ROLLBACK",
  [INSERT] = "INSERT INTO boxes (id, signature, box, expires) VALUES (?, ?, ?, ?)",
  [SELECT] = "SELECT signature, box FROM boxes WHERE id = ?",
  [EXPIRE] = "DELETE FROM boxes WHERE row IN (SELECT row FROM boxes WHERE expires <= ? LIMIT " TEXT_OF(TM_STORE_EXPIRE_ROWS) ")",
};

static const char settings[] =
  "PRAGMA page_size = " TEXT_OF(PAGE_LEN) ";"
  "PRAGMA journal_mode = WAL;"
  "PRAGMA synchronous = FULL;"
  "PRAGMA mmap_size = 0;"
  "PRAGMA journal_size_limit = 67108864;"
  "PRAGMA secure_delete = FAST;"
  "PRAGMA trusted_schema = OFF;"
  "PRAGMA cell_size_check = ON;"
  "PRAGMA temp_store = MEMORY;";

static const char schema[] =
  "BEGIN IMMEDIATE;"
  "CREATE TABLE boxes (row INTEGER PRIMARY KEY, id BLOB NOT NULL, signature BLOB NOT NULL, box BLOB NOT NULL,"
  " expires INTEGER NOT NULL);"
  "CREATE UNIQUE INDEX boxes_id ON boxes (id);"
  "CREATE INDEX boxes_expires ON boxes (expires);"
  "PRAGMA application_id = 1953325688;"
  "PRAGMA user_version = " TEXT_OF(SCHEMA_VERSION) ";"
  "COMMIT;";

_Static_assert(APPLICATION_ID == 1953325688, "the text above says the same");

struct tm_store_db {
  sqlite3 *sqlite;
  sqlite3_stmt *statement[STATEMENTS];
  uint64_t boxes;         /* committed */
  uint64_t boxes_in_group;
  int wal_pages;
  bool in_group;
};

static char reason[256];

const char *tm_store_db_reason(void) { return reason; }

static void remember(struct tm_store_db *db) { snprintf(reason, sizeof reason, "%s", sqlite3_errmsg(db->sqlite)); }

static int after_commit(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
  struct tm_store_db *db = arg;

  (void)sqlite;
  (void)name;
  db->wal_pages = pages;
  return SQLITE_OK;
}

/* The first column of the first row. */
static int ask_number(struct tm_store_db *db, const char *question, int64_t *answer)
{
  sqlite3_stmt *s = NULL;
  int r = sqlite3_prepare_v2(db->sqlite, question, -1, &s, NULL);

  if (r == SQLITE_OK && (r = sqlite3_step(s)) == SQLITE_ROW)
    *answer = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return r == SQLITE_ROW ? TM_OK : TM_E_SYNTAX;
}

static int check_whole(struct tm_store_db *db)
{
  sqlite3_stmt *s = NULL;
  int err = TM_E_SYNTAX;

  if (sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(s, 0);
    if (text != NULL && strcmp(text, "ok") == 0)
      err = TM_OK;
    else
      snprintf(reason, sizeof reason, "%s", text != NULL ? text : "the integrity check failed");
  } else
    remember(db);
  sqlite3_finalize(s);
  return err;
}

/* An empty file becomes a store; what is another program's, or a newer one's, is left alone. */
static int check_schema(struct tm_store_db *db)
{
  int64_t id, version, tables, boxes;

  if (ask_number(db, "PRAGMA application_id", &id) != TM_OK || ask_number(db, "PRAGMA user_version", &version) != TM_OK ||
      ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables) != TM_OK) {
    remember(db);
    return TM_E_SYNTAX;
  }
  if (tables == 0 && id == 0 && version == 0) {
    if (sqlite3_exec(db->sqlite, schema, NULL, NULL, NULL) == SQLITE_OK)
      return TM_OK;
    remember(db);
    return TM_E_IO;
  }
  snprintf(reason, sizeof reason, "%s", id != APPLICATION_ID ? "not a box store" : "made by a newer version");
  if (id != APPLICATION_ID)
    return TM_E_SYNTAX;
  if (version != SCHEMA_VERSION)
    return TM_E_UNKNOWN;
  if (check_whole(db) != TM_OK)
    return TM_E_SYNTAX;
  if (ask_number(db, "SELECT count(*) FROM boxes", &boxes) != TM_OK) {
    remember(db);
    return TM_E_SYNTAX;
  }
  db->boxes = (uint64_t)boxes;
  return TM_OK;
}

static int prepare_all(struct tm_store_db *db)
{
  for (size_t i = 0; i < STATEMENTS; i++)
    if (sqlite3_prepare_v3(db->sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL) != SQLITE_OK) {
      remember(db);
      return TM_E_SYNTAX;
    }
  return TM_OK;
}

static int error_of(struct tm_store_db *db)
{
  int r = sqlite3_errcode(db->sqlite);

  remember(db);
  return r == SQLITE_NOTADB || r == SQLITE_CORRUPT ? TM_E_SYNTAX : TM_E_IO;
}

static int start(struct tm_store_db *db, const char *path)
{
  int err;

  if (sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return db->sqlite == NULL ? TM_E_NOMEM : error_of(db);
  sqlite3_extended_result_codes(db->sqlite, 0);
  if (sqlite3_exec(db->sqlite, settings, NULL, NULL, NULL) != SQLITE_OK)
    return error_of(db);
  err = check_schema(db);
  if (err != TM_OK)
    return err;
  sqlite3_wal_hook(db->sqlite, after_commit, db);
  return prepare_all(db);
}

/* SQLite would make the file with the umask's mode. */
static int make_file(const char *path)
{
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  if (fd < 0) {
    snprintf(reason, sizeof reason, "%s", strerror(errno));
    return TM_E_IO;
  }
  close(fd);
  return TM_OK;
}

int tm_store_db_open(struct tm_store_db **out, const char *path)
{
  struct tm_store_db *db = calloc(1, sizeof *db);
  int err;

  *out = NULL;
  reason[0] = '\0';
  if (db == NULL)
    return TM_E_NOMEM;
  err = make_file(path);
  if (err == TM_OK)
    err = start(db, path);
  if (err != TM_OK) {
    tm_store_db_close(db);
    return err;
  }
  *out = db;
  return TM_OK;
}

void tm_store_db_close(struct tm_store_db *db)
{
  if (db == NULL)
    return;
  for (size_t i = 0; i < STATEMENTS; i++)
    sqlite3_finalize(db->statement[i]);
  sqlite3_close(db->sqlite);
  free(db);
}

uint64_t tm_store_db_boxes(const struct tm_store_db *db) { return db->boxes; }

static int run(struct tm_store_db *db, enum statement which)
{
  sqlite3_stmt *s = db->statement[which];
  int r = sqlite3_step(s);

  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return r == SQLITE_DONE ? TM_OK : TM_E_IO;
}

int tm_store_db_begin(struct tm_store_db *db)
{
  int err = run(db, BEGIN);

  db->in_group = err == TM_OK;
  db->boxes_in_group = 0;
  return err;
}

void tm_store_db_rollback(struct tm_store_db *db)
{
  /* A failed statement may have rolled back by itself already. */
  if (db->in_group && sqlite3_get_autocommit(db->sqlite) == 0)
    (void)run(db, ROLLBACK);
  db->in_group = false;
  db->boxes_in_group = 0;
}

int tm_store_db_commit(struct tm_store_db *db)
{
  if (sqlite3_get_autocommit(db->sqlite) != 0 || run(db, COMMIT) != TM_OK) {
    tm_store_db_rollback(db);
    return TM_E_IO;
  }
  db->boxes += db->boxes_in_group;
  db->boxes_in_group = 0;
  db->in_group = false;
  return TM_OK;
}

int tm_store_db_get(struct tm_store_db *db, const uint8_t id[static TM_BOX_ID_LEN], uint8_t signature[static TM_BOX_SIGNATURE_LEN],
                    uint8_t box[static TM_BOX_LEN])
{
  sqlite3_stmt *s = db->statement[SELECT];
  int err = TM_E_IO;
  int r;

  memset(signature, 0, TM_BOX_SIGNATURE_LEN);
  memset(box, 0, TM_BOX_LEN);
  sqlite3_bind_blob(s, 1, id, TM_BOX_ID_LEN, SQLITE_STATIC);
  r = sqlite3_step(s);
  if (r == SQLITE_DONE)
    err = TM_E_NOT_FOUND;
  else if (r == SQLITE_ROW && sqlite3_column_bytes(s, 0) == TM_BOX_SIGNATURE_LEN && sqlite3_column_bytes(s, 1) == TM_BOX_LEN) {
    memcpy(signature, sqlite3_column_blob(s, 0), TM_BOX_SIGNATURE_LEN);
    memcpy(box, sqlite3_column_blob(s, 1), TM_BOX_LEN);
    err = TM_OK;
  }
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return err;
}

/* What is there under that id already: nothing, the same, or another. */
static int compare(struct tm_store_db *db, const uint8_t *id, const uint8_t *signature, const uint8_t *box)
{
  uint8_t old_signature[TM_BOX_SIGNATURE_LEN];
  uint8_t old_box[TM_BOX_LEN];
  int err = tm_store_db_get(db, id, old_signature, old_box);

  if (err != TM_OK)
    return err;
  if (memcmp(old_signature, signature, sizeof old_signature) == 0 && memcmp(old_box, box, sizeof old_box) == 0)
    return TM_E_EXISTS;
  return TM_E_CONFLICT;
}

int tm_store_db_put(struct tm_store_db *db, const uint8_t id[static TM_BOX_ID_LEN], const uint8_t signature[static TM_BOX_SIGNATURE_LEN],
                    const uint8_t box[static TM_BOX_LEN], uint64_t expires_s, uint32_t step_s, uint64_t quota)
{
  sqlite3_stmt *s = db->statement[INSERT];
  int err = compare(db, id, signature, box);

  if (err != TM_E_NOT_FOUND)
    return err;
  if (db->boxes + db->boxes_in_group >= quota)
    return TM_E_FULL;
  sqlite3_bind_blob(s, 1, id, TM_BOX_ID_LEN, SQLITE_STATIC);
  sqlite3_bind_blob(s, 2, signature, TM_BOX_SIGNATURE_LEN, SQLITE_STATIC);
  sqlite3_bind_blob(s, 3, box, TM_BOX_LEN, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, (sqlite3_int64)((expires_s + step_s - 1) / step_s * step_s));
  err = run(db, INSERT);
  if (err == TM_OK)
    db->boxes_in_group++;
  return err;
}

int tm_store_db_expire(struct tm_store_db *db, uint64_t now_s, size_t *n)
{
  *n = 0;
  if (sqlite3_bind_int64(db->statement[EXPIRE], 1, (sqlite3_int64)now_s) != SQLITE_OK || run(db, EXPIRE) != TM_OK)
    return TM_E_IO;
  *n = (size_t)sqlite3_changes(db->sqlite);
  db->boxes -= *n < db->boxes ? *n : db->boxes;
  return TM_OK;
}

void tm_store_db_checkpoint(struct tm_store_db *db)
{
  int mode = db->wal_pages >= WAL_RESTART_PAGES ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;

  if (db->wal_pages < WAL_PASSIVE_PAGES)
    return;
  /* Failing is harmless: the log grows on, and the next group tries again. */
  (void)sqlite3_wal_checkpoint_v2(db->sqlite, NULL, mode, NULL, NULL);
  db->wal_pages = 0;
}

void tm_store_db_limit_pages(struct tm_store_db *db, uint32_t pages)
{
  char text[64];

  snprintf(text, sizeof text, "PRAGMA max_page_count = %" PRIu32, pages);
  (void)sqlite3_exec(db->sqlite, text, NULL, NULL, NULL);
}
