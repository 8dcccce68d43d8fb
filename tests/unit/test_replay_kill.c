/*
 * Replay sets on a disk that forgets what was not synced: a process that inserts tags is killed again and again, at any moment and in the midst of any write. Whatever
 * ticket was durable, its tags are known ever after.
 *
 * TIDEMILL_KILLS: how often (20).
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/log.h"
#include "relay/keys.h"
#include "tests/unit/disk_shim.h"

#define EPOCH 7
#define EPOCH_S 1000
#define THREADS 2
#define WAITING 16       /* batches of a thread that are not durable yet */
#define ACKED_MAX (1u << 20)
#define OLDER 20000      /* tags that are tried again after each kill, besides the last ones */
#define MAX_TAGS 100000000

enum ending { DIED = 128, NO_SET = 3, AGAIN = 4 };

/* Shared with the processes that are killed: what was promised. A batch is entered when its ticket was seen to be durable. */
struct shared {
  atomic_uint_least64_t next; /* tag */
  atomic_uint_least32_t n;
  struct {
    uint64_t first;
    uint32_t len;
  } acked[ACKED_MAX];
};

static struct shared *shared;
static char dir[64];
static struct tm_replay *replay;
static struct tm_replay_set *set;

static void tag_of(uint64_t i, uint8_t tag[static TM_SPHINX_REPLAY_TAG_LEN])
{
  crypto_generichash(tag, TM_SPHINX_REPLAY_TAG_LEN, (const uint8_t *)&i, sizeof i, NULL, 0);
}

static uint64_t ask(uint64_t first, uint32_t len, struct tm_replay_query q[static 64])
{
  for (uint32_t i = 0; i < len; i++) {
    q[i].set = set;
    tag_of(first + i, q[i].tag);
  }
  return tm_replay_check(replay, q, len);
}

/* ---- the process that is killed ---- */

static void open_set(void)
{
  struct tm_keys_config config = {.state_dir = dir, .replay_max = MAX_TAGS};
  struct tm_keys *keys;

  if (tm_replay_new(&replay) != TM_OK)
    _exit(NO_SET);
  config.replay = replay;
  if (tm_keys_new(&keys, &config) != TM_OK || tm_keys_update(keys, EPOCH * EPOCH_S + 500, EPOCH_S, 10) != TM_OK)
    _exit(NO_SET);
  set = tm_keys_acquire(keys)->live[0].seen;
}

static void try_again(uint32_t at)
{
  struct tm_replay_query q[64];
  uint32_t len = shared->acked[at].len;

  if (ask(shared->acked[at].first, len, q) == 0)
    _exit(NO_SET);
  for (uint32_t i = 0; i < len; i++)
    if (q[i].verdict != TM_REPLAY_KNOWN)
      _exit(AGAIN);
}

/* since: what the last process was promised. */
static void try_all_again(uint32_t since, bool every)
{
  uint32_t n = atomic_load(&shared->n);

  for (uint32_t i = every ? 0 : since; i < n; i++)
    try_again(i);
  for (uint32_t i = 0; !every && n > 0 && i < OLDER / 32; i++)
    try_again(randombytes_uniform(n));
}

struct promise {
  uint64_t ticket, first;
  uint32_t len;
};

static void enter(const struct promise *p)
{
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  uint32_t n;

  pthread_mutex_lock(&mutex);
  n = atomic_load(&shared->n);
  if (n == ACKED_MAX)
    abort();
  shared->acked[n].first = p->first;
  shared->acked[n].len = p->len;
  atomic_store(&shared->n, n + 1);
  pthread_mutex_unlock(&mutex);
}

