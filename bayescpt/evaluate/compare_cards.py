"""Compare cards on held-out runs, and stack them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.data.final_losses import is_final
from bayescpt.data.html import html_block
from bayescpt.errors import PlanError
from bayescpt.evaluate.backtest import Backtest, backtest
from bayescpt.evaluate.card_scores import card_scores
from bayescpt.evaluate.card_words import card_sentences
from bayescpt.evaluate.score import check_after
from bayescpt.evaluate.stacking import PRIOR_RUNS
from bayescpt.random_seed import takes_seed
from bayescpt.work import digest

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.inference import Ensemble

SHOWN = ("log_score", "behind", "crps", "coverage_90", "weight")


@dataclass(frozen=True, eq=False)
class CardComparison:
    """Cards compared on held-out runs.

    Attributes
    ----------
    table : DataFrame
        One row a card, the best log score first: runs and rows (held out and scored), crps,
        coverage_90, log_score (see `compare_cards`), behind (log score of the best card less that
        of this one), weight, each with its standard error in a column ``_se`` (over runs, that of
        a difference from the differences by run, that of a weight by the bootstrap over runs), and
        failed (refits that failed a check). CRPS in nats per token.
    stacked : pandas.Series
        The same scores of the mixture, where the weights for a held-out run come from the other
        runs; best (the card with the lowest CRPS), and crps_behind: its CRPS less that of this
        card, with its standard error.
    by_run : DataFrame
        Log score of each held-out run (index) under each card.
    sentences : list of str
        What the data tell, and what they cannot tell apart.
    backtests : mapping of str to Backtest
        The backtest of each card.
    ensemble : Ensemble or None
        Fits of all cards to the whole study, mixed by weight; None if it was not asked for.
    study_name : str
        Name of the study.
    """

    table: pd.DataFrame
    stacked: pd.Series
    by_run: pd.DataFrame
    sentences: list[str]
    backtests: Mapping[str, Backtest] = field(repr=False)
    ensemble: Ensemble | None = field(repr=False)
    study_name: str = ""

    @property
    def weights(self) -> pd.Series:
        """Stacking weights by card; they sum to 1."""
        return self.table["weight"]

    def text(self) -> str:
        """Table and sentences as plain text, at most 80 columns wide where names are short.

        Returns
        -------
        str
        """
        return f"{self._shown().to_string()}\n\n" + "\n".join(self.sentences)

    def __repr__(self) -> str:
        """The table and the sentences."""
        return self.text()

    def _repr_html_(self) -> str:
        return html_block(
            f"{len(self.table)} cards on {int(self.table['runs'].iloc[0])} held-out runs",
            {"study": self.study_name or None, "CRPS": "nats per token"},
            {"scores ± standard error": self._shown(), "all columns": self.table},
            self.sentences,
        )

    def _shown(self) -> pd.DataFrame:
        """Scores with standard errors, as text."""
        decimals = {"log_score": 2, "behind": 2, "crps": 4, "coverage_90": 2, "weight": 2}
        out = pd.DataFrame(
            {
                name: [
                    f"{value:.{decimals[name]}f} ± {error:.{decimals[name]}f}"
                    for value, error in zip(self.table[name], self.table[f"{name}_se"], strict=True)
                ]
                for name in SHOWN
            },
            index=self.table.index,
        )
        return out


@takes_seed
def compare_cards(
    study: Study,
    cards: Sequence[Any] | Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    *,
    runs: Iterable[str] | None = None,
    after: float = 0.1,
    prior_runs: float = PRIOR_RUNS,
    ensemble: bool = True,
    random_seed: int = 1,
    on_split: Callable[[str], None] | None = None,
    work: str | Path | None = None,
    **fit_options: Any,
) -> CardComparison:
    """Score cards on runs held out in turn, weigh them by stacking, and mix their fits.

    Each card is refitted without each run (`backtest` by run), and once to all of them. The log
    score of a run is the mean log predictive density of at most eight losses of each of its curves,
    evenly spaced: the losses of a run err together, so a run counts as one observation, however
    often it was evaluated. Weights maximise the log score of the mixture over runs (Yao et al.
    2018, arXiv 1704.02030) with a prior worth `prior_runs` runs, divided evenly among the cards, so
    that few runs cannot give one card all of the weight.

    Parameters
    ----------
    study : Study
        The study.
    cards : sequence, or mapping of str, of str, Path or Card, optional
        Cards, or cards by label; by default the shipped ones whose law has a term for what the runs
        of the study differ by.
    executor : concurrent.futures.Executor, optional
        Executor of the refits, as in `backtest`.
    runs : iterable of str, optional
        Runs to hold out; by default all that `backtest` can hold out.
    after : float
        Losses in this initial fraction of a run are not scored.
    prior_runs : float
        Strength of the prior on the weights, above 0.
    ensemble : bool
        Whether to fit the cards to the whole study too.
    random_seed : int
        Seed of all fits; also accepted as ``seed``.
    on_split : callable, optional
        Called with ``card: run`` when a refit is done, and with ``card: all runs``.
    work : str or Path, optional
        Folder in which finished refits are kept, and from which they are taken if the same
        comparison was interrupted. Delete it once the result is saved.
    **fit_options
        Options of `bayescpt.fit`, such as ``draws`` and ``chains``; ``fit``, a replacement of it.

    Returns
    -------
    CardComparison
        Scores, weights, and the stacked ensemble.

    Raises
    ------
    CardError
        If a card is invalid.
    PlanError
        If there are fewer than two cards or no prior, `after` is no share, or no row is forecast
        under all cards.
    StudyError
        If no run can be held out.
    FitError
        If a refit cannot be sampled.
    WorkError
        If the work folder holds refits of another comparison.

    Examples
    --------
    >>> import bayescpt as bc
    >>> study = bc.load_example("cpt_micro")
    >>> found = bc.compare_cards(study, ["cpt_replay", "cpt_fade"])  # doctest: +SKIP
    >>> found.table[["crps", "coverage_90", "weight"]]  # doctest: +SKIP
    >>> found.sentences[0]  # doctest: +SKIP
    >>> found.ensemble.forecast(plans).interval(0.9)  # doctest: +SKIP
    """
    if not prior_runs > 0:
        raise PlanError(f"prior_runs is {prior_runs}: give a number of runs above 0, such as 2")
    check_after(after)
    chosen = labelled_cards(study, cards)
    held = None if runs is None else list(runs)
    # Cards that are the same are fitted once.
    digests = {label: digest(card) for label, card in chosen.items()}
    first = {found: label for label, found in reversed(digests.items())}
    sources = {label: first[found] for label, found in digests.items()}
    place = None if work is None else Path(work)
    own: dict[str, Backtest] = {}
    for label in dict.fromkeys(sources.values()):
        own[label] = backtest(
            study, chosen[label], "run", executor, runs=held, random_seed=random_seed,
            on_split=None if on_split is None else _named(on_split, label),
            work=None if place is None else place / digests[label][:12], **fit_options,
        )  # fmt: skip
    backtests = {label: own[source] for label, source in sources.items()}
    scores = card_scores(backtests, after, random_seed, prior_runs)
    sentences = card_sentences(scores, prior_runs)
    mixed = None
    if ensemble:
        mixed = _mixed(study, chosen, sources, scores.table["weight"], sentences, random_seed,
                       on_split, place, fit_options)  # fmt: skip
    return CardComparison(
        scores.table, scores.stacked, scores.by_run, sentences, backtests, mixed, study.name
    )


def _mixed(
    study: Study,
    cards: Mapping[str, Any],
    sources: Mapping[str, str],
    weights: pd.Series,
    sentences: Sequence[str],
    seed: int,
    on_split: Callable[[str], None] | None,
    work: Path | None,
    fit_options: Mapping[str, Any],
) -> Ensemble:
    """Fit every card to the whole study."""
    from bayescpt.inference import Ensemble
    from bayescpt.inference import fit as sampled

    fits: dict[str, Any] = {}
    for label in dict.fromkeys(sources.values()):
        kept = None if work is None else work / f"whole-{digest(cards[label])[:12]}"
        options = {"progress": False, **fit_options, "work": kept}
        sample = options.pop("fit", None) or sampled
        fits[label] = sample(study, card=cards[label], random_seed=seed, **options)
        if on_split is not None:
            on_split(f"{label}: all runs")
    share = {label: float(weights[label]) for label in cards}
    return Ensemble.of({label: fits[sources[label]] for label in cards}, share, seed, sentences)


def _named(on_split: Callable[[str], None], label: str) -> Callable[[str], None]:
    return lambda split: on_split(f"{label}: {split}")


def labelled_cards(study: Study, cards: Sequence[Any] | Mapping[str, Any] | None) -> dict[str, Any]:
    """Cards to compare, read.

    Parameters
    ----------
    study : Study
        The study.
    cards : sequence, mapping or None
        As in `compare_cards`.

    Returns
    -------
    dict of str to Card or FinalCard
        By label: those given, or the names of the cards, numbered where they repeat.

    Raises
    ------
    CardError
        If a card is invalid.
    PlanError
        If there are fewer than two.
    """
    from bayescpt.inference.card_check import suitable_cards
    from bayescpt.model.card_file import load_card
    from bayescpt.model.final_card import load_final_card

    read: Callable[[Any], Any] = load_final_card if is_final(study) else load_card
    if isinstance(cards, Mapping):
        out = {str(label): read(card) for label, card in cards.items()}
    else:
        if isinstance(cards, str | Path):
            raise PlanError(f"cards is {str(cards)!r}: give a list of at least two cards")
        given = suitable_cards(study) if cards is None else list(cards)
        out = {}
        for card in map(read, given):
            label, number = card.name, 2
            while label in out:
                label, number = f"{card.name} ({number})", number + 1
            out[label] = card
    if len(out) < 2:
        which = f"only {', '.join(out)}" if out else "none"
        raise PlanError(
            f"compare_cards needs at least two cards and got {which}"
            + (f"; no other shipped card suits study {study.name!r}" if cards is None else "")
        )
    return out
