"""Write small logs as the print statements of trainers that log text would.

    python tests/data/readers/make_text_samples.py

The statements are those of Megatron-LM (training.py: training_log, evaluate_and_print_results and
the argument dump of arguments.py), nanoGPT (train.py), build-nanogpt (train_gpt2.py),
modded-nanogpt (train_gpt.py), llm.c (train_gpt2.cu and logger.h) and OLMo-core (console_logger.py,
evaluator_callback.py and metric_saver.py).
"""

import json
import math
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
PEAK, MIN_LR, WARMUP, STEPS = 2.0e-4, 2.0e-5, 20, 200


def cosine(done):
    """LR after `done` updates: a linear warm-up, a cosine to the minimum, which is then kept."""
    if done <= WARMUP:
        return PEAK * done / WARMUP
    progress = min((done - WARMUP) / (STEPS - WARMUP), 1.0)
    return MIN_LR + (PEAK - MIN_LR) * 0.5 * (1 + math.cos(math.pi * progress))


def llm_c_rate(done):
    """LR of llm.c, whose warm-up is ahead by one."""
    return PEAK * (done + 1) / WARMUP if done < WARMUP else cosine(done)


def loss(step, final=2.4, drop=0.8):
    """A smooth loss with a little jitter, so that no two rows are equal."""
    return final + drop * (1 + step / 20) ** -0.6 + 0.004 * math.sin(7.0 * step)


def val(step, name=""):
    return loss(step + 0.5, *{"greek": (2.0, 1.6), "web": (2.5, 0.1)}.get(name, (2.4, 0.8)))


def megatron_arguments(valid_paths, **others):
    arguments = {
        "global_batch_size": 64,
        "lr": PEAK,
        "lr_decay_iters": None,
        "lr_decay_style": "cosine",
        "lr_warmup_fraction": None,
        "lr_warmup_init": 0.0,
        "lr_warmup_iters": WARMUP,
        "lr_warmup_samples": 0,
        "micro_batch_size": 4,
        "min_lr": MIN_LR,
        "multiple_validation_sets": len(valid_paths) > 1,
        "seed": 1234,
        "seq_length": 4096,
        "tensor_model_parallel_size": 2,
        "train_iters": STEPS,
        "train_samples": None,
        "valid_data_path": valid_paths or None,
        **others,
    }
    yield "------------------------ arguments ------------------------"
    for key, value in sorted(arguments.items()):
        yield f"  {key} {'.' * (48 - len(key))} {value}"
    yield "-------------------- end of arguments ---------------------"


def megatron_iteration(step, lr, now="2026-03-01 12:00:00"):
    return (
        f" [{now}]"
        + f" iteration {step:8d}/{STEPS:8d} |"
        + f" consumed samples: {step * 64:12d} |"
        + f" elapsed time per iteration (ms): {812.31:.1f} |"
        + f" throughput per GPU (TFLOP/s/GPU): {401.2:.1f} |"
        + f" learning rate: {lr:.6E} |"
        + f" global batch size: {64:5d} |"
        + f" lm loss: {loss(step):.6E} |"
        + f" loss scale: {1.0:.1f} |"
        + f" grad norm: {0.731:.3f} |"
        + " number of skipped iterations:   0 | number of nan iterations:   0 |"
    )


def megatron_validation(where, name="", suffix="", key="lm loss"):
    step = int(where.split()[1])
    value = val(step, name)
    line = f" validation{suffix} loss at {where} | "
    line += f"{key} value: {value:.6E} | {key} PPL: {math.exp(value):.6E} | "
    return ["-" * (len(line) + 1), line, "-" * (len(line) + 1)]


