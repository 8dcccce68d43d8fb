/*
 * Notes, trust files, descriptors and documents against the vectors of doc/spec/directory.md (tests/vectors/directory.json).
 * The file is made by another program from the specification alone.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "directory/descriptor.h"
#include "directory/document.h"
#include "directory/note.h"
#include "directory/params.h"
#include "tests/unit/vectors.h"

static json_t *root;

/* The names of the specification; null is no error. */
static int error_of(const json_t *c)
{
  static const struct {
    const char *name;
    int error;
  } table[] = {
    {"syntax", TM_E_SYNTAX},       {"unknown", TM_E_UNKNOWN}, {"point", TM_E_POINT},    {"too-big", TM_E_TOO_BIG},
    {"signature", TM_E_SIGNATURE}, {"expired", TM_E_EXPIRED}, {"not-yet", TM_E_NOT_YET}, {"none", TM_E_NOT_FOUND},
    {"twice", TM_E_EXISTS},
  };

  if (json_is_null(vec_member(c, "error")))
    return TM_OK;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (strcmp(table[i].name, vec_text(c, "error")) == 0)
      return table[i].error;
  fail_msg("unknown error \"%s\"", vec_text(c, "error"));
  return TM_OK;
}

static void assert_verdict(const json_t *c, int got)
{
  if (got != error_of(c))
    fail_msg("%s: %s instead of %s", vec_text(c, "name"), tm_strerror(got), tm_strerror(error_of(c)));
}

/* The case's note, for the caller to free: text, or bytes where JSON cannot have them. */
static uint8_t *note_of(const json_t *c, size_t *len)
{
  const json_t *text = json_object_get(c, "note");
  const char *s = text != NULL ? json_string_value(text) : vec_text(c, "note_hex");
  size_t cap = strlen(s) + 1;
  uint8_t *note = malloc(cap);

  assert_non_null(note);
  *len = cap - 1;
  if (text != NULL)
    memcpy(note, s, cap);
  else
    *len = vec_bytes(c, "note_hex", note, cap);
  return note;
}

/* ---- keys, signatures, trust files ---- */

static void test_keys(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "keys"), c) {
    const char *verifier = vec_text(c, "verifier"), *signer_text = vec_text(c, "signer");
    uint8_t seed[TM_NOTE_SEED_LEN], public_key[TM_NOTE_KEY_LEN];
    char text[TM_NOTE_VERIFIER_LEN], secret[TM_NOTE_SIGNER_LEN];
    struct tm_note_signer signer;
    struct tm_note_key key;

    vec_exactly(c, "seed", seed, sizeof seed);
    vec_exactly(c, "public", public_key, sizeof public_key);
    assert_int_equal(tm_note_signer_make(&signer, vec_text(c, "name"), seed), TM_OK);
    vec_assert_bytes(c, "public", signer.pub.key, sizeof signer.pub.key);
    vec_assert_bytes(c, "id", signer.pub.id, sizeof signer.pub.id);
    tm_note_signer_format(&signer, secret);
    assert_string_equal(secret, signer_text);
    assert_int_equal(tm_note_signer_parse(&signer, signer_text, strlen(signer_text)), TM_OK);
    vec_assert_bytes(c, "seed", signer.seed, sizeof signer.seed);

    assert_int_equal(tm_note_key_make(&key, vec_text(c, "name"), public_key), TM_OK);
    vec_assert_bytes(c, "id", key.id, sizeof key.id);
    tm_note_key_format(&key, text);
    assert_string_equal(text, verifier);
    assert_int_equal(tm_note_key_parse(&key, verifier, strlen(verifier)), TM_OK);
    vec_assert_bytes(c, "public", key.key, sizeof key.key);
    assert_string_equal(key.name, vec_text(c, "name"));
  }
}

static void test_bad_keys(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "bad_keys"), c) {
    struct tm_note_key key;

    assert_verdict(c, tm_note_key_parse(&key, vec_text(c, "verifier"), strlen(vec_text(c, "verifier"))));
  }
}

static void test_signatures(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "signatures"), c) {
    const char *before = vec_text(c, "before");
    uint8_t seed[TM_NOTE_SEED_LEN];
    struct tm_note_signer signer;
    char *after;
    size_t len;

    vec_exactly(c, "seed", seed, sizeof seed);
    assert_int_equal(tm_note_signer_make(&signer, vec_text(c, "name"), seed), TM_OK);
    assert_int_equal(tm_note_sign(&signer, before, strlen(before), &after, &len), TM_OK);
    assert_string_equal(after, vec_text(c, "after"));
    assert_int_equal(len, strlen(after));
    free(after);
  }
}

static void test_trusts(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "trusts"), c) {
    const char *text = vec_text(c, "trust");
    struct tm_trust *trust;
    int rc = tm_trust_parse(&trust, text, strlen(text));

    assert_verdict(c, rc);
    if (rc != TM_OK)
      continue;
    assert_int_equal(tm_trust_count(trust), vec_number(c, "count"));
    assert_int_equal(tm_trust_needed(trust), vec_number(c, "needed"));
    tm_trust_free(trust);
  }
}

/* ---- relays and documents ---- */

static unsigned roles_of(const json_t *relay)
{
  static const char *const names[] = {"entry", "mix", "store"};
  json_t *roles = vec_cases(vec_member(relay, "roles")), *role;
  unsigned bits = 0;
  size_t i;

  json_array_foreach(roles, i, role)
    for (unsigned k = 0; k < 3; k++)
      if (strcmp(json_string_value(role), names[k]) == 0)
        bits |= 1u << k;
  return bits;
}

