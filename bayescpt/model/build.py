"""Card + study -> pm.Model, with named dimensions and data containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescpt.laws import paper
from bayescpt.laws.annealing import kernel_weights
from bayescpt.laws.curve import expected_loss
from bayescpt.laws.features import References
from bayescpt.laws.table import Parameter
from bayescpt.laws.terms import SHARED_PARAMETERS, TERM_PARAMETERS, cpt_terms, pt_terms
from bayescpt.model.card import Card, load_card
from bayescpt.model.containers import arrays
from bayescpt.model.fused import CurveMean
from bayescpt.model.fused_density import CurveDensity
from bayescpt.model.likelihood import group, observe, segment_scale
from bayescpt.model.priors import Prior
from bayescpt.model.rows import Rows, make_rows

if TYPE_CHECKING:
    from bayescpt.data import Study


# Of `expected_loss`, in the order in which `CurveMean` takes them.
ARGUMENTS = ("level", "base_ref", "alpha", "anneal_ref", "shift", "onset", "beta", "gamma", "keep")


def build_model(study: Study, card: str | Path | Card = "cpt_replay") -> pm.Model:
    """PyMC model of a study under a card.

    Parameters
    ----------
    study : Study
        Runs and curves.
    card : str, Path or Card
        Name of a shipped card, a TOML file, or a Card.

    Returns
    -------
    pm.Model
        Dimensions ``domain``, ``pair`` (evaluated domain | target), ``level`` (start checkpoint |
        domain), ``segment``, ``obs``; every array of the study in a
        ``pm.Data`` of the name that `bayescpt.model.containers.arrays` gives it; the observed
        variable is ``loss`` in nats per token.

    Raises
    ------
    CardError
        If the card has a defect.
    FitError
        If the study has no row that the card can use.
    """
    read = load_card(card)
    rows = make_rows(study, read)
    return rows_model(rows, read, starts=False)


def rows_model(rows: Rows, card: Card, fused: str = "mean", starts: bool = True) -> pm.Model:
    """PyMC model of prepared rows; see `build_model`.

    Parameters
    ----------
    rows : Rows
        Arrays of the study.
    card : Card
        Which components, priors and noise.
    fused : str
        What is evaluated with its gradient in one compiled pass: ``density``, the whole likelihood
        (`bayescpt.model.fused_density`), which is then a potential, for a card whose noise is
        independent and normal; ``mean`` (`bayescpt.model.fused`), also in place of the former for
        other noise; ``nothing``: all is a plain PyTensor graph. They give the same numbers.
    starts : bool
        Say where sampling starts (`Parameter.start`); pm.do and pm.observe refuse such a model.

    Returns
    -------
    pm.Model
    """
    labels = rows.labels
    coords: dict[str, Any] = {"domain": labels.domain}
    if card.has_shift:
        coords |= {"level": labels.level_names, "pair": labels.pair_names}
    if card.domain_correlation:
        coords["other"] = labels.domain[1:]
    with pm.Model(coords=coords) as model:
        data = {name: pm.Data(name, value, dims=dims) for name, value, dims in arrays(rows, card)}
        values = {p.name: _random(p, card.priors[p.name], starts) for p in card.parameters()}
        refs = References(data["ref_area"], data["ref_shift_area"], data["ref_peak_lr"])
        if card.parameterisation == "paper":
            values |= paper.to_reference(values, refs, pt)
        if card.has_shift:
            values["start_level"] = _start_level(values, data, card)
        if fused == "density" and card.plain_noise:
            pm.Potential("loss_density", _density(values, data, card))
        else:
            observe(_mean(values, data, card, fused != "nothing"), values, data, card)
    return model


def _random(parameter: Parameter, prior: Prior, starts: bool) -> Any:
    """Random variable of a parameter, with its prior."""
    dims = parameter.dims or None
    start = None
    if starts and parameter.start is not None:
        coords = pm.modelcontext(None).coords
        start = np.full([len(coords[dim]) for dim in parameter.dims], parameter.start)
    return prior.random_variable(parameter.name, dims, start)


def _start_level(values: Mapping[str, Any], data: Mapping[str, Any], card: Card) -> Any:
    """Law's level at each start checkpoint and domain, shape (level,)."""
    if card.parameterisation == "reference":
        # In units of its scale, so that sampling starts near the data whatever the data are.
        return data["start_loss"] + data["start_sd"] * pm.Normal("start_offset", dims="level")
    # The paper's form ties it to the pre-training curve: L0 + A S1pt^-alpha - C1 S2pt.
    weights = kernel_weights(card.law["annealing"], values, data["ref_anneal_steps"], pt)
    return expected_loss(
        values["level_pt"][None, :],
        values["base_ref"][None, :],
        values["alpha_s1"][None, :],
        values["anneal_pt_ref"][None, :],
        data["start_log_area"][:, None],
        0.0,
        (data["start_anneal"] * weights[None, :]).sum(axis=1)[:, None],
        xp=pt,
    ).flatten()


