/*
 * The constant-time check of the packet, run under valgrind by tests/ct/run in a build with --enable-ct. Secrets are
 * marked as undefined, then every path that touches them is taken: valgrind reports branches and addresses that
 * depend on them. What may be known is declassified in the source, with the reason (sphinx/ct.h).
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <valgrind/memcheck.h>

#include "sphinx/backend.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#define HOPS TM_SPHINX_HOPS_MAX
#define BODY TM_SPHINX_BODY_MIN
#define LEN (TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + BODY)
#define N 12

static tm_sphinx *ctx;
static tm_sphinx_key *key[HOPS];
static tm_sphinx_node path[HOPS];
static uint8_t body[BODY];

static void require(bool truth, const char *what)
{
  if (truth)
    return;
  fprintf(stderr, "ct_sphinx: %s\n", what);
  exit(1);
}

static void secret_bytes(uint8_t *out, size_t len)
{
  randombytes_buf(out, len);
  TM_CT_SECRET(out, len);
}

/* Are marks more than nothing in this build, and does valgrind see them? */
static void check_marks(void)
{
  uint8_t byte = 0, bits = 0;

  require(RUNNING_ON_VALGRIND, "not under valgrind");
  TM_CT_SECRET(&byte, 1);
  require(VALGRIND_GET_VBITS(&byte, &bits, 1) == 1 && bits == 0xff,
          "secrets are not marked: configure with --enable-ct");
}

static void set_up(void)
{
  for (size_t i = 0; i < HOPS; i++) {
    uint8_t secret[32];

    secret_bytes(secret, sizeof secret);
    require(tm_sphinx_key_new(&key[i], secret) == TM_SPHINX_OK, "no key");
    tm_sphinx_key_point(key[i], path[i].mix_point);
    randombytes_buf(path[i].identity, sizeof path[i].identity);
    path[i].delay_ms = 17 * (uint32_t)i;
  }
  secret_bytes(body, sizeof body);
}

static void create(size_t hops, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];

  secret_bytes(random, sizeof random);
  require(tm_sphinx_create(ctx, path, hops, body, random, packet) == TM_SPHINX_OK, "no packet");
}

static void walk(size_t hops, uint8_t *packet, int last_command)
{
  uint8_t *const packets[1] = {packet};
  const size_t len = LEN;
  tm_sphinx_hop hop = {0};

  for (size_t i = 0; i < hops; i++) {
    require(tm_sphinx_unwrap_headers(ctx, key[i], packets, &len, &hop, 1) == 1, "header refused");
    require(tm_sphinx_unwrap_bodies(ctx, packets, &hop, 1) == 1, "body refused");
  }
  require(hop.command == last_command, "wrong command");
}

/* Does what comes out equal the body? The comparison's result is what this program is about to tell. */
static void check_body(const uint8_t *payload)
{
  int same = sodium_memcmp(payload + TM_SPHINX_TAG_LEN, body, BODY);

  TM_CT_PUBLIC(&same, sizeof same);
  require(same == 0, "the body is another");
}

static void check_delivery(void)
{
  for (size_t hops = 1; hops <= HOPS; hops++) {
    uint8_t packet[LEN];

    create(hops, packet);
    walk(hops, packet, TM_SPHINX_DELIVER);
    check_body(packet + TM_SPHINX_HEADER_LEN);
  }
}

static void check_reply(void)
{
  for (size_t hops = 1; hops <= HOPS; hops++) {
    uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], ids[32], surb[TM_SPHINX_SURB_LEN], packet[LEN], first[32];
    tm_sphinx_surb_keys keys;

    secret_bytes(random, sizeof random);
    secret_bytes(ids, sizeof ids);
    require(tm_sphinx_surb_create(ctx, path, hops, ids, ids + 16, random, surb, &keys) == TM_SPHINX_OK,
            "no reply block");
    tm_sphinx_surb_use(ctx, surb, body, packet, first);
    walk(hops, packet, TM_SPHINX_REPLY);
    require(tm_sphinx_surb_open(ctx, &keys, packet + TM_SPHINX_HEADER_LEN) == TM_SPHINX_OK, "answer refused");
    check_body(packet + TM_SPHINX_HEADER_LEN);
    TM_CT_SECRET(packet, sizeof packet);
    require(tm_sphinx_surb_open(ctx, &keys, packet + TM_SPHINX_HEADER_LEN) == TM_SPHINX_E_TAG, "nonsense accepted");
  }
}

