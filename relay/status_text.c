#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"

#include "relay/status_text.h"

#define LAST_TIME_S 253402300799 /* of the year 9999, which tm_time_format can write */

/* ---- members; a missing one is 0 or "" ---- */

static const json_t *at(const json_t *o, const char *key) { return json_object_get(o, key); }

static uint64_t number(const json_t *o, const char *key)
{
  json_int_t n = json_integer_value(at(o, key));

  return n > 0 ? (uint64_t)n : 0;
}

static double real(const json_t *o, const char *key) { return json_number_value(at(o, key)); }
static bool yes(const json_t *o, const char *key) { return json_is_true(at(o, key)); }

/* Whoever answers on the socket: what could move a terminal's cursor is left out. */
static void say_text(FILE *out, const json_t *text)
{
  const char *s = json_string_value(text);

  for (; s != NULL && *s != '\0'; s++)
    if (*s >= ' ' && *s <= '~')
      fputc(*s, out);
}

static void say_list(FILE *out, const json_t *list)
{
  size_t n = json_array_size(list);

  for (size_t i = 0; i < n; i++) {
    fputs(i == 0 ? "" : ", ", out);
    say_text(out, json_array_get(list, i));
  }
  if (n == 0)
    fputs("none", out);
}

static void say_duration(FILE *out, uint64_t s)
{
  if (s < 120)
    fprintf(out, "%" PRIu64 " s", s);
  else if (s < 7200)
    fprintf(out, "%" PRIu64 " min", s / 60);
  else if (s < 48 * 3600)
    fprintf(out, "%" PRIu64 " h", s / 3600);
  else
    fprintf(out, "%" PRIu64 " days", s / 86400);
}

/* "2026-11-24T04:00:00Z, in 3 h" */
static void say_moment(FILE *out, uint64_t when, uint64_t now)
{
  char text[TM_TIME_TEXT_LEN];

  tm_time_format(when < LAST_TIME_S ? when : LAST_TIME_S, text);
  fprintf(out, "%s, ", text);
  if (when >= now) {
    fputs("in ", out);
    say_duration(out, when - now);
  } else {
    say_duration(out, now - when);
    fputs(" AGO", out);
  }
}

static double share(uint64_t part, uint64_t all) { return all > 0 ? 100.0 * (double)part / (double)all : 0; }

/* ---- lines ---- */

static void say_head(FILE *out, const json_t *s)
{
  const char *state = json_string_value(at(s, "state"));

  say_text(out, at(s, "name"));
  fputs(": ", out);
  say_list(out, at(s, "roles"));
  if (number(s, "layer") > 0)
    fprintf(out, " of layer %" PRIu64, number(s, "layer"));
  if (state != NULL && strcmp(state, "waiting") == 0)
    fputs("; WAITING for a valid document, everything is dropped", out);
  else if (state != NULL && strcmp(state, "keyless") == 0)
    fputs("; WITHOUT A MIX KEY for this epoch, everything is dropped: run keygen", out);
  else {
    fputs("; ", out);
    say_text(out, at(s, "state"));
  }
  fputs(", up for ", out);
  say_duration(out, number(s, "uptime_s"));
  fputs(" (version ", out);
  say_text(out, at(s, "version"));
  fprintf(out, ", process %" PRIu64 ")\n", number(s, "pid"));
}

static void say_document(FILE *out, const json_t *s)
{
  const json_t *d = at(s, "document");

  fputs("Document  ", out);
  if (!json_is_object(d)) {
    fputs("none yet\n", out);
    return;
  }
  fputs("network ", out);
  say_text(out, at(d, "network"));
  fprintf(out, ", %" PRIu64 " relays; this one: ", number(d, "relays"));
  say_list(out, at(d, "roles"));
  fputs(yes(d, "valid") ? "; valid until " : "; NOT VALID, it ended ", out);
  say_moment(out, number(d, "valid_until"), number(s, "time"));
  fputc('\n', out);
}

