/* One instruction set's kernels: the template for float32 and for float64. */
#include "fastnn.h"

#include <math.h>
#include <string.h>
#include <time.h>

#if VECTOR_BYTES > 16
#include <immintrin.h>
#endif

#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)
#define INLINE static inline __attribute__((always_inline))

/* Rows of a register tile: its accumulators, two vectors a row, must fit the registers beside two operands. */
#if VECTOR_BYTES == 64
#define TILE_ROWS 12
#elif VECTOR_BYTES == 32
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif

#define AHEAD 12  /* rows of the order that are prefetched before their turn */
#define BLOCK 128 /* samples that go forward and backward together; longer batches add up their blocks' gradients */

#define REAL float
#define INTEGER int32_t
#define FN(name) name##_f32
#define IS_FLOAT 1
#include "network.h"
#undef REAL
#undef INTEGER
#undef FN
#undef IS_FLOAT

#define REAL double
#define INTEGER int64_t
#define FN(name) name##_f64
#define IS_FLOAT 0
#include "network.h"

const fnn_unit GLUE(fnn_, UNIT) = {QUOTE(UNIT), &table_f32, &table_f64};
