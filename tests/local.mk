# Tests. Units are cmocka programs, one a room; networks are pytest; checkers are scripts.
# Each subdirectory of tests has its own fragment, so that rooms don't edit one file.
include tests/unit/local.mk
include tests/reference/local.mk
