"""Attacks on one relay of a small network, and honest traffic beside them whose share is measured.

The honest ones are a real client, whose every packet has to come back through all layers and a store, and newcomers who look for
an entry. There is one relay of each layer, so that nobody gets past the one that is attacked. An attacker lasts as long as a
`with` block; it comes from other addresses of 127/8 than the honest ones, and lives in this process or in a child of it.
"""
import contextlib
import json
import mmap
import os
import resource
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
import hostile  # noqa: E402
import network as net  # noqa: E402
import sphinx  # noqa: E402

LAYOUT = [("entry1", "entry", 0), ("entry2", "entry", 0), ("mix1a", "mix", 1), ("mix2a", "mix", 2), ("mix3a", "mix", 3),
          ("store1", "store", 0), ("store2", "store", 0)]
PARAMS = {"slot_ms": 1000, "tick_us": 10000, "downlink_us": 5000, "mean_delay_ms": 10, "request_timeout_ms": 2500}
# How long an attack is measured; more in the long target.
SECONDS = float(os.environ.get("TIDEMILL_ATTACK_SECONDS", "1.2"))
SETTLE = 0.3       # before that, for the attack to be felt
ATTACKER = "127.66.{}.{}"
CONNECTIONS = 10000
# Public elements that end in the neutral one whatever the key is (doc/spec/packet.md, section 8).
LOW_ORDER = [bytes.fromhex(h) for h in (
    "00" * 32, "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
SHARES = {}        # attack: what was measured; conftest prints it


# ---- the network ----
def epoch_length():
    """Of whole days, so that now is at least three hours from its ends: an hour either way is then another hour of the same epoch."""
    now, margin = int(time.time()), 3 * 3600
    return next(s for s in (n * 86400 + k * 3600 for n in range(1, 7) for k in range(24)) if margin < now % s < s - margin)


class Trouble:
    """What tests/net/trouble.c reads: the clock's shift and whether the disk is full, of one relay."""

    def __init__(self, relay, library):
        path = relay.network.dir / f"{relay.name}.trouble"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)
        relay.environment = {"LD_PRELOAD": str(library), "TIDEMILL_TROUBLE": str(path)}

    @contextlib.contextmanager
    def clock(self, shift_ms):
        self.map[:8] = struct.pack("=q", shift_ms)
        try:
            yield
        finally:
            self.map[:8] = bytes(8)

    @contextlib.contextmanager
    def full_disk(self):
        self.map[8:] = struct.pack("=q", 1)
        try:
            yield
        finally:
            self.map[8:] = bytes(8)


@contextlib.contextmanager
def running(directory, programs):
    network = net.Network(directory, programs, {**PARAMS, "epoch_s": epoch_length()}, layout=LAYOUT, epochs=3)
    library = network.programs / "tests" / "net" / "trouble.so"
    if not library.exists():
        raise net.NetworkError(f"there is no {library}; make check builds it")
    try:
        network.make_authorities()
        network.make_relays()
        network.trouble = {name: Trouble(relay, library) for name, relay in network.relays.items()}
        network.make_document(signers=3, valid_from=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * 3600)))
        network.start()
        client = network.client("alice")
        client.start()
        net.wait_for("alice's link", lambda: client.status()["link_up"])
        network.honest = Honest(network, client)
        yield network
    except BaseException:
        network.stop()
        raise
    found = network.stop()
    if found:
        raise net.NetworkError("\n".join(found))


# ---- honest traffic ----
class Honest:
    """A client that sends at its own clock, whatever happens, and counts what comes back."""

    def __init__(self, network, client):
        self.network, self.client = network, client
        self.entry = network.relays[client.status()["entry"]]
        self.other_entry = next(r for r in network.relays.values() if r.role == "entry" and r is not self.entry)
        net.wait_for("answers", lambda: self.back() > 50)
        self.quiet = self.rate(2 * SECONDS)

    def back(self):
        counters = self.client.status()["counters"]
        return counters["replies"] + counters["loops_back"]

    def rate(self, seconds):
        """Packets that come back in a second."""
        start, before = time.monotonic(), self.back()
        time.sleep(seconds)
        return (self.back() - before) / (time.monotonic() - start)

    def share(self):
        """Of what comes back when nobody attacks, meanwhile."""
        time.sleep(SETTLE)
        return self.rate(SECONDS) / self.quiet

    def recovers(self, floor):
        """The attack is over; until honest traffic is what it was. What was quiet then may be busy now, so that is measured anew."""
        def whole():
            rate = self.rate(0.5)
            return rate if rate > floor * self.quiet else None
        net.wait_for("honest traffic to recover", whole, 60, 0)

    def measure(self, name, attack, floor, note=""):
        """Runs it, and asserts the share that honest traffic kept. Returns it."""
        with attack:
            kept = self.share()
        if kept < floor:  # was it the attack, or has the whole machine become slower since?
            self.recovers(0.3)
            self.quiet = min(self.quiet, self.rate(2 * SECONDS))
            with attack:
                kept = self.share()
        SHARES[name] = {"kept": round(min(kept, 1.0), 3), "asserted": floor, "note": note}
        assert kept >= floor, f"{name}: honest traffic kept {kept:.2f} of its rate, {floor} is promised"
        return kept


