/*
 * Packets on their way: every path length, every verdict, batches, reply blocks, and what is left behind. Runs with
 * each back-end that works here.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/sphinx_net.h"

static const size_t body_lens[] = {TM_SPHINX_BODY_MIN, TM_SPHINX_BODY_LEN, TM_SPHINX_BODY_MAX, 1003};
#define BODY_LENS (sizeof body_lens / sizeof body_lens[0])

/* Elements of low order: 0, 1, p - 1, and the two of order eight. */
static const char *const low_order[] = {
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
};
/* p, p + 1, 2^255 - 1, p + 9. */
static const char *const noncanonical[] = {
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void from_hex(uint8_t out[static 32], const char *hex)
{
  assert_int_equal(sodium_hex2bin(out, 32, hex, strlen(hex), NULL, NULL, NULL), 0);
}

/* Only the verdict is left of a failed hop. */
static void assert_hop_empty(tm_sphinx_hop hop)
{
  hop.verdict = 0;
  assert_true(sodium_is_zero((const uint8_t *)&hop, sizeof hop));
}

/* The header step refuses, and changes nothing. */
static void assert_refused(struct net *n, size_t i, uint8_t *packet, size_t len, int verdict)
{
  uint8_t before[NET_PACKET_CAP];
  tm_sphinx_hop hop;

  memcpy(before, packet, n->len);
  memset(&hop, 0x55, sizeof hop);
  assert_int_equal(net_header(n, i, packet, len, &hop), verdict);
  assert_memory_equal(before, packet, n->len);
  assert_hop_empty(hop);
  assert_true(net_scratch_is_zero(n->ctx));
}

static void test_sizes(void **state)
{
  (void)state;
  assert_int_equal(TM_SPHINX_ROUTING_LEN, TM_SPHINX_HOPS_MAX * TM_SPHINX_BLOCK_LEN);
  assert_int_equal(TM_SPHINX_HEADER_LEN, TM_SPHINX_ELEMENT_LEN + TM_SPHINX_ROUTING_LEN + TM_SPHINX_MAC_LEN);
  assert_int_equal(TM_SPHINX_PACKET_LEN, 2393);
  assert_int_equal(TM_SPHINX_SURB_LEN, 377);
  assert_int_equal(TM_SPHINX_CREATE_RANDOM_LEN, 80 + (TM_SPHINX_HOPS_MAX - 1) * TM_SPHINX_BLOCK_LEN);
  for (size_t i = 0; i < BODY_LENS; i++) {
    struct net *n = net_new(body_lens[i]);

    assert_int_equal(tm_sphinx_body_len(n->ctx), body_lens[i]);
    assert_int_equal(tm_sphinx_packet_len(n->ctx), 313 + 32 + body_lens[i]);
    net_free(n);
  }
}

static void test_delivery(void **state)
{
  static uint8_t packet[NET_PACKET_CAP];

  (void)state;
  for (size_t b = 0; b < BODY_LENS; b++) {
    struct net *n = net_new(body_lens[b]);

    for (size_t hops = 1; hops <= TM_SPHINX_HOPS_MAX; hops++) {
      tm_sphinx_hop hop;

      net_create(n, hops, (uint32_t)hops, packet);
      assert_true(net_scratch_is_zero(n->ctx));
      for (size_t i = 0; i < hops; i++) {
        net_unwrap(n, i, packet, &hop);
        assert_true(net_scratch_is_zero(n->ctx));
        assert_true(sodium_is_zero(hop.payload_key, sizeof hop.payload_key));
        assert_false(sodium_is_zero(hop.replay_tag, sizeof hop.replay_tag));
        assert_int_equal(hop.delay_ms, n->path[i].delay_ms);
        assert_int_equal(hop.command, i + 1 < hops ? TM_SPHINX_FORWARD : TM_SPHINX_DELIVER);
        if (i + 1 < hops)
          assert_memory_equal(hop.next, n->path[i + 1].identity, 32);
      }
      assert_true(sodium_is_zero(hop.next, sizeof hop.next));
      assert_true(sodium_is_zero(packet, TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN));
      assert_memory_equal(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, n->body, body_lens[b]);
    }
    net_free(n);
  }
}

static void test_reply(void **state)
{
  static uint8_t packet[NET_PACKET_CAP];

  (void)state;
  for (size_t b = 0; b < BODY_LENS; b++) {
    struct net *n = net_new(body_lens[b]);

    for (size_t hops = 1; hops <= TM_SPHINX_HOPS_MAX; hops++) {
      uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], field[32], surb[TM_SPHINX_SURB_LEN], first[32];
      tm_sphinx_surb_keys keys;
      tm_sphinx_hop hop;

      net_random(random, sizeof random, 40);
      net_random(field, sizeof field, 41);
      assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, hops, field, field + 16, random, surb, &keys),
                       TM_SPHINX_OK);
      assert_true(net_scratch_is_zero(n->ctx));
      assert_int_equal(keys.hops, hops);
      tm_sphinx_surb_use(n->ctx, surb, n->body, packet, first);
      assert_true(net_scratch_is_zero(n->ctx));
      assert_memory_equal(first, n->path[0].identity, 32);
      for (size_t i = 0; i < hops; i++)
        net_unwrap(n, i, packet, &hop);
      assert_int_equal(hop.command, TM_SPHINX_REPLY);
      assert_memory_equal(hop.next, field, 32);
      assert_true(sodium_is_zero(packet, TM_SPHINX_HEADER_LEN));
      assert_int_equal(tm_sphinx_surb_open(n->ctx, &keys, packet + TM_SPHINX_HEADER_LEN), TM_SPHINX_OK);
      assert_true(net_scratch_is_zero(n->ctx));
      assert_memory_equal(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, n->body, body_lens[b]);
    }
    net_free(n);
  }
}

