"""Exact nearest neighbours."""

from .index import Neighbors, Scores, cross_validate_k, vote

__all__ = ["Neighbors", "Scores", "cross_validate_k", "vote"]
