"""Model files: round trips, the safetensors library as the judge of the format, and every kind of damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fastnn
from fastnn.errors import FastnnError, FileFormatError, InvalidTypeError
from fastnn.io import atomic as files


@pytest.fixture(autouse=True)
def _numpy_backend():
    with fastnn.use("numpy"):
        yield


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def split(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: object, payload: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + payload


def signed(config: dict, tensors: dict[str, np.ndarray]) -> dict[str, str]:
    """Metadata that a forger could write: a digest, computed as documented, of any configuration."""
    metadata = {"config": json.dumps(config, separators=(",", ":")), "format_version": "1"}
    text = json.dumps(metadata, separators=(",", ":"), sort_keys=True).encode()
    order = sorted(tensors, key=lambda name: (int(name.split(".")[1]), name[0] == "b"))
    return metadata | {"sha256": hashlib.sha256(text + b"".join(tensors[n].tobytes() for n in order)).hexdigest()}


MODELS = [
    {"sizes": [784, 30, 10]},
    {"sizes": [3, 5, 4, 2], "activation": ["relu", "tanh"], "dtype": "float64", "init": "he"},
    {"sizes": [4, 1], "loss": "quadratic", "bias": False},
    {"sizes": [2, 17, 3], "output": "identity", "activation": "leaky_relu", "init": "normal"},
    {"sizes": [2, 3, 2], "output": "softmax", "loss": "quadratic", "dtype": "float64"},
]


@pytest.mark.quick
@pytest.mark.parametrize("options", MODELS)
def test_loaded_model_is_the_saved_one(tmp_path, options):
    model = fastnn.MLP(seed=3, **options)
    rows = np.random.default_rng(0).normal(size=(20, model.sizes[0]))
    model.save(tmp_path / "model")
    loaded = fastnn.load(str(tmp_path / "model"))
    for name in ("sizes", "activations", "loss", "init", "dtype"):
        assert getattr(loaded, name) == getattr(model, name)
    assert bits(loaded.params) == bits(model.params)
    assert bits(loaded.forward(rows)) == bits(model.forward(rows))
    assert len(loaded.biases) == len(model.biases)


def test_special_values_and_a_fresh_generator(tmp_path):
    model = fastnn.MLP([2, 3], seed=1)
    model.weights[0][:] = [[np.nan, -0.0, np.inf], [1e-45, -np.inf, 0.1]]
    model.save(tmp_path / "model")
    first, second = fastnn.load(tmp_path / "model"), fastnn.load(tmp_path / "model")
    assert bits(first.params) == bits(model.params)
    assert first.rng.random() != second.rng.random()


def test_loaded_model_trains(tmp_path):
    model = fastnn.MLP([2, 8, 2], seed=1)
    model.save(tmp_path / "model")
    rows = np.random.default_rng(0).normal(size=(50, 2))
    labels = (rows[:, 0] > 0).astype(int)
    histories = [m.fit(rows, labels, epochs=3, shuffle=False).loss for m in (model, fastnn.load(tmp_path / "model"))]
    assert histories[0] == histories[1]


def test_safetensors_reads_our_file(tmp_path):
    model = fastnn.MLP([7, 5, 3], seed=1)
    model.save(tmp_path / "model")
    with safetensors.safe_open(tmp_path / "model", "np") as file:
        assert set(file.keys()) == {"weights.0", "biases.0", "weights.1", "biases.1"}
        for layer in range(2):
            assert bits(file.get_tensor(f"weights.{layer}")) == bits(model.weights[layer])
            assert bits(file.get_tensor(f"biases.{layer}")) == bits(model.biases[layer])
        metadata = file.metadata()
    assert json.loads(metadata["config"]) == {
        "sizes": [7, 5, 3],
        "activations": ["sigmoid", "softmax"],
        "loss": "cross_entropy",
        "init": "glorot",
        "bias": True,
        "dtype": "float32",
    }
    assert (
        metadata["sha256"]
        == signed(json.loads(metadata["config"]), safetensors.numpy.load_file(tmp_path / "model"))["sha256"]
    )


@pytest.mark.parametrize("options", MODELS)
def test_we_read_what_safetensors_writes(tmp_path, options):
    model = fastnn.MLP(seed=1, **options)
    model.save(tmp_path / "ours")
    with safetensors.safe_open(tmp_path / "ours", "np") as file:
        names, metadata = file.keys(), file.metadata()  # an open file is no iterable
        tensors = {name: file.get_tensor(name) for name in names}
    safetensors.numpy.save_file(tensors, tmp_path / "theirs", metadata)
    assert bits(fastnn.load(tmp_path / "theirs").params) == bits(model.params)


def test_every_flipped_bit_and_every_truncation_is_refused(tmp_path):
    path = tmp_path / "model"
    fastnn.MLP([2, 2], seed=1).save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert data[8 : 8 + length].endswith(b" ")  # padding is tried too
    for position in range(len(data)):
        for bit in range(8):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :])
            with pytest.raises(FileFormatError) as caught:
                fastnn.load(path)
            assert str(path) in str(caught.value)
            assert 0 <= caught.value.offset <= len(data)
            assert caught.value.expected
            assert str(caught.value.found)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(FileFormatError):
            fastnn.load(path)
    for more in (b"\0", b" ", data):
        path.write_bytes(data + more)
        with pytest.raises(FileFormatError):
            fastnn.load(path)


@given(st.data())
def test_damage_of_any_kind_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    fastnn.MLP([2, 2], seed=1).save(path)
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(len(good), start + 40)))
    bad = good[:start] + data.draw(st.binary(max_size=40)) + good[stop:]
    path.write_bytes(bad)
    if bad == good:
        fastnn.load(path)
    else:
        with pytest.raises(FileFormatError):
            fastnn.load(path)


@given(st.binary(max_size=200))
def test_any_header_is_refused_in_words(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "header"
    path.write_bytes(join(text, b""))
    with pytest.raises(FileFormatError):
        fastnn.load(path)


@pytest.mark.parametrize("claim", [2**63, 2**40, 10**6])
def test_a_huge_header_length_allocates_nothing(tmp_path, claim):
    path = tmp_path / "model"
    fastnn.MLP([2, 2]).save(path)
    path.write_bytes(claim.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(FileFormatError, match="a header of at most"):
        fastnn.load(path)


def test_huge_sizes_allocate_nothing(tmp_path):
    config = {"sizes": [10**6, 10**6], "activations": ["softmax"], "loss": "cross_entropy"}
    config |= {"init": "glorot", "bias": False, "dtype": "float32"}
    entry = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    path = tmp_path / "model"
    path.write_bytes(join({"__metadata__": signed(config, {}), "weights.0": entry}, b"1234"))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match="4000000000000 bytes of tensors, found 4 bytes"):
            fastnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"[]", "JSON object with __metadata__"),
        (b"{}", "JSON object with __metadata__"),
        (b'{"__metadata__":{}}', "as in a fastnn model, found none"),
        (
            b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
            "of another program",
        ),
        (b'{"__metadata__":{"config":1,"format_version":"1","sha256":""}}', "strings"),
        (b'{"__metadata__":{"config":"{}","format_version":"2","sha256":""}}', "format version 1, found 2"),
        (b'{"__metadata__":{"config":"{","format_version":"1","sha256":""}}', "a configuration in JSON"),
        (b'{"__metadata__":{"config":"{}","format_version":"1","sha256":""}}', "a configuration of sizes"),
        (b'{"__metadata__": {}}', "compact JSON"),
        (b'{"__metadata__":{},"__metadata__":{}}', "compact JSON"),
        (b'{"__metadata__":{"\\u0061":""}}', "compact JSON"),
        (b'{"__metadata__":{"a":"\\ud800"}}', "compact JSON"),
        (b'{"__metadata__":{"\xff', "ASCII"),
        (NESTED, "RecursionError"),
        (b"1" * 10_000, "ValueError"),
        (b"\x80\x04}", "ASCII"),  # a pickle
    ],
    ids=range(16),
)
def test_faults_of_the_header(tmp_path, header, match):
    path = tmp_path / "model"
    path.write_bytes(join(header, b""))
    with pytest.raises(FileFormatError, match=match):
        fastnn.load(path)


CONFIG = {
    "sizes": [2, 2],
    "activations": ["softmax"],
    "loss": "cross_entropy",
    "init": "glorot",
    "bias": False,
    "dtype": "float32",
}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sizes": [2]}, "usable values, found sizes: expected at least"),
        ({"sizes": [2, -2]}, r"usable values, found sizes\[1\]"),
        ({"sizes": [2, 2.0]}, r"usable values, found sizes\[1\]"),
        ({"sizes": "22"}, "'sizes' of type list"),
        ({"activations": []}, "one name per layer"),
        ({"activations": [None]}, "one name per layer"),
        ({"activations": ["swish"]}, "a configuration of this fastnn"),
        ({"loss": "hinge"}, "a configuration of this fastnn"),
        ({"bias": 0}, "'bias' of type bool"),
        ({"dtype": "float16"}, "'dtype'"),
    ],
)
def test_forged_configurations(tmp_path, change, match):
    tensors = {"weights.0": np.zeros((2, 2), np.float32)}
    safetensors.numpy.save_file(tensors, tmp_path / "good", signed(CONFIG, tensors))
    fastnn.load(tmp_path / "good")
    safetensors.numpy.save_file(tensors, tmp_path / "bad", signed(CONFIG | change, tensors))
    with pytest.raises(FileFormatError, match=match):
        fastnn.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"dtype": "F64"}, "tensor weights.0 with"),
        ({"shape": [4]}, "tensor weights.0 with"),
        ({"shape": [2.0, 2]}, "tensor weights.0 with"),
        ({"more": 1}, "tensor weights.0 with"),
        ({"data_offsets": [0, 12]}, "16 apart"),
        ({"data_offsets": [0.0, 16]}, "16 apart"),
        ({"data_offsets": [False, 16]}, "16 apart"),
        ({"data_offsets": [-16, 0]}, "at data offset 0"),
        ({"data_offsets": [16, 32]}, "at data offset 0"),
        ({"data_offsets": None}, "16 apart"),
    ],
)
def test_forged_tensors(tmp_path, entry, match):
    tensors = {"weights.0": np.zeros((2, 2), np.float32)}
    good = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    header = {"__metadata__": signed(CONFIG, tensors), "weights.0": good}
    (tmp_path / "good").write_bytes(join(header, bytes(16)))
    fastnn.load(tmp_path / "good")
    (tmp_path / "bad").write_bytes(join(header | {"weights.0": good | entry}, bytes(16)))
    with pytest.raises(FileFormatError, match=match):
        fastnn.load(tmp_path / "bad")
    (tmp_path / "bad").write_bytes(join({**header, "weights.1": good}, bytes(16)))
    with pytest.raises(FileFormatError, match=r"tensors weights\.0, found weights\.0, weights\.1"):
        fastnn.load(tmp_path / "bad")


def test_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, match in (
        ("missing", "missing: there is no such file"),
        (".", "is a directory"),
        ("pipe", "byte 0: expected a regular file"),
        ("no\0name", "byte 0: expected a readable model file"),
    ):
        with pytest.raises(FileFormatError, match=match):
            fastnn.load(str(tmp_path) + "/" + name)
    for wrong in (3, None, b"model", Path):
        with pytest.raises(InvalidTypeError, match="path: expected a str"):
            fastnn.load(wrong)
        with pytest.raises(InvalidTypeError, match="path: expected a str"):
            fastnn.MLP([2, 2]).save(wrong)


def saved(save, *arguments, **options) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arguments, **options)
    return buffer.getvalue()


def picture(kind: str) -> bytes:
    return saved(Image.new("L", (28, 28)).save, kind)


ARRAY = np.zeros((2, 2), np.float32)
OTHERS = {
    "PNG": (picture("PNG"), "a PNG picture"),
    "JPEG": (picture("JPEG"), "a JPEG picture"),
    "GIF": (picture("GIF"), "a GIF picture"),
    "BMP": (picture("BMP"), "a BMP picture"),
    "TIFF": (picture("TIFF"), "a TIFF picture"),
    "WebP": (picture("WEBP"), "a WebP picture or another RIFF file"),
    "CSV": (b"5,0,0,255\r\n0,0,0,0\r\n", "CSV text"),
    "TSV": ("\ufefflabel\tgröße\n".encode() + b"1\t2\n" * 5000, "CSV text"),
    "JSON": (b'\n{"sizes": [784, 30, 10]}', "JSON text"),
    "JSON list": (b"[]", "JSON text"),
    "text": (b"Please find the model attached, B\xc3\xa4rbel", "plain text"),
    "short text": (b"model\n", "plain text"),
    "text that is cut within a character": (b"x" * (2**14 - 1) + "é".encode() * 10, "plain text"),
    "BM": (b"BMW is a maker of cars", "plain text"),
    "empty": (b"", "an empty file"),
    "npz": (saved(np.savez, x=ARRAY), "a zip file, as Keras' own .keras, NumPy's .npz and PyTorch's .pt are"),
    "npy": (saved(np.save, ARRAY), "a NumPy array (.npy)"),
    "pickle": (pickle.dumps({"weights": [1.0]}), "a pickle"),
    "old pickle": (pickle.dumps([1.0] * 9, protocol=2), "a pickle"),
    "gzip": (gzip.compress(b"x" * 100), "a gzip file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras' .h5 is"),
    "images": (
        bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 9, 9, 9]),
        "an IDX file, as MNIST's images are",
    ),
    "labels": (bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7]), "an IDX file, as MNIST's labels are"),
    "safetensors": (safetensors.numpy.save({"w": ARRAY}), "a safetensors file of another program"),
    "PyTorch's safetensors": (
        safetensors.numpy.save({"w": ARRAY}, {"format": "pt"}),
        "a safetensors file of another program",
    ),
    "a large model's safetensors": (
        safetensors.numpy.save({f"layers.{i:0999}": ARRAY[:0] for i in range(1100)}),
        "a safetensors file of another program",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_model_is_named(tmp_path, name):
    content, found = OTHERS[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        fastnn.load(path)
    error = caught.value
    assert (error.path, error.expected, error.found) == (str(path), "a fastnn model", found)
    assert str(error) == f"{path}, byte {error.offset}: expected a fastnn model, found {found}"


def test_what_nobody_knows_is_no_model_either(tmp_path):
    path = tmp_path / "file"
    for content, found in (
        (b"\xfe\xdc" * 50, "a length of"),
        (b"\xfe", "the end after 1 bytes"),
        (bytes(99), "Expecting"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=f"file, byte .*found {found}"):
            fastnn.load(path)


def test_too_many_layers_are_refused_by_save(tmp_path):
    with pytest.raises(FastnnError, match="expected a header of at most 1048576 bytes, found"):
        fastnn.MLP([1] * 9001, output="identity").save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, mode):
    script = f"import os; os.umask({umask}); from fastnn.io import atomic; atomic.write_atomically('new', [b'x'])"
    root = str(Path(fastnn.__file__).parents[1])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": root})
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode


def test_an_old_file_keeps_its_permissions_and_links_stay(tmp_path):
    old, link = tmp_path / "old", tmp_path / "link"
    old.write_bytes(b"before")
    old.chmod(0o640)
    link.symlink_to("old")
    files.write_atomically(link, [b"af", memoryview(b"ter")])
    assert old.read_bytes() == b"after"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "old"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error):
    path = tmp_path / "model"
    fastnn.MLP([2, 2], seed=1).save(path)
    before = path.read_bytes()

    def fail(*_args):
        raise error

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises((FastnnError, KeyboardInterrupt)) as caught:
        fastnn.MLP([2, 2], seed=2).save(path)
    monkeypatch.undo()
    assert isinstance(caught.value, KeyboardInterrupt) or "No space left" in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_file_and_folder_are_synced_in_order(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def logged(*args, name=name, original=original):
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            done.append("fsync folder" if is_folder else name)
            return original(*args)

        monkeypatch.setattr(files.os, name, logged)
    files.write_atomically(tmp_path / "file", [b"x"])
    assert done == ["fsync", "replace", "fsync folder"]


def test_unusable_destinations(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    model = fastnn.MLP([2, 2])
    for name, match in [
        ("", "regular file"),
        ("no/model", "no: there is no such folder"),
        ("pipe", "regular file"),
        ("\0", "null byte"),
    ]:
        with pytest.raises(FastnnError, match=match):
            model.save(str(tmp_path) + "/" + name)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only_files_and_folders_are_left_alone(tmp_path, monkeypatch, what):
    path = tmp_path / "model"
    path.write_bytes(b"precious")
    protected = os.path.realpath(path if what == "file" else tmp_path)
    monkeypatch.setattr(os, "access", lambda name, mode: name != protected)  # root, too, may not write there
    with pytest.raises(PermissionError, match=f"no permission to write to this {what}") as caught:
        fastnn.MLP([2, 2]).save(path)
    assert isinstance(caught.value, FastnnError)
    assert path.read_bytes() == b"precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_the_command_core_needs_no_safetensors_package(tmp_path):
    fastnn.MLP([2, 2]).save(tmp_path / "model")
    script = "import sys; sys.modules['safetensors'] = None; import fastnn; fastnn.load('model')"
    root = str(Path(fastnn.__file__).parents[1])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": root})