def megatron(sets, rank="", life=((0, STEPS),), suffixes=None, final=False):
    """The lines of one log; each pair of `life` is a start of the job and where it ended."""
    for start, end in life:
        yield "using world size: 8, data-parallel size: 4, tensor-model-parallel size: 2"
        yield from megatron_arguments([f"/data/{name}_text_document" for name in sets if name])
        yield (
            " > number of parameters on (tensor, pipeline) model parallel rank (0, 0): 177431552"
        )
        yield (
            " > number of parameters on (tensor, pipeline) model parallel rank (1, 0): 177431552"
        )
        if start:
            yield f"  successfully loaded checkpoint from ckpt at iteration {start}"
        for step in range(start + 1, end + 1):
            if step % 10 == 0:
                # After the scheduler's step: the rate of the next update.
                yield megatron_iteration(step, cosine(step))
            if step % 50 == 0:
                for name, suffix in zip(sets, suffixes or [""], strict=True):
                    yield from megatron_validation(f"iteration {step}", name, suffix)
        if final:
            yield from megatron_validation(f"iteration {STEPS} on validation set", sets[0])
            yield from megatron_validation(f"iteration {STEPS} on test set", "web")


def nanogpt():
    yield "Overriding config with config/train_gpt2.py:"
    yield "# config for training GPT-2 (124M)"
    yield "batch_size = 12"
    yield "block_size = 1024"
    yield f"max_iters = {STEPS}"
    yield f"lr_decay_iters = {STEPS}"
    yield f"Overriding: learning_rate = {PEAK}"
    yield f"Overriding: min_lr = {MIN_LR}"
    yield f"Overriding: warmup_iters = {WARMUP}"
    yield "tokens per iteration will be: 491,520"
    yield "found vocab_size = 65 (inside data/shakespeare_char/meta.pkl)"
    yield "number of parameters: 123.59M"
    for step in range(STEPS + 1):
        if step % 50 == 0:
            yield f"step {step}: train loss {loss(step):.4f}, val loss {val(step):.4f}"
            if step:
                yield "saving checkpoint to out"
        if step % 10 == 0:
            yield f"iter {step}: loss {loss(step):.4f}, time {135.12:.2f}ms, mfu {31.4:.2f}%"


def build_nanogpt():
    for step in range(STEPS):
        if step % 50 == 0 or step == STEPS - 1:
            yield f"{step} val {val(step):.4f}"
        if step % 50 == 0:
            yield f"{step} hella {0.25:.4f}"
        yield f"{step} train {loss(step):.6f}"


def modded_nanogpt():
    yield "import os"
    yield "import sys"
    yield "with open(sys.argv[0]) as f:"
    yield "    code = f.read() # read the code of this file ASAP, for logging"
    yield "#" * 300
    for number in range(400):  # the script prints itself, so the log starts with its code
        yield f"    x = norm(x + self.lambdas[{number}] * x0)  # a line of the script's own code"
    yield ('print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f} train_time:{t:.0f}ms")')
    yield "=" * 100
    yield "Running Python 3.12.7 (main, Oct 16 2024, 04:37:19) [Clang 18.1.8 ]"
    yield "=" * 100
    for step in range(STEPS + 1):
        ms = step * 105.2
        if step % 25 == 0:
            yield (
                f"step:{step}/{STEPS} val_loss:{val(step):.4f} train_time:{ms:.0f}ms"
                f" step_avg:{ms / max(step, 1):.2f}ms"
            )
        if step < STEPS:
            yield f"step:{step + 1}/{STEPS} train_time:{ms:.0f}ms step_avg:{105.2:.2f}ms"
    yield "peak memory allocated: 30840 MiB reserved: 32118 MiB"


def llm_c(final_step=STEPS):
    for step in range(final_step + 1):
        if step % 50 == 0:
            yield f"s:{step} tel:{val(step):.4f}"
        if step % 100 == 0 and step:
            yield f"s:{step} eval:{0.3012:.4f}"
        if step < final_step:
            # A peak of 2e-6: at six decimals most of the column is one of three numbers.
            yield f"s:{step} trl:{loss(step):.4f} lr:{llm_c_rate(step) / 100:.6f} norm:{0.31:.2f}"


