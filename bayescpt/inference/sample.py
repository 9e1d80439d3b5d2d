"""Fit a study: prepare the data, compile once, sample, check."""

from __future__ import annotations

import math
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from bayescpt.data.final_losses import is_final
from bayescpt.errors import CardError, FitError
from bayescpt.inference.card_check import card_gaps, default_card
from bayescpt.inference.chains import fit_work, labelled, sample_chains
from bayescpt.inference.checks import SMALLEST_ESS
from bayescpt.inference.compile import compiled_sampler, is_compiled, pad
from bayescpt.inference.fit import Fit
from bayescpt.inference.progress import live_progress, say
from bayescpt.inference.start import started
from bayescpt.inference.stored import cache_refusal
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.card import Card
from bayescpt.model.fitted_card import fitted_card
from bayescpt.model.net import restore_net
from bayescpt.model.rows import Rows, make_rows
from bayescpt.random_seed import takes_seed
from bayescpt.work import Work

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.final_card import FinalCard

TARGET_ACCEPT = 0.95
# Early in warm-up, before the metric adapts, trees grow to the maximum depth and gain little. 255
# steps suffice for every posterior met so far (15 after warm-up), as do 500 warm-up draws: together
# they halved the gradient evaluations of a fit, at the same effective sample size.
MAX_DEPTH = 8
# A diagonal mass matrix moves slowly along ridges of the posterior (onset-beta, gamma-eps).
NUTS = {"adaptation": "low_rank", "maxdepth": MAX_DEPTH}
# Few pilots leave curved ridges. On four simulated pilots from an open base, 4 times the draws left
# 360 effective ones of a replay exponent.
EXTEND = 8
# Chains that agree better than this need more draws, not smaller steps: as many as would have given
# 1.6 times the effective draws asked for, and at least 3 times as many, as that estimate is rough.
NEAR_RHAT, ESS_MARGIN, LEAST_FACTOR = 1.03, 1.6, 3
# Checks that more draws can fix, or smaller steps.
_MIXING = {"R-hat", "bulk ESS", "tail ESS", "divergences"}
# Acceptance rate of the second try: longer chains reach narrower places, where they diverge.
CAREFUL_ACCEPT = 0.99


@takes_seed
def fit(
    study: Study,
    card: str | Path | Card | None = None,
    random_seed: int = 1,
    draws: int = 1000,
    tune: int = 500,
    chains: int = 4,
    cores: int | None = None,
    progress: bool = True,
    target_accept: float = TARGET_ACCEPT,
    extend: int = EXTEND,
    work: str | Path | None = None,
) -> Fit:
    """Sample the posterior of a card given a study, with NUTS.

    The sampler of a card is compiled once per machine and cached in the user's cache folder (set
    BAYESCPT_CACHE to use another folder, or to an empty string to disable the cache); fits of other
    studies with the same card reuse it. The same seed gives the same draws for any number of cores.

    Parameters
    ----------
    study : Study
        Runs and curves.
    card : str, Path, Card or None
        Shipped card, TOML file or Card; by default chosen for the study, see `default_card`.
    random_seed : int
        Seed of the sampler; also accepted as ``seed``.
    draws, tune : int
        Number of draws and of warm-up draws per chain.
    chains : int
        Number of chains.
    cores : int, optional
        Number of chains run in parallel; by default the number of processors.
    progress : bool
        Report progress on standard error; on a terminal, with a live count of draws.
    target_accept : float
        Target acceptance rate of NUTS.
    extend : int
        If the chains have not mixed or diverged, sample once more with twice the warm-up, `extend`
        times the draws, thinned by `extend`, and a target acceptance rate of .99; 1 disables this.
        If only too few draws are effective, and fewer than `extend` times as many will do, those
        are tried first, with the same warm-up and acceptance rate.
        Does not apply to a single chain, or if the total number of draws is below the effective
        sample size that the checks require, 400.
    work : str or Path, optional
        Folder in which finished chains are kept, and from which they are taken if a fit of the same
        study, card and settings was interrupted; the draws are the same to the bit. Delete it once
        the fit is saved.

    Returns
    -------
    Fit
        Fit with draws, card, study and checks; see `Fit.failed`.

    Raises
    ------
    CardError
        If the card is invalid.
    FitError
        If the study has no row that the card can use, an argument is below 1, or sampling failed.
    WorkError
        If the work folder holds chains of another fit, or another process works there.

    Examples
    --------
    >>> import bayescpt as bc
    >>> study = bc.load_example("cpt_micro")
    >>> fit = bc.fit(study, random_seed=1)  # doctest: +SKIP
    >>> fit  # doctest: +SKIP
    Fit(card 'cpt_replay', study 'cpt_micro', 4 x 1000 draws, checks passed)
    """
    for name, value in (
        ("draws", draws),
        ("tune", tune),
        ("chains", chains),
        ("extend", extend),
    ):
        if value < 1:
            raise FitError(f"{name} = {value}: must be at least 1")
    if is_final(study):
        from bayescpt.inference.final_sample import fit_final

        own = None if card is None else cast("str | Path | FinalCard", card)
        sizes = (draws, tune, chains, cores)
        return fit_final(study, own, random_seed, *sizes, progress, extend, work)
    model_card = fitted_card(study, default_card(study) if card is None else card)
    rows = make_rows(study, model_card)
    _check_law(model_card, rows)
    for gap in card_gaps(model_card, study, rows):
        say(progress, f"note: {gap}")
    padded = pad(rows, model_card)
    say(
        progress,
        f"fitting {rows.loss.size} losses of {len(rows.labels.run)} runs, card {model_card.name}",
    )
    if not is_compiled(padded, model_card):
        if refusal := cache_refusal():
            say(progress, f"note: {refusal}")
        say(
            progress,
            "compiling the sampler (once per card and machine; half a minute, longer the first "
            "time) ...",
        )
    settings: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains, "extend": extend}
    settings |= {"random_seed": random_seed, "target_accept": target_accept}
    with nullcontext() if work is None else fit_work(work, study, model_card, settings) as kept:
        sampler = started(compiled_sampler(padded, model_card), random_seed)
        cores = min(chains, cores or os.cpu_count() or 1)
        sampling = _Sampling(
            study, model_card, rows, sampler, random_seed, chains, cores, progress, kept
        )
        result = sampling.fit("chain", draws, tune, 1, target_accept)
        # With fewer draws the checks cannot pass, so the user did not expect them to.
        extendable = min(extend, chains) > 1 and chains * draws >= SMALLEST_ESS
        if extendable and (factor := _more_draws(result)) and factor < extend:
            _say_unmixed(progress, result)
            result = sampling.fit("more-chain", draws, tune, factor, target_accept)
        if extendable and _unmixed(result):
            _say_unmixed(progress, result)
            accept = max(target_accept, CAREFUL_ACCEPT)
            result = sampling.fit("longer-chain", draws, 2 * tune, extend, accept)
    return result.with_discrepancy()


