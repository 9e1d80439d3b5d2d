"""A study: training runs and their loss curves, checked, immutable in use, with a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data import checks, packing, tables
from bayescpt.data.schedule import Schedule
from bayescpt.data.tables import CORE_COLUMNS
from bayescpt.errors import StudyError

Array = NDArray[np.float64]

# Steps and losses where nothing was measured.
_NOTHING: tuple[NDArray[np.int64], Array] = (np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True, eq=False)
class Run:
    """One training phase.

    Parameters
    ----------
    name : str
        Name in the study.
    phase : {"pt", "cpt"}
        Pre-training or continual pre-training.
    schedule : Schedule or None
        Learning rates; None for an open base model whose schedule is unknown.
    replay_ratio : float or ndarray, shape (steps,)
        Share of general tokens in the mixture, 0 to 1, one value or one an update; NaN where it
        has no meaning.
    parent : str or None
        The run whose end checkpoint this one starts from.
    domain : str or None
        The target of a cpt run.
    steps : int
        Number of updates.
    branch_of : str or None
        The run whose trunk this one shares.
    branch_step : int
        The last step of that trunk; 0 without one.
    seed : int or None
        Seed.
    n_params : float or None
        Number of parameters.
    tokens_per_step : float or None
        Tokens an update.
    """

    name: str
    phase: str
    schedule: Schedule | None
    replay_ratio: float | Array
    parent: str | None
    domain: str | None
    steps: int
    branch_of: str | None = None
    branch_step: int = 0
    seed: int | None = None
    n_params: float | None = None
    tokens_per_step: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Runs and their loss curves.

    Make one with `Study.from_frames` or `read_study`, which check it; the attributes are then to
    be read, not changed.

    Parameters
    ----------
    name : str
        Name of the study.
    runs : DataFrame
        A row a run, index 0.., with the columns `CORE_COLUMNS` and any others that were given.
    curves : DataFrame
        Columns run, step, domain, loss; by run (in the order of `runs`), step and domain. `step`
        counts updates of the run's own phase; step 0 is the parent checkpoint.
    lrs : dict of str to ndarray, shape (steps,)
        Learning rates by run.
    replays : dict of str to ndarray, shape (steps,)
        Replay ratios by run, for the runs whose replay ratio varies.
    general : str or None
        The general domain.
    loss_unit : str
        Unit of every loss.
    notes : str
        Free text.
    """

    name: str
    runs: pd.DataFrame
    curves: pd.DataFrame
    lrs: dict[str, Array]
    replays: dict[str, Array] = field(default_factory=dict)
    general: str | None = None
    loss_unit: str = "nat/token"
    notes: str = ""

    @classmethod
    def from_frames(
        cls,
        curves: pd.DataFrame,
        runs: pd.DataFrame,
        lrs: pd.DataFrame | Mapping[str, ArrayLike | Schedule] | None = None,
        *,
        name: str = "study",
        general: str | None = None,
        loss_unit: str = "nat/token",
        notes: str = "",
    ) -> Study:
        """Check and assemble a study.

        Parameters
        ----------
        curves : DataFrame
            Columns run, step, domain, loss: one row a measured loss.
        runs : DataFrame
            Columns run and phase, and where they apply parent, domain, replay_ratio (without the
            column, no run replays), steps (by default the length of the schedule), branch_of,
            branch_step, seed, n_params, tokens_per_step. Other columns are kept.
        lrs : DataFrame or mapping, optional
            Columns run, step (from 1) and lr, and replay for replay ratios that vary; or a
            mapping of run to learning rates or Schedule.
        name : str
            Name of the study.
        general : str, optional
            The general domain; by default "general" when a curve has it. "" for none.
        loss_unit : str
            Unit of every loss.
        notes : str
            Free text.

        Returns
        -------
        Study
            The study.

        Raises
        ------
        StudyError
            On the first defect found; the message names the run, the step and the value.
        """
        runs = tables.tidy_runs(runs)
        checks.check_runs(runs)
        curves = tables.tidy_curves(curves)
        checks.check_curves(curves, runs)
        lr_by_run, replays = tables.tidy_lrs(lrs, runs)
        runs = tables.fill_steps(runs, curves, lr_by_run)
        checks.check_schedules(runs, curves, lr_by_run)
        checks.check_branches(runs, lr_by_run)
        checks.check_replays(runs, replays)
        known = set(curves["domain"])
        if general is None and "general" in known:
            general = "general"
        checks.check_general(general, known)
        study = cls(name, runs, curves, lr_by_run, replays, general or None, loss_unit, notes)
        return replace(study, curves=study._sorted(curves))

    def __contains__(self, name: object) -> bool:
        """Whether the study has a run of that name."""
        return name in self._runs

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what is made from them is made again where it is needed."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        """Name and size in one line."""
        return (
            f"Study({self.name!r}: {len(self.pt_runs)} pt + {len(self.cpt_runs)} cpt runs, "
            f"{len(self.domains)} domains, {len(self.curves):,} losses)"
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
    def domains(self) -> tuple[str, ...]:
        """Domains with a loss: the general one, the targets, then the others by name."""
        measured = {domain for _, domain in self._points}
        first = [d for d in (self.general, *self.targets) if d in measured]
        return tuple(dict.fromkeys([*first, *sorted(measured)]))

    def run(self, name: str) -> Run:
        """One run.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Run
            The run, with its schedule.

        Raises
        ------
        StudyError
            If there is none of that name.
        """
        try:
            return self._runs[name]
        except KeyError:
            known = ", ".join(self._runs)
            raise StudyError(f"study {self.name!r} has no run {name!r}; it has {known}") from None

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
            Columns step and loss, by step; empty where nothing was measured.
        """
        step, loss = self._points.get((self.run(run).name, domain), _NOTHING)
        return pd.DataFrame({"step": step, "loss": loss})

    def lineage(self, name: str) -> tuple[str, ...]:
        """Name the runs whose checkpoints lead to a run.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        tuple of str
            From the first ancestor to the run itself, by `parent`.
        """
        chain = [name]
        while (parent := self.run(chain[-1]).parent) is not None:
            chain.append(parent)
        return tuple(reversed(chain))

    def trunk_step(self, name: str) -> int:
        """Last step that a run shares with the run it branches from.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        int
            `branch_step`, or less where the learning rates already differ (logs that count
            updates from 0 are one step off); 0 for a run that is no branch.
        """
        trunk, last = self.run(name).branch_of, self.run(name).branch_step
        if trunk is None:
            return 0
        if name not in self.lrs or trunk not in self.lrs:
            return last
        differ = np.flatnonzero(self.lrs[name][:last] != self.lrs[trunk][:last])
        return int(differ[0]) if differ.size else last

    def has_curve(self, name: str) -> bool:
        """Tell whether a run has any loss.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        bool
            False for a run of which only the schedule is known.
        """
        self.run(name)
        return any(run == name for run, _ in self._points)

    def is_observed(self, name: str) -> bool:
        """Tell whether a run has any loss after its start: only then can it be fitted.

        Parameters
        ----------
        name : str
            Name of the run.

        Returns
        -------
        bool
            False for a run of which only the schedule is known, or the start checkpoint's loss.
        """
        self.run(name)
        return any(run == name and steps[-1] > 0 for (run, _), (steps, _) in self._points.items())

    def checkpoint_loss(self, checkpoint: str, domain: str) -> float | None:
        """Measured loss of the checkpoint at the end of a run.

        Parameters
        ----------
        checkpoint : str
            Name of the run that ends there.
        domain : str
            Name of the domain.

        Returns
        -------
        float or None
            Median of the losses at step 0 of all runs that start from it, else its own loss at
            its last step, in `loss_unit`; None where neither was measured.
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
            See `checkpoint_loss`; None for a run from scratch.
        """
        parent = self.run(name).parent
        return None if parent is None else self.checkpoint_loss(parent, domain)

    def select(self, names: Iterable[str]) -> Study:
        """Sub-study of some runs.

        Parameters
        ----------
        names : iterable of str
            Runs to keep; the runs they start from or branch off come along, with their curves.

        Returns
        -------
        Study
            The sub-study, its runs in the order of this one.

        Raises
        ------
        StudyError
            If a name is unknown, or there is none.
        """
        wanted = [names] if isinstance(names, str) else list(names)
        keep: set[str] = set()
        for name in wanted:
            keep.update(self._ancestry(name))
        if not keep:
            raise StudyError(
                f"study {self.name!r}: no run selected; it has {', '.join(self._runs)}"
            )
        runs = self.runs[self.runs["run"].isin(keep)].reset_index(drop=True)
        curves = self.curves[self.curves["run"].isin(keep)].reset_index(drop=True)
        return replace(
            self,
            runs=runs,
            curves=curves,
            lrs={run: lr for run, lr in self.lrs.items() if run in keep},
            replays={run: ratio for run, ratio in self.replays.items() if run in keep},
        )

    def drop(self, names: Iterable[str]) -> Study:
        """Sub-study without some runs.

        Parameters
        ----------
        names : iterable of str
            Runs to leave out.

        Returns
        -------
        Study
            The sub-study.

        Raises
        ------
        StudyError
            If a name is unknown, a run that stays needs it, or nothing stays.
        """
        out = {names} if isinstance(names, str) else set(names)
        for name in sorted(out):
            self.run(name)
        stay = [name for name in self._runs if name not in out]
        for name in stay:
            for needed in sorted(out.intersection(self._ancestry(name))):
                raise StudyError(
                    f"study {self.name!r}: cannot drop {needed!r}: run {name!r} starts from it "
                    "or branches off it"
                )
        return self.select(stay)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a fit can depend on, in hexadecimal.

        Returns
        -------
        str
            Digest of the runs (without free columns), curves, learning rates, replay ratios,
            general domain and loss unit; not of the order of rows, the study's name or its notes.
        """
        sha = hashlib.sha256(json.dumps([self.general, self.loss_unit]).encode())
        for row in self.runs[list(CORE_COLUMNS)].sort_values("run").itertuples(index=False):
            sha.update(json.dumps([None if pd.isna(value) else value for value in row]).encode())
        curves = self.curves.sort_values(["run", "step", "domain"])
        sha.update(json.dumps([list(curves["run"]), list(curves["domain"])]).encode())
        sha.update(curves["step"].to_numpy("<i8").tobytes())
        sha.update(curves["loss"].to_numpy("<f8").tobytes())
        for table in (self.lrs, self.replays):
            for run in sorted(table):
                sha.update(json.dumps([run, table[run].size]).encode())
                sha.update(table[run].astype("<f8").tobytes())
        return sha.hexdigest()

    def to_json(self) -> str:
        """Write the whole study as compact text.

        Returns
        -------
        str
            JSON that `from_json` reads back exactly.
        """
        content = {
            "format": 1,
            "name": self.name,
            "general": self.general,
            "loss_unit": self.loss_unit,
            "notes": self.notes,
            "runs": packing.pack_frame(self.runs),
            "curves": packing.pack_frame(self.curves),
            "lrs": {run: packing.pack(lr) for run, lr in self.lrs.items()},
            "replays": {run: packing.pack(ratio) for run, ratio in self.replays.items()},
            "digest": self.digest,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)

    @classmethod
    def from_json(cls, text: str) -> Study:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            The JSON.

        Returns
        -------
        Study
            The study, equal in every value.

        Raises
        ------
        StudyError
            If the text is damaged: its digest does not match its content.
        """
        try:
            content = json.loads(text)
            study = cls(
                name=content["name"],
                runs=packing.unpack_frame(content["runs"]),
                curves=packing.unpack_frame(content["curves"]),
                lrs={run: packing.unpack(lr) for run, lr in content["lrs"].items()},
                replays={run: packing.unpack(ratio) for run, ratio in content["replays"].items()},
                general=content["general"],
                loss_unit=content["loss_unit"],
                notes=content["notes"],
            )
            stored = content["digest"]
        except (KeyError, TypeError, ValueError) as error:
            raise StudyError(f"stored study cannot be read: {error!r}") from error
        if study.digest != stored:
            raise StudyError(
                f"stored study {study.name!r} is damaged: its content has digest "
                f"{study.digest[:12]}, it was stored as {stored[:12]}"
            )
        return study

    # Tables are slow to look things up in, and every row of a fit asks: once is enough.

    @cached_property
    def _runs(self) -> dict[str, Run]:
        """Runs by name, in their order."""
        return {row["run"]: self._run(row) for row in self.runs.to_dict("records")}

    @cached_property
    def _points(self) -> dict[tuple[str, str], tuple[NDArray[np.int64], Array]]:
        """Steps and losses by run and domain."""
        steps, losses = (self.curves[column].to_numpy() for column in ("step", "loss"))
        rows = self.curves.groupby(["run", "domain"], sort=False).indices
        return {key: (steps[at], losses[at]) for key, at in rows.items()}  # type: ignore[misc]

    def _run(self, row: Mapping[Any, Any]) -> Run:
        name = row["run"]
        lr = self.lrs.get(name)
        # A free column `schedule` often says what kind it is; the learning rates are what counts.
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
        )

    def _losses_at(self, run: str, domain: str, step: int) -> Array:
        steps, losses = self._points.get((run, domain), _NOTHING)
        return losses[steps == step]

    def _ancestry(self, name: str) -> Iterator[str]:
        """The run, its parents and trunks, and theirs."""
        yield name
        for above in (self.run(name).parent, self.run(name).branch_of):
            if above is not None:
                yield from self._ancestry(above)

    def _sorted(self, curves: pd.DataFrame) -> pd.DataFrame:
        run_rank = {run: rank for rank, run in enumerate(self.runs["run"])}
        domain_rank = {domain: rank for rank, domain in enumerate(self.domains)}
        order = np.lexsort(
            (
                curves["domain"].map(domain_rank).to_numpy(),
                curves["step"].to_numpy(),
                curves["run"].map(run_rank).to_numpy(),
            )
        )
        return curves.iloc[order].reset_index(drop=True)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
