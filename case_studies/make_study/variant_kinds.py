"""The variants: what each of these studies changes, and the stacks that their runs train in."""

from __future__ import annotations

from dataclasses import dataclass

from recipes import DENSE, SIZES, Size


@dataclass(frozen=True)
class Stack:
    """Runs that train in one stack: a decoder, its batch and its kind of optimiser."""

    model: Size
    slots: int  # runs at once on a GPU
    sequence: int = 128
    sequences_per_step: int = 16
    optimizer: str = "adamw"

    @property
    def tokens_per_step(self) -> int:
        """Tokens of a batch."""
        return self.sequence * self.sequences_per_step


SMALL, MIDDLE = SIZES["330k"], SIZES["1200k"]
STACKS = {
    "16m": Stack(Size(512, 5, 7e-4), 8),
    "330k_long": Stack(SMALL, 22),  # its base takes so long that the others do not wait for it
    "330k": Stack(SMALL, 32),
    "1200k": Stack(MIDDLE, 20),
    "330k_batch": Stack(SMALL, 12, sequences_per_step=64),
    "330k_sequence": Stack(SMALL, 22, sequence=512, sequences_per_step=4),
    "330k_muon": Stack(SMALL, 22, optimizer="muon"),
}


@dataclass(frozen=True)
class Variant:
    """One study.

    ``general``, ``target`` and ``others`` are packed corpora; NAME_TOKENIZER is NAME in the tokens
    of another tokenizer. ``lengths`` are the shortest and the longest run. A base is a trunk of
    ``base_steps`` whose last ``base_decay`` are annealed to each of ``ends``; ``bases`` names the
    variant, or the size of the fleet, whose bases these are if they are not its own.
    """

    stack: str
    target: str
    others: tuple[str, ...]
    about: str
    peak_lr: float
    general: str = "general"
    base_steps: int = 8_000
    base_decay: int = 1_200
    ends: tuple[float, ...] = (0.0, 0.5)
    bases: str = ""
    cosine_bases: tuple[int, ...] = ()  # lengths; instead of a trunk
    lengths: tuple[int, int] = (500, 4_000)
    weight_decay: float = 0.1
    beta_2: float = 0.95
    state: str = "carried"
    parts: int = 40
    dense: tuple[int, ...] = DENSE

    @property
    def sets(self) -> tuple[str, ...]:
        """Validation sets."""
        return (self.general, self.target, *self.others)

    @property
    def names(self) -> dict[str, str]:
        """Names of the validation sets in the study: English is `general` if pre-trained on."""
        shown = {name: name.partition("_")[0] for name in self.sets}
        for name, word in shown.items():
            if word == "general" and name != self.general:
                shown[name] = "english"
        return shown | ({self.general: "general"} if self.general == "mixture" else {})


SPARSE = (0, 8, 32, 90)
VARIANTS = {
    "from_code": Variant(
        *("330k", "general_code", ("german_code", "changelog_code")),
        "Python source code, then English technical prose; a tokenizer of the code",
        peak_lr=2e-3,
        general="code_code",
        base_steps=4_000,
        base_decay=600,
    ),
    "from_german": Variant(
        *("330k", "math_german", ("general_german", "code_german")),
        "German documentation, then formal mathematics; a tokenizer of the German",
        peak_lr=1.5e-3,
        general="german_german",
        base_steps=3_000,
        base_decay=750,
        ends=(0.1, 0.5),
        lengths=(500, 2_500),
    ),
    "mixture": Variant(
        *("1200k", "german", ("general", "code")),
        "70% English prose and 30% code, then German; general is measured on the same mixture",
        peak_lr=1.4e-3,
        general="mixture",
        ends=(0.1, 0.5),
    ),
    "batch": Variant(
        *("330k_batch", "changelog", ("code", "german")),
        "batches of 8,192 tokens",
        peak_lr=3e-3,
        base_steps=3_000,
        base_decay=450,
        lengths=(300, 1_500),
        parts=25,
        dense=SPARSE,
    ),
    "sequence": Variant(
        *("330k_sequence", "code", ("changelog", "german")),
        "sequences of 512 tokens",
        peak_lr=2e-3,
        base_steps=6_000,
        base_decay=600,
    ),
    "no_decay": Variant(
        *("330k", "code", ("changelog", "german")),
        "no weight decay, AdamW betas (.9, .999)",
        peak_lr=1.5e-3,
        base_steps=6_000,
        base_decay=1_200,
        weight_decay=0.0,
        beta_2=0.999,
    ),
    "fresh": Variant(
        *("1200k", "math", ("code", "german")),
        "a fresh optimiser at the start of every run, and ten evaluations a run",
        peak_lr=1.4e-3,
        base_steps=6_000,
        base_decay=900,
        state="fresh",
        parts=10,
        dense=(0,),
    ),
    "overtrained": Variant(
        *("330k_long", "german", ("spanish", "code")),
        "a base of 24,000 steps, cosine to a tenth, and a base of 6,000 steps",
        peak_lr=2e-3,
        cosine_bases=(24_000, 6_000),
        lengths=(500, 2_500),
    ),
    "lengths": Variant(
        *("330k_long", "changelog", ("code", "german")),
        "three recipes, each at five lengths from 400 to 5,000 steps",
        peak_lr=3e-3,
        cosine_bases=(6_000,),
        lengths=(400, 5_000),
    ),
    "muon": Variant(
        *("330k_muon", "code", ("changelog", "german")),
        "Muon for the matrices of the blocks, AdamW for the embeddings, twice the fleet's LRs",
        peak_lr=4e-3,
        base_steps=6_000,
        base_decay=1_200,
    ),
    "curricula": Variant(
        *("330k", "code", ("changelog", "german")),
        "curricula of replay: steps, ramps, and replay in the middle",
        peak_lr=SMALL.peak_lr,
        bases="330k",
    ),
    "code_16m": Variant(
        *("16m", "code", ("german",)),
        "a larger model, the recipes of the fleet's fleet_code_4m",
        peak_lr=7e-4,
        bases="4m",
        parts=25,
    ),
    "german_16m": Variant(
        *("16m", "german", ("code",)),
        "a larger model, the recipes of the fleet's fleet_german_4m",
        peak_lr=7e-4,
        bases="4m",
        parts=25,
    ),
}
# Looked at once, at the end: the larger model with one target, and one language unlike the others.
TEST = ("german_16m", "from_german")
CHANGELOG_TOKENS = 8_000_000  # of the training text
