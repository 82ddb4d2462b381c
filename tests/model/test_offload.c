/* test_offload.c: weights in host memory and on disk, which visit the device, give the bits of weights that stay: whole models and some layers of
 * them, copied through slots and used in place, prompts in chunks, several sequences, decoding loops. And what is counted is kept to. */
#include <inttypes.h>

#include "core/scratch.h"
#include "model/folders.h"
#include "model/models.h"
#include "model/seeded.h"

#include "core/platform.h"
#include "device/released.h"
#include "model/offload.h"

#define SEQUENCES 3
#define PROMPT    19
#define CHUNK     8
#define STEPS     3

#define TINY(name) OCLM_SOURCE_DIR "/tests/golden/tiny/" name

static const struct scene { const char *label, *folder /* or a family */; ckpt_quantize_kind quantize; bool every_plan; } scenes[] = {
    { "gpt2: tied, learned positions", TINY("gpt2"), CKPT_QUANTIZE_NONE, true },
    { "gpt2, not tied", TINY("gpt2-untied"), CKPT_QUANTIZE_NONE, false },
    { "llama", TINY("llama"), CKPT_QUANTIZE_NONE, false },
    { "llama of 14 layers", NULL, CKPT_QUANTIZE_NONE, true },
    { "llama of 14 layers, 8 bits", NULL, CKPT_QUANTIZE_INT8, false },
    { "llama of 14 layers, 4 bits", NULL, CKPT_QUANTIZE_NF4, false },
    { "llama, bfloat16", TINY("llama-bfloat16"), CKPT_QUANTIZE_NONE, false },
    { "experts", "mixtral", CKPT_QUANTIZE_NONE, false },
    { "experts beside dense layers, latent attention", "deepseek_v3", CKPT_QUANTIZE_NONE, false },
    { "attention and delta nets", "qwen3_next", CKPT_QUANTIZE_NONE, false },
    { "attention and convolutions", "lfm2", CKPT_QUANTIZE_NONE, false },
    { "tables between projections", "opt-post", CKPT_QUANTIZE_NONE, false },
    { "layers that are told of their rows' tokens", "gemma4", CKPT_QUANTIZE_NONE, false },
};

/* Where the embedding, the head and layers are. 'd': on the device, 'c': host memory, 'f': a file. Layers repeat the text. */
static const struct plan { const char *label; char embedding, head; const char *layers; bool copies, mixed; } plans[] = {
    { "all on the host, copied", 'c', 'c', "c", true, false },
    { "all on disk, copied", 'f', 'f', "f", true, false },
    { "all on the host, as the device likes it", 'c', 'c', "c", false, false },
    { "all on disk, as the device likes it", 'f', 'f', "f", false, false },
    { "layers on the host, copied", 'd', 'd', "c", true, false },
    { "some layers here, some there, copied", 'd', 'f', "dcdf", true, true },
    { "an embedding on the host, copied", 'c', 'd', "d", true, false },
    { "one layer of three, and the head, copied", 'd', 'c', "dfd", true, false },
};

static folder deep;
static char   scratch[SCRATCH_PATH];
static size_t fail_at; /* while loading; 0: nothing fails */

static int make_deep(void **state)
{
    (void)state;
    folder_new(&deep, FOLDER_LLAMA_CONFIG_OF("14"));
    folder_add_llama_layers(&deep, CORE_F32, 14, NULL);
    folder_finish(&deep);
    scratch_make(scratch);
    return 0;
}

static int remove_deep(void **state)
{
    (void)state;
    folder_free(&deep);
    scratch_remove(scratch);
    return 0;
}

/* ---- Loading */

static model_place place_of(char letter)
{
    return (model_place){ letter == 'd' ? MODEL_ON_DEVICE : letter == 'c' ? MODEL_ON_CPU : MODEL_ON_DISK, 0 };
}

/* `plan` NULL: all on the device, whose budget is `device_bytes` (0: what it has). */
static oclm_status load(const struct scene *scene, const struct plan *plan, const place *where, uint64_t device_bytes, uint64_t host_bytes,
                        uint32_t layers, model_model **model)
{
    folder            made;
    const bool        family = scene->folder != NULL && scene->folder[0] != '/';
    model_place      *places = core_alloc_zero(layers + 1, sizeof *places, "a test's places");
    model_placement   placement = { .device_count = 1, .layer_count = layers, .layers = places };
    model_load_options options = { .quantize = scene->quantize, .offload_folder = scratch, .host_bytes = host_bytes };
    dev_device       *device = models_open(where, device_bytes);
    assert_non_null(places);
    if (plan != NULL) {
        placement.embedding = place_of(plan->embedding);
        placement.head = place_of(plan->head);
        for (uint32_t i = 0; i < layers; i++)
            places[i] = place_of(plan->layers[i % strlen(plan->layers)]);
        options.placement = &placement;
        options.offload_copies = plan->copies;
    }
    if (family)
        seeded_family(&made, scene->folder);
    const char       *path = family ? made.path : scene->folder != NULL ? scene->folder : deep.path;
    core_memory_fail_at(fail_at, false);
    const oclm_status status = model_load(path, &device, 1, &options, model);
    core_memory_fail_at(0, false);
    if (status != OCLM_OK)
        dev_close(device);
    if (family)
        folder_free(&made);
    core_free(places);
    return status;
}

