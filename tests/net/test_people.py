"""Two people with the real command, on a network that works: pairing, texts, files, absence, crashes of the client."""
import concurrent.futures
import hashlib
import os
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402

# Short slots and a quick clock; otherwise the demonstration's.
PARAMS = {"slot_ms": 1000, "tick_us": 25000, "downlink_us": 12500, "mean_delay_ms": 20, "request_timeout_ms": 2500}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with net.running(tmp_path_factory.mktemp("people"), os.environ["top_builddir"], PARAMS, ["alice", "bob"]) as it:
        it.code = net.pair(*it.clients)
        yield it


@pytest.fixture
def people(network):
    return network.clients[:2]


def wait_texts(client, sender, expected, seconds=60):
    """Until all of these texts have come. What else comes, or twice, or in another order, is for the assertion."""
    def come():
        got = client.texts(sender)
        return got if all(text in got for text in expected) else None
    return net.wait_for(f"{client.name} to receive {expected}", come, seconds, 0.25)


def new_texts(client, sender, count_before):
    return client.texts(sender)[count_before:]


def random_file(network, size):
    path = network.dir / f"file-{size}"
    path.write_bytes(os.urandom(size))
    return path


def file_came(client, path, into):
    """The hash of the file of that name once it was received and saved; None before."""
    if not any(m.get("file") == path.name for m in client.messages()):
        return None
    client.run("read", "--all", "--save", into)
    return hashlib.sha256((into / path.name).read_bytes()).hexdigest()


# ---- pairing ----
def test_both_see_the_same_safety_number(people):
    alice, bob = people
    numbers = [a.json("safety", b.name) for a, b in ((alice, bob), (bob, alice))]
    assert numbers[0]["safety"] == numbers[1]["safety"] and len(numbers[0]["safety"].split()) == 12
    assert not any(n["contested"] for n in numbers)


def test_a_mistyped_code_is_refused_with_the_reason(network, people):
    alice, _ = people
    code = network.code
    other = "0" if code[0] != "0" else "1"
    for typed, reason in ((other + code[1:], "mistyped"), (code[:-1], "29 symbols"), ("U" + code[1:], "'U' as symbol 1")):
        done = alice.run("accept", "mallory", "-", stdin=typed + "\n", check=False)
        assert done.returncode != 0 and reason in done.stderr
    assert alice.contact("mallory") is None


def test_a_code_is_of_no_use_to_who_learns_it_later(network):
    mallory = network.client("mallory")
    mallory.start()
    mallory.run("accept", "alice", "-", stdin=network.code + "\n")
    assert mallory.contact("alice")["state"] == "accepting"
    assert "not paired yet" in mallory.run("safety", "alice", check=False).stderr
    assert "not paired" in mallory.run("send", "alice", "Let me in", check=False).stderr


# ---- messages ----
def test_a_text_each_way(people):
    alice, bob = people
    alice.send("bob", "The tide turns at six.")
    bob.send("alice", "Ich seh’s auch: ½ 6, an der Mühle. 🌊")
    wait_texts(bob, "alice", ["The tide turns at six."])
    wait_texts(alice, "bob", ["Ich seh’s auch: ½ 6, an der Mühle. 🌊"])


def test_several_texts_at_once_come_once_each_and_in_order(people):
    alice, bob = people
    before = len(bob.texts("alice"))
    texts = [f"{i}. " + "wave " * (i * 40) for i in range(12)]  # the later ones fill a box each, or need bulk boxes
    for text in texts:
        alice.run("send", "bob", text, "--no-wait")
    wait_texts(bob, "alice", texts)
    assert new_texts(bob, "alice", before) == texts


def test_a_large_file_arrives_to_the_last_bit(network, people):
    alice, bob = people
    path = random_file(network, 120 * 1000)
    alice.run("send", "bob", "--file", path, timeout=120)
    got = net.wait_for("the file", lambda: file_came(bob, path, network.dir / "saved"), 90, 0.5)
    assert got == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_message_is_delivered_when_the_other_side_says_so(people):
    alice, bob = people
    done = alice.json("send", "bob", "Did you get it?", "--delivered", "--timeout", "300", timeout=300)
    assert done["delivered"] and "Did you get it?" in bob.texts("alice")


