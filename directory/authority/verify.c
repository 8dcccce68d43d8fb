#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "directory/parse.h"
#include "directory/trust.h"

#include "directory/authority/authority.h"

struct arguments {
  const char *trust, *document;
  uint64_t at; /* unix seconds; 0: now */
};

static const struct argp_option options[] = {
  {"trust", 't', "FILE", 0, "The authorities' verifier keys, one a line", 0},
  {"at", 'a', "TIME", 0, "Judge as of this time, like 2026-11-24T04:00:00Z, instead of now", 0},
  {0},
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  struct arguments *a = state->input;

  switch (key) {
  case 't':
    a->trust = arg;
    return 0;
  case 'a':
    if (tm_time_parse(arg, &a->at) != TM_OK || a->at == 0)
      argp_error(state, "--at: write a time like 2026-11-24T04:00:00Z");
    return 0;
  case ARGP_KEY_ARG:
    if (a->document != NULL)
      argp_error(state, "\"%s\" is one argument too many", arg);
    a->document = arg;
    return 0;
  case ARGP_KEY_END:
    if (a->trust == NULL || a->document == NULL)
      argp_error(state, "--trust and a document are needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int read_trust(const struct tm_command_call *call, const char *path, struct tm_trust **trust)
{
  char *text;
  size_t len;
  int err;

  *trust = NULL;
  if (tm_authority_read(call, path, TM_TRUST_MAX, &text, &len) != 0)
    return TM_EXIT_FAILED;
  err = tm_trust_parse(trust, text, len);
  tm_file_free((uint8_t *)text, len);
  switch (err) {
  case TM_OK:
    return 0;
  case TM_E_NOT_FOUND:
    return tm_command_fail(call, "%s: no authority in it: put one verifier key (a .vkey file) on each line", path);
  case TM_E_EXISTS:
    return tm_command_fail(call, "%s: a name or a key stands twice: remove one", path);
  case TM_E_TOO_BIG:
    return tm_command_fail(call, "%s: more than %d authorities", path, TM_DOCUMENT_AUTHORITIES_MAX);
  case TM_E_SYNTAX:
    return tm_command_fail(
        call, "%s: a line is no verifier key: each looks like name+0123abcd+AbCd..., from a .vkey file", path);
  default:
    return tm_command_fail(call, "%s: %s", path, tm_strerror(err));
  }
}

/* One row for each configured authority: did it sign, and well? */
static void print_signers(const struct tm_trust *trust, const char *bytes, size_t len)
{
  const struct tm_note_key *keys = tm_trust_keys(trust);
  char name[TM_NOTE_NAME_MAX + 1];
  uint8_t id[TM_NOTE_KEY_ID_LEN];
  size_t text_len;
  uint32_t none;
  size_t lines = 0;
  size_t at;
  size_t good = 0;

  if (tm_note_open(bytes, len, NULL, 0, &text_len, &none) != TM_OK)
    text_len = len;
  for (at = text_len; tm_note_next(bytes, len, &at, name, id) == TM_OK; )
    lines++;
  printf("signature lines: %zu\n", lines);
  for (size_t i = 0; i < tm_trust_count(trust); i++) {
    uint32_t signers;
    size_t end;
    int err = tm_note_open(bytes, len, &keys[i], 1, &end, &signers);
    bool well = err == TM_OK && signers == 1;
    const char *word = well ? "signed" : "did not sign";
    if (err == TM_E_SIGNATURE)
      word = "BAD SIGNATURE";
    good += well;
    printf("  %s: %s\n", keys[i].name, word);
  }
  printf("good signatures: %zu of %zu authorities; needed: %zu\n", good, tm_trust_count(trust), tm_trust_needed(trust));
}

static void print_summary(const struct tm_document *doc)
{
  char from[TM_TIME_TEXT_LEN];
  char until[TM_TIME_TEXT_LEN];
  size_t entries = 0;
  size_t stores = 0;
  size_t mixes[TM_DOCUMENT_LAYERS + 1] = {0};

  tm_time_format(doc->valid_from, from);
  tm_time_format(doc->valid_until, until);
  for (size_t i = 0; i < doc->n_relays; i++) {
    entries += (doc->relays[i].roles & TM_ROLE_ENTRY) != 0;
    stores += (doc->relays[i].roles & TM_ROLE_STORE) != 0;
    mixes[doc->relays[i].layer]++;
  }
  printf("network: %s\nvalid: %s to %s\nepoch: %" PRIu64 ", %" PRIu32 " seconds each\n", doc->network, from, until,
         doc->epoch, doc->params.epoch_s);
  printf("relays: %zu (entries %zu, mixes %zu + %zu + %zu, stores %zu), %zu mix keys\n", doc->n_relays, entries,
         mixes[1], mixes[2], mixes[3], stores, doc->n_keys);
}

/* Prints what the text says, and its first fault if it has one, so that a refusal can be understood. */
static int look_inside(const struct tm_command_call *call, const char *path, const char *bytes, size_t len)
{
  struct tm_document *doc;
  struct tm_fault fault;
  size_t text_len;
  uint32_t none;
  int err = tm_note_open(bytes, len, NULL, 0, &text_len, &none);

  if (err != TM_OK)
    return tm_command_fail(call, "%s: no signed document: %s", path,
                           err == TM_E_TOO_BIG
                               ? "too many signature lines"
                               : "signature lines are due behind the text and a blank line; has anybody signed it?");
  err = tm_document_parse(&doc, bytes, text_len, &fault);
  if (err != TM_OK)
    return tm_authority_fault(call, path, err, &fault);
  print_summary(doc);
  tm_document_free(doc);
  return 0;
}

static int judge(const struct tm_command_call *call, const char *path, int err)
{
  switch (err) {
  case TM_OK:
    printf("accepted\n");
    return TM_EXIT_OK;
  case TM_E_SIGNATURE:
    return tm_command_fail(
        call, "%s: refused: not enough good signatures, or a bad one: have authorities sign this very text", path);
  case TM_E_EXPIRED:
    return tm_command_fail(call, "%s: refused: expired: assemble and sign a new one, or set the clock", path);
  case TM_E_NOT_YET:
    return tm_command_fail(call, "%s: refused: not yet valid: wait for valid-from, or set the clock", path);
  default:
    return tm_command_fail(call, "%s: refused: %s", path, tm_strerror(err));
  }
}

static int verify(const struct tm_command_call *call, const struct arguments *a, const struct tm_trust *trust,
                  const char *bytes, size_t len)
{
  uint64_t now = a->at != 0 ? a->at : tm_clock_wall_ms(&tm_clock_system) / 1000;
  struct tm_document *doc;
  int err;
  int failed = look_inside(call, a->document, bytes, len);

  if (failed)
    return failed;
  print_signers(trust, bytes, len);
  err = tm_document_open(&doc, trust, bytes, len, now, NULL);
  tm_document_free(doc);
  failed = judge(call, a->document, err);
  return fflush(stdout) == 0 ? failed : TM_EXIT_FAILED;
}

int tm_authority_verify(const struct tm_command_call *call)
{
  struct arguments a = {0};
  struct tm_trust *trust = NULL;
  char *bytes = NULL;
  size_t len = 0;
  int failed;

  tm_command_parse(call, options, on_option, &a);
  failed = read_trust(call, a.trust, &trust);
  if (!failed)
    failed = tm_authority_read(call, a.document, TM_DOCUMENT_MAX, &bytes, &len);
  if (!failed)
    failed = verify(call, &a, trust, bytes, len);
  tm_file_free((uint8_t *)bytes, len);
  tm_trust_free(trust);
  return failed;
}
