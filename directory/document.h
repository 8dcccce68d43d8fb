/*
 * The signed directory document (doc/spec/directory.md): what a network is, at a given time. Bytes in, bytes out; the
 * time is an argument. A tm_document is read-only after it is made, and may be shared by threads.
 */
#ifndef TM_DIRECTORY_DOCUMENT_H
#define TM_DIRECTORY_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_DOCUMENT_MAX (256 * 1024) /* bytes, signatures and all */
#define TM_DOCUMENT_RELAYS_MAX 1024
#define TM_DOCUMENT_KEYS_MAX 192     /* mix keys of one relay */
#define TM_DOCUMENT_LAYERS 3
#define TM_DOCUMENT_AUTHORITIES_MAX 32
#define TM_RELAY_NAME_MAX 31         /* [a-z0-9-], first a letter */
#define TM_LINK_MIN_US 100           /* link_us, if not 0 */
#define TM_COVER_MIN_MS 10           /* loop_ms and dummy_ms, if not 0 */
#define TM_TICK_MAX_US 60000000      /* tick_us: the time after which a silent link ends (doc/spec/link.md, section 5) */
#define TM_ADDRESS_MAX 63            /* "127.0.0.1:4711", "[::1]:4711" */

enum tm_role { TM_ROLE_ENTRY = 1, TM_ROLE_MIX = 2, TM_ROLE_STORE = 4 }; /* bits */
enum tm_strategy { TM_STRATEGY_POISSON = 1, TM_STRATEGY_TIMED_POOL = 2 };

/* Network parameters; every one stands in the document. Times in the unit of the name. */
struct tm_params {
  uint32_t epoch_s;            /* length of an epoch: epoch number = unix time / epoch_s */
  uint32_t key_grace_s;        /* a mix key lives so much longer than its epoch */
  uint32_t packet_hops;        /* 5 */
  uint32_t packet_body;        /* 2048 */
  enum tm_strategy strategy;
  uint32_t mean_delay_ms;      /* Poisson: mean of the sender's exponential delay per hop */
  uint32_t pool_interval_ms;   /* timed pool */
  uint32_t pool_min;           /* packets that always stay */
  uint32_t pool_share_permille;/* of what is above pool_min, released at each interval */
  uint32_t pool_floor;         /* at each interval the relay fills the pool with its own dummies up to so many */
  uint32_t loop_ms;            /* mean interval of a relay's loops to itself; 0: none */
  uint32_t dummy_ms;           /* mean interval of a relay's dummies; 0: none */
  uint32_t link_us;            /* a relay sends one cell so often on each link to another; 0: when there is one */
  uint32_t slot_ms;            /* length of a slot: slot number = unix milliseconds / slot_ms */
  uint32_t slot_lag_ms;        /* a slot is read no sooner than so long after its end */
  uint32_t sequences;          /* K: conversations and decoys of every client */
  uint32_t tick_us;            /* mean interval of the client's Poisson clock */
  uint32_t request_permille;   /* of ticks that are requests; the rest are loops */
  uint32_t downlink_us;        /* interval of the entry's clock towards each client */
  uint32_t decoy_write_permille;/* a decoy writes in a slot with this probability */
  uint32_t request_timeout_ms; /* beyond the drawn delays, until a request is sent again */
  uint32_t box_expiry_s;       /* how long a store keeps a box */
  uint32_t work_bits;          /* zero bits of the proof of work that every put carries */
};

struct tm_mix_key {
  uint64_t epoch;
  uint8_t point[32]; /* Ed25519 form, checked */
};

struct tm_relay_info {
  char name[TM_RELAY_NAME_MAX + 1];
  uint8_t identity[32]; /* Ed25519 */
  char address[TM_ADDRESS_MAX + 1];
  unsigned roles;       /* enum tm_role bits */
  unsigned layer;       /* mix: 1 to TM_DOCUMENT_LAYERS; else 0 */
  size_t n_keys;
  const struct tm_mix_key *keys; /* by ascending epoch */
};

struct tm_document;
struct tm_trust; /* the configured authorities */

/*
 * The authorities a user trusts: text, one verifier key a line ("name+hash+base64", C2SP signed-note), '#' comments.
 * Errors: TM_E_SYNTAX, TM_E_TOO_BIG, TM_E_EXISTS (a name or key twice), TM_E_NOT_FOUND (none), TM_E_NOMEM.
 */
int tm_trust_parse(struct tm_trust **out, const char *text, size_t len) TM_MUST_CHECK;
void tm_trust_free(struct tm_trust *trust);
size_t tm_trust_count(const struct tm_trust *trust);
size_t tm_trust_needed(const struct tm_trust *trust); /* more than two thirds */

/*
 * Verifies and parses. now_s: unix time. *good: how many distinct authorities signed well (written also on
 * TM_E_SIGNATURE; may be NULL). Errors: TM_E_TOO_BIG, TM_E_SYNTAX, TM_E_UNKNOWN (a field that matters), TM_E_SIGNATURE
 * (too few), TM_E_EXPIRED, TM_E_NOT_YET, TM_E_POINT, TM_E_NOMEM. *out is then NULL. Signatures are checked before
 * anything of the text is believed.
 */
int tm_document_open(struct tm_document **out, const struct tm_trust *trust, const void *bytes, size_t len,
                     uint64_t now_s, size_t *good) TM_MUST_CHECK;
void tm_document_free(struct tm_document *doc);

const struct tm_params *tm_document_params(const struct tm_document *doc);
const char *tm_document_network(const struct tm_document *doc); /* the network's name */
uint64_t tm_document_valid_from(const struct tm_document *doc);  /* unix seconds */
uint64_t tm_document_valid_until(const struct tm_document *doc);
/* Signatures and all, as opened and as served. */
const uint8_t *tm_document_bytes(const struct tm_document *doc, size_t *len);
const uint8_t *tm_document_digest(const struct tm_document *doc); /* BLAKE2b-256 of those bytes, 32 */
/*
 * BLAKE2b-256 of the text without its signature lines. Everybody who has this document has the same one, whatever lines
 * whoever served it left out, put in or changed the order of.
 */
const uint8_t *tm_document_text_digest(const struct tm_document *doc);
size_t tm_document_relays(const struct tm_document *doc);
const struct tm_relay_info *tm_document_relay(const struct tm_document *doc, size_t i);
/* NULL: unknown. */
const struct tm_relay_info *tm_document_find(const struct tm_document *doc, const uint8_t identity[static 32]);
/* The relay's key for an epoch; NULL: it has none. */
const struct tm_mix_key *tm_relay_key(const struct tm_relay_info *relay, uint64_t epoch);

#endif
