#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "sphinx/backend.h"
#include "sphinx/sphinx.h"

#include "bench/bench_sphinx.h"

#define POOL TM_SPHINX_BATCH_MAX /* packets that one run goes through */
#define SCALARMULTS POOL         /* libsodium's, in one run */
#define CREATIONS 8
#define POINT_CHECKS 8
#define RUNS_MAX 10000

/* Everything that is measured works on this; set up once for each back-end. */
struct bench {
  const struct tm_bench_sphinx_options *options;
  const struct tm_sphinx_backend *backend;
  tm_sphinx *ctx;
  tm_sphinx_key *key[TM_SPHINX_HOPS_MAX];
  tm_sphinx_node path[TM_SPHINX_HOPS_MAX];
  size_t len;         /* of a packet */
  uint8_t *pristine;  /* POOL packets for the first relay */
  uint8_t *packets;   /* their copies, which a run uses up */
  uint8_t *body;
  uint8_t *at[POOL];
  size_t lens[POOL];
  tm_sphinx_hop hop[POOL];
  uint8_t element[POOL][32], scalar[32], result[POOL][32], ok[POOL];
  uint8_t lioness_key[TM_SPHINX_PAYLOAD_KEY_LEN];
};

static void bench_free(struct bench *b)
{
  for (size_t i = 0; i < TM_SPHINX_HOPS_MAX; i++)
    tm_sphinx_key_free(b->key[i]);
  tm_sphinx_free(b->ctx);
  free(b->pristine);
  free(b->packets);
  free(b->body);
  sodium_memzero(b, sizeof *b);
}

static int make_path(struct bench *b)
{
  for (size_t i = 0; i < TM_SPHINX_HOPS_MAX; i++) {
    uint8_t secret[32];
    int rc;

    randombytes_buf(secret, sizeof secret);
    rc = tm_sphinx_key_new(&b->key[i], secret);
    sodium_memzero(secret, sizeof secret);
    if (rc != TM_SPHINX_OK)
      return rc;
    tm_sphinx_key_point(b->key[i], b->path[i].mix_point);
    randombytes_buf(b->path[i].identity, sizeof b->path[i].identity);
  }
  return TM_SPHINX_OK;
}

static int create(struct bench *b, uint8_t *packet)
{
  uint8_t random[TM_SPHINX_CREATE_RANDOM_LEN];

  randombytes_buf(random, sizeof random);
  return tm_sphinx_create(b->ctx, b->path, b->options->hops, b->body, random, packet);
}

