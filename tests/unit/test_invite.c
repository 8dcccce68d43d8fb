/* Invite codes: what a person may type, what the checksum sees, and what is said about a mistake. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"
#include "box/invite.h"
#include "tests/unit/box_support.h"

#define ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#define N TM_INVITE_SYMBOLS
#define CODES 200
#define MISSES_TRIED 100000

/* The code without its hyphens. */
static void bare(const char *code, char out[N + 1])
{
  size_t n = 0;

  for (; *code != '\0'; code++)
    if (*code != '-')
      out[n++] = *code;
  assert_int_equal(n, N);
  out[n] = '\0';
}

static void make(uint64_t seed, char code[TM_INVITE_TEXT_LEN])
{
  uint8_t random[TM_INVITE_RANDOM_LEN];

  support_bytes(random, sizeof random, seed);
  tm_invite_make(random, code);
}

static bool parses(const char *typed)
{
  struct tm_invite_error why;
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  int err;

  memset(secret, 0x55, sizeof secret);
  err = tm_invite_parse(typed, secret, &why);
  if (err == TM_OK) {
    assert_true(why.position == 0 && why.symbols == N && why.checksum_bad == 0);
    return true;
  }
  assert_int_equal(err, TM_E_SYNTAX);
  assert_true(sodium_is_zero(secret, sizeof secret));
  return false;
}

static void test_round_trip(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < CODES; i++) {
    char code[TM_INVITE_TEXT_LEN], plain[N + 1];
    uint8_t random[TM_INVITE_RANDOM_LEN], secret[TM_INVITE_SECRET_SYMBOLS];
    struct tm_invite_error why;

    support_bytes(random, sizeof random, i);
    tm_invite_make(random, code);
    assert_int_equal(strlen(code), TM_INVITE_TEXT_LEN - 1);
    for (size_t j = 5; j < TM_INVITE_TEXT_LEN - 1; j += 6)
      assert_int_equal(code[j], '-');
    bare(code, plain);
    assert_int_equal(strspn(plain, ALPHABET), N);
    for (size_t j = 0; j < TM_INVITE_SECRET_SYMBOLS; j++)
      assert_int_equal(plain[j], ALPHABET[random[j] & 31]);
    assert_int_equal(tm_invite_parse(code, secret, &why), TM_OK);
    assert_memory_equal(secret, plain, sizeof secret);
    /* Only five bits of each byte count. */
    for (size_t j = 0; j < sizeof random; j++)
      random[j] ^= 0xe0;
    tm_invite_make(random, code);
    assert_int_equal(tm_invite_parse(code, secret, &why), TM_OK);
    assert_memory_equal(secret, plain, sizeof secret);
  }
}

/* Known codes; the checksum by a program of its own. */
static void test_known(void **state)
{
  uint8_t random[TM_INVITE_RANDOM_LEN] = {0};
  char code[TM_INVITE_TEXT_LEN];

  (void)state;
  tm_invite_make(random, code);
  assert_string_equal(code, "00000-00000-00000-00000-00000-01234");
  for (size_t i = 0; i < sizeof random; i++)
    random[i] = (uint8_t)i;
  tm_invite_make(random, code);
  assert_string_equal(code, "01234-56789-ABCDE-FGHJK-MNPQR-SJWDB");
}

static void test_as_typed(void **state)
{
  char code[TM_INVITE_TEXT_LEN], plain[N + 1], typed[200];
  size_t n = 0;

  (void)state;
  make(1, code);
  bare(code, plain);
  assert_true(parses(plain));
  for (const char *c = plain; *c != '\0'; c++) {
    typed[n++] = *c >= 'A' ? (char)(*c + 32) : *c;
    typed[n] = " -\t\n\r"[n % 5];
    n++;
  }
  typed[n] = '\0';
  assert_true(parses(typed));
  snprintf(typed, sizeof typed, "  --%s-- \n", code);
  assert_true(parses(typed));
}

/* O for 0, I and L for 1, in both cases, wherever they stand. */
static void test_look_alikes(void **state)
{
  (void)state;
  assert_true(parses("OOOOO-ooooo-00000-OOOOO-ooooo-oi234"));
  assert_true(parses("00000-00000-00000-00000-00000-0I234"));
  assert_true(parses("00000-00000-00000-00000-00000-0L234"));
  assert_true(parses("00000-00000-00000-00000-00000-0l234"));
  assert_true(parses("OL234-56789-abcde-fghjk-mnpqr-sjwdb"));
  assert_false(parses("00000-00000-00000-00000-00000-0J234"));
}

static void test_length_message(void **state)
{
  char code[TM_INVITE_TEXT_LEN + 40], plain[N + 1];
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  struct tm_invite_error why;

  (void)state;
  make(2, code);
  bare(code, plain);
  for (size_t n = 0; n < N; n++) {
    char cut[N + 1];

    memcpy(cut, plain, n);
    cut[n] = '\0';
    assert_int_equal(tm_invite_parse(cut, secret, &why), TM_E_SYNTAX);
    assert_int_equal(why.symbols, n);
    assert_int_equal(why.position, 0);
    assert_int_equal(why.checksum_bad, 0);
  }
  strcat(code, "-00000-00000-00000-00000-00000");
  assert_int_equal(tm_invite_parse(code, secret, &why), TM_E_SYNTAX);
  assert_int_equal(why.symbols, 55);
  assert_int_equal(why.position, 0);
}

