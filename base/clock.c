#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

#include "base/clock.h"

static uint64_t read_ms(clockid_t id)
{
  struct timespec t;

  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t system_mono(void *ctx)
{
  (void)ctx;
  return read_ms(CLOCK_MONOTONIC);
}

static uint64_t system_wall(void *ctx)
{
  (void)ctx;
  return read_ms(CLOCK_REALTIME);
}

const struct tm_clock tm_clock_system = {system_mono, system_wall, NULL};

static uint64_t virtual_mono(void *ctx) { return ((struct tm_clock_virtual *)ctx)->mono_ms; }
static uint64_t virtual_wall(void *ctx) { return ((struct tm_clock_virtual *)ctx)->wall_ms; }

struct tm_clock tm_clock_virtual_init(struct tm_clock_virtual *v, uint64_t wall_ms)
{
  v->mono_ms = 0;
  v->wall_ms = wall_ms;
  return (struct tm_clock){virtual_mono, virtual_wall, v};
}

void tm_clock_virtual_advance(struct tm_clock_virtual *v, uint64_t ms)
{
  v->mono_ms += ms;
  v->wall_ms += ms;
}

void tm_time_format(uint64_t unix_s, char text[TM_TIME_TEXT_LEN])
{
  time_t t = unix_s > 253402300799u ? 253402300799 : (time_t)unix_s;
  struct tm parts;

  gmtime_r(&t, &parts);
  if (strftime(text, TM_TIME_TEXT_LEN, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    text[0] = '\0';
}

int tm_time_parse(const char *text, uint64_t *unix_s)
{
  static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
  char again[TM_TIME_TEXT_LEN];
  struct tm parts = {0};
  time_t t;

  *unix_s = 0;
  if (strlen(text) != TM_TIME_TEXT_LEN - 1)
    return TM_E_SYNTAX;
  for (size_t i = 0; form[i] != '\0'; i++) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == 'd' ? !digit : text[i] != form[i])
      return TM_E_SYNTAX;
  }
  if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
             &parts.tm_min, &parts.tm_sec) != 6)
    return TM_E_SYNTAX;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  t = timegm(&parts);
  if (t < 0)
    return TM_E_SYNTAX;
  /* timegm accepts 31 April; only a date that comes out as it went in is one. */
  tm_time_format((uint64_t)t, again);
  if (strcmp(again, text) != 0)
    return TM_E_SYNTAX;
  *unix_s = (uint64_t)t;
  return TM_OK;
}
