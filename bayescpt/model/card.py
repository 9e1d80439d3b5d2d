"""Model cards: terms of the law, priors and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from bayescpt.errors import CardError
from bayescpt.laws.effect import RUN_SD
from bayescpt.laws.law import Law, choices_of
from bayescpt.laws.noise import Noise
from bayescpt.laws.noises import NOISES
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import TERMS
from bayescpt.model.priors import Prior, parse_prior


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes
    ----------
    name, description : str
        Name and one-line description.
    parameterisation : str
        ``reference``: priors on nats at reference points; ``paper``: on the paper's symbols.
    warmup : str
        ``true``: warm-up steps count with their LR; ``peak``: with the peak LR.
    choices : Mapping of str to str
        The ``[law]`` table: name of the term in each slot.
    pretraining : str
        Pre-training rows fitted along with CPT runs: ``all``, ``none``, or ``falling``, those of
        domains whose loss falls over the second half of pre-training.
    skip_pretraining : float
        Initial fraction of a pre-training run that is not fitted.
    domains : str
        ``goals``: the general set and the targets; ``all``: also out-of-domain sets.
    family : str
        Noise model: ``normal``, ``student_t`` or a registered one.
    early, ar1, domain_correlation : bool
        Parts of the noise model.
    run_effects : tuple of str
        Effects of runs, such as level, shift, anneal, drift; with normal, independent noise only.
    marginal_effects : bool
        Whether the likelihood has the effects of runs, marginalised, with a size that is a
        parameter; otherwise they are estimated after sampling.
    priors : Mapping of str to Prior
        Priors of all parameters of the card, by parameter name.
    level_sd : float
        Standard deviation of the start level around the measured loss of the checkpoint, nats.

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
    marginal_effects: bool
    level_sd: float
    priors: Mapping[str, Prior]

    def __post_init__(self) -> None:
        """Check consistency, since cards can also be modified in Python."""
        if self.run_effects and not self.plain_noise:
            raise CardError(
                f"card {self.name!r}: noise.run_effects = {list(self.run_effects)} require "
                f"independent normal noise; with family {self.family!r}, ar1 = {self.ar1}, "
                f"domain_correlation = {self.domain_correlation}, set run_effects = []"
            )
        unknown = [name for name in self.run_effects if name not in self.law.effects]
        if unknown:
            raise CardError(
                f"card {self.name!r}: noise.run_effects has {unknown[0]!r}, which no term of its "
                f"law defines; choose from {', '.join(self.law.effects)}"
            )
        if self.marginal_effects and not self.run_effects:
            raise CardError(
                f"card {self.name!r}: noise.marginal_effects needs noise.run_effects, such as "
                f"{list(self.law.effects)[:2]}"
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
            raise CardError(f"card {self.name!r} has no prior for {', '.join(missing)}")
        for name, term in self.law.pooled.items():
            prior = self.priors[name]
            if prior.truncated or prior.dist not in ("Normal", "LogNormal"):
                raise CardError(
                    f"card {self.name!r}: law.{term.slot} = {term.name!r} pools {name!r}, whose "
                    f"prior is {prior}: give a Normal without bounds, or a LogNormal"
                )

    @cached_property
    def law(self) -> Law:
        """The law, an ordered list of terms."""
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

    @property
    def net_parameters(self) -> tuple[str, ...]:
        """Parameters sampled net of other terms, see `bayescpt.laws.term.Term.net`."""
        # Only those whose prior is normal: a translation must not leave its range.
        names = [term.net for term in self.law.terms if term.net and self.law.has_net]
        chosen = ((name, self.priors[name]) for name in names)
        return tuple(
            name for name, prior in chosen if prior.dist == "Normal" and not prior.truncated
        )

    def uses(self, name: str, label: str) -> bool:
        """Whether an entry of a parameter enters the law.

        Parameters
        ----------
        name : str
            Name of the parameter.
        label : str
            Entry along its dimension, such as ``general|german``.

        Returns
        -------
        bool
            False for an entry that the data cannot inform, such as the share response of a target.
        """
        # A label is "general", "general|german", or with a model size "general|german|98,304".
        domain, *rest = str(label).split("|")
        if self.law.dims.get(name) == ("side",):
            return self.law.uses(name, domain == "target")
        return not rest or self.law.uses(name, domain == rest[0])

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the law, then those of the noise and of the effects of runs.

        Returns
        -------
        tuple of Parameter
        """
        size = (RUN_SD,) if self.marginal_effects else ()
        return (*self.law.parameters, *self.noise.parameters, *size)

    def to_dict(self) -> dict[str, Any]:
        """Complete card as plain values, independent of the defaults of any version.

        Returns
        -------
        dict
        """
        out: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        out["choices"], out["run_effects"] = dict(self.choices), list(self.run_effects)
        out["priors"] = {name: prior.to_dict() for name, prior in self.priors.items()}
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "card") -> Card:
        """Card from the output of `to_dict`.

        Parameters
        ----------
        values : Mapping
            Output of `to_dict`.
        where : str
            Name of the card in error messages.

        Returns
        -------
        Card

        Raises
        ------
        CardError
            If a key is missing or unknown, or a term or noise model is not registered.
        """
        expected = {f.name for f in fields(cls)}
        if set(values) != expected:
            differ = sorted(expected ^ set(values))
            raise CardError(f"{where}: missing or unknown {', '.join(differ)}")
        check_choices(values["choices"], f"{where}: law")
        if values["family"] not in NOISES:
            raise CardError(f"{where}: noise model {values['family']!r} is not registered")
        priors = {
            name: parse_prior(entry, f"{where}: priors.{name}")
            for name, entry in values["priors"].items()
        }
        effects = tuple(values["run_effects"])
        return cls(**{**values, "priors": priors, "run_effects": effects})


def check_choices(choices: Mapping[str, str], where: str) -> None:
    """Raise unless all terms are registered and compatible.

    Parameters
    ----------
    choices : Mapping of str to str
        Name of the term in each slot.
    where : str
        Name of the table in error messages.

    Raises
    ------
    CardError
        If a slot or a name is unknown, or a term requires another that is missing.
    """
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
