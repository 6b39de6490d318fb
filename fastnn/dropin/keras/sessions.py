"""Graphs, sessions and their settings, which programs of TensorFlow 1 set up around Keras: here they do nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from .subset import unsupported


class Settings:
    """Settings of devices and threads, such as ``ConfigProto``: whatever is set is kept and has no effect."""

    def __init__(self, **options: object) -> None:
        vars(self).update(options)

    def __getattr__(self, name: str) -> Settings:
        if name.startswith("_"):
            raise AttributeError(name)
        return vars(self).setdefault(name, Settings())


class Graph:
    """The one graph that programs ask for; ``with graph.as_default():`` runs what is in it."""

    def as_default(self) -> Self:
        return self

    def finalize(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let errors pass."""


class Session(Graph):
    """A session to be set: there is nothing to run in it but initializers."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Settings | None = None) -> None:
        self.graph, self._config = graph or default_graph(), config

    def run(self, fetches: Any, feed_dict: object = None, **options: object) -> None:
        """Do nothing for what :func:`initializer` returned; raise UnsupportedError for all else."""
        if fetches is not None:
            raise unsupported("tf.Session.run")

    def close(self) -> None: ...


_graph = Graph()


def default_graph() -> Graph:
    """The one graph."""
    return _graph


def initializer(*names: object) -> None:
    """What initializes variables in a session: nothing, as a model draws its weights when it is built."""


def ignored(*values: object, **options: object) -> None:
    """A setting that has no effect here, as everything runs at once, on the CPU."""
