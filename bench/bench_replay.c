#include "config.h"

#include <unistd.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/json.h"
#include "bench/measure.h"
#include "relay/replay.h"

#include "bench/bench_replay.h"

#define BATCH 64
#define OPENINGS 20
#define TABLES 2
#define EPOCH 1
#define LOOK_EVERY 1024 /* batches between two looks at the set's size */

struct table {
  uint64_t tags;
  double mean_ns, end_ns;           /* a tag; end: median of the last tenth */
  double p999_us, worst_us;         /* a batch, by the wall */
  double worst_cpu_us;              /* the same by this thread's processor time */
  double bytes, peak_bytes;         /* a tag, at the end and from a million (or the last half) on */
};

struct journal {
  uint64_t tags;
  double tags_per_s, bytes;         /* bytes of the file for each tag */
  double group_ms[3];               /* p50, p99, p99.9 */
  double reload_s;
  double open_ms[2];                /* median, worst; of a fresh one */
};

struct replay_bench {
  uint64_t sizes[TABLES];
  size_t n;
  uint64_t journal_tags;
  bool json;
  char dir[192], path[224];
  struct table table[TABLES];
  struct journal journal;
};

static double wall_ns(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- in memory ---- */

static void fill(struct tm_replay_query q[static BATCH], struct tm_replay_set *set, uint64_t batch)
{
  uint8_t seed[randombytes_SEEDBYTES] = {0}, random[BATCH * TM_SPHINX_REPLAY_TAG_LEN];

  memcpy(seed, &batch, sizeof batch);
  randombytes_buf_deterministic(random, sizeof random, seed);
  for (size_t i = 0; i < BATCH; i++) {
    q[i].set = set;
    memcpy(q[i].tag, random + i * TM_SPHINX_REPLAY_TAG_LEN, TM_SPHINX_REPLAY_TAG_LEN);
  }
}

static bool all_are(const struct tm_replay_query q[static BATCH], enum tm_replay_verdict verdict)
{
  for (size_t i = 0; i < BATCH; i++)
    if (q[i].verdict != verdict)
      return false;
  return true;
}

static void look(struct table *t, struct tm_replay_set *set, uint64_t batch)
{
  double tags = (double)(batch * BATCH), bytes = (double)tm_replay_set_bytes(set) / tags;

  t->bytes = bytes;
  if ((tags >= 1e6 || 2 * tags >= (double)t->tags) && bytes > t->peak_bytes)
    t->peak_bytes = bytes;
}

static int run_table(struct table *t, struct tm_replay *replay, struct tm_replay_set *set, double ns[], size_t batches)
{
  static const double shares[] = {0.5, 0.999, 1};
  struct tm_replay_query q[BATCH];
  double sum = 0, out[3];

  for (size_t b = 0; b < batches; b++) {
    double cpu, start;
    fill(q, set, b);
    cpu = tm_bench_now_ns();
    start = wall_ns();
    (void)!tm_replay_check(replay, q, BATCH);
    ns[b] = wall_ns() - start;
    cpu = tm_bench_now_ns() - cpu;
    sum += ns[b];
    if (cpu > t->worst_cpu_us * 1e3)
      t->worst_cpu_us = cpu / 1e3;
    if (!all_are(q, TM_REPLAY_NEW))
      return TM_E_CONFLICT;
    if ((b + 1) % LOOK_EVERY == 0 || b + 1 == batches)
      look(t, set, b + 1);
  }
  for (size_t b = 0; b < batches; b += batches / 100 + 1) {
    fill(q, set, b);
    (void)!tm_replay_check(replay, q, BATCH);
    if (!all_are(q, TM_REPLAY_KNOWN))
      return TM_E_CONFLICT;
  }
  t->mean_ns = sum / (double)(batches * BATCH);
  t->end_ns = tm_bench_reduce(ns + batches - batches / 10, batches / 10).median / BATCH;
  tm_bench_percentiles(ns, batches, shares, out, 3);
  t->p999_us = out[1] / 1e3;
  t->worst_us = out[2] / 1e3;
  return TM_OK;
}

static int measure_table(struct table *t, struct tm_replay *replay)
{
  static const uint8_t key[16] = {7};
  size_t batches = (size_t)(t->tags / BATCH);
  double *ns = calloc(batches, sizeof *ns);
  struct tm_replay_set *set = NULL;
  int err = ns == NULL ? TM_E_NOMEM : tm_replay_set_new(&set, replay, TM_REPLAY_TAGS_MAX, key);

  if (err == TM_OK) {
    memset(ns, 1, batches * sizeof *ns); /* its pages are not to be met within a batch */
    err = run_table(t, replay, set, ns, batches);
  }
  tm_replay_set_free(set);
  free(ns);
  return err;
}

/* ---- on disk ---- */

static int make_file(const struct replay_bench *r, const struct tm_journal_keys *keys)
{
  uint8_t fresh[TM_JOURNAL_FRAMES_AT];

  tm_journal_fresh(fresh, keys, EPOCH);
  return tm_file_write(r->path, 0600, fresh, sizeof fresh);
}

static int ignore(void *arg, const uint64_t *tags, size_t n)
{
  (void)arg;
  (void)tags;
  (void)n;
  return TM_OK;
}

/* What an epoch's beginning costs the relay. */
static int measure_open(struct replay_bench *r, const struct tm_journal_keys *keys)
{
  double ms[OPENINGS];
  int err = TM_OK;

  for (size_t i = 0; err == TM_OK && i < OPENINGS; i++) {
    struct tm_journal *j = NULL;
    double start;
    err = make_file(r, keys);
    start = wall_ns();
    if (err == TM_OK)
      err = tm_journal_open(&j, r->path, keys, EPOCH, ignore, NULL);
    ms[i] = (wall_ns() - start) / 1e6;
    tm_journal_close(j);
  }
  if (err == TM_OK)
    tm_bench_percentiles(ms, OPENINGS, (const double[]){0.5, 1}, r->journal.open_ms, 2);
  return err;
}

static int append_groups(struct journal *m, struct tm_journal *j, double ms[], size_t groups)
{
  double start = wall_ns();
  int err = TM_OK;

  for (size_t g = 0; err == TM_OK && g < groups; g++) {
    uint64_t tags[TM_REPLAY_GROUP_TAGS];
    double before;
    randombytes_buf(tags, sizeof tags);
    if (tm_journal_room(j) < TM_JOURNAL_FRAME_MAX)
      err = tm_journal_extend(j);
    before = wall_ns();
    if (err == TM_OK)
      err = tm_journal_append(j, tags, TM_REPLAY_GROUP_TAGS);
    ms[g] = (wall_ns() - before) / 1e6;
  }
  m->tags = groups * TM_REPLAY_GROUP_TAGS;
  m->tags_per_s = (double)m->tags / (wall_ns() - start) * 1e9;
  return err;
}

static int measure_append(struct replay_bench *r, const struct tm_journal_keys *keys)
{
  size_t groups = (size_t)(r->journal_tags / TM_REPLAY_GROUP_TAGS);
  double *ms = calloc(groups, sizeof *ms);
  struct tm_journal *j = NULL;
  int err = ms == NULL ? TM_E_NOMEM : make_file(r, keys);

  if (err == TM_OK)
    err = tm_journal_open(&j, r->path, keys, EPOCH, ignore, NULL);
  if (err == TM_OK)
    err = append_groups(&r->journal, j, ms, groups);
  tm_journal_close(j);
  if (err == TM_OK)
    tm_bench_percentiles(ms, groups, (const double[]){0.5, 0.99, 0.999}, r->journal.group_ms, 3);
  free(ms);
  return err;
}

static int measure_reload(struct replay_bench *r, struct tm_replay *replay, const struct tm_journal_keys *keys)
{
  struct tm_replay_set *set;
  double start = wall_ns();
  int err = tm_replay_set_open(&set, replay, TM_REPLAY_TAGS_MAX, r->path, keys, EPOCH);

  if (err != TM_OK)
    return err;
  r->journal.reload_s = (wall_ns() - start) / 1e9;
  err = tm_replay_set_count(set) == r->journal.tags ? TM_OK : TM_E_CONFLICT;
  tm_replay_set_free(set);
  return err;
}

static int measure_journal(struct replay_bench *r, struct tm_replay *replay)
{
  const char *base = getenv("TMPDIR");
  struct tm_journal_keys keys;
  uint8_t secret[32];
  int err;

  randombytes_buf(secret, sizeof secret);
  tm_journal_keys_derive(&keys, secret, EPOCH);
  snprintf(r->dir, sizeof r->dir, "%s/tidemill-bench-XXXXXX", base == NULL || strlen(base) > 128 ? "/tmp" : base);
  if (mkdtemp(r->dir) == NULL)
    return TM_E_IO;
  snprintf(r->path, sizeof r->path, "%s/seen", r->dir);
  err = measure_open(r, &keys);
  if (err == TM_OK)
    err = measure_append(r, &keys);
  if (err == TM_OK)
    err = measure_reload(r, replay, &keys);
  unlink(r->path);
  rmdir(r->dir);
  return err;
}

/* ---- the command ---- */

static void print_table(const struct replay_bench *r)
{
  const struct journal *j = &r->journal;

  printf("batches of %d   ns a tag: mean   last tenth   a batch: p99.9   worst   of its CPU   bytes a tag: end   most\n", BATCH);
  for (size_t i = 0; i < r->n; i++) {
    const struct table *t = &r->table[i];
    printf("%10llu tags   %12.1f   %10.1f   %9.1f us   %8.1f us   %8.1f us   %13.1f   %4.1f\n", (unsigned long long)t->tags, t->mean_ns, t->end_ns,
           t->p999_us, t->worst_us, t->worst_cpu_us, t->bytes, t->peak_bytes);
  }
  printf("journal         %.0f tags/s in groups of %d; a group on disk: p50 %.2f, p99 %.2f, p99.9 %.2f ms\n", j->tags_per_s, TM_REPLAY_GROUP_TAGS,
         j->group_ms[0], j->group_ms[1], j->group_ms[2]);
  printf("reload          %llu tags in %.3f s\n", (unsigned long long)j->tags, j->reload_s);
  printf("fresh journal   opened in %.2f ms (worst of %d: %.2f)\n", j->open_ms[0], OPENINGS, j->open_ms[1]);
}

static int print_json(const struct replay_bench *r)
{
  const struct journal *j = &r->journal;
  json_t *tables = json_array(), *root;
  int err = tables == NULL;

  for (size_t i = 0; err == 0 && i < r->n; i++) {
    const struct table *t = &r->table[i];
    err = json_array_append_new(tables, json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "tags", (json_int_t)t->tags, "ns_per_tag", t->mean_ns,
                                                  "ns_per_tag_end", t->end_ns, "batch_us_p999", t->p999_us, "batch_us_worst", t->worst_us,
                                                  "batch_cpu_us_worst", t->worst_cpu_us, "bytes_per_tag", t->bytes, "bytes_per_tag_most",
                                                  t->peak_bytes));
  }
  root = err != 0 ? NULL
                  : json_pack("{s:O,s:{s:I,s:f,s:{s:f,s:f,s:f},s:f,s:{s:f,s:f}}}", "tables", tables, "journal", "tags", (json_int_t)j->tags, "tags_per_s",
                              j->tags_per_s, "group_ms", "p50", j->group_ms[0], "p99", j->group_ms[1], "p999", j->group_ms[2], "reload_s", j->reload_s,
                              "open_ms", "p50", j->open_ms[0], "worst", j->open_ms[1]);
  json_decref(tables);
  return tm_bench_print_json(root, 6);
}

