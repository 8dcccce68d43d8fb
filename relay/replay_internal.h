/*
 * What the files of the replay sets share; nobody else includes it.
 *
 * replay.c: sets, checks, tickets; any thread. replay_threads.c: the journal thread and the helper.
 */
#ifndef TM_RELAY_REPLAY_INTERNAL_H
#define TM_RELAY_REPLAY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <sodium.h>

#include "relay/replay.h"
#include "relay/tagtable.h"

#define TM_REPLAY_PENDING_MAX 65536 /* tags of a set that wait for the disk; each set has two such buffers */
#define TM_REPLAY_LOST_MAX 8

struct tm_replay_set {
  struct tm_replay *replay;
  struct tm_replay_set *next; /* set before others see it; then the journal thread's */
  uint8_t key[crypto_shorthash_KEYBYTES];
  uint64_t max;
  atomic_bool failed;

  /* Under the mutex. */
  struct tm_tagtable table;
  uint64_t *pending;
  size_t n_pending;
  uint64_t room; /* tags that surely find place in the journal */
  bool disk_full;
  bool said_full;
  bool closing;

  /* The journal thread's. */
  struct tm_journal *journal; /* NULL: in memory only */
  uint64_t *writing;
  size_t n_writing;
};

struct tm_replay {
  pthread_mutex_t mutex;
  pthread_cond_t work;   /* for the journal thread */
  pthread_cond_t chores; /* for the helper */
  pthread_t journal_thread, helper_thread;

  /* Under the mutex. */
  uint64_t ticket;
  struct tm_replay_set *sets, *dead; /* dead: closed, the helper frees them */
  size_t n_pending;                  /* of all sets */
  size_t n_closing;
  bool busy;                         /* the journal thread is writing */
  uint64_t turns;                    /* how often it came round */
  bool stop, stop_helper;

  atomic_uint_least64_t durable;
  atomic_uint_least64_t hold;
  /* Written by the journal thread alone, each range before n_lost says that it is there. */
  struct {
    atomic_uint_least64_t from, to;
  } lost[TM_REPLAY_LOST_MAX];
  atomic_size_t n_lost;
};

/* replay_threads.c */
void *tm_replay_journal_main(void *replay);
void *tm_replay_helper_main(void *replay);
uint64_t tm_replay_tags_in(uint64_t room); /* tags that surely fit into so many bytes of a journal */
void tm_replay_set_dispose(struct tm_replay_set *set); /* its journal is closed */

#endif
