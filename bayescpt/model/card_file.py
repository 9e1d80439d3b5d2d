"""Card files of the law of whole curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayescpt.errors import CardError
from bayescpt.laws.effect import RUN_SD
from bayescpt.laws.law import DEFAULTS, Law
from bayescpt.laws.noises import NOISES
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import TERMS, effect_names
from bayescpt.model.card import Card, check_choices
from bayescpt.model.card_table import CardFormat, CardTable
from bayescpt.model.folder import cards_folder

_CHOICES: dict[str, tuple[str, ...]] = {
    "parameterisation": ("reference", "paper"),
    "warmup": ("true", "peak"),
}
_ROWS: dict[str, Any] = {"pretraining": ("falling", "all", "none"), "domains": ("goals", "all")}
_NOISE_FLAGS = ("early", "ar1", "domain_correlation")
_FORMAT = CardFormat(tuple(_CHOICES), ("law", "rows", "noise", "priors"), cards_folder)


def shipped_cards() -> tuple[str, ...]:
    """Names of the cards shipped with the package.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> shipped_cards()[:4]
    ('annealing', 'annealing_mpl', 'cpt', 'cpt_fade')
    """
    return _FORMAT.shipped()


def load_card(card: str | Path | Card) -> Card:
    """Read a card by name or from a file.

    Parameters
    ----------
    card : str, Path or Card
        Name of a shipped card, path of a TOML file, or a Card (returned unchanged).

    Returns
    -------
    Card

    Raises
    ------
    CardError
        If there is no such card, or the file is invalid; the message lists the allowed values.

    Examples
    --------
    >>> load_card("cpt_replay").choices["replay"]
    'memory'
    """
    if isinstance(card, Card):
        return card
    return _card(_FORMAT.load(card))


def parse_card(text: str, where: str = "card") -> Card:
    r"""Read a card from TOML text.

    Parameters
    ----------
    text : str
        TOML text.
    where : str
        Name of the card in error messages.

    Returns
    -------
    Card

    Raises
    ------
    CardError
        If a key, term, distribution or argument is unknown, or a reason is missing.

    Examples
    --------
    >>> parse_card('name = "plain"\ndescription = "Pre-training."').choices["annealing"]
    'momentum'
    """
    return _card(_FORMAT.parse(text, where))


def _card(table: CardTable) -> Card:
    if table.below is not None:
        _card(table.below)  # its own errors are not hidden by what this card changes
    where, content = table.where, table.content
    choices = {**DEFAULTS, **table.section("law", tuple(TERMS))}
    check_choices(choices, f"{where}: law")
    if content.get("parameterisation") == "paper":
        _check_symbols(choices, where)
    values: dict[str, Any] = {
        "name": content["name"],
        "description": content["description"],
        "parameterisation": content.get("parameterisation", "reference"),
        "warmup": content.get("warmup", "true"),
        "choices": choices,
        **_rows(table),
        **_noise(table),
    }
    for key, allowed in _CHOICES.items():
        _one_of(values[key], allowed, f"{where}: {key}")
    values["priors"] = table.priors(_parameters(values))
    try:
        return Card(**values)
    except CardError as error:
        raise CardError(f"{where}: {error}") from error


def _check_symbols(choices: Mapping[str, str], where: str) -> None:
    """Raise if a term has no symbols in the paper."""
    for slot, name in choices.items():
        term = TERMS[slot].get(name)
        if term is not None and not term.in_paper:
            known = [other for other, kind in TERMS[slot].items() if kind.in_paper]
            raise CardError(
                f"{where}: parameterisation 'paper' has symbols for law.{slot} = "
                f"{' or '.join(map(repr, known))} only; got {name!r}"
            )


def _parameters(values: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Parameters of a card, before its priors are known."""
    pretraining = values["pretraining"] != "none"
    law = Law(
        values["choices"], values["parameterisation"] == "paper", pretraining, values["warmup"]
    )
    flags = {flag: values[flag] for flag in _NOISE_FLAGS}
    noise = NOISES[values["family"]](**flags, continual=law.continual, pretraining=pretraining)
    size = (RUN_SD,) if values["marginal_effects"] else ()
    return (*law.parameters, *noise.parameters, *size)


def _rows(table: CardTable) -> dict[str, Any]:
    where, rows = table.where, table.section("rows", (*_ROWS, "skip_pretraining", "level_sd"))
    skip, level = rows.get("skip_pretraining", 0.1), rows.get("level_sd", 0.02)
    out = {
        "pretraining": rows.get("pretraining", "falling"),
        "skip_pretraining": _number(skip, 0.0, 0.9, f"{where}: rows.skip_pretraining"),
        "domains": rows.get("domains", "goals"),
        "level_sd": _number(level, 1e-6, 10.0, f"{where}: rows.level_sd"),
    }
    for key, allowed in _ROWS.items():
        _one_of(out[key], allowed, f"{where}: {key}")
    return out


def _noise(table: CardTable) -> dict[str, Any]:
    where = table.where
    flags = (*_NOISE_FLAGS, "marginal_effects")
    noise = table.section("noise", ("family", *flags, "run_effects"))
    effects = noise.get("run_effects", [])
    known = effect_names()
    if not isinstance(effects, list) or any(effects.count(effect) > 1 for effect in effects):
        raise CardError(
            f"{where}: noise.run_effects = {effects!r} must be a list without repeats of "
            f"{', '.join(known)}"
        )
    for effect in effects:
        _one_of(effect, known, f"{where}: noise.run_effects")
    out = {
        "family": noise.get("family", "normal"),
        "run_effects": tuple(effects),
        **{flag: noise.get(flag, False) for flag in flags},
    }
    _one_of(out["family"], tuple(NOISES), f"{where}: family")
    for flag in flags:
        if not isinstance(out[flag], bool):
            raise CardError(f"{where}: noise.{flag} = {out[flag]!r} must be true or false")
    return out


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> None:
    if value not in allowed:
        raise CardError(f"{where} = {value!r}; allowed are {', '.join(allowed)}")


def _number(value: Any, low: float, high: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CardError(f"{where} = {value!r} must be a number from {low:g} to {high:g}")
    return float(value)