def llm_c_stdout():
    ruler = f"+-{'-' * 21}-+-{'-' * 50}-+"
    yield ruler
    for key, value in {
        "sequence length T": 1024,
        "total batch size": 524288,
        "LR scheduler": "cosine",
        "learning rate (LR)": f"{PEAK:e}",
        "warmup iterations": WARMUP,
        "final LR fraction": f"{MIN_LR / PEAK:e}",
        "num_parameters": 124475904,
        "train_num_batches": STEPS,
    }.items():
        yield f"| {key:21} | {value:<50} |"
    yield ruler
    for step in range(STEPS + 1):
        if step % 50 == 0:
            yield f"val loss {val(step):f}"
        if step < STEPS:
            yield (
                f"step {step + 1:4d}/{STEPS} | loss {loss(step):7.6f} (+nanz)|"
                f" norm {0.3123:6.4f} (+nanz)| lr {llm_c_rate(step):.2e} | {88.12:.2f} ms |"
                f" {54.3:.1f}% bf16 MFU | {523412:.0f} tok/s"
            )


def olmo_core():
    head = "2026-03-01 12:00:00.123\thost:0\t"
    for step in range(1, STEPS + 1):
        if step == 1 or step % 10 == 0:
            yield (
                f"{head}olmo_core.train.callbacks.console_logger:84\tINFO\t"
                f"[step={step}/{STEPS},epoch=1,eta=0:{(STEPS - step) // 60:02d}:00]"
            )
            yield f"    optim/total grad norm={0.4312:.4f}"
            yield f"    optim/LR (group 0)={cosine(step):.4E}"
            yield f"    train/CE loss={loss(step):.3f}"
            yield f"    train/PPL={math.exp(loss(step)):.2f}"
        if step % 50 == 0:
            yield f"{head}olmo_core.train.callbacks.evaluator_callback:71\tINFO\tRunning lm evals"
            yield (
                f"{head}olmo_core.train.callbacks.evaluator_callback:132\tINFO\t"
                "Finished lm evals in 8.2 seconds. Metrics:"
            )
            for label in ("c4_en-validation", "greek"):
                value = val(step, label)
                yield f"    {label}/CE loss={value:.3f}"
                yield f"    {label}/PPL={math.exp(value):.2f}"
            yield (
                f"{head}olmo_core.train.callbacks.evaluator_callback:132\tINFO\t"
                "Finished downstream evals in 4.0 seconds. Metrics:"
            )
            yield f"    arc_easy (CE loss v2)={1.412:.3f}"


def olmo_core_metrics(folder):
    """The metric saver's files, which hold the latest value of each metric."""
    latest = {}
    for step in range(25, STEPS + 1, 25):
        latest |= {"train/CE loss": loss(step), "optim/LR (group 0)": cosine(step)}
        latest["throughput/total tokens"] = step * 4096 * 64
        if step % 50 == 0:  # evaluated every 50 steps, saved every 25: every second one is old
            latest["eval/lm/greek/CE loss"] = val(step, "greek")
            latest["eval/lm/greek/PPL"] = math.exp(val(step, "greek"))
        write(folder / f"metrics_step{step}.json", [json.dumps(latest)])
    write(folder / "metrics.json", [json.dumps(latest)])


def write(path, lines, prefix=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{prefix}{line}\n" for line in lines))


def main():
    write(SAMPLES / "megatron" / "one_set.log", megatron([""], final=True))
    write(
        SAMPLES / "megatron" / "resumed.log", megatron([""], life=((0, 120), (100, STEPS))), "3: "
    )
    write(
        SAMPLES / "megatron" / "named_sets.log",
        megatron(["greek", "web"], suffixes=["-greek", "-web"]),
        "[default7]:",
    )
    write(
        SAMPLES / "megatron" / "numbered_sets.log",
        megatron(["greek", "web"], suffixes=["-0", "-1"]),
    )
    write(SAMPLES / "nanogpt" / "train.log", nanogpt())
    write(SAMPLES / "nanogpt" / "build_nanogpt_log.txt", build_nanogpt())
    write(SAMPLES / "modded_nanogpt" / "run.txt", modded_nanogpt())
    write(SAMPLES / "llm_c" / "main.log", llm_c())
    write(SAMPLES / "llm_c" / "stdout.txt", llm_c_stdout())
    write(SAMPLES / "olmo_core" / "console.log", olmo_core())
    olmo_core_metrics(SAMPLES / "olmo_core" / "metrics")


if __name__ == "__main__":
    main()
