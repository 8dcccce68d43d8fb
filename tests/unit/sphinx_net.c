#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/sphinx_net.h"

const char *net_backend;

void net_random(uint8_t *out, size_t len, uint32_t seed)
{
  uint8_t key[randombytes_SEEDBYTES] = {0};

  memcpy(key, &seed, sizeof seed);
  randombytes_buf_deterministic(out, len, key);
}

struct net *net_new(size_t body_len)
{
  struct net *n = calloc(1, sizeof *n);

  assert_non_null(n);
  assert_int_equal(tm_sphinx_new(&n->ctx, net_backend, body_len), TM_SPHINX_OK);
  n->len = tm_sphinx_packet_len(n->ctx);
  net_random(n->body, sizeof n->body, 1000);
  for (uint32_t i = 0; i < TM_SPHINX_HOPS_MAX; i++) {
    uint8_t secret[32];

    net_random(secret, sizeof secret, 2000 + i);
    net_random(n->path[i].identity, 32, 3000 + i);
    n->path[i].delay_ms = 70001 * i;
    assert_int_equal(tm_sphinx_key_new(&n->key[i], secret), TM_SPHINX_OK);
    tm_sphinx_key_point(n->key[i], n->path[i].mix_point);
  }
  return n;
}

void net_free(struct net *n)
{
  for (size_t i = 0; i < TM_SPHINX_HOPS_MAX; i++)
    tm_sphinx_key_free(n->key[i]);
  tm_sphinx_free(n->ctx);
  free(n);
}

void net_create(struct net *n, size_t hops, uint32_t seed, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];

  net_random(random, sizeof random, seed);
  assert_int_equal(tm_sphinx_create(n->ctx, n->path, hops, n->body, random, packet), TM_SPHINX_OK);
}

int net_header(struct net *n, size_t i, uint8_t *packet, size_t len, tm_sphinx_hop *hop)
{
  size_t good = tm_sphinx_unwrap_headers(n->ctx, n->key[i], &packet, &len, hop, 1);

  assert_int_equal(good, hop->verdict == TM_SPHINX_OK);
  return hop->verdict;
}

void net_unwrap(struct net *n, size_t i, uint8_t *packet, tm_sphinx_hop *hop)
{
  assert_int_equal(net_header(n, i, packet, n->len, hop), TM_SPHINX_OK);
  assert_int_equal(tm_sphinx_unwrap_bodies(n->ctx, &packet, hop, 1), 1);
  assert_int_equal(hop->verdict, TM_SPHINX_OK);
}

void net_keys(struct net *n, size_t i, const uint8_t *packet, uint8_t keys[static TM_KDF_ALL_LEN])
{
  uint8_t input[TM_KDF_INPUT_LEN], ok;
  uint8_t *const shared[1] = {input + 64}, *const out[1] = {keys};
  const uint8_t *const scalar[1] = {n->key[i]->secret}, *const point[1] = {packet}, *const in[1] = {input};

  memcpy(input, packet, 32);
  memcpy(input + 32, n->key[i]->y, 32);
  n->ctx->backend->curve->x25519(shared, scalar, point, &ok, 1);
  n->ctx->backend->symmetric->kdf(out, in, 0, TM_KDF_COUNT, 1);
}

void net_forge(struct net *n, size_t i, uint8_t *packet, const uint8_t *difference)
{
  uint8_t keys[TM_KDF_ALL_LEN];
  uint8_t *beta = packet + TM_SPHINX_ELEMENT_LEN;
  uint8_t *const out[1] = {beta + TM_SPHINX_ROUTING_LEN};
  const uint8_t *const key[1] = {keys}, *const in[1] = {beta};

  net_keys(n, i, packet, keys);
  for (size_t j = 0; j < TM_SPHINX_BLOCK_LEN; j++)
    beta[j] ^= difference[j];
  n->ctx->backend->symmetric->mac(out, key, in, 1);
}

int net_scratch_is_zero(const tm_sphinx *ctx)
{
  return sodium_is_zero((const uint8_t *)ctx->lane, sizeof ctx->lane) &&
         sodium_is_zero((const uint8_t *)ctx->path, sizeof ctx->path);
}

static void no_such_cpu(void **state)
{
  (void)state;
  skip();
}

int net_skip_backend(const char *name)
{
  char without[32];
  const struct CMUnitTest tests[] = {{without, no_such_cpu, NULL, NULL, NULL}};

  snprintf(without, sizeof without, "cpu_without_%s", name);
  /* The one that needs nothing can only be missing because it failed its self-test. */
  return cmocka_run_group_tests_name("cpu", tests, NULL, NULL) + (strcmp(name, "portable") == 0);
}

int net_run_backends(int (*run)(void))
{
  int failed = 0;

  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    if (!tm_sphinx_backend_available(*name)) {
      failed += net_skip_backend(*name);
      continue;
    }
    printf("back-end %s\n", *name);
    net_backend = *name;
    failed += run() != 0;
  }
  return failed;
}
