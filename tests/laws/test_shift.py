import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayescpt.laws.terms.shift import shift_growth

# beta -> 0 through the switch to the series, down to the logarithm itself.
BETA = np.array([0.0, 1e-300, 1e-14, 1e-9, 1e-6, 1e-4, 2e-4, 1e-3, 0.19, 1.0, 12.0])
AREA = np.array([0.0, 1e-9, 1e-3, 0.5, 1.0, 3.0])


def test_equals_the_shift_of_the_paper():
    b, e, beta, reference = 0.366, 28.0, 0.189, 1.6
    area = np.linspace(0.0, 3.0, 20)
    ref = b * (1 - (1 + e * reference) ** -beta)
    grown = ref * shift_growth(area / reference, e * reference, beta)
    np.testing.assert_allclose(grown, b * (1 - (1 + e * area) ** -beta), rtol=1e-12, atol=1e-15)


def test_tends_to_the_logarithm():
    onset = 45.0
    exact = np.log1p(onset * AREA) / np.log1p(onset)
    np.testing.assert_array_equal(shift_growth(AREA, onset, 0.0), exact)
    np.testing.assert_allclose(shift_growth(AREA, onset, 1e-12), exact, rtol=1e-10)
    assert np.max(np.abs(shift_growth(AREA, onset, 0.1) - exact)) > 1e-2


@pytest.mark.parametrize("onset", [1e-3, 1.0, 45.0, 1e6])
@pytest.mark.parametrize("beta", BETA)
def test_starts_at_0_passes_1_at_the_reference_and_rises(onset, beta):
    grown = shift_growth(AREA, onset, beta)
    assert grown[0] == 0.0
    assert grown[4] == 1.0
    assert np.all(np.diff(grown) >= -1e-15)
    assert np.all(np.isfinite(grown))


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere):
    onset, beta = (grid.ravel() for grid in np.meshgrid([1e-3, 30.0, 1e6], BETA))
    out = everywhere(shift_growth, {"onset": onset, "beta": beta}, {"area": AREA})
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10)


@pytest.mark.parametrize("beta", [0.0, 1e-9, 1e-4, 0.3])
def test_gradient_in_beta_is_that_of_the_integral_form(beta):
    # d/dbeta (1 - exp(-beta l)) / beta = -int_0^l u exp(-beta u) du, by Gauss-Legendre.
    x, w = np.polynomial.legendre.leggauss(60)

    def moments(l):  # noqa: E741
        u = 0.5 * l * (x + 1)
        return 0.5 * l * np.sum(w * np.exp(-beta * u)), 0.5 * l * np.sum(w * u * np.exp(-beta * u))

    area, onset = 2.3, 40.0
    (h, dh), (h1, dh1) = moments(np.log1p(onset * area)), moments(np.log1p(onset))
    symbol = pt.dscalar()
    slope = pytensor.grad(shift_growth(area, onset, symbol, xp=pt), symbol)
    value = slope.eval({symbol: beta}, mode="FAST_COMPILE")
    assert value == pytest.approx(-dh / h1 + h * dh1 / h1**2, rel=1e-8)


KEEP = np.array([0.0, 0.05, 0.3, 0.8, 1.0])


def test_without_replay_and_with_gamma_minus_one_memory_fades_as_eq_4_has_it():
    for beta in (0.0, 1e-9, 0.3):
        plain = shift_growth(AREA, 40.0, beta)
        np.testing.assert_array_equal(shift_growth(AREA, 40.0, beta, gamma=-1.0, keep=0.0), plain)


def test_what_a_set_keeps_in_the_mixture_it_does_not_forget():
    """w^-gamma by hand; all of the mixture, no forgetting."""
    beta, gamma, onset = 0.5, 0.4, 24.0
    share = KEEP + (1 - KEEP) * (1 + onset * 2.0) ** -beta
    alone = (1 + onset) ** (beta * gamma) - 1
    grown = shift_growth(2.0, onset, beta, gamma=gamma, keep=KEEP)
    np.testing.assert_allclose(grown, (share**-gamma - 1) / alone, rtol=1e-13, atol=1e-15)
    assert np.all(np.diff(grown) < 0)
    assert grown[-1] == 0.0


