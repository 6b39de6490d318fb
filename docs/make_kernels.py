"""Writes docs/kernels.md from the plan itself, from benchmarks' workloads and from the opening comments of the C files.

    python docs/make_kernels.py           # write the page
    python docs/make_kernels.py --check   # say whether it is what it would be, for CI

The plan is a pure function that answers for any machine, so the page is the same wherever it is made, as long as the
native kernels are there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import fastnn
from fastnn import checks
from fastnn.kernels import native, paths, spec
from fastnn.neighbors import index
from fastnn.nn.fit import packed
from fastnn.nn.optimizer import optimizer_rule

HERE = Path(__file__).resolve().parent
PAGE = HERE / "kernels.md"
SOURCES = HERE.parent / "fastnn" / "kernels" / "native" / "src"
MACHINES = {"avx512": "AVX-512", "avx2": "AVX2"}
THREADS = 2
ALONE = paths.Choice("squared distances of single pairs", ("simd/int8_dot.h",))
DOTTED_MACHINES = [("AMX", "amx", "amx"), ("AVX-512", "avx512", "vnni"), ("AVX2", "avx2", "madd")]
SEARCHES = [  # README's: of how many queries, and for how many neighbours
    ("uint8-k5", "uint8", 10_000, 5),
    ("uint8-k50", "uint8", 10_000, 50),
    ("float32-k5", "float32", 10_000, 5),
    ("one-uint8", "uint8", 1, 5),
    ("one-float32", "float32", 1, 5),
]

sys.path[:0] = [str(HERE.parent / "benchmarks"), str(HERE.parent / "tests" / "helpers")]
import plan_rows  # noqa: E402  # the path is set above
import workloads  # noqa: E402  # the path is set above


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def files(*choices: paths.Choice) -> str:
    return ", ".join(f"`{file}`" for file in dict.fromkeys(file for choice in choices for file in choice.files))


def files_of(plan: spec.TrainPlan) -> str:
    """What multiplies the first layer, first, then what calls it, and what updates."""
    return files(
        paths.INPUTS[plan.inputs],
        paths.REGIMES[plan.regime],
        paths.OFFSETS[plan.offset],
        paths.WEIGHTS[plan.weights],
        paths.UPDATES[plan.update],
    )


def files_of_search(plan: spec.SearchPlan) -> str:
    """What multiplies, first, and then what calls it."""
    scans = [paths.SCANS[scan] for scan in dict.fromkeys((plan.scan, plan.plain_scan))]
    if plan.scan not in ("codes", "bytes"):
        return files(*scans, paths.QUERIES[plan.queries])
    dot = ALONE if plan.queries == "alone" else paths.DOTS[plan.dot]
    return files(dot, *scans, paths.QUERIES[plan.queries])


def inputs_of(plan: spec.TrainPlan) -> str:
    return plan.inputs if plan.offset == "none" else f"{plan.inputs}, {plan.offset}"


def how(plan: spec.TrainPlan) -> list[str]:
    left = plan.density if plan.offset == "none" else plan.offset_density
    active = "" if left is None else f" ({left:.0%} active)"
    return [plan.regime, inputs_of(plan) + active, plan.split, plan.weights, plan.update]


def workload_rows() -> list[list[str]]:
    """What runs for each of README's workloads, on each machine; machines that agree share a row."""
    found = []
    for work in workloads.WORKLOADS:
        given, model = workloads.load(work.data, work.dtype, work.rows), work.model()
        rule = optimizer_rule(work.optimizer)
        rows = checks.rows("X", given.X, model.sizes[0], model.dtype)
        batch_size = None if work.shuffle else work.batch_size
        data = packed(spec.Data(rows.X, rows.scale, given.labels), model.net, 10, batch_size)
        plans: dict[spec.TrainPlan, list[str]] = {}
        for simd, name in MACHINES.items():
            plan = native.plan_training(
                model.net,
                data.X,
                dtype=model.dtype,
                batch_size=work.batch_size,
                rule=rule,
                block_csc=data.block_csc is not None,
                threads=THREADS,
                simd=simd,
            )
            plans.setdefault(plan, []).append(name)
        for plan, machines in plans.items():
            where = "" if len(plans) == 1 else f" ({', '.join(machines)})"
            found.append([f"{work.name}: {work.title}, {work.dtype}{where}", *how(plan), files_of(plan)])
    return found


def search_workload_rows() -> list[list[str]]:
    """What runs for each of README's searches, with codes as MNIST gets them; see Neighbors' _coded."""
    images = fastnn.datasets.load_mnist()[0][0]
    found = []
    for name, dtype, count, k in SEARCHES:
        rows = images if dtype == "uint8" else images.astype(dtype) / np.dtype(dtype).type(255)
        short = fastnn.Neighbors().fit(rows)._coded(long=False)
        for machine, simd, dot in DOTTED_MACHINES:
            widths = short.widths if short is not None else ()
            if dot == "amx" and count > index.FEW_QUERIES:  # a matrix unit compares whole rows, floats by long codes
                widths = () if dtype == "uint8" else (rows.shape[1],)
            plan = native.plan_search(
                "euclidean",
                len(rows),
                min(count, index.QUERIES_AT_A_TIME),
                rows.shape[1],
                k,
                rows.dtype,
                code_width=widths[0] if widths else 0,
                finer_codes=max(len(widths) - 1, 0),
                threads=THREADS,
                simd=simd,
                dot=dot,
            )
            scan = plan.scan if plan.scan == plan.plain_scan else f"{plan.scan}, else {plan.plain_scan}"
            where = files_of_search(plan)
            found.append([f"{name} ({machine})", scan, plan.queries, plan.split, plan.dot, where])
    return found


