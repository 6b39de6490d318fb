/* The kernels for AVX-512 (F, BW, DQ, VL). */
#define VECTOR_BYTES 64
#define UNIT avx512
#include "unit.h"
