/* What is written: documents, descriptors, trust files, and what the table of parameters yields for people. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "directory/assemble.h"
#include "directory/descriptor.h"
#include "directory/document.h"
#include "directory/params.h"

#include "directory_fixture.h"

static struct fixture fixture;
static char *text; /* the fixture's document, unsigned */
static size_t text_len;

static int setup(void **state)
{
  struct tm_fault fault;

  (void)state;
  fixture_init(&fixture);
  return tm_document_assemble(&fixture.draft, &text, &text_len, &fault);
}

static int teardown(void **state)
{
  (void)state;
  free(text);
  return 0;
}

static int try_draft(struct fixture *f, const char *what)
{
  struct tm_fault fault;
  size_t len;
  char *out;
  int err = tm_document_assemble(&f->draft, &out, &len, &fault);

  if (err != TM_OK && strstr(fault.what, what) == NULL)
    print_error("<%s>, not <%s>\n", fault.what, what);
  assert_true(err == TM_OK || strstr(fault.what, what) != NULL);
  assert_true((err == TM_OK) == (out != NULL));
  free(out);
  return err;
}

static void test_unique(void **state)
{
  struct fixture f;

  (void)state;
  fixture_init(&f);
  assert_int_equal(try_draft(&f, ""), TM_OK);
  strcpy(f.relays[1].name, "entry1");
  assert_int_equal(try_draft(&f, "ascending name"), TM_E_SYNTAX);
  fixture_init(&f);
  memcpy(f.relays[7].identity, f.relays[2].identity, 32);
  assert_int_equal(try_draft(&f, "same identity"), TM_E_SYNTAX);
  fixture_init(&f);
  strcpy(f.relays[7].address, f.relays[2].address);
  assert_int_equal(try_draft(&f, "same address"), TM_E_SYNTAX);
  fixture_init(&f);
  memcpy(f.keys[7][1].point, f.keys[2][0].point, 32);
  assert_int_equal(try_draft(&f, "stands twice"), TM_E_SYNTAX);
}

static void test_every_role(void **state)
{
  struct fixture f;

  (void)state;
  fixture_init(&f);
  f.draft.relays++; /* entry2 remains */
  f.draft.n--;
  assert_int_equal(try_draft(&f, ""), TM_OK);
  f.draft.relays++;
  f.draft.n--;
  assert_int_equal(try_draft(&f, "no entry"), TM_E_SYNTAX);
  fixture_init(&f);
  f.draft.n--;
  assert_int_equal(try_draft(&f, "fewer than two stores"), TM_E_SYNTAX);
  f.relays[0].roles |= TM_ROLE_STORE; /* one relay, two roles */
  assert_int_equal(try_draft(&f, ""), TM_OK);
  for (unsigned layer = 1; layer <= 3; layer++) {
    fixture_init(&f);
    f.relays[2 * layer].layer = f.relays[2 * layer + 1].layer = layer % 3 + 1;
    assert_int_equal(try_draft(&f, "no mix in layer"), TM_E_SYNTAX);
  }
  fixture_init(&f);
  f.draft.n = 0;
  assert_int_equal(try_draft(&f, "no entry"), TM_E_SYNTAX);
}

static void test_layers(void **state)
{
  struct fixture f;

  (void)state;
  fixture_init(&f);
  f.relays[0].layer = 1;
  assert_int_equal(try_draft(&f, "\"layer\" where \"mix-key\" was due"), TM_E_SYNTAX);
  fixture_init(&f);
  f.relays[2].layer = 0;
  assert_int_equal(try_draft(&f, "\"mix-key\" where \"layer\" was due"), TM_E_SYNTAX);
}

/* No room is left for signatures. The keys are nonsense: it must not come to looking at them. */
static void test_too_big(void **state)
{
  static struct tm_mix_key keys[TM_DOCUMENT_KEYS_MAX];
  static struct tm_relay_info relays[20];
  struct fixture f;

  (void)state;
  fixture_init(&f);
  for (size_t i = 0; i < sizeof relays / sizeof relays[0]; i++) {
    relays[i] = f.relays[0];
    relays[i].keys = keys;
    relays[i].n_keys = TM_DOCUMENT_KEYS_MAX;
  }
  f.draft.relays = relays;
  f.draft.n = sizeof relays / sizeof relays[0];
  assert_int_equal(try_draft(&f, "fewer relays"), TM_E_TOO_BIG);
}

