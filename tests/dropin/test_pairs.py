import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import FastnnError
from fastnn.dropin.nielsen import pairs as pair_data
from fastnn.kernels import native

FLOAT64 = np.dtype(np.float64)


def with_targets(columns):
    return [(x, np.full((2, 1), float(k))) for k, x in enumerate(columns)]


def check(rows, pairs):
    """Every pair is where ``places`` says."""
    assert len(rows.data.X) == len(rows.data.y) == len(pairs)
    for place, (x, y) in zip(rows.places, pairs, strict=True):
        np.testing.assert_array_equal(rows.data.X[place] * rows.data.scale, x[:, 0])
        np.testing.assert_array_equal(rows.data.y[place], y[:, 0])


class TestSharedRows:
    @pytest.fixture
    def block(self):
        return np.random.default_rng(0).random((40, 6))

    @pytest.mark.parametrize("order", ["as stored", "reversed", "shuffled"])
    def test_rows_of_one_array_are_not_copied(self, block, order):
        columns = list(block[:, :, None])
        if order == "reversed":
            columns.reverse()
        elif order == "shuffled":
            random.Random(1).shuffle(columns)
        pairs = with_targets(columns)
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert np.shares_memory(rows.data.X, block)

    def test_a_range_of_rows_is_not_copied(self, block):
        pairs = with_targets(block[7:20, :, None])
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert np.shares_memory(rows.data.X, block)

    @pytest.mark.parametrize(
        "pick",
        [
            lambda block: [block[i, :, None] for i in (3, 3, 4)],  # twice the same
            lambda block: [block[i, :, None] for i in (1, 5, 9)],  # with gaps
            lambda block: [block.reshape(-1)[i : i + 6, None] for i in (0, 3, 9)],  # overlapping
            lambda block: [block[:6, i, None] for i in range(6)],  # columns of the array
            lambda block: [block[i, ::-1, None] for i in range(6)],  # backwards
            lambda block: [np.frombuffer(block[i].tobytes())[:, None] for i in range(2)],  # read-only
            lambda block: list(np.asfortranarray(block)[:, :, None]),
            lambda block: [block[0, :, None], block[1, :, None].copy()],
            lambda block: [block[0, :, None], block.view(np.int64)[1, :, None]],
            lambda block: list(block.astype(">f8")[:, :, None]),
        ],
    )
    def test_anything_else_is_gathered(self, block, pick):
        pairs = with_targets(pick(block))
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert rows.data.X.dtype == FLOAT64
        assert not np.shares_memory(rows.data.X, block)

    def test_a_shuffled_list_of_separate_arrays(self, block):
        pairs = with_targets([x.copy() for x in block[:, :, None]])
        random.Random(1).shuffle(pairs)
        check(pair_data.vector_rows("data", pairs, 6, 2, FLOAT64), pairs)


class TestTypes:
    def test_uint8_stays_uint8_and_unscaled(self):
        pairs = with_targets(np.arange(12, dtype=np.uint8).reshape(2, 6, 1))
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert (rows.data.X.dtype, rows.data.scale) == (np.uint8, 1.0)

    def test_bytes_over_256_become_bytes_again(self):
        block = np.arange(300 * 6, dtype=np.float32).reshape(300, 6) % 256 / 256
        pairs = with_targets(block[:, :, None])
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert (rows.data.X.dtype, rows.data.scale) == (np.uint8, 1 / 256)

    @pytest.mark.parametrize("odd", [1.0, -1 / 256, 0.3, 1e30, np.nan, np.inf, 1 / 512])
    def test_one_other_value_keeps_floats(self, odd):
        block = np.zeros((300, 6), np.float32)
        block[299, 5] = odd
        pairs = with_targets(block[:, :, None])
        rows = pair_data.vector_rows("data", pairs, 6, 2, FLOAT64)
        check(rows, pairs)
        assert (rows.data.X.dtype, rows.data.scale) == (FLOAT64, 1.0)

    def test_mixed_types_meet_in_float64(self):
        pairs = with_targets([np.full((6, 1), 3, dtype) for dtype in ("uint8", "float32", "int64", "bool")])
        check(pair_data.vector_rows("data", pairs, 6, 2, FLOAT64), pairs)

    def test_labels(self):
        columns = np.random.default_rng(0).random((4, 6, 1))
        labels = [1, np.uint8(2), np.int64(3), 4.0]
        rows = pair_data.label_rows("data", list(zip(columns, labels, strict=True)), 6, FLOAT64)
        assert rows.data.y.tolist() == [1, 2, 3, 4]

    def test_labels_follow_shuffled_rows(self):
        pairs = list(zip(np.arange(24.0).reshape(4, 6, 1), range(4), strict=True))[::-1]
        rows = pair_data.label_rows("data", pairs, 6, FLOAT64)
        assert (rows.data.X[:, 0] / 6).tolist() == rows.data.y.tolist() == [0, 1, 2, 3]

    def test_an_unusable_label_is_named(self):
        with pytest.raises(FastnnError, match=r"data\[1\].*label.*\(3,\)"):
            pair_data.label_rows("data", [(np.zeros((6, 1)), 1), (np.zeros((6, 1)), np.zeros(3))], 6, FLOAT64)


