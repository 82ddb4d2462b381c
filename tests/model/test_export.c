/* test_export.c: models written as GGUF files in float32 beside what llama.cpp's own converter made of them (golden/gguf): the same tensors, bit by
 * bit, and the same key-values. Of models of golden/families that have no such file what is written must compute their logits, or be refused.
 *
 * usage: model_test_export [FOLDER [MODEL]]    where files of llama.cpp are, <model>.gguf each; without: tests/golden/gguf */
#include <dirent.h>
#include <math.h>

#include "model/models.h"
#include "model/seeded.h"

#include "checkpoint/blocks_write.h"
#include "core/platform.h"
#include "model/export_gguf.h"

#define MAX_PROMPT 64
#define MAX_VOCAB 128

static const char *files = OCLM_SOURCE_DIR "/tests/golden/gguf", *only;

/* Keys of an architecture that we write otherwise, on purpose; "": of all. */
static const struct { const char *architecture, *key; } own_keys[] = {
    { "deepseek2", "attention.key_length" }, { "deepseek2", "attention.value_length" }, { "deepseek2", "attention.head_count_kv" }, /* as of ordinary heads, */
    { "deepseek2", "attention.key_length_mla" }, { "deepseek2", "attention.value_length_mla" },                                     /* which they are to us */
    { "nemotron", "attention.layer_norm_rms_epsilon" },           /* beside the other: it has layer norms */
    { "falcon", "tensor_data_layout" }, { "falcon", "context_length" }, /* a word for one reader of old; 2048 for all */
    { "ernie4_5-moe", "expert_shared_feed_forward_length" },      /* what its sizes are with four heads */
    { "hunyuan-dense", "context_length" }, { "hunyuan-dense", "rope.scaling.type" }, { "hunyuan-dense", "rope.scaling.factor" }, /* "none" of one, which says */
    { "hunyuan-dense", "rope.scaling.original_context_length" },  /* nothing */
    { "command-r", "rope.scaling.type" }, { "nemotron", "rope.scaling.type" }, /* "none" */
    { "chatglm", "context_length" },                              /* some models' own */
    { "phi3", "attention.sliding_window" },                       /* 0: none */
    { "", "full_attention_interval" },                            /* beside the list of layers */
};

/* "llama.block_count" */
static bool is_own(const char *key)
{
    const char  *name = strchr(key, '.');
    const size_t architecture = name != NULL ? (size_t)(name - key) : 0;
    for (size_t i = 0; i < COUNT(own_keys) && name != NULL; i++) {
        const char *of = own_keys[i].architecture;
        if (strcmp(own_keys[i].key, name + 1) == 0 && (of[0] == '\0' || (strlen(of) == architecture && strncmp(of, key, architecture) == 0)))
            return true;
    }
    return false;
}

/* ---- Comparing */

static void compare_value(const char *name, const char *key, const core_gguf_value *want, const core_gguf_value *got)
{
    if (got == NULL)
        fail_msg("%s: \"%s\" is missing", name, key);
    if ((want->type == CORE_GGUF_STRING) != (got->type == CORE_GGUF_STRING) || (want->array && want->count != got->count))
        fail_msg("%s: \"%s\" is of another type or length", name, key);
    if (want->type == CORE_GGUF_STRING) {
        const char  *a = want->data, *b = got->data;
        size_t       length, other;
        const char  *first = core_gguf_next_string(&a, &length), *second = core_gguf_next_string(&b, &other);
        if (want->array || length != other || memcmp(first, second, length) != 0)
            fail_msg("%s: \"%s\" is \"%.*s\", want \"%.*s\"", name, key, (int)other, second, (int)length, first);
        return;
    }
    for (uint64_t i = 0; i < want->count || (got->array && i < got->count); i++) { /* one number stands for a list of the same */
        const double a = core_gguf_float(want, want->array ? i : 0), b = core_gguf_float(got, got->array ? i : 0);
        if (!(fabs(a - b) <= 1e-6 * fabs(a)))
            fail_msg("%s: \"%s\" is %.9g, want %.9g", name, key, b, a);
    }
}

