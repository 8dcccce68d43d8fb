#include "config.h"

#include <stddef.h>

#include "base/err.h"

static const char *const texts[] = {
  [-TM_OK] = "no error",
  [-TM_E_NOMEM] = "out of memory",
  [-TM_E_IO] = "input or output failed",
  [-TM_E_SYNTAX] = "malformed",
  [-TM_E_LENGTH] = "wrong length",
  [-TM_E_TOO_BIG] = "too big",
  [-TM_E_FULL] = "full",
  [-TM_E_NOT_FOUND] = "not found",
  [-TM_E_EXISTS] = "already exists",
  [-TM_E_CONFLICT] = "conflicts with what is there",
  [-TM_E_POINT] = "not a canonical point of the prime-order subgroup",
  [-TM_E_SIGNATURE] = "bad signature, or too few good ones",
  [-TM_E_AUTH] = "wrong key or passphrase, or changed bytes",
  [-TM_E_EXPIRED] = "expired",
  [-TM_E_NOT_YET] = "not yet valid",
  [-TM_E_UNKNOWN] = "not understood",
  [-TM_E_CLOSED] = "closed",
  [-TM_E_TIMEOUT] = "timed out",
  [-TM_E_PEER] = "the peer's key is not the pinned one",
  [-TM_E_STATE] = "not possible now",
  [-TM_E_RANDOM] = "the random source failed",
};

const char *tm_strerror(int err)
{
  size_t n = sizeof texts / sizeof texts[0];

  if (err > 0 || (size_t)-(long)err >= n)
    return "unknown error";
  return texts[-err];
}
