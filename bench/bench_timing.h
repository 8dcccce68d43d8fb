/*
 * tidemill-bench timing: does the time of X25519 depend on what it multiplies? In the style of dudect (Reparaz, Balasch,
 * Verbauwhede 2017): calls with inputs of two classes in random order, and Welch's t of their times. One thread.
 */
#ifndef TM_BENCH_TIMING_H
#define TM_BENCH_TIMING_H

#include "base/config/command.h"

/* The command; returns enum tm_exit: 1 also if a difference was found. */
int tm_bench_timing(const struct tm_command_call *call);

#endif
