/* bench_families.c: how fast each family decodes, by the bytes of weights it reads for a token, beside llama of the same size.
 *
 * usage: bench_families [--launches] [NAME]...      folders of tests/golden/families; without: the first of each family
 *
 * A model is the golden one's config.json with larger sizes and weights of noise (noise_model.h), loaded as float32; of experts, those count that a
 * token chooses. The llama beside it has as many layers, and an MLP as wide as it takes to read as many bytes for a token: what a token costs beside
 * its weights, and what of these a cache keeps, would count for the larger of two. A step is the pass alone, without a choice of tokens.
 * The two take turns, a few steps each; in each round the family's bytes a second are a share of llama's, and the median of all rounds is printed,
 * so that both see the same machine. A line: family, layers, bytes a token, launches of a step (llama's), time of a step, bytes a second, the
 * share, and a quarter of rounds below and above. Where nothing else runs, the median repeats within 0.03;
 * when the machine's memory is slower, shares come closer to 1, because what launches and waits cost counts for less. At the end: the lowest.
 * --launches: the time of each kernel too, of the family's step and of llama's. */
#include "noise_model.h"
#include "turns.h"
#include "core/log.h"
#include "device/profile.h"
#include "model/forward.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/families"
#define POSITION 64u
#define ROUNDS 49
#define STEPS 12 /* of a turn */
#define LOW 0.9

#define WIDTH_BYTES (3 * NOISE_HIDDEN * sizeof(float)) /* that each layer of a llama reads for a unit of its MLP's width */

/* A model that decodes. */
typedef struct runner {
    model_model *model;
    model_state *state;
    dev_work    *step;
    double       bytes;   /* of weights that a step reads */
    double       seconds; /* of the latest turn's steps, each */
} runner;

static runner start(const cJSON *config)
{
    const model_state_options options = { .sequences = 1, .max_positions = POSITION + 1, .max_rows = POSITION };
    char        folder[] = "/tmp/oclm-bench-XXXXXX";
    runner      r = { 0 };
    dev_device *device = NULL;
    int32_t     ids[POSITION];
    make_noise_model(folder, config);
    check(dev_open(&(dev_open_options){ 0 }, &device));
    const oclm_status loaded = model_load(folder, &device, 1, &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &r.model);
    remove_folder(folder);
    check(loaded);
    r.bytes = (double)(r.model->weights.sizes.bytes - r.model->weights.sizes.unread);
    for (uint32_t i = 0; i < POSITION; i++)
        ids[i] = (int32_t)(7 * i % 60);
    const model_piece piece = { .sequence = 0, .first = 0, .count = POSITION, .ids = ids };
    check(model_state_new(r.model, &options, &r.state));
    check(model_forward(r.state, &piece, 1, MODEL_LOGITS_NONE));
    check(model_decode_begin(r.state, 1, POSITION + 1));
    check(dev_work_new(device, &r.step));
    check(model_record_decode(r.state, r.step, 1, POSITION + 1));
    return r;
}

static void stop(runner *r)
{
    dev_work_free(r->step);
    model_state_free(r->state);
    model_free(r->model);
}

static void take_turn(runner *r)
{
    check(dev_work_enqueue(r->step, r->state->queue, NULL)); /* what the other's turn has left in caches is gone now */
    check(dev_finish(r->state->queue));
    const double begin = core_seconds();
    for (int i = 0; i < STEPS; i++)
        check(dev_work_enqueue(r->step, r->state->queue, NULL));
    check(dev_finish(r->state->queue));
    r->seconds = (core_seconds() - begin) / STEPS;
}

/* ---- Two beside each other */

static cJSON *golden_config(const char *name)
{
    char   path[512];
    cJSON *config;
    snprintf(path, sizeof path, "%s/%s/config.json", GOLDEN, name);
    check(core_json_read_file(path, 1u << 20, &config));
    cJSON *text = cJSON_DetachItemFromObjectCaseSensitive(config, "text_config");
    if (text != NULL) {
        cJSON_Delete(config);
        config = text;
    }
    enlarge(config);
    return config;
}

