#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "directory/params.h"

#include "directory_fixture.h"

static void must(int ok)
{
  if (!ok)
    abort();
}

static void seed_of(const char *what, unsigned n, uint8_t seed[static 32])
{
  char text[64];
  size_t len = (size_t)snprintf(text, sizeof text, "%s %u", what, n);

  crypto_generichash(seed, 32, (const uint8_t *)text, len, NULL, 0);
}

void fixture_point(unsigned n, uint8_t point[static 32])
{
  uint8_t scalar[32];

  seed_of("mix", n, scalar);
  must(crypto_scalarmult_ed25519_base(point, scalar) == 0);
}

static void make_relay(struct fixture *f, unsigned i, const char *name, unsigned roles, unsigned layer)
{
  struct tm_relay_info *relay = &f->relays[i];
  uint8_t secret[crypto_sign_SECRETKEYBYTES];

  seed_of("relay", i, f->seeds[i]);
  crypto_sign_seed_keypair(relay->identity, secret, f->seeds[i]);
  snprintf(relay->name, sizeof relay->name, "%s", name);
  snprintf(relay->address, sizeof relay->address, "127.0.0.1:%u", 4711 + i);
  relay->roles = roles;
  relay->layer = layer;
  relay->n_keys = FIXTURE_KEYS;
  relay->keys = f->keys[i];
  for (unsigned k = 0; k < FIXTURE_KEYS; k++) {
    f->keys[i][k].epoch = f->draft.valid_from / f->draft.params.epoch_s + k;
    fixture_point(i * FIXTURE_KEYS + k, f->keys[i][k].point);
  }
}

void fixture_init(struct fixture *f)
{
  char name[TM_RELAY_NAME_MAX + 1];
  unsigned i = 0;

  must(sodium_init() >= 0);
  memset(f, 0, sizeof *f);
  tm_params_standard(&f->draft.params);
  f->draft.network = "test";
  f->draft.valid_from = FIXTURE_NOW;
  f->draft.valid_until = FIXTURE_NOW + 3600;
  f->draft.relays = f->relays;
  f->draft.n = FIXTURE_RELAYS;
  make_relay(f, i++, "entry1", TM_ROLE_ENTRY, 0);
  make_relay(f, i++, "entry2", TM_ROLE_ENTRY, 0);
  for (unsigned m = 0; m < 6; m++) {
    snprintf(name, sizeof name, "mix%u%c", m / 2 + 1, 'a' + (int)(m % 2));
    make_relay(f, i++, name, TM_ROLE_MIX, m / 2 + 1);
  }
  make_relay(f, i++, "store1", TM_ROLE_STORE, 0);
  make_relay(f, i++, "store2", TM_ROLE_STORE, 0);
}

void fixture_signer(unsigned i, struct tm_note_signer *signer)
{
  char name[TM_NOTE_NAME_MAX + 1];
  uint8_t seed[32];

  seed_of("authority", i, seed);
  snprintf(name, sizeof name, "authority-%u", i);
  must(tm_note_signer_make(signer, name, seed) == TM_OK);
}

struct tm_trust *fixture_trust(unsigned n)
{
  char text[TM_DOCUMENT_AUTHORITIES_MAX * TM_NOTE_VERIFIER_LEN] = "# authorities\n\n";
  struct tm_trust *trust = NULL;
  struct tm_note_signer signer;
  size_t at = strlen(text);

  for (unsigned i = 0; i < n; i++) {
    fixture_signer(i, &signer);
    tm_note_key_format(&signer.pub, text + at);
    at += strlen(text + at);
    text[at++] = '\n';
  }
  must(tm_trust_parse(&trust, text, at) == TM_OK);
  return trust;
}

char *fixture_sign(const char *text, size_t len, unsigned first, unsigned n, size_t *out_len)
{
  struct tm_note_signer signer;
  char *note = malloc(len + 1);

  must(note != NULL);
  memcpy(note, text, len);
  *out_len = len;
  for (unsigned i = first; i < first + n; i++) {
    char *more;
    fixture_signer(i, &signer);
    must(tm_note_sign(&signer, note, *out_len, &more, out_len) == TM_OK);
    free(note);
    note = more;
  }
  return note;
}
