/* bench.c: prefill and decoding timed as generating does them, beside the device's own rates in the same run: only their ratio
 * says whether a figure is good, because machines differ and the same machine differs by the hour. */
#include "generation/bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "device/health.h"
#include "device/profile.h"
#include "generation/loop.h"

#define MAX_REPETITIONS 1000u
#define STEPS_AHEAD 16u                   /* decoding steps in a batch, two batches in flight */
#define READ_BYTES ((size_t)512 << 20)    /* larger than the caches of today's processors */
#define READ_BYTES_MIN ((size_t)16 << 20)

typedef struct bench {
    const model_model        *model;
    const oclm_bench_options *options;
    oclm_bench_result        *result;
    gen_loop                 *loop;
    uint32_t                  depth;   /* positions in the cache before decoding, at least 1 */
    int32_t                  *prompt;  /* ids, random but the same each time */
    int32_t                  *ids;     /* room for what decoding chooses */
    double                   *rates;   /* one a repetition */
    double                   *reads;   /* the device's own rate before each repetition of decoding, and after the last */
    uint32_t                  read_count;
} bench;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static oclm_rate summarise(double *rates, uint32_t count)
{
    oclm_rate rate;
    qsort(rates, count, sizeof *rates, compare);
    rate.min = rates[0];
    rate.max = rates[count - 1];
    rate.median = count % 2 ? rates[count / 2] : (rates[count / 2 - 1] + rates[count / 2]) / 2;
    return rate;
}

/* Any ids do: speed does not depend on them. */
static void fill_prompt(int32_t *ids, uint32_t count, uint32_t vocab)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)((state >> 33) % vocab);
    }
}

static const gen_hooks silent = { 0 };

static oclm_status prefill(bench *b, uint32_t count)
{
    const gen_prompt prompt = { b->prompt, count };
    bool             cancelled;
    oclm_status      status;
    model_truncate(b->loop->state, 0, 0);
    if ((status = gen_loop_prefill(b->loop, &prompt, 0, &silent, &cancelled)) != OCLM_OK)
        return status;
    return gen_loop_drain(b->loop);
}

static oclm_status measure_prefill(bench *b)
{
    const uint32_t count = b->options->prompt;
    oclm_status    status;
    if (count == 0)
        return OCLM_OK;
    if ((status = prefill(b, count)) != OCLM_OK) /* builds and decides */
        return status;
    for (uint32_t i = 0; i < b->options->repetitions; i++) {
        const double start = core_seconds();
        if ((status = prefill(b, count)) != OCLM_OK)
            return status;
        b->rates[i] = count / (core_seconds() - start);
    }
    b->result->prefill_tokens = summarise(b->rates, b->options->repetitions);
    return OCLM_OK;
}

/* Decodes `count` tokens from the depth on: one batch runs while the next is enqueued. */
static oclm_status decode(bench *b, uint32_t count)
{
    cl_event    before = NULL, now = NULL;
    oclm_status status;
    if ((status = gen_loop_begin(b->loop)) != OCLM_OK)
        return status;
    for (uint32_t done = 0, steps; done < count && status == OCLM_OK; done += steps) {
        steps = count - done < STEPS_AHEAD ? count - done : STEPS_AHEAD;
        status = gen_loop_steps(b->loop, steps, b->ids + done, &now);
        if (before) {
            if (status == OCLM_OK)
                status = dev_wait(before, "decoded tokens");
            clReleaseEvent(before);
        }
        before = now;
        now = NULL;
    }
    if (before)
        clReleaseEvent(before);
    return status != OCLM_OK ? status : gen_loop_drain(b->loop);
}

/* Back to the depth: by reading the prompt again, where the states of the model cannot go back. */
static oclm_status go_back(bench *b)
{
    model_decode_end(b->loop->state, 0, b->depth);
    return model_can_go_on(b->loop->state, 0, b->depth) ? OCLM_OK : prefill(b, b->depth);
}

/* Machines that others share change by the second: the rate is taken in turns with what is compared with it. */
static oclm_status measure_read(bench *b)
{
    const uint64_t left = dev_memory_left(b->model->device) / 2;
    const uint64_t largest = dev_get_traits(b->model->device)->info.max_alloc_bytes;
    size_t         bytes = READ_BYTES;
    while (bytes > READ_BYTES_MIN && (bytes > left || bytes > largest))
        bytes /= 2;
    return dev_measure_read(b->model->device, bytes, &b->reads[b->read_count++]);
}

/* Reads what decoding goes on from; the first steps build and decide. */
static oclm_status begin_decode(bench *b)
{
    const uint32_t count = b->options->decode;
    if (count == 0)
        return OCLM_OK;
    const oclm_status status = prefill(b, b->depth);
    return status == OCLM_OK ? decode(b, count < 4 ? count : 4) : status;
}

static oclm_status measure_decode(bench *b)
{
    const uint32_t count = b->options->decode;
    oclm_status    status;
    if (count == 0)
        return measure_read(b);
    for (uint32_t i = 0; i < b->options->repetitions; i++) {
        if ((status = measure_read(b)) != OCLM_OK || (status = go_back(b)) != OCLM_OK)
            return status;
        const double start = core_seconds();
        if ((status = decode(b, count)) != OCLM_OK)
            return status;
        b->rates[i] = count / (core_seconds() - start);
    }
    b->result->decode_tokens = summarise(b->rates, b->options->repetitions);
    return measure_read(b);
}

