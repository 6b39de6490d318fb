/* The k best rows of every query of a block, where "better" is a less value or, of equal values, a less index.

   Few are kept sorted, and each new one is inserted. Of many the new ones wait in a buffer, and when it is full the
   best of all are selected (quickselect). scan.h pushes what it finds; a query's rows are sorted at the end. */
#ifndef FNN_SEARCH_TOP_K_H
#define FNN_SEARCH_TOP_K_H

#include "../simd/target.h"

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
    while (count > MOST_INSERTED) {
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
static void finish_rows(double *values, int64_t *indices, int64_t count, int64_t k) {
    sort_rows(values, indices, count);
    for (int64_t i = count; i < k; i++) values[i] = INFINITY, indices[i] = -1;
}

/* Of a block's queries. */
typedef struct {
    int64_t k, room;         /* rows of a query: the best so far; and in the buffer, at least as good as the k-th */
    double *values;          /* (queries, k), the k-th best last; sorted if there is no buffer */
    int64_t *indices;        /* (queries, k) */
    double *buffer_values;   /* (queries, room) */
    int64_t *buffer_indices; /* (queries, room) */
    int64_t *count;          /* (queries) how many there are of both */
    double *all_values;      /* (k + room) of one query, from which the best are selected */
    int64_t *all_indices;    /* (k + room) */
    double *threshold; /* (queries) no row of a greater value is wanted; once there are k, that of their worst */
} top_k;

/* Begins with no rows, to be written to values and indices (queries, k); the thresholds stay. */
static void begin_top_k(top_k *best, int64_t queries, int64_t k, int64_t room, double *values, int64_t *indices) {
    best->k = k;
    best->room = room;
    best->values = values;
    best->indices = indices;
    memset(best->count, 0, queries * sizeof *best->count);
}

/* Leaves the k best of a query's rows, of which there are as many at least, with their worst in the last place. */
static void select_best(top_k *best, int64_t query) {
    const int64_t k = best->k, room = best->room, count = best->count[query];
    double *values = best->values + query * k, *all_values = best->all_values;
    int64_t *indices = best->indices + query * k, *all_indices = best->all_indices;
    if (count > k) {
        memcpy(all_values, values, k * sizeof *values);
        memcpy(all_indices, indices, k * sizeof *indices);
        memcpy(all_values + k, best->buffer_values + query * room, (count - k) * sizeof *values);
        memcpy(all_indices + k, best->buffer_indices + query * room, (count - k) * sizeof *indices);
        select_row(all_values, all_indices, count, k - 1);
        memcpy(values, all_values, k * sizeof *values);
        memcpy(indices, all_indices, k * sizeof *indices);
    } else {
        select_row(values, indices, k, k - 1);
    }
    best->count[query] = k;
    best->threshold[query] = values[k - 1];
}

/* Takes a row in if it is better than the worst of k; is the threshold another one now? */
INLINE int push(top_k *best, int64_t query, double value, int64_t index) {
    if (!(value <= best->threshold[query])) return 0;
    const int64_t k = best->k, room = best->room, count = best->count[query], waiting = count - k;
    double *values = best->values + query * k;
    int64_t *indices = best->indices + query * k;
    if (waiting >= 0 && !is_better(value, index, values[k - 1], indices[k - 1])) return 0;
    if (room == 0) {
        insert_row(values, indices, waiting < 0 ? count : k - 1, value, index);
        if (waiting < 0) best->count[query] = count + 1;
        if (waiting < -1) return 0;
        best->threshold[query] = values[k - 1];
        return 1;
    }
    values = waiting < 0 ? values + count : best->buffer_values + query * room + waiting;
    indices = waiting < 0 ? indices + count : best->buffer_indices + query * room + waiting;
    *values = value;
    *indices = index;
    best->count[query] = count + 1;
    if (waiting + 1 != 0 && waiting + 1 != room) return 0;
    select_best(best, query);
    return 1;
}

#endif
