/* test_split.c: one model over 2, 3 and 4 devices, with layers in host memory and on disk among them: the ids of one device, greedy and of beams, and
 * logits with the bits of one device's, however a prompt is cut, behind a fork and a copy, and in a cache of 8 bits.
 *
 * The devices are those that there are, at most four, unlike ones first; with fewer, several of the model's places are on one. Where two of them alone
 * give unlike bits (two platforms may, the drivers of one may not), what spans them must lie as near to the first as rounding allows.
 * usage: generation_test_split MODEL [STORING]    split_model.h says which there are; ctest runs each as split/MODEL or split/MODEL.STORING */
#include <math.h>

#include "generation/split_model.h"

#include "core/scratch.h"
#include "model/snapshot.h"

enum { MOST_DEVICES = 4, MAX_LAYERS = 64, NEW_IDS = 12 };

#define RELATIVE 2e-5 /* of the largest logit: how far from float64 one device may be (test_prequantized_models.c) */

static split_model tested;
static char        offload_folder[SCRATCH_PATH];

/* Where units go; `order` is turned by the layer. */
typedef struct split {
    const char *label;
    uint32_t    devices, embedding, head;
    uint32_t    order[8], length; /* layer i: order[i * length / layers] with `runs`, order[i % length] without */
    bool        runs;
    const char *lives; /* NULL: all on the devices. Else of the embedding, the head, and of layers in turn: 'd' there, 'c' in host memory, 'f' in a file */
    bool        on_request; /* only with OCLM_TEST_ALL_SPLITS */
} split;

static const split splits[] = {
    { "two halves", 2, 0, 1, { 0, 1 }, 2, true, NULL, false },
    { "layers apart from the rest", 2, 0, 0, { 1 }, 1, true, NULL, false },
    { "the last device first", 2, 1, 0, { 1, 0 }, 2, true, NULL, true },
    { "in turns", 2, 0, 1, { 1, 0 }, 2, false, NULL, false },
    { "three devices", 3, 0, 2, { 0, 1, 2 }, 3, true, NULL, false },
    { "three in turns, head in the middle", 3, 2, 1, { 0, 2, 1 }, 3, false, NULL, false },
    { "four devices", 4, 0, 3, { 0, 1, 2, 3 }, 4, true, NULL, false },
    { "four, back and forth", 4, 1, 2, { 3, 0, 2, 1 }, 4, false, NULL, false },
    { "two halves that visit from the host", 2, 0, 1, { 0, 1 }, 2, true, "ccc", false },
    { "in turns, the second visits from disk", 2, 0, 1, { 1, 0 }, 2, false, "cddf", true },
    { "three devices, from everywhere", 3, 0, 2, { 0, 1, 2 }, 3, true, "fcdcf", true },
};

/* ---- The devices */

/* Drivers: devices of one name and platform compute alike. */
typedef struct driver {
    size_t platform;
    char   name[256];
} driver;

static size_t usable[MOST_DEVICES], driver_of[MOST_DEVICES], usable_count;
static driver drivers[MOST_DEVICES];
static size_t driver_count;

/* The driver of a device, among those that there are already; one more than those: none of them. */
static size_t find_driver(const oclm_device_info *info)
{
    size_t i = 0;
    while (i < driver_count && (drivers[i].platform != info->platform_index || strcmp(drivers[i].name, info->name) != 0))
        i++;
    return i;
}

static void add_device(size_t index, const oclm_device_info *info)
{
    const size_t d = find_driver(info);
    if (d == driver_count) {
        drivers[driver_count].platform = info->platform_index;
        snprintf(drivers[driver_count++].name, sizeof drivers->name, "%s", info->name);
    }
    driver_of[usable_count] = d;
    usable[usable_count++] = index;
}

