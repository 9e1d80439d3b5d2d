"""Links and contents of README and docs/, without building the site."""

import re
import unicodedata

import pytest

import bayescpt as bc
from tests.docs.blocks import PAGES, ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
OTHERS = [ROOT / "CHANGELOG.md", ROOT / "CODE_OF_CONDUCT.md"]


def anchors(text):
    """Anchors of the headings of a page, as Git hosts and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", h).lower()) for h in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in (one or other for one, other in LINK.findall(text)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page}: {target}"
        assert file.is_relative_to(ROOT), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


def test_every_page_of_docs_is_reached_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    api = (ROOT / "docs" / "api" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or re.search(rf"^{page.stem}$", index, re.MULTILINE), page
    for page in (ROOT / "docs" / "api").glob("*.md"):
        assert page.stem == "index" or f"]({page.name})" in api, page


def test_every_public_name_is_on_a_page_of_the_api():
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    documented = {name.rpartition(".")[2] for name in re.findall(r"\.\. auto\w+:: (\S+)", text)}
    assert set(bc.__all__) <= documented


def test_every_term_and_card_is_on_its_page():
    laws = (ROOT / "docs" / "laws.md").read_text()
    for file in (ROOT / "bayescpt" / "laws" / "terms").glob("[a-z]*.py"):
        assert f"terms/{file.name})" in laws, f"docs/laws.md does not link {file.name}"
    cards = (ROOT / "docs" / "cards.md").read_text()
    for card in bc.shipped_cards():
        assert f"| `{card}` |" in cards


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_pages_link_to_few_hosts_and_to_no_registry():
    known = {
        "docs.astral.sh", "keepachangelog.com", "semver.org", "www.contributor-covenant.org",
    }  # fmt: skip
    for page in [*PAGES, *OTHERS]:
        found = set(re.findall(r"https?://([^/)\s]+)", page.read_text(encoding="utf-8")))
        assert found <= known, page