static model_model *load_whole(const struct scene *scene, const place *where)
{
    model_model *model = NULL;
    if (load(scene, NULL, where, 0, 0, 0, &model) != OCLM_OK)
        fail_msg("%s: %s", scene->label, oclm_last_error());
    return model;
}

/* ---- The same bits */

/* Logits of everything that can be asked: prompts in chunks of several rows, steps of all sequences, recorded decoding. */
static size_t logits_count(const model_model *model) { return (size_t)(PROMPT + (STEPS + STEPS) * SEQUENCES) * model->architecture.vocab_size; }

static void run_prompts(model_state *state, float **logits)
{
    int32_t ids[PROMPT + SEQUENCES];
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        for (uint32_t i = 0; i < PROMPT; i++)
            ids[i] = (int32_t)((7 * i + 13 * s) % 60);
        for (uint32_t done = 0; done < PROMPT; done += CHUNK) {
            const uint32_t    rows = PROMPT - done < CHUNK ? PROMPT - done : CHUNK;
            const model_piece piece = PIECE(s, done, rows, ids + done);
            assert_ok(model_forward(state, &piece, 1, s == 0 ? MODEL_LOGITS_ALL : MODEL_LOGITS_NONE));
            if (s == 0) {
                models_read_logits(state, 0, rows, *logits);
                *logits += (size_t)rows * state->model->architecture.vocab_size;
            }
        }
    }
}

static void run_steps(model_state *state, float **logits)
{
    for (uint32_t step = 0; step < STEPS; step++) {
        model_piece pieces[SEQUENCES];
        int32_t     ids[SEQUENCES];
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            ids[s] = (int32_t)((11 * step + s) % 60);
            pieces[s] = (model_piece)PIECE(s, PROMPT + step, 1, &ids[s]);
        }
        assert_ok(model_forward(state, pieces, SEQUENCES, MODEL_LOGITS_ALL));
        models_read_logits(state, 0, SEQUENCES, *logits);
        *logits += (size_t)SEQUENCES * state->model->architecture.vocab_size;
    }
}

/* The list that a decoding loop plays again and again, here with ids from the host. */
static void run_loop(model_state *state, float **logits)
{
    dev_work *work = NULL;
    assert_ok(dev_work_new(state->model->device, &work));
    assert_ok(model_record_decode(state, work, SEQUENCES, PROMPT + 2 * STEPS + 1));
    assert_ok(model_decode_begin(state, SEQUENCES, PROMPT + 2 * STEPS + 1));
    for (uint32_t step = 0; step < STEPS; step++) {
        int32_t ids[SEQUENCES], positions[SEQUENCES];
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            ids[s] = (int32_t)((17 * step + 5 * s) % 60);
            positions[s] = (int32_t)(PROMPT + STEPS + step);
        }
        assert_ok(dev_buffer_write(state->queue, &state->ids, 0, ids, sizeof ids));
        assert_ok(dev_buffer_write(state->queue, &state->positions, 0, positions, sizeof positions));
        assert_ok(dev_work_enqueue(work, state->queue, NULL));
        models_read_logits(state, 0, SEQUENCES, *logits);
        *logits += (size_t)SEQUENCES * state->model->architecture.vocab_size;
    }
    for (uint32_t s = 0; s < SEQUENCES; s++)
        model_decode_end(state, s, PROMPT + 2 * STEPS);
    dev_work_free(work);
}

static void run(const model_model *model, bool step_by_step, float *logits)
{
    model_state *state = models_state(model, SEQUENCES, PROMPT + 2 * STEPS + 2, CHUNK);
    state->step_by_step = step_by_step;
    run_prompts(state, &logits);
    run_steps(state, &logits);
    run_loop(state, &logits);
    model_state_free(state);
}

/* Something lives where the plan says, and visits where it does not lie. */
static void check_copies(const model_model *model, const struct plan *plan)
{
    const model_offload *offload = model->weights.offload;
    assert_non_null(offload);
    assert_true(model_offload_host_bytes(offload) + model_offload_file_bytes(offload) > 0);
    assert_true(offload->budget.counter.used >= model_offload_host_bytes(offload));
    if (plan->copies)
        assert_true(dev_feed_copied(offload->feeds[0]) > 0);
    else if (dev_get_traits(model->device)->info.host_unified && !dev_get_traits(model->device)->info.software)
        assert_int_equal(dev_feed_copied(offload->feeds[0]), 0);
}

