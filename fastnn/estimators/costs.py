"""About how many microseconds of one thread a search takes in scikit-learn and in fastnn.

Whether fastnn searches depends on these estimates and not on a clock. Their constants were set by hand, so that the
estimates hold to about a fifth for calls as those of benchmarks/sweep_sklearn.py, on a Zen 4 with AVX-512; the sweep
names the calls for which they are wrong.
"""

from __future__ import annotations

from typing import NamedTuple

# By how much fastnn must be faster by the estimates.
LEAST_GAIN = 1.2

# A tree looks at about 2^m leaves, where m is the dimension of what the rows fill near the query.
TREE_QUERY, TREE_LEAF, TREE_GROWTH, TREE_ROWS = 1.5, 1.0, 0.6, 1e5
# scikit-learn's brute force: what a call takes, reading a number of the rows once, a pair, a product of a pair (by
# GEMM), and a difference of a pair, where the metric wants these.
BRUTE_CALL, BRUTE_READ, BRUTE_PAIR, BRUTE_PRODUCT, BRUTE_DIFFERENCE = 200.0, 0.001, 0.0026, 45e-6, 0.00075
# fastnn without codes: a call, reading a number of 8 bytes once, a query, a pair, a product; products of float32 take
# half of it, and those of bytes this share.
SCAN_CALL, SCAN_READ, SCAN_QUERY, SCAN_PAIR, SCAN_PRODUCT, SHARE_OF_BYTES = 260.0, 0.002, 1.2, 0.00022, 45e-6, 0.05
# fastnn with codes, which there are from so many rows: making them for a row and for a number of it, a pair, a product.
# Bytes take this share of numbers and products.
CODED_ROWS, CODE_ROW, CODE_NUMBER, CODED_PAIR, CODED_PRODUCT, CODED_SHARE = 5000, 0.3, 0.017, 0.0003, 7e-6, 0.17


class Costs(NamedTuple):
    """Of searches among so many rows."""

    rows: int
    columns: int
    itemsize: int
    are_bytes: bool  # or numbers that are searched as bytes

    def scan_query(self) -> float:
        """A query that fastnn compares with all rows."""
        return SCAN_QUERY + self.rows * (SCAN_PAIR + self.columns * SCAN_PRODUCT * self._share())

    def scan(self, queries: int) -> float:
        """A search without codes."""
        reading = SCAN_READ * self.rows * self.columns * self._share()
        return SCAN_CALL + max(reading, queries * self.scan_query())

    def codes(self) -> float:
        """Making the codes."""
        return self.rows * (CODE_ROW + self._coded_columns() * CODE_NUMBER)

    def coded(self, queries: int) -> float:
        """A search with codes that there are."""
        pair = CODED_PAIR + self._coded_columns() * CODED_PRODUCT
        return SCAN_CALL + queries * (SCAN_QUERY + self.rows * pair)

    def _share(self) -> float:
        """What a number costs, of that of 8 bytes."""
        return SHARE_OF_BYTES if self.are_bytes else self.itemsize / 8

    def _coded_columns(self) -> float:
        return self.columns * (CODED_SHARE if self.are_bytes else 1.0)

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
