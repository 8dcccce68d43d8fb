"""A whole Tidemill network on loopback, for the demonstration and for the scenarios.

Everything it starts listens on 127.0.0.1, on ports that were free, and ends with it. Standard library only.
"""
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("tidemill-relay", "tidemill-authority", "tidemill", "tidemill-bench")
LAYOUT = [("entry1", "entry", 0), ("entry2", "entry", 0),
          ("mix1a", "mix", 1), ("mix1b", "mix", 1), ("mix2a", "mix", 2), ("mix2b", "mix", 2),
          ("mix3a", "mix", 3), ("mix3b", "mix", 3), ("store1", "store", 0), ("store2", "store", 0)]
LAYERS = 3
# Scenarios count single packets and wait until nothing moves; relays then must not send any of their own.
NO_COVER = {"loop_ms": 0, "dummy_ms": 0}
# Instrumented programs are several times slower; waits stretch with this.
PATIENCE = float(os.environ.get("TIDEMILL_TEST_PATIENCE", "1"))
# What a sanitizer writes when it has found something.
FINDINGS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:")


class NetworkError(Exception):
    """Something that the user should read, as it is."""


def die_with_parent():
    """In a child before exec: the kernel ends it when its parent is gone, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def hold_ports(n):
    """Sockets with a port each that nobody else gets while they are open: they let in only who names the port."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for s in sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", 0))
    except OSError as error:
        raise NetworkError(f"there are no {n} free ports on 127.0.0.1: {error.strerror}") from None
    return sockets


def tail_of(path, lines):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def finding_in(path):
    """What a sanitizer has said in that log, from its first line on; None: nothing."""
    text = path.read_text(errors="replace") if path.exists() else ""
    at = min((text.find(word) for word in FINDINGS if word in text), default=-1)
    return None if at < 0 else text[text.rfind("\n", 0, at) + 1:][:6000]


