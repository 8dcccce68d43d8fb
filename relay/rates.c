#include "config.h"

#include <string.h>

#include "relay/rates.h"

void tm_rates_note(struct tm_rates *rates, uint64_t now_ms, const uint64_t total[static TM_RATES])
{
  size_t at = rates->n % TM_RATES_KEPT;

  if (rates->n > 0 && now_ms - rates->kept[(rates->n - 1) % TM_RATES_KEPT].at_ms < TM_RATES_EVERY_MS)
    return;
  rates->kept[at].at_ms = now_ms;
  memcpy(rates->kept[at].total, total, sizeof rates->kept[at].total);
  rates->n++;
}

uint64_t tm_rates_over(const struct tm_rates *rates, uint64_t now_ms, const uint64_t total[static TM_RATES], double rate[static TM_RATES])
{
  size_t oldest = rates->n < TM_RATES_KEPT ? 0 : rates->n % TM_RATES_KEPT;
  uint64_t ms = rates->n == 0 ? 0 : now_ms - rates->kept[oldest].at_ms;

  for (size_t i = 0; i < TM_RATES; i++)
    rate[i] = ms == 0 ? 0 : (double)(total[i] - rates->kept[oldest].total[i]) * 1000 / (double)ms;
  return ms;
}
