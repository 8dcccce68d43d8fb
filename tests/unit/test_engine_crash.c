/*
 * Alice's engine runs in a process of its own over the simulated network and is killed at random moments. Nothing that it
 * said it had taken may be lost, nothing may come twice or out of order, and no index may ever carry two texts.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box/request.h"

#include "engine_user.h"

#define KILLS 30
#define STEP_MS 100

enum order { ORDER_TIME, ORDER_LINK, ORDER_REPLY, ORDER_SAY, ORDER_FILE };
enum word { WORD_PACKET, WORD_DONE };

struct order_message {
  enum order order;
  uint64_t mono_ms, wall_ms;
  uint32_t number; /* SAY, FILE: of the text */
  uint8_t id[16];
  uint8_t bytes[TM_SPHINX_PACKET_LEN];
};

struct word_message {
  enum word word;
  int err;
  uint8_t packet[TM_SPHINX_PACKET_LEN];
};

/* ---- the process ---- */

static void all(ssize_t n, size_t want)
{
  if (n != (ssize_t)want)
    _exit(1);
}

static void say_word(int fd, enum word word, int err, const uint8_t *packet)
{
  struct word_message w = {.word = word, .err = err};

  if (packet != NULL)
    memcpy(w.packet, packet, sizeof w.packet);
  all(send(fd, &w, sizeof w, MSG_NOSIGNAL), sizeof w);
}

static int obey(struct tm_client *c, const struct order_message *o, int fd)
{
  static uint8_t file[4000];
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  uint8_t payload[TM_SPHINX_PAYLOAD_LEN];
  char text[32];
  uint32_t number;
  int len;
  int err = TM_OK;

  switch (o->order) {
  case ORDER_TIME:
    while (err == TM_OK && tm_client_next_tick(c) <= (double)o->mono_ms) {
      err = tm_client_tick(c, packet);
      if (err == TM_OK)
        say_word(fd, WORD_PACKET, TM_OK, packet);
      if (err == TM_OK)
        err = tm_client_prepare(c);
      net_labour(c);
    }
    return err;
  case ORDER_LINK:
    if (tm_client_entry(c) == NULL)
      return TM_E_STATE;
    tm_client_link_up(c, o->id);
    return TM_OK;
  case ORDER_REPLY:
    memcpy(payload, o->bytes, sizeof payload);
    tm_client_reply(c, o->id, payload);
    return TM_OK;
  case ORDER_SAY:
    len = snprintf(text, sizeof text, "%u", o->number);
    return tm_client_send(c, "Bob", NULL, (const uint8_t *)text, (size_t)len, &number);
  case ORDER_FILE:
    snprintf(text, sizeof text, "%u", o->number);
    return tm_client_send(c, "Bob", text, file, sizeof file, &number);
  }
  return TM_E_UNKNOWN;
}

static void alice(const char *dir, int fd)
{
  struct tm_clock_virtual v;
  struct tm_clock clock = tm_clock_virtual_init(&v, 0);
  struct tm_client *c = NULL;
  struct order_message o;

  while (recv(fd, &o, sizeof o, 0) == (ssize_t)sizeof o) {
    int err = TM_OK;
    v.mono_ms = o.mono_ms;
    v.wall_ms = o.wall_ms;
    if (c == NULL)
      err = tm_client_open(&c, dir, "", &clock, &tm_rng_system);
    if (err == TM_OK)
      err = obey(c, &o, fd);
    say_word(fd, WORD_DONE, err, NULL);
  }
  _exit(0);
}

/* ---- who gives the orders ---- */

struct play {
  struct net *net;
  pid_t pid;
  int fd;
  bool kill_now; /* at a random moment of the next order */
  unsigned kills;
  uint32_t said, taken[2000];
  size_t n_taken;
  uint32_t heard;
};