def wait_for(what, test, seconds=20, every=0.05):
    """Returns what test returns once that is true; NetworkError after some seconds."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise NetworkError(f"waited {seconds * PATIENCE:.0f} s in vain for {what}")
        time.sleep(every)


class Relay:
    def __init__(self, network, name, role, layer, port):
        self.network, self.name, self.role, self.layer, self.port = network, name, role, layer, port
        self.dir = network.dir / name
        self.config = self.dir / "relay.conf"
        self.counters_file = self.dir / "counters.json"
        self.log = self.dir / "log"
        self.process = None
        self.wanted = False  # it should be running now
        self.environment = {}  # on top of ours
        self.options = {}      # of its configuration, besides those below
        self.before_exec = die_with_parent

    def write_config(self, **extra):
        self.dir.mkdir(mode=0o700, exist_ok=True)
        options = {"name": f'"{self.name}"', "state-dir": f'"{self.dir}/state"', "address": f'"127.0.0.1:{self.port}"',
                   "listen": f'"127.0.0.1:{self.port}"', "roles": "{%s}" % self.role,
                   "authorities": f'"{self.network.trust}"', "document": f'"{self.network.document}"',
                   "workers": "1", "counters-file": f'"{self.counters_file}"'}
        if self.role == "mix":
            options["layer"] = str(self.layer)
        if os.geteuid() == 0:
            options["user"] = "root"  # all of it belongs to whoever runs the network
        options.update(self.options)
        options.update(extra)
        self.config.write_text("".join(f"{k} = {v}\n" for k, v in options.items()))

    def start(self):
        self.counters_file.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.network.program("tidemill-relay"), "-c", self.config, "run"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.before_exec,
                                            env={**os.environ, **self.environment})
        self.wanted = True

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def counters(self):
        try:
            return json.loads(self.counters_file.read_text())
        except (OSError, ValueError):
            return None

    def up(self):
        if not self.alive():
            raise NetworkError(f"relay {self.name} ended by itself; its log says:\n{self.tail()}")
        return self.counters() is not None

    def tail(self, lines=8):
        return tail_of(self.log, lines)

    def kill(self):
        self.wanted = False
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def tell_to_stop(self):
        if self.wanted and self.alive():
            self.process.terminate()
        self.wanted = False

    def stop(self, seconds=20):
        """SIGTERM, once, and waits; returns the exit code, or None if it had to be killed."""
        self.tell_to_stop()
        if not self.alive():
            return None if self.process is None else self.process.returncode
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Client:
    """One person's state directory, and the commands on it. Without start() a daemon comes when a command needs it."""

    def __init__(self, network, name):
        self.network, self.name = network, name
        self.state = network.dir / name
        self.program = network.program("tidemill")
        self.log = network.dir / f"{name}.log"  # of a daemon of ours
        self.process = None

    def command(self, *args):
        return [str(self.program), "--state", str(self.state), *map(str, args)]

    def run(self, *args, stdin="", timeout=60, check=True):
        done = subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True, timeout=timeout * PATIENCE)
        if check and done.returncode != 0:
            raise NetworkError(f"{' '.join(self.command(*args))}\nended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done

    def json(self, *args, **kw):
        return json.loads(self.run(*args, "--json", **kw).stdout)

    def init(self):
        self.run("init", "--authorities", self.network.trust, "--document", self.network.document, "--no-passphrase")

    # ---- the daemon, as a child of ours that ends with us ----
    def start(self):
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command("daemon", "--foreground"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)

        def ready():
            if self.process.poll() is not None:
                raise NetworkError(f"{self.name}'s daemon ended by itself; it said:\n{tail_of(self.log, 8)}")
            return b"Ready." in self.log.read_bytes()[before:]
        wait_for(f"{self.name}'s daemon", ready)

    def kill(self):
        """As a crash would: no farewell. Only for a daemon of ours."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        if self.state.exists():
            subprocess.run(self.command("stop"), capture_output=True, timeout=60 * PATIENCE)
        if self.process is not None:
            try:
                self.process.wait(30 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    # ---- what a person sees ----
    def contact(self, name):
        contacts = self.json("contacts")["contacts"]
        return next((c for c in contacts if c["name"] == name), None)

    def ready(self, name):
        found = self.contact(name)
        return found is not None and found["state"] == "ready"

    def messages(self):
        """All that were ever received, in the order in which they came."""
        return self.json("read", "--all")["messages"]

    def texts(self, sender):
        return [m["text"] for m in self.messages() if m["from"] == sender and m["kind"] == "text"]

    def send(self, to, text):
        """Returns once the stores have it."""
        self.run("send", to, text, timeout=120)

    def status(self):
        return self.json("status")

    def report(self):
        logs = "\n".join(filter(None, (tail_of(self.log, 12), tail_of(self.state / "daemon.log", 12))))
        try:
            status = self.run("status", timeout=10, check=False).stdout if self.process is not None else "(no daemon of ours)\n"
        except subprocess.SubprocessError as error:
            status = f"{error}\n"
        return f"---- {self.name}\n{status}{logs}"


NETWORKS = []  # all that were made, for what looks at them after each test


def dials(a, b):
    """By the ring: entries and stores to layer 1, each layer to the next, the last to entries and stores."""
    if a.role != "mix":
        return b.layer == 1
    return b.layer == a.layer + 1 if a.layer < LAYERS else b.role != "mix"


class Network:
    def __init__(self, directory, programs, params=None, authorities=4, layout=LAYOUT, valid_for=24 * 3600, epochs=26,
                 cover=False):
        self.dir = Path(directory).resolve()
        self.programs = Path(programs).resolve()
        self.params = {"epoch_s": 3600, **({} if cover else NO_COVER), **(params or {})}
        self.trust = self.dir / "authorities"
        self.document = self.dir / "document"
        self.n_authorities, self.valid_for, self.epochs = authorities, valid_for, epochs
        self.held = hold_ports(len(layout))
        self.relays = {name: Relay(self, name, role, layer, s.getsockname()[1]) for (name, role, layer), s in zip(layout, self.held)}
        self.clients = []
        self.started = False
        NETWORKS.append(self)

    def program(self, name):
        for folder in (self.programs, self.programs / "bin", self.programs / "sbin"):
            if (folder / name).exists():
                return folder / name
        raise NetworkError(f"there is no {name} in {self.programs}; ./quickstart build makes it")

    def call(self, name, *args):
        done = subprocess.run([self.program(name), *map(str, args)], capture_output=True, text=True, timeout=120 * PATIENCE)
        if done.returncode != 0:
            raise NetworkError(f"{name} {' '.join(map(str, args))}\nended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done.stdout

    # ---- making ----
    def make_authorities(self):
        self.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = self.dir / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        names = [f"authority{i + 1}" for i in range(self.n_authorities)]
        for name in names:
            self.call("tidemill-authority", "keygen", "--name", name, "--out", keys)
        self.trust.write_text("".join((keys / f"{name}.vkey").read_text() for name in names))
        self.authorities = [keys / f"{name}.key" for name in names]

    def make_relays(self, **extra):
        epoch = int(time.time()) // int(self.params["epoch_s"])
        for relay in self.relays.values():
            relay.write_config(**extra)
            self.call("tidemill-relay", "-c", relay.config, "keygen", "--epochs", self.epochs, "--from", epoch,
                      "--epoch-length", self.params["epoch_s"])

    def make_document(self, signers=None, valid_from="now", valid_for=None, path=None):
        path = path or self.document
        made = path.with_suffix(".new")
        args = ["assemble", "--network", "quickstart", "--params", TOP / "doc/examples/demo.params",
                "--valid-from", valid_from, "--valid-for", valid_for or self.valid_for, "-o", made]
        for key, value in self.params.items():
            args += ["--set", f"{key}={value}"]
        for relay in self.relays.values():
            args += ["--descriptor", relay.dir / "state" / "descriptor"]
        self.call("tidemill-authority", *args)
        for key in self.authorities[:signers]:
            self.call("tidemill-authority", "sign", "--key", key, made)
        made.rename(path)

    def start(self):
        self.started = True
        for relay in self.relays.values():
            relay.start()
        for relay in self.relays.values():
            wait_for(f"relay {relay.name} to come up", relay.up)
        wait_for("the relays to find each other", self.linked)

    def expected_links(self, relay):
        """How many relay links this one has when all are up: those that it dials by the ring, and those that dial it."""
        return sum(dials(relay, other) + dials(other, relay) for other in self.relays.values())

    def linked(self):
        for relay in self.relays.values():
            counters = relay.counters()
            if not relay.alive() or counters is None or counters["links"]["relays"] < self.expected_links(relay):
                return False
        return True

    def client(self, name):
        client = Client(self, name)
        client.init()
        self.clients.append(client)
        return client

    # ---- looking ----
    def counters(self):
        return {name: relay.counters() for name, relay in self.relays.items()}

    def unbalanced(self):
        """Relays whose accounting equation does not hold, with their counters."""
        bad = {}
        for name, c in self.counters().items():
            if c is not None and (sum(c["in"].values()) != sum(c["out"].values()) + c["held"] + sum(c["drop"].values())
                                  or not c["balanced"]):
                bad[name] = c
        return bad

    def settle(self):
        """Waits until each relay's counters file is newer than now, and returns the counters."""
        now = time.time()

        def fresh():
            return all(r.counters_file.exists() and r.counters_file.stat().st_mtime > now for r in self.relays.values() if r.alive())
        wait_for("fresh counters", fresh)
        return self.counters()

    def quiet(self):
        """Waits until nothing moves any more, with all clients stopped, and returns the counters."""
        def still():
            before, after = self.settle(), self.settle()
            return after if before == after and not any(c["held"] for c in after.values()) else None
        return wait_for("the network to become quiet", still, 60, 0)

    def problems(self):
        """What is wrong with the network, whatever a scenario is about; empty if nothing is."""
        found = [f"relay {r.name} has ended by itself" for r in self.relays.values() if r.wanted and not r.alive()]
        for log in [r.log for r in self.relays.values()] + [p for c in self.clients for p in (c.log, c.state / "daemon.log")]:
            said = finding_in(log)
            if said:
                found.append(f"{log}: {said}")
        found += [f"the accounting of {name} does not balance: {json.dumps(c)}" for name, c in self.unbalanced().items()]
        return found

    def report(self):
        """The ends of all logs and the counters, to be shown when a scenario fails."""
        parts = [client.report() for client in self.clients]
        for relay in self.relays.values():
            c = relay.counters()
            drops = {k: v for k, v in c["drop"].items() if v} if c else None
            short = {k: c[k] for k in ("in", "out", "held", "links", "balanced")} if c else None
            parts.append(f"---- {relay.name}{'' if relay.alive() else ' (not running)'} {short} drops {drops}\n{relay.tail(4)}")
        return "\n".join(parts)

    def stop(self):
        """Ends everything; returns what did not end as it should."""
        found = []
        for client in self.clients:
            try:
                client.stop()
            except (OSError, subprocess.SubprocessError) as error:
                found.append(f"{client.name}'s daemon: {error}")
        ending = [relay for relay in self.relays.values() if relay.alive()]
        for relay in ending:
            relay.tell_to_stop()
        for relay in ending:
            code = relay.stop()
            if code != 0:
                found.append(f"relay {relay.name}, told to stop, ended with {code}")
        found += self.problems()
        for s in self.held:
            s.close()
        if self in NETWORKS:
            NETWORKS.remove(self)
        return found


def lost_between(before, after, layout=LAYOUT):
    """Packets that left one layer of relays and did not come to the next, by counters of two quiet moments: a list of
    (from, to, how many), empty if none is missing. Entries and stores are the layer 0; what comes to entries from clients can't be
    told from the rest, so the way from the last layer back to them is not compared."""
    def sent_and_received(layer):
        names = [name for name, role, n in layout if n == layer]
        def growth(way):
            return sum(after[n][way]["link"] - before[n][way]["link"] for n in names)
        return growth("out"), growth("in")
    flows = [sent_and_received(layer) for layer in range(LAYERS + 1)]
    return [(n, n + 1, flows[n][0] - flows[n + 1][1]) for n in range(LAYERS) if flows[n][0] != flows[n + 1][1]]


@contextlib.contextmanager
def running(directory, programs, params=None, people=(), **kw):
    """A network that runs, with clients of these names, until the end of the block; then all of it must have ended well."""
    network = Network(directory, programs, params, **kw)
    try:
        network.make_authorities()
        network.make_relays()
        network.make_document(signers=3)
        network.start()
        for name in people:
            network.client(name).start()
        yield network
    except BaseException:
        network.stop()
        raise
    found = network.stop()
    if found:
        raise NetworkError("\n".join(found))


def pair(a, b, name_of_b="bob", name_of_a="alice", seconds=60):
    """a invites, b accepts; returns once both are ready."""
    code = a.json("invite", name_of_b)["code"]
    b.run("accept", name_of_a, "-", stdin=code + "\n")
    wait_for("both to be paired", lambda: a.ready(name_of_b) and b.ready(name_of_a), seconds, 0.25)
    return code
