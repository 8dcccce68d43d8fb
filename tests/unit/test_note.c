/* Signed notes, with a known answer of the format's first implementation. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "directory/note.h"

#include "directory_fixture.h"

/* The example pair that the format's reference implementation publishes. */
#define KNOWN_VERIFIER "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define KNOWN_SIGNER "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#define KNOWN_TEXT                                              \
  "If you think cryptography is the answer to your problem,\n" \
  "then you don't know what your problem is.\n"
#define DASH "\xe2\x80\x94 "
#define KNOWN_LINE \
  DASH "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

static void test_known_answer(void **state)
{
  struct tm_note_signer signer;
  struct tm_note_key key;
  char verifier[TM_NOTE_VERIFIER_LEN];
  char secret[TM_NOTE_SIGNER_LEN];
  uint32_t signers;
  size_t text_len;
  size_t len;
  char *note;

  (void)state;
  assert_int_equal(tm_note_key_parse(&key, KNOWN_VERIFIER, strlen(KNOWN_VERIFIER)), TM_OK);
  assert_string_equal(key.name, "PeterNeumann");
  tm_note_key_format(&key, verifier);
  assert_string_equal(verifier, KNOWN_VERIFIER);
  assert_int_equal(tm_note_signer_parse(&signer, KNOWN_SIGNER, strlen(KNOWN_SIGNER)), TM_OK);
  assert_memory_equal(&signer.pub, &key, sizeof key);
  tm_note_signer_format(&signer, secret);
  assert_string_equal(secret, KNOWN_SIGNER);
  assert_int_equal(tm_note_sign(&signer, KNOWN_TEXT, strlen(KNOWN_TEXT), &note, &len), TM_OK);
  assert_string_equal(note, KNOWN_TEXT "\n" KNOWN_LINE);
  assert_int_equal(tm_note_open(note, len, &key, 1, &text_len, &signers), TM_OK);
  assert_int_equal(text_len, strlen(KNOWN_TEXT));
  assert_int_equal(signers, 1);
  free(note);
}

static void test_keys_refused(void **state)
{
  static const char *const wrong[] = {
    "", "+", "PeterNeumann", "PeterNeumann+c74f20a3", "PeterNeumann+c74f20a3+",
    "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* another id */
    "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* another name */
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX", /* another key */
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW ",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\r",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=", /* 31 bytes */
    "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* another algorithm */
  };
  static const uint8_t low_order[32] = {1};
  struct tm_note_key key;
  struct tm_note_signer signer;

  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(tm_note_key_parse(&key, wrong[i], strlen(wrong[i])), TM_E_SYNTAX);
  for (size_t len = 0; len < strlen(KNOWN_SIGNER); len++)
    assert_int_equal(tm_note_signer_parse(&signer, KNOWN_SIGNER, len), TM_E_SYNTAX);
  assert_int_equal(tm_note_signer_parse(&signer, KNOWN_VERIFIER, strlen(KNOWN_VERIFIER)), TM_E_SYNTAX);
  assert_int_equal(tm_note_key_make(&key, "x", low_order), TM_E_POINT);
  fixture_signer(0, &signer);
  assert_int_equal(tm_note_key_make(&key, "", signer.pub.key), TM_E_SYNTAX);
  assert_int_equal(tm_note_key_make(&key, "a+b", signer.pub.key), TM_E_SYNTAX);
  assert_int_equal(tm_note_key_make(&key, "a b", signer.pub.key), TM_E_SYNTAX);
  assert_int_equal(tm_note_key_make(&key, "a\xc3\xa9", signer.pub.key), TM_E_SYNTAX);
  assert_int_equal(tm_note_key_make(&key, "0123456789012345678901234567890123456789012345678901234567890123",
                                    signer.pub.key),
                   TM_E_SYNTAX);
}

/* Another algorithm's byte, though name, key id and key fit; and a secret key whose id does not fit. */
static void test_keys_nearly_good(void **state)
{
  struct tm_note_signer signer;
  struct tm_note_key key;
  uint8_t blob[33];
  char verifier[TM_NOTE_VERIFIER_LEN];
  char secret[TM_NOTE_SIGNER_LEN];
  char *base64;

  (void)state;
  fixture_signer(0, &signer);
  tm_note_key_format(&signer.pub, verifier);
  assert_int_equal(tm_note_key_parse(&key, verifier, strlen(verifier)), TM_OK);
  blob[0] = 2;
  memcpy(blob + 1, signer.pub.key, 32);
  base64 = strrchr(verifier, '\0') - 44;
  sodium_bin2base64(base64, 45, blob, sizeof blob, sodium_base64_VARIANT_ORIGINAL);
  assert_int_equal(tm_note_key_parse(&key, verifier, strlen(verifier)), TM_E_SYNTAX);
  tm_note_signer_format(&signer, secret);
  assert_int_equal(tm_note_signer_parse(&signer, secret, strlen(secret)), TM_OK);
  secret[strlen("PRIVATE+KEY+authority-0+")] ^= 1;
  assert_int_equal(tm_note_signer_parse(&signer, secret, strlen(secret)), TM_E_SYNTAX);
}