/* One that reads as many bytes: the first tells how many there are beside what its width makes. */
static runner start_llama(uint32_t layers, double bytes)
{
    cJSON *const config = golden_config("llama"), *const width = cJSON_GetObjectItemCaseSensitive(config, "intermediate_size");
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(config, "num_hidden_layers"), layers);
    cJSON_SetNumberValue(width, 64);
    runner       r = start(config);
    const double more = (bytes - r.bytes) / (double)(layers * WIDTH_BYTES);
    if (more >= 32) {
        stop(&r);
        cJSON_SetNumberValue(width, 64 + 32 * (double)(uint32_t)(more / 32));
        r = start(config);
    }
    cJSON_Delete(config);
    return r;
}

/* The share of each round, sorted. */
static void measure(runner *family, runner *llama, double shares[ROUNDS], bench_times *times)
{
    for (int i = 0; i < ROUNDS; i++) {
        take_turn(i % 2 ? family : llama);
        take_turn(i % 2 ? llama : family);
        shares[i] = family->bytes / family->seconds / (llama->bytes / llama->seconds);
        bench_add(times, family->seconds);
    }
    qsort(shares, ROUNDS, sizeof *shares, bench_smaller_first);
}

static void print_line(oclm_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    (void)printf("    %s\n", text);
}

static void print_launches(const runner *r)
{
    core_log_set(print_line, NULL, OCLM_LOG_DEBUG);
    check(dev_work_profile(r->step));
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
}

static double compare(const char *name, bool launches)
{
    cJSON       *config = golden_config(name);
    runner       family = start(config), llama = start_llama(family.model->architecture.layers, family.bytes);
    double       shares[ROUNDS];
    bench_times  times = { .rounds = 0 };
    measure(&family, &llama, shares, &times);
    const double seconds = bench_median(&times);
    (void)printf("%-18s %2u layers  %6.1f MB  %2zu (%zu) launches  %6.3f ms  %5.1f GB/s  share %.2f  (%.2f to %.2f)%s\n", name,
                 family.model->architecture.layers, family.bytes / 1e6, dev_work_count(family.step), dev_work_count(llama.step), 1e3 * seconds,
                 family.bytes / seconds / 1e9, shares[ROUNDS / 2], shares[ROUNDS / 4], shares[ROUNDS - 1 - ROUNDS / 4],
                 shares[ROUNDS / 2] < LOW ? "  LOW" : "");
    if (launches) {
        print_launches(&family);
        print_launches(&llama);
    }
    (void)fflush(stdout);
    stop(&family);
    stop(&llama);
    cJSON_Delete(config);
    return shares[ROUNDS / 2];
}

/* ---- Which */

typedef struct list {
    char   names[512][64];
    size_t count;
} list;

static bool add_name(const char *name, void *user)
{
    list *l = user;
    if (name[0] != '.' && strchr(name, '-') == NULL && l->count < COUNT(l->names))
        snprintf(l->names[l->count++], sizeof l->names[0], "%.63s", name);
    return true;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

int main(int argc, char **argv)
{
    static list all;
    double      lowest = 0;
    size_t      which = 0, low = 0;
    const bool  launches = argc > 1 && strcmp(argv[1], "--launches") == 0;
    for (int i = launches ? 2 : 1; i < argc && all.count < COUNT(all.names); i++)
        snprintf(all.names[all.count++], sizeof all.names[0], "%.63s", argv[i]);
    if (all.count == 0) {
        check(core_folder_list(GOLDEN, add_name, &all));
        qsort(all.names, all.count, sizeof all.names[0], by_name);
    }
    for (size_t i = 0; i < all.count; i++) {
        const double share = compare(all.names[i], launches);
        low += share < LOW;
        if (i == 0 || share < lowest)
            lowest = share, which = i;
    }
    (void)printf("%zu families, %zu of them below %.2f of llama; the lowest: %s, %.2f\n", all.count, low, LOW, all.names[which], lowest);
    return low > 0;
}
