"""fastnn.dropin.keras.preprocessing: figures by hand, as Keras' Tokenizer and pad_sequences give them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastnn.dropin.keras.preprocessing.sequence import pad_sequences
from fastnn.dropin.keras.preprocessing.text import Tokenizer, text_to_word_sequence
from fastnn.errors import InvalidArgumentError

TEXTS = ["The cat sat; the cat ate.", "A dog sat!"]


def test_words_have_no_punctuation():
    assert text_to_word_sequence(TEXTS[0]) == ["the", "cat", "sat", "the", "cat", "ate"]
    assert text_to_word_sequence("A-b", filters="", lower=False) == ["A-b"]


def test_the_most_frequent_words_have_the_least_numbers():
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.word_index == {"the": 1, "cat": 2, "sat": 3, "ate": 4, "a": 5, "dog": 6}
    assert tokenizer.document_count == 2
    assert tokenizer.texts_to_sequences(["the bird ate", ["DOG"]]) == [[1, 4], [6]]
    assert tokenizer.sequences_to_texts([[1, 6, 99]]) == ["the dog"]


def test_other_words_have_a_number_of_their_own_if_asked_for():
    tokenizer = Tokenizer(num_words=4, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.texts_to_sequences(["the bird sat"]) == [[2, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 9]]) == ["the ?"]


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("binary", [0, 1, 1]),
        ("count", [0, 2, 1]),
        ("freq", [0, 0.5, 0.25]),
        ("tfidf", [0, (1 + math.log(2)) * math.log(1 + 2 / 2), math.log(1 + 2 / 2)]),
    ],
)
def test_a_row_has_a_column_for_each_number(mode, row):
    tokenizer = Tokenizer(nb_words=3)
    tokenizer.fit_on_sequences([[1, 2], [7]])
    np.testing.assert_allclose(tokenizer.sequences_to_matrix([[1, 1, 2, 9]], mode=mode), [row])


def test_sequences_are_padded_and_cut_at_either_end():
    rows = [[1], [2, 3, 4], []]
    np.testing.assert_array_equal(pad_sequences(rows), [[0, 0, 1], [2, 3, 4], [0, 0, 0]])
    np.testing.assert_array_equal(pad_sequences(rows, 2, padding="post", value=-1), [[1, -1], [3, 4], [-1, -1]])
    np.testing.assert_array_equal(pad_sequences(rows, maxlen=2, truncating="post"), [[0, 1], [2, 3], [0, 0]])
    assert pad_sequences(rows, dtype="float64").dtype == np.float64


def test_what_is_wrong_is_named():
    with pytest.raises(InvalidArgumentError, match="num_words"):
        Tokenizer().sequences_to_matrix([[1]])
    with pytest.raises(InvalidArgumentError, match="mode"):
        Tokenizer(4).sequences_to_matrix([[1]], mode="tfidf")
    with pytest.raises(InvalidArgumentError, match="padding"):
        pad_sequences([[1]], padding="left")
