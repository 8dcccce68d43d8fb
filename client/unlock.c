#include "config.h"

#include <unistd.h>

#include <string.h>

#include "base/file.h"
#include "client/terminal.h"

#include "client/unlock.h"

int tm_unlock_file(const char *path, struct tm_passphrase *p, struct tm_failure *failure)
{
  int err = tm_passphrase_from_file(path, p);

  if (err == TM_E_SYNTAX || err == TM_E_TOO_BIG)
    tm_failure_set(failure, "passphrase", "The passphrase file %s must hold one line of at most %d bytes.", path, TM_PASSPHRASE_MAX);
  else if (err == TM_E_IO || err == TM_E_NOT_FOUND)
    tm_failure_set(failure, "passphrase", "The passphrase file %s cannot be read: %s.", path, tm_file_reason(err));
  else if (err != TM_OK)
    tm_failure_set(failure, "no-memory", "Out of memory.");
  return err;
}

static int next_asked(const struct tm_unlock *u, struct tm_passphrase *p, struct tm_failure *failure)
{
  struct tm_bar waiting = {.shown = isatty(STDERR_FILENO) != 0}; /* our caller may have said that the daemon starts */
  int err;

  if (u->tries > TM_UNLOCK_ASKS) {
    tm_failure_set(failure, "passphrase", "The passphrase is wrong.");
    return TM_E_AUTH;
  }
  tm_bar_clear(&waiting);
  err = tm_passphrase_ask(u->tries == 1 ? "Passphrase: " : "That was wrong. Passphrase: ", p);
  if (err == TM_E_STATE)
    tm_failure_set(failure, "passphrase", "The state is sealed under a passphrase and there is no terminal to ask for it. "
                                          "Name a file with --passphrase-file or $TIDEMILL_PASSPHRASE_FILE.");
  else if (err == TM_E_TOO_BIG)
    tm_failure_set(failure, "passphrase", "A passphrase has at most %d bytes.", TM_PASSPHRASE_MAX);
  else if (err != TM_OK)
    tm_failure_set(failure, "passphrase", "No passphrase was given.");
  return err;
}

int tm_unlock_next(void *arg, bool wrong, struct tm_passphrase *p, struct tm_failure *failure)
{
  struct tm_unlock *u = arg;
  int err = TM_OK;

  if (u->file == NULL && u->tries > 0) {
    err = next_asked(u, p, failure);
  } else if (u->file == NULL) {
    p->text[0] = '\0';
  } else if (wrong) {
    tm_failure_set(failure, "passphrase", "The passphrase in %s is wrong.", u->file);
    err = TM_E_AUTH;
  } else {
    err = tm_unlock_file(u->file, p, failure);
  }
  u->tries++;
  return err;
}