/* A changed answer, wrong keys, and keys that were damaged where they were kept. */
static void test_reply_refused(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], first[32], answer[NET_PACKET_CAP];
  uint8_t payload[TM_SPHINX_TAG_LEN + TM_SPHINX_BODY_MIN];
  tm_sphinx_surb_keys keys, other;
  tm_sphinx_hop hop;

  (void)state;
  net_random(random, sizeof random, 50);
  assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, 3, random, random, random, surb, &keys), TM_SPHINX_OK);
  tm_sphinx_surb_use(n->ctx, surb, n->body, answer, first);
  for (size_t i = 0; i < 3; i++)
    net_unwrap(n, i, answer, &hop);
  for (size_t at = 0; at < sizeof payload; at += 7) {
    memcpy(payload, answer + TM_SPHINX_HEADER_LEN, sizeof payload);
    payload[at] ^= 0x10;
    assert_int_equal(tm_sphinx_surb_open(n->ctx, &keys, payload), TM_SPHINX_E_TAG);
    assert_true(sodium_is_zero(payload, sizeof payload));
    assert_true(net_scratch_is_zero(n->ctx));
  }
  for (size_t at = 0; at < sizeof keys; at += 31) {
    other = keys;
    ((uint8_t *)&other)[at] ^= 1;
    if (at >= offsetof(tm_sphinx_surb_keys, payload_key[3]) && at < offsetof(tm_sphinx_surb_keys, reply_key))
      continue; /* keys of hops that this path does not have */
    memcpy(payload, answer + TM_SPHINX_HEADER_LEN, sizeof payload);
    assert_int_equal(tm_sphinx_surb_open(n->ctx, &other, payload), TM_SPHINX_E_TAG);
    assert_true(sodium_is_zero(payload, sizeof payload));
  }
  for (uint8_t hops = 0; hops < 10; hops++) {
    other = keys;
    other.hops = hops;
    memcpy(payload, answer + TM_SPHINX_HEADER_LEN, sizeof payload);
    assert_int_equal(tm_sphinx_surb_open(n->ctx, &other, payload), hops == 3 ? TM_SPHINX_OK : TM_SPHINX_E_TAG);
  }
  net_free(n);
}

/* The block gives its user the innermost key and nothing of the hops. */
static void test_surb_hides_hop_keys(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN];
  tm_sphinx_surb_keys keys;

  (void)state;
  net_random(random, sizeof random, 51);
  assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, 5, random, random, random, surb, &keys), TM_SPHINX_OK);
  assert_memory_equal(surb + TM_SPHINX_SURB_LEN - 32, keys.reply_key, 32);
  for (size_t i = 0; i < 5; i++)
    for (size_t at = 0; at + 32 <= TM_SPHINX_PAYLOAD_KEY_LEN; at += 32)
      assert_null(memmem(surb, sizeof surb, keys.payload_key[i] + at, 32));
  net_free(n);
}

