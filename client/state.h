/*
 * The client's state on disk: DIR/state.db (mode 0600) and DIR/lock. It holds what a crash must not lose; every secret,
 * name and text in it is sealed (vault.h). Writes collect in one transaction until tm_state_commit. One thread; one
 * process, by the lock.
 */
#ifndef TM_CLIENT_STATE_H
#define TM_CLIENT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "client/db.h"
#include "client/vault.h"

#define TM_STATE_VERSION 1

struct tm_state {
  struct tm_db *db;
  struct tm_vault *vault;
  struct tm_rng rng;
  char *dir;
  int lock;
};

enum tm_meta {
  TM_META_VAULT = 1, /* the vault's header; the only value that is not sealed */
  TM_META_TRUST = 2,
  TM_META_DOCUMENT = 3,
  TM_META_GUARD = 4,
  TM_META_DELIVERY = 5 /* last delivery number given out: 8 bytes */
};

/*
 * Makes the directory and a new, empty state under a temporary name; tm_state_publish makes it the state. Closing it
 * before that throws it away. Errors: TM_E_EXISTS (there is a state, or somebody is making one), TM_E_IO, TM_E_NOMEM,
 * TM_E_TOO_BIG (passphrase).
 */
int tm_state_create(struct tm_state **out, const char *dir, const char *passphrase,
                    const struct tm_rng *rng) TM_MUST_CHECK;
/* Commits, syncs, and renames. The state is closed afterwards, whatever happens. Errors: TM_E_IO and what went wrong
 * before. */
int tm_state_publish(struct tm_state *s) TM_MUST_CHECK;
/* Errors: TM_E_NOT_FOUND, TM_E_EXISTS (in use), TM_E_AUTH, TM_E_UNKNOWN (newer version), TM_E_SYNTAX (damaged),
 * TM_E_IO, TM_E_NOMEM. */
int tm_state_open(struct tm_state **out, const char *dir, const char *passphrase,
                  const struct tm_rng *rng) TM_MUST_CHECK;
void tm_state_close(struct tm_state *s);               /* NULL is fine */
int tm_state_commit(struct tm_state *s) TM_MUST_CHECK; /* TM_OK or the sticky error */

/* Sealed values of the meta table. get: the caller frees *data with tm_file_free. Errors: TM_E_NOT_FOUND, TM_E_AUTH,
 * TM_E_NOMEM, TM_E_IO. */
void tm_state_put_meta(struct tm_state *s, enum tm_meta key, const void *data, size_t len);
int tm_state_get_meta(struct tm_state *s, enum tm_meta key, uint8_t **data, size_t *len) TM_MUST_CHECK;
/* The same for a value of exactly that length, without allocation. Errors: TM_E_NOT_FOUND, TM_E_AUTH, TM_E_SYNTAX,
 * TM_E_IO. */
int tm_state_get_meta_exact(struct tm_state *s, enum tm_meta key, void *data, size_t len) TM_MUST_CHECK;

/* Seals into / unseals from buffers that the caller frees with tm_file_free (len bytes). Errors: TM_E_NOMEM, TM_E_AUTH.
 */
int tm_state_seal(struct tm_state *s, struct tm_vault_place place, const uint8_t *data, size_t len, uint8_t **sealed,
                  size_t *sealed_len) TM_MUST_CHECK;
int tm_state_unseal(struct tm_state *s, struct tm_vault_place place, const uint8_t *sealed, size_t sealed_len,
                    uint8_t **data, size_t *len) TM_MUST_CHECK;

#endif
