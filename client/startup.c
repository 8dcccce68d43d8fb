#include "config.h"

#include <poll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "base/wire.h"

#include "client/startup.h"

static int send_all(int fd, const void *data, size_t len)
{
  const uint8_t *at = data;

  while (len > 0) {
    ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return errno == EPIPE || errno == ECONNRESET ? TM_E_CLOSED : TM_E_IO;
    at += n;
    len -= (size_t)n;
  }
  return TM_OK;
}

/* wait_ms: for each piece; -1: without end. */
static int receive_all(int fd, void *data, size_t len, int wait_ms)
{
  uint8_t *at = data;

  while (len > 0) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready = poll(&p, 1, wait_ms);
    ssize_t n;
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      return ready == 0 ? TM_E_TIMEOUT : TM_E_IO;
    n = recv(fd, at, len, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
      return TM_E_CLOSED;
    if (n < 0)
      return TM_E_IO;
    at += n;
    len -= (size_t)n;
  }
  return TM_OK;
}

int tm_startup_send_passphrase(int fd, const struct tm_passphrase *p)
{
  uint8_t message[2 + TM_PASSPHRASE_MAX];
  size_t len = strlen(p->text);
  struct tm_writer w = tm_writer_init(message, sizeof message);
  int err;

  tm_write_u16(&w, (uint16_t)len);
  tm_write_bytes(&w, p->text, len);
  err = send_all(fd, message, w.at);
  sodium_memzero(message, sizeof message);
  return err;
}

int tm_startup_receive_passphrase(int fd, struct tm_passphrase *p)
{
  uint8_t head[2] = {0};
  size_t len;
  int err = receive_all(fd, head, sizeof head, -1);

  len = (size_t)head[0] << 8 | head[1];
  if (err == TM_OK && len > TM_PASSPHRASE_MAX)
    err = TM_E_SYNTAX;
  if (err == TM_OK)
    err = receive_all(fd, p->text, len, TM_STARTUP_WAIT_MS);
  p->text[err == TM_OK ? len : 0] = '\0';
  return err;
}

int tm_startup_report(int fd, enum tm_startup result, const struct tm_failure *failure)
{
  uint8_t byte = (uint8_t)result;
  int err = send_all(fd, &byte, 1);

  if (err == TM_OK && result == TM_STARTUP_FAILED)
    err = send_all(fd, failure, sizeof *failure);
  return err;
}

int tm_startup_await(int fd, enum tm_startup *result, struct tm_failure *failure)
{
  uint8_t byte = 0;
  int err = receive_all(fd, &byte, 1, TM_STARTUP_WAIT_MS);

  if (err == TM_OK && (byte < TM_STARTUP_READY || byte > TM_STARTUP_FAILED))
    err = TM_E_SYNTAX;
  if (err == TM_OK && byte == TM_STARTUP_FAILED) {
    err = receive_all(fd, failure, sizeof *failure, TM_STARTUP_WAIT_MS);
    failure->code[sizeof failure->code - 1] = '\0';
    failure->text[sizeof failure->text - 1] = '\0';
  }
  *result = (enum tm_startup)byte;
  return err;
}
