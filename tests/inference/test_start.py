import ctypes
from types import SimpleNamespace

import numpy as np

from bayescpt.inference.start import KEEP_WITHIN, find_optima


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
