"""Which columns of a CSV file are labels, pixels or neither: by names, and by numbers where there are no names."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastnn.datasets import csv_file, load_mnist, read_csv
from fastnn.dropin import rashid
from fastnn.errors import FileFormatError

RNG = np.random.default_rng(0)
LABELS = np.array([5, 0, 4, 1, 9, 2, 1, 3])
PIXELS = RNG.integers(0, 256, (8, 4)).astype(np.uint8)

LABEL_NAMES = ["label", "Labels", " class ", "target", "TARGET", "y", "digit", '"label"', "class_label"]
INDEX_NAMES = ["index", "ID", "id ", "Unnamed: 0", '"Unnamed: 0.1"', "row_id", "ImageId", "idx"]
PIXEL_NAMES = {
    "pixel0": "pixel{0}".format,
    "pixel0000": "pixel{0:04}".format,
    "Pixel 1": lambda i: f"Pixel {i + 1}",
    "0": "{0}".format,
    "1": lambda i: f"{i + 1}",
    "1x1": lambda i: f"{i // 2 + 1}x{i % 2 + 1}",
    "pixel_0_0": lambda i: f"pixel_{i // 2}_{i % 2}",
    "quoted": '"p{0}"'.format,
    "quoted between spaces": ' "p{0}" '.format,
    "V2": lambda i: f"V{i + 2}",  # R's names of a table of which the first column has been renamed
    "r0c0": lambda i: f"r{i // 2}c{i % 2}",
    "no numbers": lambda i: "abcd"[i],
    "with gaps": lambda i: f"pixel{i * i + 7}",  # blank columns removed
}


def text_of(columns: list[tuple[str, object]]) -> str:
    """A CSV file of columns (name, values)."""
    names, values = zip(*columns, strict=True)
    return "\n".join(",".join(map(str, row)) for row in (names, *zip(*values, strict=True))) + "\n"


def pixel_columns(kind: str = "pixel0", pixels: np.ndarray = PIXELS) -> list[tuple[str, object]]:
    return [(PIXEL_NAMES[kind](i), column) for i, column in enumerate(pixels.T.tolist())]


def one_hot_columns(classes: range, name: str, labels: np.ndarray = LABELS) -> list[tuple[str, object]]:
    return [(name.format(c), (labels == c).astype(int).tolist()) for c in classes]


def write(path, columns) -> None:
    path.write_text(text_of(columns))


def assert_read(path, pixels=PIXELS, labels=LABELS) -> None:
    images, found = read_csv(path)
    np.testing.assert_array_equal(images, pixels.astype(np.uint8), strict=True)
    np.testing.assert_array_equal(found, labels.astype(np.uint8), strict=True)
    assert images.flags.c_contiguous
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(read_csv(path, labels=False), images, strict=True)


# Names


@pytest.mark.parametrize("label", LABEL_NAMES)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_column_of_labels_wherever_it_is(tmp_path, label, place):
    columns = pixel_columns()
    columns.insert(place, (label, LABELS))
    write(tmp_path / "f", columns)
    assert_read(tmp_path / "f")


@pytest.mark.parametrize("kind", PIXEL_NAMES)
@pytest.mark.parametrize("place", [0, 4])
def test_names_of_pixels(tmp_path, kind, place):
    columns = pixel_columns(kind)
    columns.insert(place, ("label", LABELS))
    write(tmp_path / "f", columns)
    assert_read(tmp_path / "f")


@pytest.mark.parametrize("index", INDEX_NAMES)
@pytest.mark.parametrize("place", [0, 1, 3, 5])
def test_an_index_is_dropped_unread(tmp_path, index, place):
    columns = [("label", LABELS), *pixel_columns()]
    columns.insert(place, (index, ["59999", "-1", "0.5", "img_1.png", "", "nan", "'é", "7"]))
    write(tmp_path / "f", columns)
    assert_read(tmp_path / "f")


@pytest.mark.parametrize("kind", ["pixel0", "0", "no numbers"])
def test_the_nameless_index_of_pandas(tmp_path, kind):
    write(tmp_path / "f", [("", range(8)), ("Unnamed: 0", range(8)), ("label", LABELS), *pixel_columns(kind)])
    assert_read(tmp_path / "f")


def test_an_index_on_each_side(tmp_path):
    write(tmp_path / "f", [("index", range(300, 308)), ("label", LABELS), *pixel_columns(), ("id", "abcdefgh")])
    assert_read(tmp_path / "f")


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("class_{}", range(10)),
        ("y{}", range(10)),
        ("label {}", range(1, 27)),
        ("{}", range(10)),
        ("digit-{}", range(256)),
    ],
)
@pytest.mark.parametrize("after", [True, False])
def test_one_hot_labels(tmp_path, name, classes, after):
    labels = np.array([classes[0], classes[-1], 4, 1, 9, 2, 1, 3])
    hot, pixels = one_hot_columns(classes, name, labels), pixel_columns()
    write(tmp_path / "f", [("id", range(8)), *((*pixels, *hot) if after else (*hot, *pixels))])
    assert_read(tmp_path / "f", labels=labels)


@pytest.mark.parametrize(
    ("row", "message"),
    [([0, 0, 0], "[0, 0, 0]"), ([1, 0, 1], "[1, 0, 1]"), ([0, 2, 0], "[0, 2, 0]"), ([128, 128, 1], "[128, 128, 1]")],
)
def test_one_hot_labels_that_are_not(tmp_path, refused, row, message):
    hot = np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2, 0, 1]]
    hot[5] = row
    write(tmp_path / "f", pixel_columns() + [(f"class_{c}", column) for c, column in enumerate(hot.T.tolist())])
    refused(read_csv, tmp_path / "f", f"a single 1 in the 3 columns of one-hot labels, found {message}", offset=7)


def names(text: str) -> str:
    """A header and a row of ones."""
    return f"{text}\n{','.join('1' * (text.count(',') + 1))}\n"


PIXEL_LIST = ",".join(f"pixel{i}" for i in range(784))
AMBIGUOUS = {
    "two labels": ("label,class,pixel0,pixel1", "one column of labels, found columns named 'label', 'class'"),
    "a label and one-hot": ("label,pixel0,pixel1,pixel2,y0,y1", "found columns named 'y0', 'y1'"),
    "two one-hot": ("y0,y1,class0,class1", "expected columns of pixels"),
    "one-hot alone": ("class_0,class_1,class_2", "expected columns of pixels"),
    "label and one-hot alone": ("label,class_0,class_1,class_2", "expected columns of pixels"),
    "ids and label": ("ImageId,Label", "expected columns of pixels, found columns named 'ImageId', 'Label'"),
    "a strange first": ("foo," + PIXEL_LIST, "columns named label, index or as 'pixel0', found columns named 'foo'"),
    "a strange one beside a label": ("label,letter,0,1,2", "as '0', found columns named 'letter'"),
    "no name in between": ("label,pixel0,pixel1,,pixel3", "found columns named ''"),
    "no name at the end": ("label,pixel0,pixel1,", "found columns named ''"),
    "an unnamed column elsewhere": ("label,pixel0,pixel1,Unnamed: 3", "found columns named 'Unnamed: 3'"),
    "no label": ("a,b,c", "a column named label (or class, target, y or digit), found columns named 'a', 'b', 'c'"),
    "no label, numbered": (
        ",".join(f"V{i}" for i in range(1, 786)),
        "found columns named 'V1', 'V2', 'V3' and 782 more",
    ),
    "counted": (",".join(map(str, range(785))), "a column named label (or class, target, y or digit), found"),
    "counted and quoted": (",".join(f'"{i}"' for i in range(785)), "a column named label"),
    "counted from 1": (",".join(map(str, range(1, 11))), "columns named '1', '2', '3' and 7 more"),
    "counted after an index": ("," + ",".join(map(str, range(785))), "found columns named '', '0', '1' and 783 more"),
    "out of order": (
        "label,pixel0,pixel2,pixel1",
        "the order of their numbers, found columns named 'pixel2', 'pixel1'",
    ),
    "by columns": ("label,1x1,2x1,1x2,2x2", "the order of their numbers, found columns named '2x1', '1x2'"),
    "twice": ("label,pixel0,pixel0", "the order of their numbers, found columns named 'pixel0', 'pixel0'"),
    "classes out of order": ("pixel0,pixel1,y1,y0", "the order of their numbers, found columns named 'y1', 'y0'"),
    "class 256": ("pixel0,pixel1,y255,y256", "classes from 0 to 255, found columns named 'y256'"),
    "numbers of a row made names": ("label,0,0.1,0.2,0.3", "found columns named '0'"),
    "an old Mac's end of line": ("label,pixel0\r1", "names or numbers separated by commas, found new-line character"),
    "counted, with spaces": (", ".join(map(str, range(785))), "columns named '0', '1', '2' and 782 more"),
    "a strange one beside a single pixel": ("foo,pixel0", "found columns named 'foo'"),
    "two numbers a class": ("pixel0,pixel1,class_0_1,class_0_2", "found columns named 'class_0_1', 'class_0_2'"),
    "long names": ("x" * 5000 + ",pixel0,pixel1", f"found columns named '{'x' * 30}'"),
}


@pytest.mark.parametrize("header", AMBIGUOUS)
def test_names_that_leave_it_open(tmp_path, refused, header):
    text, message = AMBIGUOUS[header]
    (tmp_path / "f").write_text(names(text))
    error = refused(read_csv, tmp_path / "f", message, offset=1)
    assert len(str(error)) < len(str(tmp_path)) + 200
    refused(lambda path: read_csv(path, labels=False), tmp_path / "f", message, offset=1)


def test_an_open_quote(tmp_path, refused):
    (tmp_path / "f").write_text(names('label,"a,b'))
    refused(read_csv, tmp_path / "f", "2 fields, as in line 1, found 3", offset=2)


def test_a_row_of_small_numbers_that_count_is_data(tmp_path):
    (tmp_path / "f").write_text("0,1,2,3\n1,2,3,4\n")
    assert_read(tmp_path / "f", np.array([[1, 2, 3], [2, 3, 4]]), np.array([0, 1]))


# No labels

UNLABELLED = {
    "Kaggle's test.csv": (PIXEL_LIST, 0),
    "an index": ("id," + PIXEL_LIST, 1),
    "one column of many": ("pixel3,pixel7,pixel9", 0),
    "places": (",".join(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29)), 0),
    "places of no square": (",".join(f"row{i}col{j}" for i in range(2) for j in range(3)), 0),
    "counted": (",".join(map(str, range(784))), 0),
    "an index, counted": ("," + ",".join(map(str, range(784))), 1),
    "R's names": (",".join(f"V{i}" for i in range(1, 785)), 0),
    "no header": (None, 0),
}


@pytest.mark.parametrize("kind", UNLABELLED)
def test_pixels_without_labels(tmp_path, refused, kind):
    header, indices = UNLABELLED[kind]
    width = 784 if header is None else header.count(",") + 1 - indices
    pixels = RNG.integers(0, 256, (3, width)).astype(np.uint8)
    lines = ["".join(["1000,"] * indices) + ",".join(map(str, row)) for row in pixels.tolist()]
    (tmp_path / "f").write_text("\n".join([header, *lines] if header else lines))
    found = "images of 28 x 28 = 784 pixels" if width == 784 else f"{width} columns of pixels"
    refused(read_csv, tmp_path / "f", f"expected a column of labels, found {found} without labels", offset=1)
    images = read_csv(tmp_path / "f", labels=False)
    np.testing.assert_array_equal(images, pixels, strict=True)
    assert images.flags.c_contiguous
    assert csv_file.read_csv_rows(tmp_path / "f")[1] is None


# Without a header


@pytest.fixture(scope="module")
def mnist():
    return load_mnist()[1]


def write_rows(path, *parts: object) -> None:
    np.savetxt(path, np.column_stack(parts), fmt="%d", delimiter=",")


@pytest.mark.quick
@pytest.mark.parametrize("rows", [slice(1), slice(2), slice(2, 3), slice(3, 4), slice(9), slice(10), slice(200)])
def test_the_label_is_first(tmp_path, mnist, rows):
    X, y = mnist[0][rows], mnist[1][rows]
    write_rows(tmp_path / "f", y, X)
    assert_read(tmp_path / "f", X, y)


def test_letters_and_single_classes_are_labels(tmp_path, mnist):
    X, y = mnist[0][:120], mnist[1][:120]
    for labels in (np.arange(120) % 47, np.arange(120) % 26 + 1, np.full(120, 0), np.full(120, 7), y == 1, 255 - y):
        write_rows(tmp_path / "f", labels, X)
        assert_read(tmp_path / "f", X, labels)
    write_rows(tmp_path / "f", np.arange(1, 27), X[:26])  # an image of each letter
    assert_read(tmp_path / "f", X[:26], np.arange(1, 27))


@pytest.mark.parametrize(("side", "size"), [(1, 10), (2, 10), (3, 10), (7, 60)])
def test_few_columns_are_a_table_whatever_their_number(tmp_path, side, size):
    pixels = RNG.integers(0, 256, (size, side * side - 1 or 1))
    labels = np.arange(size) % 3
    write_rows(tmp_path / "f", labels, pixels)
    assert_read(tmp_path / "f", pixels, labels)


def test_labels_of_a_table_may_count(tmp_path):
    pixels = RNG.integers(0, 256, (256, 3))
    write_rows(tmp_path / "f", np.arange(256), pixels)
    assert_read(tmp_path / "f", pixels, np.arange(256))
    row = RNG.integers(0, 256, (1, 66))
    write_rows(tmp_path / "f", row)
    assert_read(tmp_path / "f", row[:, 1:], row[:, 0])


def test_a_label_that_seems_to_be_last(tmp_path, refused, mnist):
    X, y = mnist[0][:200], mnist[1][:200]
    faint = X.copy()
    faint[:, 0] = np.arange(200) % 17
    photos = RNG.integers(0, 256, (200, 1024))
    sixteen = np.minimum(RNG.integers(0, 200, (200, 16)), 100)  # as pen positions are
    for pixels, labels in (
        (X, y),
        (X, y + 17),
        (faint, y),
        (photos, y),
        (photos, y % 2),
        (photos, y + 20),
        (sixteen, y),
        (X[:10], y[:10]),
        (X[:2], y[:2]),
        (X[:1], y[:1]),
    ):
        write_rows(tmp_path / "f", pixels, labels)
        found = f"found {pixels.shape[1] + 1} columns without names, of which the first has values "
        refused(read_csv, tmp_path / "f", "or a header that names the columns", found, "and the last, as labels would")
        header = ",".join(f"pixel{i}" for i in range(pixels.shape[1])) + ",label\n"
        (tmp_path / "f").write_text(header + (tmp_path / "f").read_text())
        assert_read(tmp_path / "f", pixels, labels)


@pytest.mark.parametrize("classes", [2, 10, 47, 62])
@pytest.mark.parametrize("first", [True, False])
def test_one_hot_labels_without_names(tmp_path, refused, mnist, classes, first):
    X, hot = mnist[0][:9], np.eye(classes, dtype=int)[np.arange(9) % classes]
    write_rows(tmp_path / "f", *((hot, X) if first else (X, hot)))
    where = "first" if first else "last"
    found = f"{784 + classes} columns without names, 28 x 28 pixels and, as the {where} {classes}, one-hot labels"
    refused(read_csv, tmp_path / "f", found, offset=1)


@pytest.mark.parametrize("start", [0, 1, 30])
def test_row_numbers_without_names(tmp_path, refused, mnist, start):
    X, y = mnist[0][:300], mnist[1][:300]
    for rows, parts in ((2, (y, X)), (10, (y, X)), (200, (y, X)), (63, (X,)), (200, (X,))):
        write_rows(tmp_path / "f", np.arange(rows) + start, *(part[:rows] for part in parts))
        refused(read_csv, tmp_path / "f", "columns without names, of which the first numbers the rows", offset=1)
    write_rows(tmp_path / "f", np.arange(300) + start, y, X)
    refused(read_csv, tmp_path / "f", "a label, an integer from 0 to 255, in field 1, found '256'", offset=257 - start)


# Properties


@settings(deadline=None)
@given(st.data())
def test_columns_at_random_places(fuzz_path, data):
    draw = data.draw
    rows, width = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    pixels, labels = rng.integers(0, 256, (rows, width)), rng.integers(0, 256, rows)
    columns = [(f"pixel{i}", column) for i, column in enumerate(pixels.T.tolist())]
    ids = st.text(st.characters(exclude_characters=',\r\n"', codec="utf-8"), max_size=6) | st.integers().map(str)
    for name in draw(st.lists(st.sampled_from(INDEX_NAMES), max_size=3)):
        values = draw(st.lists(ids, min_size=rows, max_size=rows))
        columns.insert(draw(st.integers(0, len(columns))), (name, values))
    columns.insert(draw(st.integers(0, len(columns))), (draw(st.sampled_from(LABEL_NAMES)), labels))
    text = text_of(columns) + draw(st.sampled_from(["", "\n"]))
    content = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()
    fuzz_path.write_bytes(draw(st.sampled_from([bytes, gzip.compress, b"\xef\xbb\xbf".__add__]))(content))
    assert_read(fuzz_path, pixels, labels)


@settings(deadline=None)
@given(
    st.permutations(["id", "index", "label", "pixel0", "pixel1"]),
    st.integers(0, 2),
    st.sampled_from([-1, 1]),
    st.data(),
)
def test_an_index_hides_no_line_of_another_length(fuzz_path, columns, line, change, data):
    header = ",".join(columns).replace("index,", "index," * data.draw(st.integers(0, 1)))
    assume(header.index("pixel0") < header.index("pixel1"))
    lines = [["1"] * (header.count(",") + 1) for _ in range(3)]
    lines[line] = ["1"] * (len(lines[0]) + change)
    fuzz_path.write_text("\n".join([header, *map(",".join, lines)]))
    with pytest.raises(FileFormatError, match=f"line {line + 2}: expected {header.count(',') + 1} fields"):
        read_csv(fuzz_path)


NAMES = [
    "label",
    "class",
    "y",
    "id",
    "Unnamed: 0",
    "pixel0",
    "pixel1",
    "p",
    "0",
    "1",
    "1x1",
    "1x2",
    "class_0",
    "class_1",
]
ODD = ["", "nan", "1e5", '"a', 'b"', '""', "0.1", "#", "é", "٣", "y99999999999", " ", "\0", "\r"]


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(NAMES + ODD), min_size=1, max_size=9).map(lambda words: ",".join(words).encode())
    | st.text(alphabet='labely0123456789x,"_. \r', max_size=40).map(str.encode)
)
def test_fuzz_headers(fuzz_path, header):
    """Any first line before rows of ones, as many as it has commas or names, is read or refused, never else."""
    for fields in {header.count(b",") + 1, max(1, header.count(b","))}:
        fuzz_path.write_bytes(header + b"\n" + b",".join([b"1"] * fields) + b"\n")
        for labels in (True, False):
            try:
                read = read_csv(fuzz_path, labels=labels)
            except FileFormatError:
                continue
            images = read[0] if labels else read
            assert images.shape[1] < fields + (not labels)
            assert images[-1].tolist() == [1] * images.shape[1]


# The same through all that read CSV


def test_load_mnist_and_load_csv_go_by_the_names(tmp_path, tiny, assert_same_sets):
    for name, (X, y) in zip(("mnist_train.csv", "mnist_test.csv"), tiny, strict=True):
        pixels = [(f"pixel{i + 1}", column) for i, column in enumerate(X.T.tolist())]
        write(tmp_path / name, [("", range(len(X))), *pixels, ("class", y)])
        inputs, targets = rashid.load_csv(tmp_path / name)
        assert (inputs == X / 255.0 * 0.99 + 0.01).all()
        assert (targets.argmax(axis=1) == y).all()
    assert_same_sets(load_mnist(tmp_path), tiny)


@pytest.mark.parametrize("read", [rashid.load_csv, lambda path: load_mnist(path.parent)])
def test_load_mnist_and_load_csv_take_digits_alone(tmp_path, refused, read):
    images = pixel_columns("pixel0", np.zeros((8, 784), int))
    for name in ("mnist_train.csv", "mnist_test.csv"):
        write(tmp_path / name, [*images, ("label", [0, 1, 2, 9, 10, 3, 4, 5])])
    error = refused(read, tmp_path / "mnist_train.csv", "a label, an integer from 0 to 9, found 10", offset=6)
    assert error.path == str(tmp_path / "mnist_train.csv")
    hot = one_hot_columns(range(11), "class_{}", np.arange(8) + 3)
    write(tmp_path / "mnist_train.csv", [*images, *hot])
    refused(read, tmp_path / "mnist_train.csv", "a label, an integer from 0 to 9, found 10", offset=9)
    np.savetxt(tmp_path / "mnist_train.csv", np.column_stack([np.arange(8) + 3, np.zeros((8, 784))]), "%d", ",")
    refused(read, tmp_path / "mnist_train.csv", "a label, an integer from 0 to 9, found 10", offset=8)
    write(tmp_path / "mnist_train.csv", images)
    refused(read, tmp_path / "mnist_train.csv", "images of 28 x 28 = 784 pixels without labels", offset=1)


@pytest.mark.parametrize("header", ["x,y,color", "x,y,z"])
def test_y_beside_x_and_others_is_a_place(tmp_path, header, refused):
    (tmp_path / "f").write_text(f"{header}\n" + "1,2,0\n"[: 2 * len(header.split(",")) - 1] + "\n")
    refused(
        read_csv, tmp_path / "f", "expected a column named label, class, target or digit, found columns named", offset=1
    )


def test_rows_beside_columns_are_numbers(tmp_path):
    (tmp_path / "f").write_text("row,col,label\n3,4,1\n5,6,0\n")
    X, y = read_csv(tmp_path / "f")
    assert (X.tolist(), y.tolist()) == ([[3, 4], [5, 6]], [1, 0])