static const struct argp_option options[] = {
  {"tags", 't', "N", 0, "Tags of a table (first 1000000, then 10000000)", 0},
  {"journal-tags", 'J', "N", 0, "Tags that are written to disk and read again (1000000)", 0},
  {"json", 'j', NULL, 0, "Print JSON instead of a table", 0},
  {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct replay_bench *r = state->input;

  switch (key) {
  case 't':
    r->sizes[0] = tm_command_number(state, "--tags", arg, 10000, 1000000000);
    r->n = 1;
    return 0;
  case 'J':
    r->journal_tags = tm_command_number(state, "--journal-tags", arg, 10000, 1000000000);
    return 0;
  case 'j':
    r->json = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int tm_bench_replay(const struct tm_command_call *call)
{
  struct replay_bench r = {.sizes = {1000000, 10000000}, .n = TABLES, .journal_tags = 1000000};
  struct tm_replay *replay;
  int err;

  tm_command_parse(call, options, parse, &r);
  tm_log_set_level(TM_LOG_ERROR);
  err = sodium_init() < 0 ? TM_E_RANDOM : tm_replay_new(&replay);
  if (err != TM_OK)
    return tm_command_fail(call, "%s", tm_strerror(err));
  for (size_t i = 0; err == TM_OK && i < r.n; i++) {
    r.table[i].tags = r.sizes[i];
    err = measure_table(&r.table[i], replay);
  }
  if (err == TM_OK)
    err = measure_journal(&r, replay);
  tm_replay_free(replay);
  if (err == TM_E_CONFLICT)
    return tm_command_fail(call, "a set said of a tag what is not true");
  if (err != TM_OK)
    return tm_command_fail(call, "%s", tm_strerror(err));
  if (r.json)
    err = print_json(&r);
  else
    print_table(&r);
  if (err != TM_OK || fflush(stdout) != 0)
    return tm_command_fail(call, "standard output: %s", tm_strerror(err != TM_OK ? err : TM_E_IO));
  return TM_EXIT_OK;
}
