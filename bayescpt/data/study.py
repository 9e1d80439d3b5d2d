"""A study: training runs and their loss curves, validated, with a digest of their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayescpt.data import tables
from bayescpt.data.checks import curves as curve_checks
from bayescpt.data.checks import learning_rates as lr_checks
from bayescpt.data.checks import runs as run_checks
from bayescpt.data.checks.copies import check_copies
from bayescpt.data.checks.mixed import check_allow_mixed, check_mixed
from bayescpt.data.checks.out_of_domain import check_out_of_domain
from bayescpt.data.conversion import check_bytes_per_token, in_nats
from bayescpt.data.distances import check_distances
from bayescpt.data.figures import Figure, figure
from bayescpt.data.final_losses import are_final, check_final, complete_tables
from bayescpt.data.findings.registry import Finding, study_findings
from bayescpt.data.html import html_block
from bayescpt.data.run import Run
from bayescpt.data.schedule import Schedule
from bayescpt.data.study_data import StudyData
from bayescpt.data.study_json import check_digest, dump_study, load_study_fields, study_digest
from bayescpt.data.units import DEFAULT_UNIT, check_loss_unit
from bayescpt.errors import StudyError

__all__ = ["Run", "Study"]


@dataclass(frozen=True, eq=False, repr=False)
class Study(StudyData):
    """Runs and their loss curves.

    `Study.from_frames` and `read_study` make a study and validate it. Treat its attributes as
    read-only.

    Parameters
    ----------
    name : str
        Name of the study.
    runs : DataFrame
        One row per run, index 0, 1, ..., with the columns ``run``, ``phase``, ``parent``,
        ``domain``, ``replay_ratio``, ``steps``, ``branch_of``, ``branch_step``, ``seed``,
        ``n_params``, ``tokens_per_step`` and ``tokens``, then any other columns of the original
        table.
    curves : DataFrame
        One row per measured loss, with the columns ``run``, ``step``, ``domain`` and ``loss``,
        sorted by run (in the order of `runs`), step and domain. ``step`` counts the updates of the
        run's own phase; step 0 is the checkpoint that the run starts from.
    lrs : dict of str to ndarray, shape (steps,)
        Learning rates by run.
    replays : dict of str to ndarray, shape (steps,)
        Replay ratios by run, for the runs in which the ratio varies.
    general : str or None
        The general domain.
    loss_unit : str
        Unit of the losses as they were given, in which the command line shows them: "nat/token",
        "bit/token", "nat/byte", "bit/byte" or "perplexity".
    notes : str
        Free text.
    allow_mixed : tuple of str
        Which of ``n_params``, between runs that descend from one base, and ``tokens_per_step``,
        between all runs, may differ; by default neither may. Bases of several sizes are no mixture:
        the card ``cpt_sizes`` has a term for the model size.
    curves_unit : str
        Unit of the losses in `curves`: "nat/token", to which others are converted when a study is
        made, or "nat/byte" where losses are per byte and the bytes per token are not known.
    bytes_per_token : dict of str to float
        Mean bytes of a token by domain, as far as known.
    out_of_domain : tuple of str
        Domains whose loss is a combination of the general and the target loss, which a fit learns
        in place of a law of their own.
    distances : dict of str to float
        Distance of each target from the data of the base, which tells targets apart under the card
        ``cpt_targets``; empty where it goes by the losses of the base.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> load_example("cpt_micro")
    Study('cpt_micro': 4 pt + 13 cpt runs, 3 domains, 1,906 losses)
    """

    @classmethod
    def from_frames(
        cls,
        curves: pd.DataFrame,
        runs: pd.DataFrame,
        lrs: pd.DataFrame | Mapping[str, ArrayLike | Schedule] | None = None,
        *,
        name: str = "study",
        general: str | None = None,
        loss_unit: str = DEFAULT_UNIT,
        notes: str = "",
        allow_mixed: Iterable[str] = (),
        curves_unit: str | None = None,
        bytes_per_token: float | Mapping[str, float] | None = None,
        out_of_domain: Iterable[str] = (),
        distances: Mapping[str, float] | None = None,
    ) -> Study:
        """Make a study from tables, and validate it.

        Parameters
        ----------
        curves : DataFrame
            One row per measured loss: columns ``run``, ``step``, ``domain`` and ``loss``. A column
            ``tokens`` may stand in place of ``step``: it is divided by ``tokens_per_step``. Tables
            of final losses need neither.
        runs : DataFrame
            One row per run: columns ``run`` and ``phase`` ("pt" or "cpt") and, where they apply,
            ``parent``, ``domain``, ``replay_ratio`` (of every cpt run), ``steps`` (by default the
            length of the schedule), ``branch_of``, ``branch_step``, ``seed``, ``n_params``,
            ``tokens_per_step``, ``tokens`` (trained on in all) and ``vocab_size`` (tokens that the
            tokeniser has, by which `Study.findings` judges losses). Other columns are kept. A base
            whose schedule nobody knows is a row without steps and learning rates; if no cpt run
            names a parent, such a base, ``base``, is added. Where no run has a schedule and each
            one loss a set, ``n_params``, ``tokens``, ``lr_factor`` or ``peak_lr`` and columns
            ``share_SOURCE`` describe runs to the laws of final losses; ``phase`` may be left out.
        lrs : DataFrame or mapping, optional
            Columns ``run``, ``step`` (from 1) and ``lr``, and ``replay`` for replay ratios that
            vary during a run; or a mapping of run names to learning rates or schedules.
        name : str
            Name of the study.
        general : str, optional
            The general domain; by default "general" if a curve has it. Use "" for none.
        loss_unit : {"nat/token", "bit/token", "nat/byte", "bit/byte", "perplexity"}
            Unit of every loss (short: nats, bits, bpt, bpb, ppl). Losses are held in nats, in which
            the priors are stated, and shown in this unit.
        notes : str
            Free text.
        allow_mixed : iterable of str
            ``n_params`` if runs from one base may have several model sizes, ``tokens_per_step`` if
            the runs may have several batch sizes.
        curves_unit : str, optional
            Unit of the losses in `curves`, where it is another than the one to show.
        bytes_per_token : float or mapping of str to float, optional
            Mean bytes of a token on each domain, to express losses per byte and per token.
        out_of_domain : iterable of str
            Domains whose loss is taken as a linear combination of the general and the target loss:
            forecasts have them, with the uncertainty of the weights.
        distances : mapping of str to float, optional
            Distance of every target from the data of the base, at least 0 and in any unit, such as
            from `bayescpt.data.mixture_distance`.

        Returns
        -------
        Study
            The study.

        Raises
        ------
        StudyError
            At the first defect; the message names the table, the run and, where they apply, the
            step and the value.

        Examples
        --------
        >>> import pandas as pd
        >>> from bayescpt.data import Study, schedules
        >>> runs = pd.DataFrame(
        ...     {
        ...         "run": ["base", "mix"],
        ...         "phase": ["pt", "cpt"],
        ...         "parent": [None, "base"],
        ...         "domain": [None, "german"],
        ...         "replay_ratio": [None, 0.25],
        ...     }
        ... )
        >>> curves = pd.DataFrame(
        ...     {
        ...         "run": "mix",
        ...         "step": [0, 100, 0, 100],
        ...         "domain": ["general", "general", "german", "german"],
        ...         "loss": [3.1, 3.2, 5.0, 3.4],
        ...     }
        ... )
        >>> lrs = {"base": schedules.constant(1e-3, 500), "mix": schedules.cosine(1e-3, 100)}
        >>> Study.from_frames(curves, runs, lrs, name="small")
        Study('small': 1 pt + 1 cpt runs, 2 domains, 4 losses)
        """
        loss_unit = check_loss_unit(loss_unit)
        given_unit = (
            loss_unit if curves_unit is None else check_loss_unit(curves_unit, "curves_unit")
        )
        allowed = check_allow_mixed(allow_mixed)
        curves, runs = complete_tables(curves, runs, lrs, general)
        runs = tables.add_base(tables.tidy_runs(runs))
        run_checks.check_runs(runs)
        curves = tables.tidy_curves(tables.steps_of_tokens(curves, runs))
        curve_checks.check_curves(curves, runs)
        lr_by_run, replays = tables.tidy_lrs(lrs, runs)
        runs = tables.fill_steps(runs, curves, lr_by_run)
        final = are_final(curves, runs, lr_by_run)
        if final:
            check_final(runs)
        else:
            lr_checks.check_lr_lengths(runs, lr_by_run)
            check_mixed(runs, curves, allowed)
        curve_checks.check_curve_ends(curves, runs)
        run_checks.check_branches(runs, lr_by_run)
        run_checks.check_replays(runs, replays)
        measured = set(curves["domain"].unique())
        if general is None and "general" in measured:
            general = "general"
        curve_checks.check_general(general, measured)
        each = check_bytes_per_token(bytes_per_token, sorted(measured))
        check_copies(curves, runs)
        given, (curves, held) = curves, in_nats(curves, given_unit, each)
        curve_checks.check_sizes(given, curves, given_unit)
        targets = tuple(dict.fromkeys(runs.loc[runs["phase"] == "cpt", "domain"].dropna()))
        others = check_out_of_domain(out_of_domain, measured, general, targets)
        study = cls(
            name, runs, curves, lr_by_run, replays, general or None, loss_unit, notes, allowed,
            held, each, others, check_distances(distances, targets),
        )  # fmt: skip
        return replace(study, curves=study._sorted(curves))

    def select(self, names: Iterable[str]) -> Study:
        """The sub-study of some runs and of those they need.

        Parameters
        ----------
        names : iterable of str
            Runs to keep. The runs that they start from or branch off are kept too, with their
            curves.

        Returns
        -------
        Study
            The sub-study; its runs have the same order as in this one.

        Raises
        ------
        StudyError
            If a name is unknown, or no name is given.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").select(["de_r0_wsd"])
        Study('cpt_micro': 2 pt + 1 cpt runs, 3 domains, 436 losses)
        """
        requested = [names] if isinstance(names, str) else list(names)
        keep = self._ancestry(requested)
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
        """The sub-study without some runs.

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
            If a name is unknown, a remaining run starts from or branches off one that is left out,
            or no run remains.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").drop(["de_r25_cos"])
        Study('cpt_micro': 4 pt + 12 cpt runs, 3 domains, 1,812 losses)
        """
        dropped = {names} if isinstance(names, str) else set(names)
        for name in sorted(dropped):
            self.run(name)
        remaining = [name for name in self._runs if name not in dropped]
        needing = remaining if dropped & self._ancestry(remaining) else []
        for name in needing:
            for needed in sorted(dropped.intersection(self._ancestry([name]))):
                raise StudyError(
                    f"study {self.name!r}: cannot drop {needed!r}: run {name!r} starts from it "
                    "or branches off it"
                )
        return self.select(remaining)

    def with_out_of_domain(self, names: Iterable[str]) -> Study:
        """The study with some sets taken as combinations of the general and the target loss.

        Parameters
        ----------
        names : iterable of str
            Domains with a loss that are neither general nor a target; none for no such set.

        Returns
        -------
        Study
            The same runs and curves.

        Raises
        ------
        StudyError
            If a name is none of them.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").with_out_of_domain(["code"]).out_of_domain
        ('code',)
        """
        found = check_out_of_domain(names, self.domains, self.general, self.targets)
        return replace(self, out_of_domain=found)

    def findings(self) -> tuple[Finding, ...]:
        """What in the study is valid but likely wrong, as ``bayescpt check`` says it.

        Fits and forecasts carry these sentences among their notes and warnings.

        Returns
        -------
        tuple of Finding
            Each with its `kind`, its `runs` and a `text`: run, value and what would be expected.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").findings()
        ()
        """
        return self._findings

    @cached_property
    def _findings(self) -> tuple[Finding, ...]:
        return study_findings(self)

    def plot(self) -> Figure:
        """Draw the curves by domain and the schedules of the runs.

        Returns
        -------
        matplotlib.figure.Figure
            See `bayescpt.plot.study`.

        Examples
        --------
        >>> from bayescpt.data import load_example
        >>> load_example("cpt_micro").plot().savefig("study.png")  # doctest: +SKIP
        """
        return figure("study", self)

    def _repr_html_(self) -> str:
        facts = {
            "general domain": self.general,
            "targets": ", ".join(self.targets) or None,
            "loss unit": self.loss_unit,
            "digest": self.digest[:12],
            "notes": self.notes or None,
        }
        runs = self.runs.set_index("run").dropna(axis="columns", how="all")
        return html_block(repr(self), facts, {"runs": runs})

    @property
    def digest(self) -> str:
        """SHA-256 of everything that a fit can depend on, in hexadecimal.

        Returns
        -------
        str
            Digest of the runs (without their extra columns), curves, learning rates, replay
            ratios, general domain and unit of the curves. It does not depend on the order of rows,
            nor on the name, the notes, the unit shown and `allow_mixed` of the study.
        """
        return study_digest(self)

    def to_json(self) -> str:
        """The whole study as compact text.

        Returns
        -------
        str
            JSON from which `from_json` restores every value exactly.

        Examples
        --------
        >>> from bayescpt.data import Study, load_example
        >>> study = load_example("cpt_micro")
        >>> Study.from_json(study.to_json()).digest == study.digest
        True
        """
        return dump_study(self)

    @classmethod
    def from_json(cls, text: str) -> Study:
        """Restore a study from the text of `to_json`.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Study
            The study, equal in every value.

        Raises
        ------
        StudyError
            If the text is not such JSON, or its digest does not match its content.
        """
        fields, stored = load_study_fields(text)
        study = cls(**fields)
        check_digest(study, stored)
        return study

    def _ancestry(self, names: Iterable[str]) -> set[str]:
        """The runs, those that they start from and branch off, and theirs."""
        found, left = set[str](), list(names)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                run = self.run(name)
                left += [link for link in (run.parent, run.branch_of) if link is not None]
        return found

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
