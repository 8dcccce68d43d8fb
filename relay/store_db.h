/*
 * The store's database: boxes in SQLite. One thread. A group of requests is one transaction; what it did is on disk when tm_store_db_commit
 * has returned TM_OK, and undone when it has not.
 *
 * A row is id, signature, box and a coarse expiry. No other time, and nothing about who asked.
 */
#ifndef TM_RELAY_STORE_DB_H
#define TM_RELAY_STORE_DB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "box/box.h"

#define TM_STORE_EXPIRE_ROWS 256 /* in one transaction */
#define TM_STORE_EXPIRY_STEPS 16 /* of the boxes' lifetime: how coarse an expiry is */

struct tm_store_db;

/*
 * Opens or makes the file (mode 0600), and checks it. Errors: TM_E_IO (cannot be opened), TM_E_SYNTAX (corrupt, or not a box store),
 * TM_E_UNKNOWN (a newer program's), TM_E_NOMEM; tm_store_db_reason has SQLite's text.
 */
int tm_store_db_open(struct tm_store_db **out, const char *path) TM_MUST_CHECK;
void tm_store_db_close(struct tm_store_db *db); /* NULL is fine */
/* Text of the last failure of an open; static or of this module, one thread. */
const char *tm_store_db_reason(void);

uint64_t tm_store_db_boxes(const struct tm_store_db *db);

/* Errors: TM_E_IO. */
int tm_store_db_begin(struct tm_store_db *db) TM_MUST_CHECK;
int tm_store_db_commit(struct tm_store_db *db) TM_MUST_CHECK; /* on error all of the group is undone */
void tm_store_db_rollback(struct tm_store_db *db);

/*
 * Puts a box if nothing is there. expires_s: unix time after which nobody needs it; kept only rounded up to whole steps of step_s.
 * Errors: TM_E_EXISTS (the same box is there: fine), TM_E_CONFLICT (another one is), TM_E_FULL (over quota), TM_E_IO.
 */
int tm_store_db_put(struct tm_store_db *db, const uint8_t id[static TM_BOX_ID_LEN], const uint8_t signature[static TM_BOX_SIGNATURE_LEN],
                    const uint8_t box[static TM_BOX_LEN], uint64_t expires_s, uint32_t step_s, uint64_t quota) TM_MUST_CHECK;
/* Errors: TM_E_NOT_FOUND, TM_E_IO; outputs are then zero. */
int tm_store_db_get(struct tm_store_db *db, const uint8_t id[static TM_BOX_ID_LEN], uint8_t signature[static TM_BOX_SIGNATURE_LEN],
                    uint8_t box[static TM_BOX_LEN]) TM_MUST_CHECK;

/* Removes up to TM_STORE_EXPIRE_ROWS boxes that are over, in a transaction of its own. *n: how many. Errors: TM_E_IO. */
int tm_store_db_expire(struct tm_store_db *db, uint64_t now_s, size_t *n) TM_MUST_CHECK;

/* Folds a grown write-ahead log back. Outside of transactions. */
void tm_store_db_checkpoint(struct tm_store_db *db);

/* For tests: a database of at most so many pages, as a full disk. */
void tm_store_db_limit_pages(struct tm_store_db *db, uint32_t pages);

#endif
