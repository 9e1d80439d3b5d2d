"""Makes samples/hf_trainer with transformers' own TrainerState.

Not part of the tests: run it with transformers installed (PyTorch is not needed), from the root,

    python tests/data/readers/make_fixtures.py

The learning rates are those of transformers' schedulers, written out here a second time.
"""

import math
import random
from pathlib import Path

from transformers.trainer_callback import TrainerState

SAMPLES = Path(__file__).parent / "samples" / "hf_trainer"
STEPS, WARMUP, LOGGED, EVALUATED = 200, 20, 10, 50


def cosine(step: int, peak: float) -> float:
    """``get_cosine_schedule_with_warmup`` at a step counter."""
    if step < WARMUP:
        return peak * step / WARMUP
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def losses(step: int, replay: float, peak: float, noise: random.Random) -> dict[str, float]:
    """A general loss that rises and a medical loss that falls."""
    spent = 1 - math.exp(-step / 60)
    general = 2.10 + (1 - replay) * 0.12 * spent * math.sqrt(peak / 2e-4)
    medical = 2.60 - 0.50 * spent * (1 - 0.3 * replay)
    return {
        "general": general + noise.gauss(0, 0.003),
        "medical": medical + noise.gauss(0, 0.003),
    }


def train(name: str, replay: float, peak: float, checkpoints: tuple[int, ...] = ()) -> None:
    """Log a run as Trainer.log does, and save its state where Trainer saves it."""
    noise = random.Random(name)  # noqa: S311
    state = TrainerState(max_steps=STEPS, logging_steps=LOGGED, eval_steps=EVALUATED)
    state.num_train_epochs, state.train_batch_size = 1, 4

    def log(values: dict[str, float]) -> None:
        epoch = {"epoch": round(state.global_step / STEPS, 4)}
        state.log_history.append({**values, **epoch, "step": state.global_step})

    def evaluate() -> None:
        for domain, loss in losses(state.global_step, replay, peak, noise).items():
            log(
                {
                    f"eval_{domain}_loss": loss,
                    f"eval_{domain}_runtime": 2.5,
                    f"eval_{domain}_samples_per_second": 101.1,
                }
            )

    evaluate()
    for step in range(1, STEPS + 1):
        state.global_step, state.epoch = step, step / STEPS
        state.num_input_tokens_seen = step * 65_536
        if step % LOGGED == 0:
            mean = sum(losses(step, replay, peak, noise).values()) / 2
            # The scheduler has stepped before the rate is logged: the next step's.
            log({"loss": mean, "grad_norm": 1.0, "learning_rate": cosine(step, peak)})
        if step % EVALUATED == 0:
            evaluate()
        if step in checkpoints:
            folder = SAMPLES / name / f"checkpoint-{step}"
            folder.mkdir(parents=True, exist_ok=True)
            state.save_to_json(folder / "trainer_state.json")
    log({"train_runtime": 100.0, "train_samples_per_second": 8.0, "train_loss": 2.345})
    (SAMPLES / name).mkdir(parents=True, exist_ok=True)
    state.save_to_json(SAMPLES / name / "trainer_state.json")


if __name__ == "__main__":
    train("r00", 0.0, 2e-4, checkpoints=(50, 100))
    train("r10", 0.1, 2e-4)
    train("r25", 0.25, 2e-4)
    train("r25_low", 0.25, 5e-5)