static void check_relay(const json_t *c, const struct tm_relay_info *relay)
{
  json_t *keys = vec_cases(vec_member(c, "mix_keys")), *key;
  size_t i;

  assert_string_equal(relay->name, vec_text(c, "name"));
  vec_assert_bytes(c, "identity", relay->identity, sizeof relay->identity);
  assert_string_equal(relay->address, vec_text(c, "address"));
  assert_int_equal(relay->roles, roles_of(c));
  assert_int_equal(relay->layer, vec_number(c, "layer"));
  assert_int_equal(relay->n_keys, json_array_size(keys));
  json_array_foreach(keys, i, key) {
    assert_int_equal(relay->keys[i].epoch, vec_number(key, "epoch"));
    vec_assert_bytes(key, "point", relay->keys[i].point, 32);
  }
}

static void check_params(const json_t *c, const struct tm_params *params)
{
  const json_t *want = vec_member(c, "params");

  assert_int_equal(json_object_size(want), tm_params_count());
  for (size_t i = 0; i < tm_params_count(); i++) {
    const json_t *value = vec_member(want, tm_params_at(i)->name);
    char got[TM_PARAM_VALUE_MAX], text[32];

    tm_params_format(params, i, got);
    if (json_is_integer(value))
      snprintf(text, sizeof text, "%llu", (unsigned long long)json_integer_value(value));
    else
      snprintf(text, sizeof text, "%s", json_string_value(value));
    assert_string_equal(got, text);
  }
}

static void check_document(const json_t *c, const struct tm_document *doc, const uint8_t *note, size_t note_len)
{
  json_t *relays = vec_cases(vec_member(c, "relays")), *relay;
  size_t i, len;

  assert_string_equal(tm_document_network(doc), vec_text(c, "network"));
  assert_int_equal(tm_document_valid_from(doc), vec_number(c, "valid_from"));
  assert_int_equal(tm_document_valid_until(doc), vec_number(c, "valid_until"));
  assert_int_equal(tm_document_valid_from(doc) / tm_document_params(doc)->epoch_s, vec_number(c, "epoch"));
  check_params(c, tm_document_params(doc));
  vec_assert_bytes(c, "digest", tm_document_digest(doc), 32);
  assert_memory_equal(tm_document_bytes(doc, &len), note, note_len);
  assert_int_equal(len, note_len);
  assert_int_equal(tm_document_relays(doc), json_array_size(relays));
  json_array_foreach(relays, i, relay) {
    check_relay(relay, tm_document_relay(doc, i));
    assert_ptr_equal(tm_document_find(doc, tm_document_relay(doc, i)->identity), tm_document_relay(doc, i));
  }
}

static void open_documents(const char *list)
{
  const char *text = vec_text(root, "trust");
  struct tm_trust *trust;

  assert_int_equal(tm_trust_parse(&trust, text, strlen(text)), TM_OK);
  EACH_CASE(vec_member(root, list), c) {
    struct tm_document *doc = NULL;
    size_t len, good = 99;
    uint8_t *note = note_of(c, &len);
    int rc = tm_document_open(&doc, trust, note, len, vec_number(c, "now"), &good);

    assert_verdict(c, rc);
    if (rc == TM_OK) {
      assert_int_equal(good, vec_number(c, "good"));
      check_document(c, doc, note, len);
    } else {
      assert_null(doc);
    }
    tm_document_free(doc);
    free(note);
  }
  tm_trust_free(trust);
}

static void test_documents(void **state)
{
  (void)state;
  open_documents("documents");
}

static void test_refused(void **state)
{
  (void)state;
  open_documents("refused");
}

static void test_descriptors(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "descriptors"), c) {
    struct tm_descriptor *descriptor = NULL;
    size_t len;
    uint8_t *note = note_of(c, &len);
    int rc = tm_descriptor_open(&descriptor, note, len, NULL);

    assert_verdict(c, rc);
    if (rc == TM_OK) {
      assert_int_equal(tm_descriptor_published(descriptor), vec_number(c, "published"));
      check_relay(vec_member(c, "relay"), tm_descriptor_relay(descriptor));
    } else {
      assert_null(descriptor);
    }
    tm_descriptor_free(descriptor);
    free(note);
  }
}

/* What the first good one says, made again. */
static void test_descriptor_made(void **state)
{
  (void)state;
  EACH_CASE(vec_member(root, "descriptors_made"), c) {
    const char *note = vec_text(c, "note");
    struct tm_descriptor *descriptor;
    uint8_t seed[32];
    size_t len;
    char *made;

    vec_exactly(c, "seed", seed, sizeof seed);
    assert_int_equal(tm_descriptor_open(&descriptor, note, strlen(note), NULL), TM_OK);
    check_relay(vec_member(c, "relay"), tm_descriptor_relay(descriptor));
    assert_int_equal(tm_descriptor_make(&made, &len, tm_descriptor_relay(descriptor), vec_number(c, "published"), seed),
                     TM_OK);
    assert_string_equal(made, note);
    free(made);
    tm_descriptor_free(descriptor);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_keys),       cmocka_unit_test(test_bad_keys),    cmocka_unit_test(test_signatures),
    cmocka_unit_test(test_trusts),     cmocka_unit_test(test_documents),   cmocka_unit_test(test_refused),
    cmocka_unit_test(test_descriptors), cmocka_unit_test(test_descriptor_made),
  };
  int failed;

  root = vec_load("directory.json");
  if (root == NULL)
    return 1;
  failed = cmocka_run_group_tests(tests, NULL, NULL);
  json_decref(root);
  return failed;
}
