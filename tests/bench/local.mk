# The benchmark program, as a program.
dist_check_SCRIPTS += tests/bench/run
TESTS += tests/bench/run
