"""Model cards: law components, priors and noise model, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayescpt.errors import CardError
from bayescpt.laws import annealing, base, paper, replay, shift
from bayescpt.laws.features import EFFECTS
from bayescpt.laws.table import Parameter
from bayescpt.model import noise_table
from bayescpt.model.folder import cards_folder
from bayescpt.model.priors import Prior, parse_prior

_CHOICES: dict[str, tuple[str, ...]] = {
    "parameterisation": ("reference", "paper"),
    "warmup": ("true", "peak"),
}
_LAW: dict[str, tuple[str, ...]] = {
    "base": ("power",),
    "annealing": tuple(annealing.KERNELS),
    "shift": ("none", "power"),
    "rewarm": ("annealing", "own"),
    "replay": ("none", "own_share", "memory", "exponential"),
}
_ROWS: dict[str, Any] = {"pretraining": ("falling", "all", "none"), "domains": ("goals", "all")}
_NOISE: dict[str, Any] = {"family": ("normal", "student_t")}
_NOISE_FLAGS = ("early", "ar1", "domain_correlation")
_TOP = ("name", "description", "parameterisation", "warmup", "law", "rows", "noise", "priors")


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes
    ----------
    name, description : str
        What it is.
    parameterisation : str
        ``reference``: priors on nats at reference points; ``paper``: on the paper's raw symbols.
    warmup : str
        ``true``: warm-up steps count with their LR; ``peak``: as if at the peak.
    law : Mapping
        Component by term: base, annealing, shift, rewarm, replay.
    pretraining : str
        Which pre-training rows are fitted beside CPT runs: ``all``, ``none``, or ``falling``, those
        of the domains whose loss falls over the second half of pre-training.
    skip_pretraining : float
        Share of a pre-training run left out at its start.
    domains : str
        ``goals``: the general set and the targets; ``all``: out-of-domain sets too.
    family : str
        ``normal`` or ``student_t``.
    early, ar1, domain_correlation : bool
        Parts of the noise model.
    run_effects : tuple of str
        Terms with an effect of the run (`bayescpt.inference.misfit`): level, shift, anneal, drift.
    priors : Mapping
        Prior by parameter name, of every parameter of the card.
    level_sd : float
        How far the law's start level may lie from the measured loss of the checkpoint, nats.
    text : str
        The TOML it was read from.
    """

    name: str
    description: str
    parameterisation: str
    warmup: str
    law: Mapping[str, str]
    pretraining: str
    skip_pretraining: float
    domains: str
    family: str
    early: bool
    ar1: bool
    domain_correlation: bool
    run_effects: tuple[str, ...]
    level_sd: float
    priors: Mapping[str, Prior]
    text: str = field(repr=False, default="")

    @property
    def has_shift(self) -> bool:
        """Whether the card describes continual pre-training."""
        return self.law["shift"] != "none"

    @property
    def plain_noise(self) -> bool:
        """Whether the noise of every row is normal and independent of the others."""
        return self.family == "normal" and not (self.ar1 or self.domain_correlation)

    def area_name(self, is_target: bool) -> str:
        """Feature that the shift of a domain grows with.

        Parameters
        ----------
        is_target : bool
            Whether the run trains on the domain.

        Returns
        -------
        str
            ``shift_area``, or ``target_area`` under ``memory``.
        """
        return "target_area" if is_target and self.law["replay"] == "memory" else "shift_area"

    def uses(self, name: str, label: str) -> bool:
        """Tell whether a parameter's entry has a part in the law.

        Parameters
        ----------
        name : str
            Parameter.
        label : str
            Entry along its dimension, such as ``general|german``.

        Returns
        -------
        bool
            False for the share response of a target, and the token count of another set, under
            ``memory``: such entries keep their prior.
        """
        if self.law["replay"] != "memory":
            return True
        domain, _, target = str(label).partition("|")
        if name == "share_gamma":
            return domain != target
        return name != "share_kappa" or domain == target

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the card's components, laws first.

        Returns
        -------
        tuple of Parameter
        """
        return _parameters(self)


def _parameters(card: Any) -> tuple[Parameter, ...]:
    raw = card.parameterisation == "paper"
    wanted = [*paper.BASE] if raw else [*base.PARAMETERS]
    wanted += annealing.KERNELS[card.law["annealing"]]
    has_shift = card.law["shift"] != "none"
    if card.law["rewarm"] == "own":
        wanted += [annealing.REWARM, shift.JUMP]
    if has_shift:
        wanted += [paper.C2, *paper.SHIFT] if raw else [annealing.ANNEAL, *shift.PARAMETERS]
    # The pre-training term drops out where no pre-training row is fitted and nothing needs it.
    if raw or not has_shift or card.pretraining != "none":
        wanted += [paper.C1] if raw else [annealing.ANNEAL_PT, base.LEVEL_PT]
    if card.law["replay"] == "own_share":
        wanted += replay.POWER_PARAMETERS
    elif card.law["replay"] == "memory":
        wanted += [replay.KAPPA, replay.SHARE_GAMMA, shift.PEAK_EXPONENT, shift.SPEED_EXPONENT]
    elif card.law["replay"] == "exponential":
        wanted += replay.EXPONENTIAL_PARAMETERS
    wanted.append(noise_table.SIGMA)
    if has_shift and card.pretraining != "none":
        wanted.append(noise_table.SIGMA_PT)
    if card.family == "student_t":
        wanted.append(noise_table.NU)
    if card.early:
        wanted += noise_table.EARLY
    if card.ar1:
        wanted.append(noise_table.CORRELATION_STEPS)
    if card.domain_correlation:
        wanted.append(noise_table.DOMAIN_CORRELATION)
    return tuple(wanted)


def shipped_cards() -> tuple[str, ...]:
    """Names of the cards that come with the package.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted(path.stem for path in cards_folder().glob("*.toml")))