def path_rows() -> list[list[str]]:
    """Every way that the plan can take, and a training that takes it; what differs in the split alone shares a row."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row, training in sorted(plan_rows.train_rows(*MACHINES, "generic").items()):
        plan = training.plan()._replace(**dict(zip(plan_rows.TRAIN_FIELDS, row, strict=True)))
        how = plan.regime, inputs_of(plan), plan.weights, plan.update
        known = found.setdefault(how, [plan.regime, inputs_of(plan), "", *how[2:], training.words(), files_of(plan)])
        known[2] += f", {plan.split}" if known[2] else plan.split
    return list(found.values())


def search_rows() -> list[list[str]]:
    """The same of searches."""
    found = []
    for row, search in sorted(plan_rows.search_rows(*MACHINES, "generic").items()):
        plan = search.plan()._replace(**dict(zip(plan_rows.SEARCH_FIELDS, row, strict=True)))
        scan = plan.scan if plan.scan == plan.plain_scan else f"{plan.scan}, else {plan.plain_scan}"
        kept = "inserted" if plan.buffer == 0 else "selected from a buffer"
        where = files_of_search(plan)
        found.append([scan, plan.queries, plan.split, kept, "yes" if plan.seeds else "no", search.words(), where])
    return found


def choice_lines(title: str, choices: paths.Choices) -> list[str]:
    return [
        f"**{title}**",
        "",
        *(
            f"- {name}: {choice.words}{f' ({files(choice)})' if choice.files else ''}."
            for name, choice in choices.items()
        ),
        "",
    ]


def source_rows() -> list[list[str]]:
    """Every C file with the first sentence of its opening comment."""
    found = []
    for path in sorted(SOURCES.rglob("*.[ch]")):
        text = path.read_text()
        comment = re.search(r"/\*(.*?)\*/", text, re.DOTALL)
        words = " ".join(comment[1].split()) if comment else ""
        sentence = re.split(r"(?<=\.) (?=[A-Z])", words)[0]
        found.append([f"`{path.relative_to(SOURCES)}`", sentence.replace("|", "\\|")])
    return found


def page() -> str:
    """The whole of docs/kernels.md."""
    training = ["workload", "path", "inputs", "threads split", "W0", "update", "files in `src/`"]
    searching = ["scan", "queries", "threads split", "the k best", "seeds", "an example", "files in `src/`"]
    return "\n".join(
        [
            "# Kernels",
            "",
            *INTRODUCTION,
            "## README's workloads",
            "",
            "With two threads. Active is the share of blocks of four inputs that are other than zero (less the column",
            "offset, if there is one): in some of the samples that share an index, four of a micro-batch or twelve of",
            "an online block, or in a single sample for block-CSC; the plan measures it in 60 rows. L2 in C is its",
            "quadratic loss.",
            "What multiplies is named first, then what calls it and what updates.",
            "",
            *table(training, workload_rows()),
            "",
            *table(
                ["search, by euclidean distance", *searching[:3], "bytes by", searching[-1]], search_workload_rows()
            ),
            "",
            "## Every path of a training",
            "",
            *(line for title, choices in TRAINING.items() for line in choice_lines(title, choices)),
            *table([*training[1:6], "an example", training[6]], path_rows()),
            "",
            "## Every path of a search",
            "",
            *(line for title, choices in SEARCHING.items() for line in choice_lines(title, choices)),
            *table(searching, search_rows()),
            "",
            "## The files",
            "",
            "Below `fastnn/kernels/native/src/`, each with the first sentence of its own.",
            "",
            *table(["file", "what it is"], source_rows()),
            "",
        ]
    )


INTRODUCTION = """\
Which file runs for which shape. Written by `docs/make_kernels.py` from the plan itself, and compared with it in CI;
`fastnn.explain(model, X, batch_size=...)`, `Neighbors.explain(Q, k)` and `fastnn train --explain` say the same of your
own data. The tests of `tests/kernels/test_plan_rows.py` train and search by every row of the tables below.

    train_epoch                                            network.pxi
      fnn_plan_preparation                                 plan_train.c: reals to bytes, or block-CSC stored, once a fit
      fnn_plan_training -> fnn_train_plan                  plan_train.c: every decision
        measure the density, where the plan needs it       train/density.h
      train_thread                                         train/epoch.h
        online blocks | short batches | long batches       train/online.h, train/epoch.h, train/gradient.h
          bring rows in                                    train/inputs.h
          forward                                          train/forward.h, which calls gemm/
          loss and delta                                   train/loss.h
          backward and update                              train/backward.h, train/update.h, which call gemm/

    neighbors                                              search.pxi
      fnn_plan_search -> fnn_search_plan                   plan_search.c: every decision
      search_thread, in every thread                       search/search.h
        a block of queries, laid out in tiles              search/query_block.h
        its scan against the rows                          search/scan.h
          codes or bytes: integer products                 search/byte_tiles.h, search/amx.h
          reals: products or differences                   search/real_tiles.h
          candidates, and pairs: the metric's values       search/metrics.h
        the k best                                         search/top_k.h

Threads and instruction set choose only among ways that give the same bits.

""".splitlines()

TRAINING = {
    "Path": paths.REGIMES,
    "Inputs": paths.INPUTS,
    "Offset": paths.OFFSETS,
    "What threads split": paths.SPLITS,
    "Where W0 lies": paths.WEIGHTS,
    "Update": paths.UPDATES,
}
SEARCHING = {"Scan": paths.SCANS, "Queries": paths.QUERIES, "What multiplies bytes": paths.DOTS}


def main(words: Sequence[str]) -> int:
    text = page()
    if "--check" in words:
        if PAGE.read_text() == text:
            return 0
        print(f"{PAGE.name} is not what the plan says; run: python docs/make_kernels.py", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