/* Opens a string against authorities 0 to n - 1. */
static int open_with(const char *note, size_t len, unsigned n, uint32_t *signers)
{
  struct tm_note_key keys[4];
  struct tm_note_signer signer;
  size_t text_len;

  for (unsigned i = 0; i < n; i++) {
    fixture_signer(i, &signer);
    keys[i] = signer.pub;
  }
  return tm_note_open(note, len, keys, n, &text_len, signers);
}

static void test_signers(void **state)
{
  uint32_t signers;
  size_t len;
  size_t again_len;
  char *note = fixture_sign("text\n", 5, 1, 3, &len);
  char *again = fixture_sign(note, len, 1, 1, &again_len); /* replaces its line */
  char *twice;

  (void)state;
  assert_int_equal(open_with(note, len, 4, &signers), TM_OK);
  assert_int_equal(signers, 14);
  assert_int_equal(open_with(note, len, 1, &signers), TM_OK); /* only unknown ones */
  assert_int_equal(signers, 0);
  assert_int_equal(again_len, len);
  assert_int_equal(open_with(again, again_len, 4, &signers), TM_OK);
  assert_int_equal(signers, 14);
  twice = malloc(2 * len);
  memcpy(twice, note, len);
  memcpy(twice + len, note + 6, len - 6);
  assert_int_equal(open_with(twice, 2 * len - 6, 4, &signers), TM_OK);
  assert_int_equal(signers, 14);
  free(twice);
  free(again);
  free(note);
}

static void test_bad_signature(void **state)
{
  uint32_t signers;
  size_t len;
  char *note = fixture_sign("text\n", 5, 0, 2, &len);
  char *second;

  (void)state;
  note[0] ^= 1; /* the text */
  assert_int_equal(open_with(note, len, 2, &signers), TM_E_SIGNATURE);
  assert_int_equal(signers, 0);
  note[0] ^= 1;
  second = strstr(note, "authority-1 ");
  second += strlen("authority-1 ") + 20;
  *second = *second == 'A' ? 'B' : 'A';
  assert_int_equal(open_with(note, len, 2, &signers), TM_E_SIGNATURE);
  assert_int_equal(signers, 1);
  /* To somebody who does not know authority 1 it is just a stranger's line. */
  assert_int_equal(open_with(note, len, 1, &signers), TM_OK);
  assert_int_equal(signers, 1);
  free(note);
}

/* A known key whose good signature has lost or won bytes does not verify. */
static void test_length_of_signature(void **state)
{
  static const size_t lengths[] = {1, 63, 65, 96};
  struct tm_note_signer signer;
  uint8_t blob[TM_NOTE_KEY_ID_LEN + 128] = {0};
  char base64[256];
  char note[512];
  uint32_t signers;
  size_t len;
  char *good = fixture_sign("text\n", 5, 0, 1, &len);

  (void)state;
  fixture_signer(0, &signer);
  assert_int_equal(sodium_base642bin(blob, sizeof blob, strstr(good, "authority-0 ") + 12, 92, NULL, &len, NULL,
                                     sodium_base64_VARIANT_ORIGINAL), 0);
  assert_int_equal(len, 68);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    sodium_bin2base64(base64, sizeof base64, blob, TM_NOTE_KEY_ID_LEN + lengths[i], sodium_base64_VARIANT_ORIGINAL);
    snprintf(note, sizeof note, "text\n\n" DASH "%s %s\n", signer.pub.name, base64);
    assert_int_equal(open_with(note, strlen(note), 1, &signers), TM_E_SIGNATURE);
    snprintf(note, sizeof note, "text\n\n" DASH "%s %s\n", "stranger", base64);
    assert_int_equal(open_with(note, strlen(note), 1, &signers), TM_OK);
    assert_int_equal(signers, 0);
  }
  /* A known name with another key id is a stranger, too. */
  good[strlen("text\n\n" DASH "authority-0 ")] ^= 1;
  assert_int_equal(open_with(good, strlen(good), 1, &signers), TM_OK);
  assert_int_equal(signers, 0);
  free(good);
}

