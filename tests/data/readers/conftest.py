"""Small logs, and the way from them to runs."""

import json

import pandas as pd
import pytest

from bayescpt.data.readers.find import read_log_files
from bayescpt.data.readers.join import join_runs
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.tidy import tidy


@pytest.fixture
def write(tmp_path):
    """Write a file below the test's folder: text as it is, a list as JSON lines, a dict as JSON."""

    def _write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        elif isinstance(content, dict):
            content = json.dumps(content)
        path.write_text(content)
        return path

    return _write


@pytest.fixture
def read():
    """Tidied and joined runs of logs, by name."""

    def _read(*paths, **columns):
        logs = read_log_files(paths, ReadOptions(columns))
        return {run.name: run for run in join_runs([tidy(log) for log in logs])}

    return _read


@pytest.fixture
def log_run():
    """A run from lists of rows."""

    def _log_run(name="pilot", evals=(), lr=(), train=(), **fields):
        return LogRun(
            name,
            "table",
            evals=pd.DataFrame(evals, columns=["step", "domain", "loss"]),
            lr=pd.DataFrame(lr, columns=["step", "lr"], dtype=float),
            train=pd.DataFrame(train, columns=["step", "loss"], dtype=float),
            **fields,
        )

    return _log_run
