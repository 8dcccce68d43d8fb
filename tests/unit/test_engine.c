#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "directory/note.h"

#include "engine_user.h"

static struct net *two(uint64_t seed)
{
  struct tm_params params;

  net_params(&params);
  return pair_up(seed, &params);
}

static void pairs_both_ways(void **state)
{
  struct net *net = two(1);
  char a[TM_SAFETY_TEXT_LEN], b[TM_SAFETY_TEXT_LEN];

  (void)state;
  assert_int_equal(tm_client_safety(net_client(net, ALICE), "Bob", a), TM_OK);
  assert_int_equal(tm_client_safety(net_client(net, BOB), "Alice", b), TM_OK);
  assert_string_equal(a, b);
  assert_false(contact_of(net, ALICE, "Bob").contested);
  assert_int_equal(status_of(net, ALICE).contacts, 1);
  assert_int_equal(status_of(net, ALICE).pending, 0);
  assert_int_equal(status_of(net, ALICE).bad_replies, 0);
  assert_int_equal(status_of(net, ALICE).retries, 0);
  net_free(net);
}

static void text_both_ways(void **state)
{
  struct net *net = two(2);

  (void)state;
  assert_int_equal(say(net, ALICE, "Bob", "hello Bob"), 1);
  assert_int_equal(say(net, BOB, "Alice", "hello Alice"), 1);
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  assert_true(wait_received(net, ALICE, "Bob", 1, 60000));
  assert_string_equal(inbox(net, BOB), "hello Bob\n");
  assert_string_equal(inbox(net, ALICE), "hello Alice\n");
  assert_true(wait_delivered(net, ALICE, "Bob", 1, 60000));
  assert_true(wait_delivered(net, BOB, "Alice", 1, 60000));
  net_free(net);
}

/* Distinct ids that a user has put since the record had that length. */
static size_t boxes_put(struct net *net, unsigned user, size_t from)
{
  size_t n = 0;

  for (size_t i = from; i < net_asked_count(net); i++) {
    const struct net_asked *a = net_asked(net, i);
    bool before = false;
    if (!a->put || a->user != user)
      continue;
    for (size_t j = from; j < i && !before; j++)
      before = net_asked(net, j)->put && memcmp(net_asked(net, j)->id, a->id, 32) == 0;
    n += !before;
  }
  return n;
}

static void packs_texts_into_one_box(void **state)
{
  struct tm_params params;
  struct net *net;
  size_t from;
  char text[32];

  (void)state;
  net_params(&params);
  params.decoy_write_permille = 0;
  net = pair_up(3, &params);
  net_run(net, 20000); /* what pairing still writes */
  from = net_asked_count(net);
  for (int i = 0; i < 40; i++) {
    snprintf(text, sizeof text, "text number %d", i);
    say(net, ALICE, "Bob", text);
  }
  assert_true(wait_received(net, BOB, "Alice", 40, 60000));
  assert_true(wait_delivered(net, ALICE, "Bob", 40, 60000));
  /* The first may have gone alone, in a packet that was prepared already. */
  assert_in_range(boxes_put(net, ALICE, from), 1, 3);
  assert_in_range(boxes_put(net, BOB, from), 1, 3); /* acknowledgements */
  assert_non_null(strstr(inbox(net, BOB), "text number 8\ntext number 9\ntext number 10\n"));
  net_free(net);
}

static void order_is_kept(void **state)
{
  struct net *net = two(4);
  static char big[3000];
  char expected[4096];

  (void)state;
  memset(big, 'x', sizeof big - 1);
  say(net, ALICE, "Bob", "before");
  say(net, ALICE, "Bob", big); /* takes longer than the one behind it */
  say(net, ALICE, "Bob", "after");
  assert_true(wait_received(net, BOB, "Alice", 3, 120000));
  snprintf(expected, sizeof expected, "before\n%s\nafter\n", big);
  assert_string_equal(inbox(net, BOB), expected);
  net_free(net);
}

