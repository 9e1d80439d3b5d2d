"""A digest at the end of a file: what was damaged or changed is not read any further."""

from __future__ import annotations

import hashlib

_SIZE = hashlib.sha256().digest_size


def seal(content: bytes, mark: bytes) -> bytes:
    """Content, a mark and the SHA-256 of the content.

    Parameters
    ----------
    content : bytes
        The content.
    mark : bytes
        Says what the content is.

    Returns
    -------
    bytes
    """
    return content + mark + hashlib.sha256(content).digest()


def has_seal(content: bytes, mark: bytes) -> bool:
    """Whether content ends in a mark and a digest, be it right or wrong.

    Parameters
    ----------
    content : bytes
        Content of a file.
    mark : bytes
        Says what the content is.

    Returns
    -------
    bool
    """
    return content[-_SIZE - len(mark) : -_SIZE] == mark


def unseal(content: bytes, mark: bytes) -> memoryview:
    """Content of `seal`, verified.

    Parameters
    ----------
    content : bytes
        Result of `seal`.
    mark : bytes
        The same mark.

    Returns
    -------
    memoryview
        The content, not copied.

    Raises
    ------
    ValueError
        If the mark is another, or the digest is not that of the content.
    """
    view = memoryview(content)[: -_SIZE - len(mark)]
    if not has_seal(content, mark) or hashlib.sha256(view).digest() != content[-_SIZE:]:
        raise ValueError("its digest is not that of its content")
    return view
