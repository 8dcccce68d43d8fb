"""A client in Python, from the specification alone: it speaks to an entry cell by cell, honestly or not."""
import os
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
import network as net  # noqa: E402
import link  # noqa: E402
import sphinx  # noqa: E402
from primitives import BASE, ed_encode, ed_mul  # noqa: E402

CELL, PACKET, WELCOME, REPLY = 2400, 2, 3, 4
PACKET_LEN = 2393
PRIVATE_KEY_PREFIX = bytes.fromhex("302e020100300506032b657004220420")  # PKCS #8 of an Ed25519 seed


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def pem(path, seed):
    """Writes the certificate and the key of a relay's secret seed to that file, and returns its path."""
    _, certificate = link.certificate(seed)
    path.write_text(ssl.DER_cert_to_PEM_cert(certificate)
                    + ssl.DER_cert_to_PEM_cert(PRIVATE_KEY_PREFIX + seed).replace("CERTIFICATE", "PRIVATE KEY"))
    return path


def cell_of(packet, kind=PACKET):
    return (bytes([kind, 0]) + struct.pack(">H", len(packet)) + packet).ljust(CELL, b"\0")


class Wire:
    """A link to a relay: anonymous, or with the key of a relay that went bad (a file made by pem). It pins nothing: it is the
    one that attacks. source: the address that it comes from; all of 127/8 is ours."""

    def __init__(self, port, source="127.0.0.1", identity=None):
        context = client_context()
        if identity is not None:
            context.load_cert_chain(identity)
        tcp = socket.create_connection(("127.0.0.1", port), 10 * net.PATIENCE, (source, 0))
        tcp.settimeout(10 * net.PATIENCE)
        self.tls = context.wrap_socket(tcp)
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
        self.tls.sendall(cell_of(packet, kind))

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


class Impostor:
    """A TLS server with a key that nobody pinned, on the port of a relay that is down. It counts who comes and what they give away."""

    def __init__(self, directory, port):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(pem(directory / "impostor.pem", os.urandom(32)))
        self.visits, self.received = 0, b""
        self.socket = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            peer.settimeout(5)
            try:
                with self.context.wrap_socket(peer, server_side=True) as tls:
                    # As an entry would: a WELCOME, so that the client goes on if it takes us for one.
                    tls.sendall(cell_of(bytes(4) + os.urandom(16), WELCOME))
                    self.received += tls.recv(CELL)
            except OSError:
                pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Sender:
    def __init__(self, network, entry="entry1", out=("mix1b", "mix2a", "mix3b"), back=("mix1a", "mix2b", "mix3a")):
        self.network, self.hops, self.entry, self.out, self.back = network, hops(network), entry, out, back
        self.wire = Wire(network.relays[entry].port)

    def path(self, *names):
        return [self.hops[n] for n in names]

    def surb(self, handle=None):
        self.surb_id, self.reply_key = os.urandom(16), os.urandom(32)
        surb, self.header = sphinx.create_surb(self.path(*self.back, self.entry), handle or self.wire.handle, self.surb_id,
                                               self.reply_key, os.urandom(292))
        return surb

    def get(self, way=None, handle=None):
        """A packet that asks a store for a box that nobody wrote; by default along the sender's way, and back to its link."""
        self.id = ed_encode(ed_mul(int.from_bytes(os.urandom(31), "little"), BASE))
        body = (b"\x01\x02\0\0" + bytes(96) + self.surb(handle) + self.id + os.urandom(64 + 1472)).ljust(2048, b"\0")
        way = way or (self.entry, *self.out, "store1")
        header = sphinx.create_header(self.path(*way), sphinx.DELIVER, None, os.urandom(292))
        return sphinx.create_packet(header, body)

    def answer(self):
        surb_id, payload = self.wire.reply()
        assert surb_id == self.surb_id
        return sphinx.open_reply(self.header.payload_keys, self.reply_key, payload)


def flip(packet, at):
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1:]
