/*
 * A small network for tests: ten relays from fixed seeds, and authorities. Nothing here is secret.
 */
#ifndef TM_TESTS_DIRECTORY_FIXTURE_H
#define TM_TESTS_DIRECTORY_FIXTURE_H

#include "directory/assemble.h"
#include "directory/document.h"
#include "directory/note.h"

#define FIXTURE_RELAYS 10
#define FIXTURE_KEYS 2
#define FIXTURE_NOW UINT64_C(1795492800) /* 2026-11-24T04:00:00Z */

struct fixture {
  struct tm_document_draft draft;
  struct tm_relay_info relays[FIXTURE_RELAYS]; /* entry1, entry2, mix1a, mix1b, ... mix3b, store1, store2 */
  struct tm_mix_key keys[FIXTURE_RELAYS][FIXTURE_KEYS];
  uint8_t seeds[FIXTURE_RELAYS][32]; /* of the identities */
};

/* Valid from FIXTURE_NOW for an hour. */
void fixture_init(struct fixture *f);
void fixture_point(unsigned n, uint8_t point[static 32]); /* the n-th of many points */
/* Authority i, "authority-i". */
void fixture_signer(unsigned i, struct tm_note_signer *signer);
/* Trust in authorities 0 to n - 1. Aborts if that fails. */
struct tm_trust *fixture_trust(unsigned n);
/* text, signed by authorities first to first + n - 1; the caller frees. Aborts if that fails. */
char *fixture_sign(const char *text, size_t len, unsigned first, unsigned n, size_t *out_len);

#endif
