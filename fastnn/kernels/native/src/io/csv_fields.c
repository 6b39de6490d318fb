/* Whole numbers of text, for datasets/csv_file.py. */
#include "../api.h"

#include <string.h>

/* values = the fields of lines of so many columns, one to three digits each and at most 255, with commas between them
   and \n at the end of every line; there is room for size / 2 of them. Returns how many lines, -1 if it is not so. */
int64_t fnn_parse_fields(const uint8_t *text, int64_t size, int64_t columns, uint8_t *values) {
    const uint8_t *const end = text + size;
    int64_t lines = 0;
    if (size && end[-1] != '\n') return -1; /* which ends every loop below */
    for (; text < end; lines++)
        for (int64_t column = 0; column < columns; column++) {
            for (; column + 4 < columns && end - text >= 8 && memcmp(text, "0,0,0,0,", 8) == 0; column += 4) {
                memset(values, 0, 4); /* most pixels */
                text += 8;
                values += 4;
            }
            unsigned value = 0, digit;
            int digits = 0;
            for (; (digit = (unsigned)*text - '0') <= 9 && digits < 4; text++, digits++) value = 10 * value + digit;
            if (digits < 1 || digits > 3 || value > 255) return -1;
            if (*text++ != (column + 1 < columns ? ',' : '\n')) return -1;
            *values++ = (uint8_t)value;
        }
    return lines;
}
