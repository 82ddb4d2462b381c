/* test_plan_budgets.c: 200 random budgets, maps and ways of storing, over two devices, the host and files: what a plan announces for each device,
 * and for the host, is the most that loading and reading a whole context ever take; what does not fit is refused before anything is
 * allocated. */
#include "core/scratch.h"
#include "model/models.h"

#include "model/plan.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/"
#define ROUNDS 200u
#define CONTEXT 64u
#define DEVICES 2u

static const char *const folders[] = { "tiny/llama", "tiny/gpt2", "tiny/llama-tied", "gguf/lfm2.gguf", "gguf/qwen2_moe.gguf", "gguf/deepseek_v3.gguf" };

static const oclm_dtype dtypes[] = { OCLM_DTYPE_AUTO, OCLM_DTYPE_FLOAT32, OCLM_DTYPE_FLOAT16 };

static char     scratch[SCRATCH_PATH];
static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

/* ---- A configuration */

typedef struct round {
    char               path[512];
    uint32_t           folder, dtype; /* which of the lists' */
    model_load_options load;
    model_plan_options plan;
    model_map_entry    entries[12];
    uint64_t           limits[DEVICES];
    dev_device        *devices[DEVICES];
} round;

/* A machine that has only one gives it twice. */
static void open_devices(round *r, bool limited)
{
    const bool has_all = devices_has(DEVICES);
    for (uint32_t i = 0; i < DEVICES; i++) {
        char                   spec[8];
        const dev_open_options options = { .spec = spec, .budget_bytes = limited ? r->limits[i] : 0 };
        snprintf(spec, sizeof spec, "%u", has_all ? i : 0);
        assert_ok(dev_open(&options, &r->devices[i]));
    }
}

static void close_devices(round *r)
{
    for (uint32_t i = 0; i < DEVICES; i++)
        dev_close(r->devices[i]);
}

static model_place draw_place(void)
{
    const uint32_t which = draw(6);
    return (model_place){ which == 4 ? MODEL_ON_CPU : which == 5 ? MODEL_ON_DISK : MODEL_ON_DEVICE, which % DEVICES };
}

/* Names that no model has are told of and do no harm. */
static void draw_map(round *r)
{
    static const char *const starts[] = { "", "model.layers.1", "transformer.h.1", "model.layers.0", "transformer.h.2", "lm_head", "model.embed_tokens" };
    r->plan.entries = r->entries;
    r->plan.entry_count = 1 + draw((uint32_t)COUNT(starts));
    for (size_t i = 0; i < r->plan.entry_count; i++)
        r->entries[i] = (model_map_entry){ starts[i], draw_place() };
}

/* Limits around what the model takes: from what a device needs for any part of it to more than all. */
static void draw_limits(round *r)
{
    static const model_map_entry whole = { "", { MODEL_ON_DEVICE, 0 } };
    model_plan_options           one = { .kind = MODEL_MAP_GIVEN, .entries = &whole, .entry_count = 1, .context_length = CONTEXT };
    model_placement              placement;
    open_devices(r, false);
    assert_ok(model_plan(r->path, r->devices, DEVICES, &r->load, &one, &placement));
    const model_share share = placement.devices[0];
    model_placement_free(&placement);
    close_devices(r);
    for (uint32_t i = 0; i < DEVICES; i++)
        r->limits[i] = share.workspace - 65536 + draw((uint32_t)(share.weights + share.cache) * 5 / 4 + 65536);
    r->plan.device_limits = r->limits;
    r->plan.host_given = draw(3) > 0;
    r->plan.host_limit = draw((uint32_t)share.weights + 65536);
}

static void draw_round(round *r, uint32_t number)
{
    memset(r, 0, sizeof *r);
    seed = number;
    r->folder = draw((uint32_t)COUNT(folders));
    snprintf(r->path, sizeof r->path, "%s%s", GOLDEN, folders[r->folder]);
    r->dtype = draw((uint32_t)COUNT(dtypes));
    r->load.dtype = dtypes[r->dtype];
    r->load.quantize = strstr(r->path, ".gguf") == NULL && draw(3) == 0 ? CKPT_QUANTIZE_INT8 : CKPT_QUANTIZE_NONE;
    r->load.offload_copies = draw(2) == 0;
    r->plan.context_length = CONTEXT;
    r->plan.kind = (model_map_kind)draw(4);
    if (r->plan.kind == MODEL_MAP_GIVEN)
        draw_map(r);
    draw_limits(r);
}

