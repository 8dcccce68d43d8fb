"""Two people go on talking while parts of the network fail, or are not what they say."""
import concurrent.futures
import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostile  # noqa: E402
import network as net  # noqa: E402

PARAMS = {"slot_ms": 1000, "tick_us": 25000, "downlink_us": 12500, "mean_delay_ms": 20, "request_timeout_ms": 2000}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with net.running(tmp_path_factory.mktemp("trouble"), os.environ["top_builddir"], PARAMS, ["alice", "bob"]) as it:
        net.pair(*it.clients)
        yield it


@pytest.fixture
def people(network):
    return network.clients


def arrives(client, sender, text, seconds=90):
    net.wait_for(f"{client.name} to receive {text!r}", lambda: text in client.texts(sender), seconds, 0.25)
    assert client.texts(sender).count(text) == 1


def heal(network, *relays):
    for relay in relays:
        relay.start()
    net.wait_for("the network to heal", network.linked, 60)


def drop(network, relay, reason):
    return network.relays[relay].counters()["drop"][reason]


# ---- somebody attacks ----
def attack(network, entry, rounds):
    """Honest requests, each followed by the same packet again and by altered ones."""
    sender = hostile.Sender(network, entry)
    for _ in range(rounds):
        packet = sender.get()
        sender.wire.send(packet)
        assert sender.answer()[:4] == b"\x01\x02\x03\0"
        sender.wire.send(packet)                                # replayed
        sender.wire.send(hostile.flip(packet, 33))              # the header, tampered with
        sender.wire.send(bytes(32) + packet[32:])               # an element of small order
        sender.wire.send(hostile.flip(sender.get(), 1500))      # the body, tampered with
        sender.wire.send(os.urandom(hostile.PACKET_LEN))        # noise
    return sender  # its end would close the link, and what is on the way would be lost


