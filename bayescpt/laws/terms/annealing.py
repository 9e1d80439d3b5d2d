"""Annealing term: the drop of the loss when the LR comes down, with an inferred memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import warmup_steps
from bayescpt.laws.effect import Effect
from bayescpt.laws.functions import select
from bayescpt.laws.kernels import DECAY, KERNELS, SOURCE, Kernel, typical
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.points import References
from bayescpt.laws.term import TERMS, Term, register
from bayescpt.laws.trajectory import counted_lr
from bayescpt.laws.view import View

if TYPE_CHECKING:
    from bayescpt.laws.trajectory import Trajectory

Array = NDArray[np.float64]

# Drops are scaled to their value after this share of a run, or this many steps: about a decay
# phase, so that different rows identify the size of the drop and the shape of the kernel.
NORM_SHARE = 0.1
NORM_STEPS = 100.0
# Share of the peak LR from which a step counts as a whole one, in a kernel that counts steps.
WHOLE_STEP = 0.01
# 1 / (1 - lambda) in both papers.
PAPER_MEMORY = 1000.0
# The error of a large annealing drop can be larger: on the small real study, where the units of the
# effects meet, the noise is a twentieth of it.
EFFECT_SHARE = 0.05

ANNEAL = Parameter(
    "anneal_ref", "C2 peak / (1 - lambda)", "nat", ("domain",), 0.0, 5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C2 = .26-.44 at peak 2e-4 and lambda .999: .05-.09 nats; small models .1-.3",
    SOURCE, DECAY,
)  # fmt: skip
ANNEAL_PT = Parameter(
    "anneal_pt_ref", "C1 peak / (1 - lambda)", "nat", ("domain",), 0.0, 5.0,
    {"dist": "LogNormal", "mu": -2.3, "sigma": 0.8},
    "published C1 = .27-.49: as C2",
    SOURCE, DECAY,
)  # fmt: skip
FITS = "Wang et al., arXiv 2505.07796, Eq. 4 and the 18 published fits"
C1 = Parameter(
    "C1", "C1", "nat / (LR step)", ("domain",), 0.0, 100.0,
    {"dist": "LogNormal", "mu": -1.1, "sigma": 0.6},
    "published C1 = .27-.49 at lambda = .999",
    FITS, DECAY,
)  # fmt: skip
C2 = Parameter(
    "C2", "C2", "nat / (LR step)", ("domain",), 0.0, 100.0,
    {"dist": "LogNormal", "mu": -1.2, "sigma": 0.6},
    "published C2 = .26-.44 at lambda = .999",
    FITS, DECAY,
)  # fmt: skip


def _typical_drop(term: Annealing, view: View) -> Array:
    """A fixed shape near that of the drop."""
    return term.typical_drop(view)


EFFECT = Effect(
    "anneal",
    _typical_drop,
    # Few pilots may anneal, and the others are uninformative about it.
    group="anneal",
    share=EFFECT_SHARE,
    size={"cpt": "anneal_ref", "pt": "anneal_pt_ref"},
    ratio=4.0,
)


class Annealing(Term):
    """Drop of the loss by LR annealing; negative while the LR is warming up again.

    ``C S2`` of arXiv 2408.11029 with ``anneal = S2 (1 - lambda) / peak`` (1 after a full anneal
    from the reference peak LR) and ``anneal_ref = C peak / (1 - lambda)`` in nats: C and lambda
    form a ridge, the product ``C / (1 - lambda)`` does not. Under a heavy tail `anneal_ref` is what
    takes effect within ``anneal_steps``. With ``replay = "exponential"`` the drop changes with
    the replay ratio as exp(a2 r), arXiv 2505.07796, Eq. 8.

    Examples
    --------
    >>> from bayescpt.laws.term import Setting
    >>> term = MomentumAnnealing(Setting({"annealing": "momentum"}))
    >>> p = {"anneal_ref": 0.06, "anneal_pt_ref": 0.1}
    >>> [term.value(p, {"anneal": 1.0, "is_cpt": is_cpt}) for is_cpt in (1.0, 0.0)]
    [-0.06, -0.1]
    """

    slot = "annealing"
    kernel: ClassVar[Kernel]
    effects = (EFFECT,)
    derived: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "lambda": ("1", ()), "C1": (C1.unit, ("domain",)), "C2": (C2.unit, ("domain",)),
        "anneal_ref": ("nat", ("domain",)), "anneal_pt_ref": ("nat", ("domain",)),
    }  # fmt: skip
    pretraining_symbols = ("C1",)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The kernel's, and the size of the drop in each phase."""
        setting = self.setting
        continual = (C2,) if setting.paper else (ANNEAL,)
        pretraining = (C1,) if setting.paper else (ANNEAL_PT,)
        before = setting.paper or not setting.continual or setting.pretraining
        return (
            *self.kernel.parameters,
            *(continual if setting.continual else ()),
            *(pretraining if before else ()),
        )

    def features(self, view: View, is_target: bool) -> Mapping[str, Any]:
        """Return the basis of the annealing area, shape (n, J)."""
        return {"anneal": view.shared("annealing.basis", lambda: self._basis(view))}

    def typical_drop(self, view: View) -> Array:
        """Return the annealing area at the medians of the kernel's priors, shape (n,)."""
        weights = self.kernel.weights(typical(self.kernel), view.refs)
        return np.asarray(self.features(view, False)["anneal"] @ weights)

    def _basis(self, view: View) -> Array:
        kernel, lr, start = self.kernel, view.lr, view.trajectory.start_lr
        if self.setting.choices.get("rewarm") in TERMS.get("rewarm", ()) and view.is_cpt:
            # The rise up to the end of the re-warm-up has a separate size.
            top = warmup_steps(lr)
            lr = np.concatenate([np.full(top, lr[top]), lr[top:]])
            start = float(lr[0])
        basis = kernel.basis(lr, start, view.steps, view.refs)
        return basis if view.is_cpt or not kernel.holds_climb else basis + view.refs["climb"]

    def weights(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Mapping[str, Any]:
        """Return the weights of the basis."""
        return {"anneal": self.kernel.weights(p, refs, xp)}

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Return the size of the drop in the phase."""
        if "anneal_ref" not in p:
            return {"anneal_ref": p["anneal_pt_ref"]}
        size = p["anneal_ref"]
        if "anneal_replay" in p:
            size = size * xp.exp(p["anneal_replay"] * f["replay"])
        if "anneal_pt_ref" in p:
            size = select(f["is_cpt"], size, p["anneal_pt_ref"], xp)
        return {"anneal_ref": size}

    def rows(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return less the drop, nats."""
        return -c["anneal_ref"] * f["anneal"]

    def reference_points(
        self, fitted: Sequence[Trajectory], refs: References
    ) -> Mapping[str, float]:
        """Return ``anneal_steps``, after which a drop counts as 1, and the points of drops.

        ``whole_step_lr`` is the share of the peak LR from which a step counts as a whole one.
        ``anneal_end`` is the mean annealing area at the ends of the CPT runs.
        ``climb`` is the mean rise of the LR by the warm-ups of pre-training, over the peak, that
        the level holds: runs that all rise alike tell their sum only. It is 0 with CPT runs.
        """
        length = float(np.median([path.n_steps for path in fitted]))
        points = {
            "anneal_steps": max(NORM_STEPS, NORM_SHARE * length),
            "climb": 0.0,
            "whole_step_lr": WHOLE_STEP,
        }
        cpt = [path for path in fitted if path.is_cpt]
        if cpt:
            known = References({**refs.points, **points}, refs.warmup)
            ends = [self.typical_drop(View(p, np.array([p.n_steps]), known)) for p in cpt]
            points["anneal_end"] = float(np.mean(ends))
        else:
            rises = []
            for path in fitted:
                lr = counted_lr(path.lr, refs.warmup)
                rises.append(float(lr[warmup_steps(lr)] - lr[0]) / refs["peak_lr"])
            points["climb"] = float(np.mean(rises))
        return points

    def at_reference(self, p: Mapping[str, Any], refs: References, xp: Any = np) -> Any:
        """Return less the mean drop at the ends of the CPT runs, nats."""
        return -refs["anneal_end"] * p["anneal_ref"]

    def to_reference(self, raw: Mapping[str, Any], refs: References, xp: Any = np) -> dict:
        """Return the drops in nats from C1 and C2."""
        annealed = refs["peak_lr"] * xp.exp(raw["log_memory"])
        out = {"anneal_pt_ref": raw["C1"] * annealed}
        return out | ({"anneal_ref": raw["C2"] * annealed} if "C2" in raw else {})

    def symbols(self, ref: Mapping[str, Any], refs: References, xp: Any = np) -> dict[str, Any]:
        """Return those of lambda, C1 and C2 that are defined.

        What curves tell is the drop per unit of LR, C / (1 - lambda). A kernel without a lambda
        gives the C of the papers' lambda, for the drop within ``anneal_steps``.
        """
        out, memory = {}, PAPER_MEMORY
        if "log_memory" in ref:
            memory = xp.exp(ref["log_memory"])
            out["lambda"] = 1.0 - 1.0 / memory
        for name, drop in (("C1", "anneal_pt_ref"), ("C2", "anneal_ref")):
            if drop in ref:
                out[name] = ref[drop] / (refs["peak_lr"] * memory)
        return out


@register
class MomentumAnnealing(Annealing):
    """Annealing with an exponential memory in steps, arXiv 2408.11029."""

    name = "momentum"
    kernel = KERNELS["momentum"]


@register
class AreaAnnealing(Annealing):
    """Annealing with a heavy tail in the LR sum since a drop, arXiv 2503.12811."""

    name = "area"
    kernel = KERNELS["area"]
    in_paper = False


@register
class PowerAnnealing(Annealing):
    """Annealing with a heavy tail in the steps since a drop, after arXiv 2503.12811."""

    name = "power"
    kernel = KERNELS["power"]
    in_paper = False
