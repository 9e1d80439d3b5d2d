"""Terms of the law: the base class, which says how to add one, and the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayescpt.laws.effect import Effect
from bayescpt.laws.parameter import Parameter

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.laws.trajectory import Trajectory
    from bayescpt.laws.view import View


@dataclass(frozen=True)
class Setting:
    """Settings of the card that a term may read.

    Attributes
    ----------
    choices : Mapping of str to str
        The card's ``[law]`` table: the name chosen in every slot.
    paper : bool
        Whether the paper's raw symbols are sampled, in place of the reference quantities.
    pretraining : bool
        Whether rows of pre-training runs are fitted.
    continual : bool
        Whether continual pre-training is described.

    Examples
    --------
    >>> Setting({"annealing": "area", "rewarm": "own"}).choices["rewarm"]
    'own'
    """

    choices: Mapping[str, str]
    paper: bool = False
    pretraining: bool = True
    continual: bool = True


class Term:
    """One term of the law: it adds nats to the expected loss.

    How to add a term: write one file in bayescpt/laws/terms/, where it is found (or in a package of
    your own, whose module must be imported before the card is read: in Python only), with a
    subclass, decorated with `register`, and give it

    1. ``slot`` and ``name``: the card says ``[law]`` ``slot = "name"``. A new slot is optional in
       cards; choosing ``"none"`` leaves it out.
    2. `parameters`: a tuple of `Parameter` (laws/parameter.py), each with its dimensions, prior,
       unit, range, source and the pilot runs that would determine it (laws/pilots.py).
    3. `features`: what the term reads of a trajectory, from a `View` (laws/view.py), whose
       ``trajectory`` has ``lr`` and ``replay`` of every step; arrays over steps are indexed with
       ``view.steps``. A number becomes an array over segments (a run on a domain), an array of
       shape (n,) one over rows, an array of shape (n, J) a basis: columns that `weights` combines
       into one array of shape (n,) by functions of the parameters (an inferred memory, an exponent
       of the LR). Parameters in `weights` have no dimensions but come as many draws at once: write
       ``p["x"][..., None] * columns``. A state along the run, such as that of a curriculum, is
       computed here. Names of features and parameters are shared by all terms of a law: prefix
       yours with the slot.
    4. `coefficients`: what the rows of a segment share, from the parameters and the segment's
       features.
    5. `rows`: the term in nats from coefficients and row features, by operators, of `xp` only
       ``exp``, ``expm1``, ``log``, ``log1p`` and ``sqrt``, and `bayescpt.laws.functions`; other
       functions need a rule in bayescpt/model/compiled/emitter.py. A term that is one number a
       segment leaves it out and returns the coefficient ``offset``.
    6. a test of its own in tests/laws/, with the equation written a second time: the truth test
       shows that all evaluations of `rows` agree, not that it is the right equation.

    This is all that a fit through the compiled pass, a saved file, a forecast, screening, advice
    and ``bayescpt cards`` need: partial derivatives are derived from `rows` symbolically. The truth
    test (tests/laws/test_truth.py) evaluates every registered term in NumPy, xarray, PyTensor and
    the compiled pass, at random points and at the ends of its priors. Optional: `phases`, where it
    applies; `fixed`, coefficients that depend on no parameter; `extends`, the slot of the term
    whose place it takes; `weights`; `effects`; `reference_points`; `to_reference`, `symbols` and
    `derived` for the paper's raw symbols; `uses`; `course`; `net`, `net_share` and
    `at_reference`; `adjusted`, parameters of other terms as they are on this one's segments;
    `pooled` and `population`, parameters whose entries are drawn from a population.

    Parameters
    ----------
    setting : Setting
        What the term may know of the card that names it.

    Attributes
    ----------
    slot, name : str
        Key and value in a card's ``[law]`` table.
    phases : tuple of str
        Phases in which the term applies.
    fixed : tuple of str
        Coefficients that depend on no parameter, and so need no gradient.
    extends : str or None
        Slot of a term that this one replaces and requires.
    effects : tuple of Effect
        Deviations of whole runs defined by the term.
    derived : Mapping of str to (str, tuple of str)
        Unit and dimensions of what `symbols` and `to_reference` give.
    pretraining_symbols : tuple of str
        Those that only pre-training rows determine.
    in_paper : bool
        Whether a card on the paper's raw symbols may choose it.
    net : str or None
        Parameter, by pair and in nats, that measures a change over the reference run. Curves show
        the sum of all changes there, so it is sampled net of those that other terms know
        (`at_reference`): the model is the same, but without a ridge between the terms.

    Examples
    --------
    >>> import bayescpt.laws.law
    >>> base = TERMS["base"]["power"](Setting({}))
    >>> [parameter.name for parameter in base.parameters]
    ['base_ref', 'alpha_s1']
    >>> seen = {"log_area": np.log(4.0), "log_area_start": 0.0}
    >>> base.value({"base_ref": 0.2, "alpha_s1": 0.5}, seen).round(4).item()
    -0.1
    """

    slot: ClassVar[str]
    name: ClassVar[str]
    phases: ClassVar[tuple[str, ...]] = ("pt", "cpt")
    fixed: ClassVar[tuple[str, ...]] = ()
    extends: ClassVar[str | None] = None
    effects: ClassVar[tuple[Effect, ...]] = ()
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {}
    pretraining_symbols: ClassVar[tuple[str, ...]] = ()
    in_paper: ClassVar[bool] = True
    net: ClassVar[str | None] = None

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters that are sampled."""
        return ()

    @property
    def flat(self) -> bool:
        """Whether the term is one number a segment."""
        return type(self).rows is Term.rows

    @property
    def pooled(self) -> tuple[str, ...]:
        """Parameters of the law whose entries are drawn from a `population`."""
        return ()

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Features of a trajectory that the term reads.

        Parameters
        ----------
        view : View
            The trajectory at n steps.
        is_target : bool
            Whether the evaluated domain is what the run trains on.

        Returns
        -------
        Mapping of str to float or ndarray, shape (n,) or (n, J)
            Names are shared by all terms of a law.
        """
        return {}

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Mapping[str, Any]:
        """Weights of the columns of each basis, from parameters without dimensions.

        Parameters
        ----------
        p : Mapping
            Values by parameter, shape (...).
        refs : References
            Reference points.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        Mapping of str to array, shape (..., J)
            By the name of the basis.
        """
        return {}

    def adjusted(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> Mapping[str, Any]:
        """Parameters of the law that are others on a segment than at the reference.

        All terms read them in place of those in `p`. At a reference point of the segment features
        they must be the same, as `at_reference` and `symbols` are about the reference.

        Parameters
        ----------
        p : Mapping
            Values of the law's parameters for the segment's domain and target.
        f : Mapping
            Segment features of all terms.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        Mapping of str to array
            Only those that differ.
        """
        return {}

    def population(
        self,
        name: str,
        p: Mapping[str, Any],
        f: Mapping[str, Any],
        mu: float,
        sigma: float,
        xp: Any = np,
    ) -> tuple[Any, Any]:
        """Mean and standard deviation of the entries of a pooled parameter.

        Parameters
        ----------
        name : str
            One of `pooled`; its prior must be normal or log-normal.
        p : Mapping
            Values of this term's parameters, for the side of each entry.
        f : Mapping
            Of each entry: ``covariate`` of its target, and ``is_target``.
        mu, sigma : float
            Of the card's prior.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        mean, sd : array
            On the scale of the prior.
        """
        raise NotImplementedError

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Coefficients shared by the rows of a segment.

        Parameters
        ----------
        p : Mapping
            Values of the law's parameters for the segment's domain and target.
        f : Mapping
            Segment features of all terms; ``is_cpt``, ``is_target`` and ``replay``, the replay
            ratio that is remembered.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        dict of str to array
            ``offset`` in nats for a term that is one number a segment.
        """
        raise NotImplementedError

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Contribution to the expected loss of every row.

        Parameters
        ----------
        c : Mapping
            From `coefficients`.
        f : Mapping
            Segment and row features; a basis as its weighted sum.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        array
            Nats; broadcast shape of the arguments.
        """
        return c["offset"]

    def value(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the equation: `rows` of the `coefficients`, in nats."""
        return self.rows(self.coefficients(p, f, xp), f, xp)

    def applies(self, is_cpt: bool) -> bool:
        """Return whether the term has a part in a phase."""
        return ("cpt" if is_cpt else "pt") in self.phases

    def uses(self, parameter: str, is_target: bool) -> bool:
        """Return whether a parameter's entry, for a target or another domain, has a part."""
        return True

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Reference points specific to the term.

        Parameters
        ----------
        fitted : sequence of Trajectory
            The runs that set reference points.
        refs : References
            Those of all laws.

        Returns
        -------
        Mapping of str to float
        """
        return {}

    def to_reference(self, raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict:
        """Reference quantities from the paper's symbols; the inverse of `symbols`.

        Parameters
        ----------
        raw : Mapping
            The paper's symbols, and the reference quantities of the terms before.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        dict
        """
        return {}

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Symbols of the paper from the reference quantities.

        Parameters
        ----------
        ref : Mapping
            Reference quantities.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        dict
        """
        return {}

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return the term's change over the reference run, nats by domain; 0 unless it knows."""
        return 0.0

    def net_share(self, refs: References) -> Any:
        """Return the share of the other terms' changes that `net` is sampled with, 0..1."""
        return 1.0

    def course(self, is_cpt: bool) -> str | None:
        """Return the parameter that measures the loss's course in a phase, nats; None for none."""
        return None


