#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/internal.h"

#include "engine_user.h"

static struct net *three(uint64_t seed, const struct tm_params *given)
{
  struct tm_params params;
  struct net *net;

  net_params(&params);
  net = net_new(seed, given == NULL ? &params : given);
  net_join(net, ALICE);
  net_join(net, BOB);
  net_join(net, CAROL);
  return net;
}

static void wrong_codes(void **state)
{
  struct net *net = three(60, NULL);
  struct tm_client *a = net_client(net, ALICE);
  struct tm_client *b = net_client(net, BOB);
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN], bad[TM_INVITE_TEXT_LEN];

  (void)state;
  assert_int_equal(tm_client_invite(a, "Bob", code), TM_OK);
  memcpy(bad, code, sizeof bad);
  bad[3] = bad[3] == '7' ? '8' : '7';
  assert_int_equal(tm_client_accept(b, "Alice", bad, &why), TM_E_AUTH);
  assert_true(why.checksum_bad);
  bad[3] = '*';
  assert_int_equal(tm_client_accept(b, "Alice", bad, &why), TM_E_AUTH);
  assert_int_equal(why.position, 4);
  assert_int_equal(tm_client_accept(b, "Alice", "ABC", &why), TM_E_AUTH);
  assert_int_equal(why.symbols, 3);
  assert_int_equal(state_of(net, BOB, "Alice"), 0);
  assert_int_equal(tm_client_accept(a, "Myself", code, &why), TM_E_CONFLICT);
  assert_int_equal(tm_client_accept(b, "Alice", code, &why), TM_OK);
  assert_int_equal(tm_client_accept(b, "Alice again", code, &why), TM_E_CONFLICT);
  assert_int_equal(state_of(net, BOB, "Alice"), TM_CONTACT_ACCEPTING);
  assert_int_equal(state_of(net, ALICE, "Bob"), TM_CONTACT_INVITED);
  net_free(net);
}

static void not_ready_yet(void **state)
{
  struct net *net = three(61, NULL);
  char code[TM_INVITE_TEXT_LEN], text[TM_SAFETY_TEXT_LEN];
  uint32_t number;

  (void)state;
  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  assert_int_equal(tm_client_safety(net_client(net, ALICE), "Bob", text), TM_E_STATE);
  assert_int_equal(tm_client_send(net_client(net, ALICE), "Bob", NULL, (const uint8_t *)"x", 1, &number), TM_E_STATE);
  assert_true(contact_of(net, ALICE, "Bob").expires_s > NET_START_MS / 1000);
  net_free(net);
}

static void invites_expire(void **state)
{
  struct tm_params params;
  struct net *net;
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN];

  (void)state;
  net_params(&params);
  params.box_expiry_s = 60;
  net = three(62, &params);
  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  net_close(net, BOB);
  net_run(net, 70000);
  assert_int_equal(state_of(net, ALICE, "Bob"), TM_CONTACT_EXPIRED);
  assert_int_equal(status_of(net, ALICE).contacts, 0);
  net_open(net, BOB);
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  net_run(net, 70000);
  assert_int_equal(state_of(net, BOB, "Alice"), TM_CONTACT_EXPIRED);
  assert_int_equal(state_of(net, ALICE, "Bob"), TM_CONTACT_EXPIRED);
  /* The name may be used again at once. */
  pair(net, ALICE, "Bob", BOB, "Alice");
  assert_int_equal(tm_client_contacts(net_client(net, ALICE)), 1);
  net_free(net);
}

static void invites_are_taken_back(void **state)
{
  struct net *net = three(63, NULL);
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN];

  (void)state;
  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  assert_int_equal(tm_client_forget(net_client(net, ALICE), "Bob"), TM_OK);
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  net_run(net, 30000);
  assert_int_equal(state_of(net, ALICE, "Bob"), 0);
  assert_int_equal(state_of(net, BOB, "Alice"), TM_CONTACT_ACCEPTING);
  net_free(net);
}

/* Two use the code, at the same time or one a little later: only one of them can become a contact, and somebody sees it. */
static void two_use_the_code(uint64_t seed, uint64_t gap_ms)
{
  struct net *net = three(seed, NULL);
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN];
  enum tm_contact_state carol, bob;
  bool contested;

  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  assert_int_equal(tm_client_accept(net_client(net, CAROL), "Alice", code, &why), TM_OK);
  net_run(net, gap_ms);
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  net_run(net, 60000);
  contested = state_of(net, ALICE, "Bob") == TM_CONTACT_CONTESTED;
  carol = state_of(net, CAROL, "Alice");
  bob = state_of(net, BOB, "Alice");
  if (contested)
    assert_true(contact_of(net, ALICE, "Bob").contested);
  else
    assert_true(carol == TM_CONTACT_READY || bob == TM_CONTACT_READY);
  assert_false(carol == TM_CONTACT_READY && bob == TM_CONTACT_READY);
  assert_true(gap_ms > 5000 || contested || carol == TM_CONTACT_CONTESTED || bob == TM_CONTACT_CONTESTED);
  net_free(net);
}

static void code_used_twice(void **state)
{
  (void)state;
  two_use_the_code(64, 0);
  two_use_the_code(65, 3000);
  two_use_the_code(66, 20000);
}

