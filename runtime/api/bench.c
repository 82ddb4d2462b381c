/* bench.c: measuring. */
#include "api/api.h"
#include "generation/bench.h"

static const oclm_bench_options defaults = {
    .struct_size = sizeof defaults, .prompt = 512, .decode = 64, .depth = 0, .repetitions = 3,
};

void oclm_bench_options_init(oclm_bench_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

oclm_status oclm_bench_run(const oclm_model *model, const oclm_bench_options *options, oclm_bench_result *result)
{
    oclm_bench_options mine = defaults;
    oclm_bench_result  found = { .struct_size = sizeof found };
    oclm_status        status;
    if (!model)
        return api_missing("oclm_bench_run", "model");
    if ((status = api_result_check(result, sizeof *result, "oclm_bench_result")) != OCLM_OK ||
        (status = api_options_read(options, &mine, sizeof mine, "oclm_bench_options")) != OCLM_OK ||
        (status = gen_bench(model->inside, &mine, &found)) != OCLM_OK)
        return status;
    api_result_write(&found, sizeof found, result);
    return OCLM_OK;
}
