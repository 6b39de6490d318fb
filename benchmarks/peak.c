// The limits of a core: fused multiply-adds in registers, and bytes moved. For roofline.py, with -O2 -march=native.

#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#define CHAINS 12  // independent sums: more than latency times units, fewer than registers

typedef float floats __attribute__((vector_size(VECTOR_BYTES)));
typedef double doubles __attribute__((vector_size(VECTOR_BYTES)));
typedef long long words __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

long fma_bytes_a_round(void) { return CHAINS * VECTOR_BYTES; }

// Every chain makes sum = sum * shrink + step; the compiler contracts it to one instruction where there is one.
#define FMA(NAME, REAL, VECTOR) \
    double NAME(long rounds) { \
        VECTOR sum[CHAINS], shrink, step, total; \
        memset(&total, 0, sizeof total); \
        volatile REAL half = (REAL)0.5, one = (REAL)1; /* not known to the compiler */ \
        /* chains that begin alike would become a single one */ \
        for (int c = 0; c < CHAINS; c++) \
            for (size_t i = 0; i < sizeof(VECTOR) / sizeof(REAL); i++) sum[c][i] = one * (REAL)c; \
        for (size_t i = 0; i < sizeof(VECTOR) / sizeof(REAL); i++) shrink[i] = half, step[i] = one; \
        for (long round = 0; round < rounds; round++) { \
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * shrink + step; \
        } \
        for (int c = 0; c < CHAINS; c++) total += sum[c]; \
        return (double)total[0]; \
    }

FMA(fma_float32, float, floats)
FMA(fma_float64, double, doubles)

#define BLOCK (8 * VECTOR_BYTES)

double read_bytes(const char *from, const char *unused, long size, long passes) {
    (void)unused;
    words sum[8];
    memset(sum, 0, sizeof sum);
    for (long pass = 0; pass < passes; pass++)
        for (long at = 0; at + BLOCK <= size; at += BLOCK) {
            _Pragma("GCC unroll 8") for (int c = 0; c < 8; c++) sum[c] +=
                *(const words *)(from + at + c * VECTOR_BYTES);
        }
    for (int c = 1; c < 8; c++) sum[0] += sum[c];
    return (double)sum[0][0];
}

double copy_bytes(const char *from, char *to, long size, long passes) {
    for (long pass = 0; pass < passes; pass++) memcpy(to, from, (size_t)size);
    return to[size - 1];
}

// Reads, changes and writes in place, as an update does its weights.
double update_bytes(char *here, const char *unused, long size, long passes) {
    (void)unused;
    for (long pass = 0; pass < passes; pass++)
        for (long at = 0; at + BLOCK <= size; at += BLOCK) {
            _Pragma("GCC unroll 8") for (int c = 0; c < 8; c++) * (words *)(here + at + c * VECTOR_BYTES) += 1;
        }
    return here[0];
}
