"""What ./quickstart shows: a whole network on this machine, and two people who use it."""
import argparse
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402

TEXT = "The tide turns at six. Bring the boat."
ANSWER = "I saw it too. Half past five, at the mill."
FILE_SIZE = 100 * 1000
MARK = ".quickstart"  # in a directory that may be emptied, as it is ours; locked while a network runs in it


class Screen:
    """A line a step: while it works the time runs, at the end stands what came of it."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.started = time.monotonic()

    def step(self, text, work):
        begun = time.monotonic()
        done = threading.Event()
        note = [""]

        def tick():
            while not done.wait(0.2):
                print(f"\r\033[K  {text:<44} {note[0] or '...'}  {time.monotonic() - begun:.0f} s", end="", flush=True)

        ticker = threading.Thread(target=tick, daemon=True)
        if self.live:
            ticker.start()
        try:
            result = work(lambda s: note.__setitem__(0, s))
        except KeyboardInterrupt:
            result = "interrupted"
            raise
        except BaseException:
            result = "failed"
            raise
        finally:
            done.set()
            if self.live:
                ticker.join()
                print("\r\033[K", end="")
            print(f"  {text:<44} {result}  ({time.monotonic() - begun:.1f} s)", flush=True)


def start_network(network, screen):
    def make(_):
        network.make_authorities()
        network.make_relays()
        network.make_document(signers=3)
        return "signed by 3 of 4 authorities"

    def start(_):
        network.start()
        return f"{len(network.relays)} relays linked"

    screen.step("Keys and a signed directory document", make)
    screen.step("2 entries, 3 layers of 2 mixes, 2 stores", start)


def pair_people(network, screen):
    people = []

    def pair(note):
        people.extend(network.client(name) for name in ("alice", "bob"))
        for client in people:
            client.start()
        note("Alice's code travels to Bob")
        net.pair(*people)
        return "paired"

    screen.step("Alice invites Bob with a one-time code", pair)
    alice, bob = people

    def compare(_):
        mine, theirs = alice.json("safety", "bob")["safety"], bob.json("safety", "alice")["safety"]
        if mine != theirs:
            raise net.NetworkError(f"the safety numbers differ:\n{mine}\n{theirs}")
        return "the same on both sides"

    screen.step("They compare their safety number", compare)
    return alice, bob


def messages(client):
    return client.json("read", "--all")["messages"]


def wait_message(client, test, what, note=None):
    def look():
        if note:
            incoming = client.json("status").get("incoming") or []
            for i in incoming:
                note(f"{i['done']} of {i['pieces']} boxes read")
        return next((m for m in messages(client) if test(m)), None)
    return net.wait_for(what, look, 60, 0.3)


def talk(network, screen, alice, bob):
    def text(note):
        alice.run("send", "bob", TEXT)
        note("in the stores; Bob reads the slot")
        wait_message(bob, lambda m: m.get("text") == TEXT, "the text")
        return f"\"{TEXT}\""

    def file(note):
        path = network.dir / "tide-table.bin"
        data = os.urandom(FILE_SIZE)
        path.write_bytes(data)
        alice.run("send", "bob", "--file", path)
        note("in the stores; Bob reads")
        got = wait_message(bob, lambda m: m.get("file") is not None, "the file", note)
        saved = network.dir / "bob-saved"
        bob.run("read", "--all", "--save", saved)
        files = list(saved.iterdir())
        if not any(f.read_bytes() == data for f in files):
            raise net.NetworkError(f"no file in {saved} is the one that Alice sent ({got})")
        return f"{FILE_SIZE:,} bytes, the same to the last bit"

    def answer(_):
        bob.run("send", "alice", ANSWER)
        wait_message(alice, lambda m: m.get("text") == ANSWER, "the answer")
        return f"\"{ANSWER}\""

    screen.step("Alice sends a text to Bob", text)
    screen.step("Alice sends a file of 100 KB to Bob", file)
    screen.step("Bob answers", answer)


def show_counters(network):
    print("\n  What each relay could see, from its own counters. All cells have one size; a relay knows the link")
    print("  that a packet came by and the one it left by, never the two ends.\n")
    print("    relay    role        packets in  passed on  to store  to clients   own   home   held  dropped")
    for name, relay in network.relays.items():
        c = relay.counters()
        role = relay.role + (f", layer {relay.layer}" if relay.layer else "")
        print(f"    {name:<8} {role:<12} {c['in']['link']:>9} {c['out']['link']:>10} {c['out']['store']:>9} {c['out']['client']:>11}"
              f" {c['in']['own'] + c['in']['reply']:>5} {c['out']['loop']:>6} {c['held']:>6} {sum(c['drop'].values()):>8}")
    print("\n    own: answers of a store, and each relay's cover: loops, which come home, and decoy requests, whose")
    print("    answers end at an entry, dropped.\n")
    for name, relay in network.relays.items():
        if relay.role == "store":
            s = relay.counters()["store"]
            print(f"    {name} keeps {s['boxes']} boxes under ids that it cannot link; it was asked {s['get_hit'] + s['get_miss']} times"
                  f" ({s['get_hit']} found), decoys among them.")
    bad = network.unbalanced()
    print("    Every packet is accounted for: in = out + held + dropped, at every relay." if not bad else
          f"    The accounting does NOT balance at: {', '.join(bad)}")
    return not bad


def write_env(network, path):
    lines = {"TIDEMILL": network.programs / "tidemill", "TIDEMILL_RELAY": network.program("tidemill-relay"),
             "TIDEMILL_AUTHORITY": network.program("tidemill-authority"), "ALICE": network.dir / "alice",
             "BOB": network.dir / "bob", "AUTHORITIES": network.trust, "DOCUMENT": network.document}
    path.write_text("".join(f"{k}={shlex.quote(str(v))}\n" for k, v in lines.items()))


def show_commands(network, env):
    print(f"""
  The network is up until Ctrl-C. In another terminal:

    . {shlex.quote(str(env))}
    "$TIDEMILL" --state "$ALICE" send bob "Something of my own"
    "$TIDEMILL" --state "$BOB" read --follow
    "$TIDEMILL" --state "$BOB" send alice --file {shlex.quote(str(net.TOP / 'README.md'))}
    "$TIDEMILL" --state "$ALICE" read --follow --save {shlex.quote(str(env.parent / 'alice-saved'))}
    "$TIDEMILL" --state "$ALICE" status