def _unmixed(made: Fit) -> list[str]:
    """Failed checks, if more draws or smaller steps can mend one of them."""
    failed = [check.name for check in made.convergence if check.status == "fail"]
    return failed if _MIXING.intersection(failed) else []


def _more_draws(made: Fit) -> int | None:
    """How many times the draws will mend what failed; None if more draws alone will not."""
    if "divergences" in (failed := _unmixed(made)) or not failed:
        return None
    value = {check.name: check.value for check in made.convergence}
    if value["R-hat"] > NEAR_RHAT:
        return None
    fewest = max(1.0, min(value["bulk ESS"], value["tail ESS"]))
    return max(LEAST_FACTOR, math.ceil(ESS_MARGIN * SMALLEST_ESS / fewest))


def _say_unmixed(progress: bool, made: Fit) -> None:
    failed = ", ".join(_unmixed(made))
    say(progress, f"the chains have not mixed ({failed}); sampling once more:")


class _Sampling(NamedTuple):
    """What all tries of a fit share."""

    study: Study
    card: Card
    rows: Rows
    sampler: Any
    seed: int
    chains: int
    cores: int
    progress: bool
    work: Work | None

    def fit(self, name: str, draws: int, tune: int, thin: int, accept: float) -> Fit:
        """Sample chains, whose kept pieces have a name, and keep each `thin`-th draw."""
        say(
            self.progress,
            f"sampling {self.chains} chains of {tune} + {thin * draws} draws on {self.cores} "
            "cores ...",
        )
        options = {"draws": thin * draws, "tune": tune, "target_accept": accept, **NUTS}
        with live_progress() if self.progress else nullcontext() as callback:
            sampled = sample_chains(
                *(self.sampler, self.seed, self.chains, self.cores, options),
                callback,
                self.work,
                name,
            )
        posterior, stats = labelled(*sampled, self.rows.labels.coords())
        # Statistics are not thinned: the energies of thinned draws would look better than they are.
        posterior = restore_net(posterior.thin(draw=thin), self.rows, self.card)
        posterior = add_symbols(posterior, self.rows, self.card)
        return Fit(self.card, self.study, self.rows, posterior, stats, self.seed)


def _check_law(card: Card, rows: Rows) -> None:
    """Refuse a term that would fail on the draws, before they are sampled."""
    starts = {
        p.name: np.full(2, p.start if p.start is not None else 1.0) for p in card.parameters()
    }
    try:
        card.law.weights(starts, rows.refs)
    except ValueError as error:
        raise CardError(f"card {card.name!r}: {error}") from error
