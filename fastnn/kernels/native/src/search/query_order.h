/* Which queries of bytes are compared with rows together: those that are zero in about the same places, as a tile's
   queries skip the elements that are zero in all of them. Of MNIST's four images 36% are left, instead of 48% of four
   that come one after the other. */
#ifndef FNN_SEARCH_QUERY_ORDER_H
#define FNN_SEARCH_QUERY_ORDER_H

#include "byte_kernels.h"

#define WORD_BYTES 256 /* whose being zero one word tells, a bit for each four */

static int64_t active_words(int64_t width) { return (width + WORD_BYTES - 1) / WORD_BYTES; }

/* active (words) = which fours of a query's bytes are not zero */
static void find_active_fours(const uint8_t *q, int64_t width, uint64_t *active) {
    memset(active, 0, active_words(width) * sizeof *active);
    for (int64_t i = 0; i < width; i += 4)
        active[i / WORD_BYTES] |= (uint64_t)(four_of(q, i, width) != 0) << i / 4 % 64;
}

/* order (count) = the queries q (count, width), team after team: to a first one come those that are most like it, one
   by one. active: room for (count, words). Returns the share of fours of bytes that are not zero in all of a team. */
static double arrange(const uint8_t *q, int64_t count, int64_t width, uint64_t *active, int32_t *order) {
    const int64_t words = active_words(width);
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        find_active_fours(q + i * width, width, active + i * words);
        order[i] = (int32_t)i;
    }
    for (int64_t at = 0; at < count; at += QUERY_TEAM) {
        uint64_t *team = active + order[at] * words; /* what is not zero in all of it */
        for (int64_t next = at + 1; next < count && next < at + QUERY_TEAM; next++) {
            int64_t best = next, least = INT64_MAX;
            for (int64_t i = next; i < count; i++) {
                const uint64_t *other = active + order[i] * words;
                int64_t different = 0;
                for (int64_t w = 0; w < words; w++) different += __builtin_popcountll(team[w] ^ other[w]);
                if (different < least) least = different, best = i;
            }
            const int32_t chosen = order[best];
            order[best] = order[next];
            order[next] = chosen;
            for (int64_t w = 0; w < words; w++) team[w] |= active[chosen * words + w];
        }
        for (int64_t w = 0; w < words; w++) total += __builtin_popcountll(team[w]);
    }
    const int64_t teams = (count + QUERY_TEAM - 1) / QUERY_TEAM, fours = (width + 3) / 4;
    return (double)total / (double)(teams * fours);
}

/* kept (fours of width, in room for width) = 1 for the fours of bytes that are not zero in all queries q (count, width),
   else 0; fours = the numbers of those. Returns how many. */
static int64_t keep_fours(const uint8_t *q, int64_t count, int64_t width, uint8_t *kept, int32_t *fours) {
    int64_t some = 0;
    memset(kept, 0, width);
    for (; count > 0; count--, q += width)
        for (int64_t i = 0; i < width; i++) kept[i] |= q[i];
    for (int64_t four = 0; 4 * four < width; four++) {
        kept[four] = four_of(kept, 4 * four, width) != 0;
        if (kept[four]) fours[some++] = (int32_t)four;
    }
    return some;
}

#endif
