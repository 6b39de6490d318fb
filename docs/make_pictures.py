"""Writes docs/pictures/*.svg, the pictures of docs/how-it-works.md: light and dark, readable without colour.

    python docs/make_pictures.py           # write them
    python docs/make_pictures.py --check   # say whether they are what they would be, for CI

Nothing but Python is needed. Each picture is a function that draws on a canvas of 760 pixels, as docs/road.svg has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "pictures"
WIDTH = 760
TIMES = "\N{MULTIPLICATION SIGN}"
LINE = 16  # pixels from one line of a note to the next
STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .note { font-size: 12px; fill: #59636e } .head { font-weight: 600 } .in { font-size: 12px }
  .box { fill: #f6f8fa; stroke: #8c959f } .own { fill: #ddf4ff; stroke: #0969da }
  .hot { fill: #b6e3ff; stroke: #0969da } .other { fill: #fff1c2; stroke: #9a6700 }
  .none { fill: none; stroke: #8c959f }
  .way { stroke: #59636e; fill: none; stroke-width: 1.5 } .thin { stroke: #8c959f; fill: none; stroke-dasharray: 4 3 }
  .tip { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note, .tip { fill: #9198a1 } .box { fill: #151b23; stroke: #6e7681 }
    .own { fill: #121d2f; stroke: #4493f8 } .hot { fill: #1f4b85; stroke: #4493f8 }
    .other { fill: #3a2a0c; stroke: #d29922 } .none { stroke: #6e7681 } .way { stroke: #9198a1 }
    .thin { stroke: #6e7681 }
  }"""
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0 L8 4 L0 8 Z"/></marker></defs>'
)


