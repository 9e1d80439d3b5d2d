"""Code that is derived from equations: what it computes, and how little of it there is."""

import re

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayescpt.laws import functions
from bayescpt.laws.functions import expm1_ratio, select
from bayescpt.model.compiled.emitter import NUMBER, ROW, SEGMENT, Program
from bayescpt.model.compiled.symbolic import Branch, derive

# NumPy in place of the lanes.
LANES = {
    "spread": lambda x: x,
    "below": lambda x, limit, yes, no: np.where(x < limit, yes, no),
    "exp": np.exp, "expm1": np.expm1, "log": np.log,
    "log1p_inverse": lambda x: (np.log1p(x), 1.0 / (1.0 + x)),
    "expm1_ratio": lambda x: (
        functions.expm1_ratio(x),
        # At 0 its limit.
        np.where(x == 0, 0.5, np.exp(x) / np.where(x == 0, 1, x) - np.expm1(x) / x**2),
    ),
}  # fmt: skip
X = np.array([-1.5, -0.5, 0.25, 0.5, 1.0, 3.0])


def derived(equation, by=("a",), segment=("s",)):
    """Program of an equation in coefficients a and b, a row feature x and a segment feature s."""
    features = {"x": True, **dict.fromkeys(segment, False)}
    return derive(equation, ("a", "b"), features, by, "t_")


def branches(code):
    """Programs by the conditions that lead to them."""
    if isinstance(code, Program):
        return {(): code}
    sides = ((f"{code.condition}", code.yes), (f"not {code.condition}", code.no))
    return {
        (here, *rest): program for here, side in sides for rest, program in branches(side).items()
    }


def run(code, a, b, s, x):
    """Outputs of a program at numbers, as the compiled pass would find them."""
    inputs = {"t_c_a": np.float64(a), "t_c_b": np.float64(b), "f_s": np.float64(s), "f_x": x}
    scope = {**LANES, **inputs, **{f"{name}_of": value for name, value in inputs.items()}}
    while isinstance(code, Branch):
        code = code.yes if eval(code.condition, scope) else code.no  # noqa: S307
    for line in (*code.segment, *code.row):
        exec(line, scope)  # noqa: S102
    return [np.broadcast_to(eval(one.text, scope), x.shape) for one in code.outputs]  # noqa: S307


