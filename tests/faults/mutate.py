"""Damage to files: of bytes, of text, and of the encoding of text."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes], bytes]


def _span(rng: Random, content: bytes, most: int) -> slice:
    """A piece of the content, of a length that is as often small as large."""
    size = min(len(content), int(2 ** rng.uniform(0, most.bit_length())))
    start = rng.randrange(len(content) - size + 1)
    return slice(start, start + size)


def flip_bit(rng: Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    changed = content[at] ^ 1 << rng.randrange(8)
    return content[:at] + bytes([changed]) + content[at + 1 :]


def change_byte(rng: Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]


def zero_block(rng: Random, content: bytes) -> bytes:
    part = _span(rng, content, 4096)
    return content[: part.start] + bytes(part.stop - part.start) + content[part.stop :]


def fill_block(rng: Random, content: bytes) -> bytes:
    part = _span(rng, content, 4096)
    return content[: part.start] + b"\xff" * (part.stop - part.start) + content[part.stop :]


def random_block(rng: Random, content: bytes) -> bytes:
    part = _span(rng, content, 512)
    return content[: part.start] + rng.randbytes(part.stop - part.start) + content[part.stop :]


def truncate(rng: Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content))]


def cut_start(rng: Random, content: bytes) -> bytes:
    return content[rng.randrange(1, len(content) + 1) :]


def remove_block(rng: Random, content: bytes) -> bytes:
    part = _span(rng, content, 1024)
    return content[: part.start] + content[part.stop :]


def repeat_block(rng: Random, content: bytes) -> bytes:
    part = _span(rng, content, 4096)
    return content[: part.stop] + content[part.start :]


def repeat_all(rng: Random, content: bytes) -> bytes:
    return content * rng.randrange(2, 4)


def swap_blocks(rng: Random, content: bytes) -> bytes:
    one, other = sorted((_span(rng, content, 1024), _span(rng, content, 1024)), key=_start)
    if one.stop > other.start:
        return flip_bit(rng, content)
    pieces = (content[: one.start], content[other], content[one.stop : other.start])
    return b"".join([*pieces, content[one], content[other.stop :]])


def _start(part: slice) -> int:
    return int(part.start)


def append_bytes(rng: Random, content: bytes) -> bytes:
    return content + rng.randbytes(rng.randrange(1, 600))


BYTES: dict[str, Mutation] = {
    kind.__name__: kind
    for kind in (
        *(flip_bit, change_byte, zero_block, fill_block, random_block, truncate, cut_start),
        *(remove_block, repeat_block, repeat_all, swap_blocks, append_bytes),
    )
}

# In place of a value of a text file.
_VALUES = (
    *(
        "",
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1",
        "1e308",
        "1e-320",
        "1e400",
        "999999999999999999999",
    ),
    *(
        "true",
        "false",
        "null",
        "None",
        '""',
        "''",
        '"é"',
        '"\\u0000"',
        "[]",
        "{}",
        "[[]]",
        "[1, 2]",
    ),
    *(
        "[1, 2]",
        '["a", 1]',
        "{ a = 1 }",
        "1979-05-27",
        "07:32:00",
        "0x1F",
        "1_000",
        "+1",
        ".5",
        "1,5",
    ),
    *("[" * 100_000, "{a=" * 500, '"' + "x" * 70_000 + '"', "9" * 5000, "\x00", "\x1b[31m", "‮"),
    *("-0.0", "3.0", "2", "100", "[[0, 0.1], [5, 0.5]]", "[[5, 0.1], [0, 0.5]]", "[[nan, 0.1]]"),
    *('"wsd"', '"cosine"', '"general"', "1e-3", "=1+1", "#", ",", "\t", "\\"),
)
_TOKEN = re.compile(r'"[^"\n]*"|[^\s,=\[\]{}"]+')
_ENCODINGS = ("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7")


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def change_value(rng: Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    tokens = list(_TOKEN.finditer(text))
    if not tokens:
        return content + rng.choice(_VALUES).encode()
    token = rng.choice(tokens)
    return (text[: token.start()] + rng.choice(_VALUES) + text[token.end() :]).encode()


def change_digit(rng: Random, content: bytes) -> bytes:
    digits = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    if not digits:
        return change_byte(rng, content)
    at = rng.choice(digits)
    return content[:at] + bytes([rng.randrange(48, 58)]) + content[at + 1 :]


def repeat_token(rng: Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) < 2:
        return content * 2
    token, other = rng.choice(tokens), rng.choice(tokens)
    return (text[: other.start()] + token.group() + text[other.end() :]).encode()


def remove_line(rng: Random, content: bytes) -> bytes:
    lines = _lines(content)
    del lines[rng.randrange(len(lines))]
    return "".join(lines).encode()


def repeat_line(rng: Random, content: bytes) -> bytes:
    lines = _lines(content)
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return "".join(lines).encode()


def swap_lines(rng: Random, content: bytes) -> bytes:
    lines = _lines(content)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines).encode()


def other_encoding(rng: Random, content: bytes) -> bytes:
    """The text in another encoding, with a letter that ASCII does not have."""
    text = content.decode("utf-8", "replace")
    at = rng.randrange(len(text) + 1)
    text = text[:at] + rng.choice("éßÜ°€") + text[at:]
    return text.encode(rng.choice(_ENCODINGS), "replace")


def other_line_ends(rng: Random, content: bytes) -> bytes:
    return content.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\x00\n", b"\x0b")))


def stray_character(rng: Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(b"\"'[]{}=,#\n\t\\;\x00\x1b").to_bytes() + content[at:]


TEXT: dict[str, Mutation] = {
    kind.__name__: kind
    for kind in (
        *(change_value, change_value, change_digit, repeat_token, remove_line, repeat_line),
        *(swap_lines, other_encoding, other_line_ends, stray_character),
    )
}
