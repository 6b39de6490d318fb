"""Texts as words, numbers and rows of an array, as ``keras.preprocessing.text`` has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import checks
from ....errors import InvalidArgumentError
from ..subset import outside, refuse

__all__ = ["Tokenizer", "text_to_word_sequence"]

__getattr__ = outside(__name__, __all__)

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(
    input_text: str, filters: str = PUNCTUATION, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text, without the characters of ``filters``."""
    text = input_text.lower() if lower else input_text
    return [word for word in text.translate({ord(character): split for character in filters}).split(split) if word]


class Tokenizer:
    """Numbers words from 1 on, the most frequent first.

    Parameters
    ----------
    num_words : only numbers less than this come out; None: all.
    filters, lower, split : as :func:`text_to_word_sequence` takes them.
    char_level : characters are the words.
    oov_token : a word in place of those that have no number, with the number 1; by default they are left out.
    analyzer : a function that gives the words of a text.

    Attributes
    ----------
    word_index, index_word : the number of each word, and the word of each number.
    word_counts, word_docs : how often each word has occurred, and in how many texts.
    index_docs : in how many texts each number has occurred.
    document_count : the number of texts.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = PUNCTUATION,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Sequence[str]] | None = None,
        **options: Any,
    ) -> None:
        if "nb_words" in options:  # Keras 1
            num_words = options.pop("nb_words")
        refuse("Tokenizer", options, document_count=0)
        self.num_words = None if num_words is None else checks.integer("num_words", num_words, low=1)
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts: Counter[str] = Counter()
        self.word_docs: Counter[str] = Counter()
        self.index_docs: Counter[int] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}
        self.document_count = 0

    def fit_on_texts(self, texts: Iterable[str | Sequence[str]]) -> None:
        """Count the words of the texts, each a string or the words themselves, and number all."""
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            self.word_counts.update(words)
            self.word_docs.update(set(words))
        frequent = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        numbered = frequent if self.oov_token is None else [self.oov_token, *frequent]
        self.word_index = {word: number for number, word in enumerate(numbered, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs.update({self.word_index[word]: count for word, count in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Iterable[Sequence[int]]) -> None:
        """Count in how many sequences each number occurs, which the mode "tfidf" asks for."""
        for sequence in sequences:
            self.document_count += 1
            self.index_docs.update(set(sequence))

    def texts_to_sequences(self, texts: Iterable[str | Sequence[str]]) -> list[list[int]]:
        """The numbers of each text's words."""
        instead = None if self.oov_token is None else self.word_index.get(self.oov_token)
        numbers = ([self._number(word, instead) for word in self._words(text)] for text in texts)
        return [[number for number in row if number is not None] for row in numbers]

    def sequences_to_texts(self, sequences: Iterable[Sequence[int]]) -> list[str]:
        """The words of each sequence's numbers, with spaces between them."""
        texts = ([self._word(number) for number in sequence] for sequence in sequences)
        return [" ".join(word for word in words if word is not None) for words in texts]

    def texts_to_matrix(self, texts: Iterable[str | Sequence[str]], mode: str = "binary") -> NDArray[np.float64]:
        """:meth:`sequences_to_matrix` of :meth:`texts_to_sequences`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> NDArray[np.float64]:
        """An array (len(sequences), num_words), with a column for each number.

        ``mode`` says what an element is of a number that the sequence has c times among n: 1 ("binary"), c ("count"),
        c / n ("freq") or (1 + log c) log(1 + documents / (1 + those with the number)) ("tfidf").
        """
        checks.choice("mode", mode, _MODES)
        width = self.num_words or (len(self.word_index) + 1 if self.word_index else None)
        if width is None:
            raise InvalidArgumentError("num_words", "a width, or fit_on_texts before", "neither")
        if mode == "tfidf" and not self.document_count:
            raise InvalidArgumentError("mode", "fit_on_texts or fit_on_sequences before 'tfidf'", "neither")
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in Counter(sequence).items():
                if number < width:
                    row[number] = self._weight(mode, number, count, len(sequence))
        return matrix

    def _weight(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "binary":
            return 1.0
        if mode == "count":
            return count
        if mode == "freq":
            return count / length
        rarity = np.log(1 + self.document_count / (1 + self.index_docs[number]))
        return float((1 + np.log(count)) * rarity)

    def _words(self, text: str | Sequence[str]) -> Sequence[str]:
        if self.char_level or not isinstance(text, str):
            return [word.lower() for word in text] if self.lower else list(text)
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _number(self, word: str, instead: int | None) -> int | None:
        number = self.word_index.get(word)
        is_within = number is not None and not (self.num_words and number >= self.num_words)
        return number if is_within else instead

    def _word(self, number: int) -> str | None:
        is_within = number in self.index_word and not (self.num_words and number >= self.num_words)
        return self.index_word[number] if is_within else self.oov_token
