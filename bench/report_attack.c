/* The experiment of the (n-1) attack, told. */
#include "config.h"

#include <stdio.h>

#include "bench/attack.h"
#include "bench/json.h"

static void print_row(const struct tm_anonymity_options *o, enum tm_attack attack, const struct tm_attack_result *r)
{
  printf("| %s | %s |", o->strategy->name, tm_attack_names[attack]);
  for (int d = 0; d < TM_DEFENCES; d++) {
    if (r[d].applies)
      printf(" %.2f |", r[d].success);
    else
      printf(" - |");
  }
  printf("\n");
}

static json_t *number(double v) { return tm_bench_number(v, 6); }

static int add_json(json_t *list, const struct tm_anonymity_options *o, enum tm_attack attack, const struct tm_attack_result *r)
{
  int err = 0;

  for (int d = 0; d < TM_DEFENCES; d++)
    if (r[d].applies)
      err |= json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "strategy", o->strategy->name, "attack",
                                                   tm_attack_names[attack], "defence", tm_defence_names[d], "success",
                                                   number(r[d].success), "unseen", number(r[d].unseen), "seconds",
                                                   number(r[d].seconds)));
  return err;
}

static int all(const struct tm_anonymity_options *options, json_t *list)
{
  struct tm_anonymity_options o = tm_attack_options(options);
  struct tm_attack_result r[TM_DEFENCES];

  for (size_t i = 0; tm_mix_strategies[i] != NULL; i++)
    for (int attack = 0; attack < TM_ATTACKS; attack++) {
      o.strategy = tm_mix_strategies[i];
      for (int d = 0; d < TM_DEFENCES; d++) {
        int err = tm_attack_run(&r[d], &o, (enum tm_attack)attack, (enum tm_defence)d, o.trials);
        if (err != TM_OK)
          return err;
      }
      if (list == NULL)
        print_row(&o, (enum tm_attack)attack, r);
      else if (add_json(list, &o, (enum tm_attack)attack, r) != 0)
        return TM_E_NOMEM;
    }
  return TM_OK;
}

int tm_attack_command(const struct tm_command_call *call, const struct tm_anonymity_options *o)
{
  json_t *list = NULL;
  int err, printed = TM_OK;

  if (o->json && (list = json_array()) == NULL)
    return tm_command_fail(call, "%s", tm_strerror(TM_E_NOMEM));
  if (!o->json)
    printf("Share of %zu targets that the adversary found, by what the relay does against it.\n\n"
           "| strategy | attack | none | cover | floor | hold | all |\n| --- | --- | --- | --- | --- | --- | --- |\n", o->trials);
  err = all(o, list);
  if (err != TM_OK) {
    json_decref(list);
    return tm_command_fail(call, "%s", tm_strerror(err));
  }
  if (list != NULL)
    printed = tm_bench_print_json(list, 12);
  if (printed != TM_OK || fflush(stdout) != 0 || ferror(stdout))
    return tm_command_fail(call, "standard output: %s", tm_strerror(TM_E_IO));
  return TM_EXIT_OK;
}