/* Errors: those of the packet library. */
static int bench_init(struct bench *b, const struct tm_bench_sphinx_options *o, const char *backend)
{
  int rc;

  *b = (struct bench){.options = o};
  rc = tm_sphinx_new(&b->ctx, backend, o->payload);
  if (rc == TM_SPHINX_OK)
    rc = make_path(b);
  if (rc != TM_SPHINX_OK)
    return rc;
  b->backend = tm_backend_choose(backend);
  b->len = tm_sphinx_packet_len(b->ctx);
  b->pristine = calloc(POOL, b->len);
  b->packets = calloc(POOL, b->len);
  b->body = calloc(1, o->payload);
  if (b->pristine == NULL || b->packets == NULL || b->body == NULL)
    return TM_SPHINX_E_NOMEM;
  randombytes_buf(b->body, o->payload);
  randombytes_buf(b->scalar, sizeof b->scalar);
  randombytes_buf(b->lioness_key, sizeof b->lioness_key);
  for (size_t i = 0; i < POOL && rc == TM_SPHINX_OK; i++) {
    rc = create(b, b->pristine + i * b->len);
    memcpy(b->element[i], b->pristine + i * b->len, 32);
    b->at[i] = b->packets + i * b->len;
    b->lens[i] = b->len;
  }
  return rc;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static double run_scalarmult(struct bench *b)
{
  double start = tm_bench_now_ns();

  for (size_t i = 0; i < SCALARMULTS; i++)
    (void)!crypto_scalarmult_curve25519(b->result[i], b->scalar, b->element[i]);
  return (tm_bench_now_ns() - start) / SCALARMULTS;
}

static double run_point_check(struct bench *b)
{
  double start = tm_bench_now_ns();

  for (size_t i = 0; i < POINT_CHECKS; i++)
    (void)!tm_sphinx_point_check(b->path[i % TM_SPHINX_HOPS_MAX].mix_point);
  return (tm_bench_now_ns() - start) / POINT_CHECKS;
}

static double run_x25519(struct bench *b, size_t batch)
{
  uint8_t *out[POOL];
  const uint8_t *scalar[POOL], *point[POOL];
  double start;

  for (size_t i = 0; i < POOL; i++) {
    out[i] = b->result[i];
    scalar[i] = b->scalar;
    point[i] = b->element[i];
  }
  start = tm_bench_now_ns();
  for (size_t i = 0; i < POOL; i += batch)
    b->backend->curve->x25519(out + i, scalar + i, point + i, b->ok + i, least(batch, POOL - i));
  return (tm_bench_now_ns() - start) / POOL;
}

static double run_lioness(struct bench *b, size_t batch)
{
  uint8_t *block[POOL];
  const uint8_t *key[POOL];
  double start;

  for (size_t i = 0; i < POOL; i++) {
    block[i] = b->at[i] + TM_SPHINX_HEADER_LEN;
    key[i] = b->lioness_key;
  }
  memcpy(b->packets, b->pristine, POOL * b->len); /* into the caches, as for the steps below */
  start = tm_bench_now_ns();
  for (size_t i = 0; i < POOL; i += batch)
    b->backend->symmetric->lioness_decrypt(block + i, key + i, b->len - TM_SPHINX_HEADER_LEN, least(batch, POOL - i));
  return (tm_bench_now_ns() - start) / POOL;
}

/* Both steps over the whole pool; false if a packet was refused. */
static bool run_unwrap(struct bench *b, size_t batch, double *header, double *body)
{
  size_t good = 0;
  double start, middle, end;

  memcpy(b->packets, b->pristine, POOL * b->len);
  start = tm_bench_now_ns();
  for (size_t i = 0; i < POOL; i += batch)
    good += tm_sphinx_unwrap_headers(b->ctx, b->key[0], b->at + i, b->lens + i, b->hop + i, least(batch, POOL - i));
  middle = tm_bench_now_ns();
  for (size_t i = 0; i < POOL; i += batch)
    good += tm_sphinx_unwrap_bodies(b->ctx, b->at + i, b->hop + i, least(batch, POOL - i));
  end = tm_bench_now_ns();
  *header = (middle - start) / POOL;
  *body = (end - middle) / POOL;
  return good == 2 * POOL;
}

/* A pool of forgeries, of which each is to be refused for its MAC; false if one was not. */
static bool run_forged(struct bench *b, size_t batch, double *ns)
{
  size_t refused = 0;
  double start;

  memcpy(b->packets, b->pristine, POOL * b->len);
  for (size_t i = 0; i < POOL; i++)
    b->at[i][TM_SPHINX_HEADER_LEN - 1] ^= 1;
  start = tm_bench_now_ns();
  for (size_t i = 0; i < POOL; i += batch)
    (void)!tm_sphinx_unwrap_headers(b->ctx, b->key[0], b->at + i, b->lens + i, b->hop + i, least(batch, POOL - i));
  *ns = (tm_bench_now_ns() - start) / POOL;
  for (size_t i = 0; i < POOL; i++)
    refused += b->hop[i].verdict == TM_SPHINX_E_MAC;
  return refused == POOL;
}

/* At least so many packets in one run, in batches of that size. */
static bool run_create(struct bench *b, size_t batch, double *ns)
{
  uint8_t random[POOL][TM_SPHINX_CREATE_RANDOM_LEN];
  tm_sphinx_packet_job job[POOL];
  size_t made = 0, good = 0;
  double start;

  randombytes_buf(random, sizeof random);
  for (size_t i = 0; i < batch; i++)
    job[i] = (tm_sphinx_packet_job){.path = b->path, .hops = b->options->hops, .body = b->body, .random = random[i],
                                    .packet = b->at[i]};
  start = tm_bench_now_ns();
  for (; made < CREATIONS; made += batch)
    good += tm_sphinx_create_many(b->ctx, job, batch);
  *ns = (tm_bench_now_ns() - start) / (double)made;
  return good == made;
}

/* Samples: samples[(place * STEPS + step) * runs + run], the places being batch sizes. */
static double *sample(double *samples, const struct tm_bench_sphinx_options *o, size_t place, int step, size_t run)
{
  return &samples[(place * TM_BENCH_STEPS + (size_t)step) * o->runs + run];
}

/* One run of everything for one back-end; the first, which warms up, is not kept. */
static bool run_once(struct bench *b, double *samples, double *scalarmult, double *point_check, size_t run)
{
  const struct tm_bench_sphinx_options *o = b->options;

  scalarmult[run] = run_scalarmult(b);
  point_check[run] = run_point_check(b);
  for (size_t i = 0; i < o->batches; i++) {
    double header, body, forged, created;

    *sample(samples, o, i, TM_BENCH_X25519, run) = run_x25519(b, o->batch[i]);
    *sample(samples, o, i, TM_BENCH_LIONESS, run) = run_lioness(b, o->batch[i]);
    if (!run_unwrap(b, o->batch[i], &header, &body) || !run_forged(b, o->batch[i], &forged) ||
        !run_create(b, o->batch[i], &created))
      return false;
    *sample(samples, o, i, TM_BENCH_HEADER, run) = header;
    *sample(samples, o, i, TM_BENCH_BODY, run) = body;
    *sample(samples, o, i, TM_BENCH_UNWRAP, run) = header + body;
    *sample(samples, o, i, TM_BENCH_FORGED, run) = forged;
    *sample(samples, o, i, TM_BENCH_CREATE, run) = created;
  }
  return true;
}

static void reduce(const struct tm_bench_sphinx_options *o, double *samples, struct tm_bench_sphinx_backend *backend)
{
  for (size_t i = 0; i < o->batches; i++) {
    backend->row[i].batch = o->batch[i];
    for (int step = 0; step < TM_BENCH_STEPS; step++)
      backend->row[i].ns[step] = tm_bench_reduce(sample(samples, o, i, step, 0), o->runs);
  }
}

/* Runs go round all back-ends in turn, so that a slow moment hits all of them. */
static int measure(const struct tm_bench_sphinx_options *o, struct tm_bench_sphinx_report *r)
{
  struct bench *benches = calloc(r->backends, sizeof *benches);
  size_t each = o->batches * TM_BENCH_STEPS * o->runs, used = 0;
  double *samples = calloc(r->backends * each, sizeof *samples);
  double *scalarmult = calloc(r->backends * o->runs, sizeof *scalarmult);
  double *point_check = calloc(r->backends * o->runs, sizeof *point_check);
  int rc = TM_SPHINX_E_NOMEM;

  if (benches == NULL || samples == NULL || scalarmult == NULL || point_check == NULL)
    goto out;
  for (used = 0; used < r->backends; used++)
    if (r->backend[used].available && (rc = bench_init(&benches[used], o, r->backend[used].name)) != TM_SPHINX_OK) {
      used++;
      goto out;
    }
  for (size_t run = 0; run <= o->runs; run++)
    for (size_t i = 0; i < r->backends; i++)
      if (r->backend[i].available &&
          !run_once(&benches[i], samples + i * each, scalarmult + i * o->runs, point_check + i * o->runs,
                    run > 0 ? run - 1 : 0)) {
        rc = TM_SPHINX_E_MAC;
        goto out;
      }
  /* A back-end that isn't there has left zeros: they go to the front, out of the way. */
  used = 0;
  for (size_t i = 0; i < r->backends; i++) {
    if (!r->backend[i].available)
      continue;
    reduce(o, samples + i * each, &r->backend[i]);
    memmove(scalarmult + used * o->runs, scalarmult + i * o->runs, o->runs * sizeof *scalarmult);
    memmove(point_check + used * o->runs, point_check + i * o->runs, o->runs * sizeof *point_check);
    used++;
  }
  r->scalarmult_ns = tm_bench_reduce(scalarmult, used * o->runs);
  r->point_check_ns = tm_bench_reduce(point_check, used * o->runs);
  used = r->backends;
  rc = TM_SPHINX_OK;

out:
  for (size_t i = 0; i < used; i++)
    bench_free(&benches[i]);
  free(benches);
  free(samples);
  free(scalarmult);
  free(point_check);
  return rc;
}

/* ---- the command ---- */

enum { KEY_HOPS = 'n', KEY_PAYLOAD = 'p', KEY_BATCH = 'b', KEY_BACKEND = 'B', KEY_JSON = 'j', KEY_PLOT = 'P', KEY_RUNS = 'r' };

static const struct argp_option options[] = {
  {"hops", KEY_HOPS, "N", 0, "Length of the path, 1 to 5 (5)", 0},
  {"payload", KEY_PAYLOAD, "BYTES", 0, "Bytes an application may use in a packet, 256 to 32768 (2048)", 0},
  {"batch", KEY_BATCH, "LIST", 0, "Packets in one call, 1 to 64; several as 1,8,64 (1,2,4,8,16,32,64)", 0},
  {"backend", KEY_BACKEND, "NAME", 0, "Only this back-end", 0},
  {"runs", KEY_RUNS, "N", 0, "Repetitions, of which the median counts (51)", 0},
  {"json", KEY_JSON, NULL, 0, "Print JSON instead of a table", 0},
  {"plot", KEY_PLOT, "FILE", 0, "Draw a chart, as SVG", 0},
  {0},
};

static void parse_batches(struct tm_bench_sphinx_options *o, const char *arg, const struct argp_state *state)
{
  o->batches = 0;
  while (*arg != '\0' || o->batches == 0) {
    size_t len = strcspn(arg, ",");
    char item[16];

    if (o->batches == TM_BENCH_BATCHES_MAX)
      argp_error(state, "--batch: more than %d sizes", TM_BENCH_BATCHES_MAX);
    snprintf(item, sizeof item, "%.*s", (int)least(len, sizeof item), arg);
    o->batch[o->batches++] = tm_command_number(state, "--batch", item, 1, TM_SPHINX_BATCH_MAX);
    arg += len;
    if (*arg == ',' && *++arg == '\0')
      argp_error(state, "--batch: nothing behind the last comma");
  }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct tm_bench_sphinx_options *o = state->input;

  switch (key) {
  case KEY_HOPS:
    o->hops = tm_command_number(state, "--hops", arg, 1, TM_SPHINX_HOPS_MAX);
    return 0;
  case KEY_PAYLOAD:
    o->payload = tm_command_number(state, "--payload", arg, TM_SPHINX_BODY_MIN, TM_SPHINX_BODY_MAX);
    return 0;
  case KEY_BATCH:
    parse_batches(o, arg, state);
    return 0;
  case KEY_BACKEND:
    o->backend = tm_bench_backend(arg, state);
    return 0;
  case KEY_RUNS:
    o->runs = tm_command_number(state, "--runs", arg, 1, RUNS_MAX);
    return 0;
  case KEY_JSON:
    o->json = true;
    return 0;
  case KEY_PLOT:
    o->plot = arg;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void find_backends(const struct tm_bench_sphinx_options *o, struct tm_bench_sphinx_report *r)
{
  for (const char *const *name = tm_sphinx_backends(); *name != NULL && r->backends < TM_BENCH_BACKENDS_MAX; name++) {
    struct tm_bench_sphinx_backend *b = &r->backend[r->backends];

    if (o->backend != NULL && strcmp(o->backend, *name) != 0)
      continue;
    b->name = *name;
    b->available = tm_sphinx_backend_available(*name) != 0;
    r->backends++;
  }
}

int tm_bench_sphinx(const struct tm_command_call *call)
{
  struct tm_bench_sphinx_options o = {
    .hops = 5, .payload = TM_SPHINX_BODY_LEN, .batch = {1, 2, 4, 8, 16, 32, 64}, .batches = 7, .runs = 51};
  struct tm_bench_sphinx_report *r;
  int rc, printed = TM_OK;

  tm_command_parse(call, options, parse, &o);
  if (sodium_init() < 0 || (r = calloc(1, sizeof *r)) == NULL)
    return tm_command_fail(call, "%s", tm_strerror(TM_E_NOMEM));
  find_backends(&o, r);
  if (o.backend != NULL && !r->backend[0].available) {
    free(r);
    return tm_command_fail(call, "back-end %s does not work on this machine", o.backend);
  }
  tm_bench_cpu_name(r->cpu_name);
  r->cpu = tm_bench_pin();
  if (r->cpu < 0)
    fprintf(stderr, "%s: not tied to one CPU, the system refuses: expect a wide spread\n", call->argv[0]);
  rc = measure(&o, r);
  if (rc == TM_SPHINX_OK && o.json)
    printed = tm_bench_sphinx_print_json(&o, r);
  else if (rc == TM_SPHINX_OK)
    tm_bench_sphinx_print_table(&o, r);
  if (rc == TM_SPHINX_OK && o.plot != NULL && tm_bench_sphinx_plot(&o, r) != TM_OK) {
    free(r);
    return tm_command_fail(call, "%s: %s", o.plot, strerror(errno));
  }
  free(r);
  if (rc != TM_SPHINX_OK)
    return tm_command_fail(call, "%s", tm_sphinx_strerror(rc));
  if (printed != TM_OK || fflush(stdout) != 0)
    return tm_command_fail(call, "standard output: %s", tm_strerror(printed != TM_OK ? printed : TM_E_IO));
  return TM_EXIT_OK;
}
