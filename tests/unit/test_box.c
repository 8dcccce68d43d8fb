/*
 * Boxes and sequences: writer and reader agree and forget alike, stores accept what was sealed and nothing else, ids
 * say nothing.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "box/internal.h"
#include "sphinx/sphinx.h"
#include "tests/unit/box_support.h"

#define INDICES 2000
#define FLIPS 400

/* ---- sequences ---- */

static void test_agreement(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  uint8_t id[TM_BOX_ID_LEN], same[TM_BOX_ID_LEN], before[TM_BOX_ID_LEN] = {0};

  (void)state;
  support_pair(&w, &r, 1, 500);
  for (uint64_t i = 500; i < 500 + INDICES; i++) {
    assert_int_equal(tm_box_writer_advance(&w, i), TM_OK);
    assert_int_equal(tm_box_reader_advance(&r, i), TM_OK);
    assert_int_equal(tm_box_writer_id(&w, id), TM_OK);
    assert_int_equal(tm_box_reader_id(&r, same), TM_OK);
    assert_memory_equal(id, same, sizeof id);
    assert_memory_not_equal(id, before, sizeof id);
    assert_int_equal(tm_sphinx_point_check(id), TM_SPHINX_OK);
    memcpy(before, id, sizeof id);
  }
}

/* One leap or many steps: the same place. */
static void test_advance(void **state)
{
  struct tm_box_writer w, steps;
  struct tm_box_reader r;
  uint8_t a[TM_BOX_CAPABILITY_LEN], b[TM_BOX_CAPABILITY_LEN];

  (void)state;
  support_pair(&w, &r, 2, 7);
  steps = w;
  assert_int_equal(tm_box_writer_advance(&w, 1007), TM_OK);
  assert_int_equal(tm_box_reader_advance(&r, 1007), TM_OK);
  for (uint64_t i = 7; i <= 1007; i++)
    assert_int_equal(tm_box_writer_advance(&steps, i), TM_OK);
  assert_memory_equal(&steps, &w, sizeof w);
  assert_int_equal(w.index, 1007);
  tm_box_capability(&w, a);
  tm_box_reader_capability(&r, b);
  assert_memory_equal(a, b, sizeof a);
  /* The present index changes nothing. */
  assert_int_equal(tm_box_writer_advance(&w, 1007), TM_OK);
  assert_memory_equal(&steps, &w, sizeof w);
}

static void test_forgets(void **state)
{
  struct tm_box_writer w, old;
  struct tm_box_reader r, past;

  (void)state;
  support_pair(&w, &r, 3, 7);
  old = w;
  assert_int_equal(tm_box_writer_advance(&w, 8), TM_OK);
  assert_memory_not_equal(w.chain, old.chain, TM_BOX_CHAIN_LEN);
  assert_memory_equal(w.scalar, old.scalar, 32);
  assert_int_equal(tm_box_reader_advance(&r, 8), TM_OK);
  old = w;
  past = r;
  for (uint64_t back = 0; back < 8; back++) {
    assert_int_equal(tm_box_writer_advance(&w, back), TM_E_STATE);
    assert_int_equal(tm_box_reader_advance(&r, back), TM_E_STATE);
  }
  assert_int_equal(tm_box_writer_advance(&w, 9 + TM_BOX_STEP_MAX), TM_E_TOO_BIG);
  assert_int_equal(tm_box_reader_advance(&r, UINT64_MAX), TM_E_TOO_BIG);
  assert_memory_equal(&w, &old, sizeof w);
  assert_memory_equal(&r, &past, sizeof r);
}

/* A reader that comes later sees nothing of what was: neither chain nor id of an earlier index can be had from its
 * capability. */
static void test_late_capability(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r, late;
  uint8_t capability[TM_BOX_CAPABILITY_LEN], id[TM_BOX_ID_LEN], other[TM_BOX_ID_LEN];

  (void)state;
  support_pair(&w, &r, 4, 0);
  assert_int_equal(tm_box_writer_advance(&w, 100), TM_OK);
  tm_box_capability(&w, capability);
  assert_int_equal(tm_box_reader_init(&late, capability), TM_OK);
  assert_int_equal(late.index, 100);
  assert_int_equal(tm_box_reader_advance(&late, 99), TM_E_STATE);
  assert_int_equal(tm_box_reader_id(&late, id), TM_OK);
  assert_int_equal(tm_box_reader_advance(&r, 100), TM_OK);
  assert_int_equal(tm_box_reader_id(&r, other), TM_OK);
  assert_memory_equal(id, other, sizeof id);
}

