"""Relays' own cover on a whole network: loops come home, and when a neighbour swallows them the relays say so."""
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402
from hostile import Sender  # noqa: E402

PARAMS = {"loop_ms": 100, "dummy_ms": 200, "request_timeout_ms": 4000, "link_us": 5000}
ALARM = "own loops do not come home"
QUIET = "own loops come home again"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with net.running(tmp_path_factory.mktemp("cover"), os.environ["top_builddir"], PARAMS, cover=True) as it:
        yield it


def cover(network, relay):
    return network.relays[relay].counters()["cover"]


def test_loops_come_home_to_every_relay(network):
    net.wait_for("forty loops of each relay", lambda: all(cover(network, name)["home"] >= 40 for name in network.relays), 40, 0.5)
    for name, c in network.settle().items():
        own = c["cover"]
        assert own["dummies"] > 10, name
        assert c["in"]["own"] == own["loops"] + own["dummies"], name
        assert c["out"]["loop"] == own["home"] + own["late"], name
        # All but those under way; more where sanitizers make the way long.
        assert own["home"] >= own["loops"] * 0.7, (name, own)
        # Dummies end at entries, as replies that nobody waits for; nothing else is lost.
        lost = {k: v for k, v in c["drop"].items() if v and k not in ("unknown_session", "no_link")}
        assert not lost, (name, lost)
    assert not network.unbalanced()


def test_a_request_is_answered_amid_cover(network):
    sender = Sender(network)
    sender.wire.send(sender.get())
    assert sender.answer()[4:36] == sender.id


def test_a_dead_mix_raises_the_alarm_and_its_return_ends_it(network):
    dead, watchers = network.relays["mix2a"], ["mix1a", "mix3b", "entry1", "store2"]
    before = {name: cover(network, name)["alarms"] for name in watchers}
    dead.kill()
    net.wait_for("alarms", lambda: all(cover(network, name)["alarms"] > before[name] for name in watchers), 60, 0.2)
    logs = {name: network.relays[name].log.read_text() for name in watchers}
    assert all(ALARM in log for log in logs.values()), logs
    dead.start()
    net.wait_for("the mix to come up", dead.up)
    net.wait_for("the alarms to end", lambda: not any(cover(network, name)["alarm"] for name in watchers), 60, 0.2)
    assert all(QUIET in network.relays[name].log.read_text() for name in watchers)
    assert not network.unbalanced()


def test_the_log_is_not_flooded(network):
    time.sleep(1)
    for name, relay in network.relays.items():
        assert relay.log.read_text().count(ALARM) <= 3, name
