#include "config.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "relay/ring.h"

#define NOBODY_WAITS SIZE_MAX
#define CACHE_LINE 64

struct tm_ring {
  uint32_t *items;
  size_t mask;
  int fd;
  alignas(CACHE_LINE) atomic_size_t head; /* written by the producer: indices ever pushed */
  alignas(CACHE_LINE) atomic_size_t tail; /* written by the consumer: indices ever popped */
  alignas(CACHE_LINE) atomic_size_t want; /* the consumer sleeps until so many are there */
};

int tm_ring_new(struct tm_ring **out, size_t n)
{
  struct tm_ring *ring = NULL;
  size_t cap = 2;

  *out = NULL;
  if (n > TM_RING_MAX)
    return TM_E_TOO_BIG;
  while (cap < n)
    cap *= 2;
  if (posix_memalign((void **)&ring, CACHE_LINE, sizeof *ring) != 0)
    return TM_E_NOMEM;
  memset(ring, 0, sizeof *ring);
  ring->items = calloc(cap, sizeof *ring->items);
  ring->mask = cap - 1;
  ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  atomic_init(&ring->head, 0);
  atomic_init(&ring->tail, 0);
  atomic_init(&ring->want, NOBODY_WAITS);
  if (ring->items == NULL || ring->fd < 0) {
    int err = ring->fd < 0 ? TM_E_IO : TM_E_NOMEM;
    tm_ring_free(ring);
    return err;
  }
  *out = ring;
  return TM_OK;
}

void tm_ring_free(struct tm_ring *ring)
{
  if (ring == NULL)
    return;
  if (ring->fd >= 0)
    close(ring->fd);
  free(ring->items);
  free(ring);
}

void tm_ring_kick(struct tm_ring *ring)
{
  uint64_t one = 1;

  /* Fails only when the counter is at its end, and then the consumer is awake. */
  if (write(ring->fd, &one, sizeof one) < 0)
    return;
}

static void swallow(struct tm_ring *ring)
{
  uint64_t n;

  if (read(ring->fd, &n, sizeof n) < 0)
    return; /* nothing was there */
}

size_t tm_ring_push(struct tm_ring *ring, const uint32_t *items, size_t n)
{
  size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
  size_t room = ring->mask + 1 - (head - tail);
  size_t want;

  if (n > room)
    n = room;
  for (size_t i = 0; i < n; i++)
    ring->items[(head + i) & ring->mask] = items[i];
  /*
   * Sequentially consistent with the consumer's store to want and load of head: either it sees these indices before it sleeps, or
   * we see that it waits.
   */
  atomic_store(&ring->head, head + n);
  want = atomic_load(&ring->want);
  if (n > 0 && head + n - tail >= want && atomic_exchange(&ring->want, NOBODY_WAITS) != NOBODY_WAITS)
    tm_ring_kick(ring);
  return n;
}

size_t tm_ring_pop(struct tm_ring *ring, uint32_t *items, size_t cap)
{
  size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  /* Not acquire alone: it must not come before the store to want in tm_ring_rearm, see tm_ring_push. */
  size_t head = atomic_load(&ring->head);
  size_t n = head - tail;

  if (n > cap)
    n = cap;
  for (size_t i = 0; i < n; i++)
    items[i] = ring->items[(tail + i) & ring->mask];
  atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
  return n;
}

size_t tm_ring_count(const struct tm_ring *ring)
{
  /* tail first: head can only have grown since, so the difference never goes below zero. */
  size_t tail = atomic_load(&ring->tail);
  size_t head = atomic_load(&ring->head);

  return head - tail;
}

size_t tm_ring_wait(struct tm_ring *ring, size_t want, int timeout_ms)
{
  struct pollfd p = {.fd = ring->fd, .events = POLLIN};

  if (want > ring->mask + 1)
    want = ring->mask + 1;
  atomic_store(&ring->want, want);
  if (tm_ring_count(ring) < want && poll(&p, 1, timeout_ms) > 0)
    swallow(ring);
  atomic_store(&ring->want, NOBODY_WAITS);
  return tm_ring_count(ring);
}

int tm_ring_fd(const struct tm_ring *ring) { return ring->fd; }

void tm_ring_rearm(struct tm_ring *ring)
{
  swallow(ring);
  atomic_store(&ring->want, 1);
}
