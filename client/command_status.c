#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/command.h"

static void say_network(const json_t *s)
{
  char moment[TM_MOMENT_TEXT_LEN];
  const char *network = tm_member_text(s, "network");
  uint64_t until = tm_member_number(s, "document_until", 0);

  tm_moment_format(until, moment);
  tm_say(stdout, "Network    %s; document %s %s\n", network != NULL ? network : "?",
         tm_member_bool(s, "document_valid") ? "valid until" : "EXPIRED at", moment);
}

static void say_link(const json_t *s)
{
  const json_t *link = json_object_get(s, "link");
  const char *entry = tm_member_text(s, "entry");
  const char *state = tm_member_text(link, "state");
  const char *reason = tm_member_text(link, "reason");
  const char *text = "not connected";

  if (tm_member_bool(s, "link_up"))
    text = "connected";
  else if (state != NULL && strcmp(state, "connecting") == 0)
    text = "connecting";
  else if (state != NULL && strcmp(state, "waiting") == 0)
    text = "not connected, trying again soon";
  tm_say(stdout, "Entry      %s; %s", entry != NULL && entry[0] != '\0' ? entry : "none", text);
  if (!tm_member_bool(s, "link_up") && reason != NULL)
    tm_say(stdout, " (%s)", reason);
  putchar('\n');
}

static void say_reading(const json_t *s)
{
  char duration[TM_DURATION_TEXT_LEN];
  uint64_t behind = tm_member_number(s, "slots_behind", 0);
  double per_hour = json_number_value(json_object_get(s, "catch_up_per_hour_s"));

  tm_duration_format(tm_member_number(s, "catch_up_s", 0), duration);
  if (behind == 0)
    puts("Reading    up to date");
  else
    printf("Reading    %" PRIu64 " slot%s behind, about %s to go\n", behind, behind == 1 ? "" : "s", duration);
  tm_duration_format(per_hour > 0 ? (uint64_t)(per_hour + 0.5) : 0, duration);
  printf("Absence    an hour offline takes about %s to catch up\n", duration);
}

static void say_incoming(const json_t *s)
{
  const json_t *item;
  size_t i;

  json_array_foreach (json_object_get(s, "incoming"), i, item)
    tm_say(stdout, "Incoming   from '%s': %u of %u pieces\n", tm_member_text(item, "from"), (unsigned)tm_member_number(item, "done", 0),
           (unsigned)tm_member_number(item, "pieces", 0));
}

/* Only when something holds writes up. */
static void say_writes(const json_t *s)
{
  const json_t *writes = json_object_get(s, "writes");
  uint64_t working = tm_member_number(writes, "working", 0);
  uint64_t refused = tm_member_number(writes, "refused", 0);

  if (tm_member_bool(writes, "stores_full"))
    puts("Writing    waiting: stores are full; nothing is lost, it goes when there is room");
  else if (refused > 0)
    printf("Writing    %" PRIu64 " box%s for a store that is full; each goes to two\n", refused, refused == 1 ? " waits" : "es wait");
  if (working > 0)
    printf("Work       %" PRIu64 " box%s for the proof of work that stores ask for\n", working, working == 1 ? " waits" : "es wait");
}

static void say_status(const json_t *s)
{
  uint64_t pending = tm_member_number(s, "pending", 0);
  const json_t *counters = json_object_get(s, "counters");

  say_network(s);
  say_link(s);
  printf("Contacts   %" PRIu64 " of %" PRIu64 " places", tm_member_number(s, "contacts", 0), tm_member_number(s, "places", 0));
  if (pending > 0)
    printf(", %" PRIu64 " not paired yet", pending);
  putchar('\n');
  say_reading(s);
  say_incoming(s);
  say_writes(s);
  printf("Requests   %" PRIu64 " waiting; %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " sent again\n",
         tm_member_number(s, "waiting", 0), tm_member_number(counters, "requests", 0), tm_member_number(counters, "replies", 0),
         tm_member_number(counters, "retries", 0));
  printf("Loops      %" PRIu64 " sent, %" PRIu64 " back\n", tm_member_number(counters, "loops", 0),
         tm_member_number(counters, "loops_back", 0));
  printf("Daemon     process %" PRIu64 ", version %s\n", tm_member_number(s, "pid", 0), tm_member_text(s, "version"));
}

int tm_command_status(const struct tm_command_call *call)
{
  struct tm_run run = {0};
  struct tm_frame answer;
  int code;

  tm_run_parse(&run, call, NULL, NULL);
  code = tm_run_ask(&run, json_pack("{s:s}", "op", "status"), &answer);
  if (code == TM_EXIT_OK && run.common->json)
    tm_run_json(&run, tm_answer_values(&answer));
  else if (code == TM_EXIT_OK)
    say_status(answer.head);
  tm_frame_clear(&answer);
  return tm_run_end(&run, code);
}
