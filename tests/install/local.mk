# What make install puts there for others. Instrumented libraries are for nobody else.
dist_check_SCRIPTS += tests/install/check
if !INSTRUMENTED
TESTS += tests/install/check
endif