def newcomer(relay, seconds=10):
    """How long somebody honest, who has no link yet, needs to get one. They try again as a client would."""
    start = time.monotonic()

    def try_once():
        with contextlib.suppress(OSError, EOFError):
            return hostile.Wire(relay.port)
    wire = net.wait_for(f"a newcomer to get into {relay.name}", try_once, seconds, 0.25)
    wire.tls.close()
    return time.monotonic() - start


# ---- attackers ----
class Attacker:
    """Does `round` over and over, in a thread, between entry and exit of its block. Its own failures end it loudly."""
    pause = 0.0

    def __enter__(self):
        self.over, self.failure, self.done = threading.Event(), None, 0
        self.begin()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        try:
            while not self.over.wait(self.pause):
                self.round()
                self.done += 1
        except Exception as error:  # noqa: BLE001 - shown at the end
            self.failure = error

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        self.end()
        if self.failure is not None and error == (None, None, None):
            raise self.failure

    def begin(self):
        pass

    def round(self):
        pass

    def end(self):
        pass


def address(i):
    return ATTACKER.format(i // 250 % 250, i % 250 + 1)


def tcp(port, i, spread=True):
    s = socket.socket()
    s.bind((address(i) if spread else address(0), 0))
    s.settimeout(10 * net.PATIENCE)
    s.connect(("127.0.0.1", port))
    s.setblocking(False)
    return s


def close_all(sockets):
    for s in sockets:
        s.close()


def client_hello():
    out = ssl.MemoryBIO()
    tls = hostile.client_context().wrap_bio(ssl.MemoryBIO(), out)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


class SlowHandshakes(Attacker):
    """TLS, a byte a second."""
    pause = 1.0

    def __init__(self, relay, n=300):
        self.port, self.n = relay.port, n

    def begin(self):
        self.hello, self.at = client_hello(), 0
        self.sockets = [tcp(self.port, i) for i in range(self.n)]
        self.round()

    def round(self):
        for s in self.sockets:
            with contextlib.suppress(OSError):  # the relay has had enough of it
                s.send(self.hello[self.at:self.at + 1])
        self.at += 1

    def end(self):
        self.closed = sum(is_closed(s) for s in self.sockets)
        close_all(self.sockets)


def is_closed(s):
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class NeverWriting(SlowHandshakes):
    """Connections that say nothing at all."""

    def round(self):
        pass


class NeverReading(Attacker):
    """Clients that don't read what the entry sends at its clock, while they go on asking for the document."""
    pause = 0.05

    def __init__(self, relay, n=40):
        self.port, self.n = relay.port, n

    def begin(self):
        self.wires = [hostile.Wire(self.port, address(i)) for i in range(self.n)]
        for wire in self.wires:
            wire.tls.setblocking(False)

    def round(self):
        for wire in self.wires:
            with contextlib.suppress(OSError):
                wire.send(bytes(32), kind=5)

    def end(self):
        close_all(wire.tls for wire in self.wires)


class ManyClients(Attacker):
    """Clients from one address, as many as are let in: they take places, and do nothing with them."""
    pause = 0.2

    def __init__(self, relay, n=150):
        self.port, self.n = relay.port, n

    def begin(self):
        self.wires = []
        for _ in range(self.n):
            with contextlib.suppress(OSError, EOFError):
                self.wires.append(hostile.Wire(self.port, address(0)))
        self.got_in = len(self.wires)

    def end(self):
        close_all(wire.tls for wire in self.wires)


class Garbage(Attacker):
    """Bytes that mean nothing: in place of TLS, and in cells within it."""

    def __init__(self, relay):
        self.port = relay.port

    def round(self):
        with tcp(self.port, self.done) as s, contextlib.suppress(OSError):
            s.send(os.urandom(4096))
        with contextlib.suppress(OSError, EOFError):
            wire = hostile.Wire(self.port, address(self.done))
            with wire.tls:
                wire.tls.sendall(b"\x63" + os.urandom(hostile.CELL * 4 - 1))
                while wire.tls.recv(65536):
                    pass


class ManyConnections(Attacker):
    """Holds as many connections as the relay lets it, up to CONNECTIONS, and makes those again that it closed: in children of this
    process, as each may have only so many descriptors."""

    def __init__(self, relay):
        self.port = relay.port

    def begin(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        each = min(CONNECTIONS, (hard if hard != resource.RLIM_INFINITY else CONNECTIONS + 200) - 100)
        n = -(-CONNECTIONS // each)
        counts = [min(each, CONNECTIONS - i * each) for i in range(n)]
        self.children = [subprocess.Popen([sys.executable, "-B", str(HERE / "attacks.py"), "connect", str(self.port), str(count), str(i)],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=net.die_with_parent)
                         for i, count in enumerate(counts)]
        for child in self.children:
            assert child.stdout.readline() == "attacking\n"
        self.pause = 0.2

    def end(self):
        said = [json.loads(child.communicate("\n")[0]) for child in self.children]
        self.made, self.most_open = sum(s["made"] for s in said), sum(s["most_open"] for s in said)


def hold_connections(port, n, which):
    """The child's part: n connections, made again at most 2,000 times a second when they are closed, until a line comes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(n + 90, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    poll, open_now, made, most, announced = select.epoll(), {}, 0, 0, False
    poll.register(0, select.EPOLLIN)
    while True:
        due = 200 if not announced else int((time.monotonic() - since) * 2000) - (made - made_then)
        for _ in range(max(0, min(200, due, n - len(open_now)))):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            s.bind((address(which * n + made), 0))
            if s.connect_ex(("127.0.0.1", port)) not in (0, 115):
                s.close()
                break
            poll.register(s.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
            open_now[s.fileno()] = s
            made += 1
        most = max(most, len(open_now))
        if not announced and made >= n:
            announced = print("attacking", flush=True) or True
            since, made_then = time.monotonic(), made
        for fd, _ in poll.poll(0.02 if not announced else 0.1, 2000):
            if fd == 0:
                print(json.dumps({"made": made, "most_open": most}))
                return
            open_now.pop(fd).close()


class Flood(Attacker):
    """A relay of the network that went bad: it may send as fast as it can, and does. `packets`: what it sends, over and over."""

    def __init__(self, network, bad, target, packets):
        self.identity = hostile.pem(network.dir / f"{bad.name}.pem", (bad.dir / "state" / "identity.key").read_bytes())
        self.target, self.block, self.n = target, b"".join(map(hostile.cell_of, packets)), len(packets)

    def begin(self):
        self.wire = hostile.Wire(self.target.port, identity=self.identity)
        self.wire.tls.settimeout(30 * net.PATIENCE)
        self.cpu = cpu_s(self.target)
        self.start = time.monotonic()

    def round(self):
        self.wire.tls.sendall(self.block)

    def end(self):
        self.sent, self.seconds = self.done * self.n, time.monotonic() - self.start
        self.cpu = cpu_s(self.target) - self.cpu
        self.wire.tls.close()


def cpu_s(relay):
    fields = Path(f"/proc/{relay.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ClientFlood(Attacker):
    """Clients that send forged packets as fast as they can; what they may not send, the entry doesn't read, and in the end it closes the link."""

    def __init__(self, relay, n=10):
        self.port, self.n = relay.port, n

    def begin(self):
        self.wires = [hostile.Wire(self.port, address(i)) for i in range(self.n)]
        self.block = b"".join(map(hostile.cell_of, forged(64)))
        for wire in self.wires:
            wire.tls.setblocking(False)
        self.left = [b""] * self.n

    def round(self):
        for i, wire in enumerate(self.wires):
            with contextlib.suppress(OSError):
                self.left[i] = self.left[i] or self.block
                self.left[i] = self.left[i][wire.tls.send(self.left[i]):]
            with contextlib.suppress(OSError):
                wire.tls.recv(65536)

    def end(self):
        close_all(wire.tls for wire in self.wires)


# ---- packets ----
def forged(n):
    """A canonical element and noise behind it: the relay has to compute the shared secret before it can see that."""
    return [os.urandom(31) + b"\x3f" + os.urandom(hostile.PACKET_LEN - 32) for _ in range(n)]


def low_order(n):
    return [LOW_ORDER[i % len(LOW_ORDER)] + os.urandom(hostile.PACKET_LEN - 32) for i in range(n)]


def replayed(network, n, *names):
    """One good packet along these relays, many times."""
    hops = hostile.hops(network)
    header = sphinx.create_header([hops[name] for name in names], sphinx.DELIVER, None, os.urandom(292))
    return [sphinx.create_packet(header, os.urandom(2048))] * n


@contextlib.contextmanager
def no_descriptors(relay):
    """A relay that may open no file and no socket more."""
    pid = relay.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # A new one has the lowest free number, and has to be below the limit; 0, 1 and 2 are never free.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def table():
    """The lines of what was measured, for the end of a run."""
    if not SHARES:
        return []
    width = max(map(len, SHARES))
    return [f"{'attack'.ljust(width)}  kept  asserted"] + [
        f"{name.ljust(width)}  {s['kept']:4.2f}  {s['asserted']:8.2f}  {s['note']}".rstrip() for name, s in SHARES.items()]


if __name__ == "__main__":
    assert sys.argv[1] == "connect"
    hold_connections(*map(int, sys.argv[2:5]))
