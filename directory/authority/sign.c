#include "config.h"

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "directory/note.h"
#include "directory/parse.h"

#include "directory/authority/authority.h"

#define KEY_FILE_MAX 1024

struct arguments {
  const char *key, *out, *document;
};

static const struct argp_option options[] = {
  {"key", 'k', "FILE", 0, "This authority's secret key, NAME.key of keygen", 0},
  {"output", 'o', "FILE", 0, "Where to write the signed document; by default its own file, - for standard output", 0},
  {0},
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  struct arguments *a = state->input;

  switch (key) {
  case 'k':
    a->key = arg;
    return 0;
  case 'o':
    a->out = arg;
    return 0;
  case ARGP_KEY_ARG:
    if (a->document != NULL)
      argp_error(state, "\"%s\" is one argument too many", arg);
    a->document = arg;
    return 0;
  case ARGP_KEY_END:
    if (a->key == NULL || a->document == NULL)
      argp_error(state, "--key and a document are needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int read_key(const struct tm_command_call *call, const char *path, struct tm_note_signer *signer)
{
  struct stat st;
  char *text;
  size_t len;
  int err;

  if (tm_authority_read(call, path, KEY_FILE_MAX, &text, &len) != 0)
    return TM_EXIT_FAILED;
  err = tm_note_signer_parse(signer, text, len > 0 && text[len - 1] == '\n' ? len - 1 : len);
  tm_file_free((uint8_t *)text, len);
  if (err != TM_OK)
    return tm_command_fail(call, "%s: this is no secret key of an authority: name the .key file that keygen made",
                           path);
  if (stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
    sodium_memzero(signer, sizeof *signer);
    return tm_command_fail(call, "%s: others can read this secret: run  chmod 600 %s  and think about who may have",
                           path, path);
  }
  return 0;
}

/* Where the text ends: before the blank line and the signatures, if there are any. */
static size_t text_length(const char *bytes, size_t len)
{
  uint32_t signers;
  size_t text_len;

  return tm_note_open(bytes, len, NULL, 0, &text_len, &signers) == TM_OK ? text_len : len;
}

/* Signs only what clients would accept. */
static int sign(const struct tm_command_call *call, const struct arguments *a, const struct tm_note_signer *signer,
                const char *bytes, size_t len)
{
  struct tm_document *doc;
  struct tm_fault fault;
  char *note;
  size_t note_len;
  int err = tm_document_parse(&doc, bytes, text_length(bytes, len), &fault);
  int failed;

  tm_document_free(doc);
  if (err != TM_OK)
    return tm_authority_fault(call, a->document, err, &fault);
  err = tm_note_sign(signer, bytes, len, &note, &note_len);
  if (err == TM_OK && note_len > TM_DOCUMENT_MAX)
    err = TM_E_TOO_BIG;
  if (err == TM_OK)
    failed = tm_authority_write(call, a->out != NULL ? a->out : a->document, 0644, note, note_len);
  else
    failed = tm_command_fail(call, "%s: cannot be signed: %s", a->document, tm_strerror(err));
  free(note);
  return failed;
}

int tm_authority_sign(const struct tm_command_call *call)
{
  struct arguments a = {0};
  struct tm_note_signer signer;
  char *bytes = NULL;
  size_t len = 0;
  int failed;

  tm_command_parse(call, options, on_option, &a);
  failed = tm_authority_read(call, a.document, TM_DOCUMENT_MAX, &bytes, &len);
  if (!failed)
    failed = read_key(call, a.key, &signer);
  if (!failed) {
    failed = sign(call, &a, &signer, bytes, len);
    sodium_memzero(&signer, sizeof signer);
  }
  tm_file_free((uint8_t *)bytes, len);
  return failed;
}
