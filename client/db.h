/*
 * A thin layer over SQLite for the client's state: one connection, cached statements, a transaction that opens by
 * itself at the first write, and a sticky error, so that a caller can write many rows and ask once, at the commit.
 *
 * Durability: WAL with synchronous=FULL, so a commit that returned TM_OK is on disk. Forgetting: secure_delete
 * overwrites freed content with zeros, and tm_db_checkpoint empties the log behind it. One thread.
 */
#ifndef TM_CLIENT_DB_H
#define TM_CLIENT_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/err.h"

struct tm_db;

/* create: the file must not exist; it gets mode 0600. Errors: TM_E_NOT_FOUND, TM_E_EXISTS, TM_E_IO, TM_E_NOMEM. */
int tm_db_open(struct tm_db **out, const char *path, bool create) TM_MUST_CHECK;
void tm_db_close(struct tm_db *db); /* rolls back what is not committed; NULL is fine */

/* PRAGMA user_version; -1 on error. */
int tm_db_version(struct tm_db *db);

/* Runs statements without parameters, e.g. a schema. Sticky error. */
void tm_db_script(struct tm_db *db, const char *sql);

/*
 * Starts a statement with its parameters: types has one letter a parameter, 'i' for int64_t, 'b' for const void * and
 * size_t (a NULL pointer binds NULL). sql must be a string literal: statements are cached by address. Blobs must live
 * until the statement ends. NULL if there is an error, now or before. A statement that is still running must not be
 * started again.
 */
sqlite3_stmt *tm_db_start(struct tm_db *db, const char *sql, const char *types, ...);
/* Steps: true if there is a row. At the end, or on error, the statement is reset; NULL gives false. */
bool tm_db_row(struct tm_db *db, sqlite3_stmt *stmt);
void tm_db_end(sqlite3_stmt *stmt); /* ends one early; NULL is fine */

/* A write: opens the transaction if none is open, and runs to the end. */
void tm_db_run(struct tm_db *db, const char *sql, const char *types, ...);
/* First column of the first row as integer, or otherwise if there is none. */
int64_t tm_db_integer(struct tm_db *db, int64_t otherwise, const char *sql, const char *types, ...);
int64_t tm_db_last_row(struct tm_db *db); /* rowid of the last insert */
/* Bytes of a column; *len is written; NULL if it is NULL or empty. Valid until the next step. */
const uint8_t *tm_db_blob(sqlite3_stmt *stmt, int column, size_t *len);

void tm_db_fail(struct tm_db *db, int err); /* sets the sticky error, if none is set */
int tm_db_error(const struct tm_db *db);
/* Commits what is open; rolls back if anything went wrong. TM_OK or the sticky error, which stays. */
int tm_db_commit(struct tm_db *db) TM_MUST_CHECK;
/* Moves the log's content into the file and truncates the log: what was overwritten is gone from both. Not inside a
 * transaction. */
void tm_db_checkpoint(struct tm_db *db);

#endif
