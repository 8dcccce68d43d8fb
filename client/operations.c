#include "config.h"

#include <unistd.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/config/suggest.h"
#include "base/file.h"
#include "client/failure.h"
#include "client/terminal.h"

#include "client/operations.h"

#define MESSAGE_MAX TM_FAILURE_TEXT_LEN /* bytes of an error's text */

struct call {
  struct tm_operations *ops;
  struct tm_client *engine;
  const struct tm_frame *request;
  struct tm_answer *answer;
};

#define GROUP_LEN 5 /* symbols of a code between hyphens */

/* For a program, and for a person. */
static const struct {
  const char *name, *words;
} states[] = {
  [0] = {"unknown", "nobody knows why"},
  [TM_CONTACT_INVITED] = {"invited", "nobody has used the code yet"},
  [TM_CONTACT_ACCEPTING] = {"accepting", "the other side has not answered yet"},
  [TM_CONTACT_CONFIRMING] = {"confirming", "the other side's last word is missing"},
  [TM_CONTACT_READY] = {"ready", "it is paired"},
  [TM_CONTACT_EXPIRED] = {"expired", "the code has expired"},
  [TM_CONTACT_CONTESTED] = {"contested", "somebody else has used the code too"},
};

static size_t state_index(enum tm_contact_state state) { return (size_t)state < sizeof states / sizeof states[0] ? state : 0; }
static const char *state_name(enum tm_contact_state state) { return states[state_index(state)].name; }
static const char *state_words(enum tm_contact_state state) { return states[state_index(state)].words; }

/* Nothing comes of this pairing any more. */
static bool has_failed(enum tm_contact_state state) { return state == TM_CONTACT_EXPIRED || state == TM_CONTACT_CONTESTED; }

/* ---- errors ---- */

/* vsnprintf cuts anywhere, JSON takes whole characters only. */
static void trim_character(char *text, size_t len)
{
  while (len > 0 && ((uint8_t)text[len - 1] & 0xc0) == 0x80)
    len--;
  if (len > 0 && (uint8_t)text[len - 1] >= 0xc0)
    len--;
  text[len] = '\0';
}

static void fail(struct call *c, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct call *c, const char *code, const char *format, ...)
{
  char text[MESSAGE_MAX];
  va_list ap;

  va_start(ap, format);
  if ((size_t)vsnprintf(text, sizeof text, format, ap) >= sizeof text)
    trim_character(text, sizeof text - 1);
  va_end(ap);
  json_decref(c->answer->head);
  c->answer->head = tm_control_error(code, text);
}

struct names {
  size_t n;
  char (*name)[TM_CLIENT_NAME_MAX + 1];
};

static const char *name_at(const void *table, size_t i)
{
  const struct names *names = table;

  return i < names->n ? names->name[i] : NULL;
}

static void fail_no_contact(struct call *c, const char *name)
{
  struct names names = {0};
  const char *near = NULL;
  size_t n = tm_client_contacts(c->engine);

  names.name = calloc(n + 1, sizeof *names.name);
  for (size_t i = 0; names.name != NULL && i < n; i++) {
    struct tm_contact contact;
    if (tm_client_contact(c->engine, i, &contact) == TM_OK)
      memcpy(names.name[names.n++], contact.name, sizeof contact.name);
  }
  if (names.name != NULL)
    near = tm_suggest(name, name_at, &names);
  if (near != NULL)
    fail(c, "no-contact", "No contact is called '%s'. Did you mean '%s'?", name, near);
  else if (names.n == 0)
    fail(c, "no-contact", "No contact is called '%s'; there are none yet. `tidemill invite NAME` makes one.", name);
  else
    fail(c, "no-contact", "No contact is called '%s'. `tidemill contacts` lists them.", name);
  free(names.name);
}

