/*
 * The constant-time check of boxes, pairing and invite codes, run under valgrind by tests/ct/run in a build with --enable-ct,
 * as ct_sphinx is. Seeds, texts, codes, ephemeral secrets and all randomness are secret; what comes out may be known only where
 * the source says so (sphinx/ct.h).
 *
 * Not here: records, which are read character by character once a box is open, and everything that a store does, to whom
 * everything it handles is public.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <valgrind/memcheck.h>

#include "box/box.h"
#include "box/invite.h"
#include "box/pairing.h"
#include "sphinx/ct.h"

static void require(bool truth, const char *what)
{
  if (truth)
    return;
  fprintf(stderr, "ct_box: %s\n", what);
  exit(1);
}

static void secret_bytes(void *out, size_t len)
{
  randombytes_buf(out, len);
  TM_CT_SECRET(out, len);
}

/* Are marks more than nothing in this build, and does valgrind see them? */
static void check_marks(void)
{
  uint8_t byte = 0, bits = 0;

  require(RUNNING_ON_VALGRIND, "not under valgrind");
  TM_CT_SECRET(&byte, 1);
  require(VALGRIND_GET_VBITS(&byte, &bits, 1) == 1 && bits == 0xff, "secrets are not marked: configure with --enable-ct");
}

/* Still a secret: nothing on the way has declassified it. */
static void require_secret(const void *p, size_t len, const char *what)
{
  uint8_t bits[128];
  bool all = len <= sizeof bits && VALGRIND_GET_VBITS(p, bits, len) == 1;

  for (size_t i = 0; all && i < len; i++)
    all = bits[i] == 0xff;
  require(all, what);
}

/* The comparison's result is what this program is about to tell. */
static bool same(const void *a, const void *b, size_t len)
{
  int differ = sodium_memcmp(a, b, len);

  TM_CT_PUBLIC(&differ, sizeof differ);
  return differ == 0;
}

static void make_pair(struct tm_box_writer *w, struct tm_box_reader *r)
{
  uint8_t seed[TM_BOX_SEED_LEN], capability[TM_BOX_CAPABILITY_LEN];

  secret_bytes(seed, sizeof seed);
  tm_box_writer_init(w, seed, 7);
  tm_box_capability(w, capability);
  require_secret(w->scalar, sizeof w->scalar, "the root scalar is no secret");
  require_secret(w->prefix, sizeof w->prefix, "the prefix is no secret");
  require_secret(capability + 32, TM_BOX_CHAIN_LEN, "the chain key is no secret");
  require(tm_box_reader_init(r, capability) == TM_OK, "no reader");
  require(tm_box_writer_advance(w, 20) == TM_OK && tm_box_reader_advance(r, 20) == TM_OK, "no advance");
}

static void check_boxes(void)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  uint8_t text[TM_BOX_TEXT_LEN], opened[TM_BOX_TEXT_LEN], random[TM_BOX_SEAL_RANDOM_LEN];
  uint8_t id[TM_BOX_ID_LEN], by_reader[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN];

  make_pair(&w, &r);
  require(tm_box_writer_id(&w, id) == TM_OK && tm_box_reader_id(&r, by_reader) == TM_OK, "no id");
  require(same(id, by_reader, sizeof id), "writer and reader disagree");
  secret_bytes(text, sizeof text);
  secret_bytes(random, sizeof random);
  require(tm_box_seal(&w, text, random, id, box, signature) == TM_OK, "not sealed");
  require(tm_box_verify(id, box, signature) == TM_OK, "not verified");
  require(tm_box_open(&r, box, signature, opened) == TM_OK, "not opened");
  require(same(text, opened, sizeof text), "another text");
  require_secret(opened, 64, "the text is no secret");
  require_secret(w.scalar, sizeof w.scalar, "the root scalar is no secret any more");
  box[100] ^= 1;
  require(tm_box_open(&r, box, signature, opened) == TM_E_SIGNATURE, "an altered box opened");
  require(tm_box_reader_advance(&r, 21) == TM_OK, "no advance");
  box[100] ^= 1;
  require(tm_box_open(&r, box, signature, opened) == TM_E_SIGNATURE, "a box of another index opened");
}

static void check_decoys_and_choice(void)
{
  uint8_t random[64], id[TM_BOX_ID_LEN], identities[5][32];
  size_t choice[2];

  secret_bytes(random, sizeof random);
  tm_box_decoy_id(random, id);
  randombytes_buf(identities, sizeof identities);
  tm_box_stores(id, (const uint8_t(*)[32])identities, 5, choice);
  require(choice[0] != choice[1], "one store twice");
}

