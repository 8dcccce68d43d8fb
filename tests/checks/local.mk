# Checkers of the tree, each with a test that plants faults for it.
dist_check_SCRIPTS += tests/checks/layers tests/checks/layers-planted
TESTS += tests/checks/layers tests/checks/layers-planted
dist_check_SCRIPTS += tests/checks/straight tests/checks/straight-all
if HAVE_AVX512F
if !INSTRUMENTED
TESTS += tests/checks/straight-all
endif
endif
