/*
 * Faults for tests/ct/run: each of these must be reported, and "none" must not. A checker that misses one is broken.
 *
 *   branch  a branch on a bit of a mix key's secret
 *   index   a table read at a place that the secret names
 *   compare a MAC compared byte by byte until the first difference
 *   none    the same work in constant time
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/context.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

static volatile uint8_t sink;

static void branch(const uint8_t *secret)
{
  if (secret[3] & 1)
    sink = 1;
}

static void index_by(const uint8_t *secret)
{
  static volatile const uint8_t table[256] = {1, 2, 3};

  sink = table[secret[4]];
}

static void compare(const uint8_t *secret)
{
  static const uint8_t guess[16] = {1};

  for (size_t i = 0; i < sizeof guess; i++)
    if (*(volatile const uint8_t *)&secret[i] != guess[i])
      return;
  sink = 2;
}

static void none(const uint8_t *secret)
{
  static const uint8_t guess[16] = {1};
  int same = sodium_memcmp(secret, guess, sizeof guess);

  /* As a verdict would be. */
  TM_CT_PUBLIC(&same, sizeof same);
  if (same == 0)
    sink = 3;
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*run)(const uint8_t *);
  } faults[] = {{"branch", branch}, {"index", index_by}, {"compare", compare}, {"none", none}};
  uint8_t secret[32];
  tm_sphinx_key *key;

  if (argc != 2 || sodium_init() < 0)
    return 2;
  randombytes_buf(secret, sizeof secret);
  if (tm_sphinx_key_new(&key, secret) != TM_SPHINX_OK)
    return 2;
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    if (strcmp(argv[1], faults[i].name) == 0) {
      /* The library marks the secret of a key by itself. */
      faults[i].run(key->secret);
      tm_sphinx_key_free(key);
      return 0;
    }
  fprintf(stderr, "no such fault: %s\n", argv[1]);
  return 2;
}
