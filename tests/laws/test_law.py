import numpy as np
import pytest

from bayescpt.laws import law as law_module
from bayescpt.laws.law import DEFAULTS, choices_of, sample_view
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import TERMS, Setting, Term, register, unregister
from bayescpt.laws.terms.shift import shift_growth

BETA = np.array([0.0, 1e-12, 1e-4, 0.2, 3.0])
BY_DRAW = {
    "start_level": [3.0, 2.5, 4.0, 3.1, 2.0],
    "base_ref": [0.2, 0.3, 0.0, 1.0, 0.1],
    "alpha_s1": [0.5, 0.24, 0.7, 2.0, 0.4],
    "anneal_ref": [0.06, 0.3, 0.0, 0.1, 0.08],
    "shift_ref": [0.4, -0.9, 0.0, 1.4, -0.01],
    "onset": [28.0, 5662.0, 1.0, 1e6, 1e-2],
    "beta": BETA,
}
BY_ROW = {
    "log_area": np.log([1.0, 1.001, 1.2, 2.0]),
    "anneal": [-0.8, -0.5, 0.0, 1.0],
    "shift_area": [0.0, 1e-6, 0.2, 1.0],
}
SAME = {"log_area_start": 0.1, "is_cpt": 1.0, "is_target": 0.0, "replay": 0.25, "rise": 0.3}
VALUES = {
    "anneal_zeta": 1.3,
    "start_level": 3.0, "level_pt": 3.2, "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.06,
    "anneal_pt_ref": 0.07, "shift_ref": 0.8, "onset": 28.0, "beta": 0.2, "replay_gamma": 0.4,
    "replay_eps": 0.03, "share_kappa": 1.2, "replay_rate": 2.5, "anneal_replay": -0.4,
    "share_gamma": 0.3, "shift_peak": 0.4, "speed_peak": -0.2, "rewarm_ref": 0.2, "jump": -0.05,
    "share_size": 0.1, "keep_power": 0.7, "forget_peak": -0.2, "rewarm_share": 0.5,
}  # fmt: skip


@pytest.fixture
def law(make_law):
    return make_law(pretraining=False)


def test_is_the_sum_of_its_terms(law):
    p = {key: np.array(values)[:, None] for key, values in BY_DRAW.items()}
    rows = {key: np.array(values) for key, values in BY_ROW.items()}
    parts = (
        p["start_level"]
        + p["base_ref"] * (np.exp(-p["alpha_s1"] * rows["log_area"]) - np.exp(-p["alpha_s1"] * 0.1))
        - p["anneal_ref"] * rows["anneal"]
        + p["shift_ref"] * shift_growth(rows["shift_area"], p["onset"], p["beta"])
    )
    np.testing.assert_allclose(law.value(p, rows | SAME), parts, rtol=1e-14)
    total = sum(term.value(p, rows | SAME) for term in law.terms)
    np.testing.assert_allclose(law.value(p, rows | SAME), total, rtol=1e-14)


def test_is_the_level_at_the_start(law):
    values = {
        "start_level": 3.3, "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.06,
        "shift_ref": 0.7, "onset": 28.0, "beta": 0.2,
    }  # fmt: skip
    seen = {"log_area": -0.4, "log_area_start": -0.4, "anneal": 0.0, "shift_area": 0.0}
    assert law.value(values, SAME | seen) == 3.3


def test_without_a_shift_it_is_that_of_area_0(law, make_law):
    p = {key: np.array(values) for key, values in BY_DRAW.items()}
    rows = SAME | {"log_area": 0.3, "log_area_start": 0.0, "anneal": 0.4}
    without = {k: v for k, v in p.items() if k not in ("shift_ref", "onset", "beta")}
    without |= {"level_pt": without.pop("start_level"), "anneal_pt_ref": without.pop("anneal_ref")}
    np.testing.assert_array_equal(
        make_law(shift="none").value(without, rows | {"is_cpt": 0.0}),
        law.value(p, rows | {"shift_area": 0.0}),
    )


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, law):
    def value(xp=np, **given):
        p = {key: given.pop(key) for key in BY_DRAW}
        return law.value(p, SAME | given, xp)

    out = everywhere(value, BY_DRAW, BY_ROW)
    assert out["numpy"].shape == (5, 4)
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=0, atol=1e-10)


