/* What one unit is compiled for: an instruction set, by the width of its vectors, and the type `real` of parameters.
   simd/avx2_f32.c and its like say both; who reads or checks a header alone gets the baseline and float32. */
#ifndef FNN_TARGET_H
#define FNN_TARGET_H

#include "../api.h"

#ifndef VECTOR_BYTES
#define VECTOR_BYTES 16
#endif
#ifndef REAL_BITS
#define REAL_BITS 32
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t integer; /* as wide as real */
#define REAL_IS_FLOAT 1
#else
typedef double real;
typedef int64_t integer;
#define REAL_IS_FLOAT 0
#endif

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
   mean of gradients that came long ago is one, and costs some processors many cycles each time. */
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
   the vectors a row of the tile of block-CSC, of INPUT_BLOCK rows, beside as many operands. */
#if VECTOR_BYTES == 64
#define TILE_ROWS 12
#define PANEL_VECTORS 4
#elif VECTOR_BYTES == 32
#define TILE_ROWS 6
#define PANEL_VECTORS 3
#elif defined(__aarch64__)
#define TILE_ROWS 8 /* 12 would fit its 32 vector registers, but not the rows' addresses the general ones */
#define PANEL_VECTORS 4
#else
#define TILE_ROWS 4
#define PANEL_VECTORS 2
#endif

/* A tile of micro-batches: rows, of their samples, and vectors a row. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define MICRO_ROWS 4
#define MICRO_VECTORS 4
#elif VECTOR_BYTES == 32
#define MICRO_ROWS 2
#define MICRO_VECTORS 4
#else
#define MICRO_ROWS 2
#define MICRO_VECTORS 2
#endif

#define MOST_VECTORS 6 /* of a tile of a single row */

#endif
