/*
 * The packet against the vectors of doc/spec/packet.md, section 10 (tests/vectors/sphinx.json), with every back-end
 * that works here. The file is made by another program from the specification alone. An empty array is a failure: it
 * would check nothing.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "sphinx/context.h"
#include "sphinx/header.h"
#include "sphinx/sphinx.h"

#include "tests/unit/sphinx_net.h"

#define PACKET_CAP 8192
#define EACH(list, entry) json_t *entry; size_t i_##entry; json_array_foreach(cases(list), i_##entry, entry)

static json_t *root;
static const struct tm_sphinx_backend *backend;

static json_t *member(const json_t *o, const char *key)
{
  json_t *v = json_object_get(o, key);

  if (v == NULL)
    fail_msg("no member \"%s\"", key);
  return v;
}

static json_t *cases(json_t *list)
{
  assert_true(json_is_array(list));
  if (json_array_size(list) == 0)
    fail_msg("no cases");
  return list;
}

static json_t *part(const char *section, const char *list) { return member(member(root, section), list); }
static size_t number(const json_t *o, const char *key) { return (size_t)json_integer_value(member(o, key)); }
static const char *text(const json_t *o, const char *key) { return json_string_value(member(o, key)); }

static size_t bytes_of(const json_t *v, uint8_t *out, size_t cap)
{
  const char *s = json_string_value(v);
  size_t len = 0;

  assert_non_null(s);
  assert_int_equal(sodium_hex2bin(out, cap, s, strlen(s), NULL, &len, NULL), 0);
  assert_int_equal(len * 2, strlen(s));
  return len;
}

static size_t bytes(const json_t *o, const char *key, uint8_t *out, size_t cap)
{
  return bytes_of(member(o, key), out, cap);
}

static void exactly(const json_t *o, const char *key, uint8_t *out, size_t len)
{
  assert_int_equal(bytes(o, key, out, len), len);
}

static void assert_bytes(const json_t *o, const char *key, const uint8_t *got, size_t len)
{
  uint8_t want[PACKET_CAP];

  assert_int_equal(bytes(o, key, want, sizeof want), len);
  if (memcmp(want, got, len) != 0)
    fail_msg("\"%s\" differs", key);
}

/* The specification's names of verdicts, and the path errors that share one code. */
static int error_named(const char *name)
{
  static const struct {
    const char *name;
    int error;
  } table[] = {
    {"length", TM_SPHINX_E_LENGTH}, {"noncanonical", TM_SPHINX_E_NONCANONICAL}, {"low-order", TM_SPHINX_E_LOW_ORDER},
    {"mac", TM_SPHINX_E_MAC},       {"command", TM_SPHINX_E_COMMAND},           {"replay", TM_SPHINX_E_REPLAY},
    {"tag", TM_SPHINX_E_TAG},       {"hops", TM_SPHINX_E_PATH},                 {"delay", TM_SPHINX_E_PATH},
    {"point", TM_SPHINX_E_POINT},
  };

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (strcmp(table[i].name, name) == 0)
      return table[i].error;
  fail_msg("unknown error \"%s\"", name);
  return 0;
}

static tm_sphinx *context(const json_t *o)
{
  tm_sphinx *ctx;

  assert_int_equal(tm_sphinx_new(&ctx, backend->name, number(o, "body_length")), TM_SPHINX_OK);
  return ctx;
}

static tm_sphinx_key *key_of(const json_t *hex)
{
  uint8_t secret[32];
  tm_sphinx_key *key;

  assert_int_equal(bytes_of(hex, secret, sizeof secret), 32);
  assert_int_equal(tm_sphinx_key_new(&key, secret), TM_SPHINX_OK);
  return key;
}

/* Up to 8 nodes, so that too long paths fit. */
static size_t path_of(const json_t *o, tm_sphinx_node path[static 8])
{
  json_t *list = member(o, "path"), *node;
  size_t i;

  assert_true(json_array_size(list) <= 8);
  json_array_foreach(list, i, node) {
    exactly(node, "identity", path[i].identity, 32);
    exactly(node, "point", path[i].mix_point, 32);
    if (json_object_get(node, "x25519") != NULL) {
      uint8_t y[32];

      assert_int_equal(tm_point_to_x25519(y, path[i].mix_point), TM_SPHINX_OK);
      assert_bytes(node, "x25519", y, sizeof y);
    }
    path[i].delay_ms = (uint32_t)number(node, "delay");
  }
  return json_array_size(list);
}

