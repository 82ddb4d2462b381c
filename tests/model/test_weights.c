/* test_weights.c: from the checkpoint to the device: sizes to the byte, the layout of fused tensors, budgets, cancelling. */
#include "model/folders.h"
#include "model/models.h"

#include <math.h>

#include "core/log.h"

static folder llama;

static int make_llama(void **state)
{
    (void)state;
    folder_new_llama(&llama, CORE_F32);
    return 0;
}

static int remove_llama(void **state)
{
    (void)state;
    folder_free(&llama);
    return 0;
}

static const struct { oclm_dtype wish; core_dtype stored; } dtypes[] = {
    { OCLM_DTYPE_FLOAT32, CORE_F32 }, { OCLM_DTYPE_FLOAT16, CORE_F16 }, { OCLM_DTYPE_BFLOAT16, CORE_BF16 }, { OCLM_DTYPE_AUTO, CORE_F32 },
};

static void sizes_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        dev_device    *device = models_open(where, 0);
        const uint64_t before = dev_memory_used(device);
        model_model   *model = NULL;
        assert_ok(models_load_on(llama.path, device, &(model_load_options){ .dtype = dtypes[i].wish }, &model));
        assert_int_equal(model->weights.dtype, dtypes[i].stored);
        assert_int_equal(model->weights.parameters, FOLDER_LLAMA_PARAMETERS);
        assert_int_equal(dev_memory_used(device) - before, model->sizes.weight_bytes + dev_matrix_staging_bytes(device));
        assert_int_equal(model->weights.sizes.bytes, model->sizes.weight_bytes);
        model_free(model);
    }
}

static void weights_take_exactly_the_bytes_that_were_told(void **state)
{
    (void)state;
    models_each_device(sizes_on_device, NULL);
}

/* Biases show the layout: q, k and v below each other; gate and up in alternating panels of 32, each padded with zeros. */
static void layout_on_device(const place *where, void *user)
{
    model_model *model = models_load(llama.path, where, OCLM_DTYPE_FLOAT32);
    float        qkv[64], up[128];
    (void)user;
    assert_int_equal(model->weights.layers[1].qkv.rows, 50);
    assert_int_equal(model->weights.layers[1].qkv_bias.bytes, sizeof qkv);
    assert_ok(dev_buffer_read(dev_queue(model->device), &model->weights.layers[1].qkv_bias, 0, qkv, sizeof qkv));
    for (size_t i = 0; i < 64; i++) {
        const float want = i < 30 ? folder_value("model.layers.1.self_attn.q_proj.bias", i)
                           : i < 40 ? folder_value("model.layers.1.self_attn.k_proj.bias", i - 30)
                           : i < 50 ? folder_value("model.layers.1.self_attn.v_proj.bias", i - 40) : 0.0f;
        assert_true(qkv[i] == want);
    }
    assert_int_equal(model->weights.layers[0].up.rows, 128);
    assert_int_equal(model->weights.layers[0].up_bias.bytes, sizeof up);
    assert_ok(dev_buffer_read(dev_queue(model->device), &model->weights.layers[0].up_bias, 0, up, sizeof up));
    for (size_t i = 0; i < 128; i++) {
        const size_t place_in = i / 64 * 32 + i % 32;
        const char  *name = i / 32 % 2 == 0 ? "model.layers.0.mlp.gate_proj.bias" : "model.layers.0.mlp.up_proj.bias";
        assert_true(up[i] == (place_in < 44 ? folder_value(name, place_in) : 0.0f));
    }
    model_free(model);
}

static void fused_tensors_lie_as_the_products_want_them(void **state)
{
    (void)state;
    models_each_device(layout_on_device, NULL);
}

/* ---- A model with what no llama has: fused tensors in every layout, norms of each head, one plus the stored weight, xIELU */

enum { HIDDEN = 12, HEADS = 4, KV_HEADS = 2, HEAD = 6, INNER = 40, VOCAB = 8, Q = HEADS * HEAD, KV = KV_HEADS * HEAD, QKV = Q + 2 * KV };

