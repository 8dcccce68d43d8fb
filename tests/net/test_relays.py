"""Whole networks of relays, spoken to by a client that is written in Python from the specification: an honest one, and a hostile one."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
import network as net  # noqa: E402
import sphinx  # noqa: E402
from hostile import Sender, Wire, flip, pem  # noqa: E402


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with net.running(tmp_path_factory.mktemp("net"), os.environ["top_builddir"]) as it:
        yield it


def drops(network, relay, reason):
    return network.relays[relay].counters()["drop"].get(reason, 0)


def expect_drop(network, relay, reason, act, times=1):
    before = drops(network, relay, reason)
    act()
    try:
        net.wait_for(f"{relay} to drop as {reason}", lambda: drops(network, relay, reason) == before + times)
    except net.NetworkError as error:
        raise AssertionError(f"{error}; it had {before} and has now {network.relays[relay].counters()}") from None
    assert not network.unbalanced()


def test_a_request_goes_through_five_relays_and_its_answer_comes_back(network):
    sender = Sender(network)
    sender.wire.send(sender.get())
    answer = sender.answer()
    assert answer[:4] == b"\x01\x02\x03\0" and answer[4:36] == sender.id  # a GET, MISSING
    net.wait_for("the counters", lambda: network.relays["store1"].counters()["store"]["get_miss"] >= 1)
    assert not network.unbalanced()


def test_a_second_relay_on_the_same_state_is_refused(network):
    relay = network.relays["mix1a"]
    done = subprocess.run([network.program("tidemill-relay"), "-c", relay.config, "run"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "another relay runs with this state" in done.stderr
    assert relay.alive()


def test_a_replayed_packet_is_dropped_at_the_first_relay(network):
    sender = Sender(network)
    packet = sender.get()
    sender.wire.send(packet)
    sender.answer()
    expect_drop(network, "entry1", "replay", lambda: [sender.wire.send(packet) for _ in range(3)], 3)


@pytest.mark.parametrize("at,reason,where", [(40, "mac", "entry1"), (300, "mac", "entry1"), (5, "mac", "entry1"), (1000, "tag", "store1")])
def test_a_changed_packet_is_dropped(network, at, reason, where):
    sender = Sender(network)
    packet = flip(sender.get(), at)
    expect_drop(network, where, reason, lambda: sender.wire.send(packet))


@pytest.mark.parametrize("element,reason", [(bytes(32), "low_order"), (b"\xff" * 32, "noncanonical")])
def test_a_bad_element_is_dropped(network, element, reason):
    sender = Sender(network)
    expect_drop(network, "entry1", reason, lambda: sender.wire.send(element + sender.get()[32:]))


def test_a_packet_for_a_stranger_or_backwards_is_dropped(network):
    sender = Sender(network)
    header = sphinx.create_header([sender.hops["entry1"], sender.hops["mix3a"]], sphinx.DELIVER, None, os.urandom(292))
    expect_drop(network, "entry1", "unknown_next", lambda: sender.wire.send(sphinx.create_packet(header, bytes(2048))))


def test_a_cell_that_is_none_closes_the_link_and_hurts_nobody(network):
    sender = Sender(network)
    sender.wire.send(b"", kind=77)
    with pytest.raises((EOFError, OSError)):
        while True:
            sender.wire.receive()
    test_a_request_goes_through_five_relays_and_its_answer_comes_back(network)


def test_a_killed_mix_comes_back(network):
    mix = network.relays["mix2a"]
    mix.kill()
    sender = Sender(network)
    expect_drop(network, "mix1b", "no_link", lambda: sender.wire.send(sender.get()))
    mix.start()
    net.wait_for("the network to heal", network.linked, 40)
    test_a_request_goes_through_five_relays_and_its_answer_comes_back(network)


def store_misses(network):
    return network.settle()["store1"]["store"]["get_miss"]


def quiet_but(network, name):
    before, after = network.settle(), network.settle()
    return before == after and not any(c["held"] for other, c in after.items() if other != name)


def test_a_relay_that_is_killed_passes_no_packet_twice(network):
    entry, sender = network.relays["entry1"], Sender(network)
    packets = [sender.get() for _ in range(24)]
    before = store_misses(network)
    for packet in packets[:4]:
        sender.wire.send(packet)
    net.wait_for("four to pass", lambda: store_misses(network) == before + 4)
    forwarded = entry.counters()["out"]["link"]
    for packet in packets[4:16]:
        sender.wire.send(packet)
    net.wait_for("the entry to forward one of them", lambda: entry.counters()["out"]["link"] > forwarded)
    entry.kill()  # in the middle of them: some have passed, some wait for the disk or in the mix
    entry.counters_file.unlink()  # it may say that some are held, for ever
    net.wait_for("the others to become quiet", lambda: quiet_but(network, "entry1"))
    passed = store_misses(network) - before
    assert 4 <= passed <= 16

    entry.start()
    net.wait_for("the network to heal", network.linked, 40)
    for some in packets[:12], packets[12:]:  # more on one link would be a flood
        wire = Wire(entry.port)
        for packet in some:
            wire.send(packet)
    counters = net.wait_for("all to be counted", lambda: (c := entry.counters())["drop"]["replay"] + c["out"]["link"] >= 24 and c)
    assert counters["drop"]["replay"] >= passed
    network.quiet()
    assert entry.counters()["drop"]["replay"] == counters["drop"]["replay"]
    assert store_misses(network) - before == passed + 24 - counters["drop"]["replay"]
    assert not network.unbalanced()


def as_relay(relay):
    """Takes a relay's place: its key, for links of ours."""
    assert relay.stop() == 0
    return pem(relay.dir / "stolen.pem", (relay.dir / "state" / "identity.key").read_bytes())


