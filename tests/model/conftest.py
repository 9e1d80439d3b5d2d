"""A small study with every oddity the rows know, and cards made in a line."""

import numpy as np
import pandas as pd
import pytensor
import pytest
from pytensor.compile.mode import Mode

from bayescpt.data import Study, schedules
from bayescpt.model.card import Card
from bayescpt.model.card_file import parse_card

# No rewrites: the graph as it is written, ready in a tenth of the time.
PLAIN = Mode(linker="py", optimizer=None)
# With rewrites, as for a sampler, but no fused loops: they have too many operands for this linker.
REWRITTEN = Mode(linker="py", optimizer="fast_run").excluding("fusion")

CARDS = {
    "own_share": '[law]\nshift = "power"\nreplay = "own_share"',
    "pt_only": "[law]",
    "everything": """
        [law]
        shift = "power"
        replay = "own_share"
        [noise]
        family = "student_t"
        early = true
        ar1 = true
        domain_correlation = true
    """,
    "paper": """
        parameterisation = "paper"
        [law]
        shift = "power"
        replay = "own_share"
    """,
    "exponential": """
        [law]
        shift = "power"
        replay = "exponential"
    """,
    "variants": """
        [law]
        annealing = "area"
        shift = "power"
        rewarm = "own"
        replay = "memory"
        [noise]
        run_effects = ["shift"]
    """,
    "paper_exponential": """
        parameterisation = "paper"
        [law]
        shift = "power"
        replay = "exponential"
    """,
}


def make_card(text: str) -> Card:
    return parse_card(f'name = "test"\ndescription = "A card."\n{text}')


@pytest.fixture(scope="session")
def card():
    """Function that makes a card from the name of one in CARDS, or from TOML."""
    return lambda text="own_share": make_card(CARDS.get(text, text))


def make_study(domains: tuple[str, ...] = ("general", "german", "code")) -> Study:
    """Two base runs, one a branch of the other; four cpt runs, one a branch of another."""
    wsd = dict(num_training_steps=40, num_warmup_steps=4, num_decay_steps=10)
    trunk = schedules.wsd(lr=2e-3, **wsd).lr
    lrs = {
        "base": np.r_[np.linspace(2e-4, 2e-3, 10), np.full(90, 2e-3)],
        "annealed": np.r_[np.linspace(2e-4, 2e-3, 10), np.full(50, 2e-3), np.linspace(2e-3, 0, 40)],
        "pure": schedules.cosine(lr=1e-3, num_training_steps=40, num_warmup_steps=2).lr,
        "mix": trunk,
        "mix_late": np.r_[trunk[:20], np.full(20, 1e-3)],
        "replay": trunk.copy(),
    }
    runs = pd.DataFrame(
        {
            "run": list(lrs),
            "phase": ["pt", "pt", "cpt", "cpt", "cpt", "cpt"],
            "parent": [None, None, "annealed", "base", "base", "annealed"],
            "domain": [None, None, *["german"] * 4],
            "replay_ratio": [np.nan, np.nan, 0.0, 0.25, 0.25, 1.0],
            "branch_of": [None, "base", None, None, "mix", None],
            "branch_step": [np.nan, 60, np.nan, np.nan, 20, np.nan],
        }
    )
    rng = np.random.default_rng(5)
    curves = []
    start = {"general": 3.1, "german": 6.2, "code": 4.0}
    shared: dict[tuple[str, int, str], float] = {}
    for name in lrs:
        is_pt = name in ("base", "annealed")
        for domain in domains:
            steps = (
                range(10, 101, 10)
                if is_pt
                else (0, 3, 10, 20, 21, 40)
                if domain == "general"
                else (0, 10, 20, 30, 40)
                if domain == "german"
                else (40,)
            )
            for step in steps:
                if is_pt and domain == "general":
                    loss = 3.1 + 2.0 / np.sqrt(step) - 0.2
                elif is_pt:
                    loss = start[domain] - 0.3 + 0.003 * step
                else:
                    rate = {"general": 0.1, "german": -0.7, "code": 0.05}[domain]
                    loss = start[domain] + (rate * np.log1p(step) if name != "replay" else 0.0)
                loss += 0.01 * rng.standard_normal() * (step > 0)
                trunk_of = {"annealed": ("base", 60), "mix_late": ("mix", 20)}.get(name)
                if trunk_of and step <= trunk_of[1]:
                    loss = shared[trunk_of[0], step, domain]
                shared[name, step, domain] = loss
                curves.append((name, step, domain, loss))
    return Study.from_frames(
        pd.DataFrame(curves, columns=["run", "step", "domain", "loss"]),
        runs,
        lrs,
        name="small",
    )


@pytest.fixture(scope="session")
def study():
    return make_study()


@pytest.fixture(scope="session")
def logp_and_gradient():
    """Function of a model: log density and its gradient as a function of the point."""
    return _logp_and_gradient


def _logp_and_gradient(model, rewritten=False):
    variables = model.value_vars
    flat = model.logp()
    compiled = pytensor.function(
        variables,
        [flat, *pytensor.grad(flat, variables)],
        mode=REWRITTEN if rewritten else PLAIN,
        on_unused_input="ignore",
    )

    def evaluate(point):
        value, *slopes = compiled(*[point[v.name] for v in variables])
        return value, dict(zip([v.name for v in variables], slopes, strict=True))

    return evaluate


@pytest.fixture(scope="session")
def same_density():
    """Function of two results of `logp_and_gradient`: the same to 1e-10, gradients to 1e-8."""

    def same(found, expected):
        (value, slopes), (reference, theirs) = found, expected
        assert value == pytest.approx(reference, rel=1e-10)
        assert slopes.keys() == theirs.keys()
        for key, slope in slopes.items():
            size = 1e-8 * np.abs(theirs[key]).max()
            np.testing.assert_allclose(slope, theirs[key], rtol=1e-8, atol=size, err_msg=key)

    return same


@pytest.fixture(scope="session")
def near():
    """Function of a model: its initial point, moved a little on the unconstrained scale."""

    def move(model, seed, scale=0.3):
        rng = np.random.default_rng(seed)
        return {
            key: value + scale * rng.standard_normal(np.shape(value))
            for key, value in model.initial_point().items()
        }

    return move
