import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from bayescpt.inference.start import JITTER, KEEP_WITHIN, find_optima, log_density, started


def sampler(density, draw):
    """What `started` needs of a compiled sampler, with a density in Python."""

    def evaluate(n, x, gradient, value, _):
        at = np.ctypeslib.as_array(ctypes.cast(x, ctypes.POINTER(ctypes.c_double)), (n,))
        found, slope = density(at)
        np.ctypeslib.as_array(ctypes.cast(gradient, ctypes.POINTER(ctypes.c_double)), (n,))[:] = (
            slope
        )
        np.ctypeslib.as_array(ctypes.cast(value, ctypes.POINTER(ctypes.c_double)), (1,))[0] = found
        return 0 if np.isfinite(found) else 1

    return SimpleNamespace(
        compiled_logp_func=SimpleNamespace(ctypes=evaluate),
        user_data=np.zeros(1),
        n_dim=2,
        initial_point_func=lambda seed: draw(np.random.default_rng(seed)),
    )


def two_hills(depth):
    """A hill at (0, 0) and one lower by `depth` at (8, 0), with walls between."""

    def density(x):
        tops = np.array([[0.0, 0.0], [8.0, 0.0]])
        heights = np.array([0.0, -depth])
        values = heights - 0.5 * np.sum((x - tops) ** 2, axis=1)
        best = int(np.argmax(values))
        return values[best], -(x - tops[best])

    return density


def anywhere(rng):
    return np.array([rng.uniform(-4, 12), rng.normal()])


def test_a_poor_optimum_is_left_out():
    found = find_optima(sampler(two_hills(KEEP_WITHIN + 5), anywhere), seed=1)
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-4)


def test_an_optimum_of_some_mass_is_kept():
    found = find_optima(sampler(two_hills(KEEP_WITHIN / 2), anywhere), seed=1)
    assert {round(x) for x in found[:, 0]} == {0, 8}
    assert round(found[0, 0]) == 0


def test_where_the_density_breaks_down_the_search_steps_back():
    def density(x):
        return (-np.inf, np.zeros(2)) if x[0] > 5 else two_hills(100.0)(x)

    found = find_optima(sampler(density, anywhere), seed=2)
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-4)


def curved_valley(x):
    """Best at (1, 1), at the end of a narrow valley that bends."""
    value = -((1 - x[0]) ** 2) - 100 * (x[1] - x[0] ** 2) ** 2
    along = 2 * (1 - x[0]) + 400 * x[0] * (x[1] - x[0] ** 2)
    return value, np.array([along, -200 * (x[1] - x[0] ** 2)])


def test_the_optimum_is_found_from_far_away():
    found = find_optima(sampler(curved_valley, lambda rng: np.array([-6.0, rng.normal()])), seed=1)
    # The slope is 2e-5 where the search may stop, the curvature along the valley below 1.
    np.testing.assert_allclose(found[0], 1.0, atol=1e-3)


def test_optima_depend_on_the_seed_alone():
    hills = sampler(two_hills(KEEP_WITHIN / 2), anywhere)
    np.testing.assert_array_equal(find_optima(hills, seed=4), find_optima(hills, seed=4))


def test_where_the_density_cannot_be_evaluated_it_is_minus_infinity():
    density = log_density(sampler(lambda x: (np.nan, np.zeros(2)), anywhere))
    assert density(np.zeros(2))[0] == -np.inf


@dataclass(frozen=True)
class Compiled:
    compiled_logp_func: SimpleNamespace
    user_data: np.ndarray
    n_dim: int
    initial_point_func: Callable[[int], np.ndarray]


def test_a_chains_start_is_by_an_optimum_and_depends_on_its_own_seed_alone():
    hills = Compiled(**vars(sampler(two_hills(KEEP_WITHIN / 2), anywhere)))
    one, other = (started(hills, seed=1).initial_point_func for _ in range(2))
    starts = {seed: one(seed) for seed in range(20)}
    for seed in reversed(range(20)):
        np.testing.assert_array_equal(other(seed), starts[seed])
    points = np.stack(list(starts.values()))
    assert len(np.unique(points, axis=0)) == 20
    tops = np.array([[0.0, 0.0], [8.0, 0.0]])
    away = np.abs(points[:, None, :] - tops).max(axis=2)
    assert away.min(axis=1).max() < 6 * JITTER
    assert set(away.argmin(axis=1)) == {0, 1}
