/*
 * The (n-1) attack against one relay, as an experiment: the relay's own mix, cover, alarm and hold (relay/mix.h, relay/cover.h) under a virtual clock, and an
 * adversary who holds every link to it. doc/anonymity.md describes both sides. One thread.
 */
#ifndef TM_BENCH_ATTACK_H
#define TM_BENCH_ATTACK_H

#include "bench/bench_anonymity.h"

enum tm_attack {
  TM_ATTACK_EXACT,   /* keep everybody away, however long it takes, flush, let one packet in */
  TM_ATTACK_HURRY,   /* let it in just before the alarm */
  TM_ATTACK_AGAIN,   /* as exact, when a hold is just over and the next not allowed */
  TM_ATTACK_TRICKLE, /* let everybody's packets in one by one, far apart */
  TM_ATTACK_THIN,    /* let two packets of three in, so that nothing is noticed */
  TM_ATTACKS
};

enum tm_defence {
  TM_DEFENCE_NONE,
  TM_DEFENCE_COVER, /* the relay sends loops and dummies, and makes nothing of loops that stay away */
  TM_DEFENCE_FLOOR, /* dummies fill the pool up before each release */
  TM_DEFENCE_HOLD,  /* as cover, and the alarm: a hold as long as the relay's, and more dummies (mixing.md, section 5.6) */
  TM_DEFENCE_ALL,
  TM_DEFENCES
};

extern const char *const tm_attack_names[TM_ATTACKS];
extern const char *const tm_defence_names[TM_DEFENCES];

struct tm_attack_result {
  bool applies;    /* the strategy has such a defence */
  double success;  /* share of targets that the adversary found among what left */
  double unseen;   /* share of targets for which nothing came out that the adversary could take for one, before it gave up */
  double seconds;  /* from the beginning of the attack until the target was taken for found; NAN: never */
};

/* trials targets. Uses of o: strategy and its parameters, rate, loops and dummies (the relay's own packets), timeout, floor, seed. Errors: TM_E_NOMEM, TM_E_TOO_BIG. */
int tm_attack_run(struct tm_attack_result *out, const struct tm_anonymity_options *o, enum tm_attack attack, enum tm_defence defence,
                  size_t trials) TM_MUST_CHECK;

/* What is left open in o as the experiment has it: dummies a fiftieth of the traffic, floor half as much again as the pool. */
struct tm_anonymity_options tm_attack_options(const struct tm_anonymity_options *o);

/* All of it, to standard output, as a table or as JSON; returns enum tm_exit. */
int tm_attack_command(const struct tm_command_call *call, const struct tm_anonymity_options *o);

#endif
