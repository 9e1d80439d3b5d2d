"""What an explorer is set to, and its form in the address of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayescpt.data import schedules
from bayescpt.forecast import Plan
from bayescpt.present.explorer.controls import FALLING, FAMILIES, FLOORS, SHARES, Controls

# Name of the recipe in forecasts; what is shown does not repeat it.
NAME = "this recipe"
# Before a domain in the names of parameters of an address.
GOAL = "goal."


@dataclass(frozen=True)
class State:
    """Settings of an explorer.

    Attributes
    ----------
    family : str
        Constructor of `bayescpt.schedules`.
    lr : float
        Peak LR.
    decay : float
        Share of the steps in which a WSD schedule decays.
    floor : float
        Last LR as a share of the peak.
    steps : int
        Number of updates.
    replay : float or None
        Replay ratio; None where the law has none.
    start, domain : str or None
        Start checkpoint and target; None for pre-training.
    goals : Mapping of str to str
        Highest loss by domain, as it was typed; none where it is empty.
    """

    family: str
    lr: float
    decay: float
    floor: float
    steps: int
    replay: float | None
    start: str | None
    domain: str | None
    goals: Mapping[str, str] = field(default_factory=dict)

    def plan(self, controls: Controls) -> Plan:
        """The recipe.

        Parameters
        ----------
        controls : Controls
            What the explorer offers; its share of warm-up.

        Returns
        -------
        Plan
        """
        given: dict[str, Any] = {
            "lr": self.lr,
            "num_training_steps": self.steps,
            "num_warmup_steps": min(round(controls.warmup * self.steps), self.steps - 1),
        }
        if self.family in FALLING:
            given["min_lr_ratio"] = self.floor
        if self.family == "wsd":
            rest = self.steps - given["num_warmup_steps"]
            given["num_decay_steps"] = min(max(round(self.decay * self.steps), 1), rest)
        return Plan(
            NAME,
            schedules.from_name(self.family, **given),
            replay_ratio=self.replay,
            start=self.start,
            domain=self.domain,
        )

    def query(self) -> dict[str, str]:
        """The state as parameters of an address.

        Returns
        -------
        dict of str to str
            From which `read_state` gives the same state again.
        """
        found: dict[str, str | None] = {
            "schedule": self.family,
            "lr": f"{self.lr:g}",
            "decay": f"{self.decay:g}",
            "floor": f"{self.floor:g}",
            "steps": str(self.steps),
            "replay": None if self.replay is None else f"{self.replay:g}",
            "start": self.start,
            "domain": self.domain,
        }
        # One parameter each: of a parameter that stands twice, a server may keep one.
        found |= {GOAL + domain: text for domain, text in self.goals.items()}
        return {name: value for name, value in found.items() if value}


def read_state(
    query: Mapping[str, str | Sequence[str]],
    controls: Controls,
    goals: Mapping[str, str] | None = None,
) -> State:
    """State of an address; what it does not say, or cannot be, is that of the pilots.

    Parameters
    ----------
    query : mapping of str to str or sequence of str
        Parameters of the address.
    controls : Controls
        What the explorer offers. Numbers between its values become the nearest.
    goals : mapping of str to str, optional
        Goals where the address has none.

    Returns
    -------
    State
    """

    def _one(name: str) -> str:
        value = query.get(name, "")
        return value if isinstance(value, str) else next(iter(value), "")

    longest = controls.fitted.n_steps[1]
    middle = sum(controls.fitted.replay) / 2
    starts, domains, usual = controls.starts, controls.domains, goals or {}
    given = {domain: _one(GOAL + domain).strip() for domain in controls.goals}
    found = {domain: text for domain, text in given.items() if text}
    return State(
        family=_one("schedule") if _one("schedule") in FAMILIES else next(iter(FAMILIES)),
        lr=_nearest(_one("lr"), controls.peaks, controls.fitted.peak_lr[1]),
        decay=_nearest(_one("decay"), SHARES, 0.2),
        floor=_nearest(_one("floor"), FLOORS, 0.0),
        steps=int(_nearest(_one("steps"), controls.lengths, longest)),
        replay=_nearest(_one("replay"), controls.ratios, middle) if controls.ratios else None,
        start=_choice(_one("start"), starts),
        domain=_choice(_one("domain"), domains),
        goals=found or {d: usual[d] for d in controls.goals if d in usual},
    )


def _nearest(text: str, values: Sequence[float], usual: float) -> float:
    try:
        wanted = float(text)
    except ValueError:
        wanted = usual
    if wanted != wanted:  # NaN is near to nothing
        wanted = usual
    inside = min(max(wanted, values[0]), values[-1])
    return min(values, key=lambda value: abs(value - inside))


def _choice(text: str, values: Sequence[str]) -> str | None:
    return text if text in values else next(iter(values), None)
