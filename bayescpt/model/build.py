"""PyMC model of a card and a study, with named dimensions and data containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.model.card import Card
from bayescpt.model.compiled.ops import curve_density, curve_mean
from bayescpt.model.compiled.run_effects import effects_density
from bayescpt.model.containers import arrays
from bayescpt.model.fitted_card import fitted_card
from bayescpt.model.population import population
from bayescpt.model.priors import Prior
from bayescpt.model.rows import Rows, make_rows

if TYPE_CHECKING:
    from bayescpt.data import Study


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
        domain), ``side`` where targets are pooled, ``segment``, ``obs``. Every array of the study
        is a ``pm.Data`` container named as in `bayescpt.model.containers.arrays`; the observed
        variable is ``loss``, in nats per token.

    Raises
    ------
    CardError
        If the card is invalid.
    FitError
        If the study has no row that the card can use.

    Examples
    --------
    >>> import bayescpt as bc
    >>> model = bc.build_model(bc.load_example("cpt_micro"))
    >>> [variable.name for variable in model.observed_RVs]
    ['loss']
    """
    model_card = fitted_card(study, card)
    return rows_model(make_rows(study, model_card), model_card, starts=False)


def rows_model(rows: Rows, card: Card, fused: str = "mean", starts: bool = True) -> pm.Model:
    """PyMC model of prepared rows; see `build_model`.

    Parameters
    ----------
    rows : Rows
        Arrays of the study.
    card : Card
        Card with the terms, priors and noise.
    fused : str
        Part evaluated together with its gradient in the compiled pass: ``density``, the whole
        likelihood as a potential, which requires independent normal noise and falls back to
        ``mean`` otherwise; ``mean``, the law; ``nothing``, so that the model is a plain PyTensor
        graph. The results are the same.
    starts : bool
        Set initial values (`Parameter.start`); pm.do and pm.observe do not accept such a model.

    Returns
    -------
    pm.Model
    """
    coords: dict[str, Any] = {"domain": rows.labels.domain}
    if card.continual:
        coords |= {name: rows.labels.coords()[name] for name in ("level", "pair")}
    if rows.labels.size:
        coords["sized"] = rows.labels.sized_names
    if card.law.pooled:
        coords["side"] = rows.labels.side_names
    if card.domain_correlation:
        coords["other"] = rows.labels.domain[1:]
    with pm.Model(coords=coords) as model:
        data = {name: pm.Data(name, value, dims=dims) for name, value, dims in arrays(rows, card)}
        refs = References({name: data[f"ref_{name}"] for name in rows.refs.points}, card.warmup)
        values = _parameters(card, data, refs, starts)
        if card.law.paper:
            values |= card.law.to_reference(values, refs, pt)
        if card.continual:
            values["start_level"] = _start_level(values, data, refs, card)
            values["start_mean"] = (data["start_share"] * values["start_level"][None, :]).sum(
                axis=1
            )
        _observe(values, data, refs, card, fused)
    return model


def _parameters(
    card: Card, data: Mapping[str, Any], refs: References, starts: bool
) -> dict[str, Any]:
    """Random variables of all parameters, with their priors."""
    net, pooled = card.net_parameters, card.law.pooled
    known = {p.name: p for p in card.parameters()}
    values = {
        name: _random(p, card.priors[name], starts)
        for name, p in known.items()
        if name not in net and name not in pooled
    }
    populations = {}
    for name in pooled:
        mean, sd = population(name, values, card, _group(data, "pair"), pt)
        populations[name] = {"mu": mean, "sigma": sd}
        if name not in net:
            values[name] = _random(known[name], card.priors[name], starts, populations[name])
    rests = card.law.net(values, refs, pt)
    for name in net:
        # A translation: the prior of the parameter stays what it is.
        rest, prior = rests[name][data["pair_domain"]], card.priors[name].args
        own = populations.get(name, prior)
        # The rest depends on the study, where sampling starts must not: a compiled sampler is used
        # for others, and the same seed gives the same draws whichever it was compiled for.
        start = np.broadcast_to(prior["mu"], len(pm.modelcontext(None).coords["pair"]))
        sampled = pm.Normal(
            f"{name}_net",
            own["mu"] + rest,
            own["sigma"],
            dims="pair",
            initval=start if starts else None,
        )
        values[name] = pm.Deterministic(name, sampled - rest, dims="pair")
    return values