def test_forged_and_replayed_cells_hurt_nobody_else(network, people):
    alice, bob = people
    entry, rounds = alice.status()["entry"], 8
    before = {reason: drop(network, entry, reason) for reason in ("replay", "mac", "low_order", "noncanonical")}
    tags = drop(network, "store1", "tag")
    texts = [f"Do you notice anything? {i}" for i in range(3)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        attacking = pool.submit(attack, network, entry, rounds)
        for text in texts:
            alice.send("bob", text)
            bob.send("alice", text)
        sender = attacking.result()
    for text in texts:
        arrives(bob, "alice", text)
        arrives(alice, "bob", text)

    def counted():
        d = {reason: drop(network, entry, reason) - before[reason] for reason in before}
        return d["replay"] == rounds and d["low_order"] == rounds and d["mac"] + d["noncanonical"] == 2 * rounds and \
            drop(network, "store1", "tag") - tags == rounds
    net.wait_for("every hostile cell to be counted", counted)
    sender.wire.tls.close()
    assert bob.texts("alice") == texts and alice.texts("bob") == texts
    for client in people:
        status = client.status()
        assert status["link_up"] and status["counters"]["bad_replies"] == 0
        assert "lost" not in client.log.read_text(errors="replace")


# ---- something fails ----
def test_a_mix_is_killed_and_comes_back(network, people):
    alice, bob = people
    mix = network.relays["mix2a"]
    alice.run("send", "bob", "Half of the paths are dead", "--no-wait")
    mix.kill()
    arrives(bob, "alice", "Half of the paths are dead", 120)
    assert drop(network, "mix1a", "no_link") + drop(network, "mix1b", "no_link") > 0
    heal(network, mix)
    alice.send("bob", "All paths again")
    arrives(bob, "alice", "All paths again")


def test_a_relay_told_to_stop_passes_on_what_it_holds(network, people):
    alice, bob = people
    mix = network.relays["mix3a"]
    alice.run("send", "bob", "It stops for an update", "--no-wait")
    assert mix.stop(40) == 0
    last = mix.counters()
    assert last["held"] == 0 and last["balanced"] and last["out"]["link"] > 0
    heal(network, mix)
    arrives(bob, "alice", "It stops for an update", 120)


def test_a_reload_of_every_relay_loses_nothing(network, people):
    alice, bob = people
    losses = ("unknown_session",)  # where answers end that nobody waits for any more
    before = network.settle()
    for i in range(3):
        alice.run("send", "bob", f"Reload {i}", "--no-wait")
        for relay in network.relays.values():
            os.kill(relay.process.pid, signal.SIGHUP)
    for i in range(3):
        arrives(bob, "alice", f"Reload {i}")
    for name, c in network.settle().items():
        assert {k: v for k, v in c["drop"].items() if k not in losses} == {k: v for k, v in before[name]["drop"].items() if k not in losses}, name
        assert "event=reloaded" in network.relays[name].log.read_text()


def test_an_upgrade_of_all_relays_keeps_boxes_tags_and_keys(network, people):
    alice, bob = people
    sender = hostile.Sender(network, "entry1")
    packet = sender.get()
    sender.wire.send(packet)
    assert sender.answer()[:4] == b"\x01\x02\x03\0"
    bob.stop()
    alice.send("bob", "Before the upgrade")
    files = [f for relay in network.relays.values() for f in (relay.dir / "state").glob("mix-*.key")]
    keys = {f: f.read_bytes() for f in files}
    for relay in network.relays.values():
        assert relay.stop(40) == 0
    heal(network, *network.relays.values())
    assert keys and {f: f.read_bytes() for f in files} == keys
    hostile.Sender(network, "entry1").wire.send(packet)
    net.wait_for("the packet to be known", lambda: drop(network, "entry1", "replay") == 1)
    bob.start()
    arrives(bob, "alice", "Before the upgrade", 120)


def test_a_store_is_killed_while_a_file_is_sent_and_comes_back(network, people):
    alice, bob = people
    store, path = network.relays["store1"], network.dir / "chart.bin"
    path.write_bytes(os.urandom(40 * 1000))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        boxes = store.counters()["store"]["put"]
        sending = pool.submit(alice.run, "send", "bob", "--file", path, timeout=240)
        net.wait_for("the store to get some of it", lambda: store.counters()["store"]["put"] > boxes)
        store.kill()
        sending.result()
    net.wait_for("the file", lambda: any(m.get("file") == path.name for m in bob.messages()), 120, 0.5)
    bob.run("read", "--all", "--save", network.dir / "saved")
    assert hashlib.sha256((network.dir / "saved" / path.name).read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()
    heal(network, store)
    alice.send("bob", "Both stores again")
    arrives(bob, "alice", "Both stores again")
    net.wait_for("the store to work again", lambda: store.counters()["store"]["put"] > 0)


def test_what_the_stores_have_acknowledged_survives_their_crash(network, people):
    alice, bob = people
    bob.stop()
    alice.send("bob", "Written in stone")  # returns when a store has said so
    stores = [network.relays["store1"], network.relays["store2"]]
    for store in stores:
        store.kill()
    heal(network, *stores)
    bob.start()
    arrives(bob, "alice", "Written in stone")


def test_an_entry_is_killed_and_comes_back(network, people):
    alice, bob = people
    entry = network.relays[alice.status()["entry"]]
    alice.run("send", "bob", "The entry dies now", "--no-wait")
    entry.kill()
    net.wait_for("alice to see that", lambda: not alice.status()["link_up"])
    heal(network, entry)
    net.wait_for("alice to come back", lambda: alice.status()["link_up"], 60, 0.25)
    assert alice.status()["entry"] == entry.name
    arrives(bob, "alice", "The entry dies now", 120)


# ---- somebody is not who they should be ----
def test_an_impostor_at_an_entrys_port_is_refused_and_the_spare_takes_over(network, people):
    alice, bob = people
    entry = network.relays[alice.status()["entry"]]
    entry.kill()
    impostor = hostile.Impostor(network.dir, entry.port)
    try:
        net.wait_for("alice to refuse it", lambda: "not the pinned one" in (alice.status()["link"]["reason"] or ""), 30)
        assert not alice.status()["link_up"]
        assert "not the pinned one" in alice.run("status").stdout
        net.wait_for("alice to take her spare", lambda: alice.status()["link_up"], 90, 0.25)
        assert alice.status()["entry"] != entry.name
        assert impostor.visits > 0 and impostor.received == b""
    finally:
        impostor.stop()
    heal(network, entry)
    alice.send("bob", "Through another door")
    arrives(bob, "alice", "Through another door", 120)


def test_a_relay_with_another_identity_gets_no_packets(network, people):
    alice, bob = people
    mix = network.relays["mix2b"]
    mix.kill()
    stranger = net.Relay(network, "stranger", "mix", 2, mix.port)
    stranger.write_config()
    network.call("tidemill-relay", "-c", stranger.config, "keygen", "--epochs", 2, "--epoch-length", network.params["epoch_s"])
    stranger.start()
    try:
        net.wait_for("the stranger to come up", stranger.up)
        alice.send("bob", "Do you know that one?")
        arrives(bob, "alice", "Do you know that one?", 120)
        c = stranger.counters()
        assert c["links"]["relays"] == 0 and c["in"]["link"] == 0
        assert "does not stand in it" in stranger.log.read_text()
        assert all(network.relays[name].counters()["links"]["relays"] < network.expected_links(network.relays[name])
                   for name in ("mix1a", "mix1b", "mix3a", "mix3b"))
    finally:
        code = stranger.stop()
    assert code == 0
    heal(network, mix)
