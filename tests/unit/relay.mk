if HAVE_CMOCKA
relay_tests = test_relay test_relay_cover test_relay_pace test_relay_documents test_limits test_entry test_mix test_ring test_tagtable test_journal test_replay test_replay_kill test_counters test_keys test_worker test_store test_relay_options test_check test_sandbox \
	test_anonymity test_cover test_status test_control test_metrics
# A sanitizer brings its own malloc: there is nothing to count there.
if !INSTRUMENTED
relay_tests += test_flow
endif
check_PROGRAMS += $(relay_tests)
TESTS += $(relay_tests)

RELAY_TEST_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS)
RELAY_TEST_LIBS = librelay.la $(CMOCKA_LIBS) $(EVENT_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS)

relay_net = tests/unit/relay_support.c tests/unit/relay_support.h tests/unit/relay_requests.c tests/unit/relay_requests.h \
	tests/unit/disk_shim.c tests/unit/disk_shim.h
test_relay_SOURCES = tests/unit/test_relay.c $(relay_net)
test_relay_CFLAGS = $(RELAY_TEST_CFLAGS)
test_relay_LDADD = $(RELAY_TEST_LIBS)
test_relay_cover_SOURCES = tests/unit/test_relay_cover.c $(relay_net)
test_relay_cover_CFLAGS = $(RELAY_TEST_CFLAGS)
test_relay_cover_LDADD = $(RELAY_TEST_LIBS)
test_relay_pace_SOURCES = tests/unit/test_relay_pace.c $(relay_net)
test_relay_pace_CFLAGS = $(RELAY_TEST_CFLAGS)
test_relay_pace_LDADD = $(RELAY_TEST_LIBS)
test_relay_documents_SOURCES = tests/unit/test_relay_documents.c $(relay_net)
test_relay_documents_CFLAGS = $(RELAY_TEST_CFLAGS)
test_relay_documents_LDADD = $(RELAY_TEST_LIBS)

test_limits_SOURCES = tests/unit/test_limits.c tests/unit/relay_support.c tests/unit/relay_support.h
test_limits_CFLAGS = $(RELAY_TEST_CFLAGS)
test_limits_LDADD = $(RELAY_TEST_LIBS)

test_entry_SOURCES = tests/unit/test_entry.c
test_entry_CFLAGS = $(RELAY_TEST_CFLAGS)
test_entry_LDADD = $(RELAY_TEST_LIBS)

test_mix_SOURCES = tests/unit/test_mix.c
test_mix_CFLAGS = $(RELAY_TEST_CFLAGS)
test_mix_LDADD = $(RELAY_TEST_LIBS)

test_cover_SOURCES = tests/unit/test_cover.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
test_cover_CFLAGS = $(RELAY_TEST_CFLAGS)
test_cover_LDADD = $(RELAY_TEST_LIBS)

test_anonymity_SOURCES = tests/unit/test_anonymity.c
test_anonymity_CFLAGS = $(RELAY_TEST_CFLAGS)
test_anonymity_LDADD = libbench.la $(RELAY_TEST_LIBS) -lm

test_ring_SOURCES = tests/unit/test_ring.c
test_ring_CFLAGS = $(RELAY_TEST_CFLAGS)
test_ring_LDADD = $(RELAY_TEST_LIBS)

test_replay_SOURCES = tests/unit/test_replay.c
test_replay_CFLAGS = $(RELAY_TEST_CFLAGS)
test_replay_LDADD = $(RELAY_TEST_LIBS)

test_replay_kill_SOURCES = tests/unit/test_replay_kill.c tests/unit/disk_shim.c tests/unit/disk_shim.h
test_replay_kill_CFLAGS = $(RELAY_TEST_CFLAGS)
test_replay_kill_LDADD = $(RELAY_TEST_LIBS)

test_tagtable_SOURCES = tests/unit/test_tagtable.c
test_tagtable_CFLAGS = $(RELAY_TEST_CFLAGS)
test_tagtable_LDADD = $(RELAY_TEST_LIBS)

test_journal_SOURCES = tests/unit/test_journal.c tests/unit/disk_shim.c tests/unit/disk_shim.h
test_journal_CFLAGS = $(RELAY_TEST_CFLAGS)
test_journal_LDADD = $(RELAY_TEST_LIBS)

test_counters_SOURCES = tests/unit/test_counters.c
test_counters_CFLAGS = $(RELAY_TEST_CFLAGS)
test_counters_LDADD = $(RELAY_TEST_LIBS)

test_keys_SOURCES = tests/unit/test_keys.c tests/unit/disk_shim.c tests/unit/disk_shim.h
test_keys_CFLAGS = $(RELAY_TEST_CFLAGS)
test_keys_LDADD = $(RELAY_TEST_LIBS)

test_worker_SOURCES = tests/unit/test_worker.c
test_worker_CFLAGS = $(RELAY_TEST_CFLAGS)
if INSTRUMENTED
test_worker_CFLAGS += -DTM_INSTRUMENTED
endif
test_worker_LDADD = $(RELAY_TEST_LIBS)

test_store_SOURCES = tests/unit/test_store.c
test_store_CFLAGS = $(RELAY_TEST_CFLAGS)
test_store_LDADD = $(RELAY_TEST_LIBS)

test_sandbox_SOURCES = tests/unit/test_sandbox.c
test_sandbox_CFLAGS = $(RELAY_TEST_CFLAGS)
test_sandbox_LDADD = $(RELAY_TEST_LIBS)

test_relay_options_SOURCES = tests/unit/test_relay_options.c
test_relay_options_CFLAGS = $(RELAY_TEST_CFLAGS)
test_relay_options_LDADD = $(RELAY_TEST_LIBS)

test_status_SOURCES = tests/unit/test_status.c
test_status_CFLAGS = $(RELAY_TEST_CFLAGS)
test_status_LDADD = $(RELAY_TEST_LIBS) -lm

test_metrics_SOURCES = tests/unit/test_metrics.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
test_metrics_CFLAGS = $(RELAY_TEST_CFLAGS)
test_metrics_LDADD = $(RELAY_TEST_LIBS)

test_control_SOURCES = tests/unit/test_control.c
test_control_CFLAGS = $(RELAY_TEST_CFLAGS)
test_control_LDADD = $(RELAY_TEST_LIBS)

test_check_SOURCES = tests/unit/test_check.c
test_check_CFLAGS = $(RELAY_TEST_CFLAGS)
test_check_LDADD = $(RELAY_TEST_LIBS)

test_flow_SOURCES = tests/unit/test_flow.c
test_flow_CFLAGS = $(RELAY_TEST_CFLAGS)
test_flow_LDADD = libbench.la $(RELAY_TEST_LIBS) -lm
endif

# A thousand kills; some minutes.
.PHONY: check-long-replay
check-long: check-long-replay
check-long-replay: test_replay_kill$(EXEEXT)
	TIDEMILL_KILLS=1000 ./test_replay_kill$(EXEEXT)