def _random(
    parameter: Parameter, prior: Prior, starts: bool, of: Mapping[str, Any] | None = None
) -> Any:
    """Random variable of a parameter, with its prior, or from a population."""
    dims, at = parameter.dims or None, parameter.start
    if of is not None and at is None:
        # Not from the study's population, as a compiled sampler is used for other studies too.
        at = float(prior.frozen().median())
    start = None
    if starts and at is not None:
        coords = pm.modelcontext(None).coords
        start = np.full([len(coords[dim]) for dim in parameter.dims], at)
    return prior.distribution.random_variable(parameter.name, of or prior.args, dims, start)


def _start_level(
    values: Mapping[str, Any], data: Mapping[str, Any], refs: References, card: Card
) -> Any:
    """Loss of the law at each start checkpoint and domain, shape (level,)."""
    if not card.law.paper:
        # Non-centred, so that sampling starts near the data.
        return data["start_loss"] + data["start_sd"] * pm.Normal("start_offset", dims="level")
    # In the paper's form the pre-training curve determines it: L0 + A S1pt^-alpha - C1 S2pt.
    weights = card.law.weights(values, refs, pt)
    features: dict[str, Any] = {"is_cpt": 0.0, "is_target": 0.0, "replay": 1.0}
    for name, value in data.items():
        if name.startswith("start_feature_"):
            key = name.removeprefix("start_feature_")
            at = (value * weights[key][None, :]).sum(axis=1) if key in weights else value
            features[key] = at[:, None]
    # Checkpoints along the rows, domains along the columns.
    by_domain = {name: v[None, :] if v.ndim == 1 else v for name, v in values.items()}
    return card.law.value(by_domain, features, pt).flatten()


def _observe(
    values: Mapping[str, Any],
    data: Mapping[str, Any],
    refs: References,
    card: Card,
    fused: str,
) -> None:
    """Likelihood of the losses, as the observed variable ``loss`` or as a potential."""
    law, noise = card.law, card.noise
    segment = _group(data, "segment")
    here = _in_segment(values, segment, card)
    coefficients = law.coefficients(here, segment, pt)
    at_node = law.weights(values, refs, pt)
    if fused == "density" and card.plain_noise and not card.marginal_effects:
        scale = noise.coefficients(here, segment, pt)
        density = curve_density(law, noise, coefficients, scale, at_node, data)
        pm.Potential("loss_density", density)
        return
    # Sums of products rather than `@`: numba takes most of a minute to compile matrix products.
    weights = {
        name: (data[f"mix_{name}"] * value[None, :]).sum(axis=1) for name, value in at_node.items()
    }
    rows = _group(data, "row")
    if fused == "nothing":
        mean = _plain_mean(coefficients, weights, data, law)
    else:
        mean = curve_mean(law, coefficients, weights, data)
    by_row = {name: value[rows["segment"]] if value.ndim else value for name, value in here.items()}
    features = {"is_cpt": segment["is_cpt"][rows["segment"]], "fraction": rows["fraction"]}
    scale = noise.scale(by_row, features, pt)
    if card.marginal_effects:
        _observe_effects(mean, scale, values, data, card, fused)
    elif card.plain_noise:
        pm.Normal("loss", mean, scale, observed=data["observed"], dims="obs")
    else:
        _observe_chain(mean, scale, values, rows, data, card)


def _plain_mean(
    coefficients: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
    law: Any,
) -> Any:
    """Expected loss of every row as a plain graph, shape (obs,)."""
    segment, rows = _group(data, "segment"), _group(data, "row")
    here = rows["segment"]
    by_row = {
        slot: {
            name: value[here] if getattr(value, "ndim", 0) else value for name, value in own.items()
        }
        for slot, own in coefficients.items()
    }
    features = {name: value[here] for name, value in segment.items()} | dict(rows)
    for name, weight in weights.items():
        features[name] = (data[f"basis_{name}"] * weight[:, None]).sum(axis=0)[rows["place"]]
    return law.rows(by_row, features, pt)


def _in_segment(
    values: Mapping[str, Any], segment: Mapping[str, Any], card: Card
) -> dict[str, Any]:
    """Values of the parameters by segment; scalars are unchanged."""
    dims = card.law.dims | {parameter.name: parameter.dims for parameter in card.parameters()}
    out = {}
    for name, value in values.items():
        if name not in dims or {"other", "side"} & set(dims[name]):
            continue
        places = tuple(segment[dim] for dim in dims[name])
        out[name] = value[places] if places else value
    return out