static void test_wrong_length(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_LEN);
  size_t lens[] = {0, 1, 32, 313, 345, n->len - 1, n->len + 1, 2 * n->len, SIZE_MAX};
  static uint8_t packet[NET_PACKET_CAP];

  (void)state;
  net_create(n, 3, 1, packet);
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
    assert_refused(n, 0, packet, lens[i], TM_SPHINX_E_LENGTH);
  net_free(n);
}

/* Every bit of the header. */
static void test_flipped_header(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP];

  (void)state;
  net_create(n, 2, 2, packet);
  for (size_t bit = 0; bit < TM_SPHINX_HEADER_LEN * 8; bit++) {
    packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_refused(n, 0, packet, n->len, bit == 255 ? TM_SPHINX_E_NONCANONICAL : TM_SPHINX_E_MAC);
    packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  net_free(n);
}

static void test_bad_elements(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP];

  (void)state;
  net_create(n, 2, 3, packet);
  for (size_t i = 0; i < sizeof low_order / sizeof low_order[0]; i++) {
    from_hex(packet, low_order[i]);
    assert_refused(n, 0, packet, n->len, TM_SPHINX_E_LOW_ORDER);
    packet[31] |= 0x80;
    assert_refused(n, 0, packet, n->len, TM_SPHINX_E_NONCANONICAL);
  }
  for (size_t i = 0; i < sizeof noncanonical / sizeof noncanonical[0]; i++) {
    from_hex(packet, noncanonical[i]);
    assert_refused(n, 0, packet, n->len, TM_SPHINX_E_NONCANONICAL);
    packet[31] |= 0x80;
    assert_refused(n, 0, packet, n->len, TM_SPHINX_E_NONCANONICAL);
  }
  net_free(n);
}

static void test_canonical(void **state)
{
  uint8_t e[32];

  (void)state;
  from_hex(e, low_order[2]); /* p - 1, the largest */
  assert_true(tm_field_is_canonical(e));
  for (size_t i = 1; i < 31; i++) {
    memset(e, 0xff, sizeof e);
    e[31] = 0x7f;
    e[i] = 0xfe;
    assert_true(tm_field_is_canonical(e));
  }
  for (unsigned low = 0; low < 256; low++) {
    memset(e, 0xff, sizeof e);
    e[31] = 0x7f;
    e[0] = (uint8_t)low;
    assert_int_equal(tm_field_is_canonical(e), low < 0xed);
    e[31] = 0x7e;
    assert_true(tm_field_is_canonical(e));
    e[31] = 0xff;
    assert_false(tm_field_is_canonical(e));
    e[31] = 0x80;
    assert_false(tm_field_is_canonical(e));
  }
}

/* Every command, and delays about the limit, under a good MAC. */
static void test_commands(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  static const uint32_t delays[] = {0, 1, TM_SPHINX_DELAY_MAX_MS, TM_SPHINX_DELAY_MAX_MS + 1, UINT32_MAX};
  uint8_t packet[NET_PACKET_CAP], difference[TM_SPHINX_BLOCK_LEN] = {0};
  tm_sphinx_hop hop;

  (void)state;
  for (unsigned command = 0; command < 256; command++) {
    net_create(n, 1, 4, packet);
    difference[0] = (uint8_t)(TM_SPHINX_DELIVER ^ command);
    net_forge(n, 0, packet, difference);
    if (command < 1 || command > 3)
      assert_refused(n, 0, packet, n->len, TM_SPHINX_E_COMMAND);
    else
      assert_int_equal(net_header(n, 0, packet, n->len, &hop), TM_SPHINX_OK);
  }
  difference[0] = 0;
  for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
    net_create(n, 1, 4, packet);
    for (size_t j = 0; j < 4; j++)
      difference[1 + j] = (uint8_t)(delays[i] >> (24 - 8 * j));
    net_forge(n, 0, packet, difference);
    if (delays[i] > TM_SPHINX_DELAY_MAX_MS) {
      assert_refused(n, 0, packet, n->len, TM_SPHINX_E_COMMAND);
      continue;
    }
    assert_int_equal(net_header(n, 0, packet, n->len, &hop), TM_SPHINX_OK);
    assert_int_equal(hop.delay_ms, delays[i]);
  }
  net_free(n);
}

