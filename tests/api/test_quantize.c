/* test_quantize.c: oclm_quantize(): what it writes is read back: folders as the codes that quantising the weights gives, to the last bit; GGUF
 * files as models that tell the same probabilities; and after errors nothing is there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/quantize.h"
#include "checkpoint/rows.h"
#include "core/memory.h"
#include "core/platform.h"
#include "core/scratch.h"
#include "device/devices.h"

static char folder[SCRATCH_PATH];

static int make_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return 0;
}

static void remove_tree(const char *path)
{
    char command[2 * SCRATCH_PATH];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static int drop_folder(void **state)
{
    (void)state;
    remove_tree(folder);
    return 0;
}

static size_t entries(void)
{
    size_t         count = 0;
    DIR           *listing = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(listing);
    return count;
}

static const char *model_path(const char *name, char into[SCRATCH_PATH])
{
    (void)snprintf(into, SCRATCH_PATH, "%s/%s", OCLM_SOURCE_DIR, name);
    return into;
}

static void quantize(const char *name, const char *out, oclm_quantize_format format, bool double_quant)
{
    char                  from[SCRATCH_PATH];
    oclm_quantize_options options;
    oclm_quantize_options_init(&options, sizeof options);
    options.format = format;
    options.double_quant = double_quant;
    if (oclm_quantize(model_path(name, from), out, &options) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
}

/* ---- Folders */

/* All values of a quantised tensor; free with core_free(). */
static float *values_of(const ckpt_tensor *tensor)
{
    float *values = core_alloc_array((size_t)tensor->elements, sizeof *values, "values");
    assert_non_null(values);
    assert_int_equal(ckpt_read_values(tensor, 0, tensor->elements / tensor->shape[tensor->dims - 1], values), OCLM_OK);
    return values;
}

static void check_quantized(const ckpt_tensor *written, const ckpt_tensor *plain, ckpt_quantize_kind kind, bool nested, bool transposed)
{
    ckpt_quantizer wanted;
    assert_int_equal(ckpt_quantizer_open(plain, transposed, kind, nested, plain->dtype, &wanted), OCLM_OK);
    if (written->shape[0] != wanted.rows || written->shape[1] != wanted.columns)
        fail_msg("%s is [%llu, %llu]", written->name, (unsigned long long)written->shape[0], (unsigned long long)written->shape[1]);
    float *got = values_of(written), *want = values_of(&wanted.tensor);
    for (uint64_t i = 0; i < written->elements; i++) {
        if (memcmp(&got[i], &want[i], sizeof got[i]) != 0)
            fail_msg("%s: value %llu is %.9g, want %.9g", written->name, (unsigned long long)i, (double)got[i], (double)want[i]);
    }
    core_free(got);
    core_free(want);
    ckpt_quantizer_close(&wanted);
}

