/* The tuned constants of the plan. */
#ifndef FNN_PLAN_H
#define FNN_PLAN_H

#include "simd/target.h"

#define NEXT_BYTES 262144 /* of the inputs of a batch, if dense, that is packed before its turn: two batches and
                             the weights are to stay in the second-level cache */
#define AHEAD 24 /* rows of the order that are prefetched before their turn; */
#define AHEAD_DENSE 8 /* or if dense, as the processor follows only so many rows at a time: */
#define AHEAD_BYTES 512 /* of each at most where the dense tiles will read it, so slowly that it brings in the rest by
                           itself */
#define BLOCK 256 /* samples of a batch that go forward and backward together; */
#define LONG_BLOCK 128 /* and those of longer ones, which add up their blocks' gradients: more would leave the cache */
#define CHUNKS 4  /* parts of the first layer's inputs, or of a long batch, whose sums are added up in a fixed order:
                     threads share them out, so that the bits do not depend on how many there are */
#define GROUP 12 /* samples whose non-zero inputs are taken together: of a run of online batches, */
#define TOGETHER 16 /* samples that are packed together, into lists */
#define TEAM 4   /* and of other batches; the same for every instruction set */
#define TEAMS (BLOCK / TEAM + 1)
#define GRADIENT_BYTES 65536 /* of the rows of the gradient that a block's teams write together */
#define PREFETCH_ROOM 64 /* samples that lists have room for from which what comes next is prefetched: shorter ones are
                            done before it would arrive */
/* benchmarks/crossover.py times both sides of the rules that follow. */
#define LIST_WORK 200 /* cache lines of first-layer outputs, times samples of a batch, from which lists of samples are
                         faster than teams: they share the cost of walking a list; */
#define LIST_WORK_DENSE 64 /* or where too many inputs are active for teams, and a batch has */
#define LIST_ROWS 16       /* at least so many samples; */
#define LIST_LINES 4  /* or such lines alone if an optimizer takes the gradient piece by piece, as lists leave each in
                         the first-level cache */
#if VECTOR_BYTES == 64
#define LIST_WORK_BYTES 250 /* the same of bytes, where the form may depend on the instruction set */
#elif VECTOR_BYTES == 32
#define LIST_WORK_BYTES 50
#else
#define LIST_WORK_BYTES LIST_WORK
#endif
#define MOST_ACTIVE_GROUPS 0.8 /* shares of active inputs above which the dense tiles are faster than groups, */
#define MOST_ACTIVE_TEAMS 0.8 /* teams */
#define MOST_ACTIVE_LISTS 0.8 /* or lists */
#define MOST_STORED 0.5        /* share of active groups up to which lists are made once: they are as large as the bytes */
#define ROWS_LOOKED_AT 60      /* at most, for the shares */
#define LEAST_ACTIVE_USUAL 0.5 /* share of active inputs above which a usual row is looked for, */
#define USUAL_GAIN 0.6         /* and the part of it left with one below which it is used. A batch's work for */
#define USUAL_ROWS 2           /* the usual row itself is that of so many dense rows, */
#define USUAL_ROWS_WIDE 5      /* or where a second pass over W0 finds less of it in the cache */
#define MOST_ONLINE 4 /* samples of a batch that plain SGD takes a run of at a time */
#define RUN 36        /* samples of such a run, if dense: a multiple of x86's TILE_ROWS */
#define STRETCH 16    /* runs after which the usual row's updates, put off till then, reach the weights */
#define WIDE_LINES 6 /* cache lines of first-layer outputs from which the threads share out these, not the inputs: the
                        layers behind are then shared out too, but every thread packs all inputs */
#define GRAM_STRIDE 48 /* RUN, padded to whole cache lines */
#define THREAD_WORK 1e5         /* multiply-adds (of dense inputs) a batch above which threads pay for their barrier */

_Static_assert(CHUNKS <= FNN_MOST_MEETING, "each chunk may have a thread");

#endif