static void check_plan(const struct scene *scene, const struct plan *plan, const place *where, const model_model *whole, const float *want)
{
    const size_t count = logits_count(whole);
    float       *got = core_alloc_array(count, sizeof *got, "logits");
    model_model *model = NULL;
    assert_non_null(got);
    if (load(scene, plan, where, 0, 0, whole->architecture.layers, &model) != OCLM_OK)
        fail_msg("%s, %s: %s", scene->label, plan->label, oclm_last_error());
    for (int by_step = 0; by_step < 2; by_step++) {
        run(model, by_step, got);
        for (size_t i = 0; i < count; i++)
            if (memcmp(&got[i], &want[i], sizeof *got) != 0)
                fail_msg("%s, %s: logit %zu of row %zu is %g, want %g", scene->label, plan->label, i % whole->architecture.vocab_size,
                         i / whole->architecture.vocab_size, (double)got[i], (double)want[i]);
    }
    check_copies(model, plan);
    core_free(got);
    model_free(model);
}

static void scenes_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(scenes); i++) {
        size_t       live = core_memory_live();
        model_model *whole = load_whole(&scenes[i], where);
        float       *want = core_alloc_array(logits_count(whole), sizeof *want, "logits");
        assert_non_null(want);
        print_message("        %s\n", scenes[i].label);
        run(whole, false, want);
        for (size_t k = 0; k < COUNT(plans); k++) {
            if (k == i % 2 || plans[k].mixed || (scenes[i].every_plan && !where->slow))
                check_plan(&scenes[i], &plans[k], where, whole, want);
        }
        core_free(want);
        model_free(whole);
        assert_released(&live, scenes[i].label, i);
    }
}

static void offloaded_weights_give_the_bits_of_weights_that_stay(void **state)
{
    (void)state;
    models_each_device(scenes_on_device, NULL);
}

/* ---- Budgets */

/* What loading takes of a device at most, and what stays there, without what it loads through. */
static void measure(const struct scene *scene, const struct plan *plan, const place *where, uint32_t layers, uint64_t *peak, uint64_t *used)
{
    model_model *model = NULL;
    if (load(scene, plan, where, 0, 0, layers, &model) != OCLM_OK)
        fail_msg("%s, %s: %s", scene->label, plan != NULL ? plan->label : "whole", oclm_last_error());
    *peak = dev_memory_peak(model->device) - dev_matrix_staging_bytes(model->device);
    *used = dev_memory_used(model->device) - dev_matrix_staging_bytes(model->device);
    model_free(model);
}

static void budgets_on_device(const place *where, void *user)
{
    const struct scene *scene = &scenes[3];
    model_model        *model = load_whole(scene, where);
    const uint64_t      staging = dev_matrix_staging_bytes(model->device);
    const uint32_t      layers = model->architecture.layers;
    uint64_t            whole_peak, whole, peak, used;
    (void)user;
    model_free(model);
    measure(scene, NULL, where, layers, &whole_peak, &whole);
    measure(scene, &plans[0], where, layers, &peak, &used);
    if (peak >= whole / 2 || used > peak)
        fail_msg("of %" PRIu64 " bytes there are still %" PRIu64 " on the device, at most %" PRIu64, whole, used, peak);
    /* With no more than that it loads, and goes no further. */
    if (load(scene, &plans[0], where, peak + staging, 0, layers, &model) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    const uint64_t host = model->weights.offload->budget.counter.used;
    assert_true(dev_memory_peak(model->device) <= peak + staging);
    assert_true(host >= whole / 2 && host == model->weights.offload->budget.counter.peak);
    model_free(model);
    /* With less it says so, before or while loading, and leaves nothing behind. */
    assert_status(load(scene, &plans[0], where, peak / 3 + staging, 0, layers, &model), OCLM_ERR_DEVICE_MEMORY);
    assert_status(load(scene, &plans[0], where, 0, host - 1, layers, &model), OCLM_ERR_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "max_memory"));
    if (load(scene, &plans[0], where, 0, host, layers, &model) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    model_free(model);
}

static void budgets_are_kept_to(void **state)
{
    (void)state;
    models_each_device(budgets_on_device, NULL);
}

static void failures_on_device(const place *where, void *user)
{
    (void)user;
    if (where->slow)
        return;
    for (size_t k = 0; k < 4; k++) {
        size_t live = core_memory_live();
        bool   done = false;
        for (size_t n = 1; !done; n += n / 8 + 1) { /* all of the first ones, fewer and fewer of the later ones */
            model_model *model = NULL;
            fail_at = n;
            const oclm_status status = load(&scenes[2], &plans[k], where, 0, 0, 2, &model);
            fail_at = 0;
            done = status == OCLM_OK;
            if (status != OCLM_OK && status != OCLM_ERR_MEMORY)
                fail_msg("request %zu fails: %s: %s", n, oclm_status_name(status), oclm_last_error());
            model_free(model);
            assert_released(&live, plans[k].label, n);
        }
    }
}

static void a_request_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    models_each_device(failures_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offloaded_weights_give_the_bits_of_weights_that_stay),
        cmocka_unit_test(budgets_are_kept_to),
        cmocka_unit_test(a_request_that_fails_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("offload", tests, make_deep, remove_deep);
}