/* A batch with each fault that bytes alone can have, between good packets. */
static void check_faults(void)
{
  static const int want[N] = {
    TM_SPHINX_OK,    TM_SPHINX_E_NONCANONICAL, TM_SPHINX_OK,    TM_SPHINX_E_LOW_ORDER, TM_SPHINX_OK, TM_SPHINX_E_MAC,
    TM_SPHINX_E_MAC, TM_SPHINX_E_MAC,          TM_SPHINX_E_TAG, TM_SPHINX_E_LENGTH,    TM_SPHINX_OK, TM_SPHINX_OK,
  };
  uint8_t packet[N][LEN];
  uint8_t *at[N];
  size_t len[N];
  tm_sphinx_hop hop[N];

  for (size_t i = 0; i < N; i++) {
    create(want[i] == TM_SPHINX_E_TAG ? 1 : 1 + i % HOPS, packet[i]);
    at[i] = packet[i];
    len[i] = LEN;
  }
  packet[1][31] |= 0x80;
  memset(packet[3], 0, 32);
  packet[5][40] ^= 1;
  packet[6][300] ^= 1;
  packet[7][3] ^= 1;
  packet[8][LEN - 1] ^= 1;
  len[9]--;
  tm_sphinx_unwrap_headers(ctx, key[0], at, len, hop, N);
  tm_sphinx_unwrap_bodies(ctx, at, hop, N);
  for (size_t i = 0; i < N; i++)
    require(hop[i].verdict == want[i], "wrong verdict");
}

/* Functions of the back-end that the packet does not call with secrets everywhere: all their inputs are secret here. */
static void check_backend(const struct tm_sphinx_backend *b)
{
  uint8_t in[TM_SPHINX_ROUTING_LEN], keys[TM_SPHINX_PAYLOAD_KEY_LEN], out[1024], ok[2], zero[32] = {0};
  uint8_t *const outs[2] = {out, out + 512};
  const uint8_t *const ins[2] = {in, in + 1}, *const key_at[2] = {keys, keys + 32}, *const points[2] = {in, zero};
  uint8_t *const blocks[1] = {out};

  secret_bytes(in, sizeof in);
  secret_bytes(keys, sizeof keys);
  TM_CT_SECRET(zero, sizeof zero);
  b->curve->x25519(outs, key_at, points, ok, 2);
  TM_CT_PUBLIC(ok, sizeof ok);
  require(ok[0] == 1 && ok[1] == 0, "wrong X25519");
  b->curve->x25519_base(outs, key_at, 2);
  b->symmetric->kdf(outs, ins, 0, TM_KDF_COUNT, 2);
  b->symmetric->mac(outs, key_at, (const uint8_t *const[2]){in, in}, 2);
  b->symmetric->stream(outs, key_at, 2);
  b->symmetric->lioness_encrypt(blocks, key_at, sizeof out, 1);
  b->symmetric->lioness_decrypt(blocks, key_at, sizeof out, 1);
}

int main(void)
{
  check_marks();
  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    if (tm_sphinx_new(&ctx, *name, BODY) != TM_SPHINX_OK) {
      printf("%s: not here\n", *name);
      continue;
    }
    set_up();
    check_delivery();
    check_reply();
    check_faults();
    check_backend(tm_backend_choose(*name));
    for (size_t i = 0; i < HOPS; i++)
      tm_sphinx_key_free(key[i]);
    tm_sphinx_free(ctx);
    printf("%s: checked\n", *name);
  }
  return 0;
}
