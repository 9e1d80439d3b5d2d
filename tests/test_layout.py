"""Tables on a screen of 80 columns: nothing is cut, whatever the names."""

import pytest

from bayescpt.cli.layout import Column, cell_width, table_lines

LONG = [
    "cpt_8b_medical_replay25_wsd_lr2e-5_seed17_from_step_143000",
    "cpt_8b_medical_replay10_cosine_lr2e-5_seed17_from_step_143000_of_the_second_attempt_at_it",
    "名前の長い実験の名前の長い実験の名前の長い実験の名前",
]
BAND = "3.423  [3.428, 3.526]"
ADVICE = "the data say little about onset[german|german]; add a run at another replay ratio " * 3


def columns(names, n_bands, prose=False):
    own = [Column("plan", tuple(names)), Column("step", ("1000",) * len(names), numeric=True)]
    own += [Column(f"domain {k}", (BAND,) * len(names)) for k in range(n_bands)]
    return own + ([Column("advice", (ADVICE,) * len(names))] if prose else [])


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("n_bands", [1, 2, 9])
@pytest.mark.parametrize("names", [["a", "b"], LONG], ids=["short", "long"])
@pytest.mark.parametrize("prose", [False, True])
@pytest.mark.parametrize("keys", [1, 2])
def test_every_line_fits_and_every_cell_is_there(width, n_bands, names, prose, keys):
    table = columns(names, n_bands, prose)
    lines = table_lines(table, width, keys)
    assert max(map(cell_width, lines)) <= width
    assert sum(line.count(BAND) for line in lines) == n_bands * len(names)
    text = "".join("".join(lines).split())
    for name in names:
        assert name in text or name in "".join(line.strip() for line in lines)
    if prose:
        assert sum(line.split().count("ratio") for line in lines) == 3 * len(names)


def test_a_table_with_room_is_one_block():
    lines = table_lines(columns(["a", "b"], 2), 80)
    assert len(lines) == 4
    assert lines[0].split() == ["plan", "step", "domain", "0", "domain", "1"]


def test_blocks_repeat_the_names_of_rows():
    lines = table_lines(columns(["first", "second"], 9), 80, keys=2)
    starts = [line.split()[:2] for line in lines if "[" in line]
    assert starts.count(["first", "1000"]) == starts.count(["second", "1000"]) >= 3


def test_numbers_are_aligned_to_the_right():
    lines = table_lines([Column("n", ("1", "100"), numeric=True)], 80)
    assert [line.rstrip()[-3:] for line in lines[-2:]] == ["  1", "100"]


def test_long_headings_are_wrapped_before_a_table_is_stacked():
    heads = ["plan", *(f"a heading of many words {k}" for k in range(4))]
    lines = table_lines([Column(head, ("0.5",), numeric=k > 0) for k, head in enumerate(heads)], 80)
    assert sum("─" in line for line in lines) == 1
    assert max(map(len, lines)) <= 80
