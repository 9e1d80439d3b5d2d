"""Arrays of a study of final losses: one entry a run and set, on scales of a reference point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.final_losses import LR_COLUMNS, is_final
from bayescpt.errors import FitError
from bayescpt.laws.final import Points
from bayescpt.model.final_card import FinalCard

if TYPE_CHECKING:
    from bayescpt.data import Run, Study

Array = NDArray[np.float64]
# Covariates that differ by less than this relative amount are the same.
SAME = 1e-6
# Losses with as many decimals or more are as good as exact.
DECIMALS = 4


@dataclass(frozen=True)
class FinalLabels:
    """Labels along the dimensions of a model of final losses.

    Attributes
    ----------
    run : tuple of str
        Fitted runs.
    set : tuple of str
        Validation sets; with several targets, a set and the target of its runs: ``general|code``.
    domain : tuple of str
        Validation sets by their own names.
    source : tuple of str
        Sources of the mixture, for laws of shares of sources.
    base : tuple of str
        Bases with their sizes.
    """

    run: tuple[str, ...]
    set: tuple[str, ...]
    domain: tuple[str, ...]
    source: tuple[str, ...]
    base: tuple[str, ...]

    def coords(self) -> dict[str, list[str]]:
        """Labels by dimension of the posterior.

        Returns
        -------
        dict of str to list of str
        """
        return {"set": list(self.set), "source": list(self.source), "base": list(self.base)}


@dataclass(frozen=True)
class FinalRows:
    """Arrays of a study of final losses.

    Attributes
    ----------
    labels : FinalLabels
        Labels along the dimensions.
    table : DataFrame
        One row a fitted loss: run, domain, set, base, loss, n_params, tokens, lr, replay and share.
    shares : ndarray, shape (rows, sources)
        Shares of the sources.
    references : dict
        Reference point: n_params, tokens and lr (NaN where no run has them), share by set,
        lowest tokens on the log scale, whether there is one number of tokens, sd of the rounding of
        the losses by set.
    own_share : dict of str to str
        Which share each set responds to: ``replay``, ``target`` or a source.
    lr_column : str or None
        The column that the LR comes from.
    varying : dict of str to bool
        Whether the runs differ by each covariate.
    """

    labels: FinalLabels
    table: pd.DataFrame
    shares: Array
    references: dict[str, Any]
    own_share: dict[str, str]
    lr_column: str | None
    varying: dict[str, bool]

    @property
    def loss(self) -> Array:
        """Fitted losses, nats per token."""
        return self.table["loss"].to_numpy(dtype=float)

    @property
    def set_index(self) -> NDArray[np.int64]:
        """Index of each row's set."""
        return np.array([self.labels.set.index(name) for name in self.table["set"]])

    @property
    def base_index(self) -> NDArray[np.int64]:
        """Index of each row's base."""
        return np.array([self.labels.base.index(name) for name in self.table["base"]])

    @property
    def has_bases(self) -> bool:
        """Whether effects of bases can be told from noise: several bases, one with several runs."""
        counts = self.table.groupby(["base", "set"]).size()
        return len(self.labels.base) > 1 and bool((counts > 1).any())

    @property
    def rounding(self) -> Array:
        """Standard deviation of the rounding of losses, by set."""
        return np.array([self.references["rounding"][name] for name in self.labels.set])

    def points(self) -> Points:
        """The fitted rows as points of the law.

        Returns
        -------
        Points
            Arrays of shape (rows,).
        """
        table, refs = self.table, self.references
        at = np.array([refs["share"][name] for name in table["set"]])
        return Points(
            size=log_ratio(table["n_params"], refs["n_params"]),
            tokens=log_ratio(table["tokens"], refs["tokens"]),
            lr=log_ratio(table["lr"], refs["lr"]),
            share=table["share"].to_numpy(dtype=float),
            shares=self.shares,
            reference_share=at,
            least_tokens=refs["least_tokens"],
            one_budget=refs["one_budget"],
        )


def log_ratio(values: Any, reference: float) -> Array:
    """Natural logarithm of values over a reference; 0 where either is not known.

    Parameters
    ----------
    values : array_like
        Values above 0, or NaN.
    reference : float
        The reference, or NaN.

    Returns
    -------
    ndarray
    """
    out = np.log(np.asarray(values, dtype=float) / reference)
    return np.where(np.isfinite(out), out, 0.0)


