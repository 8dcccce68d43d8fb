/*
 * Vector back-ends against the portable one: same bytes in, same bytes out, for every batch size, with hostile lanes
 * between good ones at every place. A back-end that this processor cannot run is skipped, by name.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>
#include <sodium.h>

#include "sphinx/backend.h"

#include "tests/unit/sphinx_net.h"

#define N TM_SPHINX_BATCH_MAX
#define BLOCK_MAX 2080
#define GUARD 0xa5

static const struct tm_sphinx_backend *vector, *portable;

/* Two sets of buffers, one for each back-end; the byte behind each output is watched. */
struct lanes {
  uint8_t block[2][N][BLOCK_MAX + 1];
  uint8_t key[N][TM_SPHINX_PAYLOAD_KEY_LEN];
  uint8_t in[N][TM_SPHINX_ROUTING_LEN];
  uint8_t *out[2][N];
  const uint8_t *by[N], *from[N];
  uint8_t ok[2][N + 1];
};

static struct lanes *lanes_new(void)
{
  struct lanes *l = malloc(sizeof *l);

  assert_non_null(l);
  for (size_t i = 0; i < N; i++) {
    l->out[0][i] = l->block[0][i];
    l->out[1][i] = l->block[1][i];
    l->by[i] = l->key[i];
    l->from[i] = l->in[i];
  }
  return l;
}

static void fill(struct lanes *l)
{
  randombytes_buf(l->key, sizeof l->key);
  randombytes_buf(l->in, sizeof l->in);
  memset(l->block, GUARD, sizeof l->block);
  memset(l->ok, GUARD, sizeof l->ok);
}

static void compare(const struct lanes *l, const char *what, size_t n)
{
  if (memcmp(l->block[0], l->block[1], sizeof l->block[0]) != 0 || memcmp(l->ok[0], l->ok[1], sizeof l->ok[0]) != 0)
    fail_msg("%s: %s differs with %zu lanes", vector->name, what, n);
}

