"""Exact nearest neighbours."""

from .index import Neighbors
from .select_k import Scores, cross_validate_k
from .votes import vote

__all__ = ["Neighbors", "Scores", "cross_validate_k", "vote"]
