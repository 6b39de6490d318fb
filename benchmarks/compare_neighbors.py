"""Seconds of exact nearest neighbours, fastnn's and those of the tools people use today; writes a table.

    python benchmarks/compare_neighbors.py                     # measure everything that is installed, print
    python benchmarks/compare_neighbors.py --only uint8-k5 program
    python benchmarks/compare_neighbors.py --contenders native plain FAISS
    python benchmarks/compare_neighbors.py --large             # 1,000,000 rows too, for which it takes 3 GB
    python benchmarks/compare_neighbors.py --write             # and rewrite results_neighbors.json and its table

uint8-k5, uint8-k50, float32-k5   MNIST, 10,000 images among 60,000: fit (FAISS: add), then search
gaussian-k5                       as many rows of standard normal numbers
one-uint8, one-float32            calls with one query among 60,000
program                           the hand-written knn among 20,000 images, a query
degenerate                        fastnn with pruning and without, on data that could make pruning dear
large                             fastnn's seconds a pair among 1,000,000 rows beside those among 60,000

"native" decides by itself whether to prune; "plain" is native without pruning. All contenders of a case take turns,
`--rounds` times; a ratio is the median of the rounds' ratios, with the least and the greatest. Before each turn all
rest, so that threads which still wait for another library's work do not take its core. The rivals' data are converted
beforehand; that, and compiling, is reported as setup. Slow ones answer a share of the queries, and their search is
scaled up. All answers are compared with brute force in float64: fastnn's indices must be the same, also among equal
distances (for float32, but for distances equal to 1e-12); of the others the neighbours' true distances, to float32's
rounding of |q|^2 + |x|^2 - 2 q.x.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import neighbor_data
import roofline
import summary
from contenders import UnavailableError
from neighbor_data import Points, Truth
from neighbor_parts import PARTS
from neighbor_rivals import RIVALS, TRIAL_QUERIES, Task
from neighbor_turns import BOTH, FACTORIES, FIT, SEARCH, Turn, join, right
from reports import (
    HERE,
    TABLES,
    Report,
    Timing,
    arguments,
    begin,
    cell,
    milliseconds,
    timing,
    write_between,
    write_json,
)

RESULTS = HERE / "results_neighbors.json"
START = "<!-- neighbours table: written by benchmarks/compare_neighbors.py -->"
END = "<!-- end of the neighbours table -->"
MOST_SLOWER = 1.3  # pruning than plain search, on degenerate data


@dataclass(frozen=True)
class Case:
    """One search. ``shares`` says which share of the queries each contender answers."""

    name: str
    title: str
    data: str  # a key of neighbor_data.DATA
    k: int
    shares: Mapping[str, float]
    one: bool = False  # a query a call


OURS = {"native": 1.0, "plain": 1.0, "numba": 0.1, "numpy": 0.1}
FLOATS = dict.fromkeys(("FAISS", "scikit-learn", "scikit-learn-intelex", "PyTorch"), 0.25)
BYTES = FLOATS | {"usearch": 0.25}
AMONG = "10,000 among 60,000"
CASES = [
    Case("uint8-k5", f"MNIST, uint8, {AMONG}, k = 5", "uint8", 5, OURS | dict.fromkeys(BYTES, 1.0)),
    Case("uint8-k50", f"MNIST, uint8, {AMONG}, k = 50", "uint8", 50, OURS | BYTES),
    Case("float32-k5", f"MNIST, float32, {AMONG}, k = 5", "float32", 5, OURS | FLOATS),
    Case("gaussian-k5", f"Gaussian, float32, {AMONG}, k = 5", "gaussian", 5, OURS | FLOATS),
    Case("one-uint8", "MNIST, uint8, one query, k = 5", "uint8", 5, dict.fromkeys([*OURS, *RIVALS], 1.0), one=True),
    Case(
        "one-float32", "MNIST, float32, one query, k = 5", "float32", 5, dict.fromkeys([*OURS, *FLOATS], 1.0), one=True
    ),
]
NAMES = [*(case.name for case in CASES), *PARTS]
ROWS = [  # of the table in docs/benchmarks.md
    ("uint8-k5", BOTH),
    ("uint8-k5", SEARCH),
    ("uint8-k5", FIT),
    ("uint8-k50", BOTH),
    ("float32-k5", BOTH),
    ("gaussian-k5", BOTH),
    ("one-uint8", SEARCH),
    ("one-float32", SEARCH),
]
COLUMNS = {
    "native": "fastnn native",
    "plain": 'pruning="never"',
    "numba": "fastnn numba",
    "numpy": "fastnn numpy",
    "FAISS": "FAISS IndexFlatL2",
    "FAISS bytes": "FAISS 8 bits",
    "scikit-learn": "scikit-learn",
    "scikit-learn-intelex": "scikit-learn-intelex",
    "PyTorch": "PyTorch",
    "usearch": "usearch int8",
}


@dataclass(frozen=True)
class Result:
    """One contender's part of a case, by what was timed: fit, search, and both, or search alone."""

    timings: Mapping[str, Timing]
    beside_plain: Mapping[str, Timing]  # the same, with ratios to plain; empty where plain had no part
    right: bool
    same_indices: float  # share of its queries
    share_of_queries: float
    setup_seconds: float
    settings: str

    def line(self, name: str) -> str:
        parts = [f"  {name:20} {self.timings.get(BOTH, self.timings[SEARCH]).text()}"]
        if BOTH in self.timings:
            fit, search = self.timings[FIT], self.timings[SEARCH]
            parts.append(f"fit {milliseconds(fit.seconds)}, search {milliseconds(search.seconds)}")
            if search.native_is_faster_by is not None:
                parts.append(f"search by native {search.native_is_faster_by:.2f} x as fast")
        if self.beside_plain:
            plain = self.beside_plain[SEARCH]
            parts.append(f"by plain {plain.native_is_faster_by:.2f} x ({plain.ratios[0]:.2f} .. {plain.ratios[1]:.2f})")
        notes = [self.settings] if self.settings else []
        if self.share_of_queries < 1:
            notes.append(f"scaled up from {self.share_of_queries:.0%} of the queries")
        notes.append(f"same indices for {self.same_indices:.2%}" if self.right else "WRONG ANSWERS")
        return f"{'  '.join(parts)}  setup {self.setup_seconds:.2f} s  [{'; '.join(notes)}]"