/* ---- single functions ---- */

static void test_x25519(void **state)
{
  (void)state;
  EACH(part("primitives", "x25519"), c) {
    uint8_t scalar[32], u[32], out[32], ok;
    uint8_t *const outs[1] = {out};
    const uint8_t *const scalars[1] = {scalar}, *const points[1] = {u};

    exactly(c, "scalar", scalar, 32);
    exactly(c, "u", u, 32);
    backend->curve->x25519(outs, scalars, points, &ok, 1);
    assert_bytes(c, "out", out, 32);
    assert_int_equal(ok, !sodium_is_zero(out, 32));
  }
}

static void test_hash(void **state)
{
  (void)state;
  EACH(part("primitives", "hash"), c) {
    uint8_t key[64], message[PACKET_CAP], salt[16] = {0}, personal[16] = {0}, out[64];
    size_t key_len = bytes(c, "key", key, sizeof key), len = bytes(c, "message", message, sizeof message);

    bytes(c, "salt", salt, sizeof salt);
    memcpy(personal, text(c, "personal"), strnlen(text(c, "personal"), sizeof personal));
    assert_int_equal(crypto_generichash_blake2b_salt_personal(out, number(c, "length"), message, len, key, key_len,
                                                              salt, personal), 0);
    assert_bytes(c, "out", out, number(c, "length"));
  }
}

static void test_stream(void **state)
{
  (void)state;
  EACH(part("primitives", "stream"), c) {
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint8_t key[32], out[PACKET_CAP];
    uint8_t *const outs[1] = {out};
    const uint8_t *const keys[1] = {key};

    exactly(c, "key", key, 32);
    if (number(c, "length") <= TM_STREAM_LEN)
      backend->symmetric->stream(outs, keys, 1);
    else
      crypto_stream_chacha20(out, number(c, "length"), nonce, key);
    assert_bytes(c, "out", out, number(c, "length"));
  }
}

static void test_lioness(void **state)
{
  (void)state;
  EACH(part("primitives", "lioness"), c) {
    uint8_t key[192], block[PACKET_CAP];
    uint8_t *const blocks[1] = {block};
    const uint8_t *const keys[1] = {key};
    size_t len = bytes(c, "plain", block, sizeof block);

    exactly(c, "key", key, sizeof key);
    backend->symmetric->lioness_encrypt(blocks, keys, len, 1);
    assert_bytes(c, "cipher", block, len);
    backend->symmetric->lioness_decrypt(blocks, keys, len, 1);
    assert_bytes(c, "plain", block, len);
  }
}

static void test_points(void **state)
{
  (void)state;
  EACH(part("primitives", "points"), c) {
    tm_sphinx_key *key = key_of(member(c, "secret"));
    uint8_t point[32], y[32];

    tm_sphinx_key_point(key, point);
    assert_bytes(c, "point", point, 32);
    assert_bytes(c, "x25519", key->y, 32);
    assert_int_equal(tm_sphinx_point_check(point), TM_SPHINX_OK);
    assert_int_equal(tm_point_to_x25519(y, point), TM_SPHINX_OK);
    assert_bytes(c, "x25519", y, 32);
    assert_true(tm_point_is_torsion_free(point));
    tm_sphinx_key_free(key);
  }
}

static void test_bad_points(void **state)
{
  (void)state;
  EACH(part("primitives", "bad_points"), bad) {
    uint8_t point[32], y[32];

    exactly(bad, "point", point, 32);
    assert_int_equal(tm_sphinx_point_check(point), error_named(text(bad, "error")));
    assert_int_equal(tm_point_to_x25519(y, point), error_named(text(bad, "error")));
    assert_true(sodium_is_zero(y, 32));
  }
}

