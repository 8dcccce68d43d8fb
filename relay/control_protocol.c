#include "config.h"

#include <string.h>

#include <jansson.h>

#include "relay/control_protocol.h"

static int parse(const char *line, size_t len, enum tm_relay_control_op *op)
{
  json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
  const char *name = json_string_value(json_object_get(request, "op"));
  int err = name == NULL ? TM_E_SYNTAX : strcmp(name, "status") == 0 ? TM_OK : TM_E_UNKNOWN;

  json_decref(request);
  *op = TM_RELAY_CONTROL_STATUS;
  return err;
}

int tm_relay_control_take(struct tm_relay_control_reader *reader, const void *data, size_t len, size_t *used, enum tm_relay_control_op *op,
                          bool *whole)
{
  const char *end = memchr(data, '\n', len);
  size_t n = end == NULL ? len : (size_t)(end - (const char *)data);
  int err;

  *used = 0;
  *whole = false;
  if (n > sizeof reader->line - reader->len)
    return TM_E_TOO_BIG;
  if (n > 0)
    memcpy(reader->line + reader->len, data, n);
  reader->len += n;
  *used = n + (end != NULL);
  if (end == NULL)
    return TM_OK;
  err = parse(reader->line, reader->len, op);
  reader->len = 0;
  *whole = err == TM_OK;
  return err;
}

const char *tm_relay_control_complaint(int err)
{
  switch (err) {
  case TM_E_TOO_BIG:
    return "{\"ok\":false,\"error\":{\"code\":\"too-big\",\"message\":\"a request has at most 1024 bytes\"}}\n";
  case TM_E_UNKNOWN:
    return "{\"ok\":false,\"error\":{\"code\":\"unknown\",\"message\":\"the relay knows no such request\"}}\n";
  default:
    return "{\"ok\":false,\"error\":{\"code\":\"syntax\",\"message\":\"a request is a line like {\\\"op\\\": \\\"status\\\"}\"}}\n";
  }
}
