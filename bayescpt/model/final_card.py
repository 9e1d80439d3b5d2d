"""Cards of laws of final losses: the law, its parts and the priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescpt.errors import CardError
from bayescpt.laws.final import FINAL_LAWS, FinalLaw
from bayescpt.laws.parameter import Parameter
from bayescpt.model.card_table import CardFormat, CardTable
from bayescpt.model.folder import cards_folder
from bayescpt.model.priors import Prior, parse_prior

if TYPE_CHECKING:
    from bayescpt.data import Study

_FORMAT = CardFormat(
    (),
    ("law", "priors"),
    lambda: cards_folder() / "final",
    " for final losses (the study's runs have no schedules)",
)
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
    return _FORMAT.shipped()


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
    return _card(_FORMAT.load(card))


def _card(table: CardTable) -> FinalCard:
    if table.below is not None:
        _card(table.below)  # its own errors are not hidden by what this card changes
    where, law = table.where, table.section("law", _LAW_KEYS)
    if law.get("final") not in FINAL_LAWS:
        given = f"law.final = {law['final']!r}" if "final" in law else "law.final is missing"
        raise CardError(f"{where}: {given}; allowed are {', '.join(FINAL_LAWS)}")
    for key in ("lr", "base_effect"):
        if not isinstance(law.get(key, True), bool):
            raise CardError(f"{where}: law.{key} = {law[key]!r}; expected true or false")
    card = FinalCard(
        table.content["name"],
        table.content["description"],
        law["final"],
        law.get("lr", True),
        law.get("base_effect", True),
        {},
    )
    return replace(card, priors=table.priors(card.parameters()))
