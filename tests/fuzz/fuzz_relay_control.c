/*
 * Bytes on a relay's control socket: requests are found the same however the bytes are cut, each line is judged alone, and every mistake has an answer
 * that is JSON. The first byte of an input says how it is cut.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "relay/control_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void check_complaint(int err)
{
  const char *line = tm_relay_control_complaint(err);
  json_t *answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

  require(err == TM_E_SYNTAX || err == TM_E_TOO_BIG || err == TM_E_UNKNOWN);
  require(json_is_false(json_object_get(answer, "ok")) && json_is_string(json_object_get(json_object_get(answer, "error"), "code")));
  require(strchr(line, '\n') == line + strlen(line) - 1);
  json_decref(answer);
}

static void run(const uint8_t *data, size_t len, size_t cut, size_t *requests, size_t *taken, int *err)
{
  struct tm_relay_control_reader *reader = calloc(1, sizeof *reader);

  require(reader != NULL);
  *requests = *taken = 0;
  *err = TM_OK;
  while (*taken < len && *err == TM_OK) {
    enum tm_relay_control_op op = TM_RELAY_CONTROL_STATUS;
    size_t n = len - *taken < cut ? len - *taken : cut, used = 0;
    uint8_t *piece = malloc(n); /* of its very size, so that a sanitizer sees a step beyond */
    bool whole = false;
    require(piece != NULL);
    memcpy(piece, data + *taken, n);
    *err = tm_relay_control_take(reader, piece, n, &used, &op, &whole);
    free(piece);
    require(used <= n && (*err != TM_OK || used > 0) && (!whole || (*err == TM_OK && op == TM_RELAY_CONTROL_STATUS)));
    require(reader->len <= sizeof reader->line);
    *taken += used;
    *requests += whole;
  }
  if (*err != TM_OK)
    check_complaint(*err);
  free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  size_t requests[2], taken[2];
  int err[2];

  if (len == 0)
    return 0;
  run(data + 1, len - 1, SIZE_MAX, &requests[0], &taken[0], &err[0]);
  run(data + 1, len - 1, (size_t)data[0] + 1, &requests[1], &taken[1], &err[1]);
  require(requests[0] == requests[1] && err[0] == err[1]);
  require(err[0] == TM_E_TOO_BIG || taken[0] == taken[1]);
  return 0;
}
