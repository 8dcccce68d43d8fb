/* How tidemill-bench anonymity tells what it measured. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "bench/bench_anonymity.h"
#include "bench/json.h"

static void print_bits(const char *what, const struct tm_anonymity_bits *b)
{
  printf("%-12s Shannon %.3f, min-entropy %.3f; of 5 in 100 packets Shannon at most %.3f, of half at most %.3f\n", what, b->shannon,
         b->min, b->p5, b->p50);
}

void tm_anonymity_print_table(const struct tm_anonymity_options *o, const struct tm_anonymity *a)
{
  printf("strategy     %s\n", o->strategy->name);
  if (o->layers * o->width > 1)
    printf("network      %zu layer%s of %zu, %u in 100 relays corrupt\n", o->layers, o->layers == 1 ? "" : "s", o->width, o->corrupt);
  printf("traffic      %g packets/s, %zu packets, seed %llu; in a relay %.1f on average when one leaves\n", o->rate, o->packets,
         (unsigned long long)o->seed, a->pool);
  print_bits("bits", &a->bits);
  if (a->dummies)
    print_bits("  recognised", &a->recognised);
  if (!isnan(a->closed_form))
    printf("closed form  Shannon %.3f\n", a->closed_form);
  printf("delay        mean %.4g s; 50%% %.4g, 90%% %.4g, 99%% %.4g, 99.9%% %.4g s\n", a->mean_delay, a->delay[0], a->delay[1], a->delay[2],
         a->delay[3]);
  printf("looked at    %zu packets that left\n", a->samples);
}

static json_t *number(double v) { return tm_bench_number(v, 6); }

static json_t *bits(const struct tm_anonymity_bits *b)
{
  return json_pack("{s:o,s:o,s:o,s:o,s:o}", "shannon_bits", number(b->shannon), "min_entropy_bits", number(b->min), "p5", number(b->p5),
                   "p50", number(b->p50), "surprise_bits", number(b->surprise));
}

static json_t *report(const struct tm_anonymity_options *o, const struct tm_anonymity *a)
{
  json_t *root = json_pack("{s:s,s:o,s:o,s:o,s:o}", "strategy", o->strategy->name, "shannon_bits", number(a->bits.shannon),
                           "min_entropy_bits", number(a->bits.min), "mean_delay", number(a->mean_delay), "closed_form_bits",
                           number(a->closed_form));
  int err = root == NULL;

  if (err == 0) {
    err |= json_object_set_new(root, "delay", json_pack("{s:o,s:o,s:o,s:o}", "p50", number(a->delay[0]), "p90", number(a->delay[1]),
                                                        "p99", number(a->delay[2]), "p999", number(a->delay[3])));
    err |= json_object_set_new(root, "entropy", bits(&a->bits));
    err |= json_object_set_new(root, "dummies_recognised", a->dummies ? bits(&a->recognised) : json_null());
    err |= json_object_set_new(root, "mean_pool", number(a->pool));
    err |= json_object_set_new(root, "layers", json_integer((json_int_t)o->layers));
    err |= json_object_set_new(root, "width", json_integer((json_int_t)o->width));
    err |= json_object_set_new(root, "corrupt_percent", json_integer((json_int_t)o->corrupt));
    err |= json_object_set_new(root, "packets", json_integer((json_int_t)o->packets));
    err |= json_object_set_new(root, "traced", json_integer((json_int_t)a->samples));
    err |= json_object_set_new(root, "seed", json_integer((json_int_t)o->seed));
  }
  if (err == 0)
    return root;
  json_decref(root);
  return NULL;
}

int tm_anonymity_print_json(const struct tm_anonymity_options *o, const struct tm_anonymity *a)
{
  return tm_bench_print_json(report(o, a), 12);
}
