"""The same exchange on a network whose relays are timed pools, with dummies of their own."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402

# A small network: one entry, one mix a layer, two stores.
SMALL = [r for r in net.LAYOUT if not r[0].endswith(("b", "y2"))]
PARAMS = {"strategy": "timed-pool", "pool_interval_ms": 50, "pool_min": 4, "pool_floor": 6, "pool_share_permille": 600,
          "slot_ms": 1500, "tick_us": 25000, "downlink_us": 12500, "request_timeout_ms": 3000}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with net.running(tmp_path_factory.mktemp("pool"), os.environ["top_builddir"], PARAMS, ["alice", "bob"], layout=SMALL) as it:
        yield it


def test_a_text_and_a_file_through_pools(network):
    alice, bob = network.clients
    net.pair(alice, bob, seconds=120)
    assert alice.json("safety", "bob")["safety"] == bob.json("safety", "alice")["safety"]
    alice.send("bob", "It rises and falls.")
    bob.send("alice", "So it does.")
    path = network.dir / "pool.bin"
    path.write_bytes(os.urandom(12 * 1000))
    alice.run("send", "bob", "--file", path, timeout=120)
    net.wait_for("the text", lambda: bob.texts("alice") == ["It rises and falls."], 90, 0.5)
    net.wait_for("the answer", lambda: alice.texts("bob") == ["So it does."], 90, 0.5)
    net.wait_for("the file", lambda: any(m.get("file") == path.name for m in bob.messages()), 90, 0.5)
    bob.run("read", "--all", "--save", network.dir / "saved")
    assert (network.dir / "saved" / path.name).read_bytes() == path.read_bytes()


def test_pools_keep_their_minimum_and_account_for_their_dummies(network):
    for client in network.clients:
        client.stop()
    counters = network.settle()
    assert not network.unbalanced()
    for name, c in counters.items():
        assert c["in"]["own"] > 0, f"{name} made no dummies"
        assert c["held"] >= PARAMS["pool_min"], f"{name} let its pool run dry"