#define ODD_NAMES(turned)                                                                                                          \
    { { MODEL_EMBEDDING, "embed", false }, { MODEL_FINAL_NORM, "norm", false }, { MODEL_HEAD, "old_head", false },                  \
      { MODEL_HEAD, "head", false }, { MODEL_ATTENTION_NORM, "{i}.norm_1", false }, { MODEL_QKV, "{i}.qkv", turned },               \
      { MODEL_QKV_BIAS, "{i}.qkv_bias", false }, { MODEL_Q_NORM, "{i}.q_norm.{h}", false }, { MODEL_K_NORM, "{i}.k_norm", false },  \
      { MODEL_O, "{i}.o", false }, { MODEL_POST_ATTENTION_NORM, "{i}.post_1", false }, { MODEL_MLP_NORM, "{i}.norm_2", false },    \
      { MODEL_GATE_UP, "{i}.gate_up", turned }, { MODEL_GATE_UP_BIAS, "{i}.gate_up_bias", false }, { MODEL_DOWN, "{i}.down", false }, \
      { MODEL_DOWN_BIAS, "{i}.down_bias", false }, { MODEL_POST_MLP_NORM, "{i}.post_2", false }, { MODEL_SINKS, "{i}.sinks", false }, \
      { MODEL_XIELU_ALPHA_P, "{i}.p", false }, { MODEL_XIELU_ALPHA_N, "{i}.n", false }, { MODEL_XIELU_BETA, "{i}.beta", false },    \
      { MODEL_XIELU_EPS, "{i}.eps", false } }
static const model_tensor_name odd_names[] = ODD_NAMES(false), odd_turned_names[] = ODD_NAMES(true);

static const struct odd { const char *label; model_qkv_layout layout; bool turned; } odds[] = {
    { "q, k, v", { 0, false }, false },
    { "q, k, v, turned", { 1, false }, true },
    { "by groups of heads", { 2, false }, false },
    { "v before k, by groups, turned", { 2, true }, true },
};

static void add_odd_tensors(folder *f, bool turned)
{
    const folder_tensor tensors[] = {
        { "embed", VOCAB, HIDDEN }, { "norm", HIDDEN, 0 }, { "head", VOCAB, HIDDEN }, { "0.norm_1", HIDDEN, 0 },
        { "0.qkv", turned ? HIDDEN : QKV, turned ? QKV : HIDDEN }, { "0.qkv_bias", QKV, 0 },
        { "0.q_norm.0", HEAD, 0 }, { "0.q_norm.1", HEAD, 0 }, { "0.q_norm.2", HEAD, 0 }, { "0.q_norm.3", HEAD, 0 },
        { "0.k_norm", KV_HEADS, HEAD }, { "0.o", HIDDEN, Q }, { "0.post_1", HIDDEN, 0 }, { "0.norm_2", HIDDEN, 0 },
        { "0.gate_up", turned ? HIDDEN : 2 * INNER, turned ? 2 * INNER : HIDDEN }, { "0.gate_up_bias", 2 * INNER, 0 },
        { "0.down", HIDDEN, INNER }, { "0.down_bias", HIDDEN, 0 }, { "0.post_2", HIDDEN, 0 }, { "0.sinks", HEADS, 0 },
        { "0.p", 1, 0 }, { "0.n", 1, 0 }, { "0.beta", 1, 0 }, { "0.eps", 1, 0 },
    };
    for (size_t i = 0; i < COUNT(tensors); i++)
        folder_add(f, tensors[i].name, CORE_F32, tensors[i].rows, tensors[i].columns);
}

static model_architecture odd_architecture(const struct odd *odd)
{
    return (model_architecture){
        .vocab_size = VOCAB, .hidden_size = HIDDEN, .intermediate_size = INNER, .layers = 1, .heads = HEADS, .kv_heads = KV_HEADS,
        .head_dim = HEAD, .max_position_embeddings = 16, .norm = { .kind = DEV_NORM_LAYER, .eps = 1e-5f, .weight_plus_one = true },
        .residual = MODEL_RESIDUAL_SANDWICH, .position = MODEL_POSITION_NONE, .attention_sinks = true, .qk_norm = MODEL_QK_NORM_HEADS,
        .qk_norm_shape = { .kind = DEV_NORM_LAYER, .eps = 1e-5f }, .qkv_layout = odd->layout, .qkv_bias = true, .mlp_gated = true,
        .mlp_bias = true, .xielu = true,
    };
}

