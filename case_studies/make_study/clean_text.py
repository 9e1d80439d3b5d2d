"""Plain paragraphs from HTML pages, manual pages, POD, Mallard pages, change logs and Metamath."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    "p h1 h2 h3 h4 h5 h6 li dt dd pre td th tr div section table title br note item".split()
)
SKIPPED = frozenset("script style nav header footer aside head svg button form desc info".split())

# Frequent short words that tell the languages of the corpora apart.
WORDS = {
    "english": frozenset("the of and to is in that for with this are be it not you can".split()),
    "german": frozenset(
        "der die das und ist nicht mit ein eine den von zu werden für wird".split()
    ),
    "spanish": frozenset("el la los de que en y un una para con se por del es las como".split()),
}
ANY_WORD = re.compile(r"[^\W\d_]+")


class _Text(HTMLParser):
    """Collect the text of a page, one paragraph a block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self._parts: list[str] = []
        self._skip: list[str] = []
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skip:
            if tag == self._skip[-1]:
                self._skip.append(tag)
            return
        if tag in SKIPPED:
            self._skip.append(tag)
            return
        if tag in BLOCKS:
            self.flush()
        if tag == "pre":
            self._pre += 1

    def handle_endtag(self, tag: str) -> None:
        if self._skip:
            if tag == self._skip[-1]:
                self._skip.pop()
            return
        if tag in BLOCKS:
            self.flush()
        if tag == "pre":
            self._pre = max(0, self._pre - 1)

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self._parts.append(data)

    def flush(self) -> None:
        text = "".join(self._parts)
        self._parts = []
        text = text.strip("\n") if self._pre else " ".join(text.split())
        if text.strip():
            self.paragraphs.append(text)


def from_html(page: str) -> list[str]:
    """Paragraphs of an HTML, XHTML or Mallard page."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    parser.flush()
    return parser.paragraphs


_ROFF_ESCAPES = [
    (re.compile(r"\\f(\[[^\]]*\]|\(..|.)"), ""),
    (re.compile(r"\\s[+-]?\d"), ""),
    (re.compile(r"\\\*?\((em|en|lq|rq|Lq|Rq|oq|cq|aq|dq|bu|co|ti|ha|<-|->)"), " "),
    (re.compile(r"\\\[(em|en|lq|rq|oq|cq|aq|dq|bu|co)\]"), " "),
    (re.compile(r"\\\[u([0-9A-F]{4,5})\]"), lambda match: chr(int(match[1], 16))),
    (re.compile(r"\\[&|^/,:%]"), ""),
    (re.compile(r"\\-"), "-"),
    (re.compile(r"\\e"), r"\\"),
    (re.compile(r"\\[ ~0]"), " "),
    (re.compile(r"\\\(.."), ""),
    (re.compile(r"\\\*?\[[^\]]*\]"), ""),
]
_ROFF_TEXT = frozenset("B I BI BR IB IR RB RI SH SS SM SB TP IP Nm Fl Ar Pa Sh Ss Xr".split())
_ROFF_BREAK = frozenset("PP P LP TP IP SH SS sp Pp Sh Ss It Bd Ed RS RE TQ HP".split())


def from_roff(page: str) -> list[str]:
    """Paragraphs of a manual page: macros dropped, their text kept."""
    paragraphs: list[str] = []
    lines: list[str] = []
    ignoring = False
    for line in page.splitlines():
        if line.startswith((".ig", ".de")):
            ignoring = True
        if ignoring:
            ignoring = line.strip() != ".."
            continue
        if line.startswith(("'", '.\\"', '\\"')):
            continue
        if line.startswith("."):
            macro, _, rest = line[1:].strip().partition(" ")
            if macro in _ROFF_BREAK and lines:
                paragraphs.append(" ".join(lines))
                lines = []
            if macro not in _ROFF_TEXT or macro in ("TP", "IP"):
                continue
            line = rest.replace('"', "")
        if not line.strip():
            if lines:
                paragraphs.append(" ".join(lines))
                lines = []
            continue
        for pattern, replacement in _ROFF_ESCAPES:
            line = pattern.sub(replacement, line)
        lines.append(line.strip())
    if lines:
        paragraphs.append(" ".join(lines))
    return [" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()]


def from_plain(page: str) -> list[str]:
    """Paragraphs of plain text, reStructuredText, POD or source code: blank lines divide them."""
    return [
        part.strip("\n").expandtabs(4) for part in re.split(r"\n[ \t]*\n", page) if part.strip()
    ]


_PROOF = re.compile(r"\$=.*?\$\.", re.DOTALL)


def from_metamath(page: str) -> list[str]:
    """Statements and comments of a Metamath database, without proofs."""
    page = _PROOF.sub("$.", page)
    return [" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", page) if part.strip()]


READERS = {
    "html": from_html,
    "roff": from_roff,
    "plain": from_plain,
    "metamath": from_metamath,
}


def is_language(paragraph: str, language: str) -> bool:
    """Whether a paragraph is in the language; short ones without a verdict are.

    Parameters
    ----------
    paragraph : str
        The text.
    language : str
        A key of `WORDS`, "russian", or "" for any.
    """
    if not language:
        return True
    if language == "russian":
        letters = [char for char in paragraph if char.isalpha()]
        cyrillic = sum("\u0430" <= char.lower() <= "\u044f" for char in letters)
        return 0 < len(letters) <= 2 * cyrillic
    words = [word.lower() for word in ANY_WORD.findall(paragraph)]
    hits = {name: sum(word in known for word in words) for name, known in WORDS.items()}
    best = max(hits, key=lambda name: hits[name])
    return hits[best] == 0 or hits[language] == hits[best]


def unescape(text: str) -> str:
    """Text without HTML entities, carriage returns and control characters."""
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    return "".join(char for char in text if char in "\n\t" or char.isprintable())
