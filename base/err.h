/*
 * The project's errors. Zero is success, everything negative is an error; a function that can fail says which in its header.
 * A peer's fault is one of these; only a bug of ours aborts.
 */
#ifndef TM_BASE_ERR_H
#define TM_BASE_ERR_H

#define TM_MUST_CHECK __attribute__((warn_unused_result))

enum tm_err {
  TM_OK = 0,
  TM_E_NOMEM = -1,       /* out of memory or of locked memory */
  TM_E_IO = -2,          /* the system said no; errno has the reason */
  TM_E_SYNTAX = -3,      /* bytes or text that the specification does not allow */
  TM_E_LENGTH = -4,      /* shorter or longer than it must be */
  TM_E_TOO_BIG = -5,     /* over a protocol limit */
  TM_E_FULL = -6,        /* a bounded queue, table or quota has no room */
  TM_E_NOT_FOUND = -7,
  TM_E_EXISTS = -8,      /* already there, and the same */
  TM_E_CONFLICT = -9,    /* already there, and different */
  TM_E_POINT = -10,      /* not a canonical point of the prime-order subgroup */
  TM_E_SIGNATURE = -11,  /* a signature that does not verify, or too few good ones */
  TM_E_AUTH = -12,       /* wrong key or passphrase, or bytes that were changed */
  TM_E_EXPIRED = -13,    /* too late */
  TM_E_NOT_YET = -14,    /* too early */
  TM_E_UNKNOWN = -15,    /* a field, version or type that we must understand and don't */
  TM_E_CLOSED = -16,     /* the link or peer is gone */
  TM_E_TIMEOUT = -17,
  TM_E_PEER = -18,       /* the peer's key is not the pinned one */
  TM_E_STATE = -19,      /* not possible in the present state */
  TM_E_RANDOM = -20      /* the random source failed */
};

/* A short text in lower case for an error above; never NULL. */
const char *tm_strerror(int err);

#endif