static void *insert(void *arg)
{
  struct promise waiting[WAITING];
  struct tm_replay_query q[64];
  size_t n = 0;

  for (;;) {
    struct promise *p = &waiting[n++];
    size_t kept = 0;
    p->len = 1 + randombytes_uniform(64);
    p->first = atomic_fetch_add(&shared->next, p->len);
    p->ticket = ask(p->first, p->len, q);
    do {
      kept = 0;
      for (size_t i = 0; i < n; i++)
        if (tm_replay_durable(replay, waiting[i].ticket))
          enter(&waiting[i]);
        else
          waiting[kept++] = waiting[i];
      n = kept;
      if (n == WAITING)
        usleep(200);
    } while (n == WAITING);
    usleep(randombytes_uniform(300));
  }
  return arg;
}

static void be_killed(uint32_t since, unsigned die_at)
{
  pthread_t thread[THREADS];

  disk_die_at = die_at;
  open_set();
  try_all_again(since, false);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread[i], NULL, insert, NULL) != 0)
      _exit(NO_SET);
  sleep(60);
  _exit(0);
}

/* ---- the one that kills ---- */

static int end_of(pid_t pid)
{
  int status;

  if (waitpid(pid, &status, 0) != pid)
    return -1;
  return WIFSIGNALED(status) ? DIED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int complain(const char *what, unsigned kill_number)
{
  fprintf(stderr, "FAIL: %s, after kill %u\n", what, kill_number);
  return 1;
}

static int judge(int end, unsigned number)
{
  if (end == DIED + SIGKILL)
    return 0;
  return complain(end == AGAIN ? "a tag that was durable was taken for new" : end == NO_SET ? "the set was not usable any more"
                                                                                             : "it ended by itself", number);
}

static int kill_once(unsigned number, uint32_t since, const char *journal)
{
  bool inside = randombytes_uniform(2) == 0; /* in the midst of a write or sync */
  unsigned die_at = !inside ? 0 : 1 + randombytes_uniform(randombytes_uniform(2) == 0 ? 8 : 150);
  enum disk_crash_mode mode = (enum disk_crash_mode)randombytes_uniform(3);
  pid_t pid = fork();

  if (pid == 0)
    be_killed(since, die_at);
  if (pid < 0)
    return complain("no process", number);
  if (!inside) {
    usleep(5000 + randombytes_uniform(40000));
    kill(pid, SIGKILL);
  }
  if (judge(end_of(pid), number) != 0)
    return 1;
  return disk_crash(journal, mode, &tm_rng_system) < 0 ? complain("the disk could not be brought back", number) : 0;
}

static int look_at_all(unsigned number)
{
  pid_t pid = fork();

  if (pid == 0) {
    open_set();
    try_all_again(0, true);
    raise(SIGKILL);
  }
  return pid < 0 ? complain("no process", number) : judge(end_of(pid), number);
}

int main(void)
{
  const char *text = getenv("TIDEMILL_KILLS");
  unsigned kills = text == NULL ? 20 : (unsigned)strtoul(text, NULL, 10), i;
  char command[PATH_MAX + 16], *journal;
  int failed = 0;

  snprintf(dir, sizeof dir, "/tmp/tidemill-test-kill-XXXXXX");
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (sodium_init() < 0 || shared == MAP_FAILED || mkdtemp(dir) == NULL)
    return 99;
  tm_log_set_level(TM_LOG_ERROR);
  journal = tm_mix_journal_path(dir, EPOCH);
  if (journal == NULL || tm_mix_key_make(dir, EPOCH, &tm_rng_system) != TM_OK)
    return 99;
  for (i = 0; i < kills && failed == 0; i++) {
    static uint32_t since;
    uint32_t n = atomic_load(&shared->n);
    failed = kill_once(i + 1, since, journal);
    since = n;
  }
  if (failed == 0)
    failed = look_at_all(i);
  printf("%u kills, %llu tags inserted, %u batches promised\n", i, (unsigned long long)atomic_load(&shared->next), atomic_load(&shared->n));
  if (failed == 0 && atomic_load(&shared->n) < kills)
    failed = complain("too little was promised to say anything", i);
  free(journal);
  snprintf(command, sizeof command, "rm -rf '%s'", dir);
  return system(command) != 0 || failed;
}
