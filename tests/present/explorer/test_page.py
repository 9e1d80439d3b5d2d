"""The page: marimo's app around it, its server, and the command that starts it."""

import signal
import socket
import sys
import urllib.request

import pytest

from bayescpt.cli import main
from bayescpt.errors import MissingExtraError, WriteError
from bayescpt.present.explorer import serve, widgets
from bayescpt.present.explorer import session as opened
from tests.present.explorer.conftest import exploring


class Params:
    """Parameters of an address, as marimo has them."""

    def __init__(self, given):
        self.given, self.changes = dict(given), []

    def to_dict(self):
        return dict(self.given)

    def set(self, name, value):
        self.given[name] = value
        self.changes.append(name)

    def remove(self, name):
        del self.given[name]
        self.changes.append(name)


def test_the_address_follows_and_only_changes_are_written(session):
    state = session.read({})
    params = Params({"lr": "7", "strange": "x", "goal.code": "1"})
    widgets.write_address(params, state)
    assert params.given == state.query()
    params.changes.clear()
    widgets.write_address(params, state)
    assert params.changes == []


def test_cells_run_and_follow_the_controls(session):
    pytest.importorskip("marimo")
    from bayescpt.present.explorer.app import app

    opened.open_session(session)
    outputs, names = app.run()
    controls = names["controls"]
    assert widgets.state_of(controls.value, session) == session.read({})
    # One start and one target leave nothing to choose.
    assert set(controls.value) == {
        "schedule", "lr", "decay", "floor", "steps", "replay", "goal.general", "goal.german",
    }  # fmt: skip
    assert "This recipe meets the whole goal" in outputs[-1].text


def test_names_in_labels_are_text(odd_session):
    mo = pytest.importorskip("marimo")
    made = widgets.controls(mo, odd_session, {})
    shown = widgets.layout(mo, made).text
    assert "<i>" not in shown
    assert "<script>alert" not in shown
    assert "goal.<i>target</i>" in made.value


def test_a_page_without_a_session_says_how_to_start(monkeypatch):
    monkeypatch.setattr(opened, "_OPENED", [])
    with pytest.raises(RuntimeError, match="bayescpt explore FIT"):
        opened.current()


def test_ports():
    with serve.bind() as first, serve.bind() as second:
        numbers = [place.getsockname() for place in (first, second)]
        assert {host for host, _ in numbers} == {"127.0.0.1"}
        assert numbers[0] != numbers[1]
        with pytest.raises(WriteError, match=r"--port \d+: Address already in use"):
            serve.bind(numbers[0][1])


def test_without_marimo_the_command_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "marimo", None)
    with pytest.raises(MissingExtraError):
        serve.make_page()
    with pytest.raises(SystemExit) as ended:
        main(["explore", "none.nc"])
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith('pip install "bayescpt[interactive]"')


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(fit, tmp_path):
    pytest.importorskip("marimo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with exploring(fit, tmp_path, "--port", str(port), "--goal", "german=+5%") as running:
        line = running.stdout.readline()
        address = f"http://127.0.0.1:{port}"
        assert line == f"exploring fit.nc at {address} (Ctrl-C ends it)\n"
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.status == 200
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert running.stdout.read() == "stopped\n"
