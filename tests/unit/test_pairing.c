/*
 * Pairing: both sides come to the same, a third party that knows the code comes to nothing, or to other safety numbers
 * if it steps between; nothing changed on the way is taken.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "box/pairing.h"
#include "sphinx/sphinx.h"
#include "tests/unit/box_support.h"

#define CODE_LEN TM_INVITE_SECRET_SYMBOLS
#define OFFER_LEN (1 + 32 + 24 + TM_BOX_CAPABILITY_LEN + 16)
#define CONFIRM_LEN (1 + 24 + TM_BOX_CAPABILITY_LEN + 16)

/* One side. */
struct side {
  uint8_t secret[32], public_key[32], capability[TM_BOX_CAPABILITY_LEN], peer_capability[TM_BOX_CAPABILITY_LEN];
  uint8_t peer_public[32], safety[TM_PAIRING_SAFETY_LEN], random[24];
  uint8_t text[TM_BOX_TEXT_LEN];
};

static uint8_t code[CODE_LEN];

static int set_up(void **state)
{
  uint8_t random[TM_INVITE_RANDOM_LEN];
  char typed[TM_INVITE_TEXT_LEN];
  struct tm_invite_error why;

  (void)state;
  support_bytes(random, sizeof random, 1);
  tm_invite_make(random, typed);
  return tm_invite_parse(typed, code, &why);
}

static struct side make_side(uint64_t seed)
{
  struct tm_box_writer w;
  struct tm_box_reader r;
  struct side s = {0};

  support_bytes(s.secret, sizeof s.secret, seed);
  support_bytes(s.random, sizeof s.random, seed + 1000);
  tm_pairing_ephemeral(s.secret, s.public_key);
  support_pair(&w, &r, seed, 4711);
  tm_box_capability(&w, s.capability);
  return s;
}

static void hello(struct side *from, struct side *to)
{
  enum tm_pairing_message type;

  memset(from->text, 0x55, sizeof from->text);
  tm_pairing_hello_write(from->text, from->public_key);
  assert_int_equal(tm_pairing_type(from->text, &type), TM_OK);
  assert_int_equal(type, TM_PAIRING_HELLO);
  assert_int_equal(tm_pairing_hello_read(from->text, to->peer_public), TM_OK);
}

static int write_offer(struct side *inviter)
{
  memset(inviter->text, 0x55, sizeof inviter->text);
  return tm_pairing_offer_write(inviter->text, code, inviter->secret, inviter->peer_public, inviter->capability,
                                inviter->random, inviter->safety);
}

static int read_offer(const struct side *inviter, struct side *acceptor)
{
  return tm_pairing_offer_read(inviter->text, code, acceptor->secret, acceptor->peer_public, acceptor->peer_capability,
                               acceptor->safety);
}

static int write_confirm(struct side *acceptor)
{
  memset(acceptor->text, 0x55, sizeof acceptor->text);
  return tm_pairing_confirm_write(acceptor->text, code, acceptor->secret, acceptor->peer_public, acceptor->capability,
                                  acceptor->random);
}

static int read_confirm(const struct side *acceptor, struct side *inviter)
{
  return tm_pairing_confirm_read(acceptor->text, code, inviter->secret, inviter->peer_public, inviter->peer_capability);
}

/* The whole exchange. */
static void pair(struct side *inviter, struct side *acceptor)
{
  enum tm_pairing_message type;

  hello(acceptor, inviter);
  assert_int_equal(write_offer(inviter), TM_OK);
  assert_int_equal(tm_pairing_type(inviter->text, &type), TM_OK);
  assert_int_equal(type, TM_PAIRING_OFFER);
  assert_int_equal(read_offer(inviter, acceptor), TM_OK);
  assert_int_equal(write_confirm(acceptor), TM_OK);
  assert_int_equal(tm_pairing_type(acceptor->text, &type), TM_OK);
  assert_int_equal(type, TM_PAIRING_CONFIRM);
  assert_int_equal(read_confirm(acceptor, inviter), TM_OK);
}