/* One of each driver, then others. */
static void find_devices(void)
{
    dev_list *list = NULL;
    assert_ok(dev_list_new(&list));
    for (int more = 0; more < 2; more++) {
        for (size_t i = 0; i < list->count && usable_count < MOST_DEVICES; i++) {
            bool taken = list->entries[i].info.unusable != NULL;
            for (size_t k = 0; k < usable_count; k++)
                taken = taken || usable[k] == i;
            if (!taken && (more || find_driver(&list->entries[i].info) == driver_count))
                add_device(i, &list->entries[i].info);
        }
    }
    dev_list_free(list);
    if (usable_count == 0)
        fail_msg("no usable OpenCL device: a test needs one (apt install pocl-opencl-icd)");
    for (size_t i = 0; i < usable_count; i++)
        print_message("    device %zu: %s\n", i, drivers[driver_of[i]].name);
}

static dev_device *open_nth(uint32_t n)
{
    place where = { .spec = "" };
    snprintf(where.spec, sizeof where.spec, "%zu", usable[n % usable_count]);
    return models_open(&where, 0);
}

/* ---- Loading */

static model_place place_of(const split *s, uint32_t which, uint32_t device)
{
    const char letter = s->lives == NULL ? 'd' : which < 2 ? s->lives[which] : s->lives[2 + (which - 2) % (strlen(s->lives) - 2)];
    return (model_place){ letter == 'd' ? MODEL_ON_DEVICE : letter == 'c' ? MODEL_ON_CPU : MODEL_ON_DISK, device };
}

static model_model *load_split(const split *s, uint32_t layers)
{
    model_place            places[MAX_LAYERS] = { { 0 } };
    const model_placement  placement = { .device_count = s->devices, .layer_count = layers, .embedding = place_of(s, 0, s->embedding),
                                         .head = place_of(s, 1, s->head), .layers = places };
    model_load_options      options = split_model_options(&tested);
    dev_device             *devices[MOST_DEVICES];
    model_model            *model = NULL;
    options.placement = &placement;
    options.offload_folder = offload_folder;
    options.offload_copies = true;
    assert_in_range(layers, 1, MAX_LAYERS);
    for (uint32_t i = 0; i < s->devices; i++)
        devices[i] = open_nth(i);
    for (uint32_t i = 0; i < layers; i++)
        places[i] = place_of(s, 2 + i, s->order[s->runs ? i * s->length / layers : i % s->length]);
    if (model_load(tested.path, devices, s->devices, &options, &model) != OCLM_OK)
        fail_msg("%s, %s: %s", tested.name, s->label, oclm_last_error());
    return model;
}

/* ---- What is compared with one device */

enum { WHOLE, PIECES, FORKED, QUANTIZED, LOGITS };

static const char *const what[LOGITS] = { "logits", "logits of pieces", "logits behind a fork and a copy", "logits with a cache of 8 bits" };
static size_t            logits_count; /* of each: the prompt's positions, each with the vocabulary */

typedef struct run {
    float   *logits[LOGITS];
    int32_t  greedy[NEW_IDS], beams[NEW_IDS];
    size_t   greedy_count, beam_count;
    uint8_t  fingerprint[32];
} run;

static run alone[MOST_DEVICES] /* of each driver */, spread;

static model_state *new_state(const model_model *model, bool quantized)
{
    const model_state_options options = { .sequences = 2, .max_positions = MAX_PROMPT, .max_rows = MAX_PROMPT, .max_logit_rows = MAX_PROMPT,
                                          .quantized_cache = quantized };
    model_state *state = NULL;
    if (model_state_new(model, &options, &state) != OCLM_OK)
        fail_msg("%s: %s", tested.name, oclm_last_error());
    return state;
}

