"""What the two data sets of texts share: lists of numbers that stand for words, and which of them to keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....errors import InvalidArgumentError

Texts = list[list[int]]
Split = tuple[NDArray[Any], NDArray[Any]]


class Choice(NamedTuple):
    """Keras' arguments.

    ``start_char`` stands before each text, whose words' numbers are raised by ``index_from``. Texts of ``maxlen``
    words or more are left out. ``oov_char``, or nothing if None, stands for words from ``num_words`` on, by default
    the largest number there is, and for those below ``skip_top``.
    """

    num_words: int | None
    skip_top: int
    maxlen: int | None
    start_char: int | None
    oov_char: int | None
    index_from: int


def shuffled(texts: NDArray[Any], labels: NDArray[Any], rng: np.random.RandomState) -> Split:
    """Texts and labels in one new order."""
    order = np.arange(len(texts))
    rng.shuffle(order)
    return texts[order], labels[order]


def numbered(texts: Iterable[list[int]], choice: Choice) -> Texts:
    """The texts with their first number, and their words' numbers raised."""
    start = [] if choice.start_char is None else [choice.start_char]
    return [start + [word + choice.index_from for word in text] for text in texts]


def short(texts: Texts, labels: Iterable[Any], choice: Choice) -> tuple[Texts, list[Any]]:
    """The texts below ``maxlen``, if that is set, and their labels."""
    if not choice.maxlen:
        return texts, list(labels)
    kept = [(text, label) for text, label in zip(texts, labels, strict=True) if len(text) < choice.maxlen]
    if not kept:
        raise InvalidArgumentError("maxlen", "more words than some text has", choice.maxlen)
    return [text for text, _ in kept], [label for _, label in kept]


def frequent(texts: Texts, choice: Choice) -> Texts:
    """The texts with other words than those from ``skip_top`` to below ``num_words`` replaced or left out."""
    least, other = choice.skip_top, choice.oov_char
    end = choice.num_words or max(max(text, default=0) for text in texts)
    if other is None:
        return [[word for word in text if least <= word < end] for text in texts]
    return [[word if least <= word < end else other for word in text] for text in texts]
