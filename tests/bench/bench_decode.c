/* bench_decode.c: what a decoding step costs for one row and for several, and where its time goes.
 *
 * usage: bench_decode MODEL [ROWS[,ROWS..]] [--launches] [--single]
 *
 * A step is the pass alone, without a choice of tokens, always at the same position. Numbers of rows take turns, and the fastest round of each
 * counts, so that all see the same machine. A line: rows, launches, time of a step, tokens per second, how many times one row's, and
 * the weights read per second as a share of the device's read rate in the same run. --launches: the time of each kernel too.
 * --single: a launch for each step of a layer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "device/profile.h"
#include "model/forward.h"

#define MOST_KINDS 16
#define STEPS 12
#define ROUNDS 6
#define POSITION 64u
#define READ_BYTES ((size_t)512 << 20)

typedef struct kind {
    uint32_t     rows;
    model_state *state;
    dev_work    *work;
    double       seconds; /* of a step, the best so far */
} kind;

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "bench_decode: %s\n", oclm_last_error());
    exit(1);
}

static void print_line(oclm_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    (void)printf("    %s\n", text);
}

static void prepare(const model_model *model, kind *k, bool single)
{
    const model_state_options options = { .sequences = k->rows, .max_positions = POSITION + 1, .max_rows = k->rows * POSITION };
    int32_t *ids = calloc(POSITION, sizeof *ids);
    check(model_state_new(model, &options, &k->state));
    k->state->step_by_step = single;
    for (uint32_t row = 0; row < k->rows; row++) {
        for (uint32_t i = 0; i < POSITION; i++)
            ids[i] = (int32_t)((7 * i + 13 * row) % 60);
        const model_piece piece = { .sequence = row, .first = 0, .count = POSITION, .ids = ids };
        check(model_forward(k->state, &piece, 1, MODEL_LOGITS_NONE));
    }
    check(model_decode_begin(k->state, k->rows, POSITION + 1));
    check(dev_work_new(model->device, &k->work));
    check(model_record_decode(k->state, k->work, k->rows, POSITION + 1));
    check(dev_work_enqueue(k->work, k->state->queue, NULL));
    check(dev_finish(k->state->queue));
    free(ids);
}

static void measure(kind *k)
{
    const double begin = core_seconds();
    for (int i = 0; i < STEPS; i++)
        check(dev_work_enqueue(k->work, k->state->queue, NULL));
    check(dev_finish(k->state->queue));
    const double seconds = (core_seconds() - begin) / STEPS;
    if (k->seconds == 0 || seconds < k->seconds)
        k->seconds = seconds;
}

int main(int argc, char **argv)
{
    kind         kinds[MOST_KINDS] = { { 0 } };
    size_t       count = 0;
    bool         launches = false, single = false;
    const char  *rows = "1,4,8";
    dev_device  *device = NULL;
    model_model *model = NULL;
    double       rate = 0, again = 0;
    for (int i = 2; i < argc; i++) {
        launches = launches || strcmp(argv[i], "--launches") == 0;
        single = single || strcmp(argv[i], "--single") == 0;
        rows = argv[i][0] != '-' ? argv[i] : rows;
    }
    for (const char *at = rows; at != NULL && count < MOST_KINDS; at = strchr(at, ','), at = at != NULL ? at + 1 : NULL)
        kinds[count++].rows = (uint32_t)strtoul(at, NULL, 10);
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_decode MODEL [ROWS[,ROWS..]] [--launches] [--single]\n");
        return 2;
    }
    check(dev_open(&(dev_open_options){ 0 }, &device));
    check(model_load(argv[1], &device, 1, &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model));
    for (size_t i = 0; i < count; i++)
        prepare(model, &kinds[i], single);
    check(dev_measure_read(device, READ_BYTES, &rate));
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++)
            measure(&kinds[i]);
    check(dev_measure_read(device, READ_BYTES, &again));
    rate = again > rate ? again : rate;
    const double bytes = (double)(model->weights.sizes.bytes - model->weights.sizes.unread);
    (void)printf("%s on %s, %.1f MB of weights a step, read rate %.1f GB/s\n", argv[1], dev_get_traits(device)->info.name, bytes / 1e6, rate / 1e9);
    for (size_t i = 0; i < count; i++) {
        const kind *k = &kinds[i];
        (void)printf("%3" PRIu32 " rows  %3zu launches  %8.3f ms  %7.1f tokens/s  %5.2f of one row's  %3.0f %% of the read rate\n", k->rows,
                     dev_work_count(k->work), 1e3 * k->seconds, k->rows / k->seconds, k->rows * kinds[0].seconds / k->seconds / kinds[0].rows,
                     100 * bytes / k->seconds / rate);
    }
    for (size_t i = 0; i < count; i++) {
        if (launches) {
            core_log_set(print_line, NULL, OCLM_LOG_DEBUG);
            check(dev_work_profile(kinds[i].work));
            core_log_set(NULL, NULL, OCLM_LOG_ERROR);
        }
        dev_work_free(kinds[i].work);
        model_state_free(kinds[i].state);
    }
    model_free(model);
    return 0;
}
