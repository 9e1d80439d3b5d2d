"""Train the tokenizer on the general text and pack all corpora as token ids.

    uv run --group fleet python pack_tokens.py WORK

Reads WORK/corpora (fetch_text.py). WORK/packed gets tokenizer.json, NAME.npy.xz (uint16, training
documents, shuffled by hash, each ended by token 0) and validation.npz (equal numbers of tokens,
from short pieces of many documents). The digests go to manifest.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from bayescpt.files import write_file, write_text

HERE = Path(__file__).parent
VOCABULARY = 1_024
VALIDATION_TOKENS = 264 * 128 + 1  # 33,792 predicted tokens in 264 sequences
VALIDATION_PIECE = 1_500  # characters of one document
TOKENIZER_TEXT = 12_000_000  # characters that the tokenizer is trained on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder that fetch_text.py filled")
    work = parser.parse_args().work
    packed = work / "packed"
    packed.mkdir(exist_ok=True)
    sources = tomllib.loads((HERE / "sources.toml").read_text())
    tokenizer = trained_tokenizer(work / "corpora", packed / "tokenizer.json")
    about, validation = {}, {}
    for name, source in sources.items():
        texts = documents(work / "corpora" / f"{name}.validation.jsonl")
        validation[name] = validation_tokens(tokenizer, texts, name)
        train = encode(tokenizer, documents(work / "corpora" / f"{name}.train.jsonl"))
        train = train[: source["tokens"]]
        write_file(packed / f"{name}.npy.xz", partial(write_tokens, train))
        about[name] = {"tokens": int(train.size), "sha256": digest(train)}
        about[name]["validation_sha256"] = digest(validation[name])
        print(name, about[name], flush=True)
    write_file(packed / "validation.npz", lambda draft: np.savez_compressed(draft, **validation))
    manifest = json.loads((HERE / "manifest.json").read_text())
    manifest["tokenizer_sha256"] = hashlib.sha256(
        (packed / "tokenizer.json").read_bytes()
    ).hexdigest()
    manifest["packed"] = about
    write_text(HERE / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def validation_tokens(tokenizer: Tokenizer, texts: list[str], name: str) -> NDArray[np.uint16]:
    """The validation set of a corpus: short pieces of many documents."""
    pieces = [text[:VALIDATION_PIECE] for text in texts]
    tokens = encode(tokenizer, pieces)
    while tokens.size < VALIDATION_TOKENS:  # longer pieces where documents are few
        pieces = [text[: 2 * len(piece)] for text, piece in zip(texts, pieces, strict=True)]
        if (longer := encode(tokenizer, pieces)).size == tokens.size:
            raise SystemExit(f"{name}: {tokens.size} validation tokens: {VALIDATION_TOKENS=}")
        tokens = longer
    return tokens[:VALIDATION_TOKENS]


def write_tokens(tokens: NDArray[np.uint16], path: Path) -> None:
    """Write token ids, compressed."""
    with lzma.open(path, "wb", preset=6) as file:
        np.save(file, tokens)


def trained_tokenizer(corpora: Path, path: Path, source: str = "general") -> Tokenizer:
    """A byte-level BPE tokenizer of the training text of a corpus."""
    if path.exists():
        return Tokenizer.from_file(str(path))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts, total = [], 0
    for text in documents(corpora / f"{source}.train.jsonl"):
        texts.append(text)
        total += len(text)
        if total > TOKENIZER_TEXT:
            break
    tokenizer.train_from_iterator(texts, trainer)
    write_file(path, lambda draft: tokenizer.save(str(draft)))
    return tokenizer


def documents(path: Path) -> list[str]:
    """Documents of a corpus file, in the order of the hash of their text."""
    texts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())


def encode(tokenizer: Tokenizer, texts: list[str]) -> NDArray[np.uint16]:
    """Token ids of the texts, each followed by token 0."""
    parts = []
    for first in range(0, len(texts), 256):
        for encoding in tokenizer.encode_batch(texts[first : first + 256]):
            parts.append(np.array([*encoding.ids, 0], dtype=np.uint16))
    return np.concatenate(parts)


def digest(tokens: NDArray[np.uint16]) -> str:
    """SHA-256 of token ids, in hexadecimal."""
    return hashlib.sha256(tokens.astype("<u2").tobytes()).hexdigest()


if __name__ == "__main__":
    main()
