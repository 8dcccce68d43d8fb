/* Invite codes as somebody types or pastes them: a good one is the code of its secret, a bad one comes with exactly one
 * reason. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

/* The code that its first 26 symbols have. */
static void make_again(const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS], char code[static TM_INVITE_TEXT_LEN])
{
  static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  uint8_t random[TM_INVITE_RANDOM_LEN];

  for (size_t i = 0; i < sizeof random; i++) {
    const char *at = memchr(alphabet, secret[i], 32);

    require(at != NULL);
    random[i] = (uint8_t)(at - alphabet);
  }
  tm_invite_make(random, code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  uint8_t secret[TM_INVITE_SECRET_SYMBOLS], same[TM_INVITE_SECRET_SYMBOLS];
  char *typed = malloc(len + 1), code[TM_INVITE_TEXT_LEN];
  struct tm_invite_error why, none;

  if (typed == NULL)
    abort();
  if (len > 0)
    memcpy(typed, data, len);
  typed[len] = '\0';
  if (tm_invite_parse(typed, secret, &why) == TM_OK) {
    require(why.position == 0 && why.symbols == TM_INVITE_SYMBOLS && !why.checksum_bad);
    make_again(secret, code);
    require(tm_invite_parse(code, same, &none) == TM_OK && memcmp(secret, same, sizeof same) == 0);
  } else {
    require((why.position != 0) + (why.position == 0 && why.symbols != TM_INVITE_SYMBOLS) + why.checksum_bad == 1);
    require(why.position <= why.symbols && why.symbols <= len && sodium_is_zero(secret, sizeof secret));
  }
  free(typed);
  return 0;
}
