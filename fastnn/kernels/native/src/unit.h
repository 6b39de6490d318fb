/* One instruction set's kernels: the template for float32 and for float64. */
#include "fastnn.h"

#include <math.h>
#include <string.h>

/* FUSED: does a multiply-add round once? Everywhere but in baseline x86-64. */
#if VECTOR_BYTES > 16
#include <immintrin.h>
#define FUSED 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define FUSED 1
#else
#ifdef FASTNN_X86
#include <emmintrin.h>
#endif
#define FUSED 0
#endif

#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)
#define UNROLL _Pragma("GCC unroll 16") /* so that small arrays of vectors stay in registers */
#define INLINE static inline __attribute__((always_inline))
/* SHUFFLE: elements of two vectors; I is a vector of as many integers. Functions between TARGET and END_TARGET may use
   more instructions than the unit. */
#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#ifdef __clang__
#define SHUFFLE(I, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define TARGET(set) PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define END_TARGET PRAGMA(clang attribute pop)
#else
#define SHUFFLE(I, a, b, ...) __builtin_shuffle(a, b, (I){__VA_ARGS__})
#define TARGET(set) PRAGMA(GCC push_options) PRAGMA(GCC target(set))
#define END_TARGET PRAGMA(GCC pop_options)
#endif

/* The control bits of this thread's float environment. With FLUSH_SUBNORMALS subnormal numbers become zeros: Adam's
   mean of gradients that came long ago is one, and costs some processors a hundred cycles each time. */
#if defined(__x86_64__)
#define FLUSH_SUBNORMALS 0x8040 /* of MXCSR: results, and operands */
INLINE uint64_t float_control(void) { return _mm_getcsr(); }
INLINE void set_float_control(uint64_t bits) { _mm_setcsr((unsigned)bits); }
#elif defined(__aarch64__)
#define FLUSH_SUBNORMALS (1 << 24) /* of FPCR: both */
INLINE uint64_t float_control(void) {
    uint64_t bits;
    __asm__ volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
}
INLINE void set_float_control(uint64_t bits) { __asm__ volatile("msr fpcr, %0" ::"r"(bits)); }
#else
#define FLUSH_SUBNORMALS 0
INLINE uint64_t float_control(void) { return 0; }
INLINE void set_float_control(uint64_t bits) { (void)bits; }
#endif

/* Rows of a dense register tile: its accumulators, two vectors a row, must fit the registers beside two operands. And
   the vectors a row of the sparse first layer's tile, of QUAD rows, beside as many operands. */
#if VECTOR_BYTES == 64
#define TILE_ROWS 12
#define STRIP 4
#elif VECTOR_BYTES == 32
#define TILE_ROWS 6
#define STRIP 3
#elif defined(__aarch64__)
#define TILE_ROWS 8 /* 12 would fit its 32 vector registers, but not the rows' addresses the general ones */
#define STRIP 4
#else
#define TILE_ROWS 4
#define STRIP 2
#endif

/* A tile of the narrow sparse first layer: rows, of a team's samples, and vectors a row. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define TEAM_ROWS 4
#define TEAM_STRIP 4
#elif VECTOR_BYTES == 32
#define TEAM_ROWS 2
#define TEAM_STRIP 4
#else
#define TEAM_ROWS 2
#define TEAM_STRIP 2
#endif

#define MOST_VECTORS 12 /* of a tile of a single row */

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

#include "nearest.h"
#include "pairs.h"
#include "bytes.h"
#include "arrange.h"

#define REAL float
#define INTEGER int32_t
#define FN(name) f32_##name
#define IS_FLOAT 1
#include "template.h"
#undef REAL
#undef INTEGER
#undef FN
#undef IS_FLOAT
#undef SUM_PIECE

#define REAL double
#define INTEGER int64_t
#define FN(name) f64_##name
#define IS_FLOAT 0
#include "template.h"

const fnn_unit GLUE(fnn_, UNIT) = {QUOTE(UNIT), &f32_table, &f64_table};