""", flush=True)


def demo(network, screen):
    start_network(network, screen)
    talk(network, screen, *pair_people(network, screen))
    network.settle()
    return show_counters(network)


def stay(network, screen):
    start_network(network, screen)
    env = network.dir / "env"
    write_env(network, env)
    pair_people(network, screen)
    show_commands(network, env)
    while True:
        time.sleep(1)
        for relay in network.relays.values():
            if not relay.alive():
                raise net.NetworkError(f"relay {relay.name} ended by itself; its log says:\n{relay.tail()}")


def prepare(given):
    """The directory to work in, and the open file that holds its lock; None where it is a new one that is ours to remove."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="tidemill-")), None
    path = Path(given).resolve()
    mark = path / MARK
    try:
        if path.exists() and not path.is_dir():
            raise net.NetworkError(f"{path} is not a directory; name another one")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()) and not mark.is_file():
            raise net.NetworkError(f"{path} is not empty and holds no network of quickstart; name another directory")
        lock = open(mark, "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise net.NetworkError(f"a network runs in {path} already; end it with Ctrl-C first, or name another directory") from None
        for old in path.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            elif old != mark:
                old.unlink()
    except OSError as error:
        raise net.NetworkError(f"{error.filename}: {error.strerror}; name another directory") from None
    return path, lock


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--network", metavar="DIR")
    args = parser.parse_args()
    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    screen = Screen()
    directory = network = lock = None
    keep = False
    code = 1
    try:
        directory, lock = prepare(args.network)
        network = net.Network(directory, args.programs, cover=True)
        print("\n  Tidemill: a message through five relays\n", flush=True)
        if args.network:
            stay(network, screen)
        else:
            code = 0 if demo(network, screen) else 1
    except KeyboardInterrupt:
        stayed = args.network is not None and directory is not None and (directory / "env").exists()
        print("" if stayed else "\n  Interrupted.")
        code = 0 if stayed else 130
    except (net.NetworkError, OSError, subprocess.SubprocessError) as error:
        print(f"{'' if network is None else chr(10)}quickstart: {error}", file=sys.stderr)
        keep = network is not None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if network is not None:
            network.stop()
            print(f"  Stopped everything it started, {time.monotonic() - screen.started:.0f} s in all.")
        if keep:
            print(f"  What it left for you to look at: {directory}", file=sys.stderr)
        elif args.network is None and directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
