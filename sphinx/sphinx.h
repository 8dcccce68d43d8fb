/*
 * The packet: creating, unwrapping and answering Sphinx packets (doc/spec/packet.md).
 *
 * This header is installed. It needs nothing but the C library, compiles as C++, and names only
 * tm_sphinx_*. Everything works in place and, after tm_sphinx_new, allocates nothing.
 *
 * Threads: a tm_sphinx is scratch space and belongs to one thread at a time. A tm_sphinx_key is
 * read-only after creation and may be shared by any number of them.
 *
 * Secrets: scratch space is wiped before each call returns. Structures that the caller owns
 * (tm_sphinx_hop, tm_sphinx_surb_keys) hold keys; the caller wipes them after use.
 */
#ifndef TM_SPHINX_H
#define TM_SPHINX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#define TM_SPHINX_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TM_SPHINX_MUST_CHECK
#endif

/* doc/spec/packet.md, section 1. Lengths in bytes. */
#define TM_SPHINX_HOPS_MAX 5
#define TM_SPHINX_ELEMENT_LEN 32
#define TM_SPHINX_BLOCK_LEN 53
#define TM_SPHINX_ROUTING_LEN 265
#define TM_SPHINX_MAC_LEN 16
#define TM_SPHINX_HEADER_LEN 313
#define TM_SPHINX_TAG_LEN 32
#define TM_SPHINX_BODY_LEN 2048 /* what a Tidemill network uses */
#define TM_SPHINX_BODY_MIN 256  /* what the library accepts */
#define TM_SPHINX_BODY_MAX 32768
#define TM_SPHINX_PAYLOAD_LEN (TM_SPHINX_TAG_LEN + TM_SPHINX_BODY_LEN)
#define TM_SPHINX_PACKET_LEN (TM_SPHINX_HEADER_LEN + TM_SPHINX_PAYLOAD_LEN)
#define TM_SPHINX_REPLAY_TAG_LEN 16
#define TM_SPHINX_PAYLOAD_KEY_LEN 192
#define TM_SPHINX_IDENTITY_LEN 32
#define TM_SPHINX_HANDLE_LEN 16
#define TM_SPHINX_SURB_ID_LEN 16
#define TM_SPHINX_REPLY_KEY_LEN 32
#define TM_SPHINX_SURB_LEN (TM_SPHINX_IDENTITY_LEN + TM_SPHINX_HEADER_LEN + TM_SPHINX_REPLY_KEY_LEN)
#define TM_SPHINX_CREATE_RANDOM_LEN 292
#define TM_SPHINX_SURB_RANDOM_LEN (TM_SPHINX_CREATE_RANDOM_LEN + TM_SPHINX_REPLY_KEY_LEN)
#define TM_SPHINX_DELAY_MAX_MS 86400000u
#define TM_SPHINX_BATCH_MAX 64 /* packets that are worked on together */

/* Results and per-packet verdicts. */
enum {
  TM_SPHINX_OK = 0,
  TM_SPHINX_E_LENGTH = -1,       /* not the packet length of this tm_sphinx */
  TM_SPHINX_E_NONCANONICAL = -2, /* group element is not a canonical encoding */
  TM_SPHINX_E_LOW_ORDER = -3,    /* group element of low order: shared secret would be zero */
  TM_SPHINX_E_MAC = -4,          /* header forged, or made for another key */
  TM_SPHINX_E_COMMAND = -5,      /* unknown command or delay over the limit, under a good MAC */
  TM_SPHINX_E_REPLAY = -6,       /* set by the caller between the two steps */
  TM_SPHINX_E_TAG = -7,          /* payload was changed on its way */
  TM_SPHINX_E_PATH = -8,         /* path empty, too long, delay over the limit */
  TM_SPHINX_E_POINT = -9,        /* mix key is not a canonical point of the prime-order subgroup */
  TM_SPHINX_E_NOMEM = -10,
  TM_SPHINX_E_BACKEND = -11,     /* no such back-end, not on this CPU, or it failed its self-test */
  TM_SPHINX_E_BODY_LEN = -12     /* body length outside BODY_MIN to BODY_MAX */
};