static void start(struct play *p)
{
  int fds[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  p->pid = fork();
  assert_true(p->pid >= 0);
  if (p->pid == 0) {
    close(fds[0]);
    alice(net_dir(p->net, ALICE), fds[1]);
  }
  close(fds[1]);
  p->fd = fds[0];
}

static int listen_to(struct play *p)
{
  struct word_message w;

  while (recv(p->fd, &w, sizeof w, 0) == (ssize_t)sizeof w) {
    if (w.word == WORD_DONE)
      return w.err;
    /* It is on the wire, whatever happens to its sender. */
    net_inject(p->net, ALICE, w.packet);
  }
  return TM_E_CLOSED;
}

static int give(struct play *p, struct order_message *o)
{
  int err;

  o->mono_ms = tm_clock_mono_ms(net_clock(p->net));
  o->wall_ms = tm_clock_wall_ms(net_clock(p->net));
  if (send(p->fd, o, sizeof *o, MSG_NOSIGNAL) != (ssize_t)sizeof *o)
    return TM_E_CLOSED;
  if (p->kill_now) {
    usleep((useconds_t)(rand() % 3000));
    assert_int_equal(kill(p->pid, SIGKILL), 0);
  }
  err = listen_to(p);
  if (p->kill_now) {
    assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
    while (err != TM_E_CLOSED && listen_to(p) != TM_E_CLOSED)
      continue;
    close(p->fd);
    p->kill_now = false;
    p->kills++;
    p->pid = 0;
  }
  return err;
}

static void on_reply(void *arg, const uint8_t *surb_id, const uint8_t *payload)
{
  struct play *p = arg;
  struct order_message o = {.order = ORDER_REPLY};

  if (p->pid == 0)
    return;
  memcpy(o.id, surb_id, 16);
  memcpy(o.bytes, payload, TM_SPHINX_PAYLOAD_LEN);
  give(p, &o);
}

static void revive(struct play *p)
{
  struct order_message o = {.order = ORDER_LINK};

  start(p);
  net_attach(p->net, ALICE, on_reply, p);
  memcpy(o.id, net_handle(p->net, ALICE), 16);
  assert_int_equal(give(p, &o), TM_OK);
}

static void speak(struct play *p)
{
  struct order_message o = {.order = rand() % 8 == 0 ? ORDER_FILE : ORDER_SAY, .number = ++p->said};
  int err = give(p, &o);

  if (err == TM_OK)
    p->taken[p->n_taken++] = p->said;
  else
    assert_int_equal(err, TM_E_CLOSED);
}

static void step(struct play *p)
{
  struct order_message o = {.order = ORDER_TIME};
  char text[16];

  if (rand() % 6 == 0 && p->pid != 0)
    speak(p);
  if (rand() % 12 == 0) {
    snprintf(text, sizeof text, "%u", ++p->heard);
    say(p->net, BOB, "Alice", text);
  }
  if (p->pid != 0)
    give(p, &o);
  net_run(p->net, STEP_MS);
}

/* ---- the judgement ---- */

struct judge {
  const struct play *p;
  uint32_t last;
  size_t found; /* of those taken */
};

static bool judge_bob(void *arg, const struct tm_message *m)
{
  struct judge *j = arg;
  uint32_t n = (uint32_t)strtoul(m->file ? m->file_name : (const char *)m->data, NULL, 10);

  assert_true(n > j->last);
  j->last = n;
  for (size_t i = 0; i < j->p->n_taken; i++)
    j->found += j->p->taken[i] == n;
  return true;
}

static bool judge_alice(void *arg, const struct tm_message *m)
{
  struct judge *j = arg;

  assert_int_equal(strtoul((const char *)m->data, NULL, 10), j->last + 1);
  j->last++;
  return true;
}

static bool all_there(void *arg)
{
  struct play *p = arg;
  struct tm_contact a = contact_of(p->net, ALICE, "Bob");
  struct tm_contact b = contact_of(p->net, BOB, "Alice");

  return a.delivered == a.sent && b.delivered == b.sent;
}

/* Under one id there is only ever one box: a store would have said CONFLICT. */
static void check_puts(const struct net *net)
{
  for (size_t i = 0; i < net_asked_count(net); i++)
    assert_int_not_equal(net_asked(net, i)->status, TM_BOX_CONFLICT);
}

static void killed_at_any_moment(void **state)
{
  struct tm_params params;
  struct play p = {0};
  struct judge bob = {.p = &p}, al = {.p = &p};

  (void)state;
  srand(1);
  net_params(&params);
  p.net = pair_up(90, &params);
  net_close(p.net, ALICE);
  while (p.kills < KILLS) {
    unsigned steps = (unsigned)(rand() % 40) + 3;
    revive(&p);
    for (unsigned i = 0; i < steps; i++)
      step(&p);
    p.kill_now = true;
    for (unsigned i = 0; i < 200 && p.pid != 0; i++)
      step(&p);
    net_run(p.net, (uint64_t)(rand() % 3000));
  }
  net_attach(p.net, ALICE, NULL, NULL);
  net_open(p.net, ALICE);
  assert_true(net_until(p.net, 1500000, all_there, &p));
  assert_int_equal(tm_client_messages(net_client(p.net, BOB), NULL, 0, false, judge_bob, &bob), TM_OK);
  assert_int_equal(bob.found, p.n_taken);
  assert_true(p.n_taken > 50);
  assert_int_equal(tm_client_messages(net_client(p.net, ALICE), NULL, 0, false, judge_alice, &al), TM_OK);
  assert_int_equal(al.last, p.heard);
  check_puts(p.net);
  net_free(p.net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_moment)};

  return cmocka_run_group_tests_name("engine: crash", tests, NULL, NULL);
}