/* The reply key's expansion shows in what it encrypts. */
static void test_reply_keys(void **state)
{
  (void)state;
  EACH(part("primitives", "reply_keys"), c) {
    uint8_t surb[TM_SPHINX_SURB_LEN] = {0}, key[192], first[32];
    uint8_t body[TM_SPHINX_BODY_MIN] = {1}, packet[PACKET_CAP], zero[32] = {0};
    uint8_t *const blocks[1] = {packet + TM_SPHINX_HEADER_LEN};
    const uint8_t *const keys[1] = {key};
    tm_sphinx *ctx;

    assert_int_equal(tm_sphinx_new(&ctx, backend->name, sizeof body), TM_SPHINX_OK);
    exactly(c, "reply_key", surb + TM_SPHINX_SURB_LEN - 32, 32);
    exactly(c, "lioness_key", key, sizeof key);
    tm_sphinx_surb_use(ctx, surb, body, packet, first);
    backend->symmetric->lioness_decrypt(blocks, keys, TM_SPHINX_TAG_LEN + sizeof body, 1);
    assert_memory_equal(blocks[0], zero, 32);
    assert_memory_equal(blocks[0] + 32, body, sizeof body);
    tm_sphinx_free(ctx);
  }
}

/* ---- packets ---- */

/* What the sender computed for each hop, against the keys that a header just made has left in ctx. */
static void check_keys(const json_t *c, const tm_sphinx *ctx)
{
  const struct tm_path *p = &ctx->path[0];
  json_t *secrets = member(c, "path"), *hops = cases(member(c, "hops")), *hop;
  size_t i;

  json_array_foreach(hops, i, hop) {
    const uint8_t *keys = p->keys[i];
    uint8_t shared[32], ok, scalar[32], phi[TM_STREAM_LEN] = {0}, before = 0;
    uint8_t *const outs[1] = {shared};
    const uint8_t *const scalars[1] = {scalar}, *const points[1] = {p->alpha[i]};
    json_t *k = cases(member(hop, "k")), *one;
    size_t j, len;

    assert_bytes(hop, "alpha", p->alpha[i], 32);
    exactly(json_array_get(secrets, i), "secret", scalar, 32);
    backend->curve->x25519(outs, scalars, points, &ok, 1);
    assert_bytes(hop, "shared", shared, 32);
    assert_int_equal(json_array_size(k), TM_KDF_COUNT);
    json_array_foreach(k, j, one) {
      uint8_t want[TM_KDF_LEN];

      assert_int_equal(bytes_of(one, want, sizeof want), TM_KDF_LEN);
      assert_memory_equal(want, keys + j * TM_KDF_LEN, TM_KDF_LEN);
    }
    assert_bytes(hop, "mac_key", tm_keys_mac(keys), 32);
    assert_bytes(hop, "stream_key", tm_keys_stream(keys), 32);
    assert_bytes(hop, "blind", tm_keys_blind(keys), 32);
    assert_bytes(hop, "replay_tag", tm_keys_replay_tag(keys), TM_SPHINX_REPLAY_TAG_LEN);
    assert_bytes(hop, "payload_key", tm_keys_payload(keys), TM_SPHINX_PAYLOAD_KEY_LEN);
    if (i + 1 == json_array_size(hops)) {
      assert_bytes(hop, "filler", &before, 0);
      continue;
    }
    /* phi of the next hop, out of phi of this one. */
    if (i > 0)
      bytes(json_array_get(hops, i - 1), "filler", phi, sizeof phi);
    len = (i + 1) * TM_SPHINX_BLOCK_LEN;
    for (j = 0; j < len; j++)
      phi[j] ^= p->stream[i][TM_STREAM_LEN - len + j];
    assert_bytes(hop, "filler", phi, len);
    if (i + 2 == json_array_size(hops))
      assert_bytes(hop, "filler", p->filler, len);
  }
}

/* Makes a header, and compares the keys that are left in ctx. */
static void check_header(const json_t *c, tm_sphinx *ctx, const tm_sphinx_node path[], size_t hops, uint8_t command,
                         const uint8_t *field, const uint8_t *random, uint8_t *header)
{
  struct tm_header_job job = {
    .path = path, .hops = hops, .command = command, .field = field, .random = random, .header = header};

  tm_header_create(ctx, &job, 1);
  assert_int_equal(job.error, TM_SPHINX_OK);
  check_keys(c, ctx);
  tm_header_wipe(ctx, 1);
}

