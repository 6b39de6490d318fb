/* The kernels of float64 for AVX2 and FMA. */
#define VECTOR_BYTES 32
#define REAL_BITS 64
#define TABLE fnn_avx2_f64
#include "../kernels.h"
