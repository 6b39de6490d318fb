#ifndef FNN_ARENA_H
#define FNN_ARENA_H

#include <stddef.h>

/* Hands out pieces of the arena; with a NULL base it only adds up their sizes. */
typedef struct {
    char *base;
    size_t used;
} arena_cursor;

static void *arena_take(arena_cursor *cursor, size_t bytes) {
    void *piece = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (bytes + 63) / 64 * 64;
    return piece;
}

#endif
