/*
 * A disk that forgets what was not synced. Linked into a test, or loaded in front of a program (LD_PRELOAD), it stands in for pwrite, ftruncate, fdatasync and
 * fsync on files whose name ends in ".seen": it keeps, in FILE.undo, every change since the last sync. After the program has ended, however it did, disk_crash brings
 * the file into a state that a loss of power could have left. Other files are left alone.
 */
#ifndef TESTS_UNIT_DISK_SHIM_H
#define TESTS_UNIT_DISK_SHIM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/rng.h"

enum disk_crash_mode {
  DISK_DROP, /* nothing that was not synced is there */
  DISK_KEEP, /* no loss of power: all is there, and not synced still */
  DISK_TEAR  /* each sector of 512 bytes is or is not */
};

/* Returns how many changes had not been synced; -1: it could not be done. */
int disk_crash(const char *path, enum disk_crash_mode mode, const struct tm_rng *rng);

/* Counts the calls that it stands in for; at number disk_die_at the process is killed, in the midst of it; from number disk_fail_at on they fail with disk_errno.
 * 0: never. Any thread. */
extern atomic_uint disk_calls, disk_die_at, disk_fail_at;
extern atomic_uint disk_syncs; /* that worked */
extern atomic_int disk_errno;

#endif
