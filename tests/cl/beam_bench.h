/* beam_bench.h: for tests of beams: a search with the buffers that a model's state would give it, scores from the test. */
#ifndef OCLM_TESTS_CL_BEAM_BENCH_H
#define OCLM_TESTS_CL_BEAM_BENCH_H

#include "cl/launches.h"
#include "generation/beams.h"
#include "cl/both_ways.h"

#define PADDING 3u /* floats behind a row of scores: not a number, which is larger than all */

typedef struct beam_bench {
    dev_device    *device;
    gen_beams      beams;
    dev_buffer     scores, ids, positions, history, lengths;
    uint32_t       width; /* of the history */
    gen_beams_rows rows;
    dev_work      *choice, *step;
} beam_bench;

static inline dev_buffer filled_ints(dev_device *device, size_t count, int32_t value)
{
    int32_t *values = core_alloc_array(count, sizeof *values, "integers");
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    const dev_buffer buffer = new_bytes(device, values, count * sizeof *values);
    core_free(values);
    return buffer;
}

/* Prompts of `length` zeros; positions stand behind them. */
static inline void beam_open(beam_bench *b, dev_device *device, const gen_config *config, uint32_t prompts, uint32_t vocab, uint32_t part)
{
    *b = (beam_bench){ .device = device, .width = config->limit };
    assert_ok(gen_beams_new(device, dev_queue(device), config, prompts, vocab, vocab + PADDING, false, &b->beams));
    const uint32_t rows = b->beams.rows, lists = b->beams.rows * b->beams.count * (uint32_t)sizeof(uint64_t);
    b->beams.group = sharing_group > 1 && devices_is_slow(device) ? 16 : sharing_group; /* barriers are what takes oclgrind its time */
    b->beams.group = b->beams.group <= dev_get_traits(device)->max_group ? b->beams.group : 1;
    b->beams.part = part;
    b->beams.parts = (vocab + part - 1) / part;
    dev_buffer_free(device, &b->beams.lists);
    assert_ok(dev_buffer_new(device, (size_t)lists * b->beams.parts, "lists", &b->beams.lists));
    b->ids = filled_ints(device, (size_t)b->beams.copies * rows, -1);
    b->positions = filled_ints(device, (size_t)b->beams.copies * rows, (int32_t)config->prompt_length - 1);
    b->lengths = filled_ints(device, rows, (int32_t)config->prompt_length);
    b->history = filled_ints(device, (size_t)rows * b->width, 0);
    b->scores = new_nan_buffer(device, (size_t)rows * (vocab + PADDING));
    b->rows = (gen_beams_rows){ &b->ids, &b->positions, &b->history, &b->lengths, b->width };
    assert_ok(dev_work_new(device, &b->choice));
    assert_ok(dev_work_new(device, &b->step));
    assert_ok(gen_beams_add_choice(&b->beams, b->choice, &b->scores));
    assert_ok(gen_beams_add_step(&b->beams, b->step, &b->rows, true));
}

static inline void beam_close(beam_bench *b)
{
    dev_work_free(b->choice);
    dev_work_free(b->step);
    dev_buffer_free(b->device, &b->scores);
    dev_buffer_free(b->device, &b->ids);
    dev_buffer_free(b->device, &b->positions);
    dev_buffer_free(b->device, &b->history);
    dev_buffer_free(b->device, &b->lengths);
    gen_beams_free(b->device, &b->beams);
}

/* Sends rows of `vocab` scores. */
static inline void beam_send(beam_bench *b, const float *scores)
{
    dev_buffer_free(b->device, &b->scores); /* one write of all: see new_rows() */
    b->scores = new_rows(b->device, scores, b->beams.rows, b->beams.vocab, b->beams.stride, 0);
    dev_work_free(b->choice);
    assert_ok(dev_work_new(b->device, &b->choice));
    assert_ok(gen_beams_add_choice(&b->beams, b->choice, &b->scores));
}

#define READ_ALL(b, buffer, array)                                                                                                     \
    do {                                                                                                                               \
        assert_in_range((buffer)->bytes, 1, sizeof(array));                                                                            \
        assert_ok(dev_buffer_read(dev_queue((b)->device), buffer, 0, array, (buffer)->bytes));                                         \
    } while (0)

static inline gen_beams_control beam_control(beam_bench *b)
{
    gen_beams_control control;
    assert_ok(dev_buffer_read(dev_queue(b->device), &b->beams.control, 0, &control, sizeof control));
    return control;
}

#endif
