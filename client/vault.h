/*
 * Sealing of the state: a random master key, itself sealed under Argon2id of the passphrase, seals every value with
 * XChaCha20-Poly1305 under a random nonce. The place of a value (table, row, sub-row) is authenticated with it, so that
 * rows cannot be swapped. Keys live in sodium_malloc'ed memory. An old value of the same place is not recognised as
 * old. One thread.
 */
#ifndef TM_CLIENT_VAULT_H
#define TM_CLIENT_VAULT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

#define TM_VAULT_HEADER_LEN 101 /* version 1, ops 4, memory 8, salt 16, nonce 24, master key 32 and tag 16 */
#define TM_VAULT_OVERHEAD 40    /* nonce and tag */
#define TM_VAULT_PASSPHRASE_MAX 1024

struct tm_vault;

/* Which value: a table's name of at most 15 bytes and two numbers. */
struct tm_vault_place {
  const char *table;
  uint64_t row;
  uint64_t sub;
};

/*
 * A new master key; header is to be kept beside the sealed values. Argon2id takes the MODERATE limits, or the
 * INTERACTIVE ones for an empty passphrase, where they protect nothing. Errors: TM_E_TOO_BIG (passphrase), TM_E_NOMEM.
 */
int tm_vault_create(struct tm_vault **out, const char *passphrase, const struct tm_rng *rng,
                    uint8_t header[static TM_VAULT_HEADER_LEN]) TM_MUST_CHECK;
/* Errors: TM_E_AUTH (wrong passphrase), TM_E_SYNTAX (not a header, or costs over our limits), TM_E_UNKNOWN (version),
 * TM_E_TOO_BIG, TM_E_NOMEM. */
int tm_vault_open(struct tm_vault **out, const char *passphrase, const uint8_t *header, size_t len) TM_MUST_CHECK;
void tm_vault_free(struct tm_vault *v); /* NULL is fine */

/* out: len + TM_VAULT_OVERHEAD bytes. */
void tm_vault_seal(const struct tm_vault *v, const struct tm_rng *rng, struct tm_vault_place place, const uint8_t *in,
                   size_t len, uint8_t *out);
/* out: len - TM_VAULT_OVERHEAD bytes, zero on error. Errors: TM_E_AUTH, TM_E_LENGTH (shorter than the overhead; out is
 * not touched). */
int tm_vault_unseal(const struct tm_vault *v, struct tm_vault_place place, const uint8_t *in, size_t len,
                    uint8_t *out) TM_MUST_CHECK;

#endif