static void test_capability_form(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  uint8_t capability[TM_BOX_CAPABILITY_LEN];

  (void)state;
  support_pair(&w, &r, 5, 0x0102030405060708);
  tm_box_capability(&w, capability);
  assert_memory_equal(capability, w.point, 32);
  assert_memory_equal(capability + 32, w.chain, 32);
  assert_memory_equal(capability + 64, "\1\2\3\4\5\6\7\10", 8);
  assert_int_equal(r.index, 0x0102030405060708);
  /* Bit flips of the point: refused, or another point altogether. */
  for (size_t i = 0; i < 256; i++) {
    capability[i / 8] ^= (uint8_t)(1 << i % 8);
    memset(&r, 0x55, sizeof r);
    if (tm_box_reader_init(&r, capability) != TM_OK)
      assert_true(sodium_is_zero((const uint8_t *)&r, sizeof r));
    else
      assert_memory_not_equal(r.point, w.point, 32);
    capability[i / 8] ^= (uint8_t)(1 << i % 8);
  }
  memset(capability, 0, 32);
  assert_int_equal(tm_box_reader_init(&r, capability), TM_E_POINT);
}

/* A struct that no init made gives errors, and zeros. */
static void test_no_point(void **state)
{
  struct tm_box_writer w = {0};
  struct tm_box_reader r = {0};
  struct support_box b;
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN] = {0};

  (void)state;
  memset(&b, 0x55, sizeof b);
  assert_int_equal(tm_box_writer_id(&w, b.id), TM_E_POINT);
  assert_true(sodium_is_zero(b.id, sizeof b.id));
  memset(&b, 0x55, sizeof b);
  assert_int_equal(tm_box_seal(&w, b.text, random, b.id, b.box, b.signature), TM_E_POINT);
  assert_true(sodium_is_zero(b.id, sizeof b.id) && sodium_is_zero(b.box, sizeof b.box));
  assert_true(sodium_is_zero(b.signature, sizeof b.signature));
  memset(b.id, 0x55, sizeof b.id);
  assert_int_equal(tm_box_reader_id(&r, b.id), TM_E_POINT);
  assert_true(sodium_is_zero(b.id, sizeof b.id));
  assert_int_equal(tm_box_open(&r, b.box, b.signature, b.text), TM_E_POINT);
  assert_true(sodium_is_zero(b.text, sizeof b.text));
}

/* ---- sealing ---- */

/* What the specification says of a signature: plain Ed25519 under the id, over the domain string and the box. */
static int verify_plainly(const struct support_box *b)
{
  uint8_t message[16 + TM_BOX_LEN];

  memcpy(message, "tidemill.signed1", 16);
  memcpy(message + 16, b->box, TM_BOX_LEN);
  return crypto_sign_verify_detached(b->signature, message, sizeof message, b->id);
}

static void test_seal_and_open(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;
  uint8_t text[TM_BOX_TEXT_LEN];

  (void)state;
  support_pair(&w, &r, 6, 0);
  for (uint64_t i = 0; i < INDICES; i++) {
    assert_int_equal(tm_box_writer_advance(&w, i), TM_OK);
    assert_int_equal(tm_box_reader_advance(&r, i), TM_OK);
    support_seal(&w, i, &b);
    assert_int_equal(verify_plainly(&b), 0);
    assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_OK);
    assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_OK);
    assert_memory_equal(text, b.text, sizeof text);
  }
}

/* The nonce of the box is the caller's randomness; two seals of one text have nothing else in common. */
static void test_two_seals_differ(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box a, b;
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN];
  size_t same = 0;

  (void)state;
  support_pair(&w, &r, 7, 3);
  support_seal(&w, 1, &a);
  support_bytes(random, sizeof random, 99);
  assert_int_equal(tm_box_seal(&w, a.text, random, b.id, b.box, b.signature), TM_OK);
  assert_memory_equal(b.box, random, 24);
  assert_memory_equal(a.id, b.id, sizeof a.id);
  for (size_t i = 0; i < TM_BOX_LEN; i++)
    same += a.box[i] == b.box[i];
  assert_true(same < 30); /* 5.75 are expected */
  assert_memory_not_equal(a.signature, b.signature, 32);
  /* The signing randomness alone changes the signature, all of it, and nothing else. */
  random[TM_BOX_SEAL_RANDOM_LEN - 1] ^= 1;
  assert_int_equal(tm_box_seal(&w, a.text, random, a.id, a.box, a.signature), TM_OK);
  assert_memory_equal(a.box, b.box, sizeof a.box);
  assert_memory_not_equal(a.signature, b.signature, 32);
  assert_memory_not_equal(a.signature + 32, b.signature + 32, 32);
}

