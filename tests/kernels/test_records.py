"""The records from which codes, C enums, choices and defaults follow."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from fastnn import kernels
from fastnn.kernels import records
from fastnn.nn import initializers

TABLES = {
    "activations": records.ACTIVATION_RECORDS,
    "losses": records.LOSS_RECORDS,
    "optimizers": records.OPTIMIZER_RECORDS,
    "metrics": records.METRIC_RECORDS,
}
HEADER = Path(__file__).parents[2] / "fastnn/kernels/native/src/codes.h"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_code_is_a_records_position(table):
    for position, (name, record) in enumerate(table.items()):
        assert record.name == name
        assert getattr(records, name.upper()) == position
        assert record.equation
        assert record.source


def test_the_types_have_the_records_names():
    types = records.ActivationName, records.LossName, records.OptimizerName, records.MetricName
    for names, table in zip(types, TABLES.values(), strict=True):
        assert get_args(names) == tuple(table)
    assert get_args(kernels.BackendName) == kernels.NAMES
    assert get_args(initializers.InitializerName) == tuple(initializers.INITIALIZERS)


def test_the_codes_of_c_are_those_of_the_records():
    assert HEADER.read_text() == records.c_header(), "build the extension again, as setup.py writes codes.h"
    for line, table in zip(
        (line for line in HEADER.read_text().splitlines() if line.startswith("enum")), TABLES.values(), strict=True
    ):
        assert line == f"enum {{ {', '.join(table).upper()} }};"


def test_an_activation_and_its_loss_go_together():
    for name, record in records.ACTIVATION_RECORDS.items():
        loss = records.LOSS_RECORDS[record.loss]
        assert loss.output == name or not loss.fused
    for record in records.LOSS_RECORDS.values():
        assert record.output in records.ACTIVATIONS
