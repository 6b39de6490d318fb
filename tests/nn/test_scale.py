"""Numbers of a type that says one thing about pixels and of a size that says another: MLP warns, once."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

from fastnn import MLP

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6))
PIXELS[0, 0] = 255
TABLE = np.random.default_rng(0).integers(0, 2, (40, 6))
LABELS = np.arange(40) % 2
NOT_SCALED = (
    r"^X: numbers of type {} are used as they are, but these are whole numbers up to 255, as pixels are\. If they are "
    r"pixels, pass X\.astype\('uint8'\), which is divided by 255, or X / 255$"
)
SCALED = (
    r"^X: uint8 numbers are taken for pixels and divided by 255, but none of these exceeds {}\. If they are no pixels, "
    r"pass X\.astype\('float32'\), which is used as it is; if they are, stretch them to 0\.\.255 first, as by X \* {}$"
)


def make():
    return MLP([6, 4, 2], seed=0)


def heard(call):
    """The warnings that a call gives, however often they have come before."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("dtype", ["int64", "int16", "float32", "float64", "float16"])
def test_pixels_of_another_type(dtype):
    X, model = PIXELS.astype(dtype), make()
    with pytest.warns(UserWarning, match=NOT_SCALED.format(dtype)) as caught:
        model.fit(X, LABELS, epochs=1, validation_data=(X, LABELS))
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the caller's line
    assert heard(lambda: (model.fit(X, LABELS), model.score(X, LABELS), model.predict(X))) == []


@pytest.mark.parametrize("top", [1, 7, 15])
def test_small_numbers_as_bytes(top):
    X, model = (TABLE * top).astype(np.uint8), make()
    with pytest.warns(UserWarning, match=SCALED.format(top, 255 // top)) as caught:
        model.fit(X, LABELS, epochs=1)
    assert len(caught) == 1
    assert heard(lambda: (model.fit(X, LABELS), model.predict(X))) == []


@pytest.mark.parametrize(
    "X",
    [
        PIXELS.astype(np.uint8),
        PIXELS / 255,
        PIXELS / 256,
        PIXELS + 0.5,
        PIXELS - 1,
        np.minimum(PIXELS, 99),
        PIXELS + (PIXELS == 255),  # 256 is no byte
        TABLE,
        TABLE.astype(bool),
        (TABLE * 16).astype(np.uint8),
        np.zeros((40, 6), np.uint8),
        np.zeros((40, 6)),
    ],
    ids=range(12),
)
def test_numbers_without_a_doubt(X):
    model = make()
    assert heard(lambda: (model.fit(X, LABELS, epochs=1), model.predict(X), model.score(X, LABELS))) == []


@pytest.mark.parametrize("method", ["forward", "predict", "predict_proba"])
@pytest.mark.parametrize(
    ("trained", "asked", "message"),
    [
        (PIXELS.astype(np.uint8), PIXELS, NOT_SCALED.format("int64")),
        (PIXELS.astype(np.uint8), PIXELS.astype(np.float32), NOT_SCALED.format("float32")),
        (PIXELS / 255, PIXELS.astype(float), NOT_SCALED.format("float64")),
        (TABLE, TABLE.astype(np.uint8), SCALED.format(1, 255)),
        (TABLE * 7.0, (TABLE * 7).astype(np.uint8), SCALED.format(7, 36)),
    ],
    ids=range(5),
)
def test_rows_scaled_unlike_those_of_the_training(method, trained, asked, message):
    model = make()
    assert heard(lambda: model.fit(trained, LABELS, epochs=1, validation_data=(trained, LABELS))) == []
    with pytest.warns(UserWarning, match=message):
        getattr(model, method)(asked)
    assert heard(lambda: getattr(model, method)(asked)) == []


@pytest.mark.parametrize("method", ["forward", "predict", "predict_proba"])
def test_rows_scaled_like_those_of_the_training(method):
    """Whatever they look like by themselves."""
    table, bytes_ = make(), make()
    table.fit(PIXELS + 0.5, LABELS, epochs=1)
    bytes_.fit(PIXELS.astype(np.uint8), LABELS, epochs=1)
    assert heard(lambda: getattr(table, method)([[34, 80, 120, 0, 0, 1]])) == []
    assert heard(lambda: getattr(bytes_, method)((TABLE * 9).astype(np.uint8))) == []


def test_rows_for_a_model_that_has_seen_none():
    with pytest.warns(UserWarning, match=NOT_SCALED.format("float64")):
        make().predict(PIXELS[0].astype(float))


def test_each_model_says_it_for_itself_and_so_does_held_out_data():
    for _ in range(2):
        with pytest.warns(UserWarning, match="^validation_data"):
            make().fit(PIXELS.astype(np.uint8), LABELS, epochs=1, validation_data=(PIXELS, LABELS))


def test_a_thousand_rows_tell(monkeypatch):
    """They lie all over the rows, so that neither the first nor the last ones alone decide."""
    X = np.zeros((10_000, 6), np.int64)
    X[::10] = 200
    with pytest.warns(UserWarning, match="whole numbers up to 200"):
        make().fit(X, np.arange(10_000) % 2, epochs=1, batch_size=1000)
    X[1::10] = 1000  # which none of these is
    with pytest.warns(UserWarning, match="whole numbers up to 200"):
        make().predict(X)


def test_a_copy_has_heard_it_too():
    model = make()
    with pytest.warns(UserWarning, match="as pixels are"):
        model.fit(PIXELS, LABELS, epochs=1)
    twin = copy.deepcopy(model)
    assert heard(lambda: twin.predict(PIXELS)) == []
