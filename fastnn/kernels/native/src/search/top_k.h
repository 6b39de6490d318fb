/* The best rows of a query, where "better" is a less value or, of equal values, a less index: how they are inserted,
   selected and sorted. */
#ifndef FNN_SEARCH_TOP_K_H
#define FNN_SEARCH_TOP_K_H

#include "../simd/target.h"

#define SHORT_RUN 12 /* rows that are sorted by insertion */

INLINE int is_better(double value, int64_t index, double than_value, int64_t than_index) {
    return (value < than_value) | ((value == than_value) & (index < than_index));
}

/* Puts a row in its place among `count` sorted ones; the worse ones move on by a place. */
static void insert_row(double *values, int64_t *indices, int64_t count, double value, int64_t index) {
    for (; count > 0 && is_better(value, index, values[count - 1], indices[count - 1]); count--)
        values[count] = values[count - 1], indices[count] = indices[count - 1];
    values[count] = value;
    indices[count] = index;
}

INLINE void swap_rows(double *values, int64_t *indices, int64_t a, int64_t b) {
    const double value = values[a];
    const int64_t index = indices[a];
    values[a] = values[b], indices[a] = indices[b];
    values[b] = value, indices[b] = index;
}

/* One of `count` places; which it is follows no pattern that rows may have. */
INLINE int64_t some_place(int64_t count, uint32_t factor) {
    return (int64_t)((uint64_t)((uint32_t)count * factor) * (uint64_t)count >> 32);
}

/* Brings the rows that are better than a certain one before it and the others behind it; returns its place. That one is
   the median of three. No branch depends on the order of the rows, which no processor could predict. */
static int64_t split_rows(double *values, int64_t *indices, int64_t count) {
    int64_t low = some_place(count, 0x9e3779b1), middle = some_place(count, 0x85ebca77), better = 0;
    const int64_t high = some_place(count, 0xc2b2ae3d);
    if (is_better(values[middle], indices[middle], values[low], indices[low])) {
        const int64_t other = low;
        low = middle;
        middle = other;
    }
    if (is_better(values[high], indices[high], values[middle], indices[middle]))
        middle = is_better(values[high], indices[high], values[low], indices[low]) ? low : high;
    swap_rows(values, indices, 0, middle);
    for (int64_t i = 1; i < count; i++) {
        const int is_one = is_better(values[i], indices[i], values[0], indices[0]);
        swap_rows(values, indices, i, better + 1);
        better += is_one;
    }
    swap_rows(values, indices, 0, better);
    return better;
}

/* Brings the row that would be at `place` if all were sorted there, and the better ones before it (quickselect). */
static void select_row(double *values, int64_t *indices, int64_t count, int64_t place) {
    while (count > 1) {
        const int64_t split = split_rows(values, indices, count);
        if (split >= place) count = split;
        if (split > place) continue;
        if (split == place) return;
        values += split + 1, indices += split + 1;
        count -= split + 1, place -= split + 1;
    }
}

/* Sorts rows (quicksort). */
static void sort_rows(double *values, int64_t *indices, int64_t count) {
    while (count > SHORT_RUN) {
        const int64_t split = split_rows(values, indices, count), rest = count - split - 1;
        if (split < rest) { /* the recursion takes the shorter part, and so is never deep */
            sort_rows(values, indices, split);
            values += split + 1, indices += split + 1;
            count = rest;
        } else {
            sort_rows(values + split + 1, indices + split + 1, rest);
            count = split;
        }
    }
    for (int64_t i = 1; i < count; i++) insert_row(values, indices, i, values[i], indices[i]);
}

/* Sorts the `count` rows that there are for k places; the other places get the index -1. */
static void finish_list(double *values, int64_t *indices, int64_t count, int64_t k) {
    sort_rows(values, indices, count);
    for (int64_t i = count; i < k; i++) values[i] = INFINITY, indices[i] = -1;
}

#endif