static void check_verdict(const json_t *step, const json_t *hop, const tm_sphinx_hop *h)
{
  static const char *const commands[] = {"", "forward", "deliver", "reply"};

  assert_int_equal(h->verdict, TM_SPHINX_OK);
  assert_string_equal(commands[h->command], text(step, "command"));
  assert_int_equal(h->delay_ms, number(step, "delay"));
  assert_bytes(hop, "replay_tag", h->replay_tag, sizeof h->replay_tag);
  assert_bytes(hop, "payload_key", h->payload_key, sizeof h->payload_key);
  if (h->command == TM_SPHINX_FORWARD) {
    assert_bytes(step, "next", h->next, 32);
  } else if (h->command == TM_SPHINX_REPLY) {
    assert_bytes(step, "session", h->next, TM_SPHINX_HANDLE_LEN);
    assert_bytes(step, "surb_id", h->next + TM_SPHINX_HANDLE_LEN, TM_SPHINX_SURB_ID_LEN);
  } else {
    assert_true(sodium_is_zero(h->next, sizeof h->next));
  }
}

/* Every relay of the path in turn; packet is left as the last leaves it. */
static void walk(const json_t *c, tm_sphinx *ctx, uint8_t *packet)
{
  json_t *path = member(c, "path"), *steps = cases(member(c, "steps")), *step;
  size_t i, len = tm_sphinx_packet_len(ctx);

  assert_int_equal(json_array_size(steps), json_array_size(path));
  json_array_foreach(steps, i, step) {
    json_t *hop = json_array_get(member(c, "hops"), i);
    tm_sphinx_key *key = key_of(member(json_array_get(path, i), "secret"));
    uint8_t block[TM_SPHINX_BLOCK_LEN], k0[TM_KDF_LEN], stream[TM_STREAM_LEN];
    uint8_t *const packets[1] = {packet}, *const streams[1] = {stream};
    const uint8_t *const keys[1] = {k0 + 32};
    tm_sphinx_hop h;

    assert_bytes(hop, "alpha", packet, 32);
    assert_bytes(hop, "beta", packet + 32, TM_SPHINX_ROUTING_LEN);
    assert_bytes(hop, "gamma", packet + 32 + TM_SPHINX_ROUTING_LEN, TM_SPHINX_MAC_LEN);
    bytes_of(json_array_get(member(hop, "k"), 0), k0, sizeof k0);
    backend->symmetric->stream(streams, keys, 1);
    for (size_t j = 0; j < sizeof block; j++)
      block[j] = packet[32 + j] ^ stream[j];
    assert_bytes(hop, "block", block, sizeof block);

    assert_int_equal(tm_sphinx_unwrap_headers(ctx, key, packets, &len, &h, 1), 1);
    check_verdict(step, hop, &h);
    assert_int_equal(tm_sphinx_unwrap_bodies(ctx, packets, &h, 1), 1);
    assert_bytes(step, "packet", packet, len);
    tm_sphinx_key_free(key);
  }
}

static void test_forward(void **state)
{
  size_t seen = 0;

  (void)state;
  EACH(member(root, "forward"), c) {
    tm_sphinx *ctx = context(c);
    tm_sphinx_node path[8];
    size_t hops = path_of(c, path);
    uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN], header[TM_SPHINX_HEADER_LEN], packet[PACKET_CAP], body[PACKET_CAP];

    seen |= (size_t)1 << hops;
    exactly(c, "random", random, sizeof random);
    exactly(c, "body", body, tm_sphinx_body_len(ctx));
    check_header(c, ctx, path, hops, TM_SPHINX_DELIVER, NULL, random, header);
    assert_int_equal(tm_sphinx_create(ctx, path, hops, body, random, packet), TM_SPHINX_OK);
    assert_memory_equal(packet, header, sizeof header);
    assert_bytes(c, "packet", packet, tm_sphinx_packet_len(ctx));
    walk(c, ctx, packet);
    assert_true(sodium_is_zero(packet + TM_SPHINX_HEADER_LEN, TM_SPHINX_TAG_LEN));
    assert_memory_equal(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, body, tm_sphinx_body_len(ctx));
    tm_sphinx_free(ctx);
  }
  assert_int_equal(seen, 0x3e); /* every path length from 1 to 5 */
}

/* The answer as its block's holder makes it is sealed under the reply's LIONESS key and no other. */
static void check_reply_key(const json_t *c, const tm_sphinx *ctx, const uint8_t *packet, const uint8_t *body)
{
  uint8_t key[192], payload[PACKET_CAP];
  uint8_t *const blocks[1] = {payload};
  const uint8_t *const keys[1] = {key};

  exactly(c, "reply_lioness_key", key, sizeof key);
  memcpy(payload, packet + TM_SPHINX_HEADER_LEN, tm_payload_len(ctx));
  backend->symmetric->lioness_decrypt(blocks, keys, tm_payload_len(ctx), 1);
  assert_true(sodium_is_zero(payload, TM_SPHINX_TAG_LEN));
  assert_memory_equal(payload + TM_SPHINX_TAG_LEN, body, tm_sphinx_body_len(ctx));
}