static void says_what_is_wrong(void **state)
{
  struct net *net = two(5);
  struct tm_client *a = net_client(net, ALICE);
  struct tm_contact contact;
  struct tm_progress progress;
  uint32_t number;
  char code[TM_INVITE_TEXT_LEN];
  static uint8_t big[TM_CLIENT_TEXT_MAX + 1];

  (void)state;
  memset(big, 'y', sizeof big);
  assert_int_equal(tm_client_send(a, "Eve", NULL, (const uint8_t *)"x", 1, &number), TM_E_NOT_FOUND);
  assert_int_equal(tm_client_send(a, "a\nb", NULL, (const uint8_t *)"x", 1, &number), TM_E_SYNTAX);
  assert_int_equal(tm_client_send(a, "Bob", NULL, (const uint8_t *)"", 0, &number), TM_E_LENGTH);
  assert_int_equal(tm_client_send(a, "Bob", NULL, (const uint8_t *)"\xff", 1, &number), TM_E_SYNTAX);
  assert_int_equal(tm_client_send(a, "Bob", NULL, big, sizeof big, &number), TM_E_TOO_BIG);
  assert_int_equal(tm_client_send(a, "Bob", "../x", big, 10, &number), TM_E_SYNTAX);
  assert_int_equal(number, 0);
  assert_int_equal(tm_client_invite(a, "Bob", code), TM_E_EXISTS);
  assert_int_equal(tm_client_invite(a, "", code), TM_E_SYNTAX);
  assert_int_equal(tm_client_invite(a, " x", code), TM_E_SYNTAX);
  assert_string_equal(code, "");
  assert_int_equal(tm_client_find(a, "Eve", &contact), TM_E_NOT_FOUND);
  assert_int_equal(tm_client_forget(a, "Eve"), TM_E_NOT_FOUND);
  assert_int_equal(tm_client_progress(a, "Bob", 1, &progress), TM_E_NOT_FOUND);
  assert_int_equal(tm_client_mark_read(a, 7), TM_E_NOT_FOUND);
  net_free(net);
}

static bool count_unread(void *arg, const struct tm_message *m)
{
  assert_true(m->unread);
  *(uint64_t *)arg = m->id;
  return true;
}

static void read_and_unread(void **state)
{
  struct net *net = two(6);
  uint64_t id = 0;

  (void)state;
  say(net, ALICE, "Bob", "one");
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  assert_int_equal(contact_of(net, BOB, "Alice").unread, 1);
  assert_int_equal(tm_client_messages(net_client(net, BOB), "Alice", 0, true, count_unread, &id), TM_OK);
  assert_true(id > 0);
  assert_int_equal(tm_client_mark_read(net_client(net, BOB), id), TM_OK);
  assert_int_equal(contact_of(net, BOB, "Alice").unread, 0);
  id = 0;
  assert_int_equal(tm_client_messages(net_client(net, BOB), "Alice", 0, true, count_unread, &id), TM_OK);
  assert_int_equal(id, 0);
  net_free(net);
}

static void forgets_a_contact(void **state)
{
  struct net *net = two(7);
  struct tm_contact contact;

  (void)state;
  say(net, ALICE, "Bob", "one");
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  assert_int_equal(tm_client_forget(net_client(net, BOB), "Alice"), TM_OK);
  assert_string_equal(inbox(net, BOB), "");
  assert_int_equal(tm_client_find(net_client(net, BOB), "Alice", &contact), TM_E_NOT_FOUND);
  assert_int_equal(status_of(net, BOB).contacts, 0);
  net_run(net, 20000);
  assert_int_equal(status_of(net, BOB).sequences, 4);
  /* The name is free again. */
  pair(net, BOB, "Alice", ALICE, "Bob 2");
  net_free(net);
}

static void survives_closing(void **state)
{
  struct net *net = two(8);

  (void)state;
  say(net, ALICE, "Bob", "one");
  net_close(net, ALICE);
  net_run(net, 10000);
  net_open(net, ALICE);
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  net_close(net, BOB);
  say(net, ALICE, "Bob", "two");
  net_run(net, 30000);
  net_open(net, BOB);
  assert_string_equal(inbox(net, BOB), "one\n");
  assert_true(wait_received(net, BOB, "Alice", 2, 60000));
  assert_string_equal(inbox(net, BOB), "one\ntwo\n");
  assert_true(wait_delivered(net, ALICE, "Bob", 2, 60000));
  net_free(net);
}

static void link_comes_and_goes(void **state)
{
  struct net *net = two(9);
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  char text[16];

  (void)state;
  for (int i = 0; i < 6; i++) {
    snprintf(text, sizeof text, "text %d", i);
    say(net, ALICE, "Bob", text);
    net_run(net, 700);
    net_link(net, ALICE, false);
    assert_true(tm_client_next_tick(net_client(net, ALICE)) > 1e18);
    assert_int_equal(tm_client_tick(net_client(net, ALICE), packet), TM_E_STATE);
    net_run(net, 3000);
    net_link(net, ALICE, true);
    net_run(net, 1000);
  }
  assert_true(wait_received(net, BOB, "Alice", 6, 60000));
  assert_string_equal(inbox(net, BOB), "text 0\ntext 1\ntext 2\ntext 3\ntext 4\ntext 5\n");
  net_free(net);
}

