/*
 * A relay's keys: its identity, and one mix key per epoch, each in a file of its own under the state directory (mode 0600), with the journal of
 * its replay set beside it.
 *
 * Live are the key of the present epoch and, within the grace, the one before. A key whose time is over is erased: the file first, then the key
 * in memory as soon as no batch uses it; its journal and its replay set after it. A key whose journal is missing, damaged or of another key is
 * destroyed: nobody could tell what was seen under it. So is one whose journal cannot be written any more. Time never goes back for this module: a key that was retired and came back
 * would have an empty replay set.
 *
 * tm_keys_new, _update and _free belong to the loop thread; acquire and release to any.
 */
#ifndef TM_RELAY_KEYS_H
#define TM_RELAY_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "relay/replay.h"
#include "sphinx/sphinx.h"

#define TM_KEYS_SEED_LEN 32
#define TM_KEYS_LIVE_MAX 2

struct tm_keys;

/* The keys to try for a batch, the present epoch's first. Read-only. */
struct tm_keyset {
  size_t n;
  struct {
    uint64_t epoch;
    const tm_sphinx_key *key;
    struct tm_replay_set *seen;
  } live[TM_KEYS_LIVE_MAX];
};

/* ---- files; blocking ---- */

/* Reads the identity's seed into locked memory, which the caller frees with sodium_free. Errors: TM_E_NOT_FOUND, TM_E_IO, TM_E_SYNTAX (length),
 * TM_E_AUTH (others may read the file), TM_E_NOMEM; *seed is then NULL. */
int tm_identity_load(const char *state_dir, uint8_t **seed) TM_MUST_CHECK;
/* Why a key file could not be read or made, for people; right behind it, as it looks at errno. */
const char *tm_key_reason(int err);
/* Makes an identity if there is none. Errors: TM_E_EXISTS (there is one), TM_E_IO, TM_E_NOMEM. */
int tm_identity_make(const char *state_dir, const struct tm_rng *rng) TM_MUST_CHECK;
/* Makes the mix key of an epoch, and its journal, if there is none. Errors: TM_E_EXISTS; TM_E_CONFLICT (there is one, but its journal is missing or not its own); TM_E_IO, TM_E_NOMEM, those of
 * tm_identity_load. */
int tm_mix_key_make(const char *state_dir, uint64_t epoch, const struct tm_rng *rng) TM_MUST_CHECK;
/* Errors: those of tm_identity_load; *key is then NULL. */
int tm_mix_key_load(const char *state_dir, uint64_t epoch, tm_sphinx_key **key) TM_MUST_CHECK;
/* The same, with the secrets of its journal, which the caller wipes. */
int tm_mix_key_open(const char *state_dir, uint64_t epoch, tm_sphinx_key **key, struct tm_journal_keys *journal) TM_MUST_CHECK;
/* For the caller to free; NULL: no memory. */
char *tm_mix_journal_path(const char *state_dir, uint64_t epoch) TM_MUST_CHECK;
/* Overwrites and removes the file, and syncs the directory; then the journal. Errors: TM_E_NOT_FOUND (there was no key; there is no journal either now), TM_E_IO, TM_E_NOMEM. */
int tm_mix_key_erase(const char *state_dir, uint64_t epoch) TM_MUST_CHECK;
/*
 * Epochs that have a key file, ascending, in an array that the caller frees. Errors: TM_E_IO, TM_E_NOMEM, TM_E_TOO_BIG (over TM_KEYS_FILES_MAX).
 */
#define TM_KEYS_FILES_MAX 4096
int tm_mix_keys_list(const char *state_dir, uint64_t **epochs, size_t *n) TM_MUST_CHECK;
int tm_mix_journals_list(const char *state_dir, uint64_t **epochs, size_t *n) TM_MUST_CHECK; /* those that have a journal */

/*
 * The length of an epoch that the mix keys were numbered for, in state_dir/epoch-length: notes it if nothing is noted. Errors: TM_E_CONFLICT (another
 * one is noted; written to *noted, which may be NULL), TM_E_SYNTAX (the file is no number), TM_E_IO, TM_E_NOMEM.
 */
int tm_epoch_length_keep(const char *state_dir, uint32_t epoch_s, uint32_t *noted) TM_MUST_CHECK;
/* What is noted; 0: nothing that can be read. */
uint32_t tm_epoch_length(const char *state_dir);
/* Forgets it, when there are no keys any more. Errors: TM_E_STATE (there are), TM_E_IO, TM_E_NOMEM and those of tm_mix_keys_list. */
int tm_epoch_length_forget(const char *state_dir) TM_MUST_CHECK;

/* ---- live keys ---- */

struct tm_keys_config {
  const char *state_dir;
  struct tm_replay *replay; /* outlives the keys */
  uint64_t replay_max;      /* tags per key */
};

/* No key is live yet. config is copied, its strings are not. Errors: TM_E_NOMEM. */
int tm_keys_new(struct tm_keys **out, const struct tm_keys_config *config) TM_MUST_CHECK;
void tm_keys_free(struct tm_keys *keys); /* every keyset was released; NULL is fine */

/*
 * Brings the live keys up to date for that time, or for the latest time that it was called with, and erases what is over. Cheap when nothing changed. Errors, of the present epoch's key:
 * those of tm_mix_key_load and tm_replay_set_open, TM_E_STATE (it was destroyed). The keys that there are then live all the same.
 * TM_E_CONFLICT (said in the log), and errors of tm_epoch_length_keep: the keys are numbered for epochs of another length. None lives then, and none is erased.
 */
int tm_keys_update(struct tm_keys *keys, uint64_t now_s, uint32_t epoch_s, uint32_t grace_s) TM_MUST_CHECK;

/* The live keys; stays valid until released. Never NULL; n may be 0. */
const struct tm_keyset *tm_keys_acquire(struct tm_keys *keys);
void tm_keys_release(struct tm_keys *keys, const struct tm_keyset *set);

#endif
