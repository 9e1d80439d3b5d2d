"""Cards of laws of final losses: the law, its parts and the priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescpt.errors import CardError
from bayescpt.laws.final import FINAL_LAWS, FinalLaw
from bayescpt.laws.parameter import Parameter
from bayescpt.model.folder import cards_folder
from bayescpt.model.priors import Prior, parse_prior
from bayescpt.toml_file import read_toml

if TYPE_CHECKING:
    from bayescpt.data import Study

_KEYS = ("name", "description", "law", "priors")
_LAW_KEYS = ("final", "lr", "base_effect")
NOISE = Parameter(
    "sigma", "sigma", "nat", ("set",), 0.0, 1.0,
    {"dist": "LogNormal", "mu": -5.3, "sigma": 0.7},
    "runs that differ by seed differ by .0006 to .02 nats, rounding to .01 has an sd of .003, laws "
    "are off by .002 to .01", "reasoned",
)  # fmt: skip
BASE_SD = Parameter(
    "base_sd", "sd of base effects", "nat", ("set",), 0.0, 1.0,
    {"dist": "LogNormal", "mu": -4.6, "sigma": 0.8},
    "bases of a ladder of sizes are off its trend by .003 to .03 nats", "reasoned",
)  # fmt: skip


@dataclass(frozen=True)
class FinalCard:
    """A card of a law of final losses.

    Attributes
    ----------
    name, description : str
        Name and one-line description.
    law_name : str
        Name of a registered law, one of `bayescpt.laws.final.FINAL_LAWS`.
    lr : bool
        Whether the law has the LR term.
    base_effect : bool
        Whether runs of one base and size share an effect, where there are several bases.
    priors : Mapping of str to Prior
        Priors by parameter.

    Examples
    --------
    >>> card = load_final_card("dcpt")
    >>> card.law.name, card.priors["gamma_r"].dist
    ('dcpt', 'LogNormal')
    """

    name: str
    description: str
    law_name: str
    lr: bool
    base_effect: bool
    priors: Mapping[str, Prior]

    @cached_property
    def law(self) -> FinalLaw:
        """The law."""
        return FINAL_LAWS[self.law_name](self.lr)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the law, then those of the noise.

        Returns
        -------
        tuple of Parameter
        """
        return (*self.law.parameters, NOISE, *((BASE_SD,) if self.base_effect else ()))

    def uses(self, name: str, label: str) -> bool:
        """Whether an entry of a parameter enters the law; here all do.

        Parameters
        ----------
        name, label : str
            Parameter, and entry along its dimension.

        Returns
        -------
        bool
        """
        return True

    def to_dict(self) -> dict[str, Any]:
        """Complete card as plain values.

        Returns
        -------
        dict
        """
        return {
            "name": self.name,
            "description": self.description,
            "final": self.law_name,
            "lr": self.lr,
            "base_effect": self.base_effect,
            "priors": {name: prior.to_dict() for name, prior in self.priors.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "card") -> FinalCard:
        """Card from the output of `to_dict`.

        Parameters
        ----------
        values : Mapping
            Output of `to_dict`.
        where : str
            Name of the card in error messages.

        Returns
        -------
        FinalCard

        Raises
        ------
        CardError
            If the law is not registered, or a prior is missing or invalid.
        """
        name = values["final"]
        if name not in FINAL_LAWS:
            raise CardError(f"{where}: law of final losses {name!r} is not registered")
        priors = {
            key: parse_prior(entry, f"{where}: priors.{key}")
            for key, entry in values["priors"].items()
        }
        card = cls(
            values["name"], values["description"], name, values["lr"], values["base_effect"], priors
        )
        missing = [p.name for p in card.parameters() if p.name not in priors]
        if missing:
            raise CardError(f"{where} has no prior for {', '.join(missing)}")
        return card


def final_cards() -> tuple[str, ...]:
    """Names of the shipped cards of laws of final losses.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> final_cards()
    ('chinchilla', 'dcpt', 'mixing')
    """
    return tuple(sorted(path.stem for path in (cards_folder() / "final").glob("*.toml")))


def default_final_card(study: Study) -> str:
    """Name of the card for a study of final losses.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    str
        ``mixing`` where runs have shares of sources, ``dcpt`` where they have replay ratios, else
        ``chinchilla``.
    """
    from bayescpt.data.final_losses import share_columns

    if share_columns(study.runs):
        return "mixing"
    return "dcpt" if study.cpt_runs else "chinchilla"


def load_final_card(card: str | Path | FinalCard) -> FinalCard:
    """Read a card of a law of final losses, by name or from a file.

    Parameters
    ----------
    card : str, Path or FinalCard
        Name of a shipped card, path of a TOML file, or a card (returned unchanged).

    Returns
    -------
    FinalCard

    Raises
    ------
    CardError
        If there is no such card, or the file is invalid.
    """
    if isinstance(card, FinalCard):
        return card
    if not isinstance(card, str | Path):
        raise CardError(
            f"a {type(card).__name__} is no card of a law of final losses, which a study without "
            f"schedules needs; give one of {', '.join(final_cards())}"
        )
    shipped = str(card) in final_cards()
    path = cards_folder() / "final" / f"{card}.toml" if shipped else Path(card)
    if not path.is_file():
        raise CardError(
            f"no card {str(card)!r} for final losses: the study's runs have no schedules; give one "
            f"of {', '.join(final_cards())}, or a TOML file with such a law"
        )
    where, table = str(path), read_toml(path, CardError)
    law = table.get("law", {})
    _known(table, _KEYS, where)
    if not isinstance(law, Mapping) or "final" not in law:
        raise CardError(f"{where}: law.final is missing; allowed are {', '.join(FINAL_LAWS)}")
    _known(law, _LAW_KEYS, f"{where}: law")
    if law["final"] not in FINAL_LAWS:
        raise CardError(
            f"{where}: law.final = {law['final']!r}; allowed are {', '.join(FINAL_LAWS)}"
        )
    for key in ("name", "description"):
        if not isinstance(table.get(key), str):
            raise CardError(f"{where}: `{key}` is missing")
    for key in ("lr", "base_effect"):
        if not isinstance(law.get(key, True), bool):
            raise CardError(f"{where}: law.{key} = {law[key]!r}; expected true or false")
    return _with_priors(table, law, where)


def _with_priors(table: Mapping[str, Any], law: Mapping[str, Any], where: str) -> FinalCard:
    empty = FinalCard(
        table["name"],
        table["description"],
        law["final"],
        law.get("lr", True),
        law.get("base_effect", True),
        {},
    )
    given, known = table.get("priors", {}), {p.name: p for p in empty.parameters()}
    _known(given, tuple(known), f"{where}: priors")
    priors = {}
    for name, parameter in known.items():
        entry = given.get(name) or {**parameter.default, "reason": parameter.reason}
        prior = parse_prior(entry, f"{where}: priors.{name}")
        outside = prior.outside(parameter.lower, parameter.upper)
        if outside > parameter.outside:
            raise CardError(
                f"{where}: priors.{name}: {prior} has {outside:.2g} of its mass outside "
                f"{parameter.lower:g} to {parameter.upper:g}, the range of {parameter.symbol}"
            )
        priors[name] = prior
    return FinalCard(
        empty.name, empty.description, empty.law_name, empty.lr, empty.base_effect, priors
    )


def _known(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise CardError(f"{where}: unknown key {key!r}; keys are {', '.join(allowed)}")
