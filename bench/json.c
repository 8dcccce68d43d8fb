#include "config.h"

#include <math.h>
#include <stdio.h>

#include "bench/json.h"

json_t *tm_bench_number(double v, unsigned decimals)
{
  double unit = pow(10, decimals);

  return isfinite(v) ? json_real(round(v * unit) / unit) : json_null();
}

int tm_bench_print_json(json_t *root, size_t digits)
{
  int err;

  if (root == NULL)
    return TM_E_NOMEM;
  err = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
  json_decref(root);
  return err == 0 && putchar('\n') != EOF ? TM_OK : TM_E_IO;
}
