/* bench_offload.c: how fast a model decodes whose layers visit the device, beside the rate at which the device is written to.
 *
 * usage: bench_offload MODEL [ROUNDS [LINK]]      MODEL: a folder or a .gguf file
 *
 * The same model is loaded with all layers on the device; in host memory and on disk, copied to the device for each token; in host memory behind a
 * link of LINK GB/s (6: PCIe 3.0 with 8 lanes) that copies by itself, as a card's does (slow_link.h); and, where the device computes in the host's
 * memory, both in place. They take turns for ROUNDS (9); of each figure the best and the median of the rounds.
 *
 *   of copies     what the copies of a token take over what the token takes: the same units copied through the same slots, with nothing computed. So
 *                 it is copies / max(copies, computing) at most: 100 % where the link is the slower one, as it is on cards. A CPU copies with
 *                 the cores that compute, through the memory that they read, so there less than 100 % is left to reach without a link.
 *   of both       what both take where neither waits for the other, over what a token takes: the same copies in one queue, and in another the
 *                 steps of the model that lies on the device. Waits of one for the other are what is lost to it. More than 100 %: weights that
 *                 were just copied are read from the caches, those of the model on the device from memory.
 *   of resident   tokens a second over those of the model that lies on the device */
#include <stdio.h>
#include <stdlib.h>

#include "core/platform.h"
#include "model/forward.h"
#include "model/offload.h"
#include "slow_link.h"
#include "turns.h"

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
    bool             copies, link;
    model_model     *model;
    model_state     *state;
    dev_work        *decode, *copy; /* a token's pass; a visit of each unit with nothing to do */
    uint64_t         bytes;         /* that a token copies */
    bench_times      decoding, copying, both; /* of a token */
} way;

static way ways[] = {
    { .name = "on the device", .kind = MODEL_ON_DEVICE },
    { .name = "host memory, copied", .kind = MODEL_ON_CPU, .copies = true },
    { .name = "disk, copied", .kind = MODEL_ON_DISK, .copies = true },
    { .name = "host memory, link", .kind = MODEL_ON_CPU, .copies = true, .link = true },
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

static uint64_t copied_by(const way *w)
{
    const model_offload *offload = w->model->weights.offload;
    return offload != NULL ? dev_feed_copied(offload->feeds[0]) : 0;
}

/* Plays lists some times, each in the queue of its way; `beside` may be NULL. */
static void play(const way *w, const dev_work *work, const way *beside, bench_times *times)
{
    const double begin = core_seconds();
    for (int i = 0; i < DECODED; i++) {
        check(dev_work_enqueue(work, w->state->queue, NULL));
        if (beside != NULL)
            check(dev_work_enqueue(beside->decode, beside->state->queue, NULL));
    }
    check(dev_finish(w->state->queue));
    if (beside != NULL)
        check(dev_finish(beside->state->queue));
    bench_add(times, (core_seconds() - begin) / DECODED);
}

static void play_all(way *w, double link)
{
    const uint64_t before = copied_by(w);
    slow_link_set(w->link ? link : 0);
    play(w, w->decode, NULL, &w->decoding);
    w->bytes = (copied_by(w) - before) / DECODED;
    if (w->copy == NULL)
        return;
    play(w, w->copy, NULL, &w->copying);
    play(w, w->copy, &ways[0], &w->both);
}

static void print(const way *w)
{
    (void)printf("%-20s %9.2f", w->name, 1.0 / bench_median(&w->decoding));
    if (w->copy != NULL)
        (void)printf(" %12.2f %12.2f %6.0f %4.0f %% %6.0f %4.0f %%", (double)w->bytes / bench_median(&w->decoding) * 1e-9,
                     (double)w->bytes / bench_median(&w->copying) * 1e-9, 100 * bench_best_ratio(&w->decoding, &w->copying),
                     100 * bench_median_ratio(&w->decoding, &w->copying), 100 * bench_best_ratio(&w->decoding, &w->both),
                     100 * bench_median_ratio(&w->decoding, &w->both));
    else
        (void)printf(" %12s %12s %13s %13s", "", "", "", "");
    (void)printf(" %6.0f %4.0f %%\n", 100 * bench_best_ratio(&w->decoding, &ways[0].decoding),
                 100 * bench_median_ratio(&w->decoding, &ways[0].decoding));
}

int main(int argc, char **argv)
{
    const int    rounds = argc > 2 ? atoi(argv[2]) : 9;
    const double link = argc > 3 ? atof(argv[3]) : 6;
    if (argc < 2 || rounds < 1 || rounds > BENCH_MOST_ROUNDS || !(link > 0)) {
        (void)fprintf(stderr, "usage: bench_offload MODEL [ROUNDS [LINK]]\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT(ways); i++) {
        load(&ways[i], argv[1], i > 0 ? ways[0].model->architecture.layers : 0);
        record(&ways[i]);
    }
    for (int round = 0; round <= rounds; round++) {
        for (size_t i = 0; i < COUNT(ways); i++) {
            way *w = &ways[i];
            play_all(w, link * 1e9);
            if (round == 0) /* it wakes and maps */
                w->decoding.rounds = w->copying.rounds = w->both.rounds = 0;
        }
    }
    (void)printf("%-20s %9s %12s %12s %13s %13s %13s\n", "(median)", "tokens/s", "copied GB/s", "copying GB/s", "of copies", "of both",
                 "of resident");
    (void)printf("%-20s %9s %12s %12s %13s %13s %13s\n", "", "", "", "", "best med.", "best med.", "best med.");
    for (size_t i = 0; i < COUNT(ways); i++)
        print(&ways[i]);
    for (size_t i = 0; i < COUNT(ways); i++) {
        dev_work_free(ways[i].copy);
        dev_work_free(ways[i].decode);
        model_state_free(ways[i].state);
        model_free(ways[i].model);
    }
    return 0;
}
