"""Data sets, as ``keras.datasets`` has them: MNIST is embedded, others are read from the files that Keras keeps.

Those are looked for in ``~/.keras/datasets``, or below ``KERAS_HOME``. Where there is none, the error says which file
to put where: nothing is downloaded, and no pickle in a file is executed.
"""

from ..subset import outside
from . import boston_housing as boston_housing
from . import california_housing as california_housing
from . import cifar10 as cifar10
from . import cifar100 as cifar100
from . import fashion_mnist as fashion_mnist
from . import imdb as imdb
from . import mnist as mnist
from . import reuters as reuters

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]

__getattr__ = outside(__name__, __all__)