/* Both stores have another box under an id that only who knows the code can write to. */
static void somebody_writes_under_our_ids(void **state)
{
  struct net *net = three(69, NULL);
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN];

  (void)state;
  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_lie(net, s, NET_CONFLICT);
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  assert_true(wait_state(net, BOB, "Alice", TM_CONTACT_CONTESTED, 60000));
  for (unsigned s = 0; s < NET_STORES; s++)
    net_store_lie(net, s, s == 0 ? NET_CONFLICT : NET_HONEST);
  /* One store alone that says so is a store that lies. */
  pair(net, ALICE, "Carol", CAROL, "Alice");
  net_free(net);
}

static bool has_confirm(void *arg)
{
  const struct tm_conv *conv = tm_conv_by_name(net_client(arg, BOB)->conv, "Alice");

  return conv != NULL && conv->has_peer_public && conv->has_text && conv->text_slot == 0;
}

/* An acceptor whose sequence begins elsewhere: whoever believed it would read slots that never were, before all others. */
static void sequence_from_elsewhere(uint64_t seed, uint64_t index)
{
  struct net *net = three(seed, NULL);
  static const uint8_t zeros[TM_BOX_SEED_LEN];
  struct tm_box_writer writer;
  uint8_t capability[TM_BOX_CAPABILITY_LEN];
  struct tm_invite_error why;
  struct tm_conv *bob;
  char code[TM_INVITE_TEXT_LEN];

  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  assert_true(net_until(net, 60000, has_confirm, net));
  bob = tm_conv_by_name(net_client(net, BOB)->conv, "Alice");
  tm_box_writer_init(&writer, zeros, index);
  tm_box_capability(&writer, capability);
  assert_int_equal(tm_pairing_confirm_write(bob->text, bob->code, bob->ephemeral, bob->peer_public, capability, zeros), TM_OK);
  net_run(net, 60000);
  assert_int_equal(state_of(net, BOB, "Alice"), TM_CONTACT_READY);
  assert_int_equal(state_of(net, ALICE, "Bob"), TM_CONTACT_CONFIRMING);
  net_free(net);
}

static void sequences_begin_in_the_pairing(void **state)
{
  struct tm_params params;

  (void)state;
  net_params(&params);
  sequence_from_elsewhere(67, 0);
  sequence_from_elsewhere(68, NET_START_MS / params.slot_ms - 2);
  sequence_from_elsewhere(69, NET_START_MS / params.slot_ms + 1000);
}

static void places_run_out(void **state)
{
  struct net *net = three(67, NULL);
  struct tm_client *a = net_client(net, ALICE);
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN], name[8];

  (void)state;
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "c%d", i);
    assert_int_equal(tm_client_invite(a, name, code), TM_OK);
  }
  assert_int_equal(tm_client_invite(a, "c4", code), TM_E_FULL);
  assert_int_equal(tm_client_invite(net_client(net, BOB), "Alice", code), TM_OK);
  assert_int_equal(tm_client_accept(a, "Bob", code, &why), TM_E_FULL);
  assert_int_equal(status_of(net, ALICE).contacts, 4);
  assert_int_equal(status_of(net, ALICE).pending, 4);
  assert_int_equal(tm_client_forget(a, "c1"), TM_OK);
  assert_int_equal(tm_client_accept(a, "Bob", code, &why), TM_OK);
  assert_true(wait_state(net, ALICE, "Bob", TM_CONTACT_READY, 60000));
  net_free(net);
}

static void pairs_across_days_offline(void **state)
{
  struct tm_params params;
  struct net *net;
  struct tm_invite_error why;
  char code[TM_INVITE_TEXT_LEN], a[TM_SAFETY_TEXT_LEN], b[TM_SAFETY_TEXT_LEN];

  (void)state;
  net_params(&params);
  params.slot_ms = 30000;
  params.tick_us = 200000;
  net = three(68, &params);
  net_close(net, CAROL);
  assert_int_equal(tm_client_invite(net_client(net, ALICE), "Bob", code), TM_OK);
  net_run(net, 2000);
  net_close(net, ALICE);
  net_run(net, 600000);
  /* Never both at once. */
  assert_int_equal(tm_client_accept(net_client(net, BOB), "Alice", code, &why), TM_OK);
  net_run(net, 90000);
  net_close(net, BOB);
  net_open(net, ALICE);
  assert_true(wait_state(net, ALICE, "Bob", TM_CONTACT_CONFIRMING, 600000));
  net_run(net, 120000);
  net_close(net, ALICE);
  net_open(net, BOB);
  assert_true(wait_state(net, BOB, "Alice", TM_CONTACT_READY, 600000));
  net_close(net, BOB);
  net_open(net, ALICE);
  assert_true(wait_state(net, ALICE, "Bob", TM_CONTACT_READY, 600000));
  net_open(net, BOB);
  assert_int_equal(tm_client_safety(net_client(net, ALICE), "Bob", a), TM_OK);
  assert_int_equal(tm_client_safety(net_client(net, BOB), "Alice", b), TM_OK);
  assert_string_equal(a, b);
  say(net, ALICE, "Bob", "at last");
  assert_true(wait_received(net, BOB, "Alice", 1, 300000));
  net_free(net);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_codes),
      cmocka_unit_test(not_ready_yet),
      cmocka_unit_test(invites_expire),
      cmocka_unit_test(invites_are_taken_back),
      cmocka_unit_test(code_used_twice),
      cmocka_unit_test(somebody_writes_under_our_ids),
      cmocka_unit_test(sequences_begin_in_the_pairing),
      cmocka_unit_test(places_run_out),
      cmocka_unit_test(pairs_across_days_offline),
  };

  if (argc > 1)
    cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("engine: pairing", tests, NULL, NULL);
}