/* Routing commands, section 5. */
enum {
  TM_SPHINX_FORWARD = 1,
  TM_SPHINX_DELIVER = 2,
  TM_SPHINX_REPLY = 3
};

typedef struct tm_sphinx tm_sphinx;
typedef struct tm_sphinx_key tm_sphinx_key;

/* One relay of a path. */
typedef struct {
  uint8_t identity[TM_SPHINX_IDENTITY_LEN];  /* Ed25519 public key, names the relay */
  uint8_t mix_point[TM_SPHINX_ELEMENT_LEN];  /* mix key as an Ed25519 point, section 2 */
  uint32_t delay_ms;                         /* how long it holds the packet */
} tm_sphinx_node;

/* What the header step found out about one packet. Secret; wipe after the body step. */
typedef struct {
  int verdict;                                      /* TM_SPHINX_OK or an error above */
  uint8_t command;                                  /* valid if verdict is OK */
  uint32_t delay_ms;
  uint8_t next[TM_SPHINX_IDENTITY_LEN];             /* forward: next relay; reply: handle, SURB id; deliver: zero */
  uint8_t replay_tag[TM_SPHINX_REPLAY_TAG_LEN];
  uint8_t payload_key[TM_SPHINX_PAYLOAD_KEY_LEN];
} tm_sphinx_hop;

/* What the owner of a reply block keeps to open the answer. Secret; use once, then wipe. */
typedef struct {
  uint8_t hops;
  uint8_t payload_key[TM_SPHINX_HOPS_MAX][TM_SPHINX_PAYLOAD_KEY_LEN];
  uint8_t reply_key[TM_SPHINX_REPLY_KEY_LEN];
} tm_sphinx_surb_keys;

/* One packet that is to be made; what tm_sphinx_create takes. result: TM_SPHINX_OK or its error. */
typedef struct {
  const tm_sphinx_node *path;
  size_t hops;
  const uint8_t *body;
  const uint8_t *random;
  uint8_t *packet;
  int result;
} tm_sphinx_packet_job;

/* One reply block that is to be made; what tm_sphinx_surb_create takes. result: TM_SPHINX_OK or its error. */
typedef struct {
  const tm_sphinx_node *path;
  size_t hops;
  const uint8_t *handle;
  const uint8_t *surb_id;
  const uint8_t *random;
  uint8_t *surb;
  tm_sphinx_surb_keys *keys;
  int result;
} tm_sphinx_surb_job;

/* Text for an error or verdict above; never NULL. */
const char *tm_sphinx_strerror(int error);

/* Names of all back-ends built in, best first, ended by NULL; static. */
const char *const *tm_sphinx_backends(void);

/* Is a back-end of that name built in, usable on this CPU and through its self-test? 1 or 0. Any thread. */
int tm_sphinx_backend_available(const char *name);

/*
 * Makes scratch space for batches of up to TM_SPHINX_BATCH_MAX packets with bodies of body_len bytes.
 * backend: a name from tm_sphinx_backends, or NULL for the environment variable
 * TIDEMILL_SPHINX_BACKEND or, without it, the best one. *out is the caller's, freed by tm_sphinx_free.
 * Errors: E_BACKEND, E_BODY_LEN, E_NOMEM (also if libsodium cannot start); *out is then NULL.
 */
int tm_sphinx_new(tm_sphinx **out, const char *backend, size_t body_len) TM_SPHINX_MUST_CHECK;
void tm_sphinx_free(tm_sphinx *ctx); /* NULL is fine */
const char *tm_sphinx_backend_name(const tm_sphinx *ctx);
size_t tm_sphinx_packet_len(const tm_sphinx *ctx);
size_t tm_sphinx_body_len(const tm_sphinx *ctx);

/*
 * A mix key pair from 32 uniform secret bytes (clamped inside), in locked memory. tm_sphinx_key_free erases it.
 * Errors: E_NOMEM; *out is then NULL.
 */
int tm_sphinx_key_new(tm_sphinx_key **out, const uint8_t *secret /* 32 */) TM_SPHINX_MUST_CHECK;
void tm_sphinx_key_free(tm_sphinx_key *key); /* NULL is fine */
void tm_sphinx_key_point(const tm_sphinx_key *key, uint8_t *point /* 32, written */);

