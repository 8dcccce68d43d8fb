#include "config.h"

#include "relay/alarm.h"

/* So many loops take longer than so many mean times once in 20,000 loops. */
static const struct {
  size_t loops;
  double times;
} limits[] = {{1, 10}, {8, 24}, {TM_ALARM_LOOPS, 60}};

void tm_alarm_init(struct tm_alarm *alarm, double mean, uint64_t from)
{
  alarm->mean = mean;
  alarm->next = 0;
  for (size_t i = 0; i < TM_ALARM_LOOPS; i++)
    alarm->home[i] = from;
}

void tm_alarm_home(struct tm_alarm *alarm, uint64_t now)
{
  alarm->home[alarm->next] = now;
  alarm->next = (alarm->next + 1) % TM_ALARM_LOOPS;
}

uint64_t tm_alarm_due(const struct tm_alarm *alarm)
{
  uint64_t due = UINT64_MAX;

  for (size_t i = 0; i < sizeof limits / sizeof limits[0] && alarm->mean > 0; i++) {
    uint64_t since = alarm->home[(alarm->next + TM_ALARM_LOOPS - limits[i].loops) % TM_ALARM_LOOPS];
    uint64_t at = since + (uint64_t)(limits[i].times * alarm->mean);
    if (at < due)
      due = at;
  }
  return due;
}

bool tm_alarm_is_raised(const struct tm_alarm *alarm, uint64_t now) { return now >= tm_alarm_due(alarm); }
