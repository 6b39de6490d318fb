"""``keras.preprocessing`` of Keras 1 and 2: words as numbers, and rows of equal length. Images are outside."""

from ..subset import outside
from . import sequence as sequence
from . import text as text

__all__ = ["sequence", "text"]

__getattr__ = outside(__name__, __all__)