static void test_agreement(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < 50; i++) {
    struct side inviter = make_side(2 * i), acceptor = make_side(2 * i + 1);

    pair(&inviter, &acceptor);
    assert_memory_equal(inviter.peer_public, acceptor.public_key, 32);
    assert_memory_equal(acceptor.peer_public, inviter.public_key, 32);
    assert_memory_equal(inviter.peer_capability, acceptor.capability, TM_BOX_CAPABILITY_LEN);
    assert_memory_equal(acceptor.peer_capability, inviter.capability, TM_BOX_CAPABILITY_LEN);
    assert_memory_equal(inviter.safety, acceptor.safety, TM_PAIRING_SAFETY_LEN);
  }
}

/* Everything behind a message is zero, and everything in front of it where the specification says. */
static void test_layout(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  hello(&acceptor, &inviter);
  assert_int_equal(acceptor.text[0], 1);
  assert_memory_equal(acceptor.text + 1, acceptor.public_key, 32);
  assert_true(sodium_is_zero(acceptor.text + 33, TM_BOX_TEXT_LEN - 33));
  assert_int_equal(write_offer(&inviter), TM_OK);
  assert_int_equal(inviter.text[0], 2);
  assert_memory_equal(inviter.text + 1, inviter.public_key, 32);
  assert_memory_equal(inviter.text + 33, inviter.random, 24);
  assert_true(sodium_is_zero(inviter.text + OFFER_LEN, TM_BOX_TEXT_LEN - OFFER_LEN));
  assert_int_equal(read_offer(&inviter, &acceptor), TM_OK);
  assert_int_equal(write_confirm(&acceptor), TM_OK);
  assert_int_equal(acceptor.text[0], 3);
  assert_memory_equal(acceptor.text + 1, acceptor.random, 24);
  assert_true(sodium_is_zero(acceptor.text + CONFIRM_LEN, TM_BOX_TEXT_LEN - CONFIRM_LEN));
}

/* The specification's schedule, by hand. */
static void test_key_schedule(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);
  uint8_t m[96], keys[64], safety[32], capability[TM_BOX_CAPABILITY_LEN];

  (void)state;
  pair(&inviter, &acceptor);
  memcpy(m, inviter.public_key, 32);
  memcpy(m + 32, acceptor.public_key, 32);
  assert_int_equal(crypto_scalarmult(m + 64, inviter.secret, acceptor.public_key), 0);
  assert_int_equal(crypto_generichash_blake2b_salt_personal(keys, sizeof keys, m, sizeof m, code, sizeof code, NULL,
                                                            (const uint8_t *)"tidemill.pairing"),
                   0);
  assert_int_equal(crypto_generichash_blake2b_salt_personal(safety, sizeof safety, m, sizeof m, code, sizeof code, NULL,
                                                            (const uint8_t *)"tidemill.safety1"),
                   0);
  assert_memory_equal(inviter.safety, safety, sizeof safety);
  assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(capability, NULL, NULL, inviter.text + 57, OFFER_LEN - 57,
                                                              NULL, 0, inviter.text + 33, keys),
                   0);
  assert_memory_equal(capability, inviter.capability, sizeof capability);
  assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(capability, NULL, NULL, acceptor.text + 25,
                                                              CONFIRM_LEN - 25, NULL, 0, acceptor.text + 1, keys + 32),
                   0);
  assert_memory_equal(capability, acceptor.capability, sizeof capability);
}

/* ---- third parties ---- */

/* Knows code and all three texts, but no ephemeral secret: whatever secret it tries, nothing opens. */
static void test_eavesdropper(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  pair(&inviter, &acceptor);
  for (uint64_t i = 3; i < 40; i++) {
    struct side third = make_side(i);

    assert_int_equal(read_offer(&inviter, &third), TM_E_AUTH);
    assert_true(sodium_is_zero(third.peer_capability, sizeof third.peer_capability));
    memcpy(third.peer_public, acceptor.public_key, 32);
    assert_int_equal(read_confirm(&acceptor, &third), TM_E_AUTH);
    assert_true(sodium_is_zero(third.peer_capability, sizeof third.peer_capability));
  }
}

