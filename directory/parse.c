#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "directory/params.h"
#include "directory/relay_text.h"

#include "directory/parse.h"

static int read_network(struct tm_document *doc, struct tm_text *text)
{
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_take(text, "network", true, &value, &line);

  if (err != TM_OK)
    return err;
  if (!tm_name_is_good(value.at, value.len))
    return tm_fault_set(text->fault, line, TM_E_SYNTAX,
                        "a network's name is a letter, then letters, digits and hyphens, in lower case, at most 31");
  memcpy(doc->network, value.at, value.len);
  return TM_OK;
}

static int read_time(struct tm_text *text, const char *keyword, uint64_t *unix_s)
{
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_take(text, keyword, true, &value, &line);

  if (err == TM_OK && tm_span_time(value, unix_s) != TM_OK)
    err = tm_fault_set(text->fault, line, TM_E_SYNTAX, "a time looks like 2026-11-24T04:00:00Z");
  return err;
}

static int read_epoch(struct tm_document *doc, struct tm_text *text)
{
  struct tm_span value;
  unsigned line = 0;
  int err = tm_text_take(text, "epoch", true, &value, &line);

  if (err == TM_OK && tm_span_decimal(value, TM_EPOCH_MAX, &doc->epoch) != TM_OK)
    err = tm_fault_set(text->fault, line, TM_E_SYNTAX, "an epoch is a plain decimal");
  return err;
}

static int read_param(struct tm_document *doc, struct tm_text *text, size_t i)
{
  const struct tm_param *due = tm_params_at(i);
  struct tm_span value;
  struct tm_span name;
  unsigned line = 0;
  int err;

  if (!tm_text_at(text, "param") && !tm_text_at_end(text) && tm_text_at(text, "relay"))
    return tm_fault_set(text->fault, text->line, TM_E_SYNTAX, "parameter %s is missing", due->name);
  err = tm_text_take(text, "param", true, &value, &line);
  if (err != TM_OK)
    return err;
  tm_span_word(&value, &name);
  if (!tm_span_is(name, due->name)) {
    if (tm_params_find(name) == tm_params_count())
      return tm_fault_set(text->fault, line, TM_E_UNKNOWN, "unknown parameter: a newer version is needed to read this");
    return tm_fault_set(text->fault, line, TM_E_SYNTAX, "parameter %s was due here", due->name);
  }
  if (tm_params_set(&doc->params, i, value) != TM_OK)
    return tm_fault_set(text->fault, line, TM_E_SYNTAX, "the value of parameter %s is out of its range", due->name);
  return TM_OK;
}

/* One more behind the last one: a newer version's, or one that stands twice. */
static int refuse_param(struct tm_text *text)
{
  struct tm_span value = text->value;
  struct tm_span name;

  if (tm_span_word(&value, &name) && tm_params_find(name) < tm_params_count())
    return tm_fault_set(text->fault, text->line, TM_E_SYNTAX, "a parameter stands twice");
  return tm_fault_set(text->fault, text->line, TM_E_UNKNOWN, "unknown parameter: a newer version is needed to read this");
}

static int read_head(struct tm_document *doc, struct tm_text *text)
{
  const char *conflict;
  int err = read_network(doc, text);

  if (err == TM_OK)
    err = read_time(text, "valid-from", &doc->valid_from);
  if (err == TM_OK)
    err = read_time(text, "valid-until", &doc->valid_until);
  if (err == TM_OK)
    err = read_epoch(doc, text);
  for (size_t i = 0; err == TM_OK && i < tm_params_count(); i++)
    err = read_param(doc, text, i);
  if (err != TM_OK)
    return err;
  if (tm_text_at(text, "param"))
    return refuse_param(text);
  conflict = tm_params_conflict(&doc->params);
  if (conflict != NULL)
    return tm_fault_set(text->fault, 0, TM_E_SYNTAX, "%s", conflict);
  if (doc->valid_from >= doc->valid_until || doc->valid_until - doc->valid_from > TM_DOCUMENT_VALID_MAX_S)
    return tm_fault_set(text->fault, 0, TM_E_SYNTAX, "valid-until is not behind valid-from, or by more than 92 days");
  if (doc->epoch != doc->valid_from / doc->params.epoch_s)
    return tm_fault_set(text->fault, 0, TM_E_SYNTAX, "epoch is not the one in which valid-from lies");
  return TM_OK;
}

/* Lines that begin with keyword and a space: an upper bound of how many there can be, for allocating once. */
static size_t count_lines(const char *text, size_t len, const char *keyword)
{
  size_t n = 0;
  size_t keyword_len = strlen(keyword);

  while (len > keyword_len) {
    const char *end = memchr(text, '\n', len);
    n += memcmp(text, keyword, keyword_len) == 0;
    if (end == NULL)
      break;
    len -= (size_t)(end - text) + 1;
    text = end + 1;
  }
  return n;
}

static int allocate(struct tm_document *doc, const char *text, size_t len, struct tm_fault *fault)
{
  size_t relays = count_lines(text, len, "relay ");
  size_t keys = count_lines(text, len, "mix-key ");

  if (relays > TM_DOCUMENT_RELAYS_MAX)
    return tm_fault_set(fault, 0, TM_E_TOO_BIG, "more than %d relays", TM_DOCUMENT_RELAYS_MAX);
  doc->relays = calloc(relays + 1, sizeof *doc->relays);
  doc->keys = calloc(keys + 1, sizeof *doc->keys);
  doc->by_identity = calloc(relays + 1, sizeof *doc->by_identity);
  return doc->relays == NULL || doc->keys == NULL || doc->by_identity == NULL ? TM_E_NOMEM : TM_OK;
}

static int read_relays(struct tm_document *doc, struct tm_text *text, size_t cap)
{
  while (!tm_text_at_end(text)) {
    struct tm_relay_info *relay = &doc->relays[doc->n_relays];
    unsigned line = 0;
    int err = tm_relay_text_read(text, relay, doc->keys + doc->n_keys, cap - doc->n_keys, &line);
    if (err != TM_OK)
      return err;
    if (doc->n_relays > 0 && strcmp(relay[-1].name, relay->name) >= 0)
      return tm_fault_set(text->fault, line, TM_E_SYNTAX, "relays stand by ascending name, one for each");
    doc->n_relays++;
    doc->n_keys += relay->n_keys;
  }
  return TM_OK;
}

int tm_document_parse(struct tm_document **out, const char *text, size_t len, struct tm_fault *fault)
{
  struct tm_document *doc = calloc(1, sizeof *doc);
  struct tm_text reader;
  int err;

  *out = NULL;
  memset(fault, 0, sizeof *fault);
  if (doc == NULL)
    return TM_E_NOMEM;
  err = allocate(doc, text, len, fault);
  if (err == TM_OK)
    err = tm_text_init(&reader, text, len, TM_DOCUMENT_HEAD, fault);
  if (err == TM_OK)
    err = read_head(doc, &reader);
  if (err == TM_OK)
    err = read_relays(doc, &reader, count_lines(text, len, "mix-key "));
  if (err == TM_OK)
    err = tm_document_cross_check(doc, fault);
  if (err != TM_OK) {
    tm_document_free(doc);
    return err;
  }
  *out = doc;
  return TM_OK;
}