/* What assemble writes does not depend on the order it was given, and parses to what was meant. */
static void test_canonical(void **state)
{
  struct fixture f;
  struct tm_relay_info first;
  struct tm_fault fault;
  size_t len;
  char *out;

  (void)state;
  fixture_init(&f);
  first = f.relays[0];
  memmove(f.relays, f.relays + 1, sizeof f.relays - sizeof first);
  f.relays[FIXTURE_RELAYS - 1] = first;
  assert_int_equal(tm_document_assemble(&f.draft, &out, &len, &fault), TM_OK);
  assert_int_equal(len, text_len);
  assert_memory_equal(out, text, len);
  free(out);
}

static void test_trust(void **state)
{
  struct tm_trust *t;
  struct tm_note_signer a;
  struct tm_note_key same;
  char line[2][TM_NOTE_VERIFIER_LEN];
  char file[4 * TM_NOTE_VERIFIER_LEN + TM_DOCUMENT_AUTHORITIES_MAX * TM_NOTE_VERIFIER_LEN];
  size_t at = 0;

  (void)state;
  fixture_signer(0, &a);
  tm_note_key_format(&a.pub, line[0]);
  snprintf(file, sizeof file, "\n# one\n%s", line[0]); /* the last newline may be missing */
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_OK);
  assert_int_equal(tm_trust_count(t), 1);
  tm_trust_free(t);
  assert_int_equal(tm_trust_parse(&t, "", 0), TM_E_NOT_FOUND);
  assert_int_equal(tm_trust_parse(&t, "# none\n\n", 8), TM_E_NOT_FOUND);
  assert_null(t);
  snprintf(file, sizeof file, "%s\n%s\n", line[0], line[0]);
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_E_EXISTS);
  assert_int_equal(tm_note_key_make(&same, "other-name", a.pub.key), TM_OK);
  tm_note_key_format(&same, line[1]);
  snprintf(file, sizeof file, "%s\n%s\n", line[0], line[1]);
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_E_EXISTS);
  fixture_signer(1, &a);
  assert_int_equal(tm_note_key_make(&same, "authority-0", a.pub.key), TM_OK);
  tm_note_key_format(&same, line[1]);
  snprintf(file, sizeof file, "%s\n%s\n", line[0], line[1]);
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_E_EXISTS);
  snprintf(file, sizeof file, "%s\r\n", line[0]);
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_E_SYNTAX);
  snprintf(file, sizeof file, " %s\n", line[0]);
  assert_int_equal(tm_trust_parse(&t, file, strlen(file)), TM_E_SYNTAX);
  for (unsigned i = 0; i <= TM_DOCUMENT_AUTHORITIES_MAX; i++) {
    fixture_signer(i, &a);
    tm_note_key_format(&a.pub, file + at);
    at += strlen(file + at);
    file[at++] = '\n';
  }
  assert_int_equal(tm_trust_parse(&t, file, at), TM_E_TOO_BIG);
}

/* ---- descriptors ---- */

static int open_descriptor(const char *bytes, size_t len)
{
  struct tm_descriptor *d;
  struct tm_fault fault;
  int err = tm_descriptor_open(&d, bytes, len, &fault);

  assert_true((err == TM_OK) == (d != NULL));
  assert_true((err == TM_OK) == (fault.what[0] == '\0'));
  tm_descriptor_free(d);
  return err;
}

static void test_descriptor(void **state)
{
  const struct tm_relay_info *mine = &fixture.relays[4];
  const struct tm_relay_info *relay;
  struct tm_descriptor *d;
  size_t len;
  char *note;

  (void)state;
  assert_int_equal(tm_descriptor_make(&note, &len, mine, FIXTURE_NOW, fixture.seeds[4]), TM_OK);
  assert_int_equal(tm_descriptor_open(&d, note, len, NULL), TM_OK);
  relay = tm_descriptor_relay(d);
  assert_true(tm_descriptor_published(d) == FIXTURE_NOW);
  assert_string_equal(relay->name, mine->name);
  assert_memory_equal(relay->identity, mine->identity, 32);
  assert_string_equal(relay->address, mine->address);
  assert_int_equal(relay->roles, mine->roles);
  assert_int_equal(relay->layer, mine->layer);
  assert_int_equal(relay->n_keys, FIXTURE_KEYS);
  assert_memory_equal(relay->keys[1].point, mine->keys[1].point, 32);
  tm_descriptor_free(d);
  for (size_t cut = 0; cut < len; cut++)
    assert_int_not_equal(open_descriptor(note, cut), TM_OK);
  note[strlen("tidemill descriptor 1\npublished 2")] ^= 1;
  assert_int_equal(open_descriptor(note, len), TM_E_SIGNATURE);
  free(note);
}

