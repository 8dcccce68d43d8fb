"""A whole Tidemill network on loopback, for the demonstration and for the scenarios.

Everything it starts listens on 127.0.0.1, on ports that were free, and ends with it. Standard library only.
"""
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
# Instrumented programs are several times slower; waits stretch with this.
PATIENCE = float(os.environ.get("TIDEMILL_TEST_PATIENCE", "1"))


class NetworkError(Exception):
    """Something that the user should read, as it is."""


def die_with_parent():
    """In a child before exec: the kernel ends it when its parent is gone, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_ports(n):
    held = []
    for _ in range(n):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        held.append(s)
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


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

    def write_config(self, **extra):
        self.dir.mkdir(mode=0o700, exist_ok=True)
        options = {"name": f'"{self.name}"', "state-dir": f'"{self.dir}/state"', "address": f'"127.0.0.1:{self.port}"',
                   "listen": f'"127.0.0.1:{self.port}"', "roles": "{%s}" % self.role,
                   "authorities": f'"{self.network.trust}"', "document": f'"{self.network.document}"',
                   "workers": "1", "counters-file": f'"{self.counters_file}"'}
        if self.role == "mix":
            options["layer"] = str(self.layer)
        options.update(extra)
        self.config.write_text("".join(f"{k} = {v}\n" for k, v in options.items()))

    def start(self):
        self.counters_file.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.network.program("tidemill-relay"), "-c", self.config, "run"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

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
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=20):
        """SIGTERM, and waits; returns the exit code, or None if it had to be killed."""
        if not self.alive():
            return None if self.process is None else self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Client:
    def __init__(self, network, name):
        self.network, self.name = network, name
        self.state = network.dir / name
        self.program = network.program("tidemill")

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

    def contact(self, name):
        contacts = self.json("contacts")["contacts"]
        return next((c for c in contacts if c["name"] == name), None)

    def ready(self, name):
        found = self.contact(name)
        return found is not None and found["state"] == "ready"

    def stop(self):
        if self.state.exists():
            subprocess.run(self.command("stop"), capture_output=True, timeout=30 * PATIENCE)


def dials(a, b):
    """By the ring: entries and stores to layer 1, each layer to the next, the last to entries and stores."""
    if a.role != "mix":
        return b.layer == 1
    return b.layer == a.layer + 1 if a.layer < LAYERS else b.role != "mix"


class Network:
    def __init__(self, directory, programs, params=None, authorities=4, layout=LAYOUT, valid_for=24 * 3600, epochs=26):
        self.dir = Path(directory).resolve()
        self.programs = Path(programs).resolve()
        self.params = {"epoch_s": 3600, **(params or {})}
        self.trust = self.dir / "authorities"
        self.document = self.dir / "document"
        self.n_authorities, self.valid_for, self.epochs = authorities, valid_for, epochs
        ports = free_ports(len(layout))
        self.relays = {name: Relay(self, name, role, layer, port) for (name, role, layer), port in zip(layout, ports)}
        self.clients = []

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

    def stop(self):
        for client in self.clients:
            try:
                client.stop()
            except (OSError, subprocess.SubprocessError):
                pass
        for relay in self.relays.values():
            if relay.alive():
                relay.process.terminate()
        for relay in self.relays.values():
            relay.stop()


def pair(a, b, name_of_b="bob", name_of_a="alice", seconds=60):
    """a invites, b accepts; returns once both are ready."""
    code = a.json("invite", name_of_b)["code"]
    b.run("accept", name_of_a, "-", stdin=code + "\n")
    wait_for("both to be paired", lambda: a.ready(name_of_b) and b.ready(name_of_a), seconds, 0.25)
    return code
