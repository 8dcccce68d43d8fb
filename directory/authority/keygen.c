#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/rng.h"
#include "directory/note.h"

#include "directory/authority/authority.h"

#define FILE_NAME_MAX 4096

struct arguments {
  const char *name;
  const char *out;
};

static const struct argp_option options[] = {
  {"name", 'n', "NAME", 0, "Name of the authority, as signature lines show it: letters, digits, '.', '_' and '-'", 0},
  {"out", 'o', "DIR", 0, "Directory for the two files; made with mode 0700 if it is not there", 0},
  {0},
};

/* Names that are safe in file names and on terminals. */
static int name_is_good(const char *name)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  size_t len = strlen(name);

  return len > 0 && len <= TM_NOTE_NAME_MAX && name[0] != '.' && name[0] != '-' && strspn(name, allowed) == len;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  struct arguments *a = state->input;

  switch (key) {
  case 'n':
    a->name = arg;
    if (!name_is_good(arg))
      argp_error(state, "--name: use 1 to %d letters, digits, '.', '_' and '-', and begin with none of '.' and '-'",
                 TM_NOTE_NAME_MAX);
    return 0;
  case 'o':
    a->out = arg;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  case ARGP_KEY_END:
    if (a->name == NULL || a->out == NULL)
      argp_error(state, "--name and --out are needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int refuse_existing(const struct tm_command_call *call, const char *path)
{
  struct stat st;

  if (lstat(path, &st) == 0)
    return tm_command_fail(
        call, "%s is already there: keep it, or move it away first; a lost key means a new trust file for everybody",
        path);
  return 0;
}

static int write_keys(const struct tm_command_call *call, const struct arguments *a,
                      const struct tm_note_signer *signer)
{
  char path[2][FILE_NAME_MAX];
  char secret[TM_NOTE_SIGNER_LEN + 1];
  char verifier[TM_NOTE_VERIFIER_LEN + 1];
  int failed = 0;

  for (int i = 0; i < 2; i++)
    if (snprintf(path[i], sizeof path[i], "%s/%s.%s", a->out, a->name, i == 0 ? "key" : "vkey") >= (int)sizeof path[i])
      return tm_command_fail(call, "--out: the path is too long");
  for (int i = 0; i < 2 && !failed; i++)
    failed = refuse_existing(call, path[i]);
  if (failed)
    return failed;
  tm_note_signer_format(signer, secret);
  strcat(secret, "\n");
  tm_note_key_format(&signer->pub, verifier);
  strcat(verifier, "\n");
  failed = tm_authority_write(call, path[0], 0600, secret, strlen(secret));
  if (!failed)
    failed = tm_authority_write(call, path[1], 0644, verifier, strlen(verifier));
  if (!failed)
    failed = tm_authority_write(call, "-", 0, verifier, strlen(verifier));
  sodium_memzero(secret, sizeof secret);
  return failed;
}

int tm_authority_keygen(const struct tm_command_call *call)
{
  struct arguments a = {0};
  struct tm_note_signer signer;
  uint8_t seed[TM_NOTE_SEED_LEN];
  int failed;

  tm_command_parse(call, options, on_option, &a);
  if (tm_dir_make(a.out) != TM_OK)
    return tm_command_fail(call, "%s: cannot be made or used as a directory: %s", a.out, strerror(errno));
  tm_rng_fill(&tm_rng_system, seed, sizeof seed);
  if (tm_note_signer_make(&signer, a.name, seed) == TM_OK)
    failed = write_keys(call, &a, &signer);
  else
    failed = tm_command_fail(call, "the name cannot stand in a signature line: choose another");
  sodium_memzero(seed, sizeof seed);
  sodium_memzero(&signer, sizeof signer);
  return failed;
}
