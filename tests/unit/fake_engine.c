/*
 * A stand-in for the engine, for tests of the daemon, its socket and the commands: contacts are paired as soon as their code has been looked
 * at twice, whatever is sent comes back as a message from the one it went to, and nothing is kept but the passphrase.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "client/engine.h"

#define CONTACTS_MAX 5
#define MESSAGES_MAX 64

struct message {
  struct tm_message m;
  uint8_t *data;
};

struct tm_client {
  int lock;
  const struct tm_clock *clock;
  const struct tm_rng *rng;
  struct tm_contact contacts[CONTACTS_MAX];
  unsigned looks[CONTACTS_MAX];
  size_t n;
  struct message messages[MESSAGES_MAX];
  size_t n_messages;
  unsigned progress;
  int failed;
  void (*change)(void *);
  void *change_arg;
};

static void state_path(const char *dir, char path[static 4096]) { snprintf(path, 4096, "%s/fake.state", dir); }

int tm_client_create(const char *dir, const char *passphrase, const char *trust, size_t trust_len, const uint8_t *document,
                     size_t document_len, const struct tm_clock *clock, const struct tm_rng *rng)
{
  char path[4096];
  int err = tm_dir_make(dir);

  (void)trust;
  (void)trust_len;
  (void)document;
  (void)document_len;
  (void)clock;
  (void)rng;
  state_path(dir, path);
  if (err == TM_OK && access(path, F_OK) == 0)
    return TM_E_EXISTS;
  return err == TM_OK ? tm_file_write(path, 0600, passphrase, strlen(passphrase)) : err;
}

int tm_client_open(struct tm_client **out, const char *dir, const char *passphrase, const struct tm_clock *clock, const struct tm_rng *rng)
{
  char path[4096];
  uint8_t *data = NULL;
  size_t len = 0;
  struct tm_client *c;
  int err;

  *out = NULL;
  state_path(dir, path);
  err = tm_file_read(path, 4096, &data, &len);
  if (err != TM_OK)
    return err;
  c = calloc(1, sizeof *c);
  c->clock = clock;
  c->rng = rng;
  c->lock = open(path, O_RDONLY | O_CLOEXEC);
  if (flock(c->lock, LOCK_EX | LOCK_NB) != 0)
    err = TM_E_EXISTS;
  else if (len != strlen(passphrase) || memcmp(data, passphrase, len) != 0)
    err = TM_E_AUTH;
  tm_file_free(data, len);
  if (err != TM_OK) {
    tm_client_close(c);
    return err;
  }
  *out = c;
  return TM_OK;
}

void tm_client_close(struct tm_client *c)
{
  if (c == NULL)
    return;
  close(c->lock);
  for (size_t i = 0; i < c->n_messages; i++)
    free(c->messages[i].data);
  free(c);
}

int tm_client_failure(const struct tm_client *c) { return c->failed; }

/* ---- network side: none ---- */

const struct tm_relay_info *tm_client_entry(struct tm_client *c)
{
  (void)c;
  return NULL;
}
void tm_client_link_down(struct tm_client *c, bool failed)
{
  (void)c;
  (void)failed;
}
void tm_client_link_up(struct tm_client *c, const uint8_t handle[static TM_SPHINX_HANDLE_LEN])
{
  (void)c;
  (void)handle;
}
double tm_client_next_tick(const struct tm_client *c)
{
  (void)c;
  return HUGE_VAL;
}
int tm_client_tick(struct tm_client *c, uint8_t packet[static TM_SPHINX_PACKET_LEN])
{
  (void)c;
  (void)packet;
  return TM_E_STATE;
}
bool tm_client_work_next(struct tm_client *c, struct tm_box_work *work)
{
  (void)c;
  (void)work;
  return false;
}

void tm_client_work_done(struct tm_client *c, const struct tm_box_work *work)
{
  (void)c;
  (void)work;
}

