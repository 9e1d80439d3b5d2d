"""Stacked training of case_studies/make_study: runs only where PyTorch is installed."""

import importlib

import pytest

torch = pytest.importorskip("torch", reason="the group fleet is not installed")


@pytest.fixture(scope="module")
def stack(scripts_path):
    return importlib.import_module("stack")


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


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_runs_of_a_stack_keep_their_own_weight_decay_and_beta(stack, optimizer):
    constants = importlib.import_module("optimiser").Constants
    generator = torch.Generator().manual_seed(6)
    shape = stack.Shape(32, 2, sequence=64, optimizer=optimizer)
    tokens = torch.randint(0, 40, (10, 2, 2, 65), generator=generator)
    kinds = constants(torch.tensor([0.1, 0.0]), torch.tensor([0.95, 0.999]))

    def trained(rows):
        parts = [stack.State.start(shape.initial(8)) for _ in rows]
        state = parts[0].join(parts[1:])
        own = constants(kinds.weight_decay[rows], kinds.beta_2[rows])
        for step in range(10):
            lr = torch.full((len(rows),), 2e-3)
            loss = stack.train_step(state, tokens[step, rows], lr, shape, torch.float32, own)
        return state.weights, loss

    together, losses = trained([0, 1])
    for row in (0, 1):
        alone, loss = trained([row])
        assert (together[row] - alone[0]).abs().max() < 1e-4
        assert abs(losses[row] - loss[0]) < 1e-4
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_adamw_is_that_of_torch(stack):
    optimiser = importlib.import_module("optimiser")
    generator = torch.Generator().manual_seed(7)
    weights = torch.randn(3, 50, generator=generator)
    kinds = [(0.1, 0.95), (0.0, 0.999), (0.3, 0.9)]
    constants = optimiser.Constants(*(torch.tensor(x) for x in zip(*kinds, strict=True)))
    states = [torch.nn.Parameter(weights[row].clone()) for row in range(3)]
    reference = [
        torch.optim.AdamW([state], lr=1e-2, betas=(0.9, beta), weight_decay=decay)
        for state, (decay, beta) in zip(states, kinds, strict=True)
    ]
    moments = (torch.zeros(3, 50), torch.zeros(3, 50))
    for step in range(1, 9):
        gradient = torch.randn(3, 50, generator=generator)
        for row in range(3):
            states[row].grad = gradient[row].clone()
            reference[row].step()
        count = torch.full((3,), float(step))
        lr = torch.full((3,), 1e-2)
        optimiser.adamw_(weights, moments, count, gradient, lr, constants)
    for row in range(3):
        assert (weights[row] - states[row].detach()).abs().max() < 2e-5


def test_muons_updates_are_near_orthogonal(stack):
    optimiser = importlib.import_module("optimiser")
    generator = torch.Generator().manual_seed(8)
    for shape in ((2, 16, 64), (2, 64, 16), (2, 32, 32)):
        values = torch.linalg.svdvals(optimiser.orthogonal(torch.randn(shape, generator=generator)))
        assert 0.5 < values.max() < 1.3
        assert values.median() > 0.6


class Stack:
    """A pool and a store as `admit` uses them: what is under way, and which ends are there."""

    def __init__(self, ends):
        self.ends, self.active = ends, []

    def add(self, entries):
        self.active += [entry for entry, _ in entries]


def test_a_base_that_would_not_end_in_time_holds_up_no_run_of_another(stack, monkeypatch):
    train, pool = importlib.import_module("train"), importlib.import_module("pool")
    monkeypatch.setattr(
        train, "origin_state", lambda job, store, _: "state" if job.origin in store.ends else None
    )

    def job(key, phase, steps, parent="", branch_of="", tier=0):
        row = {"phase": phase, "parent": parent, "branch_of": branch_of, "tier": tier}
        row |= {"branch_step": 3_000 if branch_of else 0, "steps": steps}
        return pool.Job(key, row, None, None)

    def admitted(steps_left, ends):
        jobs = [
            job("short", "cpt", 500, parent="pt3k", tier=1),
            job("long", "cpt", 900, parent="pt3k", tier=1),
            job("later", "cpt", 700, parent="pt8k", tier=1),
            job("pt8k", "pt", 8_000, branch_of="pt3k"),
        ]
        under_way = Stack(ends)
        train.admit(under_way, {j.key: j for j in jobs}, under_way, 8, steps_left)
        return [entry.job.key for entry in under_way.active]

    ends = {("pt3k", -1), ("pt3k", 3_000)}
    assert admitted({"pt": 6_000, "cpt": 2_000}, ends) == ["pt8k"]
    assert admitted({"pt": 4_000, "cpt": 2_000}, ends) == ["long", "short"]
    assert admitted({"pt": 4_000, "cpt": 600}, ends) == ["short"]
