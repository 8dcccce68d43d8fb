/* How tidemill-bench sphinx tells what it measured. */
#include "config.h"

#include <stdio.h>

#include <sodium.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#include "bench/bench_sphinx.h"
#include "bench/json.h"

static const struct {
  const char *name; /* in the table */
  const char *key;  /* in JSON */
} steps[TM_BENCH_STEPS] = {
  [TM_BENCH_X25519] = {"x25519", "x25519_ns"}, [TM_BENCH_LIONESS] = {"lioness", "lioness_ns"},
  [TM_BENCH_HEADER] = {"header", "header_ns"}, [TM_BENCH_BODY] = {"body", "body_ns"},
  [TM_BENCH_UNWRAP] = {"unwrap", "unwrap_ns"}, [TM_BENCH_FORGED] = {"forged", "forged_ns"},
  [TM_BENCH_CREATE] = {"create", "create_ns"},
};

/* One line for each back-end and batch size, all figures divided by unit. */
static void print_lines(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r, double unit,
                        int decimals)
{
  printf("%-10s %5s", "back-end", "batch");
  for (int step = 0; step < TM_BENCH_STEPS; step++)
    printf(" %9s", steps[step].name);
  printf("   unwrap's spread\n");
  for (size_t i = 0; i < r->backends; i++) {
    const struct tm_bench_sphinx_backend *b = &r->backend[i];

    if (!b->available)
      printf("%-10s not on this machine\n", b->name);
    for (size_t j = 0; b->available && j < o->batches; j++) {
      const struct tm_bench_value *unwrap = &b->row[j].ns[TM_BENCH_UNWRAP];

      printf("%-10s %5zu", b->name, b->row[j].batch);
      for (int step = 0; step < TM_BENCH_STEPS; step++)
        printf(" %9.*f", decimals, b->row[j].ns[step].median / unit);
      printf("   %.*f - %.*f\n", decimals, unwrap->low / unit, decimals, unwrap->high / unit);
    }
  }
}

void tm_bench_sphinx_print_table(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  const struct tm_bench_value *s = &r->scalarmult_ns;

  printf("processor  %s", r->cpu_name);
  if (r->cpu >= 0)
    printf(", tied to CPU %d", r->cpu);
  printf("\npacket     %zu bytes, %zu for the application, path of %zu hop%s\n",
         TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + o->payload, o->payload, o->hops, o->hops == 1 ? "" : "s");
  printf("figures    per packet or operation: medians of %zu runs; spread: 10th to 90th percentile\n", o->runs);
  printf("S          one crypto_scalarmult_curve25519 of libsodium %s: %.2f us (%.2f - %.2f)\n", sodium_version_string(),
         s->median / 1e3, s->low / 1e3, s->high / 1e3);
  printf("point      check of one mix key: %.2f us\n", r->point_check_ns.median / 1e3);
  printf("\nmicroseconds\n");
  print_lines(o, r, 1e3, 2);
  printf("\nin S\n");
  print_lines(o, r, s->median, 3);
}

static json_t *number(double ns) { return tm_bench_number(ns, 1); }

static json_t *range(struct tm_bench_value v) { return json_pack("[o,o]", number(v.low), number(v.high)); }

static int add_row(json_t *o, const struct tm_bench_sphinx_row *row)
{
  json_t *spread = json_object();
  int err = json_object_set_new(o, "batch", json_integer((json_int_t)row->batch));

  for (int step = 0; step < TM_BENCH_STEPS; step++) {
    err |= json_object_set_new(o, steps[step].key, number(row->ns[step].median));
    err |= json_object_set_new(spread, steps[step].key, range(row->ns[step]));
  }
  return err | json_object_set_new(o, "spread", spread);
}

static int add_backend(json_t *list, const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_backend *b)
{
  int err = 0;

  for (size_t i = 0; i < (b->available ? o->batches : 1); i++) {
    json_t *v = json_pack("{s:s,s:b}", "name", b->name, "available", b->available);

    if (b->available)
      err |= add_row(v, &b->row[i]);
    for (int step = 0; !b->available && step < TM_BENCH_STEPS; step++)
      err |= json_object_set_new(v, steps[step].key, json_null());
    err |= json_array_append_new(list, v);
  }
  return err;
}

static json_t *report_json(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  json_t *list = json_array();
  json_t *root = json_pack("{s:s,s:o,s:I,s:I,s:o}", "cpu", r->cpu_name, "libsodium_scalarmult_ns",
                           number(r->scalarmult_ns.median), "payload_bytes", (json_int_t)o->payload, "hops",
                           (json_int_t)o->hops, "backends", list);
  int err = root == NULL;

  for (size_t i = 0; i < r->backends && err == 0; i++)
    err |= add_backend(list, o, &r->backend[i]);
  if (err == 0) {
    err |= json_object_set_new(root, "libsodium_scalarmult_spread", range(r->scalarmult_ns));
    err |= json_object_set_new(root, "libsodium_version", json_string(sodium_version_string()));
    err |= json_object_set_new(root, "point_check_ns", number(r->point_check_ns.median));
    err |= json_object_set_new(root, "packet_bytes",
                               json_integer((json_int_t)(TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + o->payload)));
    err |= json_object_set_new(root, "runs", json_integer((json_int_t)o->runs));
    err |= json_object_set_new(root, "pinned_cpu", r->cpu >= 0 ? json_integer(r->cpu) : json_null());
  }
  if (err == 0)
    return root;
  json_decref(root);
  return NULL;
}

int tm_bench_sphinx_print_json(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  return tm_bench_print_json(report_json(o, r), 12);
}
