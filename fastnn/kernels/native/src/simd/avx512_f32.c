/* The kernels of float32 for AVX-512 (F, BW, DQ, VL). */
#define VECTOR_BYTES 64
#define REAL_BITS 32
#define TABLE fnn_avx512_f32
#include "../kernels.h"