static void test_reply(void **state)
{
  size_t seen = 0;

  (void)state;
  EACH(member(root, "reply"), c) {
    tm_sphinx *ctx = context(c);
    tm_sphinx_node path[8];
    tm_sphinx_surb_keys keys;
    size_t hops = path_of(c, path);
    uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], packet[PACKET_CAP], body[PACKET_CAP];
    uint8_t field[32], first[32], header[TM_SPHINX_HEADER_LEN];

    seen |= (size_t)1 << hops;
    exactly(c, "random", random, TM_SPHINX_CREATE_RANDOM_LEN);
    exactly(c, "reply_key", random + TM_SPHINX_CREATE_RANDOM_LEN, TM_SPHINX_REPLY_KEY_LEN);
    exactly(c, "session", field, 16);
    exactly(c, "surb_id", field + 16, 16);
    exactly(c, "body", body, tm_sphinx_body_len(ctx));
    check_header(c, ctx, path, hops, TM_SPHINX_REPLY, field, random, header);
    assert_int_equal(tm_sphinx_surb_create(ctx, path, hops, field, field + 16, random, surb, &keys), TM_SPHINX_OK);
    assert_bytes(c, "surb", surb, sizeof surb);
    tm_sphinx_surb_use(ctx, surb, body, packet, first);
    assert_memory_equal(first, path[0].identity, 32);
    assert_bytes(c, "packet", packet, tm_sphinx_packet_len(ctx));
    check_reply_key(c, ctx, packet, body);
    walk(c, ctx, packet);
    assert_int_equal(tm_sphinx_surb_open(ctx, &keys, packet + TM_SPHINX_HEADER_LEN), TM_SPHINX_OK);
    assert_bytes(c, "opened", packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, tm_sphinx_body_len(ctx));
    tm_sphinx_free(ctx);
  }
  assert_int_equal(seen, 0x3e);
}

/* ---- what must be refused ---- */

static void test_refused_create(void **state)
{
  tm_sphinx *ctx;
  tm_sphinx_surb_keys keys;
  uint8_t body[TM_SPHINX_BODY_MIN], random[TM_SPHINX_SURB_RANDOM_LEN], packet[PACKET_CAP], surb[TM_SPHINX_SURB_LEN];

  (void)state;
  assert_int_equal(tm_sphinx_new(&ctx, backend->name, sizeof body), TM_SPHINX_OK);
  memset(body, 1, sizeof body);
  memset(random, 2, sizeof random);
  EACH(part("refused", "create"), c) {
    tm_sphinx_node path[8];
    size_t hops = path_of(c, path);
    int error = error_named(text(c, "error"));

    memset(packet, 3, sizeof packet);
    memset(surb, 3, sizeof surb);
    memset(&keys, 3, sizeof keys);
    assert_int_equal(tm_sphinx_create(ctx, path, hops, body, random, packet), error);
    assert_true(sodium_is_zero(packet, tm_sphinx_packet_len(ctx)));
    assert_int_equal(tm_sphinx_surb_create(ctx, path, hops, body, body, random, surb, &keys), error);
    assert_true(sodium_is_zero(surb, sizeof surb));
    assert_true(sodium_is_zero((uint8_t *)&keys, sizeof keys));
  }
  tm_sphinx_free(ctx);
}

static void test_refused_headers(void **state)
{
  (void)state;
  EACH(part("refused", "headers"), c) {
    tm_sphinx *ctx = context(c);
    tm_sphinx_key *key = key_of(member(c, "secret"));
    uint8_t packet[PACKET_CAP];
    uint8_t *const packets[1] = {packet};
    size_t len = bytes(c, "packet", packet, sizeof packet);
    tm_sphinx_hop h;

    assert_int_equal(tm_sphinx_unwrap_headers(ctx, key, packets, &len, &h, 1), 0);
    if (h.verdict != error_named(text(c, "error")))
      fail_msg("%s: %s", text(c, "name"), tm_sphinx_strerror(h.verdict));
    assert_bytes(c, "packet", packet, len);
    h.verdict = 0;
    assert_true(sodium_is_zero((uint8_t *)&h, sizeof h));
    tm_sphinx_key_free(key);
    tm_sphinx_free(ctx);
  }
}

