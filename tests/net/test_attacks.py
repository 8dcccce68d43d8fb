"""Each attack of doc/security.md on a relay, with honest traffic beside it: the share that it keeps is asserted, and printed at the end."""
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import attacks  # noqa: E402
import network as net  # noqa: E402

HOUR_MS = 3600 * 1000
FLOOR = 0.5  # of honest traffic, while others attack; it is more on a machine that has no other work


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with attacks.running(tmp_path_factory.mktemp("attacks"), os.environ["top_builddir"]) as it:
        yield it


@pytest.fixture
def honest(network):
    return network.honest


def dropped(relay, *reasons):
    c = relay.counters()
    return sum(c["drop"][reason] for reason in reasons)


def refused(relay):
    return sum(relay.counters()["refused"].values())


def grows(what, read, before, by=1):
    net.wait_for(what, lambda: read() >= before + by)


def test_the_share_shows_a_starved_network(network, honest):
    """Else none of the others could fail."""
    os.kill(network.relays["mix2a"].process.pid, signal.SIGSTOP)
    try:
        assert honest.share() < 0.2
    finally:
        os.kill(network.relays["mix2a"].process.pid, signal.SIGCONT)
    honest.recovers(FLOOR)


# ---- connections ----
def test_slow_handshakes(network, honest):
    attack = attacks.SlowHandshakes(honest.entry)
    honest.measure("slow handshake", attack, FLOOR, f"{attack.n} at a byte a second")
    with attack:
        attacks.newcomer(honest.entry)


def test_clients_that_never_write(network, honest):
    attack = attacks.NeverWriting(honest.entry, 600)
    honest.measure("never writing", attack, FLOOR, f"{attack.n} connections")
    with attack:
        attacks.newcomer(honest.entry)


def test_clients_that_never_read(network, honest):
    attack = attacks.NeverReading(honest.entry)
    honest.measure("never reading", attack, FLOOR, f"{attack.n} clients")


def test_garbage_before_and_after_the_handshake(network, honest):
    attack = attacks.Garbage(honest.entry)
    honest.measure("garbage", attack, FLOOR)
    assert attack.done > 5


def test_one_address_that_wants_all_places(network, honest):
    attack, before = attacks.ManyClients(honest.entry), refused(honest.entry)
    honest.measure("one address, many clients", attack, FLOOR, f"{attack.n} clients")
    assert 0 < attack.got_in <= 100  # links-per-address
    with attack:
        attacks.newcomer(honest.entry)
    grows("what was refused", lambda: refused(honest.entry), before, attack.n - attack.got_in)


