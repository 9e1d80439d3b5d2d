"""What a terminal shows while chains run."""

import io
from types import SimpleNamespace

import pytest

from bayescpt.inference.progress import live_progress, progress_line


def chain(done, tuning=False, divergences=0):
    return SimpleNamespace(
        finished_draws=done, total_draws=1000, tuning=tuning, divergences=divergences
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_it_tells_chains_draws_divergences_and_time_left():
    chains = [chain(1000, divergences=2), chain(500, tuning=True, divergences=1)]
    assert progress_line(chains, elapsed=30.0) == (
        "1 of 2 chains done, 1 tuning; 1,500 of 2,000 draws, 3 divergences; about 10 s left"
    )
    assert progress_line([chain(0, tuning=True)], elapsed=1.0).endswith("starting")


def test_a_terminal_has_one_line_that_is_cleared_in_the_end(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    with live_progress(out) as callback:
        callback([chain(100)])
        callback([chain(900)])
    text = out.getvalue()
    assert "\n" not in text
    lines = text.split("\r\x1b[2K")
    assert lines[0] == lines[-1] == ""
    assert [len(line) for line in lines[1:-1]] == [39, 39]


def test_the_line_is_cleared_after_a_failure_too():
    out = Terminal()

    def sample():
        with live_progress(out) as callback:
            callback([chain(100)])
            raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        sample()
    assert out.getvalue().endswith("\r\x1b[2K")


def test_what_is_no_terminal_has_no_live_line():
    out = io.StringIO()
    with live_progress(out) as callback:
        assert callback is None
    assert out.getvalue() == ""
