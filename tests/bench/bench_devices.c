/* bench_devices.c: what a second device costs that is like the first: a model over both beside the same on one.
 *
 * usage: POCL_DEVICES="pthread pthread" bench_devices MODEL [ROUNDS]      MODEL: a folder or a .gguf file
 *
 * The first half of the layers lies on device 0, the second on device 1. One device and both take turns for ROUNDS (15). Of each figure the best
 * and the median of the rounds, as one device's rate over both's:
 *   decode    a step of one sequence, the pass alone. Nothing can overlap: what both lose is what a hop costs, and that each has its own launches
 *   prompt    PROMPT tokens in chunks of CHUNK rows: while the second device has one chunk, the first has the next. Where both devices are the
 *             same cores nothing can be gained; devices of their own would come near half of the time */
#include <stdio.h>
#include <stdlib.h>

#include "core/platform.h"
#include "model/forward.h"
#include "turns.h"

#define STEPS    12
#define POSITION 64u
#define PROMPT   1024u
#define CHUNK    128u

typedef struct way {
    const char  *name;
    uint32_t     devices;
    model_model *model;
    model_state *state;
    dev_work    *decode;
    bench_times  decoding, prompt;
} way;

static way ways[] = { { .name = "one device", .devices = 1 }, { .name = "two devices", .devices = 2 } };

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "bench_devices: %s\n", oclm_last_error());
    exit(1);
}

static void load(way *w, dev_device **devices, const char *folder, uint32_t layers)
{
    model_place    *places = calloc(layers + 1, sizeof *places);
    model_placement placement = { .device_count = 2, .layer_count = layers, .layers = places };
    if (places == NULL)
        exit(1);
    for (uint32_t i = 0; i < layers; i++)
        places[i].device = i >= layers / 2;
    const model_load_options options = { .placement = w->devices > 1 ? &placement : NULL };
    check(model_load(folder, devices, w->devices, &options, &w->model));
    free(places);
}

static void read_prompt(way *w)
{
    static int32_t ids[CHUNK];
    for (uint32_t first = 0; first < PROMPT; first += CHUNK) {
        for (uint32_t i = 0; i < CHUNK; i++)
            ids[i] = (int32_t)((7 * (first + i)) % 60);
        const model_piece piece = { .sequence = 0, .first = first, .count = CHUNK, .ids = ids };
        check(model_forward(w->state, &piece, 1, first + CHUNK < PROMPT ? MODEL_LOGITS_NONE : MODEL_LOGITS_LAST));
    }
    check(model_finish(w->state));
}

static void record(way *w)
{
    const model_state_options options = { .sequences = 1, .max_positions = PROMPT + 1, .max_rows = CHUNK };
    check(model_state_new(w->model, &options, &w->state));
    read_prompt(w);
    model_truncate(w->state, 0, POSITION);
    check(dev_work_new(w->model->device, &w->decode));
    check(model_record_decode(w->state, w->decode, 1, POSITION + 1));
}

static void measure(way *w)
{
    double begin = core_seconds();
    model_truncate(w->state, 0, 0);
    read_prompt(w);
    bench_add(&w->prompt, core_seconds() - begin);
    model_truncate(w->state, 0, POSITION);
    check(model_decode_begin(w->state, 1, POSITION + 1));
    check(dev_work_enqueue(w->decode, w->state->queue, NULL));
    check(model_finish(w->state));
    begin = core_seconds();
    for (int i = 0; i < STEPS; i++)
        check(dev_work_enqueue(w->decode, w->state->queue, NULL));
    check(model_finish(w->state));
    bench_add(&w->decoding, (core_seconds() - begin) / STEPS);
}

int main(int argc, char **argv)
{
    const int   rounds = argc > 2 ? atoi(argv[2]) : 15;
    dev_device *one = NULL, *two[2] = { NULL, NULL };
    if (argc < 2 || rounds < 1 || rounds > BENCH_MOST_ROUNDS) {
        (void)fprintf(stderr, "usage: bench_devices MODEL [ROUNDS]\n");
        return 2;
    }
    check(dev_open(NULL, &one));
    for (int i = 0; i < 2; i++)
        check(dev_open(&(dev_open_options){ .spec = i == 0 ? "0" : "1" }, &two[i]));
    load(&ways[0], &one, argv[1], 0);
    load(&ways[1], two, argv[1], ways[0].model->architecture.layers);
    for (size_t i = 0; i < COUNT(ways); i++)
        record(&ways[i]);
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < COUNT(ways); i++)
            measure(&ways[(i + (size_t)round) % COUNT(ways)]);
    }
    (void)printf("%-12s %12s %12s %16s %16s\n", "(best)", "decode", "prompt", "decode", "prompt");
    (void)printf("%-12s %12s %12s %16s %16s\n", "", "tokens/s", "tokens/s", "best med.", "best med.");
    for (size_t i = 0; i < COUNT(ways); i++) {
        const way *w = &ways[i];
        (void)printf("%-12s %12.1f %12.1f %9.1f %4.1f %% %9.1f %4.1f %%\n", w->name, 1 / bench_best(&w->decoding), PROMPT / bench_best(&w->prompt),
                     100 * bench_best_ratio(&w->decoding, &ways[0].decoding), 100 * bench_median_ratio(&w->decoding, &ways[0].decoding),
                     100 * bench_best_ratio(&w->prompt, &ways[0].prompt), 100 * bench_median_ratio(&w->prompt, &ways[0].prompt));
        dev_work_free(w->decode);
        model_state_free(w->state);
        model_free(w->model);
    }
    return 0;
}