/* Row r of q, k and v below each other: where is it stored? */
static size_t stored_row(model_qkv_layout layout, size_t r)
{
    const size_t blocks = layout.blocks > 1 ? layout.blocks : 1, q = Q / blocks, kv = KV / blocks, block = q + 2 * kv;
    if (r < Q)
        return r / q * block + r % q;
    const bool   value = r >= Q + KV;
    const size_t in = value ? r - Q - KV : r - Q;
    return in / kv * block + q + (value != layout.v_first ? kv : 0) + in % kv;
}

static float *read_all(dev_device *device, const dev_buffer *buffer)
{
    float *values = core_alloc(buffer->bytes, "a buffer's numbers");
    assert_non_null(values);
    assert_ok(dev_buffer_read(dev_queue(device), buffer, 0, values, buffer->bytes));
    return values;
}

/* Row `row` of a matrix and element `row` of its bias are those that are stored as row `from` of so many. */
static void check_row(const struct odd *odd, const char *weight, const char *bias, size_t from, size_t rows, const float *matrix, const float *vector,
                      size_t row)
{
    for (size_t k = 0; k < HIDDEN; k++) {
        const float got = matrix[row / 32 * 32 * HIDDEN + k * 32 + row % 32];
        const float want = folder_value(weight, odd->turned ? k * rows + from : from * HIDDEN + k);
        if (got != want)
            fail_msg("%s: %s: row %zu, column %zu is %g, want %g", odd->label, weight, row, k, (double)got, (double)want);
    }
    if (vector[row] != folder_value(bias, from))
        fail_msg("%s: %s: element %zu is %g", odd->label, bias, row, (double)vector[row]);
}

static void check_fused(dev_device *device, const struct odd *odd, const model_layer *layer)
{
    float *qkv = read_all(device, &layer->qkv.parts[0].buffer), *qkv_bias = read_all(device, &layer->qkv_bias);
    float *up = read_all(device, &layer->up.parts[0].buffer), *up_bias = read_all(device, &layer->up_bias);
    for (size_t r = 0; r < QKV; r++)
        check_row(odd, "0.qkv", "0.qkv_bias", stored_row(odd->layout, r), QKV, qkv, qkv_bias, r);
    for (size_t r = 0; r < 2 * INNER; r++) {
        const size_t in = r % INNER, row = in / 32 * 64 + in % 32 + (r < INNER ? 0 : 32);
        check_row(odd, "0.gate_up", "0.gate_up_bias", r, 2 * INNER, up, up_bias, row);
    }
    core_free(qkv);
    core_free(qkv_bias);
    core_free(up);
    core_free(up_bias);
}

static void check_vector(dev_device *device, const dev_buffer *buffer, const char *name, size_t count, float plus)
{
    float *got = read_all(device, buffer);
    for (size_t i = 0; i < count; i++) {
        if (got[i] != folder_value(name, i) + plus)
            fail_msg("%s: element %zu is %g, want %g", name, i, (double)got[i], (double)(folder_value(name, i) + plus));
    }
    core_free(got);
}