static void test_descriptor_refused(void **state)
{
  struct tm_relay_info relay = fixture.relays[4];
  struct tm_note_signer wrong;
  char *big = calloc(1, TM_DESCRIPTOR_MAX + 1);
  size_t len;
  char *note;
  char *other;

  (void)state;
  /* Another's key, and nothing of it is left. */
  assert_int_equal(tm_descriptor_make(&note, &len, &relay, FIXTURE_NOW, fixture.seeds[5]), TM_E_SIGNATURE);
  assert_null(note);
  relay.n_keys = 0;
  assert_int_equal(tm_descriptor_make(&note, &len, &relay, FIXTURE_NOW, fixture.seeds[4]), TM_E_SYNTAX);
  relay = fixture.relays[4];
  strcpy(relay.address, "relay.example:4711");
  assert_int_equal(tm_descriptor_make(&note, &len, &relay, FIXTURE_NOW, fixture.seeds[4]), TM_E_SYNTAX);
  /* Signed well by a stranger only. */
  assert_int_equal(tm_descriptor_make(&note, &len, &fixture.relays[4], FIXTURE_NOW, fixture.seeds[4]), TM_OK);
  *strstr(note, "\n\n\xe2") = '\0';
  strcat(note, "\n");
  fixture_signer(0, &wrong);
  assert_int_equal(tm_note_sign(&wrong, note, strlen(note), &other, &len), TM_OK);
  assert_int_equal(open_descriptor(other, len), TM_E_SIGNATURE);
  free(other);
  free(note);
  /* Signed well, with a line too many. */
  assert_int_equal(tm_descriptor_make(&note, &len, &fixture.relays[4], FIXTURE_NOW, fixture.seeds[4]), TM_OK);
  *strstr(note, "\n\n\xe2") = '\0';
  snprintf(big, TM_DESCRIPTOR_MAX, "%s\nend\n", note);
  free(note);
  assert_int_equal(tm_note_signer_make(&wrong, fixture.relays[4].name, fixture.seeds[4]), TM_OK);
  assert_int_equal(tm_note_sign(&wrong, big, strlen(big), &note, &len), TM_OK);
  assert_int_equal(open_descriptor(note, len), TM_E_SYNTAX);
  free(note);
  assert_int_equal(open_descriptor(big, TM_DESCRIPTOR_MAX + 1), TM_E_TOO_BIG);
  free(big);
  /* A document is no descriptor. */
  note = fixture_sign(text, text_len, 0, 1, &len);
  assert_int_equal(open_descriptor(note, len), TM_E_UNKNOWN);
  free(note);
}

/* ---- what the table yields for people ---- */

static char *print(void (*printer)(FILE *))
{
  char *out = NULL;
  size_t len;
  FILE *f = open_memstream(&out, &len);

  assert_non_null(f);
  printer(f);
  fclose(f);
  return out;
}

static char *read_source(const char *name)
{
  const char *top = getenv("top_srcdir");
  char path[512];
  uint8_t *data;
  size_t len;

  snprintf(path, sizeof path, "%s/%s", top != NULL ? top : ".", name);
  if (tm_file_read(path, 1u << 20, &data, &len) != TM_OK)
    fail_msg("%s is not there", path);
  return (char *)data;
}

static void test_files_agree(void **state)
{
  char *sample = print(tm_params_print_sample);
  char *table = print(tm_params_print_table);
  char *file = read_source("doc/examples/default.params");
  char *spec = read_source("doc/spec/directory.md");

  (void)state;
  assert_string_equal(file, sample);
  assert_non_null(strstr(spec, table));
  free(spec);
  free(file);
  free(table);
  free(sample);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_unique),     cmocka_unit_test(test_every_role),         cmocka_unit_test(test_layers),
    cmocka_unit_test(test_canonical),  cmocka_unit_test(test_trust),              cmocka_unit_test(test_descriptor),
    cmocka_unit_test(test_descriptor_refused), cmocka_unit_test(test_files_agree), cmocka_unit_test(test_too_big),
  };

  return cmocka_run_group_tests(tests, setup, teardown);
}
