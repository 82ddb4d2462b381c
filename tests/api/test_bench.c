/* test_bench.c: a measurement's figures fit together. What they should be is tests/bench's affair. */
#include <string.h>

#include "device/devices.h"

#include "core/memory.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/tiny/"

static oclm_model *model;

static int open_model(void **state)
{
    (void)state;
    return oclm_model_load(GOLDEN "llama-gqa", NULL, &model) == OCLM_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    oclm_model_free(model);
    return 0;
}

static oclm_bench_options options(uint32_t prompt, uint32_t decode, uint32_t depth, uint32_t repetitions)
{
    oclm_bench_options o;
    oclm_bench_options_init(&o, sizeof o);
    o.prompt = prompt;
    o.decode = decode;
    o.depth = depth;
    o.repetitions = repetitions;
    return o;
}

static void figures_fit_together(void **state)
{
    const oclm_bench_options o = options(20, 10, 30, 2);
    oclm_bench_result        r = { .struct_size = sizeof r };
    oclm_model_info          info = { .struct_size = sizeof info };
    double                   bytes;
    (void)state;
    assert_ok(oclm_bench_run(model, &o, &r));
    assert_ok(oclm_model_get_info(model, &info));
    assert_true(r.prefill_tokens.min > 0 && r.prefill_tokens.min <= r.prefill_tokens.median && r.prefill_tokens.median <= r.prefill_tokens.max);
    assert_true(r.decode_tokens.min > 0 && r.decode_tokens.min <= r.decode_tokens.median && r.decode_tokens.median <= r.decode_tokens.max);
    assert_true(r.first_token_s > 0 && r.gemm_flops_per_s > 0 && r.read_bytes_per_s > 0);
    assert_true(r.peak_host_bytes > 0 && r.peak_device_bytes >= info.weight_bytes);
    assert_true(r.weight_bytes_per_token > 0 && r.weight_bytes_per_token <= info.weight_bytes);
    /* 10 tokens after 30: positions 31 to 40 */
    assert_true(r.cache_bytes_per_token >= 31 * info.kv_bytes_per_token && r.cache_bytes_per_token <= 40 * info.kv_bytes_per_token);
    bytes = (double)(r.weight_bytes_per_token + r.cache_bytes_per_token);
    assert_true(r.read_fraction > 0.999 * bytes * r.decode_tokens.median / r.read_bytes_per_s &&
                r.read_fraction < 1.001 * bytes * r.decode_tokens.median / r.read_bytes_per_s);
}

static void either_half_may_be_left_out(void **state)
{
    oclm_bench_options o = options(0, 4, 0, 1);
    oclm_bench_result  r = { .struct_size = sizeof r };
    (void)state;
    assert_ok(oclm_bench_run(model, &o, &r));
    assert_true(r.prefill_tokens.median == 0 && r.decode_tokens.median > 0);
    o = options(8, 0, 0, 1);
    assert_ok(oclm_bench_run(model, &o, &r));
    assert_true(r.prefill_tokens.median > 0 && r.decode_tokens.median == 0 && r.read_fraction == 0);
}

static const struct { const char *label; uint32_t prompt, decode, depth, repetitions; const char *says; } wrong[] = {
    { "nothing to measure", 0, 0, 0, 3, "nothing to measure" },
    { "no repetition", 8, 8, 0, 0, "repetitions is 0" },
    { "a thousand and one", 8, 8, 0, 1001, "repetitions is 1001" },
    { "a prompt too long", 100000, 8, 0, 3, "100000 tokens of prefill" },
    { "a depth too deep", 8, 8, 100000, 3, "100000 cached" },
    { "a sum past 32 bits", 8, UINT32_MAX, UINT32_MAX, 3, "8589934590 positions" },
};

static void what_cannot_be_measured_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const oclm_bench_options o = options(wrong[i].prompt, wrong[i].decode, wrong[i].depth, wrong[i].repetitions);
        oclm_bench_result        r = { .struct_size = sizeof r };
        const oclm_status        got = oclm_bench_run(model, &o, &r);
        if (got != OCLM_ERR_ARGUMENT || !strstr(oclm_last_error(), wrong[i].says))
            fail_msg("%s: %s, \"%s\" (want \"%s\" in it)", wrong[i].label, oclm_status_name(got), oclm_last_error(), wrong[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_fit_together),
        cmocka_unit_test(either_half_may_be_left_out),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
