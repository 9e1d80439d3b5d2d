"""Source of the compiled pass: one loop over rows, assembled from the terms of a law."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bayescpt.laws.noise import Noise
from bayescpt.model.compiled import lanes, linear, vector_math
from bayescpt.model.compiled.emitter import Operand, Program
from bayescpt.model.compiled.layout import Layout, TermCode, noise_code
from bayescpt.model.compiled.symbolic import Branch

# Number of inflations multiplied before taking a log; each below 1e19 keeps the product in range.
FACTORS = 16
HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
ENVIRONMENT = {
    "np": np,
    **{name: getattr(lanes, name) for name in ("below", "first_lanes", "load", "spread", "store")},
    **{name: getattr(lanes, name) for name in ("total", "WIDTH")},
    **{
        name: getattr(vector_math, name)
        for name in ("exp", "expm1", "log", "log1p_inverse", "expm1_ratio")
    },
    **{name: getattr(linear, name) for name in ("combine", "project", "segment_rows")},
}


def function_of(source: str, name: str) -> Callable[..., Any]:
    """Python function defined by assembled source.

    Parameters
    ----------
    source : str
        Output of `density_source` or `mean_source`.
    name : str
        Name of the function.

    Returns
    -------
    callable
        Function for numba to compile.
    """
    scope: dict[str, Any] = dict(ENVIRONMENT)
    exec(compile(source, f"<bayescpt {name}>", "exec"), scope)  # noqa: S102 -- assembled here
    function: Callable[..., Any] = scope[name]
    return function


class _Block:
    """Indented lines of code."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, depth: int, *lines: str) -> None:
        """Append lines at an indentation depth."""
        self.lines += ["    " * depth + line for line in lines]

    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines) + "\n"


def _branches(code: Branch | Program, depth: int) -> Iterator[tuple[int, str | None, Any]]:
    """Depth, line that opens a branch (or None), and the program inside (or None)."""
    if isinstance(code, Program):
        yield depth, None, code
        return
    yield depth, f"if {code.condition}:", None
    yield from _branches(code.yes, depth + 1)
    yield depth, "else:", None
    yield from _branches(code.no, depth + 1)


def _write(
    block: _Block, code: Branch | Program, depth: int, inside: Callable[[Program], list[str]]
) -> None:
    """Write the branches of a program, with lines made from each."""
    for at, opening, program in _branches(code, depth):
        if opening is not None:
            block.add(at, opening)
        else:
            block.add(at, *(inside(program) or ["pass"]))


def _text(operand: Operand) -> str:
    """Code of an output as lanes."""
    return f"spread({operand.text})" if operand.level == 0 else operand.text


def _outputs(prefix: str, count: int) -> list[str]:
    return [f"{prefix}o{k}" for k in range(count)]