static void test_malformed(void **state)
{
  static const char *const wrong[] = {
    "", "\n", "\n\n", "text", "text\n", "text\n\n", "\n\n" KNOWN_LINE, "text" KNOWN_LINE, "text\n" KNOWN_LINE,
    KNOWN_TEXT "\n- PeterNeumann AAAAAAAA\n", KNOWN_TEXT "\n" DASH "PeterNeumann\n",
    KNOWN_TEXT "\n" DASH "PeterNeumann \n",
    KNOWN_TEXT "\n" DASH "PeterNeumann AAAAAA==\n", /* id alone */
    KNOWN_TEXT "\n" DASH " AAAAAAAA\n", KNOWN_TEXT "\n" DASH "a+b AAAAAAAA\n", KNOWN_TEXT "\n" DASH "a AAAAAAAA \n",
    KNOWN_TEXT "\n" DASH "a  AAAAAAAA\n", KNOWN_TEXT "\n" DASH "a AAAAAAA\n", KNOWN_TEXT "\n" DASH "a AAAAAAAA\r\n",
    KNOWN_TEXT "\n" DASH "a AAAAAAAA\nmore\n", KNOWN_TEXT "\n" DASH "a AAAAAAAA",
  };
  uint32_t signers;
  size_t len;
  char *note = fixture_sign(KNOWN_TEXT, strlen(KNOWN_TEXT), 0, 2, &len);

  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(open_with(wrong[i], strlen(wrong[i]), 2, &signers), TM_E_SYNTAX);
  /* Cut anywhere, it is malformed, or has lost a whole line. */
  for (size_t cut = 0; cut < len; cut++) {
    int err = open_with(note, cut, 2, &signers);
    assert_true(err == TM_E_SYNTAX || (err == TM_OK && signers == 1 && note[cut - 1] == '\n'));
  }
  free(note);
}

static void test_too_many_lines(void **state)
{
  size_t cap = 8 + (TM_NOTE_SIGNATURES_MAX + 1) * strlen(KNOWN_LINE);
  char *note = malloc(cap);
  struct tm_note_signer signer;
  uint32_t signers;
  size_t len = 6;
  size_t out_len;
  char *out;

  (void)state;
  memcpy(note, "text\n\n", 6);
  for (size_t i = 0; i < TM_NOTE_SIGNATURES_MAX; i++, len += strlen(KNOWN_LINE))
    memcpy(note + len, KNOWN_LINE, strlen(KNOWN_LINE));
  assert_int_equal(open_with(note, len, 2, &signers), TM_OK);
  fixture_signer(0, &signer);
  assert_int_equal(tm_note_sign(&signer, note, len, &out, &out_len), TM_E_TOO_BIG);
  assert_null(out);
  memcpy(note + len, KNOWN_LINE, strlen(KNOWN_LINE));
  assert_int_equal(open_with(note, len + strlen(KNOWN_LINE), 2, &signers), TM_E_TOO_BIG);
  free(note);
}

static void test_sign_refuses(void **state)
{
  struct tm_note_signer signer;
  size_t len;
  char *out;

  (void)state;
  fixture_signer(0, &signer);
  assert_int_equal(tm_note_sign(&signer, "", 0, &out, &len), TM_E_SYNTAX);
  assert_int_equal(tm_note_sign(&signer, "text", 4, &out, &len), TM_E_SYNTAX);
  assert_int_equal(tm_note_sign(&signer, "\n", 1, &out, &len), TM_E_SYNTAX);
  assert_int_equal(tm_note_sign(&signer, "a\n\nb\n", 5, &out, &len), TM_E_SYNTAX);
  assert_null(out);
}

static void test_next(void **state)
{
  char name[TM_NOTE_NAME_MAX + 1];
  uint8_t id[TM_NOTE_KEY_ID_LEN];
  struct tm_note_signer signer;
  size_t len;
  char *note = fixture_sign("text\n", 5, 0, 2, &len);
  size_t at = 5;

  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    fixture_signer(i, &signer);
    assert_int_equal(tm_note_next(note, len, &at, name, id), TM_OK);
    assert_string_equal(name, signer.pub.name);
    assert_memory_equal(id, signer.pub.id, sizeof id);
  }
  assert_int_equal(tm_note_next(note, len, &at, name, id), TM_E_NOT_FOUND);
  free(note);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_known_answer), cmocka_unit_test(test_keys_refused),   cmocka_unit_test(test_keys_nearly_good),
    cmocka_unit_test(test_signers),
    cmocka_unit_test(test_bad_signature), cmocka_unit_test(test_length_of_signature), cmocka_unit_test(test_malformed),
    cmocka_unit_test(test_too_many_lines), cmocka_unit_test(test_sign_refuses), cmocka_unit_test(test_next),
  };

  if (sodium_init() < 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