def plain(equation, by, a, b, s, x):
    """The same by a PyTensor graph."""
    symbols = {"a": pt.dscalar(), "b": pt.dscalar(), "s": pt.dscalar(), "x": pt.dscalar()}
    c, f = ({name: symbols[name] for name in names} for names in ("ab", "sx"))
    value = pt.as_tensor(equation(c, f, pt)).astype("float64")
    slopes = pytensor.grad(value, [symbols[name] for name in by], disconnected_inputs="ignore")
    graph = pytensor.function(
        list(symbols.values()), [value, *slopes], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    return np.array([graph(a, b, s, one) for one in x]).T


def lines(code):
    return [
        line for program in branches(code).values() for line in (*program.segment, *program.row)
    ]


EQUATIONS = {
    "sums and products": lambda c, f, xp: 2.0 * c["a"] * f["x"] - c["b"] / c["a"] + f["s"] - 1.0,
    "exponentials": lambda c, f, xp: c["a"] * xp.exp(-c["b"] * f["x"]) + xp.expm1(c["a"] * f["x"]),
    "logarithms": lambda c, f, xp: xp.log1p(c["a"] * f["x"] ** 2) - xp.log(c["b"] + f["x"] ** 2),
    "quotients": lambda c, f, xp: c["a"] / (c["b"] + f["x"] ** 2) + f["x"] / c["b"],
    "ratio": lambda c, f, xp: expm1_ratio(c["a"] * f["x"], xp) * c["b"],
    "square root": lambda c, f, xp: xp.sqrt(c["a"] + f["x"] ** 2) + xp.sqr(c["b"] - f["x"]),
    "conditions on the segment": lambda c, f, xp: select(
        f["s"] > 0.5,
        c["a"] * f["x"],
        select(abs(f["s"]) <= 0.25, c["a"] * c["b"], c["b"], xp),
        xp,
    ),
    "conditions on the row": lambda c, f, xp: select(
        f["x"] < c["b"], c["a"] * f["x"], c["a"] ** 2, xp
    ),
    "a number": lambda c, f, xp: 3.0,
    "numbers by a condition": lambda c, f, xp: c["a"] * select(f["x"] < 0.5, 1.0, 0.0, xp),
}  # fmt: skip


@pytest.mark.parametrize("name", list(EQUATIONS))
def test_value_and_partial_derivatives_are_those_of_the_equation(name):
    equation, by = EQUATIONS[name], ("a", "b", "x")
    code = derived(equation, by)
    for a, b, s in ((0.4, 0.5, 0.0), (1.3, 2.0, 1.0), (0.7, 0.5, -0.3)):
        expected = plain(equation, by, a, b, s, X)
        np.testing.assert_allclose(run(code, a, b, s, X), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("exponent", [-3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 11])
def test_whole_powers_are_products_and_hold_for_negative_numbers(exponent):
    code = derived(lambda c, f, xp: c["a"] * f["x"] ** exponent, ("a", "x"))
    assert not re.search(r"exp|log", " ".join(lines(code)))
    value, by_a, by_x = run(code, 1.3, 0.0, 0.0, X)
    np.testing.assert_allclose(value, 1.3 * X ** float(exponent), rtol=1e-14)
    np.testing.assert_allclose(by_a, X ** float(exponent), rtol=1e-14)
    np.testing.assert_allclose(by_x, 1.3 * exponent * X ** (exponent - 1.0), rtol=1e-14)


@pytest.mark.parametrize("exponent", ["a", "half"])
def test_a_power_of_0_is_0_and_has_no_gradient_by_its_exponent(exponent):
    power = (lambda c: c["a"]) if exponent == "a" else (lambda c: 0.5)
    code = derived(lambda c, f, xp: c["b"] * f["x"] ** power(c), ("a", "b"))
    x = np.array([0.0, 0.3, 2.0])
    with np.errstate(all="ignore"):
        value, by_a, by_b = run(code, 0.5, 2.0, 0.0, x)
    np.testing.assert_allclose(value, 2.0 * np.sqrt(x), rtol=1e-14)
    np.testing.assert_allclose(by_b, np.sqrt(x), rtol=1e-14)
    slope = np.where(x > 0, 2.0 * np.sqrt(x) * np.log(np.where(x > 0, x, 1.0)), 0.0)
    np.testing.assert_allclose(by_a, slope if exponent == "a" else 0.0, rtol=1e-14)


COMPARISONS = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: pt.eq(x, y) if isinstance(x, pt.TensorVariable) else x == y,
    "!=": lambda x, y: pt.neq(x, y) if isinstance(x, pt.TensorVariable) else x != y,
}


@pytest.mark.parametrize("sign", list(COMPARISONS))
def test_a_comparison_holds_or_not_where_both_are_equal(sign):
    compare = COMPARISONS[sign]
    by_row = derived(lambda c, f, xp: select(compare(f["x"], c["b"]), c["a"], 2.0, xp))
    by_segment = derived(lambda c, f, xp: select(compare(f["s"], c["b"]), c["a"], 2.0, xp))
    assert isinstance(by_row, Program)
    assert by_segment.condition == f"f_s_of {sign} t_c_b_of"
    expected = np.where(compare(X, 0.5), 7.0, 2.0)
    np.testing.assert_array_equal(run(by_row, 7.0, 0.5, 0.0, X)[0], expected)
    found = [run(by_segment, 7.0, 0.5, s, X)[0][0] for s in X]
    np.testing.assert_array_equal(found, expected)


def test_an_operation_on_the_same_operands_is_computed_once():
    code = derived(
        lambda c, f, xp: xp.exp(c["a"] * f["x"]) * (f["x"] * c["a"]) + xp.exp(f["x"] * c["a"]),
        ("a", "x"),
    )
    made = lines(code)
    right = [line.split(" = ")[1] for line in made]
    assert len(set(right)) == len(right)
    assert sum("exp(" in line for line in made) == 1
    assert sum(line.endswith(("t_c_a * f_x", "f_x * t_c_a")) for line in made) == 1


def test_what_belongs_to_the_segment_is_computed_there():
    code = derived(lambda c, f, xp: 2.0 * xp.exp(-c["a"] * f["s"]) * c["b"] * f["x"])
    assert any("exp(" in line for line in code.segment)
    assert not any("exp(" in line for line in code.row)
    value = derived(lambda c, f, xp: 2.0 * xp.exp(-c["a"] * f["s"]) * c["b"] * f["x"], ())
    assert len(value.row) == 1


def test_levels_of_outputs_that_are_the_same_for_all_rows():
    code = derived(lambda c, f, xp: c["a"] * c["b"] + f["x"], ("a", "x", "b"))
    assert [one.level for one in code.outputs] == [ROW, SEGMENT, NUMBER, SEGMENT]
    assert code.outputs[2].number == 1.0


def test_division_by_a_number_of_the_segment_is_a_product():
    code = derived(lambda c, f, xp: f["x"] / c["a"] + f["x"] ** 2 / c["a"] + f["x"] / 4.0)
    assert sum("1.0 / t_c_a" in line for line in code.segment) == 1
    assert not any("/" in line for line in code.row)
    assert not code.singular


def test_one_over_1_plus_x_is_what_log1p_found_on_the_way():
    code = derived(lambda c, f, xp: xp.log1p(c["a"] * f["x"]), ("a", "x"))
    assert sum("log1p_inverse(" in line for line in code.row) == 1
    assert not any("/" in line for line in lines(code))
    # Of x > -1, as the equation itself: finite on lanes that hold 0.
    assert not code.singular


def test_exp_is_1_more_than_the_expm1_that_is_known():
    code = derived(lambda c, f, xp: xp.expm1(c["a"] * f["x"]))
    assert sum("expm1(" in line for line in code.row) == 1
    assert not any(re.search(r"\bexp\(", line) for line in code.row)


def test_ratio_and_slope_come_from_one_call():
    code = derived(lambda c, f, xp: expm1_ratio(c["a"] * f["x"], xp))
    assert sum("expm1_ratio(" in line for line in code.row) == 1


def test_a_condition_on_the_segment_becomes_a_branch_that_computes_only_its_own_side():
    code = derived(lambda c, f, xp: select(f["s"] < 0.5, xp.exp(f["x"]), xp.log1p(f["x"]), xp))
    assert isinstance(code, Branch)
    assert code.condition == "f_s_of < 0.5"
    assert [line.split(" = ")[1] for line in code.yes.row] == ["exp(f_x)"]
    assert not any("exp(" in line for line in code.no.row)
    # One name is of one type.
    names = [{line.split(" = ")[0] for line in side.row} for side in (code.yes, code.no)]
    assert not names[0] & names[1]


def test_a_condition_that_occurs_again_is_decided_once():
    def equation(c, f, xp):
        holds = f["s"] < 0.5
        inner = select(abs(c["b"]) < 0.1, c["a"], select(holds, 1.0, c["a"] ** 2, xp), xp)
        return select(holds, c["a"] * f["x"], inner, xp) * select(f["s"] < 0.5, 2.0, 3.0, xp)

    found = branches(derived(equation, ()))
    assert set(found) == {
        ("f_s_of < 0.5",),
        ("not f_s_of < 0.5", "abs(t_c_b_of) < 0.1"),
        ("not f_s_of < 0.5", "not abs(t_c_b_of) < 0.1"),
    }


def test_a_condition_on_the_row_is_no_branch():
    code = derived(lambda c, f, xp: select(f["x"] < c["a"], c["b"], 2.0, xp))
    assert isinstance(code, Program)
    assert code.row[0].split(" = ")[1] == "below(f_x, t_c_a, t_c_b, spread(2.0))"


@pytest.mark.parametrize(
    ("equation", "singular"),
    [
        (lambda c, f, xp: c["a"] / f["x"], True),
        (lambda c, f, xp: c["a"] * xp.log(f["x"]), True),
        (lambda c, f, xp: c["a"] * f["x"] ** -1, True),
        (lambda c, f, xp: c["a"] * f["x"] ** 0.5, True),
        (lambda c, f, xp: f["x"] / xp.log(c["a"]), False),
        (lambda c, f, xp: c["a"] * xp.exp(f["x"]) * f["x"] ** 3, False),
    ],
)
def test_equations_that_are_not_finite_at_0_are_told_from_others(equation, singular):
    assert derived(equation).singular == singular


@pytest.mark.parametrize(
    ("equation", "named"),
    [
        (lambda c, f, xp: xp.sin(c["a"] * f["x"]), "'sin'"),
        (lambda c, f, xp: c["a"] * xp.maximum(f["x"], 0.0), "'Maximum'"),
        (
            lambda c, f, xp: select(xp.exp(c["a"]) < 1.0, f["x"], c["a"], xp),
            "segment does not support 'exp'",
        ),
        (lambda c, f, xp: select(c["a"], f["x"], 1.0, xp), "select requires a comparison"),
    ],
)
def test_an_unknown_operation_is_named(equation, named):
    with pytest.raises(NotImplementedError, match=named):
        derived(equation)


def test_the_error_of_an_unknown_operation_says_what_there_is_and_where_to_add_it():
    with pytest.raises(NotImplementedError, match=r"exp, expm1, log.*model\.compiled\.emitter"):
        derived(lambda c, f, xp: xp.tanh(c["a"] * f["x"]))