/* Half of a prompt, then a copy of that sequence reads the rest: in a copy of the state. */
static void run_forked(const model_model *model, model_state *state, run *r)
{
    const uint32_t half = tested.count / 2;
    model_state   *copy = new_state(model, false);
    model_snapshot snapshot;
    bool           fits = false;
    models_rewind(state);
    models_logits(state, tested.ids, half, half, r->logits[FORKED]);
    assert_ok(model_fork(state, 0, 1));
    model_truncate(state, 0, 0);
    assert_ok(model_snapshot_take(state, &snapshot));
    assert_ok(model_snapshot_place(copy, &snapshot, &fits));
    assert_true(fits);
    assert_ok(model_snapshot_copy(state, copy));
    model_snapshot_free(&snapshot);
    const model_piece rest = PIECE(1, half, tested.count - half, tested.ids + half);
    assert_true(model_can_go_on(copy, 1, half));
    assert_ok(model_forward(copy, &rest, 1, MODEL_LOGITS_ALL));
    models_read_logits(copy, 0, tested.count - half, r->logits[FORKED] + (size_t)half * model->architecture.vocab_size);
    model_state_free(copy);
}

static size_t generate(const model_model *model, uint32_t beams, int32_t *ids)
{
    static const gen_hooks silent = { 0 };
    gen_config  config = runs_greedy(tested.count + NEW_IDS);
    runs_result result;
    if (beams > 1) {
        config.mode = GEN_MODE_BEAMS;
        config.num_beams = beams;
    }
    if (runs_generate(model, tested.ids, tested.count, &config, &silent, NULL, &result) != OCLM_OK)
        fail_msg("%s: %s", tested.name, oclm_last_error());
    const size_t count = result.count;
    assert_in_range(count, 1, NEW_IDS);
    memcpy(ids, result.ids, count * sizeof *ids);
    runs_free(&result);
    return count;
}

static void run_free(run *r)
{
    for (size_t i = 0; i < LOGITS; i++)
        core_free(r->logits[i]);
}

static void run_model(const model_model *model, run *r)
{
    run_free(r);
    memset(r, 0, sizeof *r);
    logits_count = (size_t)tested.count * model->architecture.vocab_size;
    for (size_t i = 0; i < LOGITS; i++)
        assert_non_null(r->logits[i] = core_alloc_zero(logits_count, sizeof(float), what[i]));
    model_state *state = new_state(model, false);
    models_logits(state, tested.ids, tested.count, tested.count, r->logits[WHOLE]);
    models_rewind(state);
    models_logits(state, tested.ids, tested.count, 3, r->logits[PIECES]);
    run_forked(model, state, r);
    model_state_free(state);
    state = new_state(model, true);
    models_logits(state, tested.ids, tested.count, 5, r->logits[QUANTIZED]);
    model_state_free(state);
    r->greedy_count = generate(model, 1, r->greedy);
    r->beam_count = generate(model, 3, r->beams);
    assert_ok(model_fingerprint(model, r->fingerprint));
}

/* ---- How it is compared */

/* The first logits that differ in a bit; NULL: none do. */
static const char *differing(const run *a, const run *b)
{
    for (size_t i = 0; i < LOGITS; i++) {
        if (memcmp(a->logits[i], b->logits[i], logits_count * sizeof(float)) != 0)
            return what[i];
    }
    return NULL;
}

/* The largest difference; without `b` the largest value. */
static double distance(const float *a, const float *b)
{
    double most = 0.0;
    for (size_t i = 0; i < logits_count; i++) {
        const double d = fabs((double)a[i] - (b != NULL ? (double)b[i] : 0.0));
        most = isnan(most) || d <= most ? most : d; /* NaN stays */
    }
    return most;
}

/* Two runs that are each RELATIVE from float64; with a cache of 8 bits, where a difference in the last place may end in another code, each as
 * far from the whole numbers as these bits have brought one device. */
static void compare_near(const split *s, const run *one)
{
    const double largest = distance(one->logits[WHOLE], NULL), near = 2.0 * RELATIVE * largest;
    const double codes = 2.0 * distance(one->logits[WHOLE], one->logits[QUANTIZED]);
    for (size_t i = 0; i < LOGITS; i++) {
        const double far = distance(one->logits[i], spread.logits[i]), allowed = i == QUANTIZED ? codes + near : near;
        if (!(far <= allowed))
            fail_msg("%s, %s: %s are off by %.3g from one device's, allowed %.3g", tested.name, s->label, what[i], far, allowed);
    }
}

