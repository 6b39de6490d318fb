/* The kernels of float32 for AVX2 and FMA. */
#define VECTOR_BYTES 32
#define REAL_BITS 32
#define TABLE fnn_avx2_f32
#include "../kernels.h"
