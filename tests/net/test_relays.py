"""Whole networks of relays, spoken to by a client that is written in Python from the specification: an honest one, and a hostile one."""
import os
import socket
import ssl
import struct
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
import network as net  # noqa: E402
import sphinx  # noqa: E402
from primitives import BASE, ed_encode, ed_mul  # noqa: E402

CELL, PACKET, WELCOME, REPLY = 2400, 2, 3, 4
PACKET_LEN = 2393


class Wire:
    """An anonymous link to an entry. It pins nothing: it is the one that attacks."""

    def __init__(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
        self.tls.settimeout(10 * net.PATIENCE)
        kind, body = self.receive()
        assert kind == WELCOME and len(body) == 20
        self.handle = body[4:]

    def receive(self):
        cell = b""
        while len(cell) < CELL:
            got = self.tls.recv(CELL - len(cell))
            if not got:
                raise EOFError
            cell += got
        return cell[0], cell[4:4 + struct.unpack(">H", cell[2:4])[0]]

    def send(self, packet, kind=PACKET):
        self.tls.sendall((bytes([kind, 0]) + struct.pack(">H", len(packet)) + packet).ljust(CELL, b"\0"))

    def reply(self):
        end = time.monotonic() + 15 * net.PATIENCE
        while time.monotonic() < end:
            kind, body = self.receive()
            if kind == REPLY:
                return body[:16], body[16:]
        raise AssertionError("no reply came")


def hops(network):
    """Relay name to Hop with a delay of 10 ms, from the document that the relays use."""
    found, name, epoch = {}, None, int(time.time()) // int(network.params["epoch_s"])
    for line in network.document.read_text().splitlines():
        word, _, value = line.partition(" ")
        if word == "relay":
            name = value
            found[name] = sphinx.Hop(None, None, 10)
        elif word == "identity" and name:
            found[name].identity = bytes.fromhex(value)
        elif word == "mix-key" and name and int(value.split()[0]) == epoch:
            found[name].point = bytes.fromhex(value.split()[1])
    return found


class Sender:
    def __init__(self, network, entry="entry1"):
        self.network, self.hops, self.entry = network, hops(network), entry
        self.wire = Wire(network.relays[entry].port)

    def path(self, *names):
        return [self.hops[n] for n in names]

    def surb(self):
        self.surb_id, self.reply_key = os.urandom(16), os.urandom(32)
        surb, self.header = sphinx.create_surb(self.path("mix1a", "mix2b", "mix3a", self.entry), self.wire.handle, self.surb_id,
                                               self.reply_key, os.urandom(292))
        return surb

    def get(self):
        """A packet that asks a store for a box that nobody wrote."""
        self.id = ed_encode(ed_mul(int.from_bytes(os.urandom(31), "little"), BASE))
        body = (b"\x01\x02\0\0" + bytes(96) + self.surb() + self.id + os.urandom(64 + 1472)).ljust(2048, b"\0")
        header = sphinx.create_header(self.path(self.entry, "mix1b", "mix2a", "mix3b", "store1"), sphinx.DELIVER, None, os.urandom(292))
        return sphinx.create_packet(header, body)

    def answer(self):
        surb_id, payload = self.wire.reply()
        assert surb_id == self.surb_id
        return sphinx.open_reply(self.header.payload_keys, self.reply_key, payload)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    it = net.Network(tmp_path_factory.mktemp("net"), os.environ["top_builddir"])
    try:
        it.make_authorities()
        it.make_relays()
        it.make_document(signers=3)
        it.start()
        yield it
    finally:
        it.stop()


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


def flip(packet, at):
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1:]


def test_a_request_goes_through_five_relays_and_its_answer_comes_back(network):
    sender = Sender(network)
    sender.wire.send(sender.get())
    answer = sender.answer()
    assert answer[:4] == b"\x01\x02\x03\0" and answer[4:36] == sender.id  # a GET, MISSING
    net.wait_for("the counters", lambda: network.relays["store1"].counters()["store"]["get_miss"] >= 1)
    assert not network.unbalanced()


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


def test_relays_drain_and_end_well(network):
    assert all(relay.alive() for relay in network.relays.values())
    network.relays["entry2"].process.terminate()
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
