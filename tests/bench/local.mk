# The benchmark program, as a program.
dist_check_SCRIPTS += tests/bench/run tests/bench/anonymity
TESTS += tests/bench/run tests/bench/anonymity
