/* test_quantizing.c: models quantised while they load: logits are those of the dequantised weights, memory is what was told before, what is
 * skipped stays, and what cannot be is refused. */
#include "model/folders.h"
#include "model/models.h"

#include <math.h>

#include "core/memory.h"
#include "core/platform.h"

#define IDS 9u

typedef struct way {
    const char        *label;
    ckpt_quantize_kind kind;
    bool               nested;
} way;

static const way ways[] = {
    { "int8", CKPT_QUANTIZE_INT8, false }, { "nf4", CKPT_QUANTIZE_NF4, false }, { "fp4", CKPT_QUANTIZE_FP4, false },
    { "nf4, double quantisation", CKPT_QUANTIZE_NF4, true },
};

/* Rows of 40 (no whole groups: floats), 64 and 128. */
static const char *const tiny[] = { "samples/models/stories", "tests/golden/tiny/llama", "tests/golden/tiny/gpt2", "tests/golden/tiny/llama-gqa" };

static const char *path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", OCLM_SOURCE_DIR, name);
    return path;
}

static void add_values(folder *f, const ckpt_tensor *t, const float *values)
{
    const size_t begin = f->data.length;
    assert_ok(core_text_add(&f->data, values, (size_t)t->elements * sizeof *values));
    assert_ok(core_text_printf(&f->header, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [", f->tensors++ > 0 ? ", " : "{", t->name));
    for (uint32_t i = 0; i < t->dims; i++)
        assert_ok(core_text_printf(&f->header, "%s%llu", i > 0 ? ", " : "", (unsigned long long)t->shape[i]));
    assert_ok(core_text_printf(&f->header, "], \"data_offsets\": [%zu, %zu]}", begin, f->data.length));
}

/* A weight's elements as its codes stand for them, in the order of the file. */
static void dequantise(const ckpt_tensor *t, const model_bound *bound, const way *w, float *values)
{
    ckpt_quantizer q;
    assert_ok(ckpt_quantizer_open(t, bound->transposed, w->kind, w->nested, CORE_F32, &q));
    float *rows = core_alloc_array((size_t)t->elements, sizeof *rows, t->name);
    if (q.quantized.read == NULL) {
        assert_ok(q.quantized.read_values(&q.tensor, 0, q.rows, rows));
    } else {
        core_codes codes;
        assert_ok(core_codes_new(&q.quantized.storage, q.rows, q.columns, &codes));
        assert_ok(q.quantized.read(&q.tensor, 0, q.rows, &codes));
        core_codes_values(&q.quantized.storage, &codes, q.rows, q.columns, rows);
        core_codes_free(&codes);
    }
    for (size_t i = 0; i < t->elements; i++)
        values[bound->transposed ? i % q.columns * q.rows + i / q.columns : i] = rows[i];
    core_free(rows);
    ckpt_quantizer_close(&q);
}

/* Is it quantised in some role? Then how it is bound. */
static bool find_quantized(const model_binding *b, const model_storing *storing, const ckpt_tensor *t, model_bound *bound)
{
    for (model_role role = 0; role < MODEL_ROLE_COUNT; role++)
        for (uint32_t layer = 0; layer < (role < MODEL_FIRST_LAYER_ROLE ? 1 : b->architecture->layers); layer++) {
            *bound = model_bound_tensor(b, role, layer);
            if (bound->tensor == t && model_is_to_quantize(storing, b, role, t))
                return true;
        }
    return false;
}

/* The checkpoint of a folder with the values of its codes in place of each weight that would be quantised: in a folder of its own. */
static void write_dequantised(const char *path, const way *w, folder *f)
{
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    ckpt_checkpoint    *checkpoint = NULL;
    model_binding       b;
    model_bound         bound;
    const model_storing storing = { .dtype = CORE_F32, .quantize = w->kind, .nested = w->nested };
    char                config[300];
    char               *text = NULL;
    size_t              length = 0, changed = 0;
    snprintf(config, sizeof config, "%s/config.json", path);
    assert_ok(core_read_file(config, 1u << 20, &text, &length));
    folder_new(f, text);
    core_free(text);
    assert_ok(model_config_read(path, &family, &a, &dtype));
    assert_ok(ckpt_open(path, NULL, &checkpoint));
    assert_ok(model_bind(family, &a, checkpoint, &b));
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) {
        const ckpt_tensor *t = ckpt_at(checkpoint, i);
        float             *values = core_alloc_array((size_t)t->elements, sizeof *values, t->name);
        core_dtype_to_f32(t->dtype, t->data, values, (size_t)t->elements);
        if (find_quantized(&b, &storing, t, &bound)) {
            dequantise(t, &bound, w, values);
            changed++;
        }
        add_values(f, t, values);
        core_free(values);
    }
    folder_finish(f);
    assert_true(changed > 0);
    ckpt_close(checkpoint);
}

static void logits_of(const model_model *model, float *logits)
{
    const int32_t ids[IDS] = { 5, 17, 3, 44, 29, 8, 1, 60, 12 };
    model_state  *state = models_state(model, 1, 16, IDS);
    models_logits(state, ids, IDS - 2, IDS - 2, logits);
    models_logits(state, ids + IDS - 2, 2, 1, logits + (IDS - 2) * model->architecture.vocab_size); /* single rows: decoding */
    model_state_free(state);
}

static void compare(const char *label, const float *got, const float *want, size_t count)
{
    double most = 0.0, worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)want[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    }
    if (!(worst <= 2e-5 * most))
        fail_msg("%s: logits differ by up to %g of %g", label, worst, most);
}

static void logits_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t m = 0; m < COUNT(tiny); m++)
        for (size_t i = 0; i < COUNT(ways); i++) {
            if (m > 0 && i != m) /* every way of the first, then one way each */
                continue;
            char         path[256], label[120];
            folder       f;
            model_model *model = NULL;
            snprintf(label, sizeof label, "%s in %s", tiny[m], ways[i].label);
            write_dequantised(path_of(tiny[m], path), &ways[i], &f);
            dev_device    *device = models_open(where, 0);
            const uint64_t before = dev_memory_used(device);
            const model_load_options options = { .dtype = OCLM_DTYPE_FLOAT32, .quantize = ways[i].kind, .nested = ways[i].nested };
            if (models_load_on(path, device, &options, &model) != OCLM_OK)
                fail_msg("%s: %s", label, oclm_last_error());
            if (dev_memory_used(device) - before != model->sizes.weight_bytes + dev_matrix_staging_bytes(device))
                fail_msg("%s: takes %llu bytes, not %llu", label, (unsigned long long)(dev_memory_used(device) - before),
                         (unsigned long long)model->sizes.weight_bytes);
            model_model *floats = models_load(f.path, where, OCLM_DTYPE_FLOAT32);
            const size_t count = (size_t)IDS * model->architecture.vocab_size;
            float       *got = core_alloc_array(2 * count, sizeof *got, "logits"), *want = got + count;
            logits_of(model, got);
            logits_of(floats, want);
            compare(label, got, want, count);
            core_free(got);
            model_free(floats);
            model_free(model);
            folder_free(&f);
        }
}