def test_a_code_used_by_two_is_contested(network, people):
    """Mallory and Carol both type Alice's code while it is alive."""
    alice, _ = people
    mallory = network.clients[2]
    carol = network.client("carol")
    carol.start()
    code = alice.json("invite", "carol")["code"]
    slot = int(time.time() * 1000) // PARAMS["slot_ms"]
    mallory.run("accept", "alice2", "-", stdin=code + "\n")
    net.wait_for("another slot", lambda: int(time.time() * 1000) // PARAMS["slot_ms"] > slot)
    carol.run("accept", "alice", "-", stdin=code + "\n")
    net.wait_for("the pairing to be contested", lambda: alice.contact("carol")["contested"], 60, 0.25)
    assert alice.contact("carol")["state"] != "ready"
    assert "somebody else has used the code" in alice.run("contacts").stdout
    assert alice.run("send", "carol", "Is it you?", check=False).returncode != 0
    for client in (mallory, carol):
        client.stop()


# ---- absence ----
def test_who_was_away_reads_what_was_missed(people):
    alice, bob = people
    before = len(bob.texts("alice"))
    bob.stop()
    away_since = time.time()
    texts = [f"While you were away, {i}" for i in range(3)]
    for text in texts:
        alice.send("bob", text)
    slots = 12
    net.wait_for(f"{slots} slots to pass", lambda: time.time() - away_since > slots * PARAMS["slot_ms"] / 1000, slots * 2)
    bob.start()
    behind = bob.status()["slots_behind"]
    assert behind >= slots and "slots behind, about" in bob.run("status").stdout
    wait_texts(bob, "alice", texts)
    assert new_texts(bob, "alice", before) == texts
    # On a slow machine the slots of the last seconds always wait to be read.
    net.wait_for("bob to have read what he missed", lambda: bob.status()["slots_behind"] < behind / 2, 60, 0.25)


# ---- many hands ----
def test_commands_at_once_on_one_state_start_one_daemon_and_lose_nothing(people):
    alice, bob = people
    before = len(bob.texts("alice"))
    alice.stop()  # so that all of them want to start it
    texts = [f"at once {i}" for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        sends = [pool.submit(alice.run, "send", "bob", text, "--no-wait") for text in texts]
        looks = [pool.submit(alice.status) for _ in range(4)]
        for done in sends:
            done.result()
        pids = {look.result()["pid"] for look in looks}
    assert pids == {alice.status()["pid"]}, "more than one daemon answered"
    wait_texts(bob, "alice", texts)
    assert sorted(new_texts(bob, "alice", before)) == sorted(texts)
    alice.stop()  # the one that came on demand
    alice.start()


# ---- crashes ----
def test_killed_while_sending_nothing_is_lost_or_doubled(people):
    """The sender's daemon is killed at drawn moments: while a command hands a text over, while it waits, while boxes leave."""
    alice, bob = people
    before = len(bob.texts("alice"))
    draw = random.Random(2)
    taken, perhaps = [], []
    for i in range(6):
        text = f"survivor {i}"
        if i % 2:
            alice.run("send", "bob", text, "--no-wait")
            taken.append(text)
            time.sleep(draw.uniform(0, 1.2))
            alice.kill()
        else:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                sending = pool.submit(alice.run, "send", "bob", text, "--no-wait", check=False)
                time.sleep(draw.uniform(0, 0.06))
                alice.kill()
                # The command finds no daemon any more and says so, or starts one, or was quick enough.
                (taken if sending.result().returncode == 0 else perhaps).append(text)
            alice.stop()  # one that the command may have started
        alice.start()
    alice.run("send", "bob", "the last one", "--no-wait")
    wait_texts(bob, "alice", taken + ["the last one"], 90)
    got = new_texts(bob, "alice", before)
    assert len(got) == len(set(got)), "something came twice"
    assert [t for t in got if t not in perhaps] == taken + ["the last one"]


def test_a_file_survives_crashes_of_both_sides(network, people):
    alice, bob = people
    path = random_file(network, 50 * 1000)
    alice.run("send", "bob", "--file", path, "--no-wait")
    for moment in (0.3, 0.9):
        time.sleep(moment)
        alice.kill()
        alice.start()
    net.wait_for("bob to begin with the file", lambda: bob.status()["incoming"] or file_came(bob, path, network.dir / "saved2"), 90, 0.1)
    bob.kill()
    bob.start()
    got = net.wait_for("the file", lambda: file_came(bob, path, network.dir / "saved2"), 90, 0.5)
    assert got == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(m.get("file") == path.name for m in bob.messages()) == 1


# ---- at the end ----
def test_in_a_quiet_network_no_packet_is_missing_between_relays(network):
    for client in network.clients:
        client.stop()
    begin = {name: {"in": dict.fromkeys(c["in"], 0), "out": dict.fromkeys(c["out"], 0)} for name, c in network.counters().items()}
    end = network.quiet()
    assert net.lost_between(begin, end) == []
    assert not network.unbalanced()
    assert end["store1"]["store"]["boxes"] > 0 and end["store2"]["store"]["boxes"] > 0
