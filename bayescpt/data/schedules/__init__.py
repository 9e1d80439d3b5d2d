"""Learning-rate schedules by name, with the parameter names of transformers and Megatron.

``lr[i]``, the learning rate of update ``i + 1``, is the value of the trainer's formula at step
counter ``i``, which both trainers count from 0. Where a trainer's behaviour is surprising, this is
how to reproduce it:

- transformers' ``warmup_stable_decay`` warms up from ``min_lr_ratio * lr``, not from 0: pass
  ``warmup_init_lr=min_lr_ratio * lr``.
- transformers' ``cosine_warmup_with_min_lr`` is one step ahead: take ``.lr[1:]`` of
  ``cosine(lr, n + 1, warmup, num_decay_steps=n - warmup)``.
- transformers' cosine rises again past its end; here, as in Megatron, the learning rate stays at
  its minimum.
- Megatron's "exponential" decay is ``2 * 0.5**p - 1``, which ends at the minimum; the decay that
  multiplies the learning rate by a constant factor at each step is ``geometric``.
- Megatron's ``lr_decay_iters`` counts from step 0, `num_decay_steps` from the start of the decay.

Each constructor has a file of its own and is registered under its name, which is how plan files,
search spaces and ``runs.csv`` refer to it. `bayescpt.data.schedules.registry.register_schedule`
says how to add one.
"""

from bayescpt.data.schedules.array_schedule import from_array
from bayescpt.data.schedules.constant_schedule import constant
from bayescpt.data.schedules.constant_with_warmup_schedule import constant_with_warmup
from bayescpt.data.schedules.cosine_schedule import cosine
from bayescpt.data.schedules.infinite_schedule import infinite
from bayescpt.data.schedules.inverse_sqrt_schedule import inverse_sqrt
from bayescpt.data.schedules.linear_schedule import linear
from bayescpt.data.schedules.piecewise_schedule import piecewise
from bayescpt.data.schedules.registry import from_name
from bayescpt.data.schedules.registry import parse_params as parse_params
from bayescpt.data.schedules.registry import register_schedule as register_schedule
from bayescpt.data.schedules.registry import registered_schedules as registered_schedules
from bayescpt.data.schedules.warmup_stable_decay_schedule import warmup_stable_decay, wsd

# Every registered constructor, and the two other ways to make a schedule.
__all__ = [
    "constant",
    "constant_with_warmup",
    "cosine",
    "from_array",
    "from_name",
    "infinite",
    "inverse_sqrt",
    "linear",
    "piecewise",
    "warmup_stable_decay",
    "wsd",
]


def __dir__() -> list[str]:
    # Completion offers the schedules, not the modules that they are in.
    return sorted(__all__)
