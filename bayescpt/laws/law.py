"""The law: an ordered list of terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayescpt.laws import terms as _terms  # noqa: F401 -- registers them
from bayescpt.laws.effect import Effect
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import TERMS, Setting, Term
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

# Defaults of slots that a card does not name; other slots are omitted.
DEFAULTS = {
    "base": "power",
    "annealing": "momentum",
    "level": "anchored",
    "rewarm": "annealing",
    "shift": "none",
    "replay": "none",
}
# Choices that denote no term.
NO_TERM = {"rewarm": ("annealing",)}


def choices_of(slot: str) -> tuple[str, ...]:
    """Names available to cards in a slot.

    Parameters
    ----------
    slot : str
        Key of a card's ``[law]`` table.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> choices_of("rewarm")
    ('annealing', 'own', 'tied')
    """
    required = slot in ("base", "annealing", "level")
    absent = () if required else NO_TERM.get(slot, ("none",))
    return (*absent, *TERMS.get(slot, {}))


@dataclass(frozen=True)
class Law:
    """Expected loss as a sum of terms.

    Attributes
    ----------
    choices : Mapping of str to str
        Name of the term in every slot, as in a card's ``[law]`` table.
    paper : bool
        Whether the paper's raw symbols are sampled.
    pretraining : bool
        Whether rows of pre-training runs are fitted.
    warmup : str
        Convention of the areas, see `bayescpt.laws.points.References`.

    Examples
    --------
    >>> law = Law({"base": "power", "annealing": "momentum", "level": "anchored"})
    >>> [parameter.name for parameter in law.parameters]
    ['base_ref', 'alpha_s1', 'log_memory', 'anneal_pt_ref', 'level_pt']
    >>> p = {"base_ref": 0.2, "alpha_s1": 0.5, "anneal_pt_ref": 0.1, "level_pt": 3.0}
    >>> f = {"log_area": np.log([1.0, 4.0]), "log_area_start": 0.0, "anneal": np.array([0.0, 0.5])}
    >>> law.value(p, f | {"is_cpt": 0.0}).round(3).tolist()
    [3.0, 2.85]
    """

    choices: Mapping[str, str]
    paper: bool = False
    pretraining: bool = True
    warmup: str = "true"

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Terms, in the order of their slots."""
        chosen = {slot: TERMS[slot].get(name) for slot, name in self.choices.items()}
        replaced = {term.extends for term in chosen.values() if term is not None}
        setting = Setting(self.choices, self.paper, self.pretraining, self.continual)
        order = {slot: k for k, slot in enumerate(DEFAULTS)}
        slots = sorted(chosen, key=lambda slot: order.get(slot, len(order)))
        kinds = [chosen[slot] for slot in slots if slot not in replaced]
        return tuple(kind(setting) for kind in kinds if kind is not None)

    @property
    def continual(self) -> bool:
        """Whether the law describes continual pre-training."""
        return self.choices.get("shift", "none") != "none"

    @property
    def describes_pretraining(self) -> bool:
        """Whether the parameters of pre-training are part of the model."""
        return self.paper or self.pretraining or not self.continual

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of all terms, in their order."""
        return tuple(parameter for term in self.terms for parameter in term.parameters)

    @cached_property
    def pooled(self) -> dict[str, Term]:
        """Term that pools the entries of each parameter that is drawn from a population."""
        return {name: term for term in self.terms for name in term.pooled}

    @cached_property
    def effects(self) -> dict[str, tuple[Term, Effect]]:
        """Effects of runs by name, each with the term that has it."""
        return {effect.name: (term, effect) for term in self.terms for effect in term.effects}

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Names of the bases whose columns parameters combine."""
        return tuple(self.n_columns)

    @cached_property
    def n_columns(self) -> dict[str, int]:
        """Number of columns of each basis."""
        seen = self.features(sample_view(self), False)
        return {name: np.shape(value)[1] for name, value in seen.items() if np.ndim(value) == 2}

    @cached_property
    def segment_features(self) -> tuple[str, ...]:
        """Names of the features that are one number a segment."""
        seen = self.features(sample_view(self), False)
        return tuple(name for name, value in seen.items() if np.ndim(value) == 0)

    @cached_property
    def row_features(self) -> tuple[str, ...]:
        """Names of the features that are one number a row."""
        seen = self.features(sample_view(self), False)
        return tuple(name for name, value in seen.items() if np.ndim(value) == 1)

    @cached_property
    def needs_replay(self) -> bool:
        """Whether losses of continual pre-training depend on the replay ratio."""
        return self.continual and (
            self.choices.get("replay", "none") != "none" or self.reads_replay
        )

    @cached_property
    def reads_replay(self) -> bool:
        """Whether features or effects depend on replay ratios other than the remembered one."""

        def _read(ratio: float) -> list[Any]:
            view = sample_view(self, ratio)
            found = [self.features(view, is_target) for is_target in (False, True)]
            columns = [effect.column(term, view) for term, effect in self.effects.values()]
            return [*columns, *(value for one in found for value in one.values())]

        none, *others = (_read(ratio) for ratio in (0.0, 0.3, 0.7))
        pairs = (pair for other in others for pair in zip(none, other, strict=True))
        return not all(np.array_equal(*pair) for pair in pairs)

    def features(self, view: View, is_target: bool) -> dict[str, Any]:
        """Features of a trajectory, as the law reads them.

        Parameters
        ----------
        view : View
            The trajectory at n steps.
        is_target : bool
            Whether the evaluated domain is what the run trains on.

        Returns
        -------
        dict of str to float or ndarray, shape (n,) or (n, J)
        """
        out: dict[str, Any] = {}
        for term in self.terms:
            for name, value in term.features(view, is_target).items():
                # Several terms may read the same feature, but not two of one name.
                if name in out and not np.array_equal(out[name], value):
                    raise ValueError(
                        f"law.{term.slot} = {term.name!r}: another term has a different feature "
                        f"{name!r}; prefix this one with {term.slot!r}"
                    )
                out[name] = value
        return out

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return the weights of the columns of every basis, shape (..., J) by basis."""
        out: dict[str, Any] = {}
        for term in self.terms:
            own = term.weights(p, refs, xp)
            if xp is np:
                _check_weights(term, own, p)
            out |= own
        return out

    def adjusted(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> dict[str, Any]:
        """Parameters as they are on a segment, such as at its model size.

        Parameters
        ----------
        p : Mapping
            Values of the parameters for the segment's domain and target.
        f : Mapping
            Segment features of all terms.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        dict of str to array
        """
        own = dict(p)
        for term in self.terms:
            own |= term.adjusted(own, f, xp)
        return own

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, dict[str, Any]]:
        """Coefficients shared by the rows of a segment, by slot.

        Parameters
        ----------
        p : Mapping
            Values of the parameters for the segment's domain and target.
        f : Mapping
            Segment features of all terms, ``is_cpt``, ``is_target``, ``replay``.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        dict of str to dict
            The terms that are one number a segment make up the ``offset`` of slot ``level``.
        """
        out: dict[str, dict[str, Any]] = {}
        offset: Any = 0.0
        p = self.adjusted(p, f, xp)
        for term in self.terms:
            if _absent(term, f):
                continue
            found = term.coefficients(p, f, xp)
            if term.flat:
                offset = _in_phase(term, found["offset"], f) + offset
            else:
                out[term.slot] = found
        return {"level": {"offset": offset}, **out}

    def rows(self, c: Mapping[str, Mapping[str, Any]], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Expected loss of every row.

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
            Nats per token; broadcast shape of the arguments.
        """
        total = c["level"]["offset"]
        for term in self.terms:
            if term.flat or _absent(term, f):
                continue
            total = total + _in_phase(term, term.rows(c[term.slot], f, xp), f)
        return total

    def value(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the expected loss of every row from parameters and features, nats per token."""
        return self.rows(self.coefficients(p, f, xp), f, xp)

    def uses(self, parameter: str, is_target: bool) -> bool:
        """Return whether a parameter's entry, for a target or another domain, has a part."""
        return all(
            term.uses(parameter, is_target)
            for term in self.terms
            if parameter in {p.name for p in term.parameters}
        )

    def net(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """What is added to each parameter that is sampled net of other terms, see `Term.net`.

        Parameters
        ----------
        p : Mapping
            Values of the other parameters, by domain.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        dict of str to array
            Nats by domain; empty if no term knows its change over the reference run.
        """
        if not self.has_net:
            return {}
        rest = self.at_reference(p, refs, xp)
        return {term.net: term.net_share(refs) * rest for term in self.terms if term.net}

    @cached_property
    def has_net(self) -> bool:
        """Whether some term knows its change over the reference run."""
        known = any(type(term).at_reference is not Term.at_reference for term in self.terms)
        return known and self.continual and not self.paper

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Change of the loss over the reference run by the terms that know it.

        Parameters
        ----------
        p : Mapping
            Values of the parameters, by domain.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        array
            Nats; 0 if no term does.
        """
        return sum((term.at_reference(p, refs, xp) for term in self.terms), start=0.0)

    def course(self, is_cpt: bool) -> str | None:
        """Return the parameter that measures the loss's course in a phase."""
        return next((name for term in self.terms if (name := term.course(is_cpt))), None)

    def to_reference(
        self, raw: Mapping[str, Any], refs: References, xp: Any = np
    ) -> dict[str, Any]:
        """Reference quantities from the paper's symbols; the inverse of `symbols`.

        Parameters
        ----------
        raw : Mapping
            Values of the paper's symbols; arrays that broadcast by term.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        dict
        """
        out: dict[str, Any] = {}
        for term in self.terms:
            out |= term.to_reference({**raw, **out}, refs, xp)
        return out

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Symbols of the paper from the reference quantities; the inverse of `to_reference`.

        Parameters
        ----------
        ref : Mapping
            Values of the reference quantities.
        refs : References
            Reference points.
        xp : module
            ``numpy`` (also for xarray objects) or ``pytensor.tensor``.

        Returns
        -------
        dict
        """
        out: dict[str, Any] = {}
        for term in self.terms:
            out |= term.symbols(ref, refs, xp)
        return out

    @cached_property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of every parameter, symbol and reference quantity, and of ``start_level``."""
        out: dict[str, tuple[str, ...]] = {"start_level": ("level",)}
        for term in self.terms:
            out |= {name: dims for name, (_, dims) in term.derived.items()}
            out |= {parameter.name: parameter.dims for parameter in term.parameters}
        return out

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of every parameter, symbol and reference quantity."""
        out: dict[str, str] = {}
        for term in self.terms:
            out |= {name: unit for name, (unit, _) in term.derived.items()}
            out |= {parameter.name: parameter.unit for parameter in term.parameters}
        return out


def _check_weights(term: Term, weights: Mapping[str, Any], p: Mapping[str, Any]) -> None:
    """Refuse weights that would mix up draws and columns."""
    draws = [np.shape(p[one.name]) for one in term.parameters if not one.dims and one.name in p]
    for name, values in weights.items():
        if draws and np.shape(values)[:-1] != np.broadcast_shapes(*draws):
            raise ValueError(
                f"law.{term.slot} = {term.name!r}: the weights of {name!r} have shape "
                f"{np.shape(values)} for parameters of shape {np.broadcast_shapes(*draws)}; write "
                'p["name"][..., None] * columns, so that the columns come last'
            )


def _absent(term: Term, f: Mapping[str, Any]) -> bool:
    """Whether all rows are of a phase that the term has no part in."""
    return isinstance(f["is_cpt"], float) and not term.applies(f["is_cpt"] > 0)


def _in_phase(term: Term, part: Any, f: Mapping[str, Any]) -> Any:
    """A term's part; 0 on rows of a phase that the term has no part in."""
    if len(term.phases) > 1 or isinstance(f["is_cpt"], float):
        return part
    return part * (f["is_cpt"] if term.applies(True) else 1.0 - f["is_cpt"])


def sample_view(law: Law, replay: float = 0.0) -> View:
    """Two steps of a run, to learn which features the terms declare.

    Parameters
    ----------
    law : Law
        The law.
    replay : float
        Replay ratio of both.

    Returns
    -------
    View

    Examples
    --------
    >>> law = Law({"base": "power", "shift": "power"})
    >>> law.features(sample_view(law), False)["shift_area"].tolist()
    [0.5, 1.0]
    """
    before, lr = np.ones(2), np.ones(2)
    path = Trajectory(
        "sample", "cpt" if law.continual else "pt", lr, np.zeros(2),
        "base" if law.continual else None, 2.0 if law.continual else 0.0,
        (before,) if law.continual else (), 1.0 if law.continual else None, None,
    )  # fmt: skip
    points: dict[str, Any] = {"area": 2.0, "shift_area": 2.0, "peak_lr": 1.0, "start_seen": 1.0}
    for term in law.terms:
        points |= term.reference_points([path], References(points, law.warmup))
    shown = replace(path, replay=np.full(2, replay))
    return View(shown, np.array([1, 2]), References(points, law.warmup))