/* What every operation may meet; what is special to one is said there before this is asked. */
static void fail_with(struct call *c, int err, const char *name)
{
  switch (err) {
  case TM_E_NOT_FOUND:
    fail_no_contact(c, name);
    return;
  case TM_E_SYNTAX:
    fail(c, "bad-name", "'%s' cannot be a contact's name: 1 to %d bytes of UTF-8 without control characters.", name,
         TM_CLIENT_NAME_MAX);
    return;
  case TM_E_FULL:
    fail(c, "full", "There is no room for another contact: this network gives every client the same number. "
                    "`tidemill forget NAME` frees a place.");
    return;
  case TM_E_NOMEM:
    fail(c, "no-memory", "The daemon is out of memory.");
    return;
  case TM_E_IO:
    fail(c, "io", "The state could not be written. Is the disk full? Nothing was changed. The daemon ends; the next command "
                  "starts it again.");
    return;
  default:
    fail(c, "failed", "That did not work: %s.", tm_strerror(err));
    return;
  }
}

static void fail_no_document(struct call *c)
{
  fail(c, "no-document", "The directory document has expired and no entry has sent a newer one. "
                         "`tidemill status` shows the link; `tidemill document FILE` takes a document from anywhere.");
}

/* The member of that name; NULL: it is missing, and that is said. */
static const char *need_text(struct call *c, const char *key)
{
  const char *text = tm_member_text(c->request->head, key);

  if (text == NULL)
    fail(c, "bad-request", "The request has no \"%s\".", key);
  return text;
}

/* Takes over values. */
static void succeed(struct call *c, json_t *values)
{
  c->answer->head = json_pack("{s:b}", "ok", 1);
  if (values == NULL || c->answer->head == NULL || json_object_update(c->answer->head, values) != 0)
    fail(c, "no-memory", "The daemon is out of memory, or a name of the state is no UTF-8.");
  json_decref(values);
}

/* ---- contacts ---- */

static json_t *contact_json(const struct tm_contact *k)
{
  return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", k->name, "state", state_name(k->state),
                   "contested", (int)(k->contested || k->state == TM_CONTACT_CONTESTED), "since", (json_int_t)k->since_s, "expires",
                   (json_int_t)k->expires_s, "sent", (json_int_t)k->sent, "accepted", (json_int_t)k->accepted, "delivered",
                   (json_int_t)k->delivered, "received", (json_int_t)k->received, "unread", (json_int_t)k->unread);
}

/* Finds a contact, or says that there is none. */
static bool find(struct call *c, const char *name, struct tm_contact *contact)
{
  int err = tm_client_find(c->engine, name, contact);

  if (err != TM_OK)
    fail_with(c, err, name);
  return err == TM_OK;
}

static void fail_name_taken(struct call *c, const char *name)
{
  char word[TM_WORD_TEXT_LEN];
  struct tm_contact k;

  tm_word_format(name, word);
  if (tm_client_find(c->engine, name, &k) != TM_OK || k.state == TM_CONTACT_READY)
    fail(c, "exists", "There is already a contact called '%s'. Choose another name, or `tidemill forget %s` first.", name, word);
  else if (has_failed(k.state))
    fail(c, "exists", "A pairing with '%s' has failed: %s. `tidemill forget %s` clears it; then try again.", name,
         state_words(k.state), word);
  else
    fail(c, "exists", "A pairing with '%s' has begun already: %s. `tidemill forget %s` takes it back.", name, state_words(k.state), word);
}

static void fail_not_paired(struct call *c, const struct tm_contact *k)
{
  char word[TM_WORD_TEXT_LEN];

  tm_word_format(k->name, word);
  if (has_failed(k->state))
    fail(c, "not-paired", "The pairing with '%s' has failed: %s. `tidemill forget %s`, then pair again with a new code.", k->name,
         state_words(k->state), word);
  else
    fail(c, "not-paired", "'%s' is not paired yet: %s. `tidemill contacts` shows how far it is.", k->name, state_words(k->state));
}

