"""Read pickle opcodes and their arguments from a stream, each no larger than what the stream can hold.

pickletools.genops does not do: it cannot decode the non-ASCII strings of Python 2's protocol 0, and copies long ones.
"""

from __future__ import annotations

import codecs
import pickletools
import re

from ..errors import FileFormatError
from .stream import CHUNK_BYTES, ByteStream

OPCODE_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
MAX_SHORT_LINE = 100  # integers, memo keys and names
MAX_STRING_LINE = 1 << 26  # protocol 0's text form of an array takes several times its size to decode

NUMBER = re.compile(rb"(-?[0-9]{1,19})L?")
STRING = re.compile(rb"""(['"])(.*)\1""", re.DOTALL)
INTEGERS = re.compile(rb"(?:K.|M..|J....)*", re.DOTALL)  # BININT1, BININT2, BININT
INTEGER = re.compile(rb"K.|M..|J....", re.DOTALL)
BAD_ESCAPE = re.compile(rb"""\\(?!['"nrt]|x[0-9a-fA-F]{2})""")


class PickleReader:
    """Reads opcodes and arguments; strings of every kind, bytes or latin-1 text, become bytearrays."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.opcode_offset = 0

    def next_opcode(self) -> str:
        self.opcode_offset = self._stream.offset
        code = self.integer(1)
        return OPCODE_NAMES.get(code, f"0x{code:02x}")

    def expect_end(self) -> None:
        self._stream.expect_end()

    def fault(self, expected: str, found: object) -> FileFormatError:
        """The error that says what was found at the last opcode."""
        return self._stream.fault(expected, found, self.opcode_offset)

    def line(self) -> bytes:
        return self._stream.read_line(MAX_SHORT_LINE, "a number or name")

    def integer(self, n_bytes: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._stream.read_exactly(n_bytes, "a pickle"), "little", signed=signed)

    def integers(self) -> list[int]:
        """The integers of the binary opcodes that follow, as far as the stream has them at hand."""
        codes: list[bytes] = INTEGER.findall(self._stream.read_matching(INTEGERS))
        return [
            code[1] if len(code) == 2 else int.from_bytes(code[1:], "little", signed=len(code) == 5) for code in codes
        ]

    def decimal(self) -> int:
        line = self.line()
        number = NUMBER.fullmatch(line)
        if not number:
            raise self.fault("a decimal integer", line)
        return int(number[1])

    def bytes(self, size: int) -> bytearray:
        return self._stream.read_exactly(size, "a byte string")

    def latin1(self, size: int) -> bytearray:
        """Text stored as UTF-8. Decoded in chunks: one wide character makes a whole str four times as large."""
        self._stream.check_claim(size, "text")
        decoder = codecs.getincrementaldecoder("utf-8")()
        text = bytearray()
        try:
            while size > 0:
                chunk = self.bytes(min(size, CHUNK_BYTES))
                size -= len(chunk)
                text += decoder.decode(chunk, final=size == 0).encode("latin-1")
        except UnicodeError as error:
            raise self.fault("UTF-8 text of latin-1 characters", error.__class__.__name__) from error
        return text

    def quoted_string(self) -> bytearray:
        """Python 2's repr of a str."""
        string = STRING.fullmatch(self._stream.read_line(MAX_STRING_LINE, "a string"))
        if not string or BAD_ESCAPE.search(string[2].replace(rb"\\", b"__")):
            raise self.fault("a quoted string with Python 2's escapes", "another")
        return bytearray(codecs.escape_decode(string[2])[0])