/* From random bytes to a code, as typed in lower case, to its secret. */
static void make_code(uint8_t secret[static TM_INVITE_SECRET_SYMBOLS])
{
  uint8_t random[TM_INVITE_RANDOM_LEN], bits = 0;
  char code[TM_INVITE_TEXT_LEN];
  struct tm_invite_error why;

  secret_bytes(random, sizeof random);
  tm_invite_make(random, code);
  /* A digit has bit 6 clear; a letter turns into a small one. */
  for (size_t i = 0; i + 1 < sizeof code; i++)
    code[i] = (char)(code[i] | (code[i] >> 6 & 1) << 5);
  require(tm_invite_parse(code, secret, &why) == TM_OK, "the code does not parse");
  require(VALGRIND_GET_VBITS(secret, &bits, 1) == 1 && bits != 0, "the code is no secret");
  code[0] = 'u';
  require(tm_invite_parse(code, secret, &why) == TM_E_SYNTAX && why.position == 1, "an impossible character");
  code[0] = '-';
  require(tm_invite_parse(code, secret, &why) == TM_E_SYNTAX && why.symbols == TM_INVITE_SYMBOLS - 1, "a missing one");
  tm_invite_make(random, code);
  code[7] ^= 1; /* 01, 23, ... ST, VW, XY are neighbours; the rest become impossible or look-alikes */
  require(tm_invite_parse(code, secret, &why) == TM_E_SYNTAX, "a mistyped code parses");
  tm_invite_make(random, code);
  require(tm_invite_parse(code, secret, &why) == TM_OK, "the code does not parse");
}

static void check_pairing(void)
{
  uint8_t code[TM_INVITE_SECRET_SYMBOLS], i_secret[32], a_secret[32], i_public[32], a_public[32], nonce[24];
  uint8_t capability[TM_BOX_CAPABILITY_LEN], opened[TM_BOX_CAPABILITY_LEN], text[TM_BOX_TEXT_LEN];
  uint8_t safety[TM_PAIRING_SAFETY_LEN], other_safety[TM_PAIRING_SAFETY_LEN];
  struct tm_box_writer w, meeting;
  struct tm_box_reader r;
  char shown[TM_SAFETY_TEXT_LEN];

  make_code(code);
  tm_pairing_meeting(code, 99, &meeting, &w);
  make_pair(&w, &r);
  tm_box_capability(&w, capability);
  secret_bytes(i_secret, sizeof i_secret);
  secret_bytes(a_secret, sizeof a_secret);
  randombytes_buf(nonce, sizeof nonce);
  tm_pairing_ephemeral(a_secret, a_public);
  tm_pairing_hello_write(text, a_public);
  require(tm_pairing_hello_read(text, a_public) == TM_OK, "no hello");
  require(tm_pairing_offer_write(text, code, i_secret, a_public, capability, nonce, safety) == TM_OK, "no offer");
  require(tm_pairing_offer_read(text, code, a_secret, i_public, opened, other_safety) == TM_OK, "offer refused");
  require(same(capability, opened, sizeof opened) && same(safety, other_safety, sizeof safety), "no agreement");
  require_secret(opened + 32, TM_BOX_CHAIN_LEN, "the chain key is no secret");
  text[60] ^= 1;
  require(tm_pairing_offer_read(text, code, a_secret, i_public, opened, other_safety) == TM_E_AUTH, "altered offer");
  tm_pairing_ephemeral(i_secret, i_public);
  require(tm_pairing_confirm_write(text, code, a_secret, i_public, capability, nonce) == TM_OK, "no confirm");
  require(tm_pairing_confirm_read(text, code, i_secret, a_public, opened) == TM_OK, "confirm refused");
  require(same(capability, opened, sizeof opened), "no agreement");
  memset(a_public, 0, sizeof a_public);
  require(tm_pairing_offer_write(text, code, i_secret, a_public, capability, nonce, safety) == TM_E_POINT, "zero secret");
  tm_safety_format(other_safety, shown);
}

int main(void)
{
  if (sodium_init() < 0)
    return 2;
  check_marks();
  check_boxes();
  check_decoys_and_choice();
  for (int i = 0; i < 8; i++)
    check_pairing();
  puts("boxes, pairing, invite codes: checked");
  return 0;
}