/* Whoever serves a document must not know a client again by the signature lines that it put there. */
static void document_without_marks(void **state)
{
  struct net *net = two(10);
  struct tm_client *a = net_client(net, ALICE);
  struct tm_note_signer stranger;
  uint8_t digest[32];
  size_t len, marked_len;
  char *doc, *marked;

  (void)state;
  doc = net_document(net, 0, 86400, NULL, &len);
  crypto_generichash(digest, sizeof digest, (uint8_t *)doc, (size_t)(strstr(doc, "\n\n") - doc) + 1, NULL, 0);
  assert_int_equal(tm_note_signer_make(&stranger, "client-17", (const uint8_t *)"a mark, thirty-two bytes of seed"), TM_OK);
  assert_int_equal(tm_note_sign(&stranger, doc, len, &marked, &marked_len), TM_OK);
  assert_int_equal(tm_client_document(a, (uint8_t *)marked, marked_len), TM_OK);
  assert_memory_equal(tm_client_document_digest(a), digest, sizeof digest);
  free(marked);
  free(doc);
  net_free(net);
}

static void documents(void **state)
{
  struct net *net = two(10);
  struct tm_client *a = net_client(net, ALICE);
  struct tm_params params;
  size_t len;
  char *doc;

  (void)state;
  net_params(&params);
  doc = net_document(net, 0, 86400, NULL, &len);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_OK);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_E_EXISTS);
  doc[40] ^= 1;
  assert_true(tm_client_document(a, (uint8_t *)doc, len) < 0);
  free(doc);
  net_run(net, 2000);
  params.slot_ms = 4000;
  doc = net_document(net, 0, 86400, &params, &len);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_E_CONFLICT);
  free(doc);
  /* More sequences, then fewer: decoys come and go, the contact stays. */
  params.slot_ms = 2000;
  params.sequences = 6;
  doc = net_document(net, 0, 3600, &params, &len);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_OK);
  free(doc);
  assert_int_equal(status_of(net, ALICE).sequences, 6);
  net_run(net, 4000);
  params.sequences = 1;
  doc = net_document(net, 0, 3600, &params, &len);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_OK);
  free(doc);
  say(net, ALICE, "Bob", "still here");
  assert_true(wait_received(net, BOB, "Alice", 1, 60000));
  net_free(net);
}

static void expired_document_stops_the_clock(void **state)
{
  struct net *net = two(11);
  struct tm_client *a = net_client(net, ALICE);
  size_t len;
  char *doc = net_document(net, 0, 60, NULL, &len);
  char code[TM_INVITE_TEXT_LEN];

  (void)state;
  net_run(net, 1000);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_OK);
  free(doc);
  assert_false(tm_client_document_due(a));
  net_run(net, 40000);
  assert_true(tm_client_document_due(a));
  assert_false(tm_client_document_due(a));
  net_run(net, 30000);
  assert_false(status_of(net, ALICE).document_valid);
  assert_true(tm_client_next_tick(a) > 1e18);
  assert_int_equal(tm_client_invite(a, "Carol", code), TM_E_STATE);
  assert_non_null(tm_client_entry(a));
  /* What is expired can still be opened, and replaced. */
  net_close(net, ALICE);
  assert_int_equal(tm_client_open(&a, net_dir(net, ALICE), "", net_clock(net), net_user_rng(net, ALICE)), TM_OK);
  assert_non_null(tm_client_entry(a));
  assert_true(tm_client_document_due(a));
  tm_client_close(a);
  net_open(net, ALICE);
  a = net_client(net, ALICE);
  doc = net_document(net, 0, 3600, NULL, &len);
  assert_int_equal(tm_client_document(a, (uint8_t *)doc, len), TM_OK);
  free(doc);
  say(net, ALICE, "Bob", "back");
  assert_true(wait_received(net, BOB, "Alice", 1, 120000));
  net_free(net);
}