static void folders_hold_what_quantising_gives(void **state)
{
    static const struct {
        const char          *model;
        oclm_quantize_format format;
        ckpt_quantize_kind   kind;
        bool                 nested, transposed;
        size_t               matrices;
    } cases[] = {
        { "tests/golden/tiny/llama", OCLM_QUANTIZE_NF4, CKPT_QUANTIZE_NF4, false, false, 14 },
        { "tests/golden/tiny/llama-sharded", OCLM_QUANTIZE_FP4, CKPT_QUANTIZE_FP4, false, false, 14 },
        { "tests/golden/tiny/llama", OCLM_QUANTIZE_INT8, CKPT_QUANTIZE_INT8, false, false, 14 },
        { "samples/models/stories", OCLM_QUANTIZE_NF4, CKPT_QUANTIZE_NF4, true, true, 16 },
        { "samples/models/stories", OCLM_QUANTIZE_INT8, CKPT_QUANTIZE_INT8, false, true, 16 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char             from[SCRATCH_PATH], out[SCRATCH_PATH + 16];
        ckpt_checkpoint *plain, *written;
        size_t           matrices = 0;
        (void)snprintf(out, sizeof out, "%s/folder%zu", folder, i);
        quantize(cases[i].model, out, cases[i].format, cases[i].nested);
        if (ckpt_open(model_path(cases[i].model, from), NULL, &plain) != OCLM_OK || ckpt_open(out, NULL, &written) != OCLM_OK)
            fail_msg("%s: %s", cases[i].model, oclm_last_error());
        assert_int_equal(ckpt_count(written), ckpt_count(plain));
        for (size_t k = 0; k < ckpt_count(written); k++) {
            const ckpt_tensor *tensor = ckpt_at(written, k), *before = ckpt_find(plain, tensor->name);
            assert_non_null(before);
            matrices += tensor->quantized != NULL;
            if (tensor->quantized != NULL)
                check_quantized(tensor, before, cases[i].kind, cases[i].nested, cases[i].transposed);
            else if (tensor->bytes != before->bytes || tensor->dtype != before->dtype || memcmp(tensor->data, before->data, tensor->bytes) != 0)
                fail_msg("%s changed", tensor->name);
        }
        assert_int_equal(matrices, cases[i].matrices);
        ckpt_close(plain);
        ckpt_close(written);
    }
    char tokenizer[SCRATCH_PATH];
    (void)snprintf(tokenizer, sizeof tokenizer, "%.900s/folder3/tokenizer.json", folder);
    assert_true(core_path_is_file(tokenizer));
}

#define IDS 12

static void score(const char *path, const oclm_model_options *options, const int32_t *ids, float *log_probs)
{
    oclm_model *model;
    if (oclm_model_load(path, options, &model) != OCLM_OK || oclm_score(model, ids, IDS, NULL, log_probs, IDS) != OCLM_OK)
        fail_msg("%s: %s", path, oclm_last_error());
    oclm_model_free(model);
}

/* In each dtype: that of the file (float16; the matrices of GPT-2 are [inputs][outputs]), and others. */
static void folders_are_the_models_that_loading_makes(void **state)
{
    static const struct { oclm_quantize_format format; bool double_quant; const char *quant_type; } cases[] = {
        { OCLM_QUANTIZE_NF4, true, "nf4" }, { OCLM_QUANTIZE_FP4, false, "fp4" }, { OCLM_QUANTIZE_INT8, false, NULL },
    };
    static const oclm_dtype dtypes[] = { OCLM_DTYPE_AUTO, OCLM_DTYPE_FLOAT16, OCLM_DTYPE_FLOAT32 };
    static const int32_t    ids[IDS] = { 38, 49, 59, 91, 12, 82, 79, 21, 17, 18, 19, 90 };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char from[SCRATCH_PATH], out[SCRATCH_PATH + 16];
        (void)snprintf(out, sizeof out, "%s/same%zu", folder, i);
        quantize("samples/models/stories", out, cases[i].format, cases[i].double_quant);
        for (size_t d = 0; d < COUNT(dtypes); d++) {
            oclm_model_options loading, written;
            float              want[IDS], got[IDS];
            oclm_model_options_init(&loading, sizeof loading);
            oclm_model_options_init(&written, sizeof written);
            loading.dtype = written.dtype = dtypes[d];
            loading.load_in_8bit = cases[i].format == OCLM_QUANTIZE_INT8;
            loading.load_in_4bit = !loading.load_in_8bit;
            loading.bnb_4bit_quant_type = cases[i].quant_type;
            loading.bnb_4bit_use_double_quant = cases[i].double_quant;
            score(model_path("samples/models/stories", from), &loading, ids, want);
            score(out, &written, ids, got);
            if (memcmp(got + 1, want + 1, (IDS - 1) * sizeof *got) != 0)
                fail_msg("%s, dtype %d: the folder tells other probabilities than the model quantised while it is loaded: %g, %g", out, (int)dtypes[d],
                         (double)got[1], (double)want[1]);
        }
    }
}

/* ---- GGUF files */

static void gguf_files_are_the_same_models(void **state)
{
    static const struct {
        const char          *model, *out;
        oclm_quantize_format format;
        double               tolerance; /* of a log-probability */
    } cases[] = {
        { "samples/models/stories", "stories-f16.gguf", OCLM_QUANTIZE_F16, 1e-4 },
        { "samples/models/stories", "stories-q8_0.gguf", OCLM_QUANTIZE_Q8_0, 0.1 },
        { "samples/models/stories", "stories-q5_1.gguf", OCLM_QUANTIZE_Q5_1, 0.7 },
        { "tests/golden/tiny/llama-gqa", "gqa.gguf", OCLM_QUANTIZE_F16, 2e-2 },
        { "tests/golden/tiny/llama-llama3", "llama3.gguf", OCLM_QUANTIZE_F16, 2e-2 },
        { "tests/golden/tiny/llama-linear", "linear.gguf", OCLM_QUANTIZE_F16, 2e-2 },
    };
    static const int32_t ids[IDS] = { 38, 49, 59, 91, 12, 82, 79, 21, 17, 18, 19, 90 };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char  from[SCRATCH_PATH], out[SCRATCH_PATH + 32];
        float want[IDS], got[IDS];
        (void)snprintf(out, sizeof out, "%s/%s", folder, cases[i].out);
        quantize(cases[i].model, out, cases[i].format, false);
        score(model_path(cases[i].model, from), NULL, ids, want);
        score(out, NULL, ids, got);
        for (size_t k = 1; k < IDS; k++) {
            if (!(fabs((double)got[k] - (double)want[k]) <= cases[i].tolerance))
                fail_msg("%s: log-probability %zu is %g, that of the model itself %g", cases[i].out, k, (double)got[k], (double)want[k]);
        }
    }
}

