"""The explorer in headless Chromium, where that and playwright are; skipped otherwise.

``uv run --group browser pytest -m slow tests/present/explorer``; with ``BAYESCPT_SHOTS=folder`` it
keeps pictures of the page: wide, 400 pixels wide, and dark.
"""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.present.explorer.conftest import exploring

pytestmark = pytest.mark.slow

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
# Start of the page in marimo; a move is far quicker.
PATIENCE = 60_000
# Seconds of a move, on a machine that does other things as well; docs/explore.md has what it takes.
MOVE = 3.0


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("marimo")
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no Chromium on the path")
    with sync_api.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module", params=["plain", "odd"])
def address(request, tmp_path_factory):
    """Address of a served fit, one of them with names that a browser would take for more."""
    folder = tmp_path_factory.mktemp("served")
    session = request.getfixturevalue("session" if request.param == "plain" else "odd_session")
    goals = [f"--goal={domain}=+20%" for domain in session.controls.goals]
    with exploring(session.fit, folder, "--allow-failed", *goals) as running:
        yield running.stdout.readline().split()[3]
        # Pages that were open do not keep it from ending.
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


@pytest.fixture
def opened(browser, address):
    """Function that opens the page; what went wrong there is an error afterwards."""
    contexts, wrong = [], []

    def open_page(url=address, width=1200, scheme="light"):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 1400}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda asked: None if local(asked.url) else wrong.append(asked.url))
        page.goto(url)
        page.wait_for_selector(".charts svg", timeout=PATIENCE)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def local(url):
    """Whether nothing leaves the computer."""
    return url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def bands(page):
    return page.eval_on_selector_all(".band", "all => all.map(one => one.getAttribute('points'))")


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (400, "light"), (1200, "dark")])
def test_the_page_fits_and_has_the_colours_of_the_system(opened, width, scheme):
    page = opened(width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.eval_on_selector(".bx", "one => getComputedStyle(one).color")
    assert (sum(map(int, ink[4:-1].split(","))) > 3 * 128) == (scheme == "dark")
    if folder := os.environ.get("BAYESCPT_SHOTS"):
        page.wait_for_timeout(1000)
        page.screenshot(path=Path(folder) / f"{width}_{scheme}.png", full_page=True)


def test_a_move_changes_bands_and_address_and_its_link_leads_back(opened, address):
    page = opened()
    before, recipe = bands(page), page.inner_text(".recipe")
    slider = page.get_by_role("slider").first
    slider.focus()
    begun = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "old => document.querySelector('.recipe').innerText !== old", arg=recipe, timeout=PATIENCE
    )
    assert time.perf_counter() - begun < MOVE
    assert bands(page) != before
    page.wait_for_timeout(500)
    assert page.url.startswith(address)
    assert "lr=" in page.url
    again = opened(page.url)
    for part in (".recipe", ".lead"):
        assert again.inner_text(part) == page.inner_text(part)
    assert bands(again) == bands(page)


def test_names_are_text(opened):
    page = opened()
    assert page.locator(".bx script, .bx b, .bx i").count() == 0
    # Labels of the fields too, which marimo reads as Markdown.
    assert "&lt;" not in page.inner_text("body")
