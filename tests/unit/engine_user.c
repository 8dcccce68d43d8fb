#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_user.h"

void pair(struct net *net, unsigned a, const char *name_b, unsigned b, const char *name_a)
{
  char code[TM_INVITE_TEXT_LEN];
  struct tm_invite_error why;

  assert_int_equal(tm_client_invite(net_client(net, a), name_b, code), TM_OK);
  assert_int_equal(tm_client_accept(net_client(net, b), name_a, code, &why), TM_OK);
  assert_true(wait_state(net, a, name_b, TM_CONTACT_READY, 120000));
  assert_true(wait_state(net, b, name_a, TM_CONTACT_READY, 120000));
}

struct net *pair_up(uint64_t seed, const struct tm_params *params)
{
  struct net *net = net_new(seed, params);

  net_join(net, ALICE);
  net_join(net, BOB);
  pair(net, ALICE, "Bob", BOB, "Alice");
  return net;
}

uint32_t say(struct net *net, unsigned user, const char *to, const char *text)
{
  uint32_t number;

  assert_int_equal(tm_client_send(net_client(net, user), to, NULL, (const uint8_t *)text, strlen(text), &number),
                   TM_OK);
  return number;
}

uint32_t send_file(struct net *net, unsigned user, const char *to, const char *name, const uint8_t *data, size_t len)
{
  uint32_t number;

  assert_int_equal(tm_client_send(net_client(net, user), to, name, data, len, &number), TM_OK);
  return number;
}

struct tm_contact contact_of(struct net *net, unsigned user, const char *name)
{
  struct tm_contact contact;

  assert_int_equal(tm_client_find(net_client(net, user), name, &contact), TM_OK);
  return contact;
}

enum tm_contact_state state_of(struct net *net, unsigned user, const char *name)
{
  struct tm_contact contact;

  return tm_client_find(net_client(net, user), name, &contact) == TM_OK ? contact.state : 0;
}

struct tm_client_status status_of(struct net *net, unsigned user)
{
  struct tm_client_status status;

  tm_client_status(net_client(net, user), &status);
  return status;
}

static char text[1 << 20];

static bool add(void *arg, const struct tm_message *m)
{
  size_t *at = arg;

  if (m->file)
    *at += (size_t)snprintf(text + *at, sizeof text - *at, "[%s %zu]\n", m->file_name, m->len);
  else
    *at += (size_t)snprintf(text + *at, sizeof text - *at, "%s\n", (const char *)m->data);
  assert_true(*at < sizeof text);
  return true;
}

const char *inbox(struct net *net, unsigned user)
{
  size_t at = 0;

  text[0] = '\0';
  assert_int_equal(tm_client_messages(net_client(net, user), NULL, 0, false, add, &at), TM_OK);
  return text;
}

struct waiting {
  struct net *net;
  unsigned user;
  const char *name;
  uint32_t n;
  enum tm_contact_state state;
};

static bool has_received(void *arg)
{
  struct waiting *w = arg;

  return contact_of(w->net, w->user, w->name).received >= w->n;
}

static bool has_delivered(void *arg)
{
  struct waiting *w = arg;

  return contact_of(w->net, w->user, w->name).delivered >= w->n;
}

static bool has_state(void *arg)
{
  struct waiting *w = arg;

  return state_of(w->net, w->user, w->name) == w->state;
}

bool wait_received(struct net *net, unsigned user, const char *name, uint32_t n, uint64_t ms)
{
  struct waiting w = {net, user, name, n, 0};

  return net_until(net, ms, has_received, &w);
}

bool wait_delivered(struct net *net, unsigned user, const char *name, uint32_t n, uint64_t ms)
{
  struct waiting w = {net, user, name, n, 0};

  return net_until(net, ms, has_delivered, &w);
}

bool wait_state(struct net *net, unsigned user, const char *name, enum tm_contact_state state, uint64_t ms)
{
  struct waiting w = {net, user, name, 0, state};

  return net_until(net, ms, has_state, &w);
}