def load_card(card: str | Path | Card) -> Card:
    """Read a card by name or from a file.

    Parameters
    ----------
    card : str, Path or Card
        Name of a shipped card, path of a TOML file, or a Card (returned as it is).

    Returns
    -------
    Card

    Raises
    ------
    CardError
        If there is no such card, or the file has a defect; the message lists what is allowed.
    """
    if isinstance(card, Card):
        return card
    if str(card) in shipped_cards():
        path = cards_folder() / f"{card}.toml"
    else:
        path = Path(card)
        if not path.is_file():
            raise CardError(
                f"no card {str(card)!r}: give a file, or one of {', '.join(shipped_cards())}"
            )
    return parse_card(path.read_text(encoding="utf-8"), str(path))


def parse_card(text: str, where: str = "card") -> Card:
    """Read a card from TOML text.

    Parameters
    ----------
    text : str
        TOML.
    where : str
        What to call it in an error.

    Returns
    -------
    Card

    Raises
    ------
    CardError
        If a key, component, distribution or argument is unknown, or a reason is missing.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{where}: not TOML: {error}") from error
    _known(table, _TOP, where)
    for key in ("name", "description"):
        if not isinstance(table.get(key), str):
            raise CardError(f"{where}: `{key}` is missing")
    law = {
        "base": "power",
        "annealing": "momentum",
        "shift": "none",
        "rewarm": "annealing",
        "replay": "none",
    }
    law |= _section(table, "law", tuple(_LAW), where)
    for key, value in law.items():
        _one_of(value, _LAW[key], f"{where}: law.{key}")
    if law["shift"] == "none" and law["replay"] != "none":
        raise CardError(f"{where}: law.replay = {law['replay']!r} needs law.shift")
    if law["shift"] == "none" and law["rewarm"] != "annealing":
        raise CardError(f"{where}: law.rewarm = {law['rewarm']!r} needs law.shift")
    if table.get("parameterisation") == "paper" and law["annealing"] != "momentum":
        raise CardError(
            f"{where}: parameterisation 'paper' has symbols for law.annealing = 'momentum' only; "
            f"got {law['annealing']!r}"
        )
    rows = _section(table, "rows", (*_ROWS, "skip_pretraining", "level_sd"), where)
    noise = _section(table, "noise", (*_NOISE, *_NOISE_FLAGS, "run_effects"), where)
    effects = noise.get("run_effects", [])
    if not isinstance(effects, list) or any(effects.count(effect) > 1 for effect in effects):
        raise CardError(
            f"{where}: noise.run_effects = {effects!r} must be a list, each term once, of "
            f"{', '.join(EFFECTS)}"
        )
    for effect in effects:
        _one_of(effect, tuple(EFFECTS), f"{where}: noise.run_effects")
    if law["shift"] == "none" and "shift" in effects:
        raise CardError(f"{where}: noise.run_effects has 'shift', which needs law.shift")
    values: dict[str, Any] = {
        "name": table["name"],
        "description": table["description"],
        "parameterisation": table.get("parameterisation", "reference"),
        "warmup": table.get("warmup", "true"),
        "law": law,
        "pretraining": rows.get("pretraining", "falling"),
        "skip_pretraining": _number(
            rows.get("skip_pretraining", 0.1), 0.0, 0.9, f"{where}: rows.skip_pretraining"
        ),
        "domains": rows.get("domains", "goals"),
        "level_sd": _number(rows.get("level_sd", 0.02), 1e-6, 10.0, f"{where}: rows.level_sd"),
        "family": noise.get("family", "normal"),
        "run_effects": tuple(effects),
        **{flag: noise.get(flag, False) for flag in _NOISE_FLAGS},
    }
    for key, allowed in {**_CHOICES, **_ROWS, **_NOISE}.items():
        _one_of(values[key], allowed, f"{where}: {key}")
    for flag in _NOISE_FLAGS:
        if not isinstance(values[flag], bool):
            raise CardError(f"{where}: noise.{flag} = {values[flag]!r} must be true or false")
    wanted = {p.name: p for p in _parameters(_Draft(values))}
    given = _section(table, "priors", tuple(wanted), where)
    priors = {}
    for name, parameter in wanted.items():
        entry = given.get(name, {**parameter.default, "reason": parameter.reason})
        priors[name] = _inside(parse_prior(entry, f"{where}: priors.{name}"), parameter, where)
    return Card(**values, priors=priors, text=text)


class _Draft:
    """Attribute access to a card's values before the priors are known."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