static void a_gguf_file_has_the_tokenizer(void **state)
{
    static const char text[] = "Once upon a time, there was  a \xC3\xA9" "123 dog!\n";
    char              from[SCRATCH_PATH], out[SCRATCH_PATH + 32];
    oclm_tokenizer   *a, *b;
    int32_t          *ids_a, *ids_b;
    size_t            count_a, count_b;
    (void)state;
    (void)snprintf(out, sizeof out, "%s/tokenizer.gguf", folder);
    quantize("samples/models/stories", out, OCLM_QUANTIZE_Q4_0, false);
    assert_int_equal(oclm_tokenizer_load(model_path("samples/models/stories", from), NULL, &a), OCLM_OK);
    assert_int_equal(oclm_tokenizer_load(out, NULL, &b), OCLM_OK);
    assert_int_equal(oclm_tokenizer_encode(a, text, strlen(text), true, &ids_a, &count_a), OCLM_OK);
    assert_int_equal(oclm_tokenizer_encode(b, text, strlen(text), true, &ids_b, &count_b), OCLM_OK);
    assert_int_equal(count_a, count_b);
    assert_memory_equal(ids_a, ids_b, count_a * sizeof *ids_a);
    oclm_free(ids_a);
    oclm_free(ids_b);
    oclm_tokenizer_free(a);
    oclm_tokenizer_free(b);
}

/* ---- What is refused, and leaves nothing */

static bool stop_later(const char *what, uint64_t done, uint64_t total, void *user)
{
    (void)what;
    (void)total;
    (void)user;
    return done == 0;
}

static void check_refused(const char *name, const char *out, oclm_quantize_format format, oclm_progress_callback progress, oclm_status want,
                          const char *words)
{
    const size_t          before = entries();
    oclm_quantize_options options;
    oclm_quantize_options_init(&options, sizeof options);
    options.format = format;
    options.progress = progress;
    const oclm_status status = oclm_quantize(name, out, &options);
    if (status != want || strstr(oclm_last_error(), words) == NULL)
        fail_msg("status %d, want %d: %s", (int)status, (int)want, oclm_last_error());
    assert_int_equal(entries(), before);
}

static void what_is_refused_leaves_nothing(void **state)
{
    char stories[SCRATCH_PATH], out[SCRATCH_PATH + 32], made[SCRATCH_PATH + 32], nowhere[SCRATCH_PATH + 32];
    (void)state;
    model_path("samples/models/stories", stories);
    (void)snprintf(out, sizeof out, "%s/refused", folder);
    (void)snprintf(made, sizeof made, "%s/made", folder);
    (void)snprintf(nowhere, sizeof nowhere, "%s/none/x", folder);
    quantize("samples/models/stories", made, OCLM_QUANTIZE_NF4, false);
    check_refused(stories, out, (oclm_quantize_format)0, NULL, OCLM_ERR_ARGUMENT, "format is 0");
    check_refused(stories, out, (oclm_quantize_format)99, NULL, OCLM_ERR_ARGUMENT, "format is 99");
    check_refused(stories, made, OCLM_QUANTIZE_NF4, NULL, OCLM_ERR_ARGUMENT, "is there already");
    check_refused(stories, made, OCLM_QUANTIZE_Q4_0, NULL, OCLM_ERR_ARGUMENT, "is there already");
    check_refused(made, out, OCLM_QUANTIZE_Q8_0, NULL, OCLM_ERR_UNSUPPORTED, "quantised already (bitsandbytes)");
    check_refused(OCLM_SOURCE_DIR "/tests/golden/tiny/llama-bias", out, OCLM_QUANTIZE_Q8_0, NULL, OCLM_ERR_UNSUPPORTED, "the activation cannot be said");
    check_refused(OCLM_SOURCE_DIR "/tests/golden/tiny/llama-dynamic", out, OCLM_QUANTIZE_Q8_0, NULL, OCLM_ERR_UNSUPPORTED, "how positions turn");
    check_refused(stories, out, OCLM_QUANTIZE_NF4, stop_later, OCLM_ERR_CANCELLED, "cancelled");
    check_refused(stories, out, OCLM_QUANTIZE_Q4_1, stop_later, OCLM_ERR_CANCELLED, "cancelled");
    check_refused(stories, nowhere, OCLM_QUANTIZE_INT8, NULL, OCLM_ERR_NOT_FOUND, "none");
    check_refused(stories, nowhere, OCLM_QUANTIZE_Q8_0, NULL, OCLM_ERR_NOT_FOUND, "none");
    assert_int_equal(oclm_quantize(NULL, out, NULL), OCLM_ERR_ARGUMENT);
    assert_int_equal(oclm_quantize(stories, NULL, NULL), OCLM_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_hold_what_quantising_gives),
        cmocka_unit_test(folders_are_the_models_that_loading_makes),
        cmocka_unit_test(gguf_files_are_the_same_models),
        cmocka_unit_test(a_gguf_file_has_the_tokenizer),
        cmocka_unit_test(what_is_refused_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
