"""Writes docs/examples.md from the scripts of examples/, their pictures and what benchmarks/examples.py has measured.

    python docs/make_examples.py           # write it
    python docs/make_examples.py --check   # say whether it is what it would be, with all its pictures, for CI

Nothing but Python is needed. Each example is one file whose docstring begins with its title; its picture is what its
option --out writes, kept as docs/pictures/<name of the file>.png. That of serve.py, which has none, is drawn by
docs/make_example_pictures.py.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "examples.md"
RESULTS = ROOT / "benchmarks" / "results_examples.json"
START = """# Examples

Each file of `examples/` is one program; `--help` has its options. `--out` takes the file for its picture, but for
`serve.py`, which draws none. A test runs each. This page is written by `docs/make_examples.py`.

MNIST is inside fastnn; where a program asks for `mnist.npz`, which is Keras' file, this writes it:

```python
import fastnn, numpy

(X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
numpy.savez("mnist.npz", x_train=X, y_train=y, x_test=X_test, y_test=y_test)
```
"""
OF_SCIKIT_LEARN = """## scikit-learn's estimators, with and without accel

These import scikit-learn and nothing of fastnn. `python -m fastnn.accel` before the name of the file makes them faster;
they print the same text, to the last digit.
"""
OF_FASTNN = "## fastnn\n"


def sections() -> list[str]:
    """The text of each part of the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"runs": []}
    scripts = sorted((ROOT / "examples").glob("*.py"))
    own = [script for script in scripts if not script.stem.startswith("sklearn_")]
    others = [script for script in scripts if script not in own]
    parts = [START]
    for title, group in ((OF_FASTNN, own), (OF_SCIKIT_LEARN, others)):
        if group:
            parts += [title, *(section(script, results) for script in group)]
    return parts


def picture(script: Path) -> Path:
    return PAGE.parent / "pictures" / f"{script.stem}.png"


def section(script: Path, results: dict[str, Any]) -> str:
    """An example: title, text, picture, times and what it prints, and the script itself."""
    source = script.read_text()
    title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    lines = [f"### {title.rstrip('.')}", "", text, ""]
    lines += [f"![{title}]({picture(script).relative_to(PAGE.parent)})", ""]
    runs = [run for run in results["runs"] if run["script"] == script.name]
    if runs:
        lines += times(runs)
        lines += details("What it prints", "```text", runs[-1]["text"])
    body = source.split('"""', 2)[2].strip()
    lines += details(f'<a href="../examples/{script.name}">examples/{script.name}</a>', "```python", body)
    return "\n".join(lines)


def times(runs: list[dict[str, Any]]) -> list[str]:
    """A table of the runs."""
    lines = ["| | plain Python | under accel | times as fast |", "|---|---|---|---|"]
    for run in runs:
        command = " ".join([run["script"], *run["arguments"]])
        lines.append(f"| `{command}` | {run['plain']:.1f} s | {run['accel']:.1f} s | {run['ratio']:.1f} |")
    note = f"Medians of {runs[0]['rounds']} runs each, taken in turn, of the whole process with its imports and picture"
    return [*lines, "", f"{note}; {runs[0]['hardware']}.", ""]


def details(summary: str, fence: str, text: str) -> list[str]:
    return [f"<details><summary>{summary}</summary>", "", fence, text.rstrip(), "```", "", "</details>", ""]


def main(words: Sequence[str]) -> int:
    text = "\n".join(sections())
    if "--check" in words:
        missing = [
            picture(script) for script in sorted((ROOT / "examples").glob("*.py")) if not picture(script).exists()
        ]
        for path in missing:
            print(f"{path.relative_to(ROOT)} is missing; the example draws it", file=sys.stderr)
        if PAGE.read_text() != text:
            print(f"{PAGE.name} is not what the examples say; run: python docs/make_examples.py", file=sys.stderr)
            return 1
        return 1 if missing else 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