class Canvas:
    """Takes shapes and words, in pixels from the upper left."""

    def __init__(self, title: str, height: int) -> None:
        self.lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="title">',
            f'<title id="title">{escape(title)}</title>',
            f"<style>{STYLE}\n</style>",
            TIP,
        ]

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box", round: int = 0) -> None:
        corners = f' rx="{round}"' if round else ""
        self.lines.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{corners}/>')

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Words at (x, y), their lines apart by a newline."""
        look = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        for place, line in enumerate(words.split("\n")):
            self.lines.append(f'<text{look} x="{x:g}" y="{y + LINE * place:g}">{escape(line, quote=False)}</text>')

    def note(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        self.text(x, y, words, "note", anchor)

    def named(
        self, x: float, y: float, width: float, height: float, name: str, note: str = "", kind: str = "box"
    ) -> None:
        """A box with a name, and a note below it."""
        self.box(x, y, width, height, kind, round=6)
        lines = note.split("\n") if note else []
        first = y + height / 2 + 5 - LINE / 2 * len(lines)
        self.text(x + width / 2, first, name, anchor="middle")
        if lines:
            self.note(x + width / 2, first + LINE + 1, note, anchor="middle")

    def path(self, way: str, kind: str = "way", arrow: bool = True) -> None:
        tip = ' marker-end="url(#tip)"' if arrow else ""
        self.lines.append(f'<path class="{kind}"{tip} d="{way}"/>')

    def circle(self, x: float, y: float, radius: float, kind: str) -> None:
        self.lines.append(f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>')

    def brace(self, x: float, y: float, width: float, words: str) -> None:
        """A bracket over (x, y), and words above it."""
        self.path(f"M{x:g} {y:g} v-5 h{width:g} v5", arrow=False)
        self.note(x + width / 2, y - 10, words, anchor="middle")

    def cells(self, x: float, y: float, size: float, kinds: Sequence[str], words: Sequence[str] = ()) -> None:
        """A row of square cells, some with a word in them."""
        for place, kind in enumerate(kinds):
            self.box(x + size * place, y, size, size, kind)
        for place, word in enumerate(words):
            self.text(x + size * (place + 0.5), y + size / 2 + 4, word, "in", "middle")

    def svg(self) -> str:
        return "\n".join([*self.lines, "</svg>"]) + "\n"


def parameters() -> Canvas:
    """The slab of 784-30-10 in float32."""
    on = Canvas("One vector: W0, b0, W1, b1; each row of W0 has an input's weights to all outputs, padded", 266)
    parts = [("W0: 784 rows", 340), ("b0: 1 row", 90), ("W1: 30 rows", 120), ("b1: 1 row", 90)]
    x = 84
    on.path("M84 20 V50", arrow=False)
    on.note(90, 22, "a 64-byte boundary; every row starts at one")
    for name, width in parts:
        on.box(x, 32, width, 34, "own" if name.startswith("W0") else "box")
        on.text(x + width / 2, 54, name, anchor="middle")
        x += width
    on.path("M84 66 V130", "thin", arrow=False)
    on.path("M424 66 L724 102 V130", "thin", arrow=False)
    on.brace(84, 134, 318, "a cache line: 16 floats")
    on.brace(406, 134, 318, "the next: 14 floats and 2 zeros, which stay zero")
    for row, name in enumerate(["input 0", "input 1", "", "input 783"]):
        y = 138 + 26 * row
        if not name:
            on.text(404, y + 14, "· · ·", anchor="middle")
            continue
        on.note(76, y + 14, name, anchor="end")
        on.cells(84, y, 20, ["own"] * 30 + ["none"] * 2, [*(str(output) for output in range(30)), "0", "0"])
    on.note(404, 254, "the weights from one input to outputs 0 .. 29", anchor="middle")
    return on


def lanes() -> Canvas:
    """A step of the sum, and a register tile."""
    on = Canvas(
        "A vector holds consecutive outputs: z += x_i times row i of W; a tile does so for several samples", 232
    )
    on.text(16, 24, "One step of the sum", "head")
    for y, name, word, kind in ((42, "x_i", "x", "other"), (88, "row i of W", "w", "box"), (134, "z", "z", "own")):
        on.text(92, y + 20, name, anchor="end")
        words = [word] * 8 if word == "x" else [f"{word}{lane}" for lane in range(8)]
        on.cells(104, y, 30, [kind] * 8, words)
    on.text(224, 84, TIMES, anchor="middle")
    on.text(224, 130, "+", anchor="middle")
    on.note(
        104,
        182,
        "lane j is output j: one chain of roundings,\nfor i = 0, 1, 2, .. in this order;\nno sum goes across lanes",
    )
    on.path("M376 16 V216", "thin", arrow=False)
    on.text(400, 24, "A register tile", "head")
    on.note(600, 42, "two vectors of outputs", anchor="middle")
    on.cells(480, 50, 15, ["box"] * 16)
    on.note(472, 62, "row i of W", anchor="end")
    for sample in range(6):
        y = 78 + 17 * sample
        on.box(456, y, 15, 15, "other")
        on.cells(480, y, 15, ["own"] * 16)
    on.note(448, 132, "x_i of\n6 samples", anchor="end")
    on.note(
        600, 198, "z of 6 samples by 2 vectors stays in registers;\nrow i of W is read once for all", anchor="middle"
    )
    return on


def picture_rows(rows: Sequence[str]) -> list[list[int]]:
    return [[place for place, mark in enumerate(row) if mark != "."] for row in rows]


def micro_batches() -> Canvas:
    """The index that four samples share."""
    rows = ["...##...........##..", "..##............###.", "...###..........#...", "...#............##.."]
    active = sorted({place for row in picture_rows(rows) for place in row})
    on = Canvas("Four samples share the ascending list of inputs that any of them has other than zero", 222)
    left, size = 96, 22
    on.note(left, 22, "inputs 0 .. 19; those other than zero are filled")
    for sample, row in enumerate(rows):
        y = 32 + size * sample
        on.note(left - 10, y + 15, f"sample {sample}", anchor="end")
        on.cells(left, y, size, ["none" if mark == "." else "hot" for mark in row])
    on.note(left - 10, 157, "index", anchor="end")
    for place in active:
        x = left + size * (place + 0.5)
        on.path(f"M{x:g} 122 V139")
        on.box(x - size / 2, 142, size, size, "own")
        on.text(x, 157, str(place), "in", "middle")
    words = "Only these rows of W are read, each once for the four samples. The values are read where\nthey lie; "
    on.note(left, 190, words + "a sample's zero among them is multiplied as any other number.")
    on.named(
        572, 40, 172, 112, "for i of the index", f"z of 4 samples,\nin registers,\n+= x_i {TIMES} row i of W", "own"
    )
    return on


def block_csc() -> Canvas:
    """Blocks of four inputs, and the samples that each has."""
    rows = [
        "....#...##......",
        ".....##..#......",
        "....##..........",
        "........###....#",
        ".....#...#......",
        "......#.##....##",
    ]
    on = Canvas(
        "For each block of four inputs: the samples that have any of them other than zero, and the four values", 236
    )
    left, size, gap = 84, 17, 8
    on.note(left, 20, "four blocks of four inputs")
    for sample, row in enumerate(rows):
        y = 46 + 22 * sample
        on.note(left - 10, y + 13, f"sample {sample}", anchor="end")
        for block in range(4):
            part = row[4 * block : 4 * block + 4]
            on.cells(left + (4 * size + gap) * block, y, size, ["none" if mark == "." else "hot" for mark in part])
    for block in range(4):
        on.note(left + (4 * size + gap) * block + 2 * size, 39, f"block {block}", anchor="middle")
    on.path("M394 110 H424")
    on.note(436, 20, "nonzeros of each: a sample, its four values")
    for block in range(4):
        x = 436 + 80 * block
        on.note(x + 34, 39, f"block {block}", anchor="middle")
        parts = [(sample, row[4 * block : 4 * block + 4]) for sample, row in enumerate(rows)]
        kept = [(sample, part) for sample, part in parts if "#" in part]
        for place, (sample, part) in enumerate(kept):
            y = 46 + 22 * place
            on.text(x + 6, y + 11, str(sample), "in", "middle")
            on.cells(x + 14, y, 13, ["none" if mark == "." else "hot" for mark in part])
        if not kept:
            on.note(x + 34, 59, "none", anchor="middle")
    words = "Block by block: its four rows of W stay in registers while its samples pass, each adding to its z.\n"
    on.note(left, 200, words + "A block without nonzeros costs nothing, and its rows of W are not read.")
    return on


def column_offset() -> Canvas:
    """x = u + e."""
    rows = ["..#.....#...", ".......##...", "..##........", "........#..#"]
    on = Canvas("Rows x are the most frequent values u of each input, the same for all, and sparse rests e", 202)
    size = 17
    on.text(118, 22, "x", "head", "middle")
    on.text(378, 22, "u", "head", "middle")
    on.text(638, 22, "e", "head", "middle")
    for sample, row in enumerate(rows):
        y = 34 + size * sample
        on.cells(16, y, size, ["other" if mark == "." else "hot" for mark in row])
        on.cells(536, y, size, ["none" if mark == "." else "hot" for mark in row])
    on.cells(276, 34 + 1.5 * size, size, ["other"] * 12)
    on.text(248, 73, "=", anchor="middle")
    on.text(508, 73, "+", anchor="middle")
    on.note(118, 122, "no zeros; most inputs have\ntheir most frequent value", "middle")
    on.note(378, 122, "one row for all samples", "middle")
    on.note(638, 122, "what differs; the rest is zero", "middle")
    on.text(118, 172, "x W", anchor="middle")
    on.text(248, 172, "=", anchor="middle")
    on.text(378, 172, "u W", anchor="middle")
    on.text(508, 172, "+", anchor="middle")
    on.text(638, 172, "e W", anchor="middle")
    on.note(378, 188, "once for all samples", "middle")
    on.note(638, 188, "skips the zeros", "middle")
    return on


def update() -> Canvas:
    """Where a gradient goes."""
    on = Canvas(
        "Plain SGD sums from the weight itself; other optimizers take pieces of the gradient from the cache", 250
    )

    def line(y: float, head: str, boxes: Sequence[tuple[str, str, str]], last: str) -> None:
        on.text(16, y - 10, head, "head")
        for place, (name, note, kind) in enumerate(boxes):
            x = 16 + 252 * place
            on.named(x, y, 212, 60, name, note, kind)
            if place:
                on.path(f"M{x - 40} {y + 30} H{x - 3}")
        on.note(16, y + 78, last)

    line(
        34,
        "Plain SGD",
        [
            ("a tile of W", "loaded into registers", "box"),
            ("+ x^T (-rate delta)", "sample after sample", "own"),
            ("the same tile of W", "stored", "box"),
        ],
        "There is no gradient in memory.",
    )
    line(
        156,
        "Momentum, Nesterov, Adam, penalties",
        [
            ("x^T delta, a few rows", "in the first-level cache", "own"),
            ("the optimizer's rule", "reads the piece while it is there", "own"),
            ("W and its state", "each read and written once", "box"),
        ],
        "The next piece takes the place of this one.",
    )
    return on


def online_blocks() -> Canvas:
    """Two products, steps in turn, one update."""
    on = Canvas("A block's product with W0 and its Gram matrix, then cheap steps in turn, then one update of W0", 272)
    on.named(16, 70, 120, 100, "X", "samples\nx_0, x_1, ..", "box")
    on.named(186, 30, 150, 62, "X W0", "one product", "own")
    on.path("M136 104 C162 104 158 61 183 61")
    on.path("M136 136 C162 136 158 176 183 176")
    size, left, top = 17, 210, 120
    for t in range(6):
        on.cells(left, top + size * t, size, ["own"] * t + ["none"] * (6 - t))
    on.note(261, 240, "the Gram matrix X X^T: (x_t . x_s)\nof a step t (row) and those before", "middle")
    on.path("M336 61 H391")
    on.path("M318 172 C360 172 350 104 391 104")
    on.named(
        394,
        40,
        190,
        132,
        "steps t = 0, 1, 2, ..",
        "z_t = (X W0)_t\n+ sum of (x_t . x_s) d_s,\nlater layers, loss, back:\nd_t = -rate delta_t",
        "own",
    )
    on.path("M584 106 H621")
    on.named(624, 66, 120, 80, "W0 += X^T D", "D: all the d_t;\none update", "own")
    on.note(489, 196, "these read X W0, the Gram\nmatrix and d, and not W0", "middle")
    on.note(680, 170, "W0 is read and\nwritten once a block", "middle")
    return on


def threads() -> Canvas:
    """The three splits, of two threads."""
    on = Canvas("Threads split W0's inputs, its outputs, or a long batch's samples, each in four fixed parts", 286)
    kinds = ["own", "own", "other", "other"]
    for x, head, note in (
        (16, "Inputs (K)", "narrow layers"),
        (270, "Outputs (N)", "wide layers"),
        (524, "Samples", "long batches"),
    ):
        on.text(x, 22, head, "head")
        on.note(x, 40, note)
    for part, kind in enumerate(kinds):
        y = 74 + 27 * part
        on.box(16, y, 84, 27, kind)
        on.path(f"M100 {y + 13.5:g} H129")
        on.box(132, y + 2, 78, 23, kind)
        on.text(171, y + 18, f"s{part}, of z", "in", "middle")
    on.note(58, 66, "W0, by rows", "middle")
    on.note(171, 66, "partial sums", "middle")
    on.text(113, 212, "z = (s0 + s1) + (s2 + s3)", anchor="middle")
    on.note(113, 232, "one barrier a batch", "middle")
    for part, kind in enumerate(kinds):
        on.box(270 + 27 * part, 74, 27, 108, kind)
        on.box(412, 74 + 27 * part, 78, 27, kind)
    on.note(324, 66, "W0, by columns", "middle")
    on.note(451, 66, "W1, by rows", "middle")
    on.path("M378 128 H409")
    on.text(380, 212, "z1 = (s0 + s1) + (s2 + s3)", anchor="middle")
    on.note(380, 232, "each thread has panels of its own", "middle")
    for part, kind in enumerate(kinds):
        y = 74 + 27 * part
        on.box(524, y, 84, 27, kind)
        on.path(f"M608 {y + 13.5:g} H637")
        on.box(640, y + 2, 104, 23, kind)
        on.text(692, y + 18, f"gradient g{part}", "in", "middle")
    on.note(566, 66, "X, by rows", "middle")
    on.note(692, 66, "one of each part", "middle")
    on.text(634, 212, "g0 + g1 + g2 + g3, in order", anchor="middle")
    on.note(634, 232, "each thread updates a range", "middle")
    on.path("M254 16 V240 M508 16 V240", "thin", arrow=False)
    on.box(16, 257, 14, 14, "own")
    on.note(36, 269, "thread 0")
    on.box(104, 257, 14, 14, "other")
    on.note(124, 269, "thread 1. With one thread, or four, the same parts are added in the same order: the same bits.")
    return on


def neighbors_bytes() -> Canvas:
    """A tile of scores, and what leaves it."""
    hits = {(1, 5), (3, 2), (3, 9)}
    on = Canvas("A tile multiplies queries by rows and compares the scores with each query's threshold", 202)
    size, left, top = 22, 120, 44
    on.brace(left, 38, 12 * size, "rows x of a tile, packed side by side")
    on.note(left - 12, 94, "queries q", "end")
    on.note(left - 12, 110, "(bytes)", "end")
    for query in range(5):
        on.cells(left, top + size * query, size, ["hot" if (query, row) in hits else "none" for row in range(12)])
        on.box(left + 12 * size + 14, top + size * query, 64, size, "other")
        on.text(left + 12 * size + 46, top + size * query + 16, "k-th best", "in", "middle")
    on.note(left + 12 * size + 46, 28, "thresholds", "middle")
    on.note(
        left,
        174,
        "scores q . x - floor(|x|^2 / 2), exact integers;\nfilled: those that reach their query's threshold",
    )
    on.path("M470 99 H521")
    words = "alone touch memory: distance\n|q|^2 - 2 q . x + |x|^2, k best,\nand a new threshold"
    on.named(524, 52, 212, 94, "candidates", words, "own")
    return on


def neighbors_codes() -> Canvas:
    """The bound, and what it leaves of the rows."""
    on = Canvas(
        "Codes and their errors bound a distance from below; short codes leave few rows for the exact distance", 256
    )
    on.text(16, 24, "The bound", "head")
    on.circle(104, 112, 46, "own")
    on.circle(290, 112, 34, "own")
    on.path("M104 112 H290", arrow=False)
    on.path("M132 84 L272 92", "thin", arrow=False)
    for x, y, words, dx, dy, anchor in (
        (104, 112, "c_q", -6, 18, "end"),
        (290, 112, "c_x", 6, 18, "start"),
        (132, 84, "q", 2, 15, "start"),
        (272, 92, "x", 6, -4, "start"),
    ):
        on.circle(x, y, 3, "tip")
        on.text(x + dx, y + dy, words, "in", anchor)
    on.note(197, 80, "|q - x|", "middle")
    on.note(197, 128, "|c_q - c_x|", "middle")
    on.note(104, 178, "radius e_q: q is within", "middle")
    on.note(290, 178, "radius e_x: x is within", "middle")
    on.note(16, 212, "In units of the scale, q and x are as far apart as\nthe gap between the circles at least.")
    on.path("M396 16 V244", "thin", arrow=False)
    on.text(416, 24, "What is left of the rows", "head")
    steps = (
        (328, "all rows", "short codes (bytes), by integer tiles", "box"),
        (232, "a few", "finer codes, which are longer", "own"),
        (152, "fewer", "float64 differences", "own"),
        (88, "k", "", "hot"),
    )
    for place, (width, name, note, kind) in enumerate(steps):
        y = 40 + 50 * place
        on.box(416, y, width, 30, kind, round=4)
        on.text(416 + width / 2, y + 20, name, anchor="middle")
        if note:
            on.path(f"M430 {y + 30} V{y + 47}")
            on.note(440, y + 44, note)
    on.note(416, 240, "Seeds, looked at first, set the threshold.")
    return on


PICTURES: dict[str, Callable[[], Canvas]] = {
    "parameters": parameters,
    "lanes": lanes,
    "micro-batches": micro_batches,
    "block-csc": block_csc,
    "column-offset": column_offset,
    "update": update,
    "online-blocks": online_blocks,
    "threads": threads,
    "neighbors-bytes": neighbors_bytes,
    "neighbors-codes": neighbors_codes,
}


def main(words: Sequence[str]) -> int:
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, draw in PICTURES.items():
        path, text = FOLDER / f"{name}.svg", draw().svg()
        if "--check" not in words:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"{', '.join(stale)}: not as drawn; run: python docs/make_pictures.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
