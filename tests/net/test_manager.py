"""A relay under a service manager, which here is a socket of ours: readiness, reload, watchdog, drain."""
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402

SMALL = [r for r in net.LAYOUT if not r[0].endswith(("b", "y2"))]  # one entry, one mix a layer, two stores
HAS_SYSTEMD = "#define HAVE_SYSTEMD 1" in (Path(os.environ["top_builddir"]) / "config.h").read_text()
WATCHDOG_S = 1


class Manager:
    """What systemd would hear. A relay that is started with its environment speaks to it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0tidemill-test-" + os.urandom(8).hex())
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": "@" + self.socket.getsockname()[1:].decode(),
                            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6 * net.PATIENCE))}
        self.lines = []

    def hear(self):
        while True:
            try:
                self.lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.lines

    def count(self, line):
        return self.hear().count(line)

    def said(self, text):
        return any(text in line for line in self.hear())

    def wait(self, text):
        net.wait_for(f"\"{text}\" to the manager, who heard {self.lines[-20:]}", lambda: self.said(text))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Nothing runs yet, and the document is not where relays look for it."""
    it = net.Network(tmp_path_factory.mktemp("manager"), os.environ["top_builddir"], layout=SMALL)
    try:
        it.make_authorities()
        it.make_relays()
        it.make_document(path=it.dir / "made")
        it.started = True
        yield it
    finally:
        found = it.stop()
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def manager():
    return Manager()


@pytest.fixture
def store(network, manager):
    relay = network.relays["store1"]
    if not relay.alive():
        relay.environment = manager.environment
        relay.start()
        net.wait_for("the store", relay.up)
    return relay


def hup(relay):
    os.kill(relay.process.pid, signal.SIGHUP)


def wait_log(relay, *texts):
    net.wait_for(f"{relay.name}'s log to have {texts}", lambda: all(t in relay.log.read_text() for t in texts))


@pytest.mark.skipif(not HAS_SYSTEMD, reason="built without libsystemd")
def test_it_is_ready_only_with_a_document(network, manager, store):
    manager.wait("STATUS=waiting for a document; ")
    network.settle()
    assert not manager.said("READY=1")
    (network.dir / "made").rename(network.document)
    manager.wait("READY=1")
    manager.wait("STATUS=0 relay links, 0 clients; packets: 0 in")
    assert manager.count("READY=1") == 1


@pytest.mark.skipif(not HAS_SYSTEMD, reason="built without libsystemd")
def test_it_pings_the_watchdog(network, manager, store):
    before = manager.count("WATCHDOG=1")
    net.wait_for("pings", lambda: manager.count("WATCHDOG=1") >= before + 4)


def test_a_reload_takes_over_what_may_change(network, manager, store):
    store.write_config(**{"log-level": "debug", "store-quota-boxes": "77", "drain-ms": "1000", "workers": "2"})
    hup(store)
    wait_log(store, "event=reloaded changed=3", "it needs a restart\" option=workers", "option=log-level", "option=store-quota-boxes")
    if HAS_SYSTEMD:
        manager.wait("RELOADING=1")
        net.wait_for("the end of the reload", lambda: manager.count("READY=1") == 2)
        assert manager.said("MONOTONIC_USEC=")


def test_a_reload_refuses_a_file_with_a_mistake(network, store):
    text = store.config.read_text()
    store.config.write_text(text + "log-level = info\nwrokers = 3\n")
    hup(store)
    wait_log(store, "the configuration is refused", "did you mean workers?")
    assert store.alive()
    store.config.write_text(text)


def test_it_says_that_it_stops(network, manager, store):
    assert store.stop() == 0
    if HAS_SYSTEMD:
        assert manager.said("STOPPING=1") and manager.said("STATUS=draining")
        assert manager.lines.index("STOPPING=1") > manager.lines.index("RELOADING=1")