static void test_replay(void **state)
{
  (void)state;
  EACH(part("refused", "replay"), c) {
    tm_sphinx *ctx = context(c);
    tm_sphinx_key *key = key_of(member(c, "secret"));

    /* The replay set, which the caller has, says it: TM_SPHINX_E_REPLAY. */
    assert_int_equal(error_named(text(c, "error")), TM_SPHINX_E_REPLAY);
    EACH(member(c, "packets"), p) {
      uint8_t packet[PACKET_CAP];
      uint8_t *const packets[1] = {packet};
      size_t len = bytes_of(p, packet, sizeof packet);
      tm_sphinx_hop h;

      assert_int_equal(tm_sphinx_unwrap_headers(ctx, key, packets, &len, &h, 1), 1);
      assert_bytes(c, "replay_tag", h.replay_tag, sizeof h.replay_tag);
    }
    tm_sphinx_key_free(key);
    tm_sphinx_free(ctx);
  }
}

static void test_refused_bodies(void **state)
{
  (void)state;
  EACH(part("refused", "bodies"), c) {
    tm_sphinx *ctx = context(c);
    uint8_t packet[PACKET_CAP];
    uint8_t *const packets[1] = {packet};
    size_t len = bytes(c, "packet", packet, sizeof packet);

    EACH(member(c, "steps"), step) {
      tm_sphinx_key *key = key_of(json_array_get(member(c, "secrets"), i_step));
      json_t *error = member(step, "error");
      int want = json_is_null(error) ? TM_SPHINX_OK : error_named(json_string_value(error));
      tm_sphinx_hop h;

      assert_int_equal(tm_sphinx_unwrap_headers(ctx, key, packets, &len, &h, 1), 1);
      assert_int_equal(tm_sphinx_unwrap_bodies(ctx, packets, &h, 1), want == TM_SPHINX_OK);
      assert_int_equal(h.verdict, want);
      assert_bytes(step, "packet", packet, len);
      tm_sphinx_key_free(key);
    }
    tm_sphinx_free(ctx);
  }
}

static void test_refused_open(void **state)
{
  (void)state;
  EACH(part("refused", "open"), c) {
    tm_sphinx *ctx = context(c);
    tm_sphinx_surb_keys keys = {0};
    uint8_t payload[PACKET_CAP];
    size_t len = bytes(c, "payload", payload, sizeof payload);

    EACH(member(c, "payload_keys"), k)
      assert_int_equal(bytes_of(k, keys.payload_key[keys.hops++], TM_SPHINX_PAYLOAD_KEY_LEN),
                       TM_SPHINX_PAYLOAD_KEY_LEN);
    exactly(c, "reply_key", keys.reply_key, sizeof keys.reply_key);
    assert_int_equal(tm_sphinx_surb_open(ctx, &keys, payload), error_named(text(c, "error")));
    assert_true(sodium_is_zero(payload, len));
    tm_sphinx_free(ctx);
  }
}

static json_t *load(void)
{
  const char *srcdir = getenv("srcdir");
  char path[4096];
  json_error_t error;
  json_t *v;

  snprintf(path, sizeof path, "%s/tests/vectors/sphinx.json", srcdir != NULL ? srcdir : ".");
  v = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (v == NULL)
    fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
  return v;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_x25519),
    cmocka_unit_test(test_hash),
    cmocka_unit_test(test_stream),
    cmocka_unit_test(test_lioness),
    cmocka_unit_test(test_points),
    cmocka_unit_test(test_bad_points),
    cmocka_unit_test(test_reply_keys),
    cmocka_unit_test(test_forward),
    cmocka_unit_test(test_reply),
    cmocka_unit_test(test_refused_create),
    cmocka_unit_test(test_refused_headers),
    cmocka_unit_test(test_replay),
    cmocka_unit_test(test_refused_bodies),
    cmocka_unit_test(test_refused_open),
  };
  int failed = 0;

  if (sodium_init() < 0 || (root = load()) == NULL)
    return 1;
  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    backend = tm_backend_choose(*name);
    if (backend == NULL) {
      failed += net_skip_backend(*name);
      continue;
    }
    printf("back-end %s\n", *name);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
  }
  json_decref(root);
  return failed != 0;
}