def test_gamma_to_zero_is_the_logarithm_of_the_share():
    share = 0.2 + 0.8 * (1 + 24.0 * 2.0) ** -0.5
    expected = -np.log(share) / (0.5 * np.log(25.0))
    for gamma in (0.0, 1e-12, -1e-12):
        grown = shift_growth(2.0, 24.0, 0.5, gamma=gamma, keep=0.2)
        assert grown == pytest.approx(expected, rel=1e-11)


def test_at_the_start_nothing_is_forgotten():
    np.testing.assert_array_equal(shift_growth(0.0, 24.0, 0.5, gamma=0.3, keep=KEEP), 0.0)


@pytest.mark.parametrize("gamma", [-1.0, -0.3, 0.0, 0.4])
def test_forgetting_grows_with_the_area_and_shrinks_with_what_is_kept(gamma):
    area, keep = np.linspace(0.0, 3.0, 7), np.linspace(0.0, 1.0, 6)
    grown = shift_growth(area[:, None], 24.0, 0.5, gamma=gamma, keep=keep)
    assert np.all(np.diff(grown[:, :-1], axis=0) > 0)
    assert np.all(np.diff(grown[1:], axis=1) < 0)
    assert grown[-1, 0] > 1.0


def test_forgetting_by_numbers_that_can_be_checked_by_hand():
    # onset 3, beta .5: w falls to 1/2 at the reference area, to 1/4 at area 5; half is kept.
    half, kept = 0.5, 0.75
    assert shift_growth(1.0, 3.0, 0.5, gamma=1.0, keep=0.5) == pytest.approx(1 / 3, rel=1e-14)
    found = shift_growth(1.0, 3.0, 0.5, gamma=0.0, keep=0.5)
    assert found == pytest.approx(np.log(kept) / np.log(half), rel=1e-14)
    # 1 / (.5 + .5 / 4) - 1 = .6, over 2 - 1.
    assert shift_growth(5.0, 3.0, 0.5, gamma=1.0, keep=0.5) == pytest.approx(0.6, rel=1e-14)
    assert shift_growth(5.0, 3.0, 0.5, gamma=-1.0, keep=0.5) == pytest.approx(0.75, rel=1e-14)


def test_as_beta_goes_to_zero_what_is_kept_takes_its_part_of_the_logarithm():
    area = np.array([0.0, 1e-3, 0.5, 1.0, 3.0])
    for keep in (0.0, 0.25, 0.9):
        expected = (1 - keep) * np.log1p(24.0 * area) / np.log1p(24.0)
        found = shift_growth(area, 24.0, 1e-6, gamma=0.4, keep=keep)
        # The next order is beta times logs of a few units.
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_memory_is_the_same_by_numpy_xarray_and_pytensor(everywhere):
    by_draw = {"onset": [1e-3, 30.0, 1e6, 24.0], "beta": [1e-4, 0.3, 2.0, 0.5]}
    by_draw |= {"gamma": [-1.0, 0.0, 0.4, -0.3], "keep": [0.0, 0.1, 0.5, 1.0]}
    out = everywhere(shift_growth, by_draw, {"area": AREA})
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-15)


def test_the_term_is_the_growth_times_the_shift_in_nats(make_term):
    term = make_term("shift", "power")
    p = {"shift_ref": 0.8, "onset": 28.0, "beta": 0.2}
    found = term.value(p, {"shift_area": AREA, "replay": 0.25, "is_target": 0.0})
    np.testing.assert_allclose(found, 0.8 * shift_growth(AREA, 28.0, 0.2), rtol=1e-14)
    assert [term.applies(is_cpt) for is_cpt in (True, False)] == [True, False]
    assert (term.course(True), term.course(False)) == ("shift_ref", None)


def test_without_a_replay_response_the_mixture_changes_nothing(make_term):
    term = make_term("shift", "power")
    p = {"shift_ref": 0.8, "onset": 28.0, "beta": 0.2}
    for replay in (0.0, 0.25, 1.0):
        assert term.response(p, {"replay": replay, "is_target": 0.0}) == 1.0


def test_its_area_is_that_of_continual_pre_training(make_term, make_study, make_law, look):
    study, law = make_study(np.full(20, 2e-3), [[1e-3, 2e-3], [3e-3, 0.0]]), make_law()
    term = make_term("shift", "power")
    for is_target in (False, True):
        seen = term.features(look(study, "run0", [0, 1, 2], law), is_target)["shift_area"]
        np.testing.assert_allclose(seen, [0.0, 1 / 3, 1.0], rtol=1e-12)
        assert not term.features(look(study, "base", [1, 20], law), is_target)["shift_area"].any()
