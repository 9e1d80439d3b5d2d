"""How many more steps a stack has time for."""

from __future__ import annotations

MARGIN = 1.15
NEW = 0.1  # weight of the newest value in an average


class Pace:
    """Seconds that a step of a stack takes, evaluations included, by the number of runs in it."""

    def __init__(self) -> None:
        self.now = 0.0  # slow average over whatever ran
        self._by_runs: dict[int, float] = {}

    def add(self, runs: int, seconds: float) -> None:
        """Take note of what a step with so many runs took."""
        self.now = _mixed(self.now, seconds)
        self._by_runs[runs] = _mixed(self._by_runs.get(runs, 0.0), seconds)

    def steps(self, seconds: float, base: bool) -> float:
        """Steps that fit into some time, with a margin.

        A base goes on alone when shorter ones beside it are done: it is judged by the steps that
        had the fewest runs. What other runs do is no guide to it.
        """
        alone = self._by_runs[min(self._by_runs)] if self._by_runs else 0.0
        return seconds / (MARGIN * (alone if base else self.now) or 1e-9)


def _mixed(average: float, value: float) -> float:
    return (1 - NEW) * average + NEW * value if average else value
