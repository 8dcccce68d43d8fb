/*
 * Packets and reply blocks from outside, under a fixed key: no bytes crash the two steps, touch a neighbour in the
 * batch, or get a verdict that they don't deserve. The first byte chooses what the others are:
 *
 *   0  a packet, of any length
 *   1  changes to a good packet: its number of hops, then triples of offset (2 bytes) and xor
 *   2  a difference for the routing block of a good packet, whose MAC is made good again
 *   3  a reply block from a stranger, which is used, and the result unwrapped
 *   4  an answer that arrives for a reply block of our own
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/bytes.h"
#include "sphinx/context.h"
#include "sphinx/sphinx.h"

#define BODY TM_SPHINX_BODY_MIN
#define PAYLOAD (TM_SPHINX_TAG_LEN + BODY)
#define LEN (TM_SPHINX_HEADER_LEN + PAYLOAD)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static tm_sphinx *ctx;
static tm_sphinx_key *key;
static tm_sphinx_surb_keys surb_keys;
static uint8_t body[BODY];
static uint8_t good[TM_SPHINX_HOPS_MAX][LEN];     /* of 1 to 5 hops, all through key */
static uint8_t block_keys[TM_KDF_ALL_LEN];        /* of good[1] */
static uint8_t neighbour[LEN];                    /* what good[0] becomes */

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void set_up(void)
{
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], input[TM_KDF_INPUT_LEN], ok;
  uint8_t *const shared[1] = {input + 64}, *const out[1] = {block_keys};
  const uint8_t *const scalar[1] = {input}, *const point[1] = {good[1]}, *const in[1] = {input};
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];

  memset(random, 7, sizeof random);
  memset(body, 0xb0, sizeof body);
  require(tm_sphinx_new(&ctx, NULL, BODY) == TM_SPHINX_OK && tm_sphinx_key_new(&key, random) == TM_SPHINX_OK);
  for (size_t i = 0; i < TM_SPHINX_HOPS_MAX; i++) {
    memset(path[i].identity, (int)i, sizeof path[i].identity);
    tm_sphinx_key_point(key, path[i].mix_point);
    path[i].delay_ms = (uint32_t)i;
  }
  for (size_t hops = 1; hops <= TM_SPHINX_HOPS_MAX; hops++)
    require(tm_sphinx_create(ctx, path, hops, body, random, good[hops - 1]) == TM_SPHINX_OK);
  require(tm_sphinx_surb_create(ctx, path, 3, random, random, random, surb, &surb_keys) == TM_SPHINX_OK);
  memcpy(input, key->secret, 32);
  ctx->backend->curve->x25519(shared, scalar, point, &ok, 1);
  memcpy(input, good[1], 32);
  memcpy(input + 32, key->y, 32);
  ctx->backend->symmetric->kdf(out, in, 0, TM_KDF_COUNT, 1);
  memset(neighbour, 0, sizeof neighbour);
  memcpy(neighbour + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, body, BODY);
}

/* Both steps for a packet between two good ones. Returns its verdict after the headers; *last: after the bodies. */
static int unwrap(uint8_t *packet, size_t len, int *last, tm_sphinx_hop *result)
{
  uint8_t before[LEN], a[LEN], b[LEN];
  uint8_t *const packets[3] = {a, packet, b};
  const size_t lens[3] = {LEN, len, LEN};
  size_t kept = len < LEN ? len : LEN;
  tm_sphinx_hop hop[3];
  int first;

  memcpy(a, good[0], LEN);
  memcpy(b, good[0], LEN);
  memcpy(before, packet, kept);
  tm_sphinx_unwrap_headers(ctx, key, packets, lens, hop, 3);
  first = hop[1].verdict;
  *result = hop[1];
  if (first != TM_SPHINX_OK)
    require(memcmp(before, packet, kept) == 0);
  tm_sphinx_unwrap_bodies(ctx, packets, hop, 3);
  *last = hop[1].verdict;
  if (first != TM_SPHINX_OK)
    require(*last == first && memcmp(before, packet, kept) == 0);
  require(hop[0].verdict == TM_SPHINX_OK && hop[2].verdict == TM_SPHINX_OK);
  require(memcmp(a, neighbour, LEN) == 0 && memcmp(b, neighbour, LEN) == 0);
  return first;
}

