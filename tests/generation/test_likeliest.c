/* test_likeliest.c: the largest logits, against sorting all of them. */
#include "core/unit.h"

#include <math.h>

#include "generation/likeliest.h"

#define VOCAB 57u

static const float *sorted_logits;

static int behind(const void *a, const void *b)
{
    const int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    const float   x = sorted_logits[i], y = sorted_logits[j];
    return isnan(x) != isnan(y) ? isnan(x) - isnan(y) : x > y ? -1 : x < y ? 1 : i - j;
}

static void they_are_the_first_when_all_are_sorted(void **state)
{
    static const float few[] = { 0, 1, -1, INFINITY, -INFINITY, NAN, 2, 3 };
    uint32_t           random = 7;
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        float   logits[VOCAB], values[VOCAB];
        int32_t want[VOCAB], got[VOCAB];
        for (uint32_t i = 0; i < VOCAB; i++) {
            random = random * 1664525 + 1013904223;
            logits[i] = round % 2 ? few[(random >> 24) % (round % 4 == 1 ? 3 : COUNT(few))] : (float)(random >> 8) / 65536.0f;
            want[i] = (int32_t)i;
        }
        sorted_logits = logits;
        qsort(want, VOCAB, sizeof *want, behind);
        const uint32_t count = round % (VOCAB + 1);
        gen_likeliest_find(logits, VOCAB, count, got, values);
        for (uint32_t i = 0; i < count; i++)
            if (got[i] != want[i] || memcmp(&values[i], &logits[want[i]], sizeof *values) != 0)
                fail_msg("round %u, number %u: id %d, want %d", round, i, (int)got[i], (int)want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(they_are_the_first_when_all_are_sorted) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
