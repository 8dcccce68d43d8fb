#include "config.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"

#include "client/passphrase.h"

struct tm_passphrase *tm_passphrase_new(void)
{
  struct tm_passphrase *p = sodium_malloc(sizeof *p);

  if (p != NULL)
    memset(p, 0, sizeof *p);
  return p;
}

void tm_passphrase_free(struct tm_passphrase *p) { sodium_free(p); }

int tm_passphrase_from_file(const char *path, struct tm_passphrase *p)
{
  uint8_t *data = NULL;
  size_t len = 0;
  size_t used;
  int err = tm_file_read(path, TM_PASSPHRASE_MAX + 2, &data, &len);

  if (err != TM_OK)
    return err;
  used = len;
  if (used > 0 && data[used - 1] == '\n')
    used--;
  if (used > 0 && data[used - 1] == '\r')
    used--;
  if (used > TM_PASSPHRASE_MAX)
    err = TM_E_TOO_BIG;
  else if (memchr(data, '\n', used) != NULL || memchr(data, '\0', used) != NULL)
    err = TM_E_SYNTAX;
  else {
    memcpy(p->text, data, used);
    p->text[used] = '\0';
  }
  tm_file_free(data, len);
  return err;
}

/* ---- the terminal ---- */

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define N_FATAL (sizeof fatal / sizeof fatal[0])
static volatile sig_atomic_t caught;

static void on_signal(int number) { caught = number; }

static void catch_signals(struct sigaction old[static N_FATAL])
{
  struct sigaction act = {.sa_handler = on_signal};

  caught = 0;
  for (size_t i = 0; i < N_FATAL; i++)
    sigaction(fatal[i], &act, &old[i]);
}

static void restore_signals(const struct sigaction old[static N_FATAL])
{
  for (size_t i = 0; i < N_FATAL; i++)
    sigaction(fatal[i], &old[i], NULL);
}

/* One line; a longer one is read to its end, and refused. */
static int read_line(int fd, char *text, size_t cap)
{
  size_t len = 0;
  bool over = false;

  for (;;) {
    char c = '\0';
    ssize_t n = read(fd, &c, 1);
    if (n < 0)
      return errno == EINTR ? TM_E_CLOSED : TM_E_IO;
    if (n == 0 && len == 0)
      return TM_E_CLOSED;
    if (n == 0 || c == '\n')
      break;
    if (len + 1 >= cap || c == '\0')
      over = true;
    else
      text[len++] = c;
  }
  text[len] = '\0';
  return over ? TM_E_TOO_BIG : TM_OK;
}

static void say(int fd, const char *text)
{
  if (write(fd, text, strlen(text)) < 0) {
    /* A terminal that takes no text: reading from it will fail as well. */
  }
}

static int ask(int fd, const char *prompt, int echo, char *text, size_t cap)
{
  struct termios before;
  struct termios quiet;
  int err;

  if (tcgetattr(fd, &before) != 0)
    return TM_E_STATE;
  quiet = before;
  quiet.c_lflag |= ICANON;
  if (!echo)
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
  say(fd, prompt);
  tcsetattr(fd, TCSAFLUSH, &quiet);
  err = read_line(fd, text, cap);
  tcsetattr(fd, TCSANOW, &before);
  if (!echo || err != TM_OK)
    say(fd, "\n");
  return err;
}

int tm_secret_ask(const char *prompt, int echo, char *text, size_t cap)
{
  struct sigaction old[N_FATAL];
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  int err;

  if (fd < 0)
    return TM_E_STATE;
  do {
    catch_signals(old);
    err = ask(fd, prompt, echo, text, cap);
    restore_signals(old);
    if (caught != 0)
      raise(caught);
  } while (caught == SIGTSTP); /* stopped and back: ask again */
  if (err != TM_OK)
    sodium_memzero(text, cap);
  close(fd);
  return err;
}

int tm_passphrase_ask(const char *prompt, struct tm_passphrase *p) { return tm_secret_ask(prompt, 0, p->text, sizeof p->text); }