def _section(
    table: Mapping[str, Any], name: str, allowed: tuple[str, ...], where: str
) -> dict[str, Any]:
    section = table.get(name, {})
    if not isinstance(section, dict):
        raise CardError(f"{where}: `{name}` must be a table [{name}]")
    _known(section, allowed, f"{where}: [{name}]")
    return section


def _known(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in allowed]
    if unknown:
        raise CardError(f"{where}: unknown {', '.join(unknown)}; allowed are {', '.join(allowed)}")


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> None:
    if value not in allowed:
        raise CardError(f"{where} = {value!r}; allowed are {', '.join(allowed)}")


def _number(value: Any, low: float, high: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CardError(f"{where} = {value!r} must be a number from {low:g} to {high:g}")
    return float(value)


def _inside(prior: Prior, parameter: Parameter, where: str) -> Prior:
    """Refuse a prior with more than .1% of its mass where the parameter means nothing."""
    outside = prior.outside(parameter.lower, parameter.upper)
    # Past the memory nodes the interpolated annealing area explodes: no mass at all.
    if outside > (0.0 if parameter is annealing.LOG_MEMORY else 1e-3):
        raise CardError(
            f"{where}: priors.{parameter.name}: {prior} has {outside:.2%} of its mass outside "
            f"{parameter.lower:g}..{parameter.upper:g} {parameter.unit}; bound it or move it"
        )
    return prior
