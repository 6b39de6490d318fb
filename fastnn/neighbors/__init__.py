"""Exact nearest neighbours."""

from .index import Neighbors, cross_validate_k, vote

__all__ = ["Neighbors", "cross_validate_k", "vote"]