def make_final_rows(study: Study, card: FinalCard) -> FinalRows:
    """Arrays of a study of final losses.

    Parameters
    ----------
    study : Study
        The study.
    card : FinalCard
        The card.

    Returns
    -------
    FinalRows

    Raises
    ------
    FitError
        If the study has no final loss to fit, a covariate is known of some runs only, or no share
        is known of a set that responds to one.
    """
    if not is_final(study):
        raise FitError(
            f"study {study.name!r} has schedules or several losses a run: card {card.name!r} is "
            "for final losses"
        )
    names = _fitted_runs(study)
    runs = [study.run(name) for name in names]
    lr_column = next((c for c in LR_COLUMNS if any(getattr(run, c) for run in runs)), None)
    table = _loss_table(study, runs, lr_column)
    sources = _sources(study, runs) if card.law.uses_sources else ()
    own = {d: _own_share(study, card, table, d) for d in dict.fromkeys(table["domain"])}
    table["share"] = [
        _share(study.run(run), own[domain])
        for run, domain in zip(table["run"], table["domain"], strict=True)
    ]
    table = _complete(table, card, lr_column)
    shares = np.array([run_shares(study.run(name), sources, study) for name in table["run"]])
    share = table.groupby("set", sort=False)["share"].mean().to_dict()
    middle = {c: _middle(table[c]) for c in ("n_params", "tokens", "lr")}
    least = float(log_ratio(table["tokens"], middle["tokens"]).min())
    rounding = {s: rounding_sd(v) for s, v in table.groupby("set", sort=False)["loss"]}
    references: dict[str, Any] = {
        **middle, "share": share, "least_tokens": least, "rounding": rounding,
        "one_budget": float(not _varies(table["tokens"])),
    }  # fmt: skip
    labels = FinalLabels(
        run=tuple(names),
        set=tuple(dict.fromkeys(table["set"])),
        domain=tuple(d for d in study.domains if d in set(table["domain"])),
        source=sources,
        base=tuple(dict.fromkeys(table["base"])),
    )
    mixed = table["share"] if not sources else pd.DataFrame(shares)
    varying = {c: _varies(table[c]) for c in ("n_params", "tokens", "lr")}
    return FinalRows(
        labels, table, shares.reshape(len(table), len(sources)), references, own, lr_column,
        varying | {"share": bool(np.ptp(mixed.to_numpy(dtype=float), axis=0).max() > SAME)},
    )  # fmt: skip


def rounding_sd(losses: ArrayLike) -> float:
    """Standard deviation of rounding: published losses often have two decimals.

    Parameters
    ----------
    losses : array_like
        Losses of a set.

    Returns
    -------
    float
        Of a uniform error of one last decimal; 0 from `DECIMALS` decimals on.

    Examples
    --------
    >>> round(rounding_sd([2.83, 2.57, 2.4]), 5), rounding_sd([2.8312, 2.5])
    (0.00289, 0.0)
    """
    values = np.asarray(losses, dtype=float)
    for decimals in range(1, DECIMALS):
        unit = 10.0**-decimals
        if np.allclose(values, np.round(values, decimals), rtol=0.0, atol=1e-9):
            return float(unit / np.sqrt(12.0))
    return 0.0


def base_label(parent: str | None, n_params: float | None) -> str:
    """Name of a base: the run that continual pre-training starts from, and its size.

    Parameters
    ----------
    parent : str or None
        The run.
    n_params : float or None
        Number of parameters.

    Returns
    -------
    str

    Examples
    --------
    >>> base_label("base", 4.05e8)
    'base (4.05e+08)'
    """
    size = "" if n_params is None or not np.isfinite(n_params) else f" ({n_params:.6g})"
    return f"{parent or 'scratch'}{size}"


def set_label(domain: str, target: str | None, targets: Sequence[str]) -> str:
    """Label of a set in runs of a target.

    Parameters
    ----------
    domain : str
        The validation set.
    target : str or None
        Target of the runs.
    targets : sequence of str
        All targets of the study.

    Returns
    -------
    str
    """
    return domain if len(targets) < 2 or domain == target else f"{domain}|{target}"