@pytest.mark.parametrize("before_it,way", [("entry2", ("mix1a", "mix2a", "mix3a", "store1")), ("mix3b", ("store1",))])
def test_a_mix_or_store_that_is_killed_passes_no_packet_twice(network, before_it, way):
    """Whoever is before it sends it the same packets again. Each that passed was answered, to a session that does not exist."""
    victim, neighbour = network.relays[way[0]], network.relays[before_it]
    sender = Sender(network, back=("mix1b", "mix2b", "mix3a"))
    packets = [sender.get(way, os.urandom(16)) for _ in range(24)]

    def answers():
        return drops(network, "entry1", "unknown_session")

    identity, before = as_relay(neighbour), answers()
    wire = Wire(victim.port, identity=identity)
    for packet in packets[:4]:
        wire.send(packet)
    net.wait_for("four to pass", lambda: answers() == before + 4)
    forwarded = victim.counters()["out"]["link"]
    for packet in packets[4:16]:
        wire.send(packet)
    net.wait_for("one more to leave it", lambda: victim.counters()["out"]["link"] > forwarded)
    victim.kill()
    victim.counters_file.unlink()
    net.wait_for("the others to become quiet", lambda: quiet_but(network, victim.name))
    passed = answers() - before
    assert 4 <= passed <= 16

    victim.start()
    net.wait_for("its other neighbours", lambda: (c := victim.counters()) and
                 c["links"]["relays"] == network.expected_links(victim) - 1, 40)
    wire = Wire(victim.port, identity=identity)
    for packet in packets:
        wire.send(packet)
    counters = net.wait_for("all to be counted", lambda: (c := victim.counters())["drop"]["replay"] + c["out"]["link"] >= 24 and c)
    network.quiet()
    assert counters["drop"]["replay"] >= passed
    assert victim.counters()["drop"]["replay"] == counters["drop"]["replay"]
    assert answers() - before == passed + 24 - counters["drop"]["replay"]
    assert not network.unbalanced()
    neighbour.start()
    net.wait_for("the network to heal", network.linked, 40)


def test_relays_drain_and_end_well(network):
    assert all(relay.alive() for relay in network.relays.values())
    assert network.relays["entry2"].stop() == 0
    network.relays["entry2"].start()
    net.wait_for("the network to heal", network.linked, 40)


def verify(network, path, *options):
    done = net.subprocess.run([network.program("tidemill-authority"), "verify", "--trust", network.trust, *options, path],
                              capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_document_with_too_few_signatures_is_refused(network, tmp_path):
    for signers, code in ((2, 1), (3, 0)):
        path = tmp_path / f"document{signers}"
        network.make_document(signers=signers, path=path)
        assert verify(network, path)[0] == code


def test_an_expired_document_is_refused(network):
    assert verify(network, network.document)[0] == 0
    code, said = verify(network, network.document, "--at", "2099-01-01T00:00:00Z")
    assert code == 1 and "expired" in said.lower()


def test_a_relay_that_cannot_use_its_key_says_why(network, tmp_path):
    relay = net.Relay(network, "newcomer", "mix", 2, 4711)
    relay.dir, relay.config = tmp_path, tmp_path / "relay.conf"
    relay.write_config()

    def say(*args):
        done = net.subprocess.run([network.program("tidemill-relay"), "-c", relay.config, *args], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, said = say("check-config")
    assert code == 0 and "no identity yet" in said
    assert say("keygen", "--epochs", "2")[0] == 0
    code, said = say("check-config")
    assert code == 0 and "does not stand in the document" in said
    mix_key = max((tmp_path / "state").glob("mix-*.key"))
    for key in (tmp_path / "state" / "identity.key", mix_key):
        secret = key.read_bytes()
        key.chmod(0o644)
        assert_refused(say, key, "others can read")
        key.chmod(0o600)
        key.write_bytes(secret[:-1])
        assert_refused(say, key, "32 bytes")
        key.write_bytes(secret)

    mix_key.with_suffix(".seen").unlink()  # nobody knows any more what was seen under it
    code, said = say("keygen", "--epochs", "2")
    assert code == 0 and f"note: {mix_key.name} has no replay journal of its own; it is destroyed" in said and "made 1 of 2" in said
    assert mix_key.read_bytes() != secret and mix_key.with_suffix(".seen").exists()
    code, said = say("keygen", "--epochs", "2")
    assert code == 0 and "note: mix" not in said and "made 0 of 2" in said


def assert_refused(say, key, why):
    for command in ("check-config", "keygen"):
        code, said = say(command)
        assert code == 1 and key.name in said and why in said, said
