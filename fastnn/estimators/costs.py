"""About how long a search takes in scikit-learn and in fastnn: its microseconds times the threads that there are.

Whether fastnn searches depends on these estimates and not on a clock. Their constants were set by hand, so that the
estimates hold to about a fifth for calls as those of benchmarks/sweep_sklearn.py, on a Zen 4 with AVX-512, but for
scikit-learn's differences, which take less on an Emerald Rapids; the sweep names the calls for which they are wrong.
"""

from __future__ import annotations

from typing import NamedTuple

# By how much fastnn must be faster by the estimates.
LEAST_GAIN = 1.2

# A tree looks at about 2^m leaves, where m is the dimension of what the rows fill near the query.
TREE_QUERY, TREE_LEAF, TREE_GROWTH, TREE_ROWS = 1.5, 1.0, 0.6, 1e5
# scikit-learn's brute force: what a call takes, reading a number of the rows once, a pair, a product of a pair (by
# GEMM), and a difference of a pair, where the metric wants these.
BRUTE_CALL, BRUTE_READ, BRUTE_PAIR, BRUTE_PRODUCT, BRUTE_DIFFERENCE = 200.0, 0.001, 0.0026, 45e-6, 0.00045
# fastnn without codes: a call, reading a number of 8 bytes once, a query, a pair, a product or a difference; those of
# float32 take half of it, and those of bytes this share.
SCAN_CALL, SCAN_READ, SCAN_QUERY, SCAN_PAIR, SHARE_OF_BYTES = 260.0, 0.0017, 1.2, 0.0002, 0.05
SCAN_PRODUCT, SCAN_DIFFERENCE = 38e-6, 90e-6
# Products of a search from which the kernels use more than one thread.
THREADED_PRODUCTS = 2e7
# fastnn with codes, which there are from so many rows: a pair, a product, of bytes this share of it.
CODED_ROWS, CODED_PAIR, CODED_PRODUCT, CODED_SHARE = 5000, 0.0003, 7e-6, 0.17
# What one thread does alone: making codes, with their axes, for a column and for a number, and the norm of a row for a
# number of it.
CODES_CALL, CODES_COLUMN, CODES_NUMBER, NORM_NUMBER = 4000.0, 200.0, 0.002, 0.0008


class Costs(NamedTuple):
    """Of searches among so many rows."""

    rows: int
    columns: int
    itemsize: int
    are_bytes: bool  # or numbers that are searched as bytes
    by_differences: bool  # fastnn's scan, and not by products
    threads: int

    def scan_query(self) -> float:
        """A query that fastnn compares with all rows."""
        number = SCAN_DIFFERENCE if self.by_differences else SCAN_PRODUCT
        return SCAN_QUERY + self.rows * (SCAN_PAIR + self.columns * number * self._share())

    def scan(self, queries: int) -> float:
        """A search without codes."""
        idle = self.threads if queries * self.rows * self.columns < THREADED_PRODUCTS else 1
        reading = SCAN_READ * self.rows * self.columns * self._share()
        return SCAN_CALL + idle * (reading + queries * self.scan_query())

    def codes(self) -> float:
        """Making the codes."""
        columns = self._coded_columns()
        return self.threads * (CODES_CALL + columns * (CODES_COLUMN + self.rows * CODES_NUMBER))

    def norms(self) -> float:
        """The norms of the rows, which tell how scikit-learn rounds."""
        return self.threads * NORM_NUMBER * self.rows * self.columns

    def _share(self) -> float:
        """What a number costs, of that of 8 bytes."""
        return SHARE_OF_BYTES if self.are_bytes else self.itemsize / 8

    def _coded_columns(self) -> float:
        return self.columns * (CODED_SHARE if self.are_bytes else 1.0)

    def coded(self, queries: int) -> float:
        """A search with codes that there are."""
        pair = CODED_PAIR + self._coded_columns() * CODED_PRODUCT
        return SCAN_CALL + queries * (SCAN_QUERY + self.rows * pair)

    def brute(self, queries: int, *, by_products: bool) -> float:
        """A search by scikit-learn's brute force."""
        pair = BRUTE_PAIR + self.columns * (BRUTE_PRODUCT if by_products else BRUTE_DIFFERENCE)
        return BRUTE_CALL + BRUTE_READ * self.rows * self.columns + queries * self.rows * pair

    def tree_query(self, dimension: float) -> float:
        """A query of scikit-learn's tree of rows that fill this dimension."""
        return TREE_QUERY + TREE_LEAF * 2.0**dimension * (self.rows / TREE_ROWS) ** TREE_GROWTH

    def tree(self, queries: int, dimension: float) -> float:
        """A search by scikit-learn's tree, whose calls cost no less than fastnn's."""
        return SCAN_CALL + queries * self.tree_query(dimension)