/* One token in, one out, twice: the first time may build. */
static oclm_status measure_first_token(bench *b)
{
    const gen_prompt prompt = { b->prompt, 1 };
    for (int i = 0; i < 2; i++) {
        gen_config  config;
        gen_run    *one;
        oclm_status status;
        bool        more;
        gen_config_init(&config);
        config.prompt_length = 1;
        config.limit = 2;
        if ((status = gen_run_new(b->model, NULL, &prompt, 1, &config, &silent, NULL, NULL, &one)) != OCLM_OK)
            return status;
        status = gen_run_next(one, &more);
        b->result->first_token_s = one->timing.prefill_s;
        gen_run_free(one);
        if (status != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static oclm_status measure_matmul(bench *b)
{
    const model_architecture *a = &b->model->architecture;
    const uint32_t rows = b->options->prompt < MODEL_CHUNK_ROWS ? b->options->prompt : MODEL_CHUNK_ROWS;
    return dev_measure_matmul(b->model->device, &b->model->weights.storage, rows ? rows : MODEL_CHUNK_ROWS,
                              a->intermediate_size, a->hidden_size, &b->result->gemm_flops_per_s);
}

/* What each kernel takes, for whoever looks for the slow one (oclm bench -vv). */
static oclm_status profile(const bench *b)
{
    oclm_status status = OCLM_OK;
    if (!core_log_enabled(OCLM_LOG_DEBUG))
        return OCLM_OK;
    if (b->options->prompt > 0) {
        core_log(OCLM_LOG_DEBUG, "the last chunk of prefill, launch by launch:");
        status = model_profile_last(b->loop->state);
    }
    if (status == OCLM_OK && b->loop->step) {
        core_log(OCLM_LOG_DEBUG, "a decoding step, launch by launch:");
        status = dev_work_profile(b->loop->step);
    }
    return status;
}

static void count_bytes(bench *b)
{
    const model_architecture *a = &b->model->architecture;
    oclm_bench_result        *result = b->result;
    uint64_t                  cache = 0;
    for (uint32_t i = 0; i < b->options->decode; i++)
        cache += model_cache_read_per_token(a, b->depth + i + 1);
    result->cache_bytes_per_token = b->options->decode ? cache / b->options->decode : 0;
    result->weight_bytes_per_token = b->model->weights.sizes.bytes - b->model->weights.sizes.unread;
    result->read_bytes_per_s = summarise(b->reads, b->read_count).median;
    if (result->read_bytes_per_s > 0)
        result->read_fraction = (double)(result->weight_bytes_per_token + result->cache_bytes_per_token) *
                                result->decode_tokens.median / result->read_bytes_per_s;
}

/* What loading, prompts and the first steps took at most. Later steps take no more. */
static void count_peaks(const bench *b)
{
    b->result->peak_host_bytes = core_peak_host_bytes();
    b->result->peak_device_bytes = 0;
    for (uint32_t d = 0; d < b->model->device_count; d++)
        b->result->peak_device_bytes += dev_memory_peak(b->model->devices[d]);
}

static oclm_status check(const model_model *model, const oclm_bench_options *options, uint32_t *limit)
{
    const uint32_t room = model->architecture.max_position_embeddings;
    const uint64_t decoding = (uint64_t)(options->depth ? options->depth : 1) + options->decode;
    const uint64_t need = decoding > options->prompt ? decoding : options->prompt;
    if (options->prompt == 0 && options->decode == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "nothing to measure: prompt and decode are both 0 tokens");
    if (options->repetitions == 0 || options->repetitions > MAX_REPETITIONS)
        return core_fail(OCLM_ERR_ARGUMENT, "repetitions is %u; it must be 1 to %u", options->repetitions, MAX_REPETITIONS);
    if (need > room)
        return core_fail(OCLM_ERR_ARGUMENT, "%u tokens of prefill, and %u decoded after %u cached ones, need %" PRIu64
                         " positions; the model allows %u (max_position_embeddings)",
                         options->prompt, options->decode, options->depth, need, room);
    *limit = need < 2 ? 2 : (uint32_t)need;
    return OCLM_OK;
}

oclm_status gen_bench(const model_model *model, const oclm_bench_options *options, oclm_bench_result *result)
{
    gen_config       greedy;
    bench            b = { .model = model, .options = options, .result = result };
    uint32_t         limit = 0;
    oclm_status      status;
    if ((status = check(model, options, &limit)) != OCLM_OK)
        return status;
    b.depth = options->depth ? options->depth : 1;
    b.prompt = core_alloc_array(limit, sizeof *b.prompt, "the prompt");
    b.ids = core_alloc_array(limit, sizeof *b.ids, "the new tokens");
    b.rates = core_alloc_array(options->repetitions, sizeof *b.rates, "the rates");
    b.reads = core_alloc_array(options->repetitions + 1, sizeof *b.reads, "the rates");
    if (!b.prompt || !b.ids || !b.rates || !b.reads) {
        status = OCLM_ERR_MEMORY;
        goto done;
    }
    gen_config_init(&greedy);
    const gen_loop_size size = { .prompts = 1, .ids = limit, .limit = limit };
    fill_prompt(b.prompt, limit, model->architecture.vocab_size);
    if ((status = measure_first_token(&b)) != OCLM_OK ||
        (status = dev_matmul_tune(model->device, &model->weights.storage)) != OCLM_OK ||
        (status = gen_loop_new(model, &greedy, &size, NULL, &b.loop)) != OCLM_OK || (status = measure_prefill(&b)) != OCLM_OK ||
        (status = begin_decode(&b)) != OCLM_OK)
        goto done;
    count_peaks(&b); /* now: the device's rate is read in a buffer larger than many models */
    if ((status = measure_decode(&b)) != OCLM_OK || (status = measure_matmul(&b)) != OCLM_OK || (status = profile(&b)) != OCLM_OK)
        goto done;
    count_bytes(&b);
done:
    gen_loop_free(b.loop);
    core_free(b.prompt);
    core_free(b.ids);
    core_free(b.rates);
    core_free(b.reads);
    return status;
}
