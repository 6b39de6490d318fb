"""Tensor files: safetensors whose metadata holds a configuration and a SHA-256; written whole or not at all.

A file is an 8-byte little-endian header length, a JSON header padded with spaces, and the tensors' bytes
(https://github.com/huggingface/safetensors, "Format"). Of all the files that format allows, this reader takes only
those that fastnn or the safetensors library writes: compact JSON, shortest padding, tensors without gaps. So no byte
can change unnoticed: one in the header changes what it says, or breaks its form; one in the tensors changes the digest.

What a configuration says, and which tensors go with it, is the :class:`Form`'s business.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..errors import FastnnError, FileFormatError, access_error
from ..kernels.spec import FloatArray
from .atomic import StrPath, check_path, write_atomically

FORMAT_VERSION = "1"
METADATA = "__metadata__"
METADATA_KEYS = ("config", "format_version", "sha256")
DTYPE_CODES = {"float32": "F32", "float64": "F64"}

LENGTH_BYTES = 8
HEADER_ALIGNMENT = 8  # of the tensors' first byte
MAX_HEADER_BYTES = 1 << 20  # parsing JSON takes several times its size; a layer takes about 130 bytes

# What is no model is named in the error: by its first bytes, by its characters, or as safetensors of someone else's.
PICTURE_FORMATS = {
    b"\x89PNG\r\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture or another RIFF file",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"BM": "a BMP picture",
}
PICTURES = frozenset(PICTURE_FORMATS.values())
OTHER_FORMATS = {
    **PICTURE_FORMATS,
    b"PK\x03\x04": "a zip file, as Keras' own .keras, NumPy's .npz and PyTorch's .pt are",
    b"\x89HDF": "an HDF5 file, as Keras' .h5 is",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"\x1f\x8b": "a gzip file",
    b"\0\0\x08\1": "an IDX file, as MNIST's labels are",
    b"\0\0\x08\3": "an IDX file, as MNIST's images are",
    **{b"\x80" + bytes([protocol]): "a pickle" for protocol in range(2, 6)},
}
OTHER_MODEL = "a safetensors file of another program"
SAMPLE_BYTES = 1 << 14  # of a text, to tell its kind; two rows of MNIST as CSV are at most half of it

Config = dict[str, Any]


class Tensor(NamedTuple):
    """A tensor that a configuration asks for."""

    name: str
    shape: tuple[int, ...]


class Form(NamedTuple):
    """A kind of model: what its configuration holds and which tensors that asks for, in the order of the digest."""

    what: str  # "a fastnn model"
    # Of the configuration's values, key by key; one is "dtype", that of the tensors.
    types: Mapping[str, type | tuple[type, ...]]
    check: Callable[[Config], None]  # raises FastnnError for values from which ``tensors`` cannot be told
    tensors: Callable[[Config], list[Tensor]]
    optional: Mapping[str, type] = MappingProxyType({})  # of the values that may follow those of ``types``


def write(path: StrPath, form: Form, config: Config, arrays: Mapping[str, FloatArray]) -> None:
    """Write a configuration and its tensors, replacing what was there only once the new file is safely on disk.

    Raises FastnnError if the file cannot be written; whatever happens leaves the old file or the new one, and nothing
    else.
    """
    check_path(path)
    little_endian = np.dtype(config["dtype"]).newbyteorder("<")
    tensors = form.tensors(config)
    data = {t.name: np.ascontiguousarray(arrays[t.name], little_endian).data.cast("B") for t in tensors}
    metadata = {"format_version": FORMAT_VERSION, "config": json.dumps(config, separators=(",", ":"))}
    metadata["sha256"] = _digest(metadata, tensors, data)

    header: dict[str, object] = {METADATA: metadata}
    end = 0
    for name, shape in tensors:
        start, end = end, end + len(data[name])
        header[name] = {"dtype": DTYPE_CODES[config["dtype"]], "shape": shape, "data_offsets": [start, end]}
    text = _pad(_compact(header).encode())
    if len(text) > MAX_HEADER_BYTES:
        raise FastnnError(
            f"{os.fspath(path)}: expected a header of at most {MAX_HEADER_BYTES} bytes, found {len(text)}"
        )
    length = len(text).to_bytes(LENGTH_BYTES, "little")
    write_atomically(path, [length, text, *data.values()])


def read(path: StrPath, form: Form) -> tuple[Config, dict[str, FloatArray]]:
    """The configuration and the tensors that :func:`write` wrote.

    Raises FileFormatError, naming file, offset, expected and found, for a file that is missing, damaged in any bit,
    cut short or of another form.
    """
    check_path(path)
    header, payload = _read(path, form.what)
    entries = _parse_header(path, form.what, header)
    config = _parse_metadata(path, form, entries)
    tensors = form.tensors(config)
    data = _locate(path, len(header), entries, config["dtype"], tensors, payload)
    metadata = entries[METADATA]
    found = _digest({key: value for key, value in metadata.items() if key != "sha256"}, tensors, data)
    if metadata["sha256"] != found:
        offset = LENGTH_BYTES + header.find(metadata["sha256"].encode())
        raise FileFormatError(path, offset, f"SHA-256 {metadata['sha256']!r} of an intact file", repr(found))
    little_endian = np.dtype(config["dtype"]).newbyteorder("<")
    return config, {t.name: np.frombuffer(data[t.name], little_endian).reshape(t.shape) for t in tensors}


def layer_tensors(sizes: Sequence[int], bias: bool | Sequence[bool], prefix: str = "") -> list[Tensor]:
    """A network's weights (inputs, outputs) and, of layers with ``bias``, biases (outputs,), layer by layer."""
    biased = [bias] * (len(sizes) - 1) if isinstance(bias, bool) else bias
    tensors = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        tensors.append(Tensor(f"{prefix}weights.{layer}", (fan_in, fan_out)))
        if biased[layer]:
            tensors.append(Tensor(f"{prefix}biases.{layer}", (fan_out,)))
    return tensors


