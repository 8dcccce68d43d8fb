"""Relays in a network namespace each, people in another, and wires between them that delay, lose and reorder, and are cut for a while."""
import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "net"))
import network as net  # noqa: E402

PARAMS = {"slot_ms": 1000, "tick_us": 50000, "downlink_us": 25000, "mean_delay_ms": 20, "request_timeout_ms": 4000}
DELAY_MS, JITTER_MS, LOSS_PERCENT = 15, 10, 1
CUT_S = 3
LAYOUT = [("entry1", "entry", 0), ("mix1a", "mix", 1), ("mix2a", "mix", 2), ("mix3a", "mix", 3), ("store1", "store", 0), ("store2", "store", 0)]
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def check(returned):
    if returned != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def new_namespace():
    """It lives as long as this descriptor, or a process in it."""
    back = own_namespace()
    check(libc.unshare(CLONE_NEWNET))
    made = own_namespace()
    check(libc.setns(back, CLONE_NEWNET))
    os.close(back)
    return made


def ip(line, inside=None):
    def enter():
        if inside is not None:
            check(libc.setns(inside, CLONE_NEWNET))
    subprocess.run(["ip", *line.split()], check=True, preexec_fn=enter, pass_fds=() if inside is None else (inside,), timeout=60)


class Spread(net.Network):
    """A network whose relay i is at 10.77.0.(i + 2), behind the wire i + 1; we are at 10.77.0.1, behind the wire 0."""

    def make_wires(self):
        self.numbers = {name: i + 1 for i, name in enumerate(self.relays)}
        self.spaces = {name: new_namespace() for name in self.relays}
        ip("link add name people type veth peer name wire0")
        self.plug("people", 0, None)
        for name, space in self.spaces.items():
            i = self.numbers[name]
            ip(f"link add name relay type veth peer name wire{i}")
            subprocess.run(["ip", "link", "set", "relay", "netns", f"/proc/self/fd/{space}"], check=True, pass_fds=(space,), timeout=60)
            ip("link set lo up", space)
            self.plug("relay", i, space)
        names = [f"wire{i}" for i in range(len(self.relays) + 1)]
        self.wires = subprocess.Popen([sys.executable, "-B", HERE / "wires.py", str(DELAY_MS), str(JITTER_MS), str(LOSS_PERCENT), *names],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=net.die_with_parent)
        assert self.wires.stdout.readline() == "ready\n"

    def plug(self, interface, i, space):
        ip(f"link set {interface} address 02:00:00:00:00:{i:02x} gso_max_segs 1", space)
        ip(f"address add 10.77.0.{i + 1}/24 dev {interface}", space)
        ip(f"link set {interface} up", space)
        ip(f"link set wire{i} up")

    def cut(self, *names):
        """Takes these relays off, and puts all others on. What the wires have carried, lost and cut so far."""
        print("cut", *(self.numbers[name] for name in names), file=self.wires.stdin, flush=True)
        return [int(word) for word in self.wires.stdout.readline().split()]

    def make_relays(self, **extra):
        for name, relay in self.relays.items():
            address = f'"10.77.0.{self.numbers[name] + 1}:4711"'
            space = self.spaces[name]

            def enter(space=space):
                net.die_with_parent()
                check(libc.setns(space, CLONE_NEWNET))
            relay.before_exec = enter
            relay.options = {"address": address, "listen": address}
        super().make_relays(**extra)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    network = Spread(tmp_path_factory.mktemp("netns"), os.environ["top_builddir"], PARAMS, layout=LAYOUT)
    try:
        network.make_wires()
        network.make_authorities()
        network.make_relays()
        network.make_document(signers=3)
        network.start()
        for name in ("alice", "bob"):
            network.client(name).start()
        net.pair(*network.clients, seconds=120)
        yield network
    except BaseException:
        network.stop()
        raise
    found = network.stop()
    assert not found, "\n".join(found)


def arrives(client, sender, text, seconds=90):
    net.wait_for(f"{client.name} to receive {text!r}", lambda: text in client.texts(sender), seconds, 0.25)
    assert client.texts(sender).count(text) == 1


def test_messages_pass_wires_that_delay_lose_and_reorder(network):
    alice, bob = network.clients
    before = network.cut()
    alice.send("bob", "Over bad wires")
    bob.send("alice", "And back")
    arrives(bob, "alice", "Over bad wires")
    arrives(alice, "bob", "And back")
    carried, lost, cut = (b - a for a, b in zip(before, network.cut()))
    assert carried > 500 and lost > 0 and cut == 0  # they did what they are for


def test_a_partition_heals(network):
    alice, bob = network.clients
    half = [name for name, relay in network.relays.items() if relay.layer == 2]
    links = {name: c["links"]["relays"] for name, c in network.settle().items()}
    network.cut(*half)
    alice.run("send", "bob", "Nobody can read this yet", "--no-wait")
    time.sleep(CUT_S)
    assert "Nobody can read this yet" not in bob.texts("alice")
    assert network.cut()[2] > 0
    arrives(bob, "alice", "Nobody can read this yet", 120)
    assert {name: c["links"]["relays"] for name, c in network.settle().items()} == links


def test_nothing_was_lost_between_relays_and_the_accounting_holds(network):
    for client in network.clients:
        client.stop()
    nothing = {name: {"in": {"link": 0}, "out": {"link": 0}} for name in network.relays}
    # A packet in a wire, or one that TCP has to send again, is held by nobody; it comes yet.
    counters = net.wait_for("all that was sent to come", lambda: (c := network.quiet()) and net.lost_between(nothing, c, LAYOUT) == [] and c, 60, 0)
    assert not network.unbalanced()
    assert sum(c["out"]["link"] for c in counters.values()) > 1000