int tm_client_prepare(struct tm_client *c)
{
  (void)c;
  return TM_OK;
}
void tm_client_reply(struct tm_client *c, const uint8_t surb_id[static TM_SPHINX_SURB_ID_LEN],
                     uint8_t payload[static TM_SPHINX_PAYLOAD_LEN])
{
  (void)c;
  (void)surb_id;
  (void)payload;
}
const uint8_t *tm_client_document_digest(const struct tm_client *c)
{
  static const uint8_t digest[32];

  (void)c;
  return digest;
}
bool tm_client_document_due(struct tm_client *c)
{
  (void)c;
  return false;
}
int tm_client_document(struct tm_client *c, const uint8_t *bytes, size_t len)
{
  (void)c;
  (void)bytes;
  return len == 0 ? TM_E_SYNTAX : TM_E_EXISTS;
}

/* ---- user side ---- */

static int index_of(const struct tm_client *c, const char *name)
{
  for (size_t i = 0; i < c->n; i++)
    if (strcmp(c->contacts[i].name, name) == 0)
      return (int)i;
  return -1;
}

static bool bad_name(const char *name)
{
  if (name[0] == '\0' || strlen(name) > TM_CLIENT_NAME_MAX)
    return true;
  for (; *name != '\0'; name++)
    if ((unsigned char)*name < ' ')
      return true;
  return false;
}

static int add(struct tm_client *c, const char *name, enum tm_contact_state state)
{
  struct tm_contact *k = &c->contacts[c->n];

  if (bad_name(name))
    return TM_E_SYNTAX;
  if (index_of(c, name) >= 0)
    return TM_E_EXISTS;
  if (c->n == CONTACTS_MAX)
    return TM_E_FULL;
  *k = (struct tm_contact){.state = state, .since_s = tm_clock_wall_ms(c->clock) / 1000};
  k->expires_s = k->since_s + TM_CLIENT_INVITE_S;
  k->contested = strcmp(name, "mallory") == 0;
  if (strcmp(name, "late") == 0)
    k->state = TM_CONTACT_EXPIRED;
  if (strcmp(name, "eve") == 0)
    k->state = TM_CONTACT_CONTESTED;
  snprintf(k->name, sizeof k->name, "%s", name);
  c->looks[c->n++] = 0;
  return TM_OK;
}

int tm_client_invite(struct tm_client *c, const char *name, char code[static TM_INVITE_TEXT_LEN])
{
  snprintf(code, TM_INVITE_TEXT_LEN, "01234-56789-ABCDE-FGHJK-MNPQR-STVWX");
  return add(c, name, TM_CONTACT_INVITED);
}

int tm_client_accept(struct tm_client *c, const char *name, const char *typed, struct tm_invite_error *why)
{
  const char *mark = strchr(typed, '!');

  *why = (struct tm_invite_error){.symbols = strlen(typed)};
  if (mark != NULL)
    *why = (struct tm_invite_error){.position = (size_t)(mark - typed) + 1, .character = *mark, .symbols = strlen(typed)};
  if (mark != NULL)
    return TM_E_AUTH;
  if (strncmp(typed, "USED", 4) == 0)
    return TM_E_CONFLICT;
  if (strlen(typed) < TM_INVITE_SYMBOLS)
    return TM_E_AUTH;
  return add(c, name, TM_CONTACT_ACCEPTING);
}

int tm_client_forget(struct tm_client *c, const char *name)
{
  int i = index_of(c, name);

  if (i < 0)
    return TM_E_NOT_FOUND;
  c->n--;
  memmove(&c->contacts[i], &c->contacts[i + 1], (c->n - (size_t)i) * sizeof c->contacts[0]);
  return TM_OK;
}

size_t tm_client_contacts(struct tm_client *c) { return c->n; }

int tm_client_contact(struct tm_client *c, size_t i, struct tm_contact *contact)
{
  if (i >= c->n)
    return TM_E_NOT_FOUND;
  *contact = c->contacts[i];
  return TM_OK;
}

