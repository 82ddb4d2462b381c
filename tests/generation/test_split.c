/* test_split.c: a tiny model of a family (golden/families) over 2, 3 and 4 devices: logits have the bits of one device's, however a prompt is cut and in a
 * cache of 8 bits, and greedy ids and beams are the same; a session's sequences may be forked, cut back and saved.
 * ctest sets POCL_DEVICES, so that there are four devices; with fewer, several of the model's places are on one.
 * usage: generation_test_split FOLDER    the name of a folder of golden/families; ctest runs each as split/FOLDER */
#include "generation/runs.h"

#include "model/seeded.h"
#include "model/snapshot.h"

enum { MOST_DEVICES = 4, MAX_PROMPT = 64, MAX_VOCAB = 128, MAX_LAYERS = 64, NEW_IDS = 12 };

static const char  *name;
static const cJSON *golden;
static folder       files;

/* Where units go; `order` is turned by the layer. */
typedef struct split {
    const char *label;
    uint32_t    devices, embedding, head;
    uint32_t    order[8], length; /* layer i: order[i * length / layers] with `runs`, order[i % length] without */
    bool        runs;
} split;

static const split splits[] = {
    { "two halves", 2, 0, 1, { 0, 1 }, 2, true },
    { "layers apart from the rest", 2, 0, 0, { 1 }, 1, true },
    { "the last device first", 2, 1, 0, { 1, 0 }, 2, true },
    { "in turns", 2, 0, 1, { 1, 0 }, 2, false },
    { "three devices", 3, 0, 2, { 0, 1, 2 }, 3, true },
    { "three in turns, head in the middle", 3, 2, 1, { 0, 2, 1 }, 3, false },
    { "four devices", 4, 0, 3, { 0, 1, 2, 3 }, 4, true },
    { "four, back and forth", 4, 1, 2, { 3, 0, 2, 1 }, 4, false },
};

static size_t usable[MOST_DEVICES], usable_count;

static void find_devices(void)
{
    dev_list *list = NULL;
    assert_ok(dev_list_new(&list));
    for (size_t i = 0; i < list->count && usable_count < MOST_DEVICES; i++) {
        if (!list->entries[i].info.unusable)
            usable[usable_count++] = i;
    }
    dev_list_free(list);
    assert_true(usable_count > 0);
}

static dev_device *open_nth(uint32_t n)
{
    place where = { .spec = "" };
    snprintf(where.spec, sizeof where.spec, "%zu", usable[n % usable_count]);
    return models_open(&where, 0);
}

static model_model *load_split(const split *s, uint32_t layers)
{
    model_place            places[MAX_LAYERS] = { { 0 } };
    const model_placement  placement = { .device_count = s->devices, .layer_count = layers, .embedding.device = s->embedding,
                                         .head.device = s->head, .layers = places };
    const model_load_options options = { .dtype = OCLM_DTYPE_AUTO, .placement = &placement };
    dev_device             *devices[MOST_DEVICES];
    model_model            *model = NULL;
    assert_in_range(layers, 1, MAX_LAYERS);
    for (uint32_t i = 0; i < s->devices; i++)
        devices[i] = open_nth(i);
    for (uint32_t i = 0; i < layers; i++)
        places[i].device = s->order[s->runs ? i * s->length / layers : i % s->length];
    if (model_load(files.path, devices, s->devices, &options, &model) != OCLM_OK)
        fail_msg("%s, %s: %s", name, s->label, oclm_last_error());
    return model;
}

/* ---- What is compared with one device */

typedef struct run {
    int32_t  ids[MAX_PROMPT];
    uint32_t count;
    float    whole[MAX_PROMPT * MAX_VOCAB], pieces[MAX_PROMPT * MAX_VOCAB], quantized[MAX_PROMPT * MAX_VOCAB], forked[MAX_PROMPT * MAX_VOCAB];
    int32_t  greedy[NEW_IDS], beams[NEW_IDS];
    size_t   greedy_count, beam_count;
    uint8_t  fingerprint[32];
} run;

static run alone, spread;

