"""Documents that nobody may use: with too few signatures, or expired. And how a fresh one heals it."""
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostile  # noqa: E402
import network as net  # noqa: E402

VALID_S = int(5 * net.PATIENCE)
SMALL = [r for r in net.LAYOUT if not r[0].endswith(("b", "y2"))]  # one entry, one mix a layer, two stores
MIXES = ("mix1a", "mix2a", "mix3a")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Its first document lives for some seconds. One entry runs with it; carol's state is made with it."""
    it = net.Network(tmp_path_factory.mktemp("documents"), os.environ["top_builddir"], layout=SMALL)
    try:
        it.make_authorities()
        it.make_relays()
        it.make_document(signers=2, path=it.dir / "two", valid_for=3600)
        it.make_document(signers=3, valid_for=VALID_S)
        it.expires = time.time() + VALID_S
        it.client("carol")
        it.started = True
        it.relays["entry1"].start()
        net.wait_for("the entry", it.relays["entry1"].up)
        yield it
    finally:
        found = it.stop()
    assert not found, "\n".join(found)


def test_a_client_refuses_a_document_with_too_few_signatures(network):
    dave = net.Client(network, "dave")
    done = dave.run("init", "--authorities", network.trust, "--document", network.dir / "two", "--no-passphrase", check=False)
    assert done.returncode != 0 and "signed by 2 of the authorities" in done.stderr and "3 are needed" in done.stderr
    assert not dave.state.exists()


def test_a_relay_refuses_a_document_with_too_few_signatures(network):
    mix = network.relays["mix1a"]
    mix.write_config(document=f'"{network.dir / "two"}"')
    mix.start()
    net.wait_for("the mix", mix.up)
    net.wait_for("it to complain", lambda: "too few good ones" in mix.log.read_text())
    assert mix.counters()["links"]["relays"] == 0  # it does not know whom to dial
    assert mix.stop() == 0
    mix.write_config()


def wait_until_expired(network):
    net.wait_for("the document to expire", lambda: time.time() > network.expires + 1, VALID_S + 10)


def test_a_relay_drops_packets_when_its_document_has_expired(network):
    wait_until_expired(network)
    entry = network.relays["entry1"]
    sender = hostile.Sender(network, "entry1", MIXES, MIXES)
    sender.wire.send(sender.get())
    net.wait_for("the packet to be dropped", lambda: entry.counters()["drop"]["no_document"] == 1)
    assert "has expired" in entry.log.read_text()


def test_a_client_with_an_expired_document_sends_nothing_and_says_what_to_do(network):
    wait_until_expired(network)
    carol = network.clients[0]
    carol.start()
    net.wait_for("a link to the entry", lambda: carol.status()["link_up"], 30, 0.25)
    assert "EXPIRED" in carol.run("status").stdout
    refused = carol.run("invite", "bob", check=False)
    assert refused.returncode != 0 and "has expired" in refused.stderr and "tidemill document FILE" in refused.stderr
    refused = carol.run("document", network.dir / "two", check=False)
    assert refused.returncode != 0 and "too few good ones" in refused.stderr
    status = carol.status()
    assert not status["document_valid"] and status["counters"]["ticks"] == 0 and status["link"]["sent"] == 0
    dave = net.Client(network, "dave")
    done = dave.run("init", "--authorities", network.trust, "--document", network.document, "--no-passphrase", check=False)
    assert done.returncode != 0 and "no longer valid" in done.stderr and not dave.state.exists()
    carol.stop()


def test_a_fresh_document_heals_relays_and_by_the_entry_the_client(network):
    carol = network.clients[0]
    network.make_document(signers=3)
    for relay in network.relays.values():
        if not relay.alive():
            relay.start()
    net.wait_for("the network to heal", network.linked, 60)
    carol.start()
    net.wait_for("carol to have the new document", lambda: carol.status()["document_valid"], 60, 0.25)
    assert carol.status()["link"]["documents"] == 1
    assert carol.json("invite", "bob")["code"]
    net.wait_for("answers to come back", lambda: carol.status()["counters"]["loops_back"] > 0, 60, 0.25)
    sender = hostile.Sender(network, "entry1", MIXES, MIXES)
    sender.wire.send(sender.get())
    assert sender.answer()[:4] == b"\x01\x02\x03\0"