def test_pre_training_has_its_own_level_and_annealing(make_law):
    for replay in choices_of("replay"):
        law = make_law(replay=replay, rewarm="own")
        c = law.coefficients(
            VALUES, SAME | {"is_cpt": 0.0, "replay": 1.0, "replay_seen": 0.0, "log_peak": 0.0}
        )
        assert c == {
            "level": {"offset": 3.2}, "base": {"base_ref": 0.2, "alpha": 0.5},
            "annealing": {"anneal_ref": 0.07},
        }  # fmt: skip


def test_a_responses_law_leaves_the_other_terms_alone(make_law):
    for replay in choices_of("replay"):
        law = make_law(replay=replay)
        c = law.coefficients(VALUES, SAME | {"replay_seen": 0.0, "log_peak": 0.0})
        assert c["level"] == {"offset": 3.0}
        assert c["base"] == {"base_ref": 0.2, "alpha": 0.5}
        factor = np.exp(-0.4 * 0.25) if "anneal_replay" in law.dims else 1.0
        found = law.coefficients(
            {k: v for k, v in VALUES.items() if k in law.dims},
            SAME | {"replay_seen": 0.0, "log_peak": 0.0},
        )
        assert found["annealing"]["anneal_ref"] == pytest.approx(0.06 * factor, rel=1e-14)


def test_terms_stand_in_the_order_of_their_slots(make_law):
    law = make_law(replay="memory", rewarm="own")
    assert [term.slot for term in law.terms] == ["base", "annealing", "level", "rewarm", "replay"]
    backwards = law_module.Law(dict(reversed(law.choices.items())))
    assert [type(term) for term in backwards.terms] == [type(term) for term in law.terms]


def test_a_response_takes_the_place_of_the_shift(make_law):
    assert [term.name for term in make_law().terms][-1] == "power"
    for name in TERMS["replay"]:
        slots = {term.slot: term.name for term in make_law(replay=name).terms}
        assert "shift" not in slots
        assert slots["replay"] == name


def test_choices_of_slots_that_may_be_empty_and_of_those_that_may_not():
    assert choices_of("base") == ("power", "open")
    kernels = ("momentum", "area", "power", "lr_exponent", "multi_power")
    assert choices_of("annealing") == (*kernels, "momentum_weighted", "momentum_zeta")
    assert choices_of("shift") == ("none", "power")
    assert choices_of("replay") == ("none", "own_share", "exponential", "memory", "fade")
    assert choices_of("a slot that nobody has") == ("none",)
    assert all(name in choices_of(slot) for slot, name in DEFAULTS.items())


@pytest.mark.parametrize("replay", choices_of("replay"))
@pytest.mark.parametrize("annealing", choices_of("annealing"))
def test_rows_of_both_phases_at_once_are_those_of_each(make_law, annealing, replay):
    law = make_law(annealing=annealing, replay=replay, rewarm="own")
    p = {name: VALUES[name] for name in law.dims if name in VALUES}
    rows = {key: np.array(values) for key, values in BY_ROW.items()}
    same = {name: np.full(4, value) for name, value in SAME.items()} | {
        "log_peak": np.zeros(4),
        "replay_seen": np.zeros(4),
    }
    one = SAME | {"replay_seen": 0.0, "log_peak": 0.0} | rows
    is_cpt = np.array([1.0, 0.0, 1.0, 0.0])
    # Pre-training has no area of the shift, no re-warm-up.
    rows["shift_area"], same["rise"] = rows["shift_area"] * is_cpt, same["rise"] * is_cpt
    mixed = law.value(p, same | rows | {"is_cpt": is_cpt})
    each = np.where(is_cpt > 0, law.value(p, one), law.value(p, one | {"is_cpt": 0.0}))
    np.testing.assert_allclose(mixed, each, rtol=1e-14)