/* ---- What is measured */

static void use(const model_model *model)
{
    static int32_t ids[CONTEXT];
    const model_state_options options = { .sequences = 1, .max_positions = CONTEXT };
    model_state              *state = NULL;
    assert_ok(model_state_new(model, &options, &state));
    const model_piece prompt = PIECE(0, 0, CONTEXT - 1, ids), last = PIECE(0, CONTEXT - 1, 1, ids);
    assert_ok(model_forward(state, &prompt, 1, MODEL_LOGITS_LAST));
    assert_ok(model_forward(state, &last, 1, MODEL_LOGITS_LAST));
    assert_ok(model_finish(state));
    model_state_free(state);
}

/* The first time that a device meets a kind of matrix it measures which kernel is fastest, with up to 20 MB of what its budget leaves: once on a
 * machine, and no part of a plan. So that is done before. */
static void choose_kernels(const round *r)
{
    static bool              chosen[COUNT(folders)][COUNT(dtypes)][2];
    bool                    *known = &chosen[r->folder][r->dtype][r->load.quantize != CKPT_QUANTIZE_NONE];
    const model_load_options whole = { .dtype = r->load.dtype, .quantize = r->load.quantize };
    round                    own;
    if (*known)
        return;
    open_devices(&own, false);
    for (uint32_t i = 0; i < DEVICES; i++) {
        model_model *model = NULL;
        assert_ok(model_load(r->path, &own.devices[i], 1, &whole, &model));
        use(model);
        model_free(model);
    }
    *known = true;
}

static void load_and_use(round *r, const model_placement *p, uint32_t number)
{
    model_model *model = NULL;
    r->load.placement = p;
    r->load.offload_folder = scratch;
    r->load.host_bytes = p->host.used; /* more is refused */
    assert_ok(model_load(r->path, r->devices, DEVICES, &r->load, &model));
    use(model);
    for (uint32_t i = 0; i < DEVICES; i++) {
        const uint64_t peak = dev_memory_peak(r->devices[i]);
        if (peak > p->devices[i].used)
            fail_msg("round %u, %s, %s: device %u used %llu bytes, %llu were announced", number, r->path, p->map, i, (unsigned long long)peak,
                     (unsigned long long)p->devices[i].used);
    }
    model_free(model);
}

static void announced_is_never_exceeded(void **state)
{
    static round r;
    uint32_t     fitting = 0, refused = 0, spread = 0, outside = 0, copied = 0;
    (void)state;
    scratch_make(scratch);
    for (uint32_t number = 0; number < ROUNDS; number++) {
        model_placement p;
        draw_round(&r, number);
        choose_kernels(&r);
        open_devices(&r, true);
        const oclm_status status = model_plan(r.path, r.devices, DEVICES, &r.load, &r.plan, &p);
        if (status == OCLM_ERR_DEVICE_MEMORY) {
            assert_int_equal(dev_memory_used(r.devices[0]) + dev_memory_used(r.devices[1]), 0);
            close_devices(&r);
            refused++;
        } else if (status == OCLM_ERR_ARGUMENT) {
            fail_msg("round %u: %s", number, oclm_last_error());
        } else {
            assert_ok(status);
            fitting++;
            spread += p.devices[0].weights > 0 && p.devices[1].weights > 0;
            outside += p.host.used + p.disk.used > 0;
            copied += p.devices[0].visiting + p.devices[1].visiting > 0;
            load_and_use(&r, &p, number);
        }
        model_placement_free(&p);
    }
    print_message("    of %u plans %u fit, %u of them over both devices, %u with the host or files, %u of those copied; %u were refused\n", ROUNDS,
                  fitting, spread, outside, copied, refused);
    scratch_remove(scratch);
    assert_in_range(fitting, ROUNDS / 4, ROUNDS - 1);
    assert_in_range(spread, ROUNDS / 10, ROUNDS);
    assert_in_range(outside, ROUNDS / 10, ROUNDS);
    assert_in_range(copied, ROUNDS / 20, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(announced_is_never_exceeded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
