import numpy as np
import pytest
import xarray as xr

from bayescpt.data import published_fits, schedules
from bayescpt.data.areas import annealing_area, forward_area
from bayescpt.laws.kernels import KERNELS
from bayescpt.laws.law import choices_of
from bayescpt.laws.points import References

PEAK, DECAY = 2e-4, 0.999
PT = schedules.wsd(lr=PEAK, num_training_steps=20_000, num_warmup_steps=500, num_decay_steps=4_000)
CPT = schedules.cosine(lr=PEAK, num_training_steps=8_000, num_warmup_steps=100)
REFS = References({"area": 3.7, "shift_area": 0.9, "peak_lr": PEAK})
FITS = published_fits().fillna({"C1_pt": 0.0})


def equation_4(fit, s1_pt, s1_cpt, s2_pt, s2_cpt):
    """Eq. 4 of arXiv 2505.07796, as printed."""
    return (
        fit.L0
        + fit.A * (s1_pt + s1_cpt) ** -fit.alpha
        - fit.C1_pt * s2_pt
        - fit.C2_cpt * s2_cpt
        + fit.B_signed * (1 - (1 + fit.E * s1_cpt) ** -fit.beta)
    )


def raw_of(fit):
    return {
        "L0": fit.L0, "A": fit.A, "alpha_s1": fit.alpha, "C1": fit.C1_pt, "C2": fit.C2_cpt,
        "B": fit.B_signed, "E": fit.E, "beta": fit.beta, "log_memory": -np.log1p(-DECAY),
    }  # fmt: skip


@pytest.fixture
def law(make_law):
    return make_law(paper=True)


