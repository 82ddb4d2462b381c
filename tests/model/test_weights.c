/* test_weights.c: from the checkpoint to the device: sizes to the byte, the layout of fused tensors, budgets, cancelling. */
#include "model/folders.h"
#include "model/models.h"

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
        assert_ok(model_load(llama.path, device, &(model_load_options){ .dtype = dtypes[i].wish }, &model));
        assert_int_equal(model->weights.dtype, dtypes[i].stored);
        assert_int_equal(model->weights.parameters, FOLDER_LLAMA_PARAMETERS);
        assert_int_equal(dev_memory_used(device) - before,
                         model_weights_bytes(&model->architecture, false, dtypes[i].stored) + dev_matrix_staging_bytes(device));
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

/* ---- Budgets */

static void budgets_on_device(const place *where, void *user)
{
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    model_model        *model = NULL;
    (void)user;
    assert_ok(model_config_read(llama.path, &family, &a, &dtype));
    dev_device *device = models_open(where, 0);
    const uint64_t staging = dev_matrix_staging_bytes(device);
    const uint64_t full = model_weights_bytes(&a, false, CORE_F32) + staging, half = model_weights_bytes(&a, false, CORE_F16) + staging;
    dev_close(device);
    assert_true(half < full);
    assert_status(model_load(llama.path, models_open(where, full - 1),
                             &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model),
                  OCLM_ERR_DEVICE_MEMORY);
    assert_null(model);
    assert_non_null(strstr(oclm_last_error(), "as float16"));
    assert_status(model_load(llama.path, models_open(where, half - 1),
                             &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model),
                  OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "more memory"));
    assert_ok(
        model_load(llama.path, models_open(where, full), &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model));
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
    assert_ok(model_load(
        llama.path, models_open(where, 0),
        &(model_load_options){ .dtype = OCLM_DTYPE_AUTO, .progress = watch_progress, .progress_user = &w }, &model));
    model_free(model);
    assert_int_equal(w.last, w.total);
    assert_int_equal(w.total, 4 * FOLDER_LLAMA_PARAMETERS);
    const size_t calls = w.calls;
    for (size_t stop_at = 1; stop_at <= calls; stop_at += where->slow ? 10 : 1) {
        const size_t live = core_memory_live();
        w = (watch){ .stop_at = stop_at };
        assert_status(model_load(llama.path, models_open(where, 0),
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
        status = model_load(llama.path, device, &(model_load_options){ .dtype = OCLM_DTYPE_AUTO }, &model);
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
    (void)state;
    assert_ok(model_config_read(llama.path, &family, &a, &dtype));
    const uint64_t read = model_weights_read_per_token(&a, CORE_F32);
    assert_int_equal(model_weights_bytes(&a, false, CORE_F32) - read, dev_matrix_bytes(CORE_F32, 70, 36)); /* the embedding */
    assert_int_equal(model_weights_bytes(&a, true, CORE_F32), read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_take_exactly_the_bytes_that_were_told),
        cmocka_unit_test(fused_tensors_lie_as_the_products_want_them),
        cmocka_unit_test(a_model_too_large_is_refused_with_what_would_fit),
        cmocka_unit_test(loading_tells_its_progress_and_can_be_stopped_anywhere),
        cmocka_unit_test(a_failing_allocation_is_told_and_nothing_leaks),
        cmocka_unit_test(a_tied_head_is_read_once_and_the_embedding_not),
    };
    return cmocka_run_group_tests(tests, make_llama, remove_llama);
}