/* Knows the code and sits between: it pairs with both, and the safety numbers betray it. */
static void test_man_in_the_middle(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2), to_inviter = make_side(3), to_acceptor = make_side(4);
  char a[TM_SAFETY_TEXT_LEN], b[TM_SAFETY_TEXT_LEN];

  (void)state;
  pair(&inviter, &to_inviter);
  pair(&to_acceptor, &acceptor);
  assert_memory_not_equal(inviter.safety, acceptor.safety, TM_PAIRING_SAFETY_LEN);
  tm_safety_format(inviter.safety, a);
  tm_safety_format(acceptor.safety, b);
  assert_string_not_equal(a, b);
  /* With one ephemeral key for both it fares no better. */
  memcpy(to_acceptor.secret, to_inviter.secret, 32);
  memcpy(to_acceptor.public_key, to_inviter.public_key, 32);
  pair(&to_acceptor, &acceptor);
  assert_memory_not_equal(inviter.safety, acceptor.safety, TM_PAIRING_SAFETY_LEN);
}

/* Two who accept one code: the inviter sees two hellos, and only one of them can open the offer. */
static void test_two_acceptors(void **state)
{
  struct side inviter = make_side(1), first = make_side(2), second = make_side(3);

  (void)state;
  hello(&first, &inviter);
  assert_int_equal(write_offer(&inviter), TM_OK);
  assert_int_equal(read_offer(&inviter, &first), TM_OK);
  assert_int_equal(read_offer(&inviter, &second), TM_E_AUTH);
}

static void test_wrong_code(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);
  uint8_t kept[CODE_LEN];

  (void)state;
  hello(&acceptor, &inviter);
  assert_int_equal(write_offer(&inviter), TM_OK);
  memcpy(kept, code, sizeof kept);
  for (size_t i = 0; i < CODE_LEN; i++) {
    code[i] ^= 1;
    memset(acceptor.safety, 0x55, sizeof acceptor.safety);
    memset(acceptor.peer_public, 0x55, sizeof acceptor.peer_public);
    memset(acceptor.peer_capability, 0x55, sizeof acceptor.peer_capability);
    assert_int_equal(read_offer(&inviter, &acceptor), TM_E_AUTH);
    assert_true(sodium_is_zero(acceptor.safety, sizeof acceptor.safety));
    assert_true(sodium_is_zero(acceptor.peer_public, sizeof acceptor.peer_public));
    assert_true(sodium_is_zero(acceptor.peer_capability, sizeof acceptor.peer_capability));
    memcpy(code, kept, sizeof kept);
  }
  assert_int_equal(read_offer(&inviter, &acceptor), TM_OK);
  assert_int_equal(write_confirm(&acceptor), TM_OK);
  code[0] ^= 1;
  memset(inviter.peer_capability, 0x55, sizeof inviter.peer_capability);
  assert_int_equal(read_confirm(&acceptor, &inviter), TM_E_AUTH);
  assert_true(sodium_is_zero(inviter.peer_capability, sizeof inviter.peer_capability));
  memcpy(code, kept, sizeof kept);
}

