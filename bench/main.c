/* tidemill-bench: how fast it is, and how well it hides. */
#include "config.h"

#include "base/config/command.h"
#include "bench/bench_anonymity.h"
#include "bench/bench_relay.h"
#include "bench/bench_replay.h"
#include "bench/bench_sphinx.h"
#include "bench/bench_timing.h"

static const struct tm_command commands[] = {
  {"sphinx", "", "Measure packets: creating, the header step, the body step, for each back-end.", tm_bench_sphinx, NULL},
  {"relay", "", "Measure a whole relay: packets a second, CPU and latency for each, memory, loss.", tm_bench_relay, NULL},
  {"replay", "", "Measure replay sets: time and memory for each tag, journal, growth.", tm_bench_replay, NULL},
  {"timing", "", "Look whether the time of a multiplication depends on its inputs.", tm_bench_timing, NULL},
  {"anonymity", "", "Measure in bits how well mixes hide packets, and how long they hold them.", tm_bench_anonymity, NULL},
};

static const struct tm_program program = {
  .name = "tidemill-bench",
  .about = "Measures Tidemill on this machine.",
  .commands = commands,
  .n = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv) { return tm_program_main(&program, argc, argv, NULL); }
