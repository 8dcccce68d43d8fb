#include "config.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/local_socket.h"
#include "relay/control.h"

#include "relay/status_ask.h"

#define PATIENCE_S 10
#define REQUEST "{\"op\":\"status\"}\n"

static int fail_connect(const char *path, char why[static TM_STATUS_REASON_MAX])
{
  int err = errno == ENOENT || errno == ECONNREFUSED ? TM_E_NOT_FOUND : errno == EACCES || errno == EPERM ? TM_E_AUTH : TM_E_IO;

  if (err == TM_E_NOT_FOUND)
    snprintf(why, TM_STATUS_REASON_MAX, "the relay does not run: nobody answers at %s", path);
  else if (err == TM_E_AUTH)
    snprintf(why, TM_STATUS_REASON_MAX, "only the relay's own user and root may ask it (%s)", path);
  else
    snprintf(why, TM_STATUS_REASON_MAX, "%s: %s", path, strerror(errno));
  return err;
}

/* One request, and the line that comes back, without its end. */
static int exchange(int fd, char *line, size_t cap, size_t *len)
{
  const struct timeval patience = {.tv_sec = PATIENCE_S};

  *len = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return TM_E_IO;
  if (send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1)
    return errno == EPIPE || errno == ECONNRESET ? TM_E_CLOSED : errno == EAGAIN ? TM_E_TIMEOUT : TM_E_IO;
  while (*len < cap) {
    ssize_t n = recv(fd, line + *len, cap - *len, 0);
    char *end;
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0 || errno == ECONNRESET ? TM_E_CLOSED : errno == EAGAIN ? TM_E_TIMEOUT : TM_E_IO;
    end = memchr(line + *len, '\n', (size_t)n);
    *len += (size_t)n;
    if (end != NULL) {
      *len = (size_t)(end - line);
      return TM_OK;
    }
  }
  return TM_E_TOO_BIG;
}

static int take(const char *line, size_t len, json_t **status)
{
  json_t *answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
  bool good = json_is_true(json_object_get(answer, "ok")) && json_is_object(json_object_get(answer, "status"));

  *status = good ? json_incref(json_object_get(answer, "status")) : NULL;
  json_decref(answer);
  return good ? TM_OK : TM_E_SYNTAX;
}

static int explain(int err, char why[static TM_STATUS_REASON_MAX])
{
  if (err == TM_E_CLOSED)
    snprintf(why, TM_STATUS_REASON_MAX, "the relay hung up: it is ending, this is not its user, or too many ask at once");
  else if (err == TM_E_TIMEOUT)
    snprintf(why, TM_STATUS_REASON_MAX, "the relay does not answer; it gives no sign for %d s", PATIENCE_S);
  else if (err == TM_E_SYNTAX || err == TM_E_TOO_BIG)
    snprintf(why, TM_STATUS_REASON_MAX, "what answers is no relay of this version");
  else
    snprintf(why, TM_STATUS_REASON_MAX, "%s", err == TM_E_IO ? strerror(errno) : "out of memory");
  return err;
}

int tm_status_ask(const struct tm_relay_config *config, json_t **status, char why[static TM_STATUS_REASON_MAX])
{
  char path[TM_OPTION_PATH_MAX + 16];
  char *line;
  size_t len;
  int fd, err;

  *status = NULL;
  if (config->control_socket != NULL)
    snprintf(path, sizeof path, "%s", config->control_socket);
  else
    snprintf(path, sizeof path, "%s/%s", config->state_dir, TM_RELAY_CONTROL_SOCKET);
  fd = tm_local_socket_connect(path);
  if (fd < 0)
    return fail_connect(path, why);
  line = malloc(TM_RELAY_CONTROL_ANSWER_MAX + 1);
  err = line == NULL ? TM_E_NOMEM : exchange(fd, line, TM_RELAY_CONTROL_ANSWER_MAX + 1, &len);
  if (err == TM_OK)
    err = take(line, len, status);
  if (err != TM_OK)
    explain(err, why);
  free(line);
  close(fd);
  return err;
}
