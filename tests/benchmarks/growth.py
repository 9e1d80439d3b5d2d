"""How time grows: slope of log time over log size; 1 is proportional.

Both ends of a range count, so a fixed cost bends a slope down: it is the largest sizes that must
not cost more than their share, and the slope between the last two is beside the fitted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bayescpt.forecast import forecast
from bayescpt.inference.compile import compiled_sampler, is_compiled, pad
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.benchmarks.density import Density
from tests.benchmarks.fitted import STEPS, draws_of, plans, reference_fit
from tests.benchmarks.problem import DEFAULT, rows, sized
from tests.benchmarks.timing import Call, Options, Result, exponent, in_turn

TARGET = "<= 1.1"


def gradient_of(eval_every: int, n_replays: int) -> tuple[int, Call]:
    """Rows, and the evaluation of the compiled density of a study of other data."""
    card = load_card(DEFAULT)
    arrays = pad(make_rows(sized(eval_every, n_replays), card), card)
    if not is_compiled(arrays, card):
        raise RuntimeError("a study of another length needed a sampler of its own")
    density = Density(compiled_sampler(arrays, card))
    return arrays.loss.size, density.at(density.start())


def slopes(
    case: str, made: Callable[[int], tuple[int, Call]], asked: list[int], options: Options
) -> Result:
    """Fitted exponent over sizes; `made` gives the true size and the call."""
    calls = dict(made(size) for size in asked)
    found = in_turn({str(size): call for size, call in calls.items()}, options.repeats)
    sizes = list(calls)
    by_repeat = [exponent(sizes, list(times)) for times in zip(*found.values(), strict=True)]
    last = exponent(
        sizes[-2:], [sorted(found[str(n)])[len(found[str(n)]) // 2] for n in sizes[-2:]]
    )
    value = sorted(by_repeat)[len(by_repeat) // 2]
    label = f"{case}, {sizes[0]} to {sizes[-1]}"
    note = f"{label}: slope between the two largest {last:.2f}"
    return Result(label, by_repeat, "", ratio=value, target=TARGET, note=note)


def run(options: Options) -> Iterator[Result]:
    """Gradient by rows and runs, forecast by draws and plans."""
    reference, card = rows()
    compiled_sampler(reference, card)
    # 16 runs of two curves: 1k, 2k, 4k, 8k, 16k rows.
    every = [156, 10] if options.quick else [156, 78, 39, 20, 10]
    yield slopes("gradient, rows", lambda n: gradient_of(n, 4), every, options)

    def by_runs(n_runs: int) -> tuple[int, Call]:
        return n_runs, gradient_of(112, n_runs // 4)[1]

    runs = [4, 16] if options.quick else [4, 8, 16, 32, 64]
    yield slopes("gradient, runs of 90 rows", by_runs, runs, options)

    fit = reference_fit(options.quick)
    steps = range(0, STEPS + 1, 50)
    few, many = plans(4), plans(100)

    def by_draws(n: int) -> tuple[int, Call]:
        drawn = draws_of(fit, n)
        return n, lambda: forecast(drawn, few, steps)

    def by_plans(n: int) -> tuple[int, Call]:
        drawn = draws_of(fit, 400)
        return n, lambda: forecast(drawn, many[:n], steps)

    small = options.quick
    yield slopes("forecast, draws", by_draws, [250, 1000] if small else [250, 1000, 4000], options)
    yield slopes("forecast, plans", by_plans, [2, 8] if small else [4, 16, 64], options)
