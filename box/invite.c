#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/ct.h"

#include "box/invite.h"

#define GROUP 5
#define CHECK_SYMBOLS (TM_INVITE_SYMBOLS - TM_INVITE_SECRET_SYMBOLS)
#define FIELD_POLYNOMIAL 0x25u /* x^5 + x^2 + 1 */
#define NO_SYMBOL 0xffu

/* All ones if a < b, else zero; both below 2^31. */
static unsigned mask_less(unsigned a, unsigned b) { return 0u - ((a - b) >> 31); }
static unsigned mask_equal(unsigned a, unsigned b) { return mask_less(a ^ b, 1); }
static unsigned mask_between(unsigned c, unsigned first, unsigned last)
{
  return ~mask_less(c, first) & mask_less(c, last + 1);
}
static unsigned choose(unsigned mask, unsigned yes, unsigned no) { return (mask & yes) | (~mask & no); }

/* Crockford's alphabet, 0 to 31, without a table that a secret would index: letters but I, L, O and U. */
static char symbol_char(unsigned v)
{
  unsigned c = '0' + v;

  c += 7 & mask_less(9, v);
  c += 1 & mask_less(17, v);
  c += 1 & mask_less(19, v);
  c += 1 & mask_less(21, v);
  c += 1 & mask_less(26, v);
  return (char)c;
}

/* The value of a typed character, or NO_SYMBOL. */
static unsigned char_symbol(unsigned c)
{
  unsigned v = NO_SYMBOL;

  c = choose(mask_between(c, 'a', 'z'), c - 32, c);
  c = choose(mask_equal(c, 'O'), '0', c);
  c = choose(mask_equal(c, 'I') | mask_equal(c, 'L'), '1', c);
  for (unsigned i = 0; i < 32; i++)
    v = choose(mask_equal(c, (unsigned char)symbol_char(i)), i, v);
  return v;
}

/* In the field of 32 elements; factor is public. */
static uint8_t field_multiply(uint8_t secret, uint8_t factor)
{
  unsigned product = 0;

  for (int i = 4; i >= 0; i--) {
    product <<= 1;
    product ^= FIELD_POLYNOMIAL & (0u - (product >> 5));
    product ^= secret & (0u - ((unsigned)factor >> i & 1u));
  }
  return (uint8_t)product;
}

/*
 * A Reed-Solomon code: the remainder by (x - 2)(x - 4)(x - 8)(x - 16), where 2 generates the field, plus 1, 2, 3, 4.
 * Any change of up to four symbols shows, so any mistyped symbol and any exchange of two.
 */
static void checksum(const uint8_t value[static TM_INVITE_SECRET_SYMBOLS], uint8_t check[static CHECK_SYMBOLS])
{
  static const uint8_t generator[CHECK_SYMBOLS] = {30, 6, 9, 17}; /* below x^4 */

  memset(check, 0, CHECK_SYMBOLS);
  for (size_t i = 0; i < TM_INVITE_SECRET_SYMBOLS; i++) {
    uint8_t lead = value[i] ^ check[0];

    for (size_t j = 0; j < CHECK_SYMBOLS; j++)
      check[j] = field_multiply(lead, generator[j]) ^ (j + 1 < CHECK_SYMBOLS ? check[j + 1] : 0);
  }
  for (size_t j = 0; j < CHECK_SYMBOLS; j++)
    check[j] ^= (uint8_t)(j + 1);
}

void tm_invite_make(const uint8_t random[static TM_INVITE_RANDOM_LEN], char code[static TM_INVITE_TEXT_LEN])
{
  uint8_t value[TM_INVITE_SYMBOLS];

  for (size_t i = 0; i < TM_INVITE_SECRET_SYMBOLS; i++)
    value[i] = random[i] & 31;
  checksum(value, value + TM_INVITE_SECRET_SYMBOLS);
  for (size_t i = 0; i < TM_INVITE_SYMBOLS; i++) {
    if (i > 0 && i % GROUP == 0)
      *code++ = '-';
    *code++ = symbol_char(value[i]);
  }
  *code = '\0';
  sodium_memzero(value, sizeof value);
}

enum kind { KIND_END, KIND_SEPARATOR, KIND_SYMBOL, KIND_IMPOSSIBLE };

static enum kind classify(unsigned c, unsigned *value)
{
  unsigned separator = mask_equal(c, '-') | mask_equal(c, ' ') | mask_between(c, '\t', '\r');
  unsigned kind = KIND_IMPOSSIBLE;

  *value = char_symbol(c);
  kind = choose(~mask_equal(*value, NO_SYMBOL), KIND_SYMBOL, kind);
  kind = choose(separator, KIND_SEPARATOR, kind);
  kind = choose(mask_equal(c, 0), KIND_END, kind);
  /* Where hyphens stand, where the text ends and whether a character can be a symbol say nothing about which symbol. */
  TM_CT_PUBLIC(&kind, sizeof kind);
  return (enum kind)kind;
}

/* Values of the first symbols, and what is wrong but for the checksum. */
static void read_symbols(const char *typed, uint8_t value[static TM_INVITE_SYMBOLS], struct tm_invite_error *why)
{
  for (const char *at = typed;; at++) {
    unsigned v;
    enum kind kind = classify((unsigned char)*at, &v);

    if (kind == KIND_END)
      break;
    if (kind == KIND_SEPARATOR)
      continue;
    if (kind == KIND_IMPOSSIBLE && why->position == 0) {
      why->position = why->symbols + 1;
      why->character = *at;
    }
    if (why->symbols < TM_INVITE_SYMBOLS)
      value[why->symbols] = (uint8_t)v;
    why->symbols++;
  }
}

int tm_invite_parse(const char *typed, uint8_t secret[static TM_INVITE_SECRET_SYMBOLS], struct tm_invite_error *why)
{
  uint8_t value[TM_INVITE_SYMBOLS] = {0}, check[CHECK_SYMBOLS];
  int err = TM_E_SYNTAX;

  *why = (struct tm_invite_error){0};
  memset(secret, 0, TM_INVITE_SECRET_SYMBOLS);
  read_symbols(typed, value, why);
  if (why->position != 0 || why->symbols != TM_INVITE_SYMBOLS)
    goto out;
  checksum(value, check);
  why->checksum_bad = sodium_memcmp(check, value + TM_INVITE_SECRET_SYMBOLS, sizeof check) != 0;
  sodium_memzero(check, sizeof check);
  /* The person who typed it is told. */
  TM_CT_PUBLIC(&why->checksum_bad, sizeof why->checksum_bad);
  if (why->checksum_bad)
    goto out;
  for (size_t i = 0; i < TM_INVITE_SECRET_SYMBOLS; i++)
    secret[i] = (uint8_t)symbol_char(value[i]);
  err = TM_OK;
out:
  sodium_memzero(value, sizeof value);
  return err;
}
