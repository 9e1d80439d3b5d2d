"""The control of ``python -m tests.faults kills``: what a killed command does wrong is found."""

import random
import signal

import pytest

from tests.faults import kills
from tests.faults.kills import Case, attack

SCRIPT = """
import os, pathlib, sys, time
draft, file, begun = map(pathlib.Path, (".a.txt.part", "a.txt", "begun"))
begun.unlink(missing_ok=True)
draft.unlink(missing_ok=True)
def pause():
    begun.touch()
    time.sleep(0.5)
"""
SOUND = "draft.write_text('whole'); pause(); draft.rename(file)"
HALF = "file.write_text('half'); pause(); file.write_text('whole')"
SILENT = f"try:\n    {SOUND}\nexcept KeyboardInterrupt:\n    sys.exit(0)"
LEAVES = f"file.with_name('.b.txt.part').touch(); {SOUND}"


@pytest.mark.parametrize(
    ("body", "number", "words"),
    [
        (SOUND, signal.SIGKILL, None),
        (HALF, signal.SIGKILL, "a.txt: neither old nor whole, 4 bytes"),
        (SILENT, signal.SIGINT, "in the end exit 0, ['a.txt']"),
        (LEAVES, signal.SIGKILL, "remains: .b.txt.part"),
    ],
    ids=["sound", "half", "silent", "leaves"],
)
def test_what_a_killed_command_does_wrong_is_found(tmp_path, monkeypatch, body, number, words):
    class Chosen(random.Random):
        def choice(self, _signals):
            return number

    monkeypatch.setattr(
        kills, "moment", lambda folder, *_: lambda _elapsed: (folder / "begun").exists()
    )
    case = Case("script", (), ("a.txt",), 1, chain=1, program=("-c", SCRIPT + body), quiet=False)
    report = attack(case, tmp_path, 1, Chosen(1))
    assert report.finished
    if words is None:
        assert report.kills == 1
        assert report.faults == []
    else:
        assert any(words in fault for fault in report.faults), report.faults
