/*
 * Signed notes (C2SP signed-note, Ed25519 only): a text that people can read, a blank line, and one line for each
 * signature:
 *
 *   "\xe2\x80\x94 NAME BASE64(key id (4) | signature (64))\n"
 *
 * The signature covers the text with its last newline. A key id is the first 4 bytes of SHA-256(name | 0x0A | 0x01 |
 * public key); it finds the key and proves nothing. Bytes in, bytes out; no state; any thread. What the text says is
 * not looked at here.
 */
#ifndef TM_DIRECTORY_NOTE_H
#define TM_DIRECTORY_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_NOTE_NAME_MAX 63       /* printable ASCII without space and '+' */
#define TM_NOTE_SIGNATURES_MAX 64 /* lines, known signers or not */
#define TM_NOTE_KEYS_MAX 32       /* keys that one call looks for */
#define TM_NOTE_KEY_ID_LEN 4
#define TM_NOTE_KEY_LEN 32
#define TM_NOTE_SEED_LEN 32
#define TM_NOTE_VERIFIER_LEN (TM_NOTE_NAME_MAX + 1 + 8 + 1 + 44 + 1)   /* as text, with the final NUL */
#define TM_NOTE_SIGNER_LEN (sizeof "PRIVATE+KEY+" + TM_NOTE_VERIFIER_LEN) /* more than enough */

struct tm_note_key {
  char name[TM_NOTE_NAME_MAX + 1];
  uint8_t id[TM_NOTE_KEY_ID_LEN];
  uint8_t key[TM_NOTE_KEY_LEN]; /* Ed25519 public key */
};

/* Secret: the owner wipes it. */
struct tm_note_signer {
  struct tm_note_key pub;
  uint8_t seed[TM_NOTE_SEED_LEN];
};

/* Errors: TM_E_SYNTAX (name), TM_E_POINT (key). */
int tm_note_key_make(struct tm_note_key *key, const char *name,
                     const uint8_t pub[static TM_NOTE_KEY_LEN]) TM_MUST_CHECK;
/* Errors: TM_E_SYNTAX (name). */
int tm_note_signer_make(struct tm_note_signer *signer, const char *name,
                        const uint8_t seed[static TM_NOTE_SEED_LEN]) TM_MUST_CHECK;

/* "name+hhhhhhhh+base64(0x01 | key)", len characters. Errors: TM_E_SYNTAX (also a key id that does not fit),
 * TM_E_POINT. */
int tm_note_key_parse(struct tm_note_key *key, const char *text, size_t len) TM_MUST_CHECK;
void tm_note_key_format(const struct tm_note_key *key, char text[static TM_NOTE_VERIFIER_LEN]);
/* "PRIVATE+KEY+name+hhhhhhhh+base64(0x01 | seed)". Errors: TM_E_SYNTAX. */
int tm_note_signer_parse(struct tm_note_signer *signer, const char *text, size_t len) TM_MUST_CHECK;
void tm_note_signer_format(const struct tm_note_signer *signer, char text[static TM_NOTE_SIGNER_LEN]);

/*
 * Splits a note and checks its signatures against n <= TM_NOTE_KEYS_MAX keys. *text_len: how many of the first bytes
 * are the text. *signers: bit i is set if keys[i] signed well, once however many lines it has. Lines by others are
 * ignored. Errors: TM_E_SYNTAX (not a note), TM_E_TOO_BIG (more than TM_NOTE_SIGNATURES_MAX lines), TM_E_SIGNATURE (a
 * line that names one of the keys does not verify). *text_len and *signers are then 0, but for TM_E_SIGNATURE, where
 * *signers has those that are good.
 */
int tm_note_open(const char *bytes, size_t len, const struct tm_note_key keys[], size_t n, size_t *text_len,
                 uint32_t *signers) TM_MUST_CHECK;

/*
 * Signs a text (whole lines, none blank) or adds a signature to a note; a line by the same key is replaced. *out is the
 * caller's to free, *out_len bytes and a NUL behind them. Errors: TM_E_SYNTAX, TM_E_TOO_BIG (lines), TM_E_NOMEM; *out
 * is then NULL.
 */
int tm_note_sign(const struct tm_note_signer *signer, const char *bytes, size_t len, char **out,
                 size_t *out_len) TM_MUST_CHECK;

/* Walks the signature lines behind the text, for showing them. *at starts at text_len of tm_note_open. Errors:
 * TM_E_NOT_FOUND (no more). */
int tm_note_next(const char *bytes, size_t len, size_t *at, char name[static TM_NOTE_NAME_MAX + 1],
                 uint8_t id[static TM_NOTE_KEY_ID_LEN]) TM_MUST_CHECK;

#endif
