"""Pack what the variants need beside the fleet's tokens: other tokenizers, and a mixture.

    uv run --group fleet python pack_variants.py WORK

Reads WORK/corpora (fetch_text.py) and WORK/packed (pack_tokens.py), and adds to the latter
NAME_TOKENIZER.npy.xz (corpora in the tokens of a tokenizer of German or of code), their validation
sets and that of the mixture, and mixtures.json. The digests go to manifest.json.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
from pack_tokens import (
    HERE,
    digest,
    documents,
    encode,
    trained_tokenizer,
    validation_tokens,
    write_tokens,
)

from bayescpt.files import write_file, write_text

# Tokenizer (trained on that corpus): corpora to train on, corpora to evaluate on.
TOKENIZERS = {
    "german": (("german", "math"), ("german", "math", "code", "general")),
    "code": (("code", "general"), ("code", "general", "german", "changelog")),
}
MOST_TOKENS = {"general": 12_000_000}  # more than any run sees in these tokens
OTHER_MOST = 8_000_000
# A mixture's first tokens of each corpus, and the sequences of its validation set.
MIXTURES = {"mixture": {"general": 14_000_000, "code": 6_000_000}}
MIXTURE_SEQUENCES = {"general": 185, "code": 79}
SEQUENCE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder that fetch_text.py and pack_tokens.py used")
    work = parser.parse_args().work
    packed = work / "packed"
    with np.load(packed / "validation.npz") as file:
        validation = {name: file[name] for name in file.files}
    about = {}
    for source, (to_train, to_evaluate) in TOKENIZERS.items():
        path = packed / f"tokenizer_{source}.json"
        tokenizer = trained_tokenizer(work / "corpora", path, source)
        for corpus in to_evaluate:
            texts = documents(work / "corpora" / f"{corpus}.validation.jsonl")
            validation[f"{corpus}_{source}"] = validation_tokens(tokenizer, texts, corpus)
        for corpus in to_train:
            name, most = f"{corpus}_{source}", MOST_TOKENS.get(corpus, OTHER_MOST)
            # A token has at most a few characters here: what cannot be used is not encoded.
            texts = first_characters(
                documents(work / "corpora" / f"{corpus}.train.jsonl"), 4 * most
            )
            tokens = encode(tokenizer, texts)[:most]
            write_file(packed / f"{name}.npy.xz", partial(write_tokens, tokens))
            about[name] = {"tokens": int(tokens.size), "sha256": digest(tokens)}
            about[name]["validation_sha256"] = digest(validation[name])
            print(name, about[name], flush=True)
    parts = [validation[name][: SEQUENCE * n] for name, n in MIXTURE_SEQUENCES.items()]
    validation["mixture"] = np.concatenate([*parts, validation["code"][-1:]])
    write_file(packed / "validation.npz", lambda draft: np.savez_compressed(draft, **validation))
    write_text(packed / "mixtures.json", json.dumps(MIXTURES) + "\n")
    manifest = json.loads((HERE / "manifest.json").read_text())
    manifest["variants"] = about
    write_text(HERE / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def first_characters(texts: list[str], most: int) -> list[str]:
    """The first texts, until they have `most` characters together."""
    kept, total = [], 0
    for text in texts:
        if total > most:
            break
        kept.append(text)
        total += len(text)
    return kept


if __name__ == "__main__":
    main()