static void check_vectors(dev_device *device, const model_weights *w)
{
    const model_layer *layer = &w->layers[0];
    float             *q_norm = read_all(device, &layer->q_norm.weight), *xielu = read_all(device, &layer->xielu);
    check_vector(device, &w->final_norm.weight, "norm", HIDDEN, 1.0f);
    check_vector(device, &layer->attention_norm.weight, "0.norm_1", HIDDEN, 1.0f);
    check_vector(device, &layer->mlp_norm.weight, "0.norm_2", HIDDEN, 1.0f);
    check_vector(device, &layer->post_attention_norm.weight, "0.post_1", HIDDEN, 1.0f);
    check_vector(device, &layer->post_mlp_norm.weight, "0.post_2", HIDDEN, 1.0f);
    check_vector(device, &layer->k_norm.weight, "0.k_norm", KV, 0.0f);
    check_vector(device, &layer->sinks, "0.sinks", HEADS, 0.0f);
    assert_null(layer->attention_norm.bias.memory);
    for (size_t i = 0; i < Q; i++) {
        const char name[] = { '0', '.', 'q', '_', 'n', 'o', 'r', 'm', '.', (char)('0' + i / HEAD), '\0' };
        assert_true(q_norm[i] == folder_value(name, i % HEAD));
    }
    const double p = folder_value("0.p", 0), n = folder_value("0.n", 0), beta = folder_value("0.beta", 0);
    const double want[] = { log(1 + exp(p)), beta + log(1 + exp(n)), beta, folder_value("0.eps", 0) };
    for (size_t i = 0; i < COUNT(want); i++)
        assert_true(fabs(xielu[i] - want[i]) <= 0x1p-23 * (fabs(want[i]) + 1));
    core_free(q_norm);
    core_free(xielu);
}

static void odd_on_device(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(odds); i++) {
        const struct odd        *odd = &odds[i];
        const model_architecture a = odd_architecture(odd);
        const model_family       family = { .model_type = "odd", .base_prefix = "base.", .names = odd->turned ? odd_turned_names : odd_names,
                                            .name_count = COUNT(odd_names) };
        folder           f;
        ckpt_checkpoint *checkpoint = NULL;
        model_binding    binding;
        model_weights    weights;
        folder_new(&f, "{}");
        add_odd_tensors(&f, odd->turned);
        folder_finish(&f);
        dev_device    *device = models_open(where, 0);
        const uint64_t before = dev_memory_used(device);
        assert_ok(ckpt_open(f.path, NULL, &checkpoint));
        if (model_bind(&family, &a, checkpoint, &binding) != OCLM_OK)
            fail_msg("%s: %s", odd->label, oclm_last_error());
        assert_int_equal(binding.parameters * sizeof(float), f.data.length);
        const model_storing storing = { .dtype = CORE_F32 };
        model_weight_sizes  sizes;
        assert_ok(model_weights_measure(&binding, &storing, &sizes));
        const model_sites sites = { .devices = &device, .device_count = 1 };
        assert_ok(model_weights_load(&sites, &binding, &storing, NULL, NULL, &weights));
        assert_int_equal(dev_memory_used(device) - before, sizes.bytes + dev_matrix_staging_bytes(device));
        check_fused(device, odd, &weights.layers[0]);
        check_vectors(device, &weights);
        model_weights_free(&sites, &weights);
        ckpt_close(checkpoint);
        dev_close(device);
        folder_free(&f);
    }
}

static void tensors_fused_in_any_way_and_vectors_in_pieces_are_put_in_order(void **state)
{
    (void)state;
    models_each_device(odd_on_device, NULL);
}

/* ---- Budgets */

static void budgets_on_device(const place *where, void *user)
{
    oclm_model_info info = { .struct_size = sizeof info };
    model_model    *model = NULL;
    (void)user;
    assert_ok(model_inspect(llama.path, &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &info));
    dev_device *device = models_open(where, 0);
    const uint64_t staging = dev_matrix_staging_bytes(device);
    const uint64_t full = info.weight_bytes + staging, half = info.weight_bytes_float16 + staging;
    dev_close(device);
    assert_true(half < full);
    assert_status(models_load_on(llama.path, models_open(where, full - 1),
                             &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model),
                  OCLM_ERR_DEVICE_MEMORY);
    assert_null(model);
    assert_non_null(strstr(oclm_last_error(), "as float16"));
    assert_status(models_load_on(llama.path, models_open(where, half - 1),
                             &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model),
                  OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "load_in_8bit"));
    assert_status(models_load_on(llama.path, models_open(where, staging + 1000), &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model),
                  OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "more memory"));
    assert_ok(
        models_load_on(llama.path, models_open(where, full), &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model));
    model_free(model);
}