def layer_arrays(
    weights: Sequence[FloatArray], biases: Sequence[FloatArray | None], prefix: str = ""
) -> dict[str, FloatArray]:
    """The arrays of :func:`layer_tensors` by name."""
    arrays = {f"{prefix}weights.{layer}": array for layer, array in enumerate(weights)}
    return arrays | {f"{prefix}biases.{layer}": array for layer, array in enumerate(biases) if array is not None}


def unusable(path: StrPath, error: FastnnError) -> FileFormatError:
    """The error for a configuration that is whole but means nothing to this version."""
    return FileFormatError(path, LENGTH_BYTES, "a configuration of this fastnn", error)


def _compact(value: object) -> str:
    """JSON exactly as the safetensors library writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _pad(text: bytes) -> bytes:
    return text + b" " * (-len(text) % HEADER_ALIGNMENT)


def _digest(metadata: dict[str, str], tensors: list[Tensor], data: Mapping[str, memoryview]) -> str:
    """SHA-256 of the metadata (without "sha256") as JSON, then of the tensors' bytes in the order of the form.

    The configuration in the metadata gives every tensor's name, dtype and shape; in which order a writer laid metadata
    and tensors out does not matter.
    """
    hasher = hashlib.sha256(json.dumps(metadata, separators=(",", ":"), sort_keys=True).encode())
    for name, _ in tensors:
        hasher.update(data[name])
    return hasher.hexdigest()


def _read(path: StrPath, what: str) -> tuple[bytes, memoryview]:
    """The header's bytes and the tensors' bytes; nothing is allocated that the file's real length does not bear out.

    ``what`` a file should hold, such as "a fastnn model", is for the errors.
    """
    try:
        with open(path, "rb", opener=open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileFormatError(path, 0, "a regular file", "a folder, device or pipe")
            return _read_parts(path, what, file, status.st_size)
    except FileFormatError:
        raise
    except OSError as error:
        raise access_error(path, error) from error
    except ValueError as error:  # a NUL character in the path
        raise FileFormatError(path, 0, "a readable model file", error) from error


def open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a pipe would wait for its writer


def _read_parts(path: StrPath, what: str, file: io.BufferedReader, size: int) -> tuple[bytes, memoryview]:
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    limit = min(size - LENGTH_BYTES, MAX_HEADER_BYTES)
    if length > limit:
        file.seek(0)
        if found := _other_format(file.read(SAMPLE_BYTES), size):
            raise FileFormatError(path, 0, what, found)
        if size < LENGTH_BYTES:
            expected, found = f"{LENGTH_BYTES} bytes, the header's length", f"the end after {size} bytes"
            raise FileFormatError(path, size, expected, found)
        raise FileFormatError(path, 0, f"a header of at most {limit} bytes in this file", f"a length of {length}")
    header = file.read(length)
    payload = bytearray(size - LENGTH_BYTES - length)
    if len(header) != length or file.readinto(payload) != len(payload):
        raise FileFormatError(path, file.tell(), f"a file of {size} bytes", "its end: it shrank while being read")
    return header, memoryview(payload)


def _other_format(start: bytes, size: int) -> str | None:
    """What a file of ``size`` bytes that does not start as a model is, where its first bytes tell."""
    if not size:
        return "an empty file"
    if start[LENGTH_BYTES:].startswith(b'{"') and int.from_bytes(start[:LENGTH_BYTES], "little") < size:
        return OTHER_MODEL  # its header is too long for any of ours
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)  # which may end within a character
        is_text = all(character >= " " or character in "\t\n\r\f" for character in text)
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        return next((name for magic, name in OTHER_FORMATS.items() if start.startswith(magic)), None)
    if text.lstrip().startswith(("{", "[")):
        return "JSON text"
    first, second, *_ = [*text.splitlines(), "", ""]
    is_csv = any(0 < first.count(separator) == second.count(separator) for separator in ",;\t")
    return "CSV text" if is_csv else "plain text"


def _parse_header(path: StrPath, what: str, header: bytes) -> dict[str, Any]:
    try:
        text = header.decode("ascii")  # as every name and value of ours is written
        entries = json.loads(text)
    except UnicodeDecodeError as error:
        raise FileFormatError(path, LENGTH_BYTES + error.start, "ASCII", f"byte 0x{header[error.start]:02x}") from None
    except json.JSONDecodeError as error:
        raise FileFormatError(path, LENGTH_BYTES + error.pos, "a JSON header", error.msg) from None
    except (RecursionError, ValueError) as error:  # nested too deeply; an integer of thousands of digits
        raise FileFormatError(path, LENGTH_BYTES, "a JSON header of a model", type(error).__name__) from None
    if _is_anothers(entries):
        raise FileFormatError(path, LENGTH_BYTES, what, OTHER_MODEL)
    if not isinstance(entries, dict) or not isinstance(entries.get(METADATA), dict):
        raise FileFormatError(path, LENGTH_BYTES, f"a JSON object with {METADATA}", _shorten(text))
    canonical = _pad(_compact(entries).encode("utf-8", "surrogatepass"))
    if canonical != header:  # other spacing, escapes, padding, or a key given twice
        pairs = zip(canonical, header, strict=False)
        offset = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(canonical), len(header)))
        expected = f"compact JSON, {_shorten(repr(canonical[offset : offset + 20]))}"
        raise FileFormatError(path, LENGTH_BYTES + offset, expected, _shorten(repr(header[offset : offset + 20])))
    return entries


def _is_anothers(entries: object) -> bool:
    """Whether a header describes tensors, and holds nothing of what this module adds to them."""
    if not isinstance(entries, dict):
        return False
    metadata = entries.get(METADATA, {})
    ours = isinstance(metadata, dict) and metadata.keys() & set(METADATA_KEYS)
    tensors = [entry for name, entry in entries.items() if name != METADATA]
    return not ours and bool(tensors) and all(isinstance(t, dict) and "data_offsets" in t for t in tensors)


def _parse_metadata(path: StrPath, form: Form, entries: dict[str, Any]) -> Config:
    """Return the configuration, with every field's type checked, and as much of the values as the tensors need."""

    def fault(expected: str, found: object) -> NoReturn:
        raise FileFormatError(path, LENGTH_BYTES, expected, _shorten(str(found)))

    metadata = entries[METADATA]
    if sorted(metadata) != sorted(METADATA_KEYS):
        fault(f"metadata {', '.join(METADATA_KEYS)}, as in {form.what}", ", ".join(metadata) or "none")
    if not all(isinstance(value, str) for value in metadata.values()):
        fault("metadata that are strings", metadata)
    if metadata["format_version"] != FORMAT_VERSION:
        fault(f"format version {FORMAT_VERSION}", metadata["format_version"])
    try:
        config = json.loads(metadata["config"])
    except (RecursionError, ValueError) as error:
        fault("a configuration in JSON", error)
    if not isinstance(config, dict) or list(config) != [*form.types, *(key for key in form.optional if key in config)]:
        fault(f"a configuration of {', '.join(form.types)}, as in {form.what}", metadata["config"])
    for key, kind in {**form.types, **form.optional}.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if key in config and type(config[key]) not in kinds:
            fault(f"configuration {key!r} of type {' or '.join(k.__name__ for k in kinds)}", config[key])
    if config["dtype"] not in DTYPE_CODES:
        fault(f"configuration 'dtype' {' or '.join(DTYPE_CODES)}", config["dtype"])
    try:
        form.check(config)
    except FastnnError as error:
        fault("a configuration of usable values", error)
    return config


