/* sample_bench.h: for tests of the sampler: a sampler with the buffers that a model's state would give it. Rows of logits lie apart
 * with NaN between them: NaN counts as the largest, so whoever reads it shows. */
#ifndef OCLM_TESTS_CL_SAMPLE_BENCH_H
#define OCLM_TESTS_CL_SAMPLE_BENCH_H

#include "cl/matrices.h"
#include "generation/sampler.h"
#include "cl/both_ways.h"

#define PADDING 3u
#define HISTORY 16u /* ids of a row that are kept */

/* What is off in a configuration, for initialisers; what follows wins. */
#define OFF                                                                                                                                    \
    .guidance_scale = 1.0f, .encoder_repetition_penalty = 1.0f, .repetition_penalty = 1.0f, .forced_bos_token_id = -1,                         \
    .exponential_decay_start = OCLM_UNSET, .exponential_decay_factor = 1.0f, .top_h = NAN, .min_p = NAN, .typical_p = 1.0f, .min_keep = 1

typedef struct bench {
    dev_device     *device;
    gen_processors *processors;
    gen_sampler     sampler;
    dev_buffer      logits, ids, positions, history, lengths;
    dev_work       *work;
    uint32_t        rows, vocab, stride;
} bench;

static inline void open_bench(bench *b, dev_device *device, const gen_config *config, uint32_t rows, uint32_t vocab, uint32_t ring)
{
    *b = (bench){ .device = device, .rows = rows, .vocab = vocab, .stride = vocab + PADDING };
    int32_t *positions = core_alloc_array(rows, sizeof *positions, "positions");
    assert_non_null(positions);
    for (uint32_t r = 0; r < rows; r++)
        positions[r] = (int32_t)(10 * r);
    assert_ok(dev_buffer_new_zero(device, dev_queue(device), (size_t)rows * HISTORY * sizeof(int32_t), "history", &b->history));
    assert_ok(dev_buffer_new_zero(device, dev_queue(device), rows * sizeof(uint32_t), "lengths", &b->lengths));
    const gen_rows shape = { .rows = rows, .vocab = vocab, .stride = b->stride, .history_stride = HISTORY, .history = b->history, .lengths = b->lengths };
    assert_ok(gen_processors_new(device, dev_queue(device), config, &shape, &b->processors));
    gen_parts_share(gen_processors_parts(b->processors), device, sharing_group);
    assert_ok(gen_sampler_new(device, dev_queue(device), config, &shape, b->processors, ring, &b->sampler));
    b->logits = new_nan_buffer(device, (size_t)rows * b->stride);
    assert_ok(dev_buffer_new(device, rows * sizeof(int32_t), "ids", &b->ids));
    assert_ok(dev_buffer_new(device, rows * sizeof(int32_t), "positions", &b->positions));
    assert_ok(dev_buffer_write(dev_queue(device), &b->positions, 0, positions, rows * sizeof(int32_t)));
    assert_ok(dev_work_new(device, &b->work));
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST; stage++)
        assert_ok(gen_processors_add(b->processors, b->work, (gen_stage)stage, &b->logits));
    assert_ok(gen_sampler_add(&b->sampler, b->work, &b->logits, &b->ids, &b->positions, true));
    core_free(positions);
}

static inline void close_bench(bench *b)
{
    dev_work_free(b->work);
    dev_buffer_free(b->device, &b->logits);
    dev_buffer_free(b->device, &b->ids);
    dev_buffer_free(b->device, &b->positions);
    dev_buffer_free(b->device, &b->history);
    dev_buffer_free(b->device, &b->lengths);
    gen_sampler_free(b->device, &b->sampler);
    gen_processors_free(b->processors);
}

/* One step: row r gets values + r * step, where step 0 repeats them. */
static inline void choose(bench *b, const float *values, size_t step)
{
    for (uint32_t r = 0; r < b->rows; r++)
        assert_ok(dev_buffer_write(dev_queue(b->device), &b->logits, (size_t)r * b->stride * sizeof(float), values + r * step,
                                   b->vocab * sizeof(float)));
    run_work(b->device, b->work);
}

static inline int32_t *read_ints(dev_device *device, const dev_buffer *buffer) { return (int32_t *)(void *)read_floats(device, buffer); }

#endif