static void compare(const split *s)
{
    const run *one = &alone[driver_of[0]];
    bool       alike = true;
    for (uint32_t i = 0; i < s->devices; i++)
        alike = alike && differing(one, &alone[driver_of[i % usable_count]]) == NULL;
    const char *differs = differing(one, &spread);
    if (alike && differs != NULL)
        fail_msg("%s, %s: %s differ from one device's (prompt of %u)", tested.name, s->label, differs, tested.count);
    if (!alike)
        compare_near(s, one);
    if (memcmp(spread.logits[WHOLE], spread.logits[PIECES], logits_count * sizeof(float)) != 0)
        fail_msg("%s, %s: a prompt of %u in pieces gives other bits than in one", tested.name, s->label, tested.count);
    if (memcmp(one->greedy, spread.greedy, sizeof one->greedy) != 0 || memcmp(one->beams, spread.beams, sizeof one->beams) != 0)
        fail_msg("%s, %s: %s ids differ from one device's", tested.name, s->label, memcmp(one->greedy, spread.greedy, sizeof one->greedy) != 0 ? "greedy" : "beams'");
    if (memcmp(one->fingerprint, spread.fingerprint, sizeof one->fingerprint) != 0)
        fail_msg("%s, %s: another fingerprint", tested.name, s->label);
}

/* Each driver by itself. The layers of the model. */
static uint32_t run_alone(void)
{
    const model_load_options options = split_model_options(&tested);
    uint32_t                 layers = 0;
    for (size_t d = 0; d < driver_count; d++) {
        model_model *model = NULL;
        uint32_t     first = 0;
        while (driver_of[first] != d)
            first++;
        if (models_load_on(tested.path, open_nth(first), &options, &model) != OCLM_OK)
            fail_msg("%s: %s", tested.name, oclm_last_error());
        layers = model->architecture.layers;
        run_model(model, &alone[d]);
        model_free(model);
        for (size_t other = 0; other < d; other++) {
            const char *differs = differing(&alone[other], &alone[d]);
            if (differs != NULL && drivers[other].platform == drivers[d].platform)
                fail_msg("%s: %s of \"%s\" and \"%s\" differ, which are of one platform", tested.name, differs, drivers[other].name, drivers[d].name);
            print_message("    %s and %s alone: %s\n", drivers[other].name, drivers[d].name, differs != NULL ? "other bits" : "the same bits");
        }
    }
    return layers;
}

static void many_devices_give_the_bits_of_one(void **state)
{
    (void)state;
    find_devices();
    const uint32_t layers = run_alone();
    for (size_t i = 0; i < COUNT(splits); i++) {
        if (splits[i].length > layers && splits[i].devices > 2)
            continue; /* not that many layers */
        if (splits[i].on_request && getenv("OCLM_TEST_ALL_SPLITS") == NULL)
            continue;
        model_model *model = load_split(&splits[i], layers);
        run_model(model, &spread);
        compare(&splits[i]);
        model_free(model);
    }
    for (size_t d = 0; d < driver_count; d++)
        run_free(&alone[d]);
    run_free(&spread);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(many_devices_give_the_bits_of_one) };
    if (count < 2 || count > 3 || !split_model_make(&tested, arguments[1], count == 3 ? arguments[2] : NULL)) {
        print_error("usage: generation_test_split MODEL [STORING]\n");
        split_model_free(&tested);
        return 1;
    }
    scratch_make(offload_folder);
    const int failures = cmocka_run_group_tests_name(tested.name, tests, NULL, NULL);
    scratch_remove(offload_folder);
    split_model_free(&tested);
    return failures;
}
