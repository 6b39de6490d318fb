/* The kernels of float64 for AVX-512 (F, BW, DQ, VL). */
#define VECTOR_BYTES 64
#define REAL_BITS 64
#define TABLE fnn_avx512_f64
#include "../kernels.h"
