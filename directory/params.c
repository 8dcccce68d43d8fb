#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "sphinx/sphinx.h"

#include "directory/params.h"

static const char *const strategies[] = {"poisson", "timed-pool", NULL}; /* TM_STRATEGY_POISSON and the next */

#define AT(member) #member, offsetof(struct tm_params, member)

/* In the order of documents. */
static const struct tm_param table[] = {
  {AT(epoch_s), 10, 2592000, 86400, NULL, "seconds",
   "Length of an epoch, the life of one mix key. Epoch number = unix time / epoch_s. Shorter forgets sooner and "
   "needs more keys in the document."},
  {AT(key_grace_s), 1, 86400, 3600, NULL, "seconds",
   "A mix key lives so much longer than its epoch, for packets on their way. At most epoch_s, so that a relay never "
   "tries more than two keys."},
  {AT(packet_hops), TM_SPHINX_HOPS_MAX, TM_SPHINX_HOPS_MAX, TM_SPHINX_HOPS_MAX, NULL, "hops",
   "Longest path of a packet. Fixed in this version."},
  {AT(packet_body), TM_SPHINX_BODY_LEN, TM_SPHINX_BODY_LEN, TM_SPHINX_BODY_LEN, NULL, "bytes",
   "Body of a packet. Fixed in this version."},
  {AT(strategy), TM_STRATEGY_POISSON, TM_STRATEGY_TIMED_POOL, TM_STRATEGY_POISSON, strategies, "",
   "How a relay mixes: poisson holds each packet for the delay in its header, timed-pool releases a share of a pool "
   "at each interval."},
  {AT(mean_delay_ms), 1, 600000, 1000, NULL, "milliseconds",
   "poisson: mean of the exponential delay that a sender draws for each hop. Longer hides better among other packets "
   "and is slower."},
  {AT(pool_interval_ms), 10, 3600000, 1000, NULL, "milliseconds", "timed-pool: time between two releases."},
  {AT(pool_min), 0, 1000000, 64, NULL, "packets", "timed-pool: so many packets always stay."},
  {AT(pool_share_permille), 1, 1000, 600, NULL, "thousandths",
   "timed-pool: share of what is above pool_min that each release lets go."},
  {AT(pool_floor), 0, 1000000, 96, NULL, "packets",
   "timed-pool: before each release the relay fills the pool with dummies of its own up to so many packets."},
  {AT(loop_ms), 0, 3600000, 200, NULL, "milliseconds",
   "Mean interval at which a relay sends loops, packets to itself; 0: none. When they do not come home it raises an "
   "alarm, within ten such intervals: less than packets take to leave a mix."},
  {AT(dummy_ms), 0, 3600000, 500, NULL, "milliseconds",
   "Mean interval at which a relay sends dummies, decoy requests of its own; 0: none."},
  {AT(link_us), 0, 1000000, 0, NULL, "microseconds",
   "Interval at which a relay sends one cell, of a packet or padding, on each link to another relay; 0: a cell when "
   "there is one. Shorter than the time between packets on the busiest link, or packets are dropped."},
  {AT(slot_ms), 100, 86400000, 30000, NULL, "milliseconds",
   "Length of a slot, in which each sequence may write one box. Slot number = unix milliseconds / slot_ms."},
  {AT(slot_lag_ms), 0, 86400000, 60000, NULL, "milliseconds",
   "A slot is read no sooner than so long after its end. More than a write takes to arrive and be stored, or reads "
   "come too early and miss."},
  {AT(sequences), 1, 256, 8, NULL, "sequences",
   "Sequences, real and decoys together, that every client runs. The most one-way conversations it can have at a "
   "time."},
  {AT(tick_us), 500, 600000000, 500000, NULL, "microseconds",
   "Mean interval of the client's Poisson clock; it sends one packet at each tick."},
  {AT(request_permille), 1, 1000, 800, NULL, "thousandths",
   "Share of ticks that are requests; the rest are loops, which show a client that its packets arrive."},
  {AT(downlink_us), 100, 600000000, 250000, NULL, "microseconds",
   "Interval of the entry's clock towards each client; one cell at each beat. Shorter than tick_us, or replies pile "
   "up."},
  {AT(decoy_write_permille), 0, 1000, 500, NULL, "thousandths",
   "A decoy writes a box in a slot with this probability."},
  {AT(request_timeout_ms), 100, 3600000, 20000, NULL, "milliseconds",
   "A request without reply is sent again so long after its drawn delays have passed."},
  {AT(box_expiry_s), 5, 7776000, 604800, NULL, "seconds",
   "How long a store keeps a box; a reader that is offline for longer misses messages."},
  {AT(work_bits), 0, 24, 13, NULL, "bits",
   "Zero bits of the proof of work that every write to a store carries; each one more doubles the work. A store that "
   "is over half full asks for up to ten more."},
};

#define COUNT (sizeof table / sizeof table[0])

_Static_assert(COUNT * sizeof(uint32_t) == sizeof(struct tm_params),
               "every field of struct tm_params stands in the table once");

size_t tm_params_count(void) { return COUNT; }

const struct tm_param *tm_params_at(size_t i) { return &table[i]; }

size_t tm_params_find(struct tm_span name)
{
  size_t i = 0;

  while (i < COUNT && !tm_span_is(name, table[i].name))
    i++;
  return i;
}