static void op_invite(struct call *c)
{
  char code[TM_INVITE_TEXT_LEN];
  struct tm_contact k = {0};
  const char *name = need_text(c, "name");
  int err;

  if (name == NULL)
    return;
  err = tm_client_invite(c->engine, name, code);
  if (err == TM_E_EXISTS)
    fail_name_taken(c, name);
  else if (err == TM_E_STATE)
    fail_no_document(c);
  else if (err != TM_OK)
    fail_with(c, err, name);
  else if (find(c, name, &k))
    succeed(c, json_pack("{s:s, s:s, s:I}", "name", name, "code", code, "expires", (json_int_t)k.expires_s));
  sodium_memzero(code, sizeof code);
}

static void fail_mistyped(struct call *c, const struct tm_invite_error *why)
{
  size_t group = why->position == 0 ? 0 : (why->position - 1) / GROUP_LEN + 1;
  size_t place = why->position == 0 ? 0 : (why->position - 1) % GROUP_LEN + 1;

  if (why->position != 0 && why->character > ' ' && why->character < 0x7f)
    fail(c, "bad-code", "Group %zu of the code has a '%c' as symbol %zu, which no code has. Compare it with the other side's.", group,
         why->character, place);
  else if (why->position != 0)
    fail(c, "bad-code", "Group %zu of the code has something as symbol %zu that no code has. Compare it with the other side's.", group,
         place);
  else if (why->symbols == 0)
    fail(c, "bad-code", "No code was given.");
  else if (why->symbols != TM_INVITE_SYMBOLS)
    fail(c, "bad-code", "The code has %zu symbol%s; a whole one has %d, in six groups of five. %s", why->symbols,
         why->symbols == 1 ? "" : "s", TM_INVITE_SYMBOLS,
         why->symbols < TM_INVITE_SYMBOLS ? "Ask for what is missing." : "Compare it with the other side's.");
  else
    fail(c, "bad-code", "The code is mistyped somewhere: its checksum does not fit. Compare it group by group.");
}

static void op_accept(struct call *c)
{
  struct tm_invite_error why = {0};
  struct tm_contact k = {0};
  const char *name = need_text(c, "name");
  const char *code = name == NULL ? NULL : need_text(c, "code");
  int err;

  if (code == NULL)
    return;
  err = tm_client_accept(c->engine, name, code, &why);
  if (err == TM_E_AUTH)
    fail_mistyped(c, &why);
  else if (err == TM_E_CONFLICT)
    fail(c, "used-code", "This code is one of your own, or was typed in here before. A code works once, for two: ask the other side "
                         "for a new one.");
  else if (err == TM_E_EXISTS)
    fail_name_taken(c, name);
  else if (err == TM_E_STATE)
    fail_no_document(c);
  else if (err != TM_OK)
    fail_with(c, err, name);
  else if (find(c, name, &k))
    succeed(c, json_pack("{s:s, s:s, s:I}", "name", name, "state", state_name(k.state), "expires", (json_int_t)k.expires_s));
}

static void op_forget(struct call *c)
{
  struct tm_contact k = {0};
  const char *name = need_text(c, "name");
  int err;

  if (name == NULL || !find(c, name, &k))
    return;
  if (tm_member_bool(c->request->head, "pending") && k.state == TM_CONTACT_READY) {
    char word[TM_WORD_TEXT_LEN];
    tm_word_format(name, word);
    fail(c, "not-pending", "'%s' is paired: there is no invite to take back. `tidemill forget %s` removes the contact.", name, word);
    return;
  }
  err = tm_client_forget(c->engine, name);
  if (err != TM_OK)
    fail_with(c, err, name);
  else
    succeed(c, json_pack("{s:s, s:s}", "name", name, "was", state_name(k.state)));
}

static void op_contact(struct call *c)
{
  struct tm_contact k = {0};
  const char *name = need_text(c, "name");

  if (name != NULL && find(c, name, &k))
    succeed(c, json_pack("{s:o}", "contact", contact_json(&k)));
}

