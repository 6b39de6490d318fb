"""Keras programs for fully connected networks, trained by compiled kernels.

    from fastnn.dropin.keras import layers, models
    from fastnn.dropin.keras.datasets import mnist

runs a program written for ``from keras import layers, models``; one that says ``tf.keras`` runs with
``import fastnn.dropin.tensorflow as tf``. docs/keras.md lists what there is. Every other name that a Keras has, or had,
can be imported, and is one error that names it and the program's line when it is called or subclassed.

The numbers are Keras': from equal weights, without shuffling, the losses agree to rounding. Where Keras' backends
differ they are TensorFlow's: the binary cross-entropy of sigmoid outputs and the categorical one of softmax outputs are
computed from the inputs of those, and only other outputs are clipped to [1e-7, 1 - 1e-7], as JAX, NumPy and PyTorch
clip all of them. But the categorical one of sigmoid outputs divides them by their sum, as all other backends do, where
TensorFlow takes their inputs for those of a softmax. The weights of a new
model, the order of the samples and the masks of Dropout come from a random stream of fastnn's own, which
:func:`~fastnn.dropin.keras.utils.set_random_seed` starts and describes. Models compute in float32, as Keras does, or in
float64 after ``config.set_floatx("float64")``.

Where this differs on purpose: a loss that becomes NaN or infinite is an error, which keeps the last finite weights; a
bar that moves shows its figures when it is complete; files are Keras' where their names end in .keras or .h5, and else
fastnn's; arrays are NumPy's, also where Keras has tensors and variables; outputs that are given to a cross-entropy as
logits, but come from a softmax or sigmoid, are taken for probabilities, with a warning, as TensorFlow does; and for
targets that do not sum to 1 categorical_crossentropy goes down the slope of the loss it shows, where TensorFlow's goes
by outputs less targets.
"""

from . import activations as activations
from . import backend as backend
from . import callbacks as callbacks
from . import config as config
from . import datasets as datasets
from . import initializers as initializers
from . import layers as layers
from . import losses as losses
from . import metrics as metrics
from . import models as models
from . import optimizers as optimizers
from . import preprocessing as preprocessing
from . import regularizers as regularizers
from . import saving as saving
from . import utils as utils
from . import wrappers as wrappers
from .layers import Input as Input
from .layers import Layer as Layer
from .metrics import Metric as Metric
from .models import Model as Model
from .models import Sequential as Sequential
from .modules import complete_keras
from .subset import outside

__version__ = "3.15.1"  # of the Keras whose behaviour is followed

__all__ = [
    "Input",
    "Layer",
    "Metric",
    "Model",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "config",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "regularizers",
    "saving",
    "utils",
    "wrappers",
]

__getattr__ = outside(__name__, __all__)

complete_keras()