static void compare_values(const char *name, const core_gguf *want, const core_gguf *got)
{
    for (size_t i = 0; i < want->count; i++) {
        char key[160];
        snprintf(key, sizeof key, "%.*s", (int)want->values[i].key_length, want->values[i].key);
        if (strncmp(key, "general.", 8) != 0 && strncmp(key, "tokenizer.", 10) != 0 && !is_own(key))
            compare_value(name, key, &want->values[i], core_gguf_find(got, key));
    }
}

/* The same but for outer dimensions of 1. */
static bool same_shape(const ckpt_tensor *a, const ckpt_tensor *b)
{
    uint32_t i = 0, j = 0;
    while (i + 1 < a->dims && a->shape[i] == 1)
        i++;
    while (j + 1 < b->dims && b->shape[j] == 1)
        j++;
    return a->dims - i == b->dims - j && memcmp(a->shape + i, b->shape + j, (a->dims - i) * sizeof a->shape[0]) == 0;
}

/* Factors and decays are computed, by other functions there. */
static bool is_computed(const char *name) { return strncmp(name, "rope_", 5) == 0 || strstr(name, ".ssm_a") != NULL; }

static void compare_tensor(const char *name, const ckpt_tensor *want, const ckpt_tensor *got)
{
    if (got == NULL)
        fail_msg("%s: tensor \"%s\" is missing", name, want->name);
    if (got->dtype != CORE_F32 || want->dtype != CORE_F32 || !same_shape(got, want))
        fail_msg("%s: tensor \"%s\" is of another shape or type", name, want->name);
    for (uint64_t i = 0; i < want->elements; i++) {
        float a, b;
        memcpy(&a, (const char *)want->data + i * sizeof a, sizeof a);
        memcpy(&b, (const char *)got->data + i * sizeof b, sizeof b);
        if (is_computed(want->name) ? !(fabsf(a - b) <= 1e-5f * fabsf(a)) : memcmp(&a, &b, sizeof a) != 0)
            fail_msg("%s: tensor \"%s\", number %u: %.9g, want %.9g", name, want->name, (unsigned)i, (double)b, (double)a);
    }
}

/* DeepSeek's keys and values of all heads are one tensor of ours, two of the converter's; xIELU's numbers are key-values. */
static bool is_written_otherwise(const ckpt_tensor *tensor, const ckpt_checkpoint *got)
{
    const bool apart = strstr(tensor->name, ".attn_k_b.") != NULL || strstr(tensor->name, ".attn_v_b.") != NULL;
    return (apart && ckpt_find(got, "blk.0.attn_kv_b.weight") != NULL) || strncmp(tensor->name, "xielu.", 6) == 0;
}

static void compare(const char *name, const ckpt_checkpoint *want, const ckpt_checkpoint *got)
{
    compare_values(name, ckpt_gguf(want), ckpt_gguf(got));
    for (size_t i = 0; i < ckpt_count(want); i++) {
        if (!is_written_otherwise(ckpt_at(want, i), got))
            compare_tensor(name, ckpt_at(want, i), ckpt_find(got, ckpt_at(want, i)->name));
    }
    for (size_t i = 0; i < ckpt_count(got); i++) {
        if (ckpt_find(want, ckpt_at(got, i)->name) == NULL && strstr(ckpt_at(got, i)->name, ".attn_kv_b.") == NULL)
            fail_msg("%s: tensor \"%s\" is one too many", name, ckpt_at(got, i)->name);
    }
}

/* ---- Writing */

