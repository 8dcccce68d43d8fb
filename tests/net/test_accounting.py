"""The checkers of packets, fed with counters in which packets are missing: they must find every one."""
import copy
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402


class Counted(net.Network):
    """A network that never ran, with counters of ours."""

    def __init__(self, directory, programs, counters):
        super().__init__(directory, programs)
        net.NETWORKS.remove(self)
        self.given = counters

    def counters(self):
        return self.given


def one(come, sent):
    return {"in": {"link": come, "own": 0, "reply": 0}, "out": {"link": sent, "store": 0, "client": 0, "loop": 0}, "held": 0,
            "drop": {"mac": 0, "replay": 0}, "balanced": True}


@pytest.fixture
def good():
    """100 packets from clients to each entry, through the layers, and 100 to each store; no answers."""
    return {name: one(100, 0 if role == "store" else 100) for name, role, _ in net.LAYOUT} | {
        f"store{i}": {**one(100, 0), "out": {"link": 0, "store": 100, "client": 0, "loop": 0}} for i in (1, 2)}


def unbalanced(counters, tmp_path):
    return list(Counted(tmp_path, tmp_path, counters).unbalanced())


def test_sound_counters_pass(good, tmp_path):
    assert unbalanced(good, tmp_path) == []
    assert net.lost_between({n: one(0, 0) for n in good}, good) == []


@pytest.mark.parametrize("change", [
    lambda c: c["in"].update(link=101),                    # came in and is nowhere
    lambda c: c["out"].update(link=99),                    # left, and nobody counted it
    lambda c: c["drop"].update(mac=1),                     # counted as dropped, and passed on
    lambda c: c.update(held=1),                            # held, and passed on
    lambda c: c["in"].update(reply=1),                     # an answer that never left
    lambda c: c["out"].update(loop=1),                     # a loop of its own that was one already
    lambda c: c.update(balanced=False),                    # the relay itself says so
], ids=["in", "out", "drop", "held", "reply", "loop", "own-word"])
def test_a_packet_that_a_relay_lost_is_found(good, tmp_path, change):
    change(good["mix2a"])
    assert unbalanced(good, tmp_path) == ["mix2a"]


def test_a_relay_without_counters_is_no_fault(good, tmp_path):
    good["mix2a"] = None  # it is being started
    assert unbalanced(good, tmp_path) == []


@pytest.mark.parametrize("relay,layer", [("mix1a", 0), ("mix2b", 1), ("mix3a", 2)])
def test_a_packet_lost_between_two_layers_is_found(good, relay, layer):
    before = {n: one(0, 0) for n in good}
    after = copy.deepcopy(good)
    after[relay]["in"]["link"] -= 1
    after[relay]["out"]["link"] -= 1  # at the relay itself all is well
    assert (layer, layer + 1, 1) in net.lost_between(before, after)


def test_a_finding_of_a_sanitizer_in_a_log_is_seen(tmp_path):
    log = tmp_path / "log"
    log.write_text("a line\n==7==ERROR: AddressSanitizer: heap-use-after-free\n  #0 here\n")
    assert net.finding_in(log).startswith("==7==ERROR")
    log.write_text("a line\n")
    assert net.finding_in(log) is None and net.finding_in(tmp_path / "none") is None