/* Keys of low order, which make a shared secret of zero with everybody. */
static void test_zero_secret(void **state)
{
  static const uint8_t low[][32] = {
      {0},
      {1},
      {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
       0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
      {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
      {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
  };
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  hello(&acceptor, &inviter);
  assert_int_equal(write_offer(&inviter), TM_OK);
  for (size_t i = 0; i < sizeof low / sizeof low[0]; i++) {
    struct side s = make_side(3), offer = inviter;

    memcpy(s.peer_public, low[i], 32);
    memset(s.safety, 0x55, sizeof s.safety);
    assert_int_equal(write_offer(&s), TM_E_POINT);
    assert_true(sodium_is_zero(s.text, sizeof s.text));
    assert_true(sodium_is_zero(s.safety, sizeof s.safety));
    assert_int_equal(write_confirm(&s), TM_E_POINT);
    assert_true(sodium_is_zero(s.text, sizeof s.text));
    memcpy(offer.text + 1, low[i], 32);
    assert_int_equal(read_offer(&offer, &acceptor), TM_E_POINT);
    /* The confirm is looked at before its sender's key is used, so it must be one. */
    memcpy(s.text, acceptor.text, sizeof s.text);
    s.text[0] = 3;
    assert_int_equal(tm_pairing_confirm_read(s.text, code, inviter.secret, low[i], inviter.peer_capability),
                     TM_E_POINT);
  }
}

/* A peer that sends no point of the subgroup. */
static void test_bad_capability(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  hello(&acceptor, &inviter);
  memset(inviter.capability, 0x99, 32); /* the base point plus the one of order two */
  inviter.capability[0] = 0x95;
  assert_int_equal(write_offer(&inviter), TM_OK);
  assert_int_equal(read_offer(&inviter, &acceptor), TM_E_POINT);
  assert_true(sodium_is_zero(acceptor.peer_capability, sizeof acceptor.peer_capability));
  assert_true(sodium_is_zero(acceptor.safety, sizeof acceptor.safety));
  memcpy(acceptor.peer_public, inviter.public_key, 32);
  memcpy(acceptor.capability, inviter.capability, 32);
  assert_int_equal(write_confirm(&acceptor), TM_OK);
  assert_int_equal(read_confirm(&acceptor, &inviter), TM_E_POINT);
  assert_true(sodium_is_zero(inviter.peer_capability, sizeof inviter.peer_capability));
}

/* ---- tampering ---- */

/* What a reader must say to one wrong bit. An altered key gives another transcript, or no secret at all. */
static void check_bits(struct side *from, struct side *to, size_t len, int (*read)(const struct side *, struct side *))
{
  for (size_t bit = 0; bit < 8 * TM_BOX_TEXT_LEN; bit++) {
    size_t byte = bit / 8;
    int err;

    from->text[byte] ^= (uint8_t)(1 << bit % 8);
    err = read(from, to);
    if (byte == 0 || byte >= len)
      assert_int_equal(err, TM_E_SYNTAX);
    else
      assert_int_equal(err, TM_E_AUTH);
    assert_true(sodium_is_zero(to->peer_capability, sizeof to->peer_capability));
    from->text[byte] ^= (uint8_t)(1 << bit % 8);
  }
  assert_int_equal(read(from, to), TM_OK);
}

static int read_hello(const struct side *from, struct side *to)
{
  return tm_pairing_hello_read(from->text, to->peer_public);
}

static void test_tampering(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  hello(&acceptor, &inviter);
  for (size_t bit = 0; bit < 8 * TM_BOX_TEXT_LEN; bit++) {
    bool in_key = bit >= 8 && bit < 8 * 33;

    acceptor.text[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(read_hello(&acceptor, &inviter), in_key ? TM_OK : TM_E_SYNTAX);
    if (!in_key)
      assert_true(sodium_is_zero(inviter.peer_public, 32));
    acceptor.text[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_int_equal(read_hello(&acceptor, &inviter), TM_OK);
  assert_int_equal(write_offer(&inviter), TM_OK);
  check_bits(&inviter, &acceptor, OFFER_LEN, read_offer);
  assert_int_equal(write_confirm(&acceptor), TM_OK);
  check_bits(&acceptor, &inviter, CONFIRM_LEN, read_confirm);
}

/* One bit of the hello that X25519 does not look at: both sides have the same secret, and still nothing opens. */
static void test_hello_top_bit(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);

  (void)state;
  hello(&acceptor, &inviter);
  inviter.peer_public[31] ^= 0x80;
  assert_int_equal(write_offer(&inviter), TM_OK);
  assert_int_equal(read_offer(&inviter, &acceptor), TM_E_AUTH);
}

/* An offer sent back is no confirm, and the other way round. */
static void test_reflection(void **state)
{
  struct side inviter = make_side(1), acceptor = make_side(2);
  uint8_t sealed[24 + TM_BOX_CAPABILITY_LEN + 16];

  (void)state;
  pair(&inviter, &acceptor);
  memcpy(sealed, inviter.text + 33, sizeof sealed);
  memcpy(acceptor.text + 1, sealed, sizeof sealed);
  assert_int_equal(read_confirm(&acceptor, &inviter), TM_E_AUTH);
}

static void test_types(void **state)
{
  enum tm_pairing_message type;
  uint8_t text[TM_BOX_TEXT_LEN] = {0};

  (void)state;
  for (int v = 0; v < 256; v++) {
    text[0] = (uint8_t)v;
    assert_int_equal(tm_pairing_type(text, &type), v >= 1 && v <= 3 ? TM_OK : TM_E_UNKNOWN);
  }
}

/* ---- meeting and safety ---- */

static void test_meeting(void **state)
{
  struct tm_box_writer inviter[4], acceptor[4], by_hand;
  uint8_t id[8][TM_BOX_ID_LEN], capability[TM_BOX_CAPABILITY_LEN], other[CODE_LEN], text[TM_BOX_TEXT_LEN];
  uint8_t seed[TM_BOX_SEED_LEN];
  struct tm_box_reader r;
  struct support_box b;

  (void)state;
  memcpy(other, code, sizeof other);
  other[CODE_LEN - 1] ^= 1;
  tm_pairing_meeting(code, 1000, &inviter[0], &acceptor[0]);
  tm_pairing_meeting(code, 1001, &inviter[1], &acceptor[1]);
  tm_pairing_meeting(other, 1000, &inviter[2], &acceptor[2]);
  tm_pairing_meeting(code, 1000, &inviter[3], &acceptor[3]);
  assert_memory_equal(&inviter[0], &inviter[3], sizeof inviter[0]);
  assert_memory_equal(&acceptor[0], &acceptor[3], sizeof acceptor[0]);
  assert_int_equal(inviter[1].index, 1001);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(tm_box_writer_id(&inviter[i], id[2 * i]), TM_OK);
    assert_int_equal(tm_box_writer_id(&acceptor[i], id[2 * i + 1]), TM_OK);
  }
  for (size_t i = 0; i < 6; i++)
    for (size_t j = i + 1; j < 6; j++)
      assert_memory_not_equal(id[i], id[j], TM_BOX_ID_LEN);
  /* The specification's seed. */
  assert_int_equal(crypto_generichash_blake2b_salt_personal(seed, sizeof seed, (const uint8_t *)"\2\0\0\0\0\0\0\3\350",
                                                            9, code, sizeof code, NULL,
                                                            (const uint8_t *)"tidemill.meeting"),
                   0);
  tm_box_writer_init(&by_hand, seed, 1000);
  assert_memory_equal(&by_hand, &acceptor[0], sizeof by_hand);
  /* Each reads what the other wrote. */
  support_seal(&acceptor[0], 1, &b);
  tm_box_capability(&acceptor[3], capability);
  assert_int_equal(tm_box_reader_init(&r, capability), TM_OK);
  assert_int_equal(tm_box_open(&r, b.box, b.signature, text), TM_OK);
  assert_memory_equal(text, b.text, sizeof text);
}

static void test_safety_text(void **state)
{
  uint8_t safety[TM_PAIRING_SAFETY_LEN], hash[64];
  char text[TM_SAFETY_TEXT_LEN], other[TM_SAFETY_TEXT_LEN];
  size_t digits[10] = {0};

  (void)state;
  for (uint64_t i = 0; i < 1000; i++) {
    support_bytes(safety, sizeof safety, i);
    memset(text, 0x55, sizeof text);
    tm_safety_format(safety, text);
    assert_int_equal(strlen(text), TM_SAFETY_TEXT_LEN - 1);
    assert_int_equal(crypto_generichash_blake2b_salt_personal(hash, sizeof hash, safety, sizeof safety, NULL, 0, NULL,
                                                              (const uint8_t *)"tidemill.digits1"),
                     0);
    for (size_t group = 0; group < 12; group++) {
      uint64_t v = 0, shown = 0;

      for (size_t j = 0; j < 5; j++) {
        char c = text[group * 6 + j];

        v = v << 8 | hash[group * 5 + j];
        assert_in_range(c, '0', '9');
        shown = 10 * shown + (uint64_t)(c - '0');
        digits[c - '0']++;
      }
      assert_int_equal(shown, v % 100000);
      assert_int_equal(text[group * 6 + 5], group < 11 ? ' ' : '\0');
    }
    safety[i % 32] ^= (uint8_t)(1 << i % 8);
    tm_safety_format(safety, other);
    assert_string_not_equal(text, other);
  }
  for (size_t d = 0; d < 10; d++)
    assert_in_range(digits[d], 6000 - 370, 6000 + 370); /* five standard deviations */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_agreement),
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_key_schedule),
      cmocka_unit_test(test_eavesdropper),
      cmocka_unit_test(test_man_in_the_middle),
      cmocka_unit_test(test_two_acceptors),
      cmocka_unit_test(test_wrong_code),
      cmocka_unit_test(test_zero_secret),
      cmocka_unit_test(test_bad_capability),
      cmocka_unit_test(test_tampering),
      cmocka_unit_test(test_hello_top_bit),
      cmocka_unit_test(test_reflection),
      cmocka_unit_test(test_types),
      cmocka_unit_test(test_meeting),
      cmocka_unit_test(test_safety_text),
  };

  return cmocka_run_group_tests_name("pairing", tests, set_up, NULL);
}