static oclm_status write_file(model_export *plan, const core_text *head, uint64_t bytes, const char *path)
{
    core_output *output = NULL;
    oclm_status  status;
    if ((status = core_output_begin(path, &output)) != OCLM_OK || (status = core_output_add(output, head->data, head->length)) != OCLM_OK ||
        (status = model_export_check(plan, output, bytes)) != OCLM_OK || (status = model_export_data(plan, output, NULL, NULL)) != OCLM_OK) {
        core_output_drop(output);
        return status;
    }
    return core_output_end(output);
}

static oclm_status write_model(const char *from, const char *path)
{
    core_gguf_writer writer = CORE_GGUF_WRITER_INIT;
    core_text        head = CORE_TEXT_INIT;
    model_export    *plan;
    oclm_status      status = model_export_new(from, NULL, CKPT_GGML_F32, &plan);
    if (status == OCLM_OK && (status = model_export_head(plan, &writer)) == OCLM_OK && (status = core_gguf_head(&writer, &head)) == OCLM_OK)
        status = write_file(plan, &head, head.length + writer.data_bytes, path);
    model_export_free(plan);
    core_text_free(&head);
    core_gguf_writer_free(&writer);
    return status;
}

/* A model of golden/families in a folder of its own, and where its file goes. */
static void begin(folder *f, const char *name, char path[128])
{
    seeded_family(f, name);
    folder_file(f, "model.gguf", path);
}

static void end(folder *f, const char *path)
{
    (void)unlink(path);
    folder_free(f); /* fails where anything else is left */
}

static void compare_file(const char *name)
{
    const size_t     live = core_memory_live();
    char             path[128], from[512];
    ckpt_checkpoint *want, *got;
    folder           f;
    begin(&f, name, path);
    if (write_model(f.path, path) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    snprintf(from, sizeof from, "%s/%s.gguf", files, name);
    assert_ok(ckpt_open_gguf(from, &want));
    assert_ok(ckpt_open_gguf(path, &got));
    compare(name, want, got);
    ckpt_close(want);
    ckpt_close(got);
    end(&f, path);
    assert_int_equal(core_memory_live(), live);
    print_message("    %s: the same\n", name);
}

/* ---- Tests */

/* Each entry of a folder that ends with `tail`, without it. */
static size_t each(const char *folder_path, const char *tail, void (*visit)(const char *name))
{
    DIR   *all = opendir(folder_path);
    size_t visited = 0;
    assert_non_null(all);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char         name[256];
        const size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length <= strlen(tail) || strcmp(entry->d_name + length - strlen(tail), tail) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - strlen(tail)), entry->d_name);
        if (only != NULL && strcmp(only, name) != 0)
            continue;
        visit(name);
        visited++;
    }
    closedir(all);
    return visited;
}

static void files_are_those_of_the_converter(void **state)
{
    (void)state;
    assert_true(each(files, ".gguf", compare_file) > 0);
}

/* What has no file of the converter beside it: refused, and a word of why, or the model's own logits. */
static const struct { const char *name, *why; } refused[] = {
    { "bloom-post", "where norms are" }, { "codegen", "no architecture" }, { "codegen-heads", "no architecture" }, { "cwm", "no architecture" },
    { "falcon-mixed", "the kind of positions" }, { "falcon-rw", "where norms are" }, { "gemma2", "the scale of scores" },
    { "gemma2-uncapped", "the scale of scores" }, { "gemma3", "the scale of scores" }, { "gemma3-nested", "the scale of scores" },
    { "gemma3-old", "the scale of scores" }, { "glm4_moe_lite", "Read back" }, { "gpt_bigcode-heads", "the scale of scores" },
    { "gpt_neo", "no architecture" }, { "gpt_neo-width", "no architecture" }, { "gpt_neox-sequential", "the activation" }, { "gptj", "no architecture" },
    { "helium", "no architecture" }, { "helium-bias", "no architecture" }, { "lfm2-bias", "the bias of convolutions" },
    { "ministral", "no architecture" }, { "mpt-clip", "the scale of scores" }, { "opt", "no architecture" }, { "opt-bare", "no architecture" },
    { "opt-post", "no architecture" }, { "qwen2-window", "Read back" }, { "qwen2_moe-sparse", "Read back" }, { "qwen3-window", "Read back" },
    { "qwen3_moe-dense", "Read back" }, { "smollm3-window", "which layers turn" },
};
static const place *on;

