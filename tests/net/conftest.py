"""After each scenario: every relay that should run runs, every packet is accounted for, no sanitizer has complained. Where one
fails, what relays and clients have to say is shown with it."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import attacks  # noqa: E402
import network as net  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_is_wrong():
    yield
    problems = [problem for network in net.NETWORKS for problem in network.problems()]
    assert not problems, "\n".join(problems)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for network in net.NETWORKS:
            if network.started:
                report.sections.append((f"network {network.dir}", network.report()))


def pytest_terminal_summary(terminalreporter):
    """What the attacks left of honest traffic."""
    for line in attacks.table():
        terminalreporter.write_line(line)