/* Two live keys: what fails under the first is whole for the second. */
static void test_second_key(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP];
  tm_sphinx_hop hop;

  (void)state;
  net_create(n, 1, 5, packet);
  assert_refused(n, 1, packet, n->len, TM_SPHINX_E_MAC);
  net_unwrap(n, 0, packet, &hop);
  assert_memory_equal(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, n->body, TM_SPHINX_BODY_MIN);
  net_free(n);
}

/* A header used again gives the same tag, whatever the payload; then the caller's verdict keeps the body step away. */
static void test_replay(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[2][NET_PACKET_CAP], before[NET_PACKET_CAP];
  uint8_t *const packets[2] = {packet[0], packet[1]};
  const size_t lens[2] = {n->len, n->len};
  tm_sphinx_hop hop[2];

  (void)state;
  net_create(n, 2, 6, packet[0]);
  memcpy(packet[1], packet[0], n->len);
  packet[1][n->len - 1] ^= 1;
  assert_int_equal(tm_sphinx_unwrap_headers(n->ctx, n->key[0], packets, lens, hop, 2), 2);
  assert_memory_equal(hop[0].replay_tag, hop[1].replay_tag, TM_SPHINX_REPLAY_TAG_LEN);
  hop[1].verdict = TM_SPHINX_E_REPLAY;
  memcpy(before, packet[1], n->len);
  assert_int_equal(tm_sphinx_unwrap_bodies(n->ctx, packets, hop, 2), 1);
  assert_int_equal(hop[0].verdict, TM_SPHINX_OK);
  assert_int_equal(hop[1].verdict, TM_SPHINX_E_REPLAY);
  assert_memory_equal(before, packet[1], n->len);
  net_free(n);
}

/* A tagged payload travels on looking like any other and is discarded whole at the last hop. */
static void test_tagged(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP];
  uint8_t *const packets[1] = {packet};
  tm_sphinx_hop hop;

  (void)state;
  for (size_t where = 0; where < 3; where++)
    for (size_t at = TM_SPHINX_HEADER_LEN; at < n->len; at += at < TM_SPHINX_HEADER_LEN + 36 ? 1 : 11) {
      net_create(n, 3, 7, packet);
      for (size_t i = 0; i < 2; i++) {
        if (i == where)
          packet[at] ^= 1;
        net_unwrap(n, i, packet, &hop);
      }
      if (where == 2)
        packet[at] ^= 1;
      assert_int_equal(net_header(n, 2, packet, n->len, &hop), TM_SPHINX_OK);
      assert_int_equal(tm_sphinx_unwrap_bodies(n->ctx, packets, &hop, 1), 0);
      assert_int_equal(hop.verdict, TM_SPHINX_E_TAG);
      assert_true(sodium_is_zero(packet, n->len));
    }
  net_free(n);
}

/* The last hop, reading all of its routing bytes, finds nothing that tells how long the path was. */
static void test_padding_is_random(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP], keys[TM_KDF_ALL_LEN], clear[2][TM_STREAM_LEN];
  tm_sphinx_hop hop;

  (void)state;
  for (size_t hops = 1; hops <= TM_SPHINX_HOPS_MAX; hops++) {
    for (uint32_t k = 0; k < 2; k++) {
      uint8_t *const out[1] = {clear[k]};
      const uint8_t *const key[1] = {keys + 32};

      net_create(n, hops, 80 + k, packet);
      for (size_t i = 0; i + 1 < hops; i++)
        net_unwrap(n, i, packet, &hop);
      net_keys(n, hops - 1, packet, keys);
      n->ctx->backend->symmetric->stream(out, key, 1);
      for (size_t j = 0; j < TM_SPHINX_ROUTING_LEN; j++)
        clear[k][j] ^= packet[32 + j];
    }
    /* Command and delay are in front; every eight bytes behind them are there, and others each time. */
    for (size_t at = 5; at + 8 <= TM_SPHINX_ROUTING_LEN; at++) {
      assert_false(sodium_is_zero(clear[0] + at, 8));
      assert_memory_not_equal(clear[0] + at, clear[1] + at, 8);
    }
  }
  net_free(n);
}