/* p and its neighbours, small numbers, all points of low order on the curve and on its twist; each also with the top bit set. */
static const uint8_t edges[][32] = {
  {0},
  {1},
  {2},
  {9},
  {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
   0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
  {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
   0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
  {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
  {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
  {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};
#define EDGES (2 * sizeof edges / sizeof edges[0])

static void edge(uint8_t out[static 32], size_t e)
{
  memcpy(out, edges[e / 2], 32);
  out[31] |= (uint8_t)(e % 2 << 7);
}

static void run_x25519(struct lanes *l, size_t n)
{
  vector->curve->x25519(l->out[0], l->by, l->from, l->ok[0], n);
  portable->curve->x25519(l->out[1], l->by, l->from, l->ok[1], n);
  compare(l, "X25519", n);
  vector->curve->x25519_base(l->out[0], l->by, n);
  portable->curve->x25519_base(l->out[1], l->by, n);
  compare(l, "X25519 of the base point", n);
}

/* 2,080 products a round, and as many of the base point; make check-long asks for more of them. */
static void x25519_of_random_points(void **state)
{
  const char *more = getenv("TIDEMILL_LANES_ROUNDS");
  unsigned long rounds = more == NULL ? 10 : strtoul(more, NULL, 10);
  struct lanes *l = lanes_new();

  (void)state;
  assert_true(rounds > 0);
  for (unsigned long round = 0; round < rounds; round++)
    for (size_t n = 1; n <= N; n++) {
      fill(l);
      run_x25519(l, n);
    }
  free(l);
}

static void x25519_of_edge_points_at_every_lane(void **state)
{
  static const size_t sizes[] = {1, 2, 8, 17, N};
  struct lanes *l = lanes_new();
  size_t e = 0;

  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
    for (size_t i = 0; i < EDGES; i++) {
      /* Every second lane another edge, in each round another one. */
      fill(l);
      for (size_t lane = i % 2; lane < sizes[s]; lane += 2)
        edge(l->in[lane], e++ % EDGES);
      run_x25519(l, sizes[s]);
    }
  for (size_t lane = 0; lane < 17; lane++)
    for (size_t i = 0; i < EDGES; i++) {
      fill(l);
      edge(l->in[lane], i);
      run_x25519(l, 17);
    }
  free(l);
}

static void x25519_with_edge_scalars(void **state)
{
  struct lanes *l = lanes_new();

  (void)state;
  for (size_t bit = 0; bit < 256; bit += 4) {
    fill(l);
    for (size_t lane = 0; lane < 12; lane++) {
      memset(l->key[lane], lane % 3 == 0 ? 0xff : 0, 32);
      l->key[lane][bit / 8] ^= (uint8_t)(1u << (bit + lane % 4) % 8);
    }
    run_x25519(l, 12);
  }
  /* Every digit at every place, and carries through all of them. */
  for (unsigned byte = 0; byte < 256; byte += 4) {
    fill(l);
    for (size_t lane = 0; lane < 12; lane++)
      memset(l->key[lane], (int)(byte + lane % 4), 32);
    run_x25519(l, 12);
  }
  free(l);
}

/* RFC 7748, section 5.2: after one and after a thousand rounds; all lanes go the same way. */
static void x25519_iterated(void **state)
{
  static const uint8_t once[32] = {0x42, 0x2c, 0x8e, 0x7a, 0x62, 0x27, 0xd7, 0xbc, 0xa1, 0x35, 0x0b,
                                   0x3e, 0x2b, 0xb7, 0x27, 0x9f, 0x78, 0x97, 0xb8, 0x7b, 0xb6, 0x85,
                                   0x4b, 0x78, 0x3c, 0x60, 0xe8, 0x03, 0x11, 0xae, 0x30, 0x79};
  static const uint8_t thousand[32] = {0x68, 0x4c, 0xf5, 0x9b, 0xa8, 0x33, 0x09, 0x55, 0x28, 0x00, 0xef,
                                       0x56, 0x6f, 0x2f, 0x4d, 0x3c, 0x1c, 0x38, 0x87, 0xc4, 0x93, 0x60,
                                       0xe3, 0x87, 0x5f, 0x2e, 0xb9, 0x4d, 0x99, 0x53, 0x2c, 0x51};
  struct lanes *l = lanes_new();

  (void)state;
  fill(l);
  for (size_t i = 0; i < 9; i++) {
    memset(l->key[i], 0, 32);
    memset(l->in[i], 0, 32);
    l->key[i][0] = l->in[i][0] = 9;
  }
  for (size_t round = 1; round <= 1000; round++) {
    vector->curve->x25519(l->out[0], l->by, l->from, l->ok[0], 9);
    for (size_t i = 0; i < 9; i++) {
      memcpy(l->in[i], l->key[i], 32);
      memcpy(l->key[i], l->out[0][i], 32);
      if (round == 1)
        assert_memory_equal(l->key[i], once, 32);
    }
  }
  for (size_t i = 0; i < 9; i++)
    assert_memory_equal(l->key[i], thousand, 32);
  free(l);
}

static void header_functions(void **state)
{
  struct lanes *l = lanes_new();

  (void)state;
  for (size_t n = 1; n <= N; n++) {
    fill(l);
    for (unsigned first = 0; first < TM_KDF_COUNT; first++)
      for (unsigned count = 1; first + count <= TM_KDF_COUNT; count++) {
        vector->symmetric->kdf(l->out[0], l->from, first, count, n);
        portable->symmetric->kdf(l->out[1], l->from, first, count, n);
        compare(l, "key derivation", n);
      }
    vector->symmetric->mac(l->out[0], l->by, l->from, n);
    portable->symmetric->mac(l->out[1], l->by, l->from, n);
    compare(l, "MAC", n);
    vector->symmetric->stream(l->out[0], l->by, n);
    portable->symmetric->stream(l->out[1], l->by, n);
    compare(l, "stream", n);
  }
  free(l);
}

static void lioness(void **state)
{
  struct lanes *l = lanes_new();

  (void)state;
  for (size_t i = 0; i < 400; i++) {
    size_t n = i % N + 1;
    size_t len = i < 200 ? 33 + i : i % 5 == 0 ? BLOCK_MAX : 33 + randombytes_uniform(BLOCK_MAX - 32);

    fill(l);
    for (size_t k = 0; k < N; k++) {
      randombytes_buf(l->block[0][k], len);
      memcpy(l->block[1][k], l->block[0][k], len);
    }
    vector->symmetric->lioness_encrypt(l->out[0], l->by, len, n);
    portable->symmetric->lioness_encrypt(l->out[1], l->by, len, n);
    compare(l, "LIONESS, encrypting", n);
    vector->symmetric->lioness_decrypt(l->out[0], l->by, len, n);
    vector->symmetric->lioness_decrypt(l->out[0], l->by, len, n);
    portable->symmetric->lioness_decrypt(l->out[1], l->by, len, n);
    portable->symmetric->lioness_decrypt(l->out[1], l->by, len, n);
    compare(l, "LIONESS, decrypting", n);
  }
  free(l);
}

/* ---- what is left behind ---- */

/* A sanitizer keeps frames of its own making, and elsewhere. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_STACK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_STACK 0
#endif
#endif
#ifndef OWN_STACK
#define OWN_STACK 1
#endif

#if OWN_STACK
#define STACK_LEN ((size_t)256 * 1024)
#define FRAMES_LEN 1024  /* of the test's own functions and of the table's, which hold no secrets */
#define ADDRESSES_LEN 256 /* what is no secret and was left below them: return addresses and saved registers */

/* A call that runs on a stack of its own, at which one can look afterwards. */
static struct {
  uint8_t stack[STACK_LEN];
  ucontext_t caller, callee;
  struct lanes *lanes;
  void (*f)(struct lanes *l);
  uint8_t registers[32 * 64 + 8 * 2];
  bool wide; /* registers of 64 bytes and masks */
} own;

#define TO_7(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", " #n "*32(%0)\n\t"
#define STORE_ZMM(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%0)\n\t"
#define STORE_MASK(n) "kmovw %%k" #n ", 2048+2*" #n "(%0)\n\t"
#define TO_15(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define TO_31(X) \
  X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

/* What vectors and masks hold right behind the call. */
static void look_at_registers(void)
{
  if (own.wide)
    __asm__ volatile(TO_7(STORE_ZMM) TO_15(STORE_ZMM) TO_31(STORE_ZMM) TO_7(STORE_MASK)
                     : : "r"(own.registers) : "memory");
  else
    __asm__ volatile(TO_7(STORE_YMM) TO_15(STORE_YMM) : : "r"(own.registers) : "memory");
}

static void call_stream(struct lanes *l) { vector->symmetric->stream(l->out[0], l->by, 9); }

/* Behind a call that cleans up: what is there then comes from f. */
static void run_own(void)
{
  call_stream(own.lanes);
  own.f(own.lanes);
  look_at_registers();
}

/* Eight bytes of it, or a word of it in two neighbouring lanes. */
static bool stack_contains(const uint8_t *what)
{
  for (size_t i = 0; i + 8 <= STACK_LEN; i++)
    if (memcmp(own.stack + i, what, 4) == 0 &&
        (memcmp(own.stack + i + 4, what + 4, 4) == 0 || memcmp(own.stack + i + 4, what, 4) == 0))
      return true;
  return false;
}

/* Bytes that are not zero, below the frames of what called the function: return addresses are a few of them. */
static size_t left_below(void)
{
  size_t n = 0;

  for (size_t i = 0; i < STACK_LEN - FRAMES_LEN; i++)
    n += own.stack[i] != 0;
  return n;
}

/* Calls f; is anything in registers behind it, or on the stack but addresses, or any key? */
static bool leaves_something(struct lanes *l, void (*f)(struct lanes *l), size_t key_len)
{
  fill(l);
  memset(own.stack, 0, sizeof own.stack);
  memset(own.registers, 0, sizeof own.registers);
  own.lanes = l;
  own.f = f;
  own.wide = strncmp(vector->name, "avx512", 6) == 0;
  assert_int_equal(getcontext(&own.callee), 0);
  own.callee.uc_stack.ss_sp = own.stack;
  own.callee.uc_stack.ss_size = sizeof own.stack;
  own.callee.uc_link = &own.caller;
  makecontext(&own.callee, run_own, 0);
  assert_int_equal(swapcontext(&own.caller, &own.callee), 0);
  for (size_t lane = 0; lane < 9; lane++)
    for (size_t i = 0; i + 8 <= key_len; i += 8)
      if (stack_contains(l->key[lane] + i))
        return true;
  return left_below() > ADDRESSES_LEN || !sodium_is_zero(own.registers, sizeof own.registers);
}

static void call_x25519(struct lanes *l) { vector->curve->x25519(l->out[0], l->by, l->from, l->ok[0], 9); }
static void call_base(struct lanes *l) { vector->curve->x25519_base(l->out[0], l->by, 9); }
static void call_kdf(struct lanes *l) { vector->symmetric->kdf(l->out[0], l->from, 0, TM_KDF_COUNT, 9); }
static void call_mac(struct lanes *l) { vector->symmetric->mac(l->out[0], l->by, l->from, 9); }
static void call_lioness(struct lanes *l) { vector->symmetric->lioness_decrypt(l->out[0], l->by, BLOCK_MAX, 9); }

static void call_nothing(struct lanes *l) { (void)l; }

/* What the check has to find. */
static void call_careless(struct lanes *l)
{
  volatile uint8_t copy[64];

  for (size_t i = 0; i < sizeof copy; i++)
    copy[i] = l->key[3][i % 32];
}

/* The same, scrambled and deeper. */
static void call_deep(struct lanes *l)
{
  volatile uint8_t copy[40000];

  for (size_t i = 0; i < sizeof copy; i++)
    copy[i] = i < 512 ? l->key[3][i % 32] ^ (uint8_t)(i | 1) : 0;
}

/* In a register that saves and restores of the lower halves would miss. */
static void call_unwiped(struct lanes *l)
{
  if (own.wide)
    __asm__ volatile("vmovdqu64 (%0), %%zmm29" : : "r"(l->key[3]) : "memory");
  else
    __asm__ volatile("vmovdqu (%0), %%ymm9" : : "r"(l->key[3]) : "memory");
}

static void call_mask(struct lanes *l)
{
  if (own.wide)
    __asm__ volatile("kmovw (%0), %%k5" : : "r"("bits") : "memory");
  else
    call_unwiped(l);
}

static void nothing_stays_behind(void **state)
{
  struct lanes *l = lanes_new();

  (void)state;
  assert_false(leaves_something(l, call_nothing, 32));
  assert_true(leaves_something(l, call_careless, 32));
  assert_true(leaves_something(l, call_deep, 32));
  assert_true(leaves_something(l, call_unwiped, 32));
  assert_true(leaves_something(l, call_mask, 32));
  assert_false(leaves_something(l, call_x25519, 32));
  assert_false(leaves_something(l, call_base, 32));
  assert_false(leaves_something(l, call_kdf, 0));
  assert_false(leaves_something(l, call_mac, 32));
  assert_false(leaves_something(l, call_stream, 32));
  assert_false(leaves_something(l, call_lioness, TM_SPHINX_PAYLOAD_KEY_LEN));
  free(l);
}

#endif

/* ---- */

static int run(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(x25519_of_random_points),
    cmocka_unit_test(x25519_of_edge_points_at_every_lane),
    cmocka_unit_test(x25519_with_edge_scalars),
    cmocka_unit_test(x25519_iterated),
    cmocka_unit_test(header_functions),
    cmocka_unit_test(lioness),
#if OWN_STACK
    cmocka_unit_test(nothing_stays_behind),
#endif
  };

  return cmocka_run_group_tests_name(vector->name, tests, NULL, NULL);
}

int main(void)
{
  int failed = 0;

  if (sodium_init() < 0)
    return 1;
  portable = tm_backend_choose("portable");
  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    if (strcmp(*name, portable->name) == 0)
      continue;
    vector = tm_backend_choose(*name);
    failed |= vector != NULL ? run() : net_skip_backend(*name);
  }
  return failed;
}
