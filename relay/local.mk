noinst_LTLIBRARIES += librelay.la
librelay_la_SOURCES = \
	relay/counters.h relay/counters.c \
	relay/slab.h relay/slab.c \
	relay/ring.h relay/ring.c \
	relay/tagtable.h relay/tagtable.c \
	relay/journal.h relay/journal.c \
	relay/replay.h relay/replay_internal.h relay/replay.c relay/replay_threads.c \
	relay/keys.h relay/keys.c relay/keyfile.c relay/epochlength.c \
	relay/randomness.h relay/randomness.c \
	relay/mix.h relay/mix.c relay/mix_poisson.c relay/mix_pool.c \
	relay/alarm.h relay/alarm.c \
	relay/tagging.h relay/tagging.c \
	relay/cover.h relay/cover.c \
	relay/worker.h relay/worker.c \
	relay/store.h relay/store.c relay/store_db.h relay/store_db.c \
	relay/dummy.h relay/dummy.c \
	relay/entry.h relay/entry.c \
	relay/topology.h relay/topology.c \
	relay/network.h relay/network.c \
	relay/pace.h relay/pace.c \
	relay/watch.h relay/watch.c \
	relay/options.h relay/options.c \
	relay/rates.h relay/rates.c \
	relay/status.h relay/status.c relay/status_json.c \
	relay/status_ask.h relay/status_ask.c relay/status_text.h relay/status_text.c relay/status_command.c \
	relay/control.h relay/control.c relay/control_protocol.h relay/control_protocol.c \
	relay/metrics.h relay/metrics.c relay/metrics_server.h relay/metrics_server.c \
	relay/observe.h relay/observe.c \
	relay/engine.h relay/internal.h relay/engine.c relay/engine_packets.c relay/engine_cover.c \
	relay/engine_document.c relay/engine_notify.c relay/limits.c relay/reload.c \
	relay/process.h relay/process.c relay/sandbox.h relay/sandbox.c \
	relay/notify.h relay/notify.c relay/pulse.h \
	relay/capacity.h relay/capacity.c relay/check.h relay/check.c \
	relay/commands.h relay/commands.c
librelay_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS) $(SECCOMP_CFLAGS)
librelay_la_LIBADD = liblink.la libbox.la libdirectory.la libsphinx.la libconfig.la libbase.la \
	$(EVENT_HTTP_LIBS) $(EVENT_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(SYSTEMD_LIBS) $(SECCOMP_LIBS) $(SODIUM_LIBS)

sbin_PROGRAMS += tidemill-relay
tidemill_relay_SOURCES = relay/main.c
tidemill_relay_LDADD = librelay.la $(JEMALLOC_LIBS)

dist_man_MANS += doc/man/tidemill-relay.8 doc/man/tidemill-relay.conf.5
