"""Losses against those of a uniform guess over a vocabulary: perplexities, bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView, named

# Losses of a uniform guess over the largest vocabulary in use (262,144 tokens), and over bytes.
GUESS = {"nat/token": float(np.log(262_144)), "nat/byte": float(np.log(256))}
# Far from its training text a sound model is surer of wrong tokens than a guess is: 11.15 nats
# where the fleet's vocabulary of 1,024 has a guess of 6.93. This many times the guess is too much.
ABOVE_GUESS = 1.2
# The lowest loss of a run on what it is trained on: sound runs reach 3.75 nats or less. This share
# of a guess (6.9 nats a token) is none of a model that has learned anything.
UNTRAINED = 0.55
# Standard vocabularies: bytes, those of small models, and those of GPT-2, Llama, Qwen, Gemma.
VOCABULARIES = (
    *(256, 1024, 2048, 4096, 8192, 16_384, 32_000, 32_768, 49_152, 50_257, 50_304, 65_536),
    *(100_277, 128_256, 151_936, 200_019, 256_000, 262_144),
)
# An untrained model starts within this of a guess, in nats: .00 to .06 in the fleet, to .15 for
# the initialisation of GPT-2.
INITIAL = (-0.03, 0.16)
# Where the vocabulary is known.
FAR = 0.5


@register_finding("level")
def level(view: StudyView) -> Iterator[Finding]:
    """Losses too high for the stated unit.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    # Fits of earlier versions may hold losses in other units.
    guess = GUESS.get(view.study.curves_unit)
    if guess is None:
        return
    high = view.study.curves["loss"].to_numpy() > ABOVE_GUESS * guess
    if high.any():
        row = int(np.argmax(np.where(high, view.study.curves["loss"], 0.0)))
        run, step, domain, loss = view.study.curves[["run", "step", "domain", "loss"]].iloc[row]
        yield Finding(
            "level",
            tuple(dict.fromkeys(view.study.curves.loc[high, "run"])),
            f"run {run!r}, step {step}, domain {domain!r}: a loss of {view.shown(loss, domain)}, "
            f"{loss:.4g} nats, is above {ABOVE_GUESS * guess:.3g}, where a uniform guess over "
            f"{round(np.exp(guess)):,} has {guess:.3g}: {_unit(view, loss)}, or did the run "
            "diverge?",
        )
    yield from _untrained(view, guess)
    yield from _initial(view)


def _untrained(view: StudyView, guess: float) -> Iterator[Finding]:
    odd, lowest = [], np.inf
    for run in view.runs:
        steps, losses = view.curve(run, view.trained(run))
        # A run of few rows may be on its way.
        if steps.size >= 5 and losses.min() > UNTRAINED * guess:
            odd.append(run)
            lowest = min(lowest, float(losses.min()))
    if odd:
        domain = view.trained(odd[0]) or ""
        yield Finding(
            "level",
            tuple(odd),
            f"{named(odd)}: the loss on {domain!r} never falls below {view.shown(lowest, domain)}; "
            f"language models reach less than {UNTRAINED * guess:.2g} nats on what they train on: "
            f"{_unit(view, lowest)}?",
        )


def _initial(view: StudyView) -> Iterator[Finding]:
    """Losses of untrained models, which are those of a guess over the vocabulary."""
    sizes = pd.to_numeric(
        view.study.runs.get("vocab_size", pd.Series(np.nan, view.study.runs.index)), errors="coerce"
    )
    known = dict(zip(view.study.runs["run"], sizes, strict=True))
    odd: dict[str, str] = {}
    for run, found in view.runs.items():
        steps, losses = view.curve(run, view.study.general)
        if found.phase != "pt" or found.parent is not None or not steps.size or steps[0] != 0:
            continue
        loss, size = float(losses[0]), float(known.get(run, np.nan))
        if view.study.curves_unit != "nat/token" or not odd_start(loss, size):
            continue
        expected = (
            f"with its vocabulary of {size:,.0f} an untrained model has {np.log(size):.4g} nats"
            if size > 0
            else f"an untrained model has ln(vocabulary) nats, and standard sizes have {loss:.4g} "
            "only in bits"
        )
        odd[run] = (
            f"the loss at step 0 on {view.study.general!r} is "
            f"{view.shown(loss, view.study.general or '')}; {expected}: is this in bits "
            '(loss_unit in study.toml: "bit/token")?'
        )
    if odd:
        yield Finding("level", tuple(odd), f"{named(list(odd))}: {next(iter(odd.values()))}")


def odd_start(loss: float, vocabulary: float = float("nan")) -> bool:
    """Whether the loss of an untrained model is likely not in nats.

    Parameters
    ----------
    loss : float
        As if in nats.
    vocabulary : float
        Number of tokens, if known.

    Returns
    -------
    bool
        Without a vocabulary, true where the loss fits a standard size in bits and none in nats, or
        is above that of the largest.

    Examples
    --------
    >>> from bayescpt.data.findings.kinds.level import odd_start
    >>> odd_start(6.97), odd_start(10.06), odd_start(10.9), odd_start(15.7)
    (False, True, False, True)
    """
    if vocabulary > 0:
        return bool(abs(loss - np.log(vocabulary)) > FAR)
    nats = np.log(VOCABULARIES)
    low, high = INITIAL
    fits_nats = ((loss > nats + low) & (loss < nats + high)).any()
    in_nats = loss * np.log(2.0)
    fits_bits = ((in_nats > nats + low) & (in_nats < nats + high)).any()
    return bool((fits_bits and not fits_nats) or loss > nats.max() + high)


def _unit(view: StudyView, loss: float) -> str:
    """What the losses may be, as a question."""
    if view.study.loss_unit == "perplexity":
        return "are these perplexities of tokens"
    keys = "loss_unit in study.toml"
    if view.study.loss_unit == "nat/token" and loss < 1.6 * GUESS["nat/token"]:
        return f'are these perplexities ({keys}: "perplexity") or bits ("bit/token")'
    return f'are these perplexities ({keys}: "perplexity")'
