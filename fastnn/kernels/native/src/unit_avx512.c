/* The kernels for AVX-512 (F, BW, DQ, VL). */
#define VECTOR_BYTES 64
#define UNIT avx512
#include "unit.h"

/* The same where also AMX is in use; see best_bytes. */
const fnn_unit fnn_amx = {"amx", &f32_table, &f64_table};
