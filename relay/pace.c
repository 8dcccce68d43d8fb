#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "relay/pace.h"

#define US_PER_MS 1000

void tm_pace_start(struct tm_pace *pace, uint32_t interval_us, uint64_t now_ms)
{
  *pace = (struct tm_pace){.interval_us = interval_us, .next_us = now_ms * US_PER_MS + interval_us};
}

size_t tm_pace_beats(struct tm_pace *pace, uint64_t now_ms)
{
  uint64_t now_us = now_ms * US_PER_MS, beats, most;

  if (pace->interval_us == 0 || now_us < pace->next_us)
    return 0;
  beats = (now_us - pace->next_us) / pace->interval_us + 1;
  pace->next_us += beats * pace->interval_us;
  most = TM_PACE_MISSED_MS * US_PER_MS / pace->interval_us;
  if (most == 0)
    most = 1;
  return (size_t)(beats < most ? beats : most);
}

int tm_pace_queue_init(struct tm_pace_queue *queue, size_t cap)
{
  uint8_t *cells = calloc(cap, TM_CELL_LEN);

  if (cells == NULL)
    return TM_E_NOMEM;
  *queue = (struct tm_pace_queue){.cells = cells, .cap = cap};
  return TM_OK;
}

void tm_pace_queue_free(struct tm_pace_queue *queue)
{
  free(queue->cells);
  memset(queue, 0, sizeof *queue);
}

uint8_t *tm_pace_queue_add(struct tm_pace_queue *queue)
{
  if (queue->n == queue->cap)
    return NULL;
  return queue->cells + (queue->first + queue->n++) % queue->cap * TM_CELL_LEN;
}

const uint8_t *tm_pace_queue_first(const struct tm_pace_queue *queue)
{
  return queue->n == 0 ? NULL : queue->cells + queue->first * TM_CELL_LEN;
}

void tm_pace_queue_drop(struct tm_pace_queue *queue)
{
  queue->first = (queue->first + 1) % queue->cap;
  queue->n--;
}
