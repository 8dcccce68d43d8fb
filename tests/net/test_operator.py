"""What an operator sees of a relay that runs: status, metrics, and that both agree with the counters."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import network as net  # noqa: E402

SMALL = [r for r in net.LAYOUT if not r[0].endswith(("b", "y2"))]  # one entry, one mix a layer, two stores
SAMPLE = re.compile(r'tidemill_relay_([a-z_]+)(\{[a-z]+="[a-z0-9_.-]+"\})? [0-9]+(\.[0-9]+)?')


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    it = net.Network(tmp_path_factory.mktemp("operator"), os.environ["top_builddir"], layout=SMALL, cover=True)
    port = net.hold_ports(1)[0]
    it.held.append(port)
    it.metrics = f"127.0.0.1:{port.getsockname()[1]}"
    it.relays["mix2a"].options = {"metrics-address": f'"{it.metrics}"', "metrics-interval": "5"}
    try:
        it.make_authorities()
        it.make_relays()
        it.make_document()
        it.start()
        yield it
    finally:
        found = it.stop()
    assert not found, "\n".join(found)


def ask(network, *args, code=0):
    done = subprocess.run([network.program("tidemill-relay"), "-c", network.relays["mix2a"].config, "status", *args], capture_output=True, text=True,
                          timeout=60 * net.PATIENCE)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def scrape(network):
    with urllib.request.urlopen(f"http://{network.metrics}/metrics", timeout=60 * net.PATIENCE) as answer:
        assert answer.status == 200
        return answer.read().decode()


def value(text, sample):
    return float(re.search(rf"^tidemill_relay_{re.escape(sample)} (.*)$", text, re.M)[1])


def test_status_agrees_with_the_counters(network):
    relay = network.relays["mix2a"]
    net.wait_for("packets", lambda: network.settle()["mix2a"]["in"]["link"] > 20)
    before = relay.counters()
    status = json.loads(ask(network, "--json"))
    after = network.settle()["mix2a"]
    assert before["in"]["link"] <= status["in"]["link"] <= after["in"]["link"]
    assert status["balanced"] and status["state"] == "running" and status["roles"] == ["mix"] and status["layer"] == 2
    assert sum(status["in"].values()) == sum(status["out"].values()) + status["held"] + sum(status["drop"].values())
    assert status["links"]["relays"] == status["links"]["relays_expected"] > 0
    assert status["keys"][0]["tags"] > 0


def test_status_is_for_people_too(network):
    text = ask(network)
    assert "mix2a" in text and "packets" in text and "\x1b" not in text
    assert re.search(r"this machine carries about \d+ packets a second", text)
    socket = network.relays["mix2a"].dir / "state" / "control"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_metrics_are_coarse_and_well_formed(network):
    net.wait_for("metrics of twenty packets", lambda: value(scrape(network), 'packets_in_total{source="link"}') >= 20)
    text = scrape(network)
    after = network.settle()["mix2a"]
    assert value(text, 'packets_in_total{source="link"}') <= after["in"]["link"]
    assert value(text, 'packets_in_total{source="link"}') % 10 == 0
    for line in text.splitlines():
        assert line.startswith(("# HELP tidemill_relay_", "# TYPE tidemill_relay_")) or SAMPLE.fullmatch(line), line
    typed = dict(re.findall(r"^# TYPE tidemill_relay_([a-z_]+) (counter|gauge)$", text, re.M))
    assert set(typed) == {SAMPLE.fullmatch(x)[1] for x in text.splitlines() if not x.startswith("#")}
    assert all((kind == "counter") == name.endswith("_total") for name, kind in typed.items())
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60 * net.PATIENCE)
        assert checked.returncode == 0 and checked.stdout + checked.stderr == "", checked.stdout + checked.stderr


def test_scraping_shows_no_moment(network):
    """Between two moments of the interval the text is the same, byte for byte."""
    before, again = scrape(network), scrape(network)
    if before != again:  # a moment has passed between the two
        again, before = scrape(network), again
    assert before == again


def test_the_screen_goes_on_until_it_is_told_to_end(network):
    screen = subprocess.Popen([network.program("tidemill-relay"), "-c", network.relays["mix2a"].config, "status", "--watch"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = 0
    for line in screen.stdout:
        seen += "mix2a" in line
        if seen == 2:
            break
    screen.send_signal(signal.SIGINT)
    screen.stdout.close()
    assert screen.wait(60 * net.PATIENCE) in (0, -signal.SIGINT, 130) and seen == 2


def test_a_relay_that_does_not_run_says_so(network):
    network.relays["mix2a"].stop()
    text = ask(network, code=1)
    assert text.count("\n") == 1 and "not run" in text, text
