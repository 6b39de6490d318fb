/* Chooses the instruction set by what CPU and operating system support (CPUID and XGETBV, as GCC's runtime reads
   them). */
#include "api.h"

#include <string.h>
#ifdef FASTNN_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

uint64_t fnn_set_bits[256];

extern const fnn_kernels fnn_generic_f32, fnn_generic_f64;
static const fnn_unit generic = {"generic", &fnn_generic_f32, &fnn_generic_f64};
#ifdef FASTNN_X86
extern const fnn_kernels fnn_avx2_f32, fnn_avx2_f64, fnn_avx512_f32, fnn_avx512_f64;
static const fnn_unit avx2 = {"avx2", &fnn_avx2_f32, &fnn_avx2_f64};
static const fnn_unit avx512 = {"avx512", &fnn_avx512_f32, &fnn_avx512_f64};
static const fnn_unit amx = {"amx", &fnn_avx512_f32, &fnn_avx512_f64}; /* AVX-512 whose byte tiles go by AMX */

static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* Linux lets a process use the matrix registers once it asks; it refuses if some signal stack has no room for them. */
static int has_amx(void) {
#ifdef FASTNN_AMX
    const long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    const unsigned needed = 3u << 24; /* AMX-TILE and AMX-INT8 */
    unsigned a, b, c, d = 0;
    return has_avx512() && __builtin_cpu_supports("avx512vnni") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (d & needed) == needed && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return 0;
#endif
}
#endif

const fnn_unit *fnn_select(const char *forced) {
    const int any = forced == NULL || forced[0] == '\0';
    for (unsigned bits = 0; bits < 256; bits++) {
        uint64_t positions = 0;
        int count = 0;
        for (unsigned bit = 0; bit < 8; bit++)
            if (bits >> bit & 1) positions |= (uint64_t)bit << 8 * count++;
        fnn_set_bits[bits] = positions;
    }
#ifdef FASTNN_X86
    __builtin_cpu_init();
    if ((any || !strcmp(forced, "amx")) && has_amx()) return &amx;
    if ((any || !strcmp(forced, "avx512")) && has_avx512()) return &avx512;
    if ((any || !strcmp(forced, "avx2")) && has_avx2()) return &avx2;
#endif
    return any || !strcmp(forced, "generic") ? &generic : NULL;
}

fnn_int8_dot fnn_dot_of(const fnn_unit *unit) {
#ifdef FASTNN_X86
    if (unit == &amx) return DOT_AMX;
    if (unit == &avx512 && __builtin_cpu_supports("avx512vnni")) return DOT_VNNI;
#endif
    (void)unit;
    return DOT_MADD;
}