def run_shares(run: Run, sources: Sequence[str], study: Study) -> list[float]:
    """Shares of the sources in the tokens of a run or plan.

    Parameters
    ----------
    run : Run or Plan
        With ``shares``, or ``replay_ratio`` and ``domain``.
    sources : sequence of str
        Names of the sources.
    study : Study
        The study.

    Returns
    -------
    list of float
    """
    if not sources:
        return []
    if run.shares:
        return [run.shares.get(source, 0.0) for source in sources]
    ratio = float(np.mean(run.replay_ratio))
    given: Mapping[Any, float] = {study.general or "general": ratio, run.domain: 1.0 - ratio}
    return [given.get(source, 0.0) for source in sources]


def _fitted_runs(study: Study) -> list[str]:
    """Continual pre-training runs, or else all runs, that have a loss after step 0."""
    names = study.cpt_runs or study.pt_runs
    found = [name for name in names if study.is_observed(name)]
    if not found:
        raise FitError(f"study {study.name!r} has no run with a final loss")
    return found


def _loss_table(study: Study, runs: Sequence[Run], lr_column: str | None) -> pd.DataFrame:
    rows = []
    for run in runs:
        for domain in study.domains:
            # What is another run's target tells nothing about sets in general.
            if domain in study.targets and domain != run.domain:
                continue
            curve = study.curve(run.name, domain)
            curve = curve[curve["step"] > 0]
            if curve.empty:
                continue
            lr = None if lr_column is None else getattr(run, lr_column)
            rows.append(
                {
                    "run": run.name,
                    "domain": domain,
                    "set": set_label(domain, run.domain, study.targets),
                    "base": base_label(run.parent, run.n_params),
                    "loss": float(curve["loss"].iloc[-1]),
                    "n_params": np.nan if run.n_params is None else run.n_params,
                    "tokens": np.nan if run.tokens is None else run.tokens,
                    "lr": np.nan if lr is None else lr,
                    "replay": float(np.mean(run.replay_ratio)),
                }
            )
    return pd.DataFrame(rows)


def _complete(table: pd.DataFrame, card: FinalCard, lr_column: str | None) -> pd.DataFrame:
    """Raise where a covariate is known of some runs only."""
    columns = {"n_params": "n_params", "tokens": "tokens"}
    if card.lr and lr_column is not None:
        columns["lr"] = lr_column
    for column, shown in columns.items():
        blank = table[column].isna()
        if blank.any() and not blank.all():
            names = ", ".join(dict.fromkeys(table.loc[blank, "run"]))
            raise FitError(
                f"runs: column {shown} is blank in {names}, but given for other runs: a law of "
                "final losses needs it of all or of none"
            )
    if card.law.uses_share and not card.law.uses_sources and table["share"].isna().any():
        where = table[table["share"].isna()].iloc[0]
        raise FitError(
            f"runs: run {where['run']!r}: the share of set {where['domain']!r} in its tokens is "
            f"not known: give replay_ratio, or a column share_{where['domain']}, or use card "
            "'mixing'"
        )
    return table.assign(share=table["share"].fillna(1.0))


def _sources(study: Study, runs: Sequence[Run]) -> tuple[str, ...]:
    """Sources of the mixture: those of the shares, or the general set and the targets."""
    named = dict.fromkeys(source for run in runs for source in (run.shares or {}))
    return tuple(named) or (study.general or "general", *study.targets)


def _own_share(study: Study, card: FinalCard, table: pd.DataFrame, domain: str) -> str:
    """Which share a set responds to.

    A set that is neither the general one nor a target responds to the share that its loss falls
    with in the fitted runs.
    """
    if domain == study.general:
        return "replay"
    if domain in study.targets:
        return "target"
    rows = table[table["domain"] == domain]
    if any(study.run(name).shares for name in rows["run"]):
        return f"share_{domain}"
    ratio, loss = rows["replay"].to_numpy(), rows["loss"].to_numpy()
    return "replay" if np.cov(ratio, loss)[0, 1] < 0 else "target"


def _share(run: Run, own: str) -> float:
    """Share that a set responds to, in a run; NaN if it is not known."""
    if own.startswith("share_"):
        return (run.shares or {}).get(own.removeprefix("share_"), np.nan)
    if run.shares and own == "target":
        return run.shares.get(str(run.domain), np.nan)
    ratio = float(np.mean(run.replay_ratio))
    return ratio if own == "replay" else 1.0 - ratio


def _middle(values: pd.Series[Any]) -> float:
    """Geometric mean; NaN if no value is known."""
    known = values.dropna()
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")


def _varies(values: pd.Series[Any]) -> bool:
    known = values.dropna()
    return len(known) > 0 and bool(known.max() > known.min() * (1.0 + SAME))