/* With the same randomness, the nonce point still differs between texts and between indices. */
static void test_nonce_never_repeats(void **state)
{
  struct tm_box_writer w, renamed;
  struct tm_box_reader r;
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN] = {0}, text[TM_BOX_TEXT_LEN] = {0};
  struct support_box b[4];

  (void)state;
  support_pair(&w, &r, 8, 3);
  assert_int_equal(tm_box_seal(&w, text, random, b[0].id, b[0].box, b[0].signature), TM_OK);
  text[0] = 1;
  assert_int_equal(tm_box_seal(&w, text, random, b[1].id, b[1].box, b[1].signature), TM_OK);
  text[0] = 0;
  assert_int_equal(tm_box_writer_advance(&w, 4), TM_OK);
  assert_int_equal(tm_box_seal(&w, text, random, b[2].id, b[2].box, b[2].signature), TM_OK);
  /* The chain stays, the index moves. */
  renamed = w;
  renamed.index = 5;
  assert_int_equal(tm_box_seal(&renamed, text, random, b[3].id, b[3].box, b[3].signature), TM_OK);
  for (size_t i = 0; i < 4; i++)
    for (size_t j = i + 1; j < 4; j++)
      assert_memory_not_equal(b[i].signature, b[j].signature, 32);
}

/* Flips bit of whichever of the three it falls into, in this order: id, box, signature. */
static void flip(struct support_box *b, size_t bit)
{
  uint8_t *part = b->id;

  if (bit >= 8 * TM_BOX_ID_LEN) {
    bit -= 8 * TM_BOX_ID_LEN;
    part = b->box;
    if (bit >= 8 * TM_BOX_LEN) {
      bit -= 8 * TM_BOX_LEN;
      part = b->signature;
    }
  }
  part[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void test_altered(void **state)
{
  const size_t bits = 8 * (TM_BOX_ID_LEN + TM_BOX_LEN + TM_BOX_SIGNATURE_LEN);
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;
  uint8_t text[TM_BOX_TEXT_LEN];
  int err;

  (void)state;
  support_pair(&w, &r, 9, 3);
  support_seal(&w, 1, &b);
  /* Every bit of id and signature, some of the box. */
  for (size_t i = 0; i < bits; i++) {
    bool in_id = i < 8 * TM_BOX_ID_LEN;
    bool in_box = !in_id && i < 8 * (TM_BOX_ID_LEN + TM_BOX_LEN);

    if (in_box && i % (8 * TM_BOX_LEN / FLIPS + 1) != 0)
      continue;
    flip(&b, i);
    err = tm_box_verify(b.id, b.box, b.signature);
    assert_true(err == TM_E_SIGNATURE || (in_id && err == TM_E_POINT));
    if (!in_id) {
      memset(text, 0x55, sizeof text);
      assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_E_SIGNATURE);
      assert_true(sodium_is_zero(text, sizeof text));
    }
    flip(&b, i);
  }
  assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_OK);
}

static void test_wrong_index(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r, other;
  struct support_box b;
  uint8_t text[TM_BOX_TEXT_LEN];

  (void)state;
  support_pair(&w, &other, 11, 3);
  support_pair(&w, &r, 10, 3);
  support_seal(&w, 1, &b);
  assert_int_equal(tm_box_open(&other, b.box, b.signature, text), TM_E_SIGNATURE);
  assert_int_equal(tm_box_reader_advance(&r, 4), TM_OK);
  assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_E_SIGNATURE);
  assert_true(sodium_is_zero(text, sizeof text));
}

/* Signs as the writer would, whatever is in the box and whatever id the signature is to be for. */
static void sign_again(const struct tm_box_writer *w, uint64_t seed, struct support_box *b)
{
  uint8_t scalar[32], id[32], nonce[64], k[64], product[32], message[16 + TM_BOX_LEN];
  crypto_hash_sha512_state h;

  assert_int_equal(tm_box_writer_scalar(w, scalar, id), TM_OK);
  memcpy(message, "tidemill.signed1", 16);
  memcpy(message + 16, b->box, TM_BOX_LEN);
  support_bytes(nonce, sizeof nonce, seed);
  crypto_core_ed25519_scalar_reduce(nonce, nonce);
  assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(b->signature, nonce), 0);
  crypto_hash_sha512_init(&h);
  crypto_hash_sha512_update(&h, b->signature, 32);
  crypto_hash_sha512_update(&h, b->id, 32);
  crypto_hash_sha512_update(&h, message, sizeof message);
  crypto_hash_sha512_final(&h, k);
  crypto_core_ed25519_scalar_reduce(k, k);
  crypto_core_ed25519_scalar_mul(product, k, scalar);
  crypto_core_ed25519_scalar_add(b->signature + 32, nonce, product);
}

