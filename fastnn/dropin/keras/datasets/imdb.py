"""Reviews of films and whether they are good, from Keras' files."""

from __future__ import annotations

import numpy as np

from ....datasets.npz import read_npz_arrays
from . import words
from .cache import TENSORFLOW, cached, read_json

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    *,
    nb_words: int | None = None,
) -> tuple[words.Split, words.Split]:
    """(x_train, y_train), (x_test, y_test): arrays (n,) of lists of words' numbers, and of labels, 1 if good.

    The arguments are those of :class:`~fastnn.dropin.keras.datasets.words.Choice`; ``nb_words`` is Keras 1's for
    ``num_words``.
    """
    choice = words.Choice(num_words or nb_words, skip_top, maxlen, start_char, oov_char, index_from)
    names = ["x_train", "y_train", "x_test", "y_test"]
    arrays = read_npz_arrays(cached(path, f"{TENSORFLOW}imdb.npz"), names)
    rng = np.random.RandomState(seed)
    parts = []
    for texts, labels in (arrays[:2], arrays[2:]):
        texts, labels = words.shuffled(texts, labels, rng)
        parts.append(words.short(words.numbered(texts, choice), labels, choice))
    (x_train, y_train), (x_test, y_test) = parts
    kept, count = words.frequent(x_train + x_test, choice), len(x_train)
    train, test = np.array(kept[:count], object), np.array(kept[count:], object)
    return (train, np.array(y_train)), (test, np.array(y_test))


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The numbers by word, before ``index_from`` is added."""
    index: dict[str, int] = read_json(cached(path, f"{TENSORFLOW}imdb_word_index.json"))
    return index