def _observe_chain(
    mean: Any, scale: Any, values: Mapping[str, Any], rows: Mapping[str, Any], data: Any, card: Card
) -> None:
    """Observed variable with heavy tails or correlated rows."""
    noise = card.noise
    domain = rows["domain"]
    own = {}
    if noise.ar1:
        own["corr_fraction"] = values["corr_fraction"][domain]
    if noise.domain_correlation:
        # The leading 0 is for the first domain, which is the reference.
        own["domain_corr"] = pt.concatenate([pt.zeros(1), values["domain_corr"]])[domain]
    chain = noise.chain(own, rows["gap"], rows["paired"], rows["previous"], rows["partner"], pt)
    links = [] if chain is None else [chain.along, chain.across, chain.previous, chain.partner]
    tails = [values[parameter.name] for parameter in noise.tail_parameters]
    logp, random = _distribution(noise, len(links))
    vectors, scalars = ["(n)"] * (2 + len(links)), ["()"] * len(tails)
    pm.CustomDist(
        "loss", mean, scale, *links, *tails,
        logp=logp, random=random, signature=",".join([*vectors, *scalars]) + "->(n)",
        observed=data["observed"], dims="obs",
    )  # fmt: skip


def _observe_effects(
    mean: Any, scale: Any, values: Mapping[str, Any], data: Any, card: Card, fused: str
) -> None:
    """Observed variable, or potential, with marginalised effects of runs."""
    size = values["run_sd"][data["curve_domain"]]
    first, observed = data["curve_first"], data["observed"]
    if fused == "density":
        density = effects_density(observed - mean, scale, size, data["effects"], first)
        pm.Potential("loss_density", density)
        return
    density_of = effects_density if fused == "mean" else _dense_density

    def _logp(value: Any, mean: Any, *rest: Any) -> Any:
        return density_of(value - mean, *rest)

    def _random(mean: Any, scale: Any, *rest: Any, rng: Any = None, size: Any = None) -> Any:
        by_curve, columns, first = rest
        shape = np.broadcast_shapes(mean.shape, tuple(size or ()) + mean.shape[-1:])
        draw = np.random.default_rng(rng)
        first = np.asarray(first, dtype=np.int64).reshape(-1, by_curve.shape[-1])[0]
        unit = draw.standard_normal((*shape[:-1], columns.shape[-2], first.size))
        by_row = np.repeat(by_curve[..., None, :] * unit, np.diff(first, append=shape[-1]), axis=-1)
        return mean + scale * draw.standard_normal(shape) + (by_row * columns).sum(axis=-2)

    pm.CustomDist(
        "loss", mean, scale, size, data["effects"], first, logp=_logp, random=_random,
        signature="(n),(n),(c),(e,n),(c)->(n)", observed=observed, dims="obs",
    )  # fmt: skip


def _dense_density(residual: Any, scale: Any, size: Any, columns: Any, first: Any) -> Any:
    """As `effects_density`, with the whole covariance, shape (n, n), as a plain graph."""
    row = pt.arange(residual.shape[0])
    curve = (row[:, None] >= first[None, :]).sum(axis=1) - 1
    by_row = size[curve] * columns
    same = pt.eq(curve[:, None], curve[None, :])
    shared = (by_row[:, :, None] * by_row[:, None, :]).sum(axis=0)
    covariance = pt.diag(scale**2) + same * shared
    return pm.logp(pm.MvNormal.dist(pt.zeros_like(residual), cov=covariance), residual)


def _distribution(noise: Any, n_links: int) -> tuple[Any, Any]:
    """Log density and random draws of a noise model, as required by PyMC."""
    from bayescpt.laws.noise import Chain

    names = [parameter.name for parameter in noise.tail_parameters]

    def _logp(value: Any, mean: Any, scale: Any, *rest: Any) -> Any:
        links, tails = rest[:n_links], rest[n_links:]
        chain = Chain(*links) if links else None
        p = dict(zip(names, tails, strict=True))
        return noise.log_density(value - mean, scale, p, chain, pt)

    def _random(mean: Any, scale: Any, *rest: Any, rng: Any = None, size: Any = None) -> Any:
        links, tails = rest[:n_links], rest[n_links:]
        shape = np.broadcast_shapes(mean.shape, tuple(size or ()) + mean.shape[-1:])
        chain = None
        if links:
            # Row indices are the same for all draws.
            at = [np.asarray(one, dtype=np.int64).reshape(-1, shape[-1])[0] for one in links[2:]]
            chain = Chain(*links[:2], *at)
        p = {name: np.asarray(value)[..., None] for name, value in zip(names, tails, strict=True)}
        return mean + scale * noise.sample(np.random.default_rng(rng), shape, p, chain)

    return _logp, _random


def _group(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Data containers whose names start with a prefix, which is removed."""
    start = f"{prefix}_"
    return {key.removeprefix(start): v for key, v in data.items() if key.startswith(start)}