/* A box that its writer signed, but whose seal is broken: stores take it, readers don't. */
static void test_bad_seal(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;
  uint8_t text[TM_BOX_TEXT_LEN], key[TM_BOX_KEY_LEN];

  (void)state;
  support_pair(&w, &r, 12, 3);
  support_seal(&w, 1, &b);
  for (size_t at = 0; at < TM_BOX_LEN; at += 67) {
    b.box[at] ^= 0x80;
    sign_again(&w, 77, &b);
    assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_OK);
    memset(text, 0x55, sizeof text);
    assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_E_AUTH);
    assert_true(sodium_is_zero(text, sizeof text));
    b.box[at] ^= 0x80;
  }
  /* Sealed under the right key but for no id and index. */
  tm_box_key(key, w.point, w.chain, w.index);
  (void)crypto_aead_xchacha20poly1305_ietf_encrypt(b.box + 24, NULL, b.text, sizeof b.text, NULL, 0, NULL, b.box, key);
  sign_again(&w, 77, &b);
  assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_E_AUTH);
}

/* S + L is the same scalar and another signature. */
static void test_malleated_signature(void **state)
{
  static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                    0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;

  (void)state;
  support_pair(&w, &r, 13, 3);
  support_seal(&w, 1, &b);
  sodium_add(b.signature + 32, order, 32);
  assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_E_SIGNATURE);
}

/* ---- ids ---- */

/* The point of order eight with an even y, that many times. */
static void small_order(uint8_t out[static 32], unsigned times)
{
  static const uint8_t t[32] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                                0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                                0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
  uint8_t sum[32] = {1}, next[32];

  for (unsigned i = 0; i < times; i++) {
    assert_int_equal(crypto_core_ed25519_add(next, sum, t), 0);
    memcpy(sum, next, sizeof sum);
  }
  memcpy(out, sum, 32);
}

static void test_small_and_mixed_ids(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;
  uint8_t good[32], t[32];

  (void)state;
  support_pair(&w, &r, 14, 3);
  support_seal(&w, 1, &b);
  memcpy(good, b.id, sizeof good);
  for (unsigned times = 0; times < 8; times++) {
    small_order(t, times);
    assert_int_equal(tm_box_verify(t, b.box, b.signature), TM_E_POINT);
    assert_int_equal(crypto_core_ed25519_add(b.id, good, t), 0);
    assert_int_equal(tm_box_verify(b.id, b.box, b.signature), times == 0 ? TM_OK : TM_E_POINT);
  }
}

/*
 * A writer who tries a few nonces finds a signature that plain verification takes under its id plus a small-order
 * point: one where the hash times that point is nothing. A store must refuse it, or one box would have eight ids.
 */
static void test_tagged_ids(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct support_box b;
  uint8_t good[32], t[32];

  (void)state;
  support_pair(&w, &r, 17, 3);
  support_seal(&w, 1, &b);
  memcpy(good, b.id, sizeof good);
  for (unsigned times = 1; times < 8; times++) {
    uint64_t seed = 0;

    small_order(t, times);
    assert_int_equal(crypto_core_ed25519_add(b.id, good, t), 0);
    do {
      assert_true(seed < 500);
      sign_again(&w, seed++, &b);
    } while (verify_plainly(&b) != 0);
    assert_int_equal(tm_box_verify(b.id, b.box, b.signature), TM_E_POINT);
  }
}

/* Encodings of points that are not the canonical ones: y = 1 + p, y = 0 + p, and x = 0 with the sign bit. */
static void test_noncanonical_ids(void **state)
{
  uint8_t id[32], box[TM_BOX_LEN] = {0}, signature[TM_BOX_SIGNATURE_LEN] = {0};

  (void)state;
  memset(id, 0xff, sizeof id);
  id[31] = 0x7f;
  for (unsigned low = 0xec; low <= 0xff; low++) {
    id[0] = (uint8_t)low;
    id[31] = 0x7f;
    assert_int_equal(tm_box_verify(id, box, signature), TM_E_POINT);
    id[31] = 0xff;
    assert_int_equal(tm_box_verify(id, box, signature), TM_E_POINT);
  }
  memset(id, 0, sizeof id);
  assert_int_equal(tm_box_verify(id, box, signature), TM_E_POINT);
  id[0] = 1;
  id[31] = 0x80;
  assert_int_equal(tm_box_verify(id, box, signature), TM_E_POINT);
}