@pytest.mark.parametrize("replay", choices_of("replay"))
@pytest.mark.parametrize("annealing", choices_of("annealing"))
def test_features_are_told_apart_by_their_shape(make_law, make_study, look, annealing, replay):
    law = make_law(annealing=annealing, replay=replay, rewarm="own")
    study = make_study(np.full(20, 2e-3), [np.full(8, 1e-3)])
    for name, is_target in (("run0", True), ("run0", False), ("base", False)):
        seen = law.features(look(study, name, [1, 3, 8], law), is_target)
        shapes = {key: np.shape(value) for key, value in seen.items()}
        expected = dict.fromkeys(law.segment_features, ()) | dict.fromkeys(law.row_features, (3,))
        expected |= {key: (3, n) for key, n in law.n_columns.items()}
        assert shapes == expected
    assert law.bases == tuple(law.n_columns)
    assert set(sample_view(law).refs.points) >= {"area", "shift_area", "peak_lr", "rise"}


def test_the_course_of_a_phase_is_measured_by_a_parameter(make_law):
    assert (make_law().course(False), make_law().course(True)) == ("base_ref", "shift_ref")
    assert make_law(replay="memory").course(True) == "shift_ref"
    assert make_law(shift="none").course(True) is None


def test_entries_without_a_part_are_known(make_law):
    law = make_law(replay="memory")
    used = {
        name: (law.uses(name, False), law.uses(name, True))
        for name in ("share_gamma", "share_kappa", "onset", "base_ref")
    }
    assert used == {
        "share_gamma": (True, False), "share_kappa": (False, True), "onset": (True, True),
        "base_ref": (True, True),
    }  # fmt: skip
    assert all(make_law().uses(name, True) for name in ("onset", "sigma"))


BUMP = Parameter(
    "bump", "b", "nat", ("domain",), 0.0, 1.0, {"dist": "Beta", "alpha": 2.0, "beta": 8.0},
    "for a test", "here",
)  # fmt: skip


class Bump(Term):
    """A number in continual pre-training, and nothing before it."""

    slot, name, phases = "bump", "own", ("cpt",)

    @property
    def parameters(self):
        return (BUMP,)

    def coefficients(self, p, f, xp=np):
        return {"offset": p["bump"]}


@pytest.fixture
def bump():
    register(Bump)
    yield Bump
    unregister(Bump)


def test_a_number_of_one_phase_is_left_out_of_the_other(bump, make_law):
    law = make_law(bump="own")
    assert law.terms[-1].name == "own"
    p = VALUES | {"bump": 0.125}
    found = [
        law.coefficients(p, SAME | {"is_cpt": is_cpt})["level"]["offset"]
        for is_cpt in (1.0, 0.0, np.array([1.0, 0.0]))
    ]
    assert found[:2] == [3.125, 3.2]
    np.testing.assert_array_equal(found[2], found[:2])


def test_a_slot_and_name_are_taken_once(bump):
    assert register(bump) is bump
    assert choices_of("bump") == ("none", "own")

    @register
    class Other(Term):
        slot, name = "bump", "other"

    assert choices_of("bump") == ("none", "own", "other")
    unregister(Other)

    class Same(Term):
        slot, name = "bump", "own"

    with pytest.raises(ValueError, match=r"law.bump = 'own' is already registered as Bump"):
        register(Same)
    # One of the same name in another module is another, too.
    Same.__qualname__, Same.__module__ = Bump.__qualname__, "elsewhere"
    with pytest.raises(ValueError, match="already"):
        register(Same)


def test_a_term_that_is_taken_out_takes_its_slot_with_it():
    register(Bump)
    unregister(Bump)
    assert "bump" not in TERMS


def test_a_term_that_says_nothing_adds_nothing():
    term = Term(Setting({}))
    assert (term.parameters, term.features(None, False), term.weights({}, None)) == ((), {}, {})
    assert (term.reference_points([], None), term.course(True)) == ({}, None)
    assert (term.to_reference({}, None), term.symbols({}, None)) == ({}, {})
    assert term.uses("anything", True)
    assert term.applies(True)
    assert term.applies(False)
    with pytest.raises(NotImplementedError):
        term.coefficients({}, {})