/*
 * Is it a canonical point of the prime-order subgroup, not the identity? OK or E_POINT. A libsodium whose own check
 * lets points of mixed order pass (CVE-2025-69277) is recognised, and a check of ours then runs beside it. Any
 * thread; the point is public.
 */
int tm_sphinx_point_check(const uint8_t *point /* 32 */) TM_SPHINX_MUST_CHECK;

/*
 * Header step (section 8) for n packets, taken TM_SPHINX_BATCH_MAX at a time. packet[i] has len[i] bytes and becomes
 * the packet for the next hop, but for its payload; where hop[i].verdict is not OK it stays as it was and the rest of
 * hop[i] is zero. Packets must not overlap. Returns how many verdicts are OK. Verdicts: OK, E_LENGTH, E_NONCANONICAL,
 * E_LOW_ORDER, E_MAC, E_COMMAND.
 */
size_t tm_sphinx_unwrap_headers(tm_sphinx *ctx, const tm_sphinx_key *key, uint8_t *const packet[], const size_t len[],
                                tm_sphinx_hop hop[], size_t n);

/*
 * Body step for the packets whose hop[i].verdict is OK; the others are left alone. The caller has set E_REPLAY where
 * the tag was known. Afterwards, at packet[i] + TM_SPHINX_HEADER_LEN: for FORWARD and REPLY the payload with one
 * layer less, for DELIVER the zero tag and the body; where the tag is wrong the verdict becomes E_TAG and the payload
 * zero. The payload_key of each packet worked on is zero afterwards. Returns how many verdicts are OK.
 */
size_t tm_sphinx_unwrap_bodies(tm_sphinx *ctx, uint8_t *const packet[], tm_sphinx_hop hop[], size_t n);

/*
 * Makes a packet along path[0..hops) that is delivered at the last (section 7). body: the body length of ctx, not
 * inside packet. random: CREATE_RANDOM_LEN fresh secret bytes; the same bytes give the same packet. packet: the
 * packet length of ctx, written. Mix keys found good are remembered in ctx, so a relay's later packets cost less.
 * Errors: E_PATH, E_POINT, E_LOW_ORDER (a chance of 2^-126 with random bytes); packet is then zero.
 */
int tm_sphinx_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, const uint8_t *body,
                     const uint8_t *random, uint8_t *packet) TM_SPHINX_MUST_CHECK;

/*
 * Makes a reply block along path[0..hops) that ends at the session handle of the last relay, an entry (section 9).
 * random: SURB_RANDOM_LEN fresh secret bytes: CREATE_RANDOM_LEN for the header, then the reply key. surb: SURB_LEN,
 * written. *keys: written. Errors: as tm_sphinx_create; surb and *keys are then zero.
 */
int tm_sphinx_surb_create(tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops,
                          const uint8_t *handle /* 16 */, const uint8_t *surb_id /* 16 */, const uint8_t *random,
                          uint8_t *surb, tm_sphinx_surb_keys *keys) TM_SPHINX_MUST_CHECK;

/*
 * The same for any number at once, which costs less for each: half of TM_SPHINX_BATCH_MAX are worked on together. One
 * that fails does not touch the others. Returns how many results are OK.
 */
size_t tm_sphinx_create_many(tm_sphinx *ctx, tm_sphinx_packet_job job[], size_t n);
size_t tm_sphinx_surb_create_many(tm_sphinx *ctx, tm_sphinx_surb_job job[], size_t n);

/*
 * Makes the answer packet from a reply block. first_hop: identity of the relay to send it to, written. body: the body
 * length of ctx. A block from a stranger can be nonsense; then so is the packet, which the first relay drops.
 */
void tm_sphinx_surb_use(tm_sphinx *ctx, const uint8_t *surb /* SURB_LEN */, const uint8_t *body, uint8_t *packet,
                        uint8_t *first_hop /* 32, written */);

/*
 * Opens the answer in place: payload is TAG_LEN + body length bytes as the entry handed it on; the body is then at
 * payload + TM_SPHINX_TAG_LEN. Errors: E_TAG; payload is then zero.
 */
int tm_sphinx_surb_open(tm_sphinx *ctx, const tm_sphinx_surb_keys *keys, uint8_t *payload) TM_SPHINX_MUST_CHECK;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