static uint32_t get(const struct tm_params *params, size_t i)
{
  uint32_t v;

  memcpy(&v, (const char *)params + table[i].offset, sizeof v);
  return v;
}

static void put(struct tm_params *params, size_t i, uint32_t v)
{
  memcpy((char *)params + table[i].offset, &v, sizeof v);
}

int tm_params_set(struct tm_params *params, size_t i, struct tm_span value)
{
  const struct tm_param *p = &table[i];
  uint64_t v;

  if (p->words != NULL) {
    for (size_t w = 0; p->words[w] != NULL; w++)
      if (tm_span_is(value, p->words[w])) {
        put(params, i, p->min + (uint32_t)w);
        return TM_OK;
      }
    return TM_E_SYNTAX;
  }
  if (tm_span_decimal(value, p->max, &v) != TM_OK || v < p->min)
    return TM_E_SYNTAX;
  put(params, i, (uint32_t)v);
  return TM_OK;
}

void tm_params_format(const struct tm_params *params, size_t i, char text[static TM_PARAM_VALUE_MAX])
{
  uint32_t v = get(params, i);

  if (table[i].words != NULL && v >= table[i].min && v <= table[i].max)
    snprintf(text, TM_PARAM_VALUE_MAX, "%s", table[i].words[v - table[i].min]);
  else
    snprintf(text, TM_PARAM_VALUE_MAX, "%" PRIu32, v);
}

void tm_params_standard(struct tm_params *params)
{
  for (size_t i = 0; i < COUNT; i++)
    put(params, i, table[i].standard);
}

const char *tm_params_conflict(const struct tm_params *p)
{
  if (p->key_grace_s > p->epoch_s)
    return "key_grace_s is more than epoch_s: a relay would have to try three keys";
  if ((p->loop_ms != 0 && p->loop_ms < TM_COVER_MIN_MS) || (p->dummy_ms != 0 && p->dummy_ms < TM_COVER_MIN_MS))
    return "loop_ms and dummy_ms must be 0 (none) or at least 10: relays would do little but make cover";
  if (p->link_us != 0 && p->link_us < TM_LINK_MIN_US)
    return "link_us must be 0 (none) or at least 100: links would carry little but padding";
  if (p->tick_us > TM_TICK_MAX_US)
    return "tick_us is more than 60000000: a link ends after 60 s of silence, so that no client would keep one";
  if (p->downlink_us >= p->tick_us)
    return "downlink_us is not less than tick_us: replies would pile up at the entry";
  if ((uint64_t)p->box_expiry_s * 1000 <= (uint64_t)p->slot_ms + p->slot_lag_ms)
    return "box_expiry_s is not more than slot_ms and slot_lag_ms: boxes would die before they are read";
  if ((uint64_t)p->slot_ms * p->request_permille < (uint64_t)3 * p->sequences * p->tick_us)
    return "a slot has fewer request ticks than three for each sequence (two writes and a read): make slot_ms longer "
           "or tick_us shorter";
  return NULL;
}

static void print_range(FILE *out, const struct tm_param *p, const char *to)
{
  if (p->words == NULL) {
    fprintf(out, "%" PRIu32 "%s%" PRIu32, p->min, to, p->max);
    return;
  }
  for (size_t w = 0; p->words[w] != NULL; w++)
    fprintf(out, "%s%s", w > 0 ? ", " : "", p->words[w]);
}

/* Words of text in lines of at most 78 columns, each begun by "# ". */
static void print_comment(FILE *out, const char *text)
{
  int column = 0;

  while (*text != '\0') {
    int len = (int)strcspn(text, " ");
    if (column == 0 || column + 1 + len > 78) {
      fputs(column == 0 ? "# " : "\n# ", out);
      column = 2;
    } else {
      fputc(' ', out);
      column++;
    }
    fprintf(out, "%.*s", len, text);
    column += len;
    text += len;
    text += strspn(text, " ");
  }
  fputc('\n', out);
}

void tm_params_print_sample(FILE *out)
{
  struct tm_params standard;
  char value[TM_PARAM_VALUE_MAX];

  tm_params_standard(&standard);
  fputs("# Parameters of a Tidemill network, for tidemill-authority assemble --params.\n"
        "# One \"name value\" a line; every one must be there once.\n", out);
  for (size_t i = 0; i < COUNT; i++) {
    fputc('\n', out);
    print_comment(out, table[i].help);
    fputs("# ", out);
    print_range(out, &table[i], " to ");
    fprintf(out, "%s%s\n", table[i].unit[0] != '\0' ? " " : "", table[i].unit);
    tm_params_format(&standard, i, value);
    fprintf(out, "%s %s\n", table[i].name, value);
  }
}

void tm_params_print_table(FILE *out)
{
  struct tm_params standard;
  char value[TM_PARAM_VALUE_MAX];

  tm_params_standard(&standard);
  fputs("| name | range | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n", out);
  for (size_t i = 0; i < COUNT; i++) {
    tm_params_format(&standard, i, value);
    fprintf(out, "| `%s` | ", table[i].name);
    print_range(out, &table[i], " to ");
    fprintf(out, " | %s | %s | %s |\n", table[i].unit, value, table[i].help);
  }
}