def _locate(
    path: StrPath,
    header_length: int,
    entries: dict[str, Any],
    dtype: str,
    tensors: list[Tensor],
    payload: memoryview,
) -> dict[str, memoryview]:
    """The bytes of each tensor of the configuration, which together are the payload without gap or overlap."""
    names = sorted(name for name, _ in tensors)
    if sorted(entries.keys() - {METADATA}) != names:
        found = ", ".join(sorted(entries.keys() - {METADATA}))
        raise FileFormatError(path, LENGTH_BYTES, _shorten(f"tensors {', '.join(names)}"), _shorten(found))
    spans = []
    for name, shape in tensors:
        entry = entries[name]
        wanted = {"dtype": DTYPE_CODES[dtype], "shape": list(shape)}
        described = {k: v for k, v in entry.items() if k != "data_offsets"} if isinstance(entry, dict) else entry
        # compared as text: in Python 784.0 == 784 and True == 1
        if json.dumps(described, sort_keys=True) != json.dumps(wanted, sort_keys=True):
            raise FileFormatError(path, LENGTH_BYTES, f"tensor {name} with {wanted}", _shorten(str(described)))
        span = entry.get("data_offsets")
        size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object))
        if not (isinstance(span, list) and [type(x) for x in span] == [int, int] and span[1] - span[0] == size):
            raise FileFormatError(path, LENGTH_BYTES, f"two data_offsets of {name}, {size} apart", _shorten(str(span)))
        spans.append((span[0], span[1], name))
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise FileFormatError(path, LENGTH_BYTES, f"tensor {name} at data offset {end}", start)
        end = stop
    if end != len(payload):
        offset = LENGTH_BYTES + header_length + min(end, len(payload))
        raise FileFormatError(path, offset, f"{end} bytes of tensors", f"{len(payload)} bytes")
    return {name: payload[start:stop] for start, stop, name in spans}


def _shorten(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."