# Terms by slot and name. The order of the slots is that of the terms in a law.
TERMS: dict[str, dict[str, type[Term]]] = {}


def register(term: type[Term]) -> type[Term]:
    """Register a term for cards, by slot and name.

    Parameters
    ----------
    term : type
        Subclass of `Term`.

    Returns
    -------
    type
        The same, so that it serves as a decorator.

    Raises
    ------
    ValueError
        If another term has the slot and name.

    Examples
    --------
    >>> @register
    ... class Offset(Term):
    ...     slot, name = "offset", "half"
    ...
    ...     def coefficients(self, p, f, xp=np):
    ...         return {"offset": 0.5}
    >>> TERMS["offset"]["half"](Setting({})).value({}, {})  # in cards: [law] offset = "half"
    0.5
    >>> unregister(Offset)
    """
    names = TERMS.setdefault(term.slot, {})
    known = names.get(term.name)
    # Reimporting a module registers its terms again.
    if known is not None and place(known) != place(term):
        raise ValueError(
            f"law.{term.slot} = {term.name!r} is already registered as {known.__qualname__}"
        )
    names[term.name] = term
    return term


def place(kind: type) -> tuple[str, str]:
    """Location of a class, unchanged if its file is executed again.

    Parameters
    ----------
    kind : type
        A term or noise model.

    Returns
    -------
    tuple of str
        Module and qualified name.

    Examples
    --------
    >>> place(Term)
    ('bayescpt.laws.term', 'Term')
    """
    return kind.__module__, kind.__qualname__


def unregister(term: type[Term]) -> None:
    """Remove a term from the registry.

    Parameters
    ----------
    term : type
        A registered term.

    Examples
    --------
    >>> @register
    ... class Offset(Term):
    ...     slot, name = "offset", "none at all"
    >>> unregister(Offset)
    >>> "offset" in TERMS
    False
    """
    TERMS[term.slot].pop(term.name, None)
    if not TERMS[term.slot]:
        del TERMS[term.slot]


def effect_names() -> tuple[str, ...]:
    """Names of the effects of runs defined by the registered terms.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import bayescpt.laws.law
    >>> sorted(effect_names())
    ['anneal', 'drift', 'level', 'shift']
    """
    names = (e.name for kinds in TERMS.values() for term in kinds.values() for e in term.effects)
    return tuple(dict.fromkeys(names))