int tm_client_find(struct tm_client *c, const char *name, struct tm_contact *contact)
{
  int i = index_of(c, name);

  if (bad_name(name))
    return TM_E_SYNTAX;
  if (i < 0)
    return TM_E_NOT_FOUND;
  if (c->contacts[i].state < TM_CONTACT_READY && c->looks[i]++ == 2)
    c->contacts[i].state = TM_CONTACT_READY;
  *contact = c->contacts[i];
  return TM_OK;
}

int tm_client_safety(struct tm_client *c, const char *name, char text[static TM_SAFETY_TEXT_LEN])
{
  int i = index_of(c, name);

  if (i < 0)
    return TM_E_NOT_FOUND;
  if (c->contacts[i].state != TM_CONTACT_READY)
    return TM_E_STATE;
  snprintf(text, TM_SAFETY_TEXT_LEN, "12345 12345 12345 12345 12345 12345 12345 12345 12345 12345 12345 12345");
  return TM_OK;
}

int tm_client_send(struct tm_client *c, const char *name, const char *file_name, const uint8_t *data, size_t len, uint32_t *number)
{
  int i = index_of(c, name);
  struct message *m = &c->messages[c->n_messages];

  if (i < 0)
    return TM_E_NOT_FOUND;
  if (len == 0)
    return TM_E_LENGTH;
  if (c->n_messages == MESSAGES_MAX)
    return TM_E_FULL;
  if (len == strlen("DISK FULL") && memcmp(data, "DISK FULL", len) == 0)
    return c->failed = TM_E_IO;
  *number = ++c->contacts[i].sent;
  m->data = malloc(len + 1);
  memcpy(m->data, data, len);
  m->data[len] = '\0';
  m->m = (struct tm_message){.id = ++c->n_messages, .number = *number, .unread = true, .file = file_name != NULL, .data = m->data,
                             .len = len, .sent_s = tm_clock_wall_ms(c->clock) / 1000, .received_s = tm_clock_wall_ms(c->clock) / 1000};
  snprintf(m->m.name, sizeof m->m.name, "%s", name);
  if (file_name != NULL)
    snprintf(m->m.file_name, sizeof m->m.file_name, "%s", file_name);
  c->contacts[i].unread++;
  c->progress = 0;
  if (c->change != NULL)
    c->change(c->change_arg);
  return TM_OK;
}

int tm_client_progress(struct tm_client *c, const char *name, uint32_t number, struct tm_progress *progress)
{
  int i = index_of(c, name);

  if (i < 0 || number == 0 || number > c->contacts[i].sent)
    return TM_E_NOT_FOUND;
  c->progress++;
  *progress = (struct tm_progress){.number = number, .pieces = 3, .done = c->progress, .accepted = c->progress >= 3,
                                   .delivered = c->progress >= 5};
  return TM_OK;
}

int tm_client_messages(struct tm_client *c, const char *name, uint64_t after, bool only_unread,
                       bool (*f)(void *arg, const struct tm_message *m), void *arg)
{
  for (size_t i = (size_t)after; i < c->n_messages; i++) {
    const struct tm_message *m = &c->messages[i].m;
    if ((name == NULL || strcmp(name, m->name) == 0) && (!only_unread || m->unread) && !f(arg, m))
      break;
  }
  return TM_OK;
}

int tm_client_mark_read(struct tm_client *c, uint64_t id)
{
  if (id == 0 || id > c->n_messages)
    return TM_E_NOT_FOUND;
  c->messages[id - 1].m.unread = false;
  return TM_OK;
}

int tm_client_incoming(struct tm_client *c, bool (*f)(void *arg, const char *name, uint32_t number, uint32_t pieces, uint32_t done),
                       void *arg)
{
  if (c->n > 0)
    f(arg, c->contacts[0].name, 7, 10, 3);
  return TM_OK;
}

void tm_client_status(struct tm_client *c, struct tm_client_status *status)
{
  *status = (struct tm_client_status){.document_valid = true, .network = "fake", .sequences = CONTACTS_MAX, .contacts = (uint32_t)c->n};
}

void tm_client_on_change(struct tm_client *c, void (*f)(void *arg), void *arg)
{
  c->change = f;
  c->change_arg = arg;
}
