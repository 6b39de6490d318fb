"""The docs name files, functions and pages that are there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from fastnn import plots

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
PLACES = [ROOT / "fastnn", ROOT / "fastnn" / "kernels" / "native" / "src"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'(?:href|src)="([^"#:]+)"', text)
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_calls_of_how_it_works_are_the_codes():
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    text = " ".join(text[text.index("<!-- calls") : text.index("<!-- end of calls -->")].split())
    named = re.findall(r"`([\w.]+)` \(([\w/.]+)\)", text)
    assert len(named) > 15
    for name, file in named:
        found = [place / file for place in PLACES if (place / file).is_file()]
        assert found, file
        assert re.search(rf"\b{name.rpartition('.')[2]}\(", found[0].read_text()), (name, file)


def test_every_page_is_linked_from_readme_or_contributing():
    linked = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert not [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in linked]


def script(name: str) -> Any:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_pictures_is_what_its_script_writes(monkeypatch, tmp_path, capsys):
    make_plots = script("make_plots")
    assert make_plots.main(["--check"]) == 0
    page = (ROOT / "docs" / "pictures.md").read_text()
    drawn = [name for name in vars(plots) if name.startswith("plot_") and name != "plot_layers"]  # Keras'
    assert not [name for name in drawn if f"plots.{name}(" not in page]
    monkeypatch.setattr(make_plots, "PICTURES", make_plots.PICTURES[1:])
    assert make_plots.main(["--check"]) == 1
    assert "pictures/plots/history-dark.png is not what docs/make_plots.py would write" in capsys.readouterr().err


def test_the_page_of_examples_misses_a_picture(monkeypatch, capsys):
    make_examples = script("make_examples")
    assert make_examples.main(["--check"]) == 0
    monkeypatch.setattr(make_examples, "picture", lambda path: make_examples.PAGE.parent / "none" / f"{path.stem}.png")
    assert make_examples.main(["--check"]) == 1
    assert "docs/none/xor.png is missing" in capsys.readouterr().err