static void state_is_private(void **state)
{
  struct tm_params params;
  struct net *net;
  struct tm_client *c;
  struct stat st;
  char path[128];
  const char *dir;
  char own[] = "/tmp/tm-engine-own-XXXXXX";
  char open_dir[] = "/tmp/tm-engine-open-XXXXXX";
  size_t len;
  char *doc;

  (void)state;
  net_params(&params);
  net = net_new(12, &params);
  net_join(net, ALICE);
  dir = net_dir(net, ALICE);
  snprintf(path, sizeof path, "%s/state.db", dir);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  snprintf(path, sizeof path, "%s/state.db-wal", dir);
  if (stat(path, &st) == 0)
    assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(tm_client_open(&c, dir, "", net_clock(net), net_user_rng(net, ALICE)), TM_E_EXISTS);
  net_close(net, ALICE);
  assert_int_equal(tm_client_open(&c, dir, "wrong", net_clock(net), net_user_rng(net, ALICE)), TM_E_AUTH);
  assert_null(c);
  assert_int_equal(tm_client_open(&c, "/tmp/tm-engine-nowhere", "", net_clock(net), net_user_rng(net, ALICE)),
                   TM_E_NOT_FOUND);
  doc = net_document(net, 0, 3600, NULL, &len);
  assert_int_equal(tm_client_create(dir, "", net_trust(net), strlen(net_trust(net)), (uint8_t *)doc, len,
                                    net_clock(net), net_user_rng(net, ALICE)),
                   TM_E_EXISTS);
  /* A directory that is there is closed to others; somebody else's is left alone. */
  assert_non_null(mkdtemp(open_dir));
  assert_int_equal(chmod(open_dir, 0777), 0);
  if (geteuid() == 0) {
    assert_int_equal(chown(open_dir, 1, 1), 0);
    assert_int_equal(tm_client_create(open_dir, "", net_trust(net), strlen(net_trust(net)), (uint8_t *)doc, len,
                                      net_clock(net), net_user_rng(net, ALICE)),
                     TM_E_IO);
    assert_int_equal(chown(open_dir, 0, 0), 0);
  }
  assert_int_equal(tm_client_create(open_dir, "", net_trust(net), strlen(net_trust(net)), (uint8_t *)doc, len,
                                    net_clock(net), net_user_rng(net, ALICE)),
                   TM_OK);
  assert_int_equal(stat(open_dir, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  snprintf(path, sizeof path, "rm -rf %s", open_dir);
  assert_int_equal(system(path), 0);
  /* A document that nobody signed makes no state. */
  doc[30] ^= 1;
  assert_non_null(mkdtemp(own));
  assert_true(tm_client_create(own, "", net_trust(net), strlen(net_trust(net)), (uint8_t *)doc, len, net_clock(net),
                               net_user_rng(net, ALICE)) < 0);
  assert_int_equal(tm_client_open(&c, own, "", net_clock(net), net_user_rng(net, ALICE)), TM_E_NOT_FOUND);
  free(doc);
  snprintf(path, sizeof path, "rm -rf %s", own);
  assert_int_equal(system(path), 0);
  net_free(net);
}

static void tamper(const char *dir, const char *sql)
{
  char path[128];
  sqlite3 *db;

  snprintf(path, sizeof path, "%s/state.db", dir);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void newer_and_damaged_state(void **state)
{
  struct tm_params params;
  struct net *net;
  struct tm_client *c;

  (void)state;
  net_params(&params);
  net = net_new(13, &params);
  net_join(net, ALICE);
  net_close(net, ALICE);
  tamper(net_dir(net, ALICE), "PRAGMA user_version=2");
  assert_int_equal(tm_client_open(&c, net_dir(net, ALICE), "", net_clock(net), net_user_rng(net, ALICE)), TM_E_UNKNOWN);
  /* Rows that were swapped are not taken for each other. */
  tamper(net_dir(net, ALICE),
         "PRAGMA user_version=1;"
         "UPDATE conversation SET sealed = (SELECT sealed FROM conversation WHERE id = 2) WHERE id = 1");
  assert_int_equal(tm_client_open(&c, net_dir(net, ALICE), "", net_clock(net), net_user_rng(net, ALICE)), TM_E_SYNTAX);
  net_free(net);
}

static void outbox_is_bounded(void **state)
{
  struct net *net = two(14);
  uint32_t number;
  int err = TM_OK;
  int n = 0;

  (void)state;
  net_link(net, ALICE, false);
  while (err == TM_OK && n < 5000) {
    err = tm_client_send(net_client(net, ALICE), "Bob", NULL, (const uint8_t *)"x", 1, &number);
    n += err == TM_OK;
  }
  assert_int_equal(err, TM_E_FULL);
  assert_in_range(n, 400, 1024);
  net_free(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_both_ways),
      cmocka_unit_test(text_both_ways),
      cmocka_unit_test(packs_texts_into_one_box),
      cmocka_unit_test(order_is_kept),
      cmocka_unit_test(says_what_is_wrong),
      cmocka_unit_test(read_and_unread),
      cmocka_unit_test(forgets_a_contact),
      cmocka_unit_test(survives_closing),
      cmocka_unit_test(link_comes_and_goes),
      cmocka_unit_test(documents),
      cmocka_unit_test(document_without_marks),
      cmocka_unit_test(expired_document_stops_the_clock),
      cmocka_unit_test(state_is_private),
      cmocka_unit_test(newer_and_damaged_state),
      cmocka_unit_test(outbox_is_bounded),
  };

  return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
