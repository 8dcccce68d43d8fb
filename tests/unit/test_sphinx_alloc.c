/*
 * After tm_sphinx_new nothing is allocated, and no memory is a result, not a crash. This program puts its own
 * functions in front of the C library's; the sanitizers do the same, so with them there is nothing to test.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sphinx_net.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(SANITIZED) || !defined(__GLIBC__)
int main(void) { return 77; }
#else

#include <errno.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INTERPOSE __attribute__((visibility("default")))

/* How often memory was asked for, and how many more times mmap succeeds. */
static volatile size_t asked; /* volatile: compilers know that malloc counts nothing */
static size_t maps_left = SIZE_MAX;

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);
extern void *__libc_memalign(size_t alignment, size_t len);

INTERPOSE void *malloc(size_t len)
{
  asked++;
  return __libc_malloc(len);
}

INTERPOSE void *calloc(size_t n, size_t len)
{
  asked++;
  return __libc_calloc(n, len);
}

INTERPOSE void *realloc(void *p, size_t len)
{
  asked++;
  return __libc_realloc(p, len);
}

INTERPOSE void *aligned_alloc(size_t alignment, size_t len)
{
  asked++;
  return __libc_memalign(alignment, len);
}

INTERPOSE int posix_memalign(void **out, size_t alignment, size_t len)
{
  asked++;
  *out = __libc_memalign(alignment, len);
  return *out != NULL ? 0 : ENOMEM;
}

static void *map(void *p, size_t len, int prot, int flags, int fd, off_t at)
{
  asked++;
  if (maps_left == 0) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  maps_left--;
  return (void *)syscall(SYS_mmap, p, len, prot, flags, fd, at);
}

#undef mmap
#undef mmap64
INTERPOSE void *mmap(void *p, size_t len, int prot, int flags, int fd, off_t at)
{
  return map(p, len, prot, flags, fd, at);
}

INTERPOSE void *mmap64(void *p, size_t len, int prot, int flags, int fd, off_t at)
{
  return map(p, len, prot, flags, fd, at);
}

/* Is the counter alive? Otherwise the test below proves nothing. */
static void test_counter(void **state)
{
  size_t before = asked;
  tm_sphinx *ctx;
  void *volatile p = malloc(10);

  (void)state;
  free(p);
  assert_true(asked > before);
  before = asked;
  assert_int_equal(tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  assert_true(asked > before);
  tm_sphinx_free(ctx);
}

static void test_nothing_allocated(void **state)
{
  static uint8_t packet[NET_PACKET_CAP];
  struct net *n = net_new(TM_SPHINX_BODY_LEN);
  uint8_t random[TM_SPHINX_SURB_RANDOM_LEN], surb[TM_SPHINX_SURB_LEN], first[32];
  tm_sphinx_surb_keys keys;
  tm_sphinx_hop hop;
  size_t before = asked;

  (void)state;
  for (uint32_t seed = 0; seed < 2; seed++) {
    net_create(n, 5, seed, packet);
    for (size_t i = 0; i < 5; i++)
      net_unwrap(n, i, packet, &hop);
    net_random(random, sizeof random, seed);
    assert_int_equal(tm_sphinx_surb_create(n->ctx, n->path, 5, random, random, random, surb, &keys), TM_SPHINX_OK);
    tm_sphinx_surb_use(n->ctx, surb, n->body, packet, first);
    for (size_t i = 0; i < 5; i++)
      net_unwrap(n, i, packet, &hop);
    assert_int_equal(tm_sphinx_surb_open(n->ctx, &keys, packet + TM_SPHINX_HEADER_LEN), TM_SPHINX_OK);
  }
  assert_int_equal(asked, before);
  net_free(n);
}

static void test_out_of_memory(void **state)
{
  uint8_t secret[32] = {1};
  tm_sphinx *ctx = (tm_sphinx *)state;
  tm_sphinx_key *key = (tm_sphinx_key *)state;
  bool no_context, no_key;

  maps_left = 0;
  no_context = tm_sphinx_new(&ctx, NULL, TM_SPHINX_BODY_LEN) == TM_SPHINX_E_NOMEM && ctx == NULL;
  no_key = tm_sphinx_key_new(&key, secret) == TM_SPHINX_E_NOMEM && key == NULL;
  maps_left = SIZE_MAX;
  assert_true(no_context);
  assert_true(no_key);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_counter),
    cmocka_unit_test(test_nothing_allocated),
    cmocka_unit_test(test_out_of_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
