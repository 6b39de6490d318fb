/* The k best rows of a query: a binary heap with the worst on top, where "worse" is a greater value or, of equal values,
   a greater index. Included once per instruction set. */

#define NOBODY INT64_MAX /* the index in places that no row has taken yet; their value is INFINITY */

INLINE int is_worse(double value, int64_t index, double than_value, int64_t than_index) {
    return value > than_value || (value == than_value && index > than_index);
}

static void empty_heap(double *values, int64_t *indices, int64_t k) {
    for (int64_t i = 0; i < k; i++) values[i] = INFINITY, indices[i] = NOBODY;
}

/* Puts a row in the place of the worst. */
static void replace_worst(double *values, int64_t *indices, int64_t k, double value, int64_t index) {
    int64_t at = 0;
    for (int64_t child = 1; child < k; child = 2 * at + 1) {
        if (child + 1 < k && is_worse(values[child + 1], indices[child + 1], values[child], indices[child])) child++;
        if (!is_worse(values[child], indices[child], value, index)) break;
        values[at] = values[child];
        indices[at] = indices[child];
        at = child;
    }
    values[at] = value;
    indices[at] = index;
}

/* Takes a row in if it is better than the worst; did it? */
INLINE int offer(double *values, int64_t *indices, int64_t k, double limit, double value, int64_t index) {
    if (!(value <= limit) || !is_worse(values[0], indices[0], value, index)) return 0;
    replace_worst(values, indices, k, value, index);
    return 1;
}

/* The heap's rows from best to worst; the places that nobody took get the index -1. */
static void sort_heap(double *values, int64_t *indices, int64_t k) {
    for (int64_t last = k - 1; last > 0; last--) {
        const double value = values[last];
        const int64_t index = indices[last];
        values[last] = values[0];
        indices[last] = indices[0];
        replace_worst(values, indices, last, value, index);
    }
    for (int64_t i = k - 1; i >= 0 && indices[i] == NOBODY; i--) indices[i] = -1;
}
