import numpy as np
import pytest
import xarray as xr

from bayescpt.data import published_fits, schedules
from bayescpt.data.areas import annealing_area, forward_area
from bayescpt.laws import paper
from bayescpt.laws.curve import expected_loss
from bayescpt.laws.features import References

PEAK, DECAY = 2e-4, 0.999
PT = schedules.wsd(lr=PEAK, num_training_steps=20_000, num_warmup_steps=500, num_decay_steps=4_000)
CPT = schedules.cosine(lr=PEAK, num_training_steps=8_000, num_warmup_steps=100)
REFS = References(area=3.7, shift_area=0.9, peak_lr=PEAK)
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


@pytest.mark.parametrize("name", FITS.index)
def test_published_curves_are_reproduced(name):
    fit = FITS.loc[name]
    s1_pt, s2_pt = forward_area(PT.lr)[-1], annealing_area(PT.lr, DECAY)[-1]
    s1_cpt = forward_area(CPT.lr)
    s2_cpt = annealing_area(CPT.lr, DECAY, previous_lr=PT.lr[-1])
    ref = paper.to_reference(raw_of(fit), REFS)
    scale = PEAK / (1 - DECAY)
    start = expected_loss(
        ref["level_pt"], ref["base_ref"], fit.alpha, ref["anneal_pt_ref"],
        log_area=np.log(s1_pt / REFS.area), log_area_start=0.0, anneal=s2_pt / scale,
    )  # fmt: skip
    assert start == pytest.approx(equation_4(fit, s1_pt, 0.0, s2_pt, 0.0), abs=1e-10)
    curve = expected_loss(
        start, ref["base_ref"], fit.alpha, ref["anneal_ref"],
        log_area=np.log((s1_pt + s1_cpt) / REFS.area),
        log_area_start=np.log(s1_pt / REFS.area),
        anneal=s2_cpt / scale,
        shift=ref["shift_ref"], onset=ref["onset"], beta=fit.beta,
        shift_area=s1_cpt / REFS.shift_area,
    )  # fmt: skip
    exact = equation_4(fit, s1_pt, s1_cpt, s2_pt, s2_cpt)
    np.testing.assert_allclose(curve, exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rate", [None, 1e-6, 2.5])
@pytest.mark.parametrize("name", FITS.index)
def test_there_and_back(name, rate):
    raw = raw_of(FITS.loc[name])
    if rate is not None:
        raw["replay_rate"] = rate
    ref = paper.to_reference(raw, REFS)
    same = {
        key: raw[key] for key in ("alpha_s1", "beta", "log_memory", "replay_rate") if key in raw
    }
    back = paper.from_reference(ref | same, REFS)
    assert back.pop("lambda") == pytest.approx(DECAY, rel=1e-14)
    assert back == pytest.approx({key: raw[key] for key in back}, rel=1e-11)
    assert {"L0", "A", "C1", "C2", "B", "E"} == set(back)


def test_draws_in_xarray_keep_their_dims():
    draws = {
        key: xr.DataArray(np.full((2, 3), value), dims=("chain", "draw"))
        for key, value in raw_of(FITS.loc["f3_pt"]).items()
    }
    ref = paper.to_reference(draws, REFS)
    assert all(value.dims == ("chain", "draw") for value in ref.values())
    single = paper.to_reference(raw_of(FITS.loc["f3_pt"]), REFS)
    for key, value in ref.items():
        np.testing.assert_allclose(value, single[key], rtol=1e-14)


def test_only_what_the_card_has_comes_out():
    raw = raw_of(FITS.loc["f3_pt"])
    pt_only = {key: raw[key] for key in ("L0", "A", "alpha_s1", "C1", "log_memory")}
    assert set(paper.to_reference(pt_only, REFS)) == {"base_ref", "level_pt", "anneal_pt_ref"}
    ref = paper.to_reference(raw, REFS) | {
        key: raw[key] for key in ("alpha_s1", "beta", "log_memory")
    }
    del ref["level_pt"]
    assert set(paper.from_reference(ref, REFS)) == {"A", "C1", "lambda", "C2", "E", "B"}


def test_exponential_replay_scales_as_equation_8():
    """B of Eq. 8 stands before (1 - exp(-a r_cpt)): at replay r the shift is B (...) of that."""
    from bayescpt.laws.replay import exponential_response

    raw = raw_of(FITS.loc["f3_pt"]) | {"replay_rate": 2.5}
    shift = paper.to_reference(raw, REFS)["shift_ref"] * exponential_response(0.4, 2.5)
    reach = 1 - (1 + raw["E"] * REFS.shift_area) ** -raw["beta"]
    assert shift == pytest.approx(raw["B"] * reach * (1 - np.exp(-2.5 * 0.6)), rel=1e-12)
    rebuilt = paper.from_reference(
        paper.to_reference(raw, REFS)
        | {key: raw[key] for key in ("alpha_s1", "beta", "log_memory", "replay_rate")},
        REFS,
    )
    assert rebuilt["B"] == pytest.approx(raw["B"], rel=1e-12)


def test_every_symbol_has_a_unit():
    assert set(paper.UNITS) >= {"L0", "A", "alpha_s1", "C1", "C2", "B", "E", "beta", "lambda"}