def test_ten_thousand_connections(network, honest):
    attack, before = attacks.ManyConnections(honest.entry), refused(honest.entry)
    honest.measure("10,000 connections", attack, FLOOR)
    attacks.SHARES["10,000 connections"]["note"] = f"{attack.made} made, {attack.most_open} open at once"
    assert attack.made >= attacks.CONNECTIONS
    with attack:
        attacks.newcomer(honest.entry, 30)  # who is patient gets in meanwhile
    grows("what was refused", lambda: refused(honest.entry), before, attacks.CONNECTIONS // 10)


# ---- packets ----
def flood(network, honest, name, packets, *reasons):
    target, bad = network.relays["mix1a"], honest.other_entry
    bad.kill()  # its key is in other hands now
    try:
        attack = attacks.Flood(network, bad, target, packets)
        before = dropped(target, *reasons)
        honest.measure(name, attack, FLOOR)
        grows(f"{name}: its drops", lambda: dropped(target, *reasons), before, attack.sent // 2)
        attacks.SHARES[name]["note"] = (f"{attack.sent / attack.seconds:.0f} a second; the relay's CPU, honest traffic included: "
                                        f"{attack.cpu / attack.sent * 1e6:.1f} us each")
    finally:
        bad.start()
        net.wait_for("the network to heal", network.linked, 40)


def test_a_relay_floods_the_next_with_forged_packets(network, honest):
    flood(network, honest, "forged packets", attacks.forged(64), "mac", "noncanonical")


def test_a_relay_floods_the_next_with_replays(network, honest):
    flood(network, honest, "replays", attacks.replayed(network, 64, "mix1a", "mix2a", "mix3a", "store1"), "replay")


def test_a_relay_floods_the_next_with_points_of_low_order(network, honest):
    flood(network, honest, "low-order points", attacks.low_order(64), "low_order")


def test_clients_that_flood(network, honest):
    def taken():
        return dropped(honest.entry, "mac", "noncanonical")

    attack, before, start = attacks.ClientFlood(honest.entry), taken(), time.monotonic()
    honest.measure("clients that flood", attack, FLOOR, f"{attack.n} clients")
    grows("its drops", taken, before, attack.n)
    # Twice the rate of a client's clock, and what a link may save up for; two rounds, if it was measured twice.
    allowance = 2 * (64 + 2 * (time.monotonic() - start) * 1e6 / attacks.PARAMS["tick_us"])
    assert taken() - before < 2 * attack.n * allowance


# ---- the machine ----
def test_no_descriptors_left(network, honest):
    relays = list(network.relays.values())
    with contextlib.ExitStack() as all_of_them:
        for relay in relays:
            all_of_them.enter_context(attacks.no_descriptors(relay))
        honest.measure("no descriptors left", contextlib.nullcontext(), FLOOR, "at every relay")
        with attacks.tcp(honest.entry.port, 0) as s:  # its kernel takes the connection, the relay can't
            s.send(attacks.client_hello())
            s.settimeout(1)
            with pytest.raises(TimeoutError):
                s.recv(1)
    attacks.newcomer(honest.entry)


def test_a_full_disk_under_every_relay(network, honest):
    stores = [network.relays[name] for name in ("store1", "store2")]

    def failed():
        return sum(s.counters()["store"]["failed"] for s in stores)

    with contextlib.ExitStack() as all_of_them:
        before = failed()
        for trouble in network.trouble.values():
            all_of_them.enter_context(trouble.full_disk())
        honest.measure("full disk", contextlib.nullcontext(), FLOOR, "at every relay; writes to stores are answered with FAILED")
    for store in stores:
        assert f'is the disk full?" file={store.dir}/state/boxes.db' in store.log.read_text()
    grows("writes that failed", failed, before)
    puts = stores[0].counters()["store"]["put"]
    grows("the store to write again", lambda: stores[0].counters()["store"]["put"], puts, 5)


@pytest.mark.parametrize("name,hours", [("entry", 1), ("mix1a", -1), ("store1", 1), ("all", 1), ("all", -1)])
def test_a_clock_that_jumps(network, honest, name, hours):
    names = {"entry": [honest.entry.name], "all": list(network.relays)}.get(name, [name])
    logs = [network.relays[each].log for each in names]

    def set_back():
        return [log.read_text().count("the clock was set back") for log in logs]

    before = set_back()
    with contextlib.ExitStack() as all_of_them:
        for each in names:
            all_of_them.enter_context(network.trouble[each].clock(hours * HOUR_MS))
        honest.measure(f"clock {hours:+d} h, {name}", contextlib.nullcontext(), FLOOR)
    # They noticed, an hour later or earlier: the way back is one, too. Said once, until the clock has caught up.
    net.wait_for("the relays to notice", lambda: all(log.read_text().count("the clock was set back") > 0 for log in logs))
    assert all(now <= then + 1 for now, then in zip(set_back(), before))


def test_a_store_file_that_is_damaged_while_the_store_runs(network, honest):
    store = network.relays["store1"]
    path = store.dir / "state" / "boxes.db"
    whole = path.read_bytes()
    with open(path, "r+b") as f:
        f.write(os.urandom(len(whole)))
    honest.measure("damaged store file, running", contextlib.nullcontext(), FLOOR, "store1")
    assert store.alive()
    store.kill()
    with open(path, "r+b") as f:
        f.write(bytes(16))  # not even SQLite's
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    store.start()
    store.wanted = False  # it must not come up
    assert store.process.wait(20 * net.PATIENCE) == 1
    assert "damaged or not a box store" in store.log.read_text()
    honest.measure("damaged store file, refused", contextlib.nullcontext(), 0.25, "store1 is down: half of the requests have no answer")
    path.unlink()
    store.start()
    net.wait_for("the network to heal", network.linked, 40)
    honest.recovers(FLOOR)
