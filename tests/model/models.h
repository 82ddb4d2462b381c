/* models.h: for tests that run a model: opens devices, loads folders, and computes logits in one call. */
#ifndef OCLM_TESTS_MODEL_MODELS_H
#define OCLM_TESTS_MODEL_MODELS_H

#include <stdlib.h>
#include <string.h>

#include "device/devices.h"

#include "model/forward.h"

/* A piece of a batch whose ids are on the host. */
#define PIECE(which, from, number, host_ids) { .sequence = (which), .first = (from), .count = (number), .ids = (host_ids) }

/* Where a test runs: model_load() takes a device over, so each load opens one. */
typedef struct place {
    char spec[24];
    bool slow;        /* a software renderer: keep to the smaller cases */
    bool interpreted; /* OCLM_TEST_QUICK is set (tests/oclgrind.sh): a row of a tiny model takes a second */
} place;

/* A list of golden ids; how many. */
static inline uint32_t models_read_ids(const cJSON *list, int32_t *ids, uint32_t most)
{
    uint32_t count = 0;
    for (const cJSON *id = list->child; id != NULL; id = id->next) {
        assert_in_range(count, 0, most - 1);
        ids[count++] = (int32_t)id->valuedouble;
    }
    return count;
}

typedef void (*models_visit)(const place *where, void *user);

static inline void models_each_device(models_visit visit, void *user)
{
    dev_list *list = NULL;
    size_t    visited = 0;
    assert_ok(dev_list_new(&list));
    for (size_t i = 0; i < list->count; i++) {
        place where;
        if (list->entries[i].info.unusable)
            continue;
        snprintf(where.spec, sizeof where.spec, "%zu", i);
        where.interpreted = getenv("OCLM_TEST_QUICK") != NULL;
        where.slow = where.interpreted || list->entries[i].info.software;
        print_message("    on %s: %s\n", list->entries[i].info.platform_name, list->entries[i].info.name);
        visit(&where, user);
        visited++;
    }
    dev_list_free(list);
    if (visited == 0)
        fail_msg("no usable OpenCL device: a test needs one (apt install pocl-opencl-icd)");
}

static inline dev_device *models_open(const place *where, uint64_t budget_bytes)
{
    const dev_open_options options = { .spec = where->spec, .budget_bytes = budget_bytes };
    dev_device *device = NULL;
    assert_ok(dev_open(&options, &device));
    return device;
}

/* On one device, which is taken over, also where this fails. */
static inline oclm_status models_load_on(const char *path, dev_device *device, const model_load_options *options, model_model **model)
{
    const oclm_status status = model_load(path, &device, 1, options, model);
    if (status != OCLM_OK)
        dev_close(device);
    return status;
}

static inline model_model *models_load(const char *path, const place *where, oclm_dtype dtype)
{
    model_model *model = NULL;
    if (models_load_on(path, models_open(where, 0), &(model_load_options){ .dtype = dtype }, &model) != OCLM_OK)
        fail_msg("%s: %s", path, oclm_last_error());
    return model;
}

static inline model_state *models_state(const model_model *model, uint32_t sequences, uint32_t positions, uint32_t rows)
{
    const model_state_options options = { .sequences = sequences, .max_positions = positions, .max_rows = rows, .max_logit_rows = rows };
    model_state *state = NULL;
    assert_ok(model_state_new(model, &options, &state));
    return state;
}

/* Reads `rows` rows of the last pass's logits, from row `first` on, without padding. */
static inline void models_read_logits(const model_state *state, uint32_t first, uint32_t rows, float *logits)
{
    const uint32_t vocab = state->model->architecture.vocab_size;
    for (uint32_t i = 0; i < rows; i++)
        assert_ok(dev_buffer_read(state->queue, &state->logits, (size_t)(first + i) * state->logits_stride * sizeof(float),
                                  logits + (size_t)i * vocab, vocab * sizeof(float)));
}

/* All logits of ids that follow what sequence 0 holds, in pieces of at most `step` rows. */
static inline void models_logits(model_state *state, const int32_t *ids, uint32_t count, uint32_t step, float *logits)
{
    const uint32_t before = state->cache.lengths[0];
    if (before == 0)
        model_state_expect(state, count);
    for (uint32_t done = 0; done < count;) {
        const uint32_t    rows = count - done < step ? count - done : step;
        const model_piece piece = { .sequence = 0, .first = before + done, .count = rows, .ids = ids + done };
        assert_ok(model_forward(state, &piece, 1, MODEL_LOGITS_ALL));
        models_read_logits(state, 0, rows, logits + (size_t)done * state->model->architecture.vocab_size);
        done += rows;
    }
}

static inline void models_rewind(model_state *state)
{
    for (uint32_t i = 0; i < state->cache.sequences; i++)
        model_decode_end(state, i, 0);
}

static inline int32_t models_best(const float *logits, uint32_t vocab)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < vocab; i++)
        best = logits[i] > logits[best] ? i : best;
    return (int32_t)best;
}

#endif
