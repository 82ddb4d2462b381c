/* cmd_bench.c: oclm bench: a model's speed beside its device's own. */
#include "cli/cli.h"

static void rate_json(cli_json *json, const oclm_rate *rate)
{
    cli_json_open(json, "tokens_per_s", '{');
    cli_json_number(json, "min", rate->min);
    cli_json_number(json, "median", rate->median);
    cli_json_number(json, "max", rate->max);
    cli_json_close(json, '}');
}

static void print_json(const cli_args *args, const oclm_model_info *m, const oclm_bench_result *r, double load_s)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", args->model);
    cli_json_text(&json, "dtype", cli_dtype_name(m->dtype));
    cli_json_open(&json, "prefill", '{');
    cli_json_uint(&json, "tokens", args->bench_prompt);
    rate_json(&json, &r->prefill_tokens);
    cli_json_close(&json, '}');
    cli_json_open(&json, "decode", '{');
    cli_json_uint(&json, "tokens", args->bench_decode);
    cli_json_uint(&json, "depth", args->bench_depth);
    rate_json(&json, &r->decode_tokens);
    cli_json_uint(&json, "weight_bytes_per_token", r->weight_bytes_per_token);
    cli_json_uint(&json, "cache_bytes_per_token", r->cache_bytes_per_token);
    cli_json_number(&json, "read_fraction", r->read_fraction);
    cli_json_close(&json, '}');
    cli_json_open(&json, "device", '{');
    cli_json_text(&json, "name", m->device_name);
    cli_json_number(&json, "read_bytes_per_s", r->read_bytes_per_s);
    cli_json_number(&json, "gemm_flops_per_s", r->gemm_flops_per_s);
    cli_json_close(&json, '}');
    cli_json_number(&json, "load_s", load_s);
    cli_json_number(&json, "first_token_s", r->first_token_s);
    cli_json_uint(&json, "peak_host_bytes", r->peak_host_bytes);
    cli_json_uint(&json, "peak_device_bytes", r->peak_device_bytes);
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

static void print_people(const cli_args *args, const oclm_model_info *m, const oclm_bench_result *r, double load_s)
{
    char host[32], device[32];
    (void)printf("%s, %s on %s\n", args->model, cli_dtype_name(m->dtype), m->device_name);
    if (args->bench_prompt)
        (void)printf("prefill  %9.1f tokens/s  (%.1f to %.1f; %lu tokens)\n", r->prefill_tokens.median, r->prefill_tokens.min,
                     r->prefill_tokens.max, (unsigned long)args->bench_prompt);
    if (args->bench_decode) {
        (void)printf("decode   %9.1f tokens/s  (%.1f to %.1f; %lu tokens after %lu)\n", r->decode_tokens.median, r->decode_tokens.min,
                     r->decode_tokens.max, (unsigned long)args->bench_decode, (unsigned long)args->bench_depth);
        (void)printf("         %9.1f %% of the device's read rate: (%.1f MB weights + %.1f MB cache) a token\n",
                     100 * r->read_fraction, (double)r->weight_bytes_per_token / 1e6, (double)r->cache_bytes_per_token / 1e6);
    }
    (void)printf("device   %9.1f GB/s read, %.1f GFLOPS in this model's matrix product\n", r->read_bytes_per_s / 1e9,
                 r->gemm_flops_per_s / 1e9);
    (void)printf("loading  %9.2f s; first token of a one-token prompt after %.3f s\n", load_s, r->first_token_s);
    (void)printf("peak     %s host, %s device\n", cli_format_bytes(r->peak_host_bytes, host),
                 cli_format_bytes(r->peak_device_bytes, device));
}

int cmd_bench(cli_args *args)
{
    oclm_bench_options options;
    oclm_bench_result  found = { .struct_size = sizeof found };
    oclm_model_info    info = { .struct_size = sizeof info };
    oclm_model        *model = NULL;
    oclm_status        status;
    double             load_s;
    int                result = cli_load_model(args, &model, &load_s);
    if (result != EXIT_OK)
        return result;
    oclm_bench_options_init(&options, sizeof options);
    options.prompt = args->bench_prompt;
    options.decode = args->bench_decode;
    options.depth = args->bench_depth;
    options.repetitions = args->bench_repetitions;
    if ((status = oclm_bench_run(model, &options, &found)) != OCLM_OK ||
        (status = oclm_model_get_info(model, &info)) != OCLM_OK)
        result = cli_fail_status(status);
    else if (args->json)
        print_json(args, &info, &found, load_s);
    else
        print_people(args, &info, &found, load_s);
    oclm_model_free(model);
    return result;
}