@pytest.mark.parametrize("name", FITS.index)
def test_published_curves_are_reproduced(law, name):
    fit = FITS.loc[name]
    s1_pt, s2_pt = forward_area(PT.lr)[-1], annealing_area(PT.lr, DECAY)[-1]
    s1_cpt = forward_area(CPT.lr)
    s2_cpt = annealing_area(CPT.lr, DECAY, previous_lr=PT.lr[-1])
    values = raw_of(fit) | law.to_reference(raw_of(fit), REFS)
    scale = PEAK / (1 - DECAY)
    start = law.value(
        values,
        {
            "is_cpt": 0.0, "is_target": 0.0, "replay": 1.0, "anneal": s2_pt / scale,
            "log_area": np.log(s1_pt / REFS["area"]), "log_area_start": 0.0,
        },
    )  # fmt: skip
    assert start == pytest.approx(equation_4(fit, s1_pt, 0.0, s2_pt, 0.0), abs=1e-10)
    curve = law.value(
        values | {"start_level": start},
        {
            "is_cpt": 1.0, "is_target": 0.0, "replay": 0.0,
            "log_area": np.log((s1_pt + s1_cpt) / REFS["area"]),
            "log_area_start": np.log(s1_pt / REFS["area"]),
            "anneal": s2_cpt / scale, "shift_area": s1_cpt / REFS["shift_area"],
        },
    )  # fmt: skip
    exact = equation_4(fit, s1_pt, s1_cpt, s2_pt, s2_cpt)
    np.testing.assert_allclose(curve, exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rate", [None, 1e-6, 2.5])
@pytest.mark.parametrize("name", FITS.index)
def test_there_and_back(make_law, name, rate):
    raw, replay = raw_of(FITS.loc[name]), "none"
    if rate is not None:
        raw["replay_rate"], replay = rate, "exponential"
    law = make_law(paper=True, replay=replay)
    ref = law.to_reference(raw, REFS)
    same = {
        key: raw[key] for key in ("alpha_s1", "beta", "log_memory", "replay_rate") if key in raw
    }
    back = law.symbols(ref | same, REFS)
    assert back.pop("lambda") == pytest.approx(DECAY, rel=1e-14)
    assert back == pytest.approx({key: raw[key] for key in back}, rel=1e-11)
    assert {"L0", "A", "C1", "C2", "B", "E"} == set(back)


def test_draws_in_xarray_keep_their_dims(law):
    draws = {
        key: xr.DataArray(np.full((2, 3), value), dims=("chain", "draw"))
        for key, value in raw_of(FITS.loc["f3_pt"]).items()
    }
    ref = law.to_reference(draws, REFS)
    assert all(value.dims == ("chain", "draw") for value in ref.values())
    single = law.to_reference(raw_of(FITS.loc["f3_pt"]), REFS)
    assert set(single) == set(ref)
    for key, value in ref.items():
        np.testing.assert_allclose(value, single[key], rtol=1e-14)


def test_only_what_the_card_has_comes_out(law, make_law):
    raw = raw_of(FITS.loc["f3_pt"])
    pt_only = {key: raw[key] for key in ("L0", "A", "alpha_s1", "C1", "log_memory")}
    found = make_law(paper=True, shift="none").to_reference(pt_only, REFS)
    assert set(found) == {"base_ref", "level_pt", "anneal_pt_ref"}
    ref = law.to_reference(raw, REFS) | {
        key: raw[key] for key in ("alpha_s1", "beta", "log_memory")
    }
    del ref["level_pt"]
    assert set(law.symbols(ref, REFS)) == {"A", "C1", "lambda", "C2", "E", "B"}


def test_exponential_replay_scales_as_equation_8(make_law):
    """B of Eq. 8 stands before (1 - exp(-a r_cpt)): at replay r the shift is B (...) of that."""
    law = make_law(paper=True, replay="exponential")
    raw = raw_of(FITS.loc["f3_pt"]) | {"replay_rate": 2.5}
    ref = law.to_reference(raw, REFS)
    shift = ref["shift_ref"] * law.terms[-1].response(raw, {"replay": 0.4})
    reach = 1 - (1 + raw["E"] * REFS["shift_area"]) ** -raw["beta"]
    assert shift == pytest.approx(raw["B"] * reach * (1 - np.exp(-2.5 * 0.6)), rel=1e-12)
    same = {key: raw[key] for key in ("alpha_s1", "beta", "log_memory", "replay_rate")}
    assert law.symbols(ref | same, REFS)["B"] == pytest.approx(raw["B"], rel=1e-12)


def test_a_kernel_without_a_lambda_has_the_c_of_the_papers_lambda(make_law):
    law = make_law(annealing="area")
    ref = {
        "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.06, "shift_ref": 0.8, "onset": 28.0,
        "beta": 0.2,
    }  # fmt: skip
    found = law.symbols(ref, REFS)
    assert "lambda" not in found
    assert found["C2"] == pytest.approx(0.06 / (PEAK * 1000), rel=1e-14)


@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize(
    ("shift", "replay"), [("none", "none"), *(("power", name) for name in choices_of("replay"))]
)
def test_every_symbol_and_quantity_has_a_unit_and_dimensions(make_law, shift, paper, replay):
    law = make_law(paper=paper, shift=shift, replay=replay)
    names = {"L0", "A", "alpha_s1", "C1", "lambda", *(("C2", "B", "E", "beta") * law.continual)}
    assert set(law.units) >= names
    assert set(law.dims) >= names
    pairs = xr.DataArray([0.3, 0.3], {"pair": ["a|b", "b|b"]}, "pair")
    values = {n: pairs if "pair" in dims else np.float64(0.3) for n, dims in law.dims.items()}
    assert set(law.symbols(values, REFS)) <= set(law.units) & set(law.dims)
    assert set(law.to_reference(values, REFS)) <= set(law.units) & set(law.dims)


def test_symbols_that_only_pre_training_tells_are_symbols(make_law):
    for kernel in KERNELS:
        law = make_law(annealing=kernel)
        told = {name for term in law.terms for name in term.pretraining_symbols}
        assert told == {"L0", "C1"}
        assert told <= set(law.units)