@functools.cache
def brute_force(kind: str) -> Truth:
    return neighbor_data.truth(neighbor_data.load(kind), max(case.k for case in CASES if case.data == kind))


def measure(case: Case, rounds: int, names: Sequence[str]) -> Report:
    """Time all contenders of one case in turn and compare their answers with brute force."""
    points = neighbor_data.load(case.data)
    task = Task(points.X, points.Q[: 1 if case.one else TRIAL_QUERIES], case.k)
    turns = {}
    for name, searcher in join([name for name in names if name in case.shares], task).items():
        share = case.shares[name]
        turns[name] = Turn(searcher, points.Q[: round(share * len(points.Q))], case.k, share)
    for _ in range(rounds):
        for turn in turns.values():
            turn.one_by_one() if case.one else turn.batch()
    results = {}
    for name, turn in turns.items():

        def beside(peer: str, turn: Turn = turn) -> dict[str, Timing]:
            taken = turns[peer].taken if peer in turns else {}
            return {what: timing(seconds, taken.get(what)) for what, seconds in turn.taken.items()}

        correct, same = right(name, turn, points, brute_force(case.data))
        results[name] = Result(
            timings=beside("native"),
            beside_plain=beside("plain") if "plain" in turns else {},
            right=correct,
            same_indices=same,
            share_of_queries=turn.share,
            setup_seconds=turn.searcher.setup,
            settings=turn.searcher.settings,
        )
        print(results[name].line(name), flush=True)
    return {
        "name": case.name,
        "title": case.title,
        "rounds": rounds,
        "right": all(result.right for result in results.values()),
        "results": {name: asdict(result) for name, result in results.items()},
        "roofline": limits(case, points, results),
    }


def limits(case: Case, points: Points, results: Mapping[str, Result]) -> Report | None:
    """How fastnn's searches compare with what the machine can do."""
    try:
        machine = roofline.machine()
    except UnavailableError as reason:
        print(f"  no roofline: {reason}")
        return None
    operations = 2.0 * points.X.size * (1 if case.one else len(points.Q))
    peak, reading = operations / machine.all_cores["float32"], points.X.nbytes / machine.memory_read
    shares = {name: peak / results[name].timings[SEARCH].seconds for name in ("native", "plain") if name in results}
    reached = "".join(f"; {name}'s search is at {share:.0%} of that peak" for name, share in shares.items())
    print(
        f"  2 n q d operations take {milliseconds(peak)} ms at the float32 peak, reading the rows from memory "
        f"{milliseconds(reading)} ms{reached}"
    )
    return {
        "operations": operations,
        "seconds_at_float32_peak": peak,
        "seconds_to_read_rows": reading,
        "share_of_float32_peak": shares,
    }


