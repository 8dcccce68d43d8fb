#include "config.h"

#include "relay/tagging.h"

bool tm_tagging_failed(struct tm_tagging *tagging, uint64_t now_ms)
{
  tm_tagging_watch(tagging, now_ms);
  tagging->failures++;
  tagging->last_ms = now_ms;
  if (!tagging->raised)
    tagging->alarms++;
  tagging->raised = true;
  if (tagging->said && now_ms - tagging->said_ms < TM_TAGGING_SAY_MS)
    return false;
  tagging->said = true;
  tagging->said_ms = now_ms;
  return true;
}

void tm_tagging_watch(struct tm_tagging *tagging, uint64_t now_ms)
{
  if (tagging->raised && now_ms - tagging->last_ms >= TM_TAGGING_QUIET_MS)
    tagging->raised = false;
}
