/* The kernels for AVX2 and FMA. */
#define VECTOR_BYTES 32
#define UNIT avx2
#include "unit.h"
