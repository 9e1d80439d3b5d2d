"""What a study holds, and how its runs, curves and checkpoints are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.data.final_losses import final_fields
from bayescpt.data.run import Run
from bayescpt.data.schedule import Schedule
from bayescpt.data.sizes import lr_units
from bayescpt.data.units import DEFAULT_UNIT
from bayescpt.errors import StudyError

Array = NDArray[np.float64]

# Steps and losses of a curve that was not measured.
_EMPTY_CURVE: tuple[NDArray[np.int64], Array] = (np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True, eq=False, repr=False)
class StudyData:
    """Tables of a study, with look-ups by run and domain; `Study` is the class to use.

    Parameters
    ----------
    name : str
        Name of the study.
    runs : DataFrame
        One row per run; see `Study`.
    curves : DataFrame
        One row per measured loss; see `Study`.
    lrs : dict of str to ndarray, shape (steps,)
        Learning rates by run.
    replays : dict of str to ndarray, shape (steps,)
        Replay ratios by run, for the runs in which the ratio varies.
    general : str or None
        The general domain.
    loss_unit : str
        Unit of the losses as the user gives and sees them.
    notes : str
        Free text.
    allow_mixed : tuple of str
        Columns of `runs` that may differ between runs; see `Study`.
    curves_unit : str
        Unit of the losses in `curves`.
    bytes_per_token : dict of str to float
        By domain, as far as known.
    out_of_domain : tuple of str
        Domains whose loss is a combination of the general and the target loss.
    distances : dict of str to float
        Distance of each target from the data of the base, as far as given.
    """

    name: str
    runs: pd.DataFrame
    curves: pd.DataFrame
    lrs: dict[str, Array]
    replays: dict[str, Array] = field(default_factory=dict)
    general: str | None = None
    loss_unit: str = DEFAULT_UNIT
    notes: str = ""
    allow_mixed: tuple[str, ...] = ()
    curves_unit: str = DEFAULT_UNIT
    bytes_per_token: dict[str, float] = field(default_factory=dict)
    out_of_domain: tuple[str, ...] = ()
    distances: dict[str, float] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        """Whether the study has a run of that name."""
        return name in self._runs

    def __getstate__(self) -> dict[str, Any]:
        """The fields only: cached look-ups are computed again after unpickling."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        """Name and size in one line."""
        return (
            f"{type(self).__name__}({self.name!r}: {len(self.pt_runs)} pt + {len(self.cpt_runs)} "
            f"cpt runs, {len(self.domains)} domains, {len(self.curves):,} losses)"
        )

    @property
    def pt_runs(self) -> tuple[str, ...]:
        """Names of the pre-training runs, in the order of `runs`."""
        return tuple(run.name for run in self._runs.values() if run.phase == "pt")

    @property
    def cpt_runs(self) -> tuple[str, ...]:
        """Names of the continual pre-training runs, in the order of `runs`."""
        return tuple(run.name for run in self._runs.values() if run.phase == "cpt")

    @property
    def targets(self) -> tuple[str, ...]:
        """Target domains of the cpt runs, in the order of `runs`."""
        cpt = (run for run in self._runs.values() if run.phase == "cpt")
        return tuple(dict.fromkeys(run.domain for run in cpt if run.domain is not None))

    @property
    def units(self) -> LossUnits:
        """The unit of the losses in `curves`, and the one that they are shown in."""
        return LossUnits(self.curves_unit, self.loss_unit, self.bytes_per_token)

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains with a loss: the general domain, the targets, then the others by name."""
        measured = {domain for _, domain in self._points}
        first = [d for d in (self.general, *self.targets) if d in measured]
        return tuple(dict.fromkeys([*first, *sorted(measured)]))

    @property
    def open_bases(self) -> tuple[str, ...]:
        """Pre-training runs without a schedule that cpt runs descend from, in their order."""
        first = (self.lineage(name)[0] for name in self.cpt_runs)
        return tuple(dict.fromkeys(name for name in first if self._runs[name].is_open))

    def run(self, name: str) -> Run:
        """One run, by its name.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        Run
            The run, with its schedule.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").run("de_r25_cos").steps
        1000
        """
        try:
            return self._runs[name]
        except KeyError:
            names = ", ".join(self._runs)
            raise StudyError(f"study {self.name!r} has no run {name!r}; it has {names}") from None

    def curve(self, run: str, domain: str) -> pd.DataFrame:
        """Loss curve of one run on one domain.

        Parameters
        ----------
        run : str
            Name of the run.
        domain : str
            Name of the domain.

        Returns
        -------
        DataFrame
            Columns step and loss (in `curves_unit`), in the order of steps; empty if the run was
            not measured on the domain. A copy: changing it does not change the study.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").curve("de_r25_cos", "german").head(2)
           step      loss
        0     0  6.802927
        1     2  6.778915
        """
        step, loss = self._points.get((self.run(run).name, domain), _EMPTY_CURVE)
        return pd.DataFrame({"step": step, "loss": loss})

    def lineage(self, name: str) -> tuple[str, ...]:
        """The runs whose checkpoints lead to a run, and the run itself.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        tuple of str
            Names from the first ancestor to the run itself, by `parent`.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").lineage("de_r25_cos")
        ('pt_r0', 'de_r25_cos')
        """
        chain = [name]
        while (parent := self.run(chain[-1]).parent) is not None:
            chain.append(parent)
        return tuple(reversed(chain))

    def trunk_step(self, name: str) -> int:
        """Last step that a run shares with the run it branches off.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        int
            `branch_step`, or the last earlier step at which the learning rates still agree: logs
            that count updates from 0 give a step too many. 0 for a run that does not branch off
            another.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").trunk_step("pt_r0")
        2500
        """
        trunk, last = self.run(name).branch_of, self.run(name).branch_step
        if trunk is None:
            return 0
        if name not in self.lrs or trunk not in self.lrs:
            return last
        differ = np.flatnonzero(self.lrs[name][:last] != self.lrs[trunk][:last])
        return int(differ[0]) if differ.size else last

    def has_curve(self, name: str) -> bool:
        """Whether any loss of a run was measured.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        bool
            False for a run of which only the schedule is known.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").has_curve("de_r25_cos")
        True
        """
        self.run(name)
        return any(run == name for run, _ in self._points)

    def is_observed(self, name: str) -> bool:
        """Whether any loss of a run after its start was measured, so that it can be fitted.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        bool
            False for a run without a loss, or with that of its start checkpoint only.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").is_observed("de_r25_cos")
        True
        """
        self.run(name)
        return any(run == name and steps[-1] > 0 for (run, _), (steps, _) in self._points.items())

    def checkpoint_loss(self, checkpoint: str, domain: str) -> float | None:
        """Measured loss of the final checkpoint of a run.

        Parameters
        ----------
        checkpoint : str
            Name of the run.
        domain : str
            Name of the domain.

        Returns
        -------
        float or None
            In `curves_unit`: the median of the losses at step 0 of all runs that start from the
            checkpoint, or else the loss of the run itself at its last step. None if neither was
            measured.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").checkpoint_loss("pt_r0", "german")
        6.802927
        """
        children = (run.name for run in self._runs.values() if run.parent == checkpoint)
        at_start = [x for child in children for x in self._losses_at(child, domain, 0)]
        if at_start:
            return float(np.median(at_start))
        end = self._losses_at(checkpoint, domain, self.run(checkpoint).steps)
        return float(end[0]) if end.size else None

    def start_loss(self, name: str, domain: str) -> float | None:
        """Measured loss of the checkpoint that a run starts from.

        Parameters
        ----------
        name : str
            Name of the run.
        domain : str
            Name of the domain.

        Returns
        -------
        float or None
            In `curves_unit`, as from `checkpoint_loss`; None for a run from scratch.

        Raises
        ------
        StudyError
            If the study has no run of that name.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").start_loss("de_r25_cos", "german")
        6.802927
        """
        parent = self.run(name).parent
        return None if parent is None else self.checkpoint_loss(parent, domain)

    # A fit looks runs and curves up once per row, and look-ups in a DataFrame are slow.

    @cached_property
    def _runs(self) -> dict[str, Run]:
        """Runs by name, in the order of `runs`."""
        return {row["run"]: self._run(row) for row in self.runs.to_dict("records")}

    @cached_property
    def _points(self) -> dict[tuple[str, str], tuple[NDArray[np.int64], Array]]:
        """Steps and losses by run and domain."""
        steps, losses = (self.curves[column].to_numpy() for column in ("step", "loss"))
        rows = self.curves.groupby(["run", "domain"], sort=False).indices
        return {key: (steps[at], losses[at]) for key, at in rows.items()}  # type: ignore[misc]

    @cached_property
    def _evaluated(self) -> dict[str, NDArray[np.int64]]:
        """Distinct steps after the start by run, on any domain; runs without losses are left out.

        Every look at what has been trained of a run asks for them.
        """
        steps = self.curves["step"].to_numpy()
        rows = self.curves.groupby("run", sort=False).indices
        return {str(run): np.unique(steps[at][steps[at] > 0]) for run, at in rows.items()}

    @cached_property
    def lr_units(self) -> dict[str, float]:
        """Unit of the learning rates of runs from each base, see `bayescpt.data.sizes`."""
        return lr_units(self)

    def _run(self, row: Mapping[Any, Any]) -> Run:
        name = row["run"]
        lr = self.lrs.get(name)
        # An extra column `schedule` often names the kind of schedule; it is used as a label only.
        label = _text(row.get("schedule")) or name
        seed = _number(row["seed"])
        return Run(
            name=name,
            phase=row["phase"],
            schedule=None if lr is None else Schedule(lr, label),
            replay_ratio=self.replays.get(name, float(row["replay_ratio"])),
            parent=_text(row["parent"]),
            domain=_text(row["domain"]),
            steps=int(row["steps"]),
            branch_of=_text(row["branch_of"]),
            branch_step=int(row["branch_step"]),
            seed=None if seed is None else int(seed),
            n_params=_number(row["n_params"]),
            tokens_per_step=_number(row["tokens_per_step"]),
            tokens=_number(row.get("tokens")),  # absent in the studies of older fits
            **final_fields(row, lr is None),
        )

    def _losses_at(self, run: str, domain: str, step: int) -> Array:
        steps, losses = self._points.get((run, domain), _EMPTY_CURVE)
        return losses[steps == step]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
