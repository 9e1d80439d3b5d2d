"""Stacked training of case_studies/make_study: runs only where PyTorch is installed."""

import importlib
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the group fleet is not installed")
FOLDER = Path(__file__).parents[2] / "case_studies" / "make_study"


@pytest.fixture(scope="module")
def stack():
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("stack")
    finally:
        sys.path.remove(str(FOLDER))


def train(stack, seeds, tokens, shape, steps):
    parts = [stack.State.start(shape.initial(seed)) for seed in seeds]
    state = parts[0].join(parts[1:])
    losses = []
    for step in range(steps):
        batch = torch.stack([tokens[seed][step] for seed in seeds])
        lr = torch.tensor([1e-3 * (1 + seed) for seed in seeds])
        losses.append(stack.train_step(state, batch, lr, shape, torch.float32))
    return torch.stack(losses)


def test_a_run_in_a_stack_has_the_curve_that_it_has_alone(stack):
    generator = torch.Generator().manual_seed(5)
    shape = stack.Shape(32, 2)
    tokens = {s: torch.randint(0, 40, (12, 2, 129), generator=generator) for s in range(3)}
    together = train(stack, [0, 1, 2], tokens, shape, 12)
    assert together[-1].max() < together[0].min() - 0.3
    for seed in range(3):
        alone = train(stack, [seed], tokens, shape, 12)[:, 0]
        assert (together[:, seed] - alone).abs().max() < 1e-4