def losses(report: Report) -> list[str]:
    """Where another contender beats native, and where fastnn misses what it promises of itself."""
    found = []
    for case in report["cases"]:
        for name, row in case["results"].items():
            for what in (SEARCH, BOTH):
                times = row["timings"].get(what, {}).get("native_is_faster_by")
                if times is not None and times < 1:
                    found.append(f"{case['title']}: {COLUMNS[name]} takes {times:.2f} times native's time for {what}")
    for row in report.get("degenerate", {}).get("rows", []):
        if row["search"] > MOST_SLOWER:
            found.append(f"{row['data']}, {row['dtype']}: pruning takes {row['search']:.2f} times plain search")
    for name in ("native", "plain"):
        times = report["large"][name][SEARCH]["times"] if "large" in report else 0
        if times > 1:
            found.append(f"many rows: {name} takes {times:.2f} times the time a pair")
    return found


def table(report: Report) -> str:
    """docs/benchmarks.md's table: milliseconds; where another contender beats native, that is said too."""
    cases = {case["name"]: case for case in report["cases"]}
    shown = {name: title for name, title in COLUMNS.items() if any(name in case["results"] for case in cases.values())}
    lines = ["| ms (native is faster by) | " + " | ".join(shown.values()) + " |", "|---|" + "---|" * len(shown)]
    for case, what in ROWS:
        results = cases[case]["results"]
        timings = [results[name]["timings"].get(what) if name in results else None for name in shown]
        cells = [cell(row, bold=name == "native") for name, row in zip(shown, timings, strict=True)]
        title = cases[case]["title"] + ("" if case.startswith("one") else f", {what}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(report: Report) -> None:
    write_json(RESULTS, report)
    program = report["program"]["results"]
    knn, batch, by_hand = (program[name] for name in ("knn", "classify uint8", "NumPy program"))
    slowest = max(row["search"] for row in report["degenerate"]["rows"])
    gaussian = next(case for case in report["cases"] if case["name"] == "gaussian-k5")
    notes = [
        f"Medians of {gaussian['rounds']} searches each, taken in turn; all answers checked. `fit` is FAISS's `add`. "
        "The others' data are converted to the dtype they search beforehand.",
        f"A query among 20,000 images, k = 5: {milliseconds(by_hand['seconds'])} ms by hand (a subtraction and "
        f"argpartition), {milliseconds(knn['seconds'])} ms by `fastnn.dropin.scratch.knn` "
        f"({knn['program_takes']:.0f}x), {milliseconds(batch['seconds'])} ms in one `classify` of 10,000 "
        f"({batch['program_takes']:.0f}x).",
        f"On data where pruning cannot help it makes a search at most {max(slowest, 1) - 1:.0%} slower.",
    ]
    if gaussian["roofline"] is not None:
        share = gaussian["roofline"]["share_of_float32_peak"]["native"]
        notes.append(f"On the Gaussian rows, native reaches {share:.0%} of the measured float32 peak.")
    if "large" in report:
        notes.append(
            f"Among 1,000,000 rows a pair takes {report['large']['native'][SEARCH]['times']:.2f} times what it takes "
            "among 60,000."
        )
    write_between(TABLES, START, END, f"{table(report)}\n\n{' '.join(notes)}\n\nHardware: {report['hardware']}.")
    summary.write()


def main() -> int:
    parser = arguments(__doc__, f"of {', '.join(NAMES)}", "results_neighbors.json")
    parser.add_argument("--contenders", nargs="+", choices=FACTORIES, default=list(FACTORIES), metavar="NAME")
    parser.add_argument("--large", action="store_true", help="search among 1,000,000 rows too")
    options = parser.parse_args()
    unknown = [name for name in options.only if name not in NAMES]
    if unknown:
        parser.error(f"no case {unknown[0]}; there are {', '.join(NAMES)}")
    if options.write and (options.only or len(options.contenders) < len(FACTORIES)):
        parser.error("--write wants all cases and contenders")
    wanted = set(options.only or NAMES)
    if not (options.large or "large" in options.only):
        wanted.discard("large")
    warnings.simplefilter("ignore")
    report = begin() | {"cases": []}
    for case in CASES:
        if case.name in wanted:
            print(f"\n{case.name}: {case.title}", flush=True)
            report["cases"].append(measure(case, options.rounds, options.contenders))
    for name, part in PARTS.items():
        if name in wanted:
            print(f"\n{name}", flush=True)
            report[name] = part(options.rounds)
    if "native" in options.contenders:
        report["losses"] = losses(report)
        print("\nwhere fastnn loses:", *(report["losses"] or ["nowhere"]), sep="\n  ")
    if options.json:
        write_json(options.json, report)
    if options.write:
        write(report)
    done = [*report["cases"], *(report[name] for name in PARTS if name in report)]
    return 0 if all(part["right"] for part in done) else 1


if __name__ == "__main__":
    roofline.without_forced_kernels()
    raise SystemExit(main())
