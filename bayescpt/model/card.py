"""Model cards: which terms the law has, which priors, which noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from bayescpt.errors import CardError
from bayescpt.laws.law import Law
from bayescpt.laws.noise import Noise
from bayescpt.laws.noises import NOISES
from bayescpt.laws.parameter import Parameter
from bayescpt.model.priors import Prior, parse_prior


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
    choices : Mapping of str to str
        The ``[law]`` table: name of the term in every slot.
    pretraining : str
        Which pre-training rows are fitted beside CPT runs: ``all``, ``none``, or ``falling``, those
        of the domains whose loss falls over the second half of pre-training.
    skip_pretraining : float
        Share of a pre-training run left out at its start.
    domains : str
        ``goals``: the general set and the targets; ``all``: out-of-domain sets too.
    family : str
        Noise model: ``normal``, ``student_t`` or a registered one.
    early, ar1, domain_correlation : bool
        Parts of the noise model.
    run_effects : tuple of str
        Effects of runs, such as level, shift, anneal, drift; with normal, independent noise only.
    priors : Mapping of str to Prior
        Prior by parameter name, of every parameter of the card.
    level_sd : float
        How far the law's start level may lie from the measured loss of the checkpoint, nats.

    Raises
    ------
    CardError
        If effects of runs are combined with noise that is not normal and independent, or a
        parameter has no prior.

    Examples
    --------
    >>> from bayescpt.model.card_file import load_card
    >>> [parameter.name for parameter in load_card("annealing").parameters()][:2]
    ['base_ref', 'alpha_s1']
    """

    name: str
    description: str
    parameterisation: str
    warmup: str
    choices: Mapping[str, str]
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

    def __post_init__(self) -> None:
        """Check what a change in Python could break."""
        if self.run_effects and not self.plain_noise:
            raise CardError(
                f"card {self.name!r}: noise.run_effects = {list(self.run_effects)} are computed "
                f"for normal, independent noise; with family {self.family!r}, ar1 = {self.ar1}, "
                f"domain_correlation = {self.domain_correlation} leave them out (run_effects = [])"
            )
        unknown = [name for name in self.run_effects if name not in self.law.effects]
        if unknown:
            raise CardError(
                f"card {self.name!r}: noise.run_effects has {unknown[0]!r}, which no term of its "
                f"law has; its law has {', '.join(self.law.effects)}"
            )
        names = [parameter.name for parameter in self.parameters()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise CardError(
                f"card {self.name!r}: two terms have a parameter {twice[0]!r}; prefix one of them "
                "with its slot"
            )
        missing = [p.name for p in self.parameters() if p.name not in self.priors]
        if missing:
            raise CardError(f"card {self.name!r} has no prior of {', '.join(missing)}")

    @cached_property
    def law(self) -> Law:
        """The law: an ordered list of terms."""
        return Law(
            self.choices,
            paper=self.parameterisation == "paper",
            pretraining=self.pretraining != "none",
            warmup=self.warmup,
        )

    @cached_property
    def noise(self) -> Noise:
        """The noise model."""
        return NOISES[self.family](
            self.early,
            self.ar1,
            self.domain_correlation,
            self.continual,
            self.pretraining != "none",
        )

    @property
    def continual(self) -> bool:
        """Whether the card describes continual pre-training."""
        return self.law.continual

    @property
    def plain_noise(self) -> bool:
        """Whether the noise of every row is normal and independent of the others."""
        return self.family == "normal" and not self.noise.chained

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
            False for an entry that keeps its prior whatever the data say, such as the share
            response of a target.
        """
        domain, joined, target = str(label).partition("|")
        return not joined or self.law.uses(name, domain == target)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the law, then those of the noise.

        Returns
        -------
        tuple of Parameter
        """
        return (*self.law.parameters, *self.noise.parameters)

    def to_dict(self) -> dict[str, Any]:
        """Card as plain values, complete: no default of any version is left to be filled in.

        Returns
        -------
        dict
        """
        out: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        out["choices"], out["run_effects"] = dict(self.choices), list(self.run_effects)
        out["priors"] = {
            name: {"dist": prior.dist, **prior.args, "reason": prior.reason}
            for name, prior in self.priors.items()
        }
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "card") -> Card:
        """Card from what `to_dict` gave.

        Parameters
        ----------
        values : Mapping
            All of it.
        where : str
            What to call it in an error.

        Returns
        -------
        Card

        Raises
        ------
        CardError
            If something is missing or unknown, such as a term that is not registered here.
        """
        expected = {f.name for f in fields(cls)}
        if set(values) != expected:
            differ = sorted(expected ^ set(values))
            raise CardError(f"{where}: missing or unknown {', '.join(differ)}")
        check_choices(values["choices"], f"{where}: law")
        if values["family"] not in NOISES:
            raise CardError(f"{where}: no noise model {values['family']!r} is registered here")
        priors = {
            name: parse_prior(entry, f"{where}: priors.{name}")
            for name, entry in values["priors"].items()
        }
        effects = tuple(values["run_effects"])
        return cls(**{**values, "priors": priors, "run_effects": effects})


def check_choices(choices: Mapping[str, str], where: str) -> None:
    """Refuse terms that are not registered, or do not go together.

    Parameters
    ----------
    choices : Mapping of str to str
        Name of the term in every slot.
    where : str
        What to call it in an error.

    Raises
    ------
    CardError
        If a slot or a name is unknown, or a term lacks the one that it extends.
    """
    from bayescpt.laws.law import choices_of
    from bayescpt.laws.term import TERMS

    for slot, name in choices.items():
        if slot not in TERMS:
            raise CardError(
                f"{where} has no slot {slot!r}; slots are {', '.join(TERMS)} (a term of your own: "
                "import its module first)"
            )
        allowed = choices_of(slot)
        if name not in allowed:
            raise CardError(f"{where}.{slot} = {name!r}; allowed are {', '.join(allowed)}")
        term = TERMS[slot].get(name)
        if term is None:
            continue
        if term.extends is not None and choices.get(term.extends, "none") == "none":
            raise CardError(f"{where}.{slot} = {name!r} needs law.{term.extends}")
        if term.phases == ("cpt",) and choices.get("shift", "none") == "none":
            raise CardError(f"{where}.{slot} = {name!r} needs law.shift")