static void logits_are_those_of_the_dequantised_weights_and_memory_is_as_told(void **state)
{
    (void)state;
    models_each_device(logits_on_device, NULL);
}

static bool is_quantized(const model_storing *s, const model_binding *b, model_role role)
{
    return model_is_to_quantize(s, b, role, model_bound_tensor(b, role, 1).tensor);
}

static void modules_are_skipped_as_in_transformers(void **state)
{
    static const struct { const char *label, *skip[2]; size_t count; bool q, down, head; } cases[] = {
        { "the default: the head", { NULL }, 0, true, true, false },
        { "a list in its place", { "q_proj" }, 1, false, true, true },
        { "from the start up to a dot", { "model.layers.1" }, 1, false, false, true },
        { "not within a name", { "model.layers.1.self_attn.q" }, 1, true, true, true },
        { "two", { "down_proj", "lm_head" }, 2, true, false, false },
    };
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    ckpt_checkpoint    *checkpoint = NULL;
    model_binding       b;
    char                path[256];
    (void)state;
    assert_ok(model_config_read(path_of("tests/golden/tiny/llama", path), &family, &a, &dtype));
    assert_ok(ckpt_open(path, NULL, &checkpoint));
    assert_ok(model_bind(family, &a, checkpoint, &b));
    assert_false(b.tied);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const model_storing s = { .quantize = CKPT_QUANTIZE_NF4, .skip = cases[i].count > 0 ? cases[i].skip : NULL, .skip_count = cases[i].count };
        if (is_quantized(&s, &b, MODEL_Q) != cases[i].q || is_quantized(&s, &b, MODEL_DOWN) != cases[i].down ||
            is_quantized(&s, &b, MODEL_HEAD) != cases[i].head)
            fail_msg("%s: q %d, down %d, head %d", cases[i].label, is_quantized(&s, &b, MODEL_Q), is_quantized(&s, &b, MODEL_DOWN),
                     is_quantized(&s, &b, MODEL_HEAD));
        assert_false(is_quantized(&s, &b, MODEL_EMBEDDING) || is_quantized(&s, &b, MODEL_MLP_NORM));
    }
    const model_storing pattern = { .quantize = CKPT_QUANTIZE_NF4, .skip = (const char *[]){ "layers.*" }, .skip_count = 1 };
    assert_status(model_storing_check(&pattern, &b), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "layers.*"));
    ckpt_close(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_the_dequantised_weights_and_memory_is_as_told),
        cmocka_unit_test(modules_are_skipped_as_in_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
