"""Newswires and what they are about, from Keras' files."""

from __future__ import annotations

import numpy as np

from .... import checks
from ....datasets.npz import read_npz_arrays
from . import words
from .cache import TENSORFLOW, cached, read_json

__all__ = ["get_label_names", "get_word_index", "load_data"]

TOPICS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass
    crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi
    iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead
"""


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    *,
    nb_words: int | None = None,
) -> tuple[words.Split, words.Split]:
    """(x_train, y_train), (x_test, y_test): arrays (n,) of lists of words' numbers, and of topics from 0 to 45.

    The last texts are for tests: a share ``test_split``. The other arguments are those of
    :class:`~fastnn.dropin.keras.datasets.words.Choice`; ``nb_words`` is Keras 1's for ``num_words``.
    """
    choice = words.Choice(num_words or nb_words, skip_top, maxlen, start_char, oov_char, index_from)
    share = checks.number("test_split", test_split, low=0, high=1)
    arrays = read_npz_arrays(cached(path, f"{TENSORFLOW}reuters.npz"), ["x", "y"])
    texts, labels = words.shuffled(arrays[0], arrays[1], np.random.RandomState(seed))
    kept, topics = words.short(words.numbered(texts, choice), labels, choice)
    kept, count = words.frequent(kept, choice), int(len(kept) * (1 - share))
    train, test = np.array(kept[:count], object), np.array(kept[count:], object)
    return (train, np.array(topics[:count])), (test, np.array(topics[count:]))


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The numbers by word, before ``index_from`` is added."""
    index: dict[str, int] = read_json(cached(path, f"{TENSORFLOW}reuters_word_index.json"))
    return index


def get_label_names() -> tuple[str, ...]:
    """The topics by number."""
    return tuple(TOPICS.split())