/* Those of the counts that are not zero, on the rest of the line. */
static void say_reasons(FILE *out, const json_t *counts)
{
  const char *reason;
  json_t *n;
  bool any = false;

  json_object_foreach((json_t *)counts, reason, n) {
    if (json_integer_value(n) <= 0)
      continue;
    fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, any ? ", " : "", reason, json_integer_value(n));
    any = true;
  }
  fputs(any ? "\n" : "none\n", out);
}

static void say_links(FILE *out, const json_t *s)
{
  const json_t *l = at(s, "links");

  fprintf(out, "Links     %" PRIu64 " of %" PRIu64 " with relays", number(l, "relays"), number(l, "relays_expected"));
  if (number(l, "clients_max") > 0)
    fprintf(out, ", %" PRIu64 " of at most %" PRIu64 " with clients", number(l, "clients"), number(l, "clients_max"));
  fputs("\nRefused   ", out);
  say_reasons(out, at(s, "refused"));
}

static uint64_t sum(const json_t *o)
{
  uint64_t n = 0;
  const char *key;
  json_t *value;

  json_object_foreach((json_t *)o, key, value)
    n += (uint64_t)json_integer_value(value);
  return n;
}

static double between(uint64_t now, uint64_t before, double seconds)
{
  return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void say_rates(FILE *out, const json_t *s, const json_t *before, double seconds)
{
  const json_t *r = at(s, "rates");
  double in = real(r, "in"), outward = real(r, "out"), drop = real(r, "drop"), over = real(r, "seconds");

  if (before != NULL) {
    in = between(number(at(s, "in"), "link"), number(at(before, "in"), "link"), seconds);
    outward = between(number(at(s, "out"), "link") + number(at(s, "out"), "client"),
                      number(at(before, "out"), "link") + number(at(before, "out"), "client"), seconds);
    drop = between(sum(at(s, "drop")), sum(at(before, "drop")), seconds);
    over = seconds;
  }
  fprintf(out, "Traffic   %.1f packets/s in, %.1f out, %.1f dropped (over %.0f s)\n", in, outward, drop, over);
}

static void say_packets(FILE *out, const json_t *s)
{
  const json_t *in = at(s, "in"), *o = at(s, "out"), *drops = at(s, "drop");

  fprintf(out, "Packets   in: %" PRIu64 " from links, %" PRIu64 " own, %" PRIu64 " answers; out: %" PRIu64 " to links, %" PRIu64
               " to clients, %" PRIu64 " to the store, %" PRIu64 " loops\n",
          number(in, "link"), number(in, "own"), number(in, "reply"), number(o, "link"), number(o, "client"), number(o, "store"),
          number(o, "loop"));
  fprintf(out, "          %" PRIu64 " held; %s\n", number(s, "held"),
          yes(s, "balanced") ? "every packet is accounted for" : "THE ACCOUNT DOES NOT BALANCE: a bug, please report it");
  fputs("Dropped   ", out);
  say_reasons(out, drops);
}

static void say_mix(FILE *out, const json_t *s)
{
  const json_t *m = at(s, "mix");

  fputs("Mix       ", out);
  if (!json_is_string(at(m, "strategy"))) {
    fputs("none yet\n", out);
    return;
  }
  say_text(out, at(m, "strategy"));
  fprintf(out, ": %" PRIu64 " of at most %" PRIu64 " packets, entropy %.1f bits (as among %.0f)%s\n", number(m, "packets"), number(m, "packets_max"),
          real(m, "entropy_bits"), exp2(real(m, "entropy_bits")), yes(at(s, "cover"), "held") ? "; HELD" : "");
}

static void say_keys(FILE *out, const json_t *s)
{
  const json_t *keys = at(s, "keys");

  if (json_array_size(keys) == 0)
    fputs("Keys      none\n", out);
  for (size_t i = 0; i < json_array_size(keys); i++) {
    const json_t *k = json_array_get(keys, i);
    fprintf(out, "%s epoch %" PRIu64 ": %" PRIu64 " of %" PRIu64 " packets (%.1f%%)%s, erased ", i == 0 ? "Keys     " : "         ",
            number(k, "epoch"), number(k, "tags"), number(k, "tags_max"), share(number(k, "tags"), number(k, "tags_max")),
            yes(k, "failed") ? ", ITS JOURNAL FAILED" : "");
    say_moment(out, number(k, "ends"), number(s, "time"));
    fputc('\n', out);
  }
}

static void say_store(FILE *out, const json_t *s)
{
  const json_t *b = at(s, "store");

  if (!json_is_object(b))
    return;
  fprintf(out, "Store     %" PRIu64 " of %" PRIu64 " boxes (%.1f%%); stored %" PRIu64 ", found %" PRIu64 ", missing %" PRIu64, number(b, "boxes"),
          number(b, "boxes_max"), share(number(b, "boxes"), number(b, "boxes_max")), number(b, "put"), number(b, "get_hit"),
          number(b, "get_miss"));
  fprintf(out, ", conflict %" PRIu64 ", refused %" PRIu64 ", full %" PRIu64 ", failed %" PRIu64 ", too little work %" PRIu64 "\n", number(b, "conflict"), number(b, "refused"),
          number(b, "full"), number(b, "failed"), number(b, "work"));
}

static void say_alarms(FILE *out, const json_t *s)
{
  const json_t *c = at(s, "cover"), *a = at(s, "alarms"), *loops = at(a, "loops"), *tags = at(a, "tag_failures");

  fprintf(out, "Cover     %" PRIu64 " loops sent, %" PRIu64 " home, %" PRIu64 " late; %" PRIu64 " dummies\n", number(c, "loops"),
          number(c, "home"), number(c, "late"), number(c, "dummies"));
  fprintf(out, "Alarms    %s (%" PRIu64 " before); %s (%" PRIu64 " before)\n", yes(loops, "raised") ? "OWN LOOPS DO NOT COME HOME" : "loops come home",
          number(loops, "count") - yes(loops, "raised"),
          yes(tags, "raised") ? "PACKETS ARE CHANGED ON THEIR WAY" : "no wave of changed packets", number(tags, "count") - yes(tags, "raised"));
}

static void say_next(FILE *out, const json_t *s)
{
  static const struct {
    const char *key, *text;
  } events[] = {{"epoch_begins", "the next epoch begins"},
                {"key_erased", "a mix key is erased"},
                {"document_ends", "the document ends"},
                {"document_keys_end", "this relay's keys in the document end"},
                {"made_keys_end", "the keys that are made end; run keygen before"}};
  const json_t *next = at(s, "next");
  bool any = false;

  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    if (!json_is_integer(at(next, events[i].key)))
      continue;
    fprintf(out, "%s", any ? "          " : "Next      ");
    say_moment(out, number(next, events[i].key), number(s, "time"));
    fprintf(out, ": %s\n", events[i].text);
    any = true;
  }
}

static void say_machine(FILE *out, const json_t *s)
{
  const json_t *m = at(s, "memory");

  if (json_is_object(m))
    fprintf(out, "Memory    %.1f MB in use, %.1f MB taken from the system for it\n", (double)number(m, "allocated_bytes") / 1e6,
            (double)number(m, "resident_bytes") / 1e6);
}

void tm_status_print(FILE *out, const json_t *status, const json_t *before, double seconds)
{
  say_head(out, status);
  say_document(out, status);
  say_links(out, status);
  say_rates(out, status, before, seconds);
  say_packets(out, status);
  say_mix(out, status);
  say_keys(out, status);
  say_store(out, status);
  say_alarms(out, status);
  say_next(out, status);
  say_machine(out, status);
}