static void op_contacts(struct call *c)
{
  json_t *list = json_array();
  uint64_t from = tm_member_number(c->request->head, "from", 0);
  size_t n = tm_client_contacts(c->engine);
  size_t i = from < n ? (size_t)from : n;

  for (; i < n && json_array_size(list) < TM_CONTROL_LIST_MAX; i++) {
    struct tm_contact k;
    int err = tm_client_contact(c->engine, i, &k);
    if (err != TM_OK) {
      json_decref(list);
      fail_with(c, err, "");
      return;
    }
    if (json_array_append_new(list, contact_json(&k)) != 0)
      break;
  }
  succeed(c, json_pack("{s:o, s:b}", "contacts", list, "more", (int)(i < n)));
}

static void op_safety(struct call *c)
{
  char safety[TM_SAFETY_TEXT_LEN];
  struct tm_contact k = {0};
  const char *name = need_text(c, "name");
  int err;

  if (name == NULL || !find(c, name, &k))
    return;
  err = tm_client_safety(c->engine, name, safety);
  if (err == TM_E_STATE)
    fail_not_paired(c, &k);
  else if (err != TM_OK)
    fail_with(c, err, name);
  else
    succeed(c, json_pack("{s:s, s:s, s:b}", "name", name, "safety", safety, "contested",
                         (int)(k.contested || k.state == TM_CONTACT_CONTESTED)));
}

/* ---- messages ---- */

static void fail_send(struct call *c, int err, const char *name, const char *file)
{
  struct tm_contact k = {.state = TM_CONTACT_READY};
  int found = tm_client_find(c->engine, name, &k);

  if (found == TM_E_NOT_FOUND)
    fail_no_contact(c, name);
  else if (found != TM_OK)
    fail_with(c, found, name);
  else if (err == TM_E_STATE)
    fail_not_paired(c, &k);
  else if (err == TM_E_FULL)
    fail(c, "outbox-full", "The outbox is full: what waits in it has to go first. `tidemill status` shows whether there is a link.");
  else if (err == TM_E_LENGTH)
    fail(c, "empty", "There is nothing to send: the %s is empty.", file == NULL ? "text" : "file");
  else if (err == TM_E_TOO_BIG)
    fail(c, "too-big", "That is too big: a text has at most %u KiB, a file %u MiB.", TM_CLIENT_TEXT_MAX / 1024,
         TM_CLIENT_FILE_MAX / 1024 / 1024);
  else if (err == TM_E_SYNTAX && file != NULL)
    fail(c, "bad-file-name", "The file's name cannot be sent: it must be UTF-8 without slashes or control characters. "
                             "`--as NAME` gives it another.");
  else if (err == TM_E_SYNTAX)
    fail(c, "not-text", "The text is not UTF-8. `tidemill send NAME --file F` sends any bytes.");
  else
    fail_with(c, err, name);
}

static void op_send(struct call *c)
{
  uint32_t number = 0;
  const char *name = need_text(c, "name");
  const char *file = tm_member_text(c->request->head, "file");
  int err;

  if (name == NULL)
    return;
  err = tm_client_send(c->engine, name, file, c->request->body != NULL ? c->request->body : (const uint8_t *)"",
                       c->request->body_len, &number);
  if (err != TM_OK)
    fail_send(c, err, name, file);
  else
    succeed(c, json_pack("{s:s, s:I}", "name", name, "number", (json_int_t)number));
}

static void op_progress(struct call *c)
{
  struct tm_progress p = {0};
  uint64_t number = tm_member_number(c->request->head, "number", 0);
  const char *name = need_text(c, "name");
  int err;

  if (name == NULL)
    return;
  err = number > UINT32_MAX ? TM_E_NOT_FOUND : tm_client_progress(c->engine, name, (uint32_t)number, &p);
  if (err == TM_E_NOT_FOUND)
    fail(c, "no-message", "There is no message %llu to '%s'.", (unsigned long long)number, name);
  else if (err != TM_OK)
    fail_with(c, err, name);
  else
    succeed(c, json_pack("{s:s, s:I, s:I, s:I, s:b, s:b}", "name", name, "number", (json_int_t)p.number, "pieces",
                         (json_int_t)p.pieces, "done", (json_int_t)p.done, "accepted", (int)p.accepted, "delivered",
                         (int)p.delivered));
}

struct next {
  json_t *message;
  uint8_t *body;
  size_t body_len;
  bool with_files; /* their content too */
  bool failed;
};