def _density(values: Mapping[str, Any], data: Mapping[str, Any], card: Card) -> Any:
    """Log density of all rows."""
    segment, rows = group(data, "segment"), group(data, "row")
    *with_gradient, keep = _arguments(segment_values(values, segment, card))
    density, *_ = CurveDensity()(
        *with_gradient,
        *segment_scale(values, segment, card),
        kernel_weights(card.law["annealing"], values, data["ref_anneal_steps"], pt),
        keep,
        data["anneal_mix"],
        data["anneal"],
        segment["log_area_start"],
        rows["log_area"],
        rows["shift_area"],
        rows["fraction"],
        data["observed"],
        segment["first"],
        rows["place"],
    )
    return density[0]


def _arguments(per_segment: Mapping[str, Any]) -> list[Any]:
    """Those of `expected_loss` that the compiled passes take, in their order."""
    zero = pt.zeros_like(per_segment["level"])
    default = {"gamma": zero - 1.0}
    return [per_segment.get(key, default.get(key, zero)) for key in ARGUMENTS]


def _mean(values: Mapping[str, Any], data: Mapping[str, Any], card: Card, fused: bool) -> Any:
    """Expected loss of every row, shape (obs,)."""
    segment = group(data, "segment")
    rows = group(data, "row")
    per_segment = segment_values(values, segment, card)
    # Sums of products instead of `@`: numba takes most of a minute to compile matrix products.
    at_node = kernel_weights(card.law["annealing"], values, data["ref_anneal_steps"], pt)
    weights = (data["anneal_mix"] * at_node[None, :]).sum(axis=1)
    if fused:
        mean, _ = CurveMean()(
            *_arguments(per_segment),
            weights,
            data["anneal"],
            segment["log_area_start"],
            rows["log_area"],
            rows["shift_area"],
            segment["first"],
            rows["place"],
        )
        return mean
    here = rows["segment"]
    by_row = {key: value[here] for key, value in per_segment.items()}
    if card.has_shift:
        by_row["shift_area"] = rows["shift_area"]
    return expected_loss(
        **by_row,
        log_area=rows["log_area"],
        log_area_start=segment["log_area_start"][here],
        anneal=(data["anneal"] * weights[:, None]).sum(axis=0)[rows["place"]],
        xp=pt,
    )


def segment_values(
    values: Mapping[str, Any], segment: Mapping[str, Any], card: Card
) -> dict[str, Any]:
    """Arguments of `expected_loss` by segment.

    Parameters
    ----------
    values : Mapping
        Parameters on the reference scale.
    segment : Mapping
        The ``segment`` arrays of `Rows`.
    card : Card
        Which components.

    Returns
    -------
    dict
        level, base_ref, alpha, anneal_ref and, for CPT, shift, onset, beta; shape (segment,).
    """
    in_segment = {
        p.name: values[p.name][segment[p.dims[0]]] for p in TERM_PARAMETERS if p.name in values
    } | {p.name: values[p.name] for p in SHARED_PARAMETERS if p.name in values}
    levels = [values[name] for name in ("start_level", "level_pt") if name in values]
    level = pt.concatenate(levels)[segment["level"]]
    if not card.has_shift:
        return pt_terms({**in_segment, "level_pt": level})
    terms = cpt_terms(
        {**in_segment, "start_level": level},
        segment["replay"],
        segment["is_target"],
        card.law,
        pt,
        segment["rise"],
        segment["log_peak"],
    )
    # Pre-training rows of the same fit: no shift or jump, an annealing term of their own.
    is_cpt = segment["is_cpt"]
    terms["shift"] = terms["shift"] * is_cpt
    if "anneal_pt_ref" in in_segment:
        before = pt_terms({**in_segment, "level_pt": level})
        for key in ("level", "anneal_ref"):
            terms[key] = pt.where(is_cpt > 0, terms[key], before[key])
    return terms
