"""The directory that ./quickstart network is given: only one of its own is emptied, and not while a network runs in it."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import demo  # noqa: E402
import network as net  # noqa: E402


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_directory_that_is_not_there_is_made_for_its_owner_alone(tmp_path):
    path, lock = demo.prepare(tmp_path / "a" / "b")
    lock.close()
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_its_own_is_emptied(tmp_path):
    path, lock = demo.prepare(tmp_path)
    (path / "env").write_text("")
    (path / "alice").mkdir()
    (path / "alice" / "state.db").write_text("")
    lock.close()
    _, lock = demo.prepare(tmp_path)
    lock.close()
    assert names(tmp_path) == [demo.MARK]


def test_a_directory_of_others_is_left_alone(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "authorities").write_text("")
    with pytest.raises(net.NetworkError, match="no network of quickstart"):
        demo.prepare(tmp_path)
    assert names(tmp_path) == ["authorities", "env"]


def test_a_network_that_runs_is_left_alone(tmp_path):
    path, lock = demo.prepare(tmp_path)
    (path / "env").write_text("")
    with pytest.raises(net.NetworkError, match="runs in"):
        demo.prepare(tmp_path)
    lock.close()
    assert "env" in names(tmp_path)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_no_directory(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(net.NetworkError, match="name another"):
        demo.prepare(tmp_path / name)