static model_state *new_state(const model_model *model, bool quantized)
{
    const model_state_options options = { .sequences = 2, .max_positions = MAX_PROMPT, .max_rows = MAX_PROMPT, .max_logit_rows = MAX_PROMPT,
                                          .quantized_cache = quantized };
    model_state *state = NULL;
    if (model_state_new(model, &options, &state) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    return state;
}

/* Half of a prompt, then a copy of that sequence reads the rest: in a copy of the state. */
static void run_forked(const model_model *model, model_state *state, run *r)
{
    const uint32_t half = r->count / 2;
    model_state   *copy = new_state(model, false);
    model_snapshot snapshot;
    bool           fits = false;
    models_rewind(state);
    models_logits(state, r->ids, half, half, r->forked);
    assert_ok(model_fork(state, 0, 1));
    model_truncate(state, 0, 0);
    assert_ok(model_snapshot_take(state, &snapshot));
    assert_ok(model_snapshot_place(copy, &snapshot, &fits));
    assert_true(fits);
    assert_ok(model_snapshot_copy(state, copy));
    model_snapshot_free(&snapshot);
    const model_piece rest = PIECE(1, half, r->count - half, r->ids + half);
    assert_true(model_can_go_on(copy, 1, half));
    assert_ok(model_forward(copy, &rest, 1, MODEL_LOGITS_ALL));
    models_read_logits(copy, 0, r->count - half, r->forked + (size_t)half * model->architecture.vocab_size);
    model_state_free(copy);
}

static size_t generate(const model_model *model, const run *r, uint32_t beams, int32_t *ids)
{
    static const gen_hooks silent = { 0 };
    gen_config  config = runs_greedy(r->count + NEW_IDS);
    runs_result result;
    if (beams > 1) {
        config.mode = GEN_MODE_BEAMS;
        config.num_beams = beams;
    }
    if (runs_generate(model, r->ids, r->count, &config, &silent, NULL, &result) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    const size_t count = result.count;
    assert_in_range(count, 1, NEW_IDS);
    memcpy(ids, result.ids, count * sizeof *ids);
    runs_free(&result);
    return count;
}

static void run_model(const model_model *model, const cJSON *prompt, run *r)
{
    memset(r, 0, sizeof *r);
    r->count = models_read_ids(core_json_member(prompt, "input_ids"), r->ids, MAX_PROMPT);
    model_state *state = new_state(model, false);
    models_logits(state, r->ids, r->count, r->count, r->whole);
    models_rewind(state);
    models_logits(state, r->ids, r->count, 3, r->pieces);
    run_forked(model, state, r);
    model_state_free(state);
    state = new_state(model, true);
    models_logits(state, r->ids, r->count, 5, r->quantized);
    model_state_free(state);
    r->greedy_count = generate(model, r, 1, r->greedy);
    r->beam_count = generate(model, r, 3, r->beams);
    assert_ok(model_fingerprint(model, r->fingerprint));
}

static void compare(const split *s)
{
    const struct { const char *what; const void *want, *got; size_t bytes; } all[] = {
        { "logits", alone.whole, spread.whole, sizeof alone.whole },
        { "logits of pieces", alone.pieces, spread.pieces, sizeof alone.pieces },
        { "logits behind a fork and a copy", alone.forked, spread.forked, sizeof alone.forked },
        { "logits with a cache of 8 bits", alone.quantized, spread.quantized, sizeof alone.quantized },
        { "greedy ids", alone.greedy, spread.greedy, sizeof alone.greedy },
        { "beams' ids", alone.beams, spread.beams, sizeof alone.beams },
        { "the fingerprint", alone.fingerprint, spread.fingerprint, sizeof alone.fingerprint },
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (memcmp(all[i].want, all[i].got, all[i].bytes) != 0)
            fail_msg("%s, %s: %s differ from one device's (prompt of %u)", name, s->label, all[i].what, alone.count);
    }
}

static void many_devices_give_the_bits_of_one(void **state)
{
    uint32_t           layers = 0;
    (void)state;
    find_devices();
    const cJSON *prompt = core_json_member(golden, "prompts")->child;
    prompt = prompt->next != NULL ? prompt->next : prompt; /* the second is the long one */
    dev_device  *device = open_nth(0);
    model_model *model = NULL;
    assert_ok(models_load_on(files.path, device, &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model));
    assert_in_range(model->architecture.vocab_size, 1, MAX_VOCAB);
    layers = model->architecture.layers;
    run_model(model, prompt, &alone);
    model_free(model);
    for (size_t i = 0; i < COUNT(splits); i++) {
        if (splits[i].length > layers && splits[i].devices > 2)
            continue; /* not that many layers */
        model = load_split(&splits[i], layers);
        run_model(model, prompt, &spread);
        compare(&splits[i]);
        model_free(model);
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(many_devices_give_the_bits_of_one) };
    name = count == 2 ? arguments[1] : "llama";
    cJSON *tree = seeded_read(name, "golden.json"), *config = seeded_read(name, "config.json");
    char  *text = cJSON_PrintUnformatted(config);
    if (tree == NULL || text == NULL)
        return 1;
    golden = tree;
    seeded_folder(&files, text, golden);
    const int failures = cmocka_run_group_tests_name(name, tests, NULL, NULL);
    folder_free(&files);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(tree);
    return failures;
}