static const char *why_refused(const char *name)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (strcmp(name, refused[i].name) == 0)
            return refused[i].why;
    }
    return NULL;
}

/* As test_families.c allows, and in a file numbers of the configuration are float32. */
static void check_logits(const char *name, const char *path)
{
    static float       got[MAX_PROMPT * MAX_VOCAB];
    int32_t            ids[MAX_PROMPT];
    cJSON *const       golden = seeded_read(name, "golden.json");
    const cJSON       *prompt = core_json_member(golden, "prompts")->child, *row = core_json_member(prompt, "logits")->child;
    const double       allowed = 3.0 * core_json_member(golden, "float32_max_abs_error_of_torch")->valuedouble;
    const uint32_t     count = models_read_ids(core_json_member(prompt, "input_ids"), ids, MAX_PROMPT);
    model_model *const model = models_load(path, on, OCLM_DTYPE_FLOAT32);
    model_state *const state = models_state(model, 1, MAX_PROMPT, MAX_PROMPT);
    const uint32_t     vocab = model->architecture.vocab_size;
    assert_in_range(vocab, 1, MAX_VOCAB);
    models_logits(state, ids, count, count, got);
    for (const cJSON *p = core_json_member(prompt, "positions")->child; p != NULL; p = p->next, row = row->next) {
        const float *at = got + (size_t)p->valuedouble * vocab;
        for (const cJSON *want = row->child; want != NULL; want = want->next, at++) {
            if (!(fabs((double)*at - want->valuedouble) <= allowed))
                fail_msg("%s: a logit of position %d is %.9g, want %.9g within %.3g", name, (int)p->valuedouble, (double)*at, want->valuedouble, allowed);
        }
    }
    model_state_free(state);
    model_free(model);
    cJSON_Delete(golden);
}

static void check_family(const char *name)
{
    const char *const why = why_refused(name);
    char              path[512];
    folder            f;
    snprintf(path, sizeof path, "%s/%s.gguf", files, name);
    if (core_path_is_file(path))
        return;
    begin(&f, name, path);
    const oclm_status status = write_model(f.path, path);
    if ((why == NULL) != (status == OCLM_OK) || (why != NULL && (status != OCLM_ERR_UNSUPPORTED || strstr(oclm_last_error(), why) == NULL)))
        fail_msg("%s: status %d, refused because of \"%s\": %s", name, (int)status, why != NULL ? why : "nothing", oclm_last_error());
    if (status == OCLM_OK)
        check_logits(name, path);
    end(&f, path);
    print_message("    %s: %s\n", name, status == OCLM_OK ? "its logits" : "refused");
}

static void on_device(const place *where, void *user)
{
    (void)user;
    on = where;
    if (!where->slow)
        assert_true(each(OCLM_SOURCE_DIR "/tests/golden/families", "", check_family) > 0);
}

static void what_is_written_computes_the_same_or_is_refused(void **state)
{
    (void)state;
    models_each_device(on_device, NULL);
}

static void failing_allocations_leave_nothing_behind(void **state)
{
    char   path[128];
    folder f;
    (void)state;
    begin(&f, "granitemoe", path);
    const size_t live = core_memory_live();
    for (size_t n = 1;; n++) {
        core_memory_fail_at(n, true);
        const oclm_status status = write_model(f.path, path);
        core_memory_fail_at(0, false);
        assert_int_equal(core_memory_live(), live);
        if (status == OCLM_OK) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_false(core_path_is_file(path));
    }
    end(&f, path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_those_of_the_converter),
        cmocka_unit_test(what_is_written_computes_the_same_or_is_refused),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
    };
    files = argc > 1 ? argv[1] : files;
    only = argc > 2 ? argv[2] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