static bool take_message(void *arg, const struct tm_message *m)
{
  struct next *next = arg;

  next->message = json_pack("{s:I, s:s, s:I, s:I, s:I, s:b, s:s, s:I}", "id", (json_int_t)m->id, "from", m->name, "number",
                            (json_int_t)m->number, "sent", (json_int_t)m->sent_s, "received", (json_int_t)m->received_s, "unread",
                            (int)m->unread, "kind", m->file ? "file" : "text", "size", (json_int_t)m->len);
  if (next->message != NULL && m->file && json_object_set_new(next->message, "file", json_string(m->file_name)) != 0)
    next->failed = true;
  if (!m->file || next->with_files) {
    next->body = malloc(m->len + 1);
    if (next->body != NULL) {
      memcpy(next->body, m->data, m->len);
      next->body_len = m->len;
    }
  }
  next->failed |= next->message == NULL || ((!m->file || next->with_files) && next->body == NULL);
  return false;
}

static void op_next(struct call *c)
{
  struct next next = {.with_files = tm_member_bool(c->request->head, "files")};
  struct tm_contact k;
  const char *name = tm_member_text(c->request->head, "name");
  int err;

  if (name != NULL && !find(c, name, &k))
    return;
  err = tm_client_messages(c->engine, name, tm_member_number(c->request->head, "after", 0),
                           tm_member_bool(c->request->head, "unread"), take_message, &next);
  if (err == TM_OK && next.failed)
    err = TM_E_NOMEM;
  if (err != TM_OK) {
    json_decref(next.message);
    tm_file_free(next.body, next.body_len);
    fail_with(c, err, name != NULL ? name : "");
    return;
  }
  succeed(c, json_pack("{s:o, s:I}", "message", next.message != NULL ? next.message : json_null(), "bytes",
                       (json_int_t)next.body_len));
  c->answer->body = next.body;
  c->answer->body_len = next.body_len;
}

static void op_mark(struct call *c)
{
  int err = tm_client_mark_read(c->engine, tm_member_number(c->request->head, "id", 0));

  if (err == TM_E_NOT_FOUND)
    fail(c, "no-message", "There is no such message.");
  else if (err != TM_OK)
    fail_with(c, err, "");
  else
    succeed(c, json_object());
}

static bool take_incoming(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done)
{
  json_t *list = arg;
  json_t *item = json_pack("{s:s, s:I, s:I, s:I}", "from", name, "number", (json_int_t)number, "pieces", (json_int_t)pieces, "done",
                           (json_int_t)done);

  return json_array_append_new(list, item) == 0 && json_array_size(list) < TM_CONTROL_LIST_MAX;
}

static void op_incoming(struct call *c)
{
  json_t *list = json_array();
  int err = list == NULL ? TM_E_NOMEM : tm_client_incoming(c->engine, take_incoming, list);

  if (err != TM_OK) {
    json_decref(list);
    fail_with(c, err, "");
  } else {
    succeed(c, json_pack("{s:o}", "incoming", list));
  }
}

/* ---- the daemon itself ---- */

static json_t *link_json(const struct tm_uplink *uplink)
{
  static const char *const names[] = {
    [TM_UPLINK_IDLE] = "no-document", [TM_UPLINK_WAITING] = "waiting", [TM_UPLINK_DIALLING] = "connecting", [TM_UPLINK_UP] = "up"};
  struct tm_uplink_status u;

  if (uplink == NULL)
    return json_null();
  tm_uplink_get_status(uplink, &u);
  return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "state", names[u.state], "reason",
                   u.reason == TM_OK ? json_null() : json_string(tm_uplink_reason(u.reason)), "sent", (json_int_t)u.sent, "received",
                   (json_int_t)u.received, "unsent", (json_int_t)u.unsent, "documents", (json_int_t)u.documents);
}

