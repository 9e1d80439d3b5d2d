"""Interface of laws of final losses, and how to add one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayescpt.errors import CardError
from bayescpt.laws.final.learning_rate import LR_PARAMETERS, lr_effect
from bayescpt.laws.parameter import Parameter

FINAL_LAWS: dict[str, type[FinalLaw]] = {}
# Covariates that runs may differ by; a parameter is informed only where those it needs vary.
COVARIATES = ("n_params", "tokens", "share", "lr")


@dataclass(frozen=True)
class Points:
    """What a law responds to, for one or more runs and one set each.

    Attributes
    ----------
    size, tokens, lr : array, shape (..., n)
        Natural logarithms of the number of parameters, the tokens and the LR, over those of the
        reference point; 0 where they are not known.
    share : array, shape (..., n)
        Share of the set's own source in the mixture, 0 to 1.
    shares : array, shape (..., n, sources)
        Share of each source.
    reference_share : array, shape (n,)
        Share of the set's own source at the reference point.
    least_tokens : float
        Lowest `tokens` of the fitted runs, at which the law must be monotonic.
    one_budget : float
        1 if all fitted runs have one number of tokens, else 0.
    """

    size: Any
    tokens: Any
    lr: Any
    share: Any
    shares: Any
    reference_share: Any
    least_tokens: float = 0.0
    one_budget: float = 0.0


class FinalLaw:
    """Base class of the laws of final losses.

    To add a law, write one file in ``bayescpt/laws/final`` with a class derived from this one:

    1. Set `name`, and `source`, the paper.
    2. List `parameters`. Their dimensions are ``set`` (one entry a validation set) and ``source``
       (one entry a part of the mixture). Levels and effects are in nats at the reference point, so
       that a prior can be held; the paper's symbols go in `symbols`.
    3. Say in `needs` by which covariates (of `COVARIATES`) the runs must differ to inform a
       parameter; without an entry, any runs do.
    4. Implement `value`, the equation, for NumPy and PyTensor (`xp`).
    5. Decorate the class with `register_final_law`, and import the module in ``__init__.py``.

    tests/laws/test_final_laws.py holds each law to its limits and both libraries to the same value;
    add a test with the published equation written a second time.

    Parameters
    ----------
    responds_to_lr : bool
        Whether the LR term is part of the law.

    Attributes
    ----------
    name : str
        Name in cards.
    source : str
        Where the equation is from.
    needs : mapping of str to tuple of str
        Covariates by parameter.

    Examples
    --------
    >>> from bayescpt.laws.final import FINAL_LAWS
    >>> sorted(FINAL_LAWS)
    ['chinchilla', 'dcpt', 'mixing']
    """

    name: ClassVar[str]
    source: ClassVar[str]
    own: ClassVar[tuple[Parameter, ...]]
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Whether the mixture, as replay ratio or as shares of sources, is part of the law.
    uses_share: ClassVar[bool] = False
    uses_sources: ClassVar[bool] = False

    def __init__(self, responds_to_lr: bool = True) -> None:
        self.responds_to_lr = responds_to_lr

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the law, those of the LR term last."""
        return (*self.own, *(LR_PARAMETERS if self.responds_to_lr else ()))

    def covariates(self, name: str) -> tuple[str, ...]:
        """Covariates by which runs must differ to inform a parameter.

        Parameters
        ----------
        name : str
            Name of the parameter.

        Returns
        -------
        tuple of str
            Of `COVARIATES`; empty for a parameter that any runs inform.
        """
        lr = {p.name: p.needs for p in LR_PARAMETERS}
        return tuple({**lr, **self.needs}.get(name, ()))

    def informed(self, name: str, varying: Mapping[str, bool]) -> bool:
        """Whether runs that differ by some covariates can inform a parameter.

        Parameters
        ----------
        name : str
            Name of the parameter.
        varying : mapping of str to bool
            Whether the fitted runs differ, by covariate.

        Returns
        -------
        bool
        """
        return all(varying[one] for one in self.covariates(name))

    def loss(self, p: Mapping[str, Any], x: Points, xp: Any = np) -> Any:
        """Expected final loss.

        Parameters
        ----------
        p : mapping of str to array
            Values of the parameters at each point, shape (..., n); those with dimension ``source``
            have shape (..., n, sources).
        x : Points
            The points.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array, shape (..., n)
            nats per token.
        """
        value = self.value(p, x, xp)
        return value + lr_effect(p, x.size, x.lr) if self.responds_to_lr else value

    def value(self, p: Mapping[str, Any], x: Points, xp: Any = np) -> Any:
        """Expected final loss at the reference LR; every law implements it.

        Parameters
        ----------
        p : mapping of str to array
            As in `loss`.
        x : Points
            The points.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array, shape (..., n)
            nats per token.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement value(p, x, xp)")

    def symbols(self, p: Mapping[str, Any], refs: Mapping[str, Any]) -> dict[str, Any]:
        """Symbols of the paper, for sizes in parameters and tokens in tokens.

        Parameters
        ----------
        p : mapping of str to array
            Draws of the parameters.
        refs : mapping of str to float or array
            Reference point: ``n_params``, ``tokens``, ``share`` (by set) and ``least_tokens``.

        Returns
        -------
        dict of str to array
            None by default.
        """
        return {}


def register_final_law(law: type[FinalLaw]) -> type[FinalLaw]:
    """Register a law of final losses.

    Parameters
    ----------
    law : type
        The law.

    Returns
    -------
    type
        The law itself.

    Raises
    ------
    CardError
        If its name is taken.
    """
    if FINAL_LAWS.get(law.name, law).__qualname__ != law.__qualname__:
        raise CardError(f"a law of final losses {law.name!r} is registered already")
    FINAL_LAWS[law.name] = law
    return law
