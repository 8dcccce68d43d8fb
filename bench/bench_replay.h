/*
 * tidemill-bench replay: what the relay's replay sets cost: the table in memory, the journal on disk, and reading it again. One thread, beside the two of
 * the sets.
 */
#ifndef TM_BENCH_REPLAY_H
#define TM_BENCH_REPLAY_H

#include "base/config/command.h"

/* The command; returns enum tm_exit: 1 also if a set forgot a tag. */
int tm_bench_replay(const struct tm_command_call *call);

#endif
