/* The kernels for the baseline instruction set: SSE2 on x86-64 (no FMA), NEON on aarch64. */
#define VECTOR_BYTES 16
#define UNIT generic
#include "unit.h"