class TestShuffle:
    @given(st.integers(0, 2100), st.integers(0, 2**32))
    def test_is_random_shuffle(self, count, seed):
        state = random.getstate()
        try:
            random.seed(seed)
            expected = list(range(count))
            random.shuffle(expected)
            after = random.getstate()
            random.seed(seed)
            found, places = list(range(count)), [10 * k for k in range(count)]
            pair_data.shuffle(found, places)
            assert found == expected
            assert places == [10 * k for k in found]
            assert random.getstate() == after
        finally:
            random.setstate(state)

    def test_a_replaced_random_shuffle_is_called(self, monkeypatch):
        monkeypatch.setattr(random, "shuffle", lambda items: items.reverse())
        items, places = list("abc"), [5, 6, 7]
        pair_data.shuffle(items, places)
        assert (items, places) == (list("cba"), [7, 6, 5])

    def test_this_python_draws_as_written_out(self):
        assert pair_data._draws_as_expected()


class TestPackPairs:
    """The native backend's short cut for images."""

    @pytest.fixture
    def pixels(self):
        return np.random.default_rng(1).integers(0, 256, (60, 6)).astype(np.uint8)

    FORMS = (
        ("bytes", lambda pixels: pixels),
        ("float32 / 256", lambda pixels: pixels.astype(np.float32) / np.float32(256)),
        ("float64 / 256", lambda pixels: pixels / 256),
        ("float64 / 255", lambda pixels: pixels / 255),
    )

    @pytest.mark.parametrize("separate", [False, True])
    @pytest.mark.parametrize("shuffled", [False, True])
    @pytest.mark.parametrize("form", [form for _, form in FORMS], ids=[name for name, _ in FORMS])
    def test_images_become_bytes(self, pixels, form, shuffled, separate):
        columns = [x.copy() if separate else x for x in form(pixels)[:, :, None]]
        pairs = with_targets(columns)
        if shuffled:
            random.Random(2).shuffle(pairs)
        X, scale, y, places = native.capabilities.pack_pairs(pairs, 6, 2)
        assert X.dtype == np.uint8
        for place, (x, target) in zip(places, pairs, strict=True):
            np.testing.assert_allclose(X[place] * scale, x[:, 0].astype(np.float64), rtol=2.3e-16, atol=0)
            np.testing.assert_array_equal(y[place], target[:, 0])

    @pytest.mark.parametrize("value", [0.5 / 256, 1.5, 256 / 255, -1 / 256, np.nan, np.inf, 1e300, 1e-30])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_one_other_value_is_enough_to_decline(self, pixels, dtype, value):
        images = (pixels / 256).astype(dtype)
        with np.errstate(over="ignore"):
            images[37, 4] = value
        assert native.capabilities.pack_pairs(with_targets(list(images[:, :, None])), 6, 2) is None

    def test_float32_of_a_255th_is_not_a_multiple_of_anything(self, pixels):
        images = pixels.astype(np.float32) / np.float32(255)
        assert native.capabilities.pack_pairs(with_targets(list(images[:, :, None])), 6, 2) is None

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda pair: list(pair),
            lambda pair: (*pair, 1),
            lambda pair: (pair[0][:, 0], pair[1]),
            lambda pair: (pair[0][:-1], pair[1]),
            lambda pair: (pair[0].astype(np.float32), pair[1]),
            lambda pair: (pair[0][::-1], pair[1]),
            lambda pair: (pair[0].tolist(), pair[1]),
            lambda pair: (pair[0], pair[1].astype(np.float32)),
            lambda pair: (pair[0], 3),
            lambda pair: None,
        ],
    )
    @pytest.mark.parametrize("place", [0, 20])
    def test_anything_but_plain_columns_is_declined(self, pixels, spoil, place):
        pairs = with_targets(list((pixels / 256)[:, :, None]))
        assert native.capabilities.pack_pairs(pairs, 6, 2) is not None
        pairs[place] = spoil(pairs[place])
        assert native.capabilities.pack_pairs(pairs, 6, 2) is None
        assert native.capabilities.pack_pairs([], 6, 2) is None