static void fuzz_packet(const uint8_t *data, size_t len)
{
  uint8_t *packet = malloc(len + 1);
  tm_sphinx_hop hop;
  int first, last;

  require(packet != NULL);
  if (len > 0)
    memcpy(packet, data, len);
  first = unwrap(packet, len, &last, &hop);
  require((first == TM_SPHINX_E_LENGTH) == (len != LEN));
  free(packet);
}

static void fuzz_changes(const uint8_t *data, size_t len)
{
  uint8_t packet[LEN];
  size_t hops = len > 0 ? 1 + data[0] % TM_SPHINX_HOPS_MAX : 1;
  const uint8_t *original = good[hops - 1];
  bool same_header, same_payload;
  tm_sphinx_hop hop;
  int first, last;

  memcpy(packet, original, LEN);
  for (size_t i = 1; i + 3 <= len; i += 3)
    packet[((size_t)data[i] << 8 | data[i + 1]) % LEN] ^= data[i + 2];
  same_header = memcmp(packet, original, TM_SPHINX_HEADER_LEN) == 0;
  same_payload = memcmp(packet + TM_SPHINX_HEADER_LEN, original + TM_SPHINX_HEADER_LEN, PAYLOAD) == 0;
  first = unwrap(packet, LEN, &last, &hop);
  require((first == TM_SPHINX_OK) == same_header);
  if (same_header)
    require((last == TM_SPHINX_OK) == (hops > 1 || same_payload));
  if (last == TM_SPHINX_E_TAG)
    require(sodium_is_zero(packet, LEN));
}

static void fuzz_block(const uint8_t *data, size_t len)
{
  uint8_t packet[LEN], clear[TM_STREAM_LEN];
  uint8_t *beta = packet + TM_SPHINX_ELEMENT_LEN;
  uint8_t *const stream[1] = {clear}, *const mac[1] = {beta + TM_SPHINX_ROUTING_LEN};
  const uint8_t *const stream_key[1] = {tm_keys_stream(block_keys)}, *const mac_key[1] = {tm_keys_mac(block_keys)};
  const uint8_t *const in[1] = {beta};
  bool sound;
  tm_sphinx_hop hop;
  int first, last;

  memcpy(packet, good[1], LEN);
  tm_bytes_xor(beta, data, len < TM_SPHINX_ROUTING_LEN ? len : TM_SPHINX_ROUTING_LEN);
  ctx->backend->symmetric->mac(mac, mac_key, in, 1);
  ctx->backend->symmetric->stream(stream, stream_key, 1);
  tm_bytes_xor(clear, beta, TM_SPHINX_ROUTING_LEN);
  sound = clear[0] >= 1 && clear[0] <= 3 && tm_bytes_load32(clear + 1) <= TM_SPHINX_DELAY_MAX_MS;
  first = unwrap(packet, LEN, &last, &hop);
  require(first == (sound ? TM_SPHINX_OK : TM_SPHINX_E_COMMAND));
  if (!sound)
    return;
  require(hop.command == clear[0] && hop.delay_ms == tm_bytes_load32(clear + 1));
  require(hop.command == TM_SPHINX_DELIVER || memcmp(hop.next, clear + 5, sizeof hop.next) == 0);
  /* The payload has another layer below. */
  require(last == (hop.command == TM_SPHINX_DELIVER ? TM_SPHINX_E_TAG : TM_SPHINX_OK));
}

static void fuzz_surb(const uint8_t *data, size_t len)
{
  uint8_t surb[TM_SPHINX_SURB_LEN] = {0}, packet[LEN], first_hop[32];
  tm_sphinx_hop hop;
  int last;

  memcpy(surb, data, len < sizeof surb ? len : sizeof surb);
  tm_sphinx_surb_use(ctx, surb, body, packet, first_hop);
  (void)unwrap(packet, LEN, &last, &hop);
}

static void fuzz_answer(const uint8_t *data, size_t len)
{
  uint8_t payload[PAYLOAD] = {0};

  memcpy(payload, data, len < sizeof payload ? len : sizeof payload);
  require(tm_sphinx_surb_open(ctx, &surb_keys, payload) == TM_SPHINX_E_TAG);
  require(sodium_is_zero(payload, sizeof payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  static void (*const kinds[])(const uint8_t *, size_t) = {
    fuzz_packet, fuzz_changes, fuzz_block, fuzz_surb, fuzz_answer};

  if (ctx == NULL)
    set_up();
  if (len == 0)
    return 0;
  kinds[data[0] % (sizeof kinds / sizeof kinds[0])](data + 1, len - 1);
  return 0;
}