static void test_decoys(void **state)
{
  uint8_t random[64] = {0}, id[32], other[32], base[32], one[32] = {1};

  (void)state;
  /* A scalar of zero is replaced. */
  assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(base, one), 0);
  tm_box_decoy_id(random, id);
  assert_memory_equal(id, base, sizeof id);
  for (uint64_t i = 0; i < 500; i++) {
    support_bytes(random, sizeof random, i);
    tm_box_decoy_id(random, id);
    assert_int_equal(tm_sphinx_point_check(id), TM_SPHINX_OK);
    random[i % 64] ^= 1; /* every byte counts */
    tm_box_decoy_id(random, other);
    assert_memory_not_equal(id, other, sizeof id);
  }
}

#define SAMPLES 4096
#define DEVIATION 5 /* standard deviations of a fair coin: 32 of SAMPLES */

/* Each bit alone, against its neighbour, and against itself in the id before. */
static void check_bits(const uint8_t (*ids)[32])
{
  const size_t least = SAMPLES / 2 - DEVIATION * 32, most = SAMPLES / 2 + DEVIATION * 32;

  for (size_t bit = 0; bit < 256; bit++) {
    size_t ones = 0, turns = 0, changes = 0;

    for (size_t i = 0; i < SAMPLES; i++) {
      unsigned b = ids[i][bit / 8] >> bit % 8 & 1, n = ids[i][(bit + 1) % 256 / 8] >> (bit + 1) % 8 & 1;
      unsigned before = ids[(i + SAMPLES - 1) % SAMPLES][bit / 8] >> bit % 8 & 1;

      ones += b;
      turns += b ^ n;
      changes += b ^ before;
    }
    /* No bit is fixed: the y coordinate is below 2^255 - 19, the top bit is the sign of x. */
    assert_in_range(ones, least, most);
    assert_in_range(turns, least, most);
    assert_in_range(changes, least, most);
  }
}

/* Of one sequence and of decoys: neither can be told from fair coins this way, so not from each other. */
static void test_ids_look_uniform(void **state)
{
  static uint8_t ids[SAMPLES][32];
  struct tm_box_writer w;
  struct tm_box_reader r;
  uint8_t random[64];

  (void)state;
  support_pair(&w, &r, 15, 0);
  for (size_t i = 0; i < SAMPLES; i++) {
    assert_int_equal(tm_box_writer_advance(&w, i), TM_OK);
    assert_int_equal(tm_box_writer_id(&w, ids[i]), TM_OK);
  }
  check_bits((const uint8_t(*)[32])ids);
  for (size_t i = 0; i < SAMPLES; i++) {
    support_bytes(random, sizeof random, i);
    tm_box_decoy_id(random, ids[i]);
  }
  check_bits((const uint8_t(*)[32])ids);
}

/* The root point alone is not enough: another chain key gives other ids. */
static void test_ids_need_the_chain(void **state)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  uint8_t id[32], other[32];

  (void)state;
  support_pair(&w, &r, 16, 3);
  assert_int_equal(tm_box_reader_id(&r, id), TM_OK);
  r.chain[31] ^= 1;
  assert_int_equal(tm_box_reader_id(&r, other), TM_OK);
  assert_memory_not_equal(id, other, sizeof id);
  r.chain[31] ^= 1;
  r.index++;
  assert_int_equal(tm_box_reader_id(&r, other), TM_OK);
  assert_memory_not_equal(id, other, sizeof id);
}

static void test_self_test(void **state)
{
  (void)state;
  assert_int_equal(tm_box_self_test(), TM_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_self_test),
      cmocka_unit_test(test_agreement),
      cmocka_unit_test(test_advance),
      cmocka_unit_test(test_forgets),
      cmocka_unit_test(test_late_capability),
      cmocka_unit_test(test_capability_form),
      cmocka_unit_test(test_no_point),
      cmocka_unit_test(test_seal_and_open),
      cmocka_unit_test(test_two_seals_differ),
      cmocka_unit_test(test_nonce_never_repeats),
      cmocka_unit_test(test_altered),
      cmocka_unit_test(test_wrong_index),
      cmocka_unit_test(test_bad_seal),
      cmocka_unit_test(test_malleated_signature),
      cmocka_unit_test(test_small_and_mixed_ids),
      cmocka_unit_test(test_tagged_ids),
      cmocka_unit_test(test_noncanonical_ids),
      cmocka_unit_test(test_decoys),
      cmocka_unit_test(test_ids_look_uniform),
      cmocka_unit_test(test_ids_need_the_chain),
  };

  return cmocka_run_group_tests_name("box", tests, NULL, NULL);
}