static void test_create_repeats(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t a[NET_PACKET_CAP], b[NET_PACKET_CAP], random[TM_SPHINX_CREATE_RANDOM_LEN];

  (void)state;
  net_create(n, 3, 9, a);
  net_create(n, 3, 9, b);
  assert_memory_equal(a, b, n->len);
  net_random(random, sizeof random, 9);
  for (size_t at = 0; at < sizeof random; at++) {
    /* The clamped bits of the scalar and padding that three hops don't need change nothing. */
    int used = at < 80 + 2 * TM_SPHINX_BLOCK_LEN;

    random[at] ^= 0x08;
    assert_int_equal(tm_sphinx_create(n->ctx, n->path, 3, n->body, random, b), TM_SPHINX_OK);
    assert_int_equal(memcmp(a, b, n->len) != 0, used);
    random[at] ^= 0x08;
  }
  net_free(n);
}

static void test_create_refused(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX + 1];
  uint8_t packet[NET_PACKET_CAP], random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN];
  tm_sphinx_surb_keys keys;

  (void)state;
  net_random(random, sizeof random, 10);
  for (size_t bad = 0; bad < 3 * TM_SPHINX_HOPS_MAX + 2; bad++) {
    size_t hops = TM_SPHINX_HOPS_MAX, at = bad / 3;
    int error = bad % 3 == 0 ? TM_SPHINX_E_PATH : TM_SPHINX_E_POINT;

    memcpy(path, n->path, sizeof n->path);
    path[TM_SPHINX_HOPS_MAX] = path[0];
    if (at == TM_SPHINX_HOPS_MAX) {
      hops = bad % 3 == 0 ? 0 : TM_SPHINX_HOPS_MAX + 1;
      error = TM_SPHINX_E_PATH;
    } else if (bad % 3 == 0) {
      path[at].delay_ms = TM_SPHINX_DELAY_MAX_MS + 1;
    } else if (bad % 3 == 1) {
      memset(path[at].mix_point, 0, 32);
    } else {
      path[at].mix_point[0] ^= 1;
      while (tm_sphinx_point_check(path[at].mix_point) == TM_SPHINX_OK)
        path[at].mix_point[0]++;
    }
    memset(packet, 0x55, sizeof packet);
    assert_int_equal(tm_sphinx_create(n->ctx, path, hops, n->body, random, packet), error);
    assert_true(sodium_is_zero(packet, n->len));
    assert_int_equal(packet[n->len], 0x55);
    assert_true(net_scratch_is_zero(n->ctx));
    memset(surb, 0x55, sizeof surb);
    memset(&keys, 0x55, sizeof keys);
    assert_int_equal(tm_sphinx_surb_create(n->ctx, path, hops, random, random, random, surb, &keys), error);
    assert_true(sodium_is_zero(surb, sizeof surb));
    assert_true(sodium_is_zero((const uint8_t *)&keys, sizeof keys));
    assert_true(net_scratch_is_zero(n->ctx));
  }
  net_free(n);
}

/* One relay twice in a path, and the same relay for all hops: nothing forbids it here. */
static void test_repeated_relay(void **state)
{
  struct net *n = net_new(TM_SPHINX_BODY_MIN);
  uint8_t packet[NET_PACKET_CAP];
  tm_sphinx_hop hop;

  (void)state;
  for (size_t i = 1; i < TM_SPHINX_HOPS_MAX; i++)
    n->path[i] = n->path[0];
  net_create(n, TM_SPHINX_HOPS_MAX, 11, packet);
  for (size_t i = 0; i < TM_SPHINX_HOPS_MAX; i++)
    net_unwrap(n, 0, packet, &hop);
  assert_memory_equal(packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN, n->body, TM_SPHINX_BODY_MIN);
  net_free(n);
}

static int run(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sizes),
    cmocka_unit_test(test_delivery),
    cmocka_unit_test(test_reply),
    cmocka_unit_test(test_reply_refused),
    cmocka_unit_test(test_surb_hides_hop_keys),
    cmocka_unit_test(test_wrong_length),
    cmocka_unit_test(test_flipped_header),
    cmocka_unit_test(test_bad_elements),
    cmocka_unit_test(test_canonical),
    cmocka_unit_test(test_commands),
    cmocka_unit_test(test_second_key),
    cmocka_unit_test(test_replay),
    cmocka_unit_test(test_tagged),
    cmocka_unit_test(test_padding_is_random),
    cmocka_unit_test(test_create_repeats),
    cmocka_unit_test(test_create_refused),
    cmocka_unit_test(test_repeated_relay),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) { return net_run_backends(run); }