class _Assembler:
    """Writes the code shared by density and mean."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.block = layout, _Block()

    def open_segment(self) -> None:
        """Open the loop over segments, and keep segment values in registers."""
        layout, add = self.layout, self.block.add
        add(1, "for s in range(first.shape[0]):")
        add(2, "begin, end = segment_rows(first, s, n)", "is_cpt = cpt[s] > 0.0")
        add(2, "c_offset_of = c_offset[s]")
        for term in layout.terms:
            for name in term.coefficients:
                argument = layout.argument(term.slot, name)
                add(2, f"{argument}_of = {argument}_in[s]", f"{argument} = spread({argument}_of)")
        for name in layout.segment_features:
            add(2, f"f_{name}_of = s_{name}[s]", f"f_{name} = spread(f_{name}_of)")
        for term in layout.terms:
            depth = self.open_phase(term, 2)
            _write(self.block, term.code, depth, lambda program: list(program.segment))

    def open_phase(self, term: TermCode, depth: int) -> int:
        """Write the condition for the phase of a term; returns the depth inside."""
        if len(term.phases) == 2:
            return depth
        self.block.add(depth, "if is_cpt:" if term.phases == ("cpt",) else "if not is_cpt:")
        return depth + 1

    def load_rows(self) -> None:
        """Load the row features."""
        for name in self.layout.row_features:
            self.block.add(3, f"f_{name} = load(r_{name}, i, count)")

    def terms(self) -> None:
        """Sum the terms of the expected loss; each stores its outputs in o0, o1, ..."""
        self.block.add(3, "mean = spread(c_offset_of)")
        for term in self.layout.terms:
            depth = self.open_phase(term, 3)
            names = _outputs(term.prefix, 1 + len(term.by) + len(term.bases))

            def _rows(program: Program, names: list[str] = names) -> list[str]:
                given = zip(names, program.outputs, strict=True)
                return [*program.row, *(f"{name} = {_text(one)}" for name, one in given)]

            _write(self.block, term.code, depth, _rows)
            self.block.add(depth, f"mean = mean + {names[0]}")

    def singular(self, term: TermCode) -> bool:
        """Whether lanes beyond the last row may be non-finite."""
        programs = [program for _, _, program in _branches(term.code, 0) if program is not None]
        return any(program.singular for program in programs)


def density_source(layout: Layout, noise: Noise) -> str:
    """Source of the log density of all rows and its gradient, with independent normal noise.

    A summed density needs no arrays by row: sixteen rows at a time stay in registers from the law's
    exp to the sums of the gradient, and one log of a product serves many rows.

    Parameters
    ----------
    layout : Layout
        Layout of the law.
    noise : Noise
        Independent normal noise.

    Returns
    -------
    str
        Function ``density``; see `bayescpt.model.compiled.ops.CurveDensity` for its arguments.
    """
    assembler = _Assembler(layout)
    names, inflation = noise_code(noise)
    add = assembler.block.add
    count = len(layout.by) + len(names)
    add(0, f"def density({', '.join(density_arguments(layout, names))}):")
    add(1, "n = loss.shape[0]", f"out = np.zeros(({count}, c_offset.shape[0]))")
    for basis in layout.bases:
        add(1, f"whole_{basis} = combine(project(w_{basis}, m_{basis}), b_{basis})")
        add(1, f"by_{basis} = np.zeros(b_{basis}.shape[1])")
    add(1, f"value = {-HALF_LOG_2PI!r} * n")
    assembler.open_segment()
    add(2, "shared = place[begin] - begin", "inverse = 1.0 / noise_sigma[s]")
    if inflation is not None:
        for name in names[1:]:
            add(2, f"noise_c_{name}_of = noise_{name}[s]")
            add(2, f"noise_c_{name} = spread(noise_c_{name}_of)")
        add(2, f"inflated = noise_c_{names[1]}_of > 0.0")
        add(2, "product, factors, logs = spread(1.0), 0, spread(0.0)", "if inflated:")
        _write(assembler.block, inflation, 3, lambda program: list(program.segment))
    add(2, " = ".join([f"s{k}" for k in range(count)]) + " = spread(0.0)")
    add(2, "for i in range(begin, end, WIDTH):")
    add(3, "count = end - i")
    assembler.load_rows()
    for basis in layout.bases:
        add(3, f"f_{basis} = load(whole_{basis}, shared + i, count)")
    assembler.terms()
    _residuals(assembler.block, inflation, names)
    _sums(assembler, names)
    _totals(assembler.block, len(layout.by), names, inflation is not None)
    slopes = (f"combine(project(by_{b}, b_{b}), m_{b})" for b in layout.bases)
    add(1, f"return {', '.join(['np.array([value])', 'out', *slopes])}")
    return assembler.block.text()


def density_arguments(layout: Layout, noise: tuple[str, ...]) -> list[str]:
    """Return the argument names of ``density``, those with a gradient first."""
    return [
        "c_offset",
        *(f"{layout.argument(*key)}_in" for key in layout.by[1:]),
        *(f"noise_{name}" for name in noise),
        *(f"w_{basis}" for basis in layout.bases),
        *(f"{layout.argument(*key)}_in" for key in layout.fixed),
        *(f"m_{basis}" for basis in layout.bases),
        *(f"b_{basis}" for basis in layout.bases),
        *(f"s_{name}" for name in layout.segment_features),
        *(f"r_{name}" for name in layout.row_features),
        "cpt", "fraction", "loss", "first", "place",
    ]  # fmt: skip


def _residuals(block: _Block, inflation: Any, names: tuple[str, ...]) -> None:
    """Compute standardised residuals and the row weights of the gradient."""
    add = block.add
    add(3, "residual = load(loss, i, count) - mean")
    if inflation is None:
        add(3, "over = spread(inverse)")
    else:
        outputs = _outputs("noise_", len(names))

        def _rows(program: Program) -> list[str]:
            given = zip(outputs, program.outputs, strict=True)
            return [*program.row, *(f"{name} = {_text(one)}" for name, one in given)]

        add(3, "if inflated:", "    f_fraction = load(fraction, i, count)")
        _write(block, inflation, 4, _rows)
        add(4, "shrunk = 1.0 / noise_o0", "over = inverse * shrunk")
        add(3, "else:", "    over = spread(inverse)")
    # Lanes beyond the last row of the segment are set to 0.
    add(3, "z = residual * over")
    add(3, "g = first_lanes(count, z * over, spread(0.0))")
    add(3, "beyond = first_lanes(count, z * z - 1.0, spread(0.0))")


def _sums(assembler: _Assembler, names: tuple[str, ...]) -> None:
    """Add a block of rows to the gradient sums."""
    layout, add = assembler.layout, assembler.block.add
    add(3, "s0 += g")
    place = 1
    for term in layout.terms:
        depth = assembler.open_phase(term, 3)
        outputs = _outputs(term.prefix, 1 + len(term.by) + len(term.bases))[1:]
        for k, output in enumerate(outputs):
            part = f"g * {output}"
            if assembler.singular(term):
                part = f"first_lanes(count, {part}, spread(0.0))"
            if k < len(term.by):
                add(depth, f"s{place} += {part}")
                place += 1
                continue
            by = f"by_{term.bases[k - len(term.by)]}"
            add(depth, f"before = load({by}, shared + i, count)")
            add(depth, f"store({by}, shared + i, before + {part}, count)")
    add(3, f"s{place} += beyond")
    if len(names) > 1:
        add(3, "if inflated:")
        for k in range(1, len(names)):
            add(4, f"s{place + k} += beyond * shrunk * noise_o{k}")
        add(4, "product *= first_lanes(count, noise_o0, spread(1.0))", "factors += 1")
        add(4, f"if factors % {FACTORS} == 0:")
        add(5, "logs, product = logs + log(product), spread(1.0)")


def _totals(block: _Block, by: int, names: tuple[str, ...], inflated: bool) -> None:
    """Sum over the lanes of a segment."""
    add = block.add
    add(2, f"by_sigma, rows = total(s{by}), end - begin")
    add(2, "value -= 0.5 * (by_sigma + rows) + rows * np.log(noise_sigma[s])")
    if inflated:
        add(2, "if inflated:", "    value -= total(logs + log(product))")
    for k in range(by):
        add(2, f"out[{k}, s] = total(s{k})")
    add(2, f"out[{by}, s] = by_sigma * inverse")
    for k in range(1, len(names)):
        add(2, f"out[{by + k}, s] = total(s{by + k})")


def mean_source(layout: Layout) -> str:
    """Source of the expected loss of every row and its partial derivatives.

    Parameters
    ----------
    layout : Layout
        Layout of the law.

    Returns
    -------
    str
        Function ``mean``; see `bayescpt.model.compiled.ops.CurveMean` for its arguments.
    """
    assembler = _Assembler(layout)
    add = assembler.block.add
    count = len(layout.by) - 1 + len(layout.bases)
    add(0, f"def mean({', '.join(mean_arguments(layout))}):")
    add(1, "n = place.shape[0]", "expected = np.empty(n)", f"partials = np.zeros(({count}, n))")
    for basis in layout.bases:
        add(1, f"whole_{basis} = combine(w_{basis}, b_{basis})[place]")
    assembler.open_segment()
    add(2, "for i in range(begin, end, WIDTH):")
    add(3, "count = end - i")
    assembler.load_rows()
    for basis in layout.bases:
        add(3, f"f_{basis} = load(whole_{basis}, i, count)")
    assembler.terms()
    place = 0
    for term in layout.terms:
        depth = assembler.open_phase(term, 3)
        for k, output in enumerate(_outputs(term.prefix, 1 + len(term.by) + len(term.bases))[1:]):
            if k < len(term.by):
                at, place = place, place + 1
            else:
                at = len(layout.by) - 1 + layout.bases.index(term.bases[k - len(term.by)])
                output = f"load(partials, {at} * n + i, count) + {output}"
            add(depth, f"store(partials, {at} * n + i, {output}, count)")
    add(3, "store(expected, i, mean, count)")
    add(1, "return expected, partials")
    return assembler.block.text()


def mean_arguments(layout: Layout) -> list[str]:
    """Return the argument names of ``mean``, those with a gradient first."""
    return [
        "c_offset",
        *(f"{layout.argument(*key)}_in" for key in layout.by[1:]),
        *(f"w_{basis}" for basis in layout.bases),
        *(f"{layout.argument(*key)}_in" for key in layout.fixed),
        *(f"b_{basis}" for basis in layout.bases),
        *(f"s_{name}" for name in layout.segment_features),
        *(f"r_{name}" for name in layout.row_features),
        "cpt", "first", "place",
    ]  # fmt: skip