/* Every character that no symbol has, at every place: the message names it. */
static void test_impossible_characters(void **state)
{
  char code[TM_INVITE_TEXT_LEN], typed[TM_INVITE_TEXT_LEN];
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  struct tm_invite_error why;
  size_t impossible = 0;

  (void)state;
  make(3, code);
  for (int c = 1; c < 256; c++) {
    if (strchr(ALPHABET "abcdefghjkmnpqrstvwxyzoOiIlL- \t\n\v\f\r", c) != NULL)
      continue;
    impossible++;
    for (size_t at = 0, symbol = 1; at < TM_INVITE_TEXT_LEN - 1; at++) {
      if (code[at] == '-')
        continue;
      memcpy(typed, code, sizeof typed);
      typed[at] = (char)c;
      assert_int_equal(tm_invite_parse(typed, secret, &why), TM_E_SYNTAX);
      assert_int_equal(why.position, symbol++);
      assert_int_equal(why.character, (char)c);
      assert_int_equal(why.checksum_bad, 0);
      assert_true(sodium_is_zero(secret, sizeof secret));
    }
  }
  assert_int_equal(impossible, 255 - 10 - 26 - 26 + 2 -
                                   7); /* all but digits, letters (U is impossible in both cases), separators */
  /* The first of two; and it goes before a wrong length. */
  assert_int_equal(tm_invite_parse("00#0U", secret, &why), TM_E_SYNTAX);
  assert_int_equal(why.position, 3);
  assert_int_equal(why.character, '#');
}

static void test_checksum_message(void **state)
{
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS];
  struct tm_invite_error why;

  (void)state;
  assert_int_equal(tm_invite_parse("00000-00000-00000-00000-00000-01235", secret, &why), TM_E_SYNTAX);
  assert_int_equal(why.checksum_bad, 1);
  assert_int_equal(why.position, 0);
  assert_int_equal(why.symbols, N);
}

/* ---- what the checksum sees ---- */

/* Every wrong symbol at every place. */
static void test_single_errors(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < 20; i++) {
    char code[TM_INVITE_TEXT_LEN], plain[N + 1];

    make(i, code);
    bare(code, plain);
    for (size_t at = 0; at < N; at++) {
      char good = plain[at];

      for (const char *c = ALPHABET; *c != '\0'; c++) {
        plain[at] = *c;
        assert_int_equal(parses(plain), *c == good);
      }
      plain[at] = good;
    }
  }
}

/* Every exchange of two symbols, neighbours or not. */
static void test_transpositions(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < CODES; i++) {
    char code[TM_INVITE_TEXT_LEN], plain[N + 1], c;

    make(i, code);
    bare(code, plain);
    for (size_t a = 0; a < N; a++)
      for (size_t b = a + 1; b < N; b++) {
        if (plain[a] == plain[b])
          continue;
        c = plain[a];
        plain[a] = plain[b];
        plain[b] = c;
        assert_false(parses(plain));
        plain[b] = plain[a];
        plain[a] = c;
      }
  }
}

static uint32_t draw(uint32_t bound) { return tm_rng_below(support_rng(), bound); }

/* Up to four wrong symbols: not one is missed. */
static void test_four_errors(void **state)
{
  char code[TM_INVITE_TEXT_LEN], plain[N + 1], wrong[N + 1];

  (void)state;
  make(4, code);
  bare(code, plain);
  for (int i = 0; i < MISSES_TRIED; i++) {
    memcpy(wrong, plain, sizeof wrong);
    for (uint32_t k = 2 + draw(3); k > 0; k--)
      wrong[draw(N)] = ALPHABET[draw(32)];
    assert_int_equal(parses(wrong), memcmp(wrong, plain, N) == 0);
  }
}

/* Anything else is missed once in a million: a whole code at random, a symbol left out and another put in elsewhere,
 * groups exchanged. */
static void test_random_misses(void **state)
{
  char code[TM_INVITE_TEXT_LEN], plain[N + 1], wrong[N + 1];
  size_t missed = 0;

  (void)state;
  make(5, code);
  bare(code, plain);
  for (int i = 0; i < MISSES_TRIED; i++) {
    size_t from = draw(N), to = draw(N);

    memcpy(wrong, plain, sizeof wrong);
    if (i % 2 == 0) {
      for (size_t j = 0; j < N; j++)
        wrong[j] = ALPHABET[draw(32)];
    } else {
      memmove(wrong + from, wrong + from + 1, N - 1 - from);
      memmove(wrong + to + 1, wrong + to, N - 1 - to);
      wrong[to] = ALPHABET[draw(32)];
    }
    missed += memcmp(wrong, plain, N) != 0 && parses(wrong);
  }
  assert_true(missed <= 3); /* 0.1 are expected */
  for (size_t a = 0; a < N; a += 5)
    for (size_t b = a + 5; b < N; b += 5) {
      memcpy(wrong, plain, sizeof wrong);
      memcpy(wrong + a, plain + b, 5);
      memcpy(wrong + b, plain + a, 5);
      assert_false(parses(wrong));
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_known),
      cmocka_unit_test(test_as_typed),         cmocka_unit_test(test_look_alikes),
      cmocka_unit_test(test_length_message),   cmocka_unit_test(test_impossible_characters),
      cmocka_unit_test(test_checksum_message), cmocka_unit_test(test_single_errors),
      cmocka_unit_test(test_transpositions),   cmocka_unit_test(test_four_errors),
      cmocka_unit_test(test_random_misses),
  };

  return cmocka_run_group_tests_name("invite", tests, NULL, NULL);
}