static void a_model_too_large_is_refused_with_what_would_fit(void **state)
{
    (void)state;
    models_each_device(budgets_on_device, NULL);
}

/* ---- Progress */

typedef struct watch {
    uint64_t last, total;
    size_t   calls, stop_at;
} watch;

static bool watch_progress(const char *what, uint64_t done, uint64_t total, void *user)
{
    watch *w = user;
    assert_non_null(what);
    assert_true(done > w->last && done <= total);
    w->last = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

static void progress_on_device(const place *where, void *user)
{
    watch        w = { 0 };
    model_model *model = NULL;
    (void)user;
    assert_ok(models_load_on(
        llama.path, models_open(where, 0),
        &(model_load_options){ .dtype = OCLM_DTYPE_AUTO, .progress = watch_progress, .progress_user = &w }, &model));
    model_free(model);
    assert_int_equal(w.last, w.total);
    assert_int_equal(w.total, 4 * FOLDER_LLAMA_PARAMETERS);
    const size_t calls = w.calls;
    for (size_t stop_at = 1; stop_at <= calls; stop_at += where->slow ? 10 : 1) {
        const size_t live = core_memory_live();
        w = (watch){ .stop_at = stop_at };
        assert_status(models_load_on(llama.path, models_open(where, 0),
                                 &(model_load_options){
                                     .dtype = OCLM_DTYPE_AUTO, .progress = watch_progress, .progress_user = &w },
                                 &model),
                      OCLM_ERR_CANCELLED);
        assert_null(model);
        assert_int_equal(w.calls, stop_at);
        assert_int_equal(core_memory_live(), live);
    }
}

static void loading_tells_its_progress_and_can_be_stopped_anywhere(void **state)
{
    (void)state;
    models_each_device(progress_on_device, NULL);
}

static void failures_on_device(const place *where, void *user)
{
    oclm_status status = OCLM_ERR_MEMORY;
    (void)user;
    for (size_t n = 1; status != OCLM_OK; n += where->slow ? 29 : 1) {
        model_model   *model = NULL;
        const size_t live = core_memory_live();
        dev_device  *device = models_open(where, 0);
        core_memory_fail_at(n, true);
        status = models_load_on(llama.path, device, &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model);
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        model_free(model);
        assert_int_equal(core_memory_live(), live);
        assert_in_range(n, 1, 5000);
    }
}

static void a_failing_allocation_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    models_each_device(failures_on_device, NULL);
}

/* ---- What one token reads */

static void a_tied_head_is_read_once_and_the_embedding_not(void **state)
{
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    ckpt_checkpoint    *checkpoint = NULL;
    model_binding       binding;
    model_weight_sizes  apart, tied;
    const model_storing storing = { .dtype = CORE_F32 };
    (void)state;
    assert_ok(model_config_read(llama.path, &family, &a, &dtype));
    assert_ok(ckpt_open(llama.path, NULL, &checkpoint));
    assert_ok(model_bind(family, &a, checkpoint, &binding));
    assert_ok(model_weights_measure(&binding, &storing, &apart));
    binding.tied = true;
    assert_ok(model_weights_measure(&binding, &storing, &tied));
    ckpt_close(checkpoint);
    assert_int_equal(apart.unread, dev_matrix_bytes(CORE_F32, 70, 36)); /* the embedding */
    assert_int_equal(tied.unread, 0);
    assert_int_equal(tied.bytes, apart.bytes - apart.unread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_take_exactly_the_bytes_that_were_told),
        cmocka_unit_test(fused_tensors_lie_as_the_products_want_them),
        cmocka_unit_test(tensors_fused_in_any_way_and_vectors_in_pieces_are_put_in_order),
        cmocka_unit_test(a_model_too_large_is_refused_with_what_would_fit),
        cmocka_unit_test(loading_tells_its_progress_and_can_be_stopped_anywhere),
        cmocka_unit_test(a_failing_allocation_is_told_and_nothing_leaks),
        cmocka_unit_test(a_tied_head_is_read_once_and_the_embedding_not),
    };
    return cmocka_run_group_tests(tests, make_llama, remove_llama);
}
