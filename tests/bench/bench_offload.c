/* bench_offload.c: how fast a model decodes whose layers visit the device, beside the rate at which the device is written to.
 *
 * usage: bench_offload MODEL [ROUNDS]      MODEL: a folder or a .gguf file
 *
 * The same model is loaded with all layers on the device; in host memory and on disk, copied to the device for each token; and, where the
 * device computes in the host's memory, both in place. They take turns, the best of ROUNDS (5) counts:
 *   of copies     bytes copied a second while decoding, over those of copying the same units and computing nothing, through the same slots
 *   of resident   tokens a second over those of the model that lies on the device */
#include <stdio.h>
#include <stdlib.h>

#include "core/platform.h"
#include "model/forward.h"
#include "model/offload.h"

#define DECODED 8

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "bench_offload: %s\n", oclm_last_error());
    exit(1);
}

typedef struct way {
    const char      *name;
    model_place_kind kind;
    bool             copies;
    model_model     *model;
    model_state     *state;
    dev_work        *decode, *copy; /* a token's pass; a visit of each unit with nothing to do */
    double           tokens_per_s, copied_per_s, copies_per_s; /* the best so far */
} way;

static way ways[] = {
    { .name = "on the device", .kind = MODEL_ON_DEVICE },
    { .name = "host memory, copied", .kind = MODEL_ON_CPU, .copies = true },
    { .name = "disk, copied", .kind = MODEL_ON_DISK, .copies = true },
    { .name = "host memory", .kind = MODEL_ON_CPU },
    { .name = "disk", .kind = MODEL_ON_DISK },
};

static void load(way *w, const char *folder, uint32_t layers)
{
    dev_device        *device = NULL;
    model_place       *places = core_alloc_zero(layers + 1, sizeof *places, "the places of layers");
    model_placement    placement = { .device_count = 1, .layer_count = layers, .layers = places };
    model_load_options options = { .offload_copies = w->copies, .placement = w->kind != MODEL_ON_DEVICE ? &placement : NULL };
    if (places == NULL)
        exit(1);
    for (uint32_t i = 0; i < layers; i++)
        places[i].kind = w->kind;
    check(dev_open(NULL, &device));
    check(model_load(folder, &device, 1, &options, &w->model));
    core_free(places);
}

static void record(way *w)
{
    const model_state_options options = { .sequences = 1, .max_positions = 256, .max_rows = 1 };
    const model_offload      *offload;
    dev_work                 *inner = NULL;
    check(model_state_new(w->model, &options, &w->state));
    check(dev_work_new(w->model->device, &w->decode));
    check(model_record_decode(w->state, w->decode, 1, 256));
    check(model_decode_begin(w->state, 1, 256));
    if ((offload = w->model->weights.offload) == NULL || dev_feed_slots(offload->feeds[0]) == 0)
        return;
    check(dev_work_new(w->model->device, &w->copy));
    for (uint32_t i = 0; i < w->model->weights.layer_count; i++)
        check(model_offload_begin(offload, w->copy, MODEL_KEPT_LAYERS + i, false, &inner));
}

/* Plays a list some times. `rate`: times a second; `copied`: bytes a second. */
static void play(const way *w, const dev_work *work, double *rate, double *copied)
{
    const model_offload *offload = w->model->weights.offload;
    const uint64_t       before = offload != NULL ? dev_feed_copied(offload->feeds[0]) : 0;
    const double         begin = core_seconds();
    for (int i = 0; i < DECODED; i++)
        check(dev_work_enqueue(work, w->state->queue, NULL));
    check(dev_finish(w->state->queue));
    const double seconds = core_seconds() - begin, bytes = offload != NULL ? (double)(dev_feed_copied(offload->feeds[0]) - before) : 0.0;
    *rate = DECODED / seconds > *rate ? DECODED / seconds : *rate;
    *copied = bytes / seconds > *copied ? bytes / seconds : *copied;
}

int main(int argc, char **argv)
{
    const int rounds = argc > 2 ? atoi(argv[2]) : 5;
    double    unused = 0.0;
    if (argc < 2 || rounds < 1) {
        (void)fprintf(stderr, "usage: bench_offload MODEL [ROUNDS]\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT(ways); i++) {
        load(&ways[i], argv[1], i > 0 ? ways[0].model->architecture.layers : 0);
        record(&ways[i]);
    }
    for (int round = 0; round <= rounds; round++) { /* the first wakes and maps */
        for (size_t i = 0; i < COUNT(ways); i++) {
            way *w = &ways[i];
            if (round == 1)
                w->tokens_per_s = w->copied_per_s = w->copies_per_s = 0.0;
            play(w, w->decode, &w->tokens_per_s, &w->copied_per_s);
            if (w->copy != NULL)
                play(w, w->copy, &unused, &w->copies_per_s);
        }
    }
    (void)printf("%-20s %10s %12s %12s %10s %12s\n", "", "tokens/s", "copied GB/s", "copying GB/s", "of copies", "of resident");
    for (size_t i = 0; i < COUNT(ways); i++) {
        const way *w = &ways[i];
        (void)printf("%-20s %10.2f", w->name, w->tokens_per_s);
        if (w->copy != NULL)
            (void)printf(" %12.2f %12.2f %8.0f %%", w->copied_per_s * 1e-9, w->copies_per_s * 1e-9, 100.0 * w->copied_per_s / w->copies_per_s);
        else
            (void)printf(" %12s %12s %10s", "", "", "");
        (void)printf(" %10.0f %%\n", 100.0 * w->tokens_per_s / ways[0].tokens_per_s);
    }
    for (size_t i = 0; i < COUNT(ways); i++) {
        dev_work_free(ways[i].copy);
        dev_work_free(ways[i].decode);
        model_state_free(ways[i].state);
        model_free(ways[i].model);
    }
    return 0;
}