static void op_status(struct call *c)
{
  struct tm_client_status s = {0};
  json_t *counters;
  json_t *incoming = json_array();
  int err = incoming == NULL ? TM_E_NOMEM : tm_client_incoming(c->engine, take_incoming, incoming);

  if (err != TM_OK) {
    json_decref(incoming);
    fail_with(c, err, "");
    return;
  }
  tm_client_status(c->engine, &s);
  counters = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ticks", (json_int_t)s.ticks, "requests", (json_int_t)s.requests, "loops",
                       (json_int_t)s.loops, "loops_back", (json_int_t)s.loops_back, "replies", (json_int_t)s.replies, "retries",
                       (json_int_t)s.retries, "bad_replies", (json_int_t)s.bad_replies);
  succeed(c, json_pack("{s:s, s:I, s:s, s:b, s:I, s:s, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:o, s:o, s:o}", "version", PACKAGE_VERSION,
                       "pid", (json_int_t)getpid(), "network", s.network, "document_valid", (int)s.document_valid, "document_until",
                       (json_int_t)s.document_until_s, "entry", s.entry, "link_up", (int)s.link_up, "link", link_json(c->ops->uplink),
                       "places", (json_int_t)s.sequences, "contacts", (json_int_t)s.contacts, "pending", (json_int_t)s.pending,
                       "slots_behind", (json_int_t)s.slots_behind, "catch_up_s", (json_int_t)s.catch_up_s, "catch_up_per_hour_s",
                       s.catch_up_per_hour_s, "waiting", (json_int_t)s.waiting, "incoming", incoming, "counters", counters, "writes",
                       json_pack("{s:I, s:I, s:b}", "working", (json_int_t)s.working, "refused", (json_int_t)s.refused, "stores_full",
                                 (int)s.stores_full)));
}

static void op_document(struct call *c)
{
  int err = tm_client_document(c->engine, c->request->body != NULL ? c->request->body : (const uint8_t *)"", c->request->body_len);

  if (err == TM_E_EXISTS) {
    fail(c, "old-document", "The document is not newer than the one in use. Nothing was changed.");
  } else if (err == TM_E_CONFLICT) {
    fail(c, "other-network", "The document belongs to another network. Nothing was changed.");
  } else if (err == TM_E_NOMEM || err == TM_E_IO) {
    fail_with(c, err, "");
  } else if (err != TM_OK) {
    fail(c, "bad-document", "The document was refused: %s. Nothing was changed.", tm_strerror(err));
  } else {
    if (c->ops->uplink != NULL)
      tm_uplink_refresh(c->ops->uplink);
    succeed(c, json_object());
  }
}

static void op_watch(struct call *c)
{
  c->answer->watch = true;
  succeed(c, json_object());
}

static void op_hello(struct call *c)
{
  succeed(c, json_pack("{s:i, s:s, s:I}", "protocol", TM_CONTROL_VERSION, "version", PACKAGE_VERSION, "pid", (json_int_t)getpid()));
}

static void op_stop(struct call *c)
{
  c->ops->stop = true;
  succeed(c, json_pack("{s:I}", "pid", (json_int_t)getpid()));
}

static const struct {
  const char *name;
  void (*run)(struct call *c);
} operations[] = {
  {"hello", op_hello},       {"invite", op_invite},     {"accept", op_accept},     {"forget", op_forget},
  {"contacts", op_contacts}, {"contact", op_contact},   {"safety", op_safety},     {"send", op_send},
  {"progress", op_progress}, {"next", op_next},         {"mark", op_mark},         {"incoming", op_incoming},
  {"status", op_status},     {"document", op_document}, {"watch", op_watch},       {"stop", op_stop},
};

void tm_operations_handle(void *arg, const struct tm_frame *request, struct tm_answer *answer)
{
  struct tm_operations *ops = arg;
  struct call c = {.ops = ops, .engine = ops->engine, .request = request, .answer = answer};
  const char *op = need_text(&c, "op");

  if (op == NULL)
    return;
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
    if (strcmp(op, operations[i].name) == 0) {
      operations[i].run(&c);
      return;
    }
  fail(&c, "bad-request", "The daemon does not know that request. Is it of another version? `tidemill stop` ends it.");
}
