/* The kernels of float64 for the baseline instruction set: SSE2 on x86-64 (no FMA), NEON on aarch64. */
#define VECTOR_BYTES 16
#define REAL_BITS 64
#define TABLE fnn_generic_f64
#include "../kernels.h"
