/* test_export.c: models written as GGUF files in float32 beside what llama.cpp's own converter made of them (golden/gguf): the same tensors, bit by
 * bit, and the same key-values.
 *
 * usage: model_test_export [FOLDER [MODEL]]    where files of llama.cpp are, <model>.gguf each; without: tests/golden/gguf */
#include <dirent.h>
#include <math.h>

#include "model/seeded.h"

#include "checkpoint/blocks_write.h"
#include "core/platform.h"
#include "model/export_gguf.h"
#include "model/model.h"

static const char *files = OCLM_SOURCE_DIR "/tests/golden/gguf", *only;

/* Keys that we write otherwise, on purpose. */
static const char *const own_keys[] = {
    "attention.key_length", "attention.value_length", "attention.head_count_kv", /* of deepseek2: of heads, as they are used without compression */
    "attention.key_length_mla", "attention.value_length_mla",
    "attention.layer_norm_rms_epsilon", /* beside the other: of what has layer norms */
    "tensor_data_layout",               /* of no meaning but for one reader of old */
    "expert_shared_feed_forward_length", /* of ERNIE: what its sizes are with four heads */
    "context_length",                    /* of Hunyuan and the like: some models' own */
    "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", /* of "none" */
    "attention.sliding_window",          /* 0: none */
    "full_attention_interval",           /* beside the list of layers */
};

static bool is_own(const char *key, size_t length)
{
    for (size_t i = 0; i < COUNT(own_keys); i++) {
        if (length >= strlen(own_keys[i]) && strncmp(key + length - strlen(own_keys[i]), own_keys[i], strlen(own_keys[i])) == 0)
            return true;
    }
    return false;
}

/* ---- Comparing */

static void compare_values(const char *name, const core_gguf *want, const core_gguf *got)
{
    for (size_t i = 0; i < want->count; i++) {
        const core_gguf_value *w = &want->values[i], *g;
        char                   key[160];
        snprintf(key, sizeof key, "%.*s", (int)w->key_length, w->key);
        if (strncmp(key, "general.", 8) == 0 || strncmp(key, "tokenizer.", 10) == 0)
            continue;
        g = core_gguf_find(got, key);
        if (is_own(key, strlen(key)))
            continue;
        if (g == NULL)
            fail_msg("%s: \"%s\" is missing", name, key);
        if (w->type == CORE_GGUF_STRING || g->type == CORE_GGUF_STRING || (w->array && w->count != g->count))
            fail_msg("%s: \"%s\" is of another type or length", name, key);
        for (uint64_t j = 0; j < w->count; j++) {
            const double a = core_gguf_float(w, j), b = core_gguf_float(g, g->array ? j : 0);
            if (!(fabs(a - b) <= 1e-6 * fabs(a)))
                fail_msg("%s: \"%s\" is %.9g, want %.9g", name, key, b, a);
        }
    }
}

/* Factors and decays are computed, by other functions there. */
static bool is_computed(const char *name) { return strncmp(name, "rope_", 5) == 0 || strstr(name, ".ssm_a") != NULL; }

static void compare_tensor(const char *name, const ckpt_tensor *want, const ckpt_tensor *got)
{
    if (got == NULL)
        fail_msg("%s: tensor \"%s\" is missing", name, want->name);
    if (got->elements != want->elements || got->dtype != CORE_F32 || want->dtype != CORE_F32 || got->shape[got->dims - 1] != want->shape[want->dims - 1])
        fail_msg("%s: tensor \"%s\" is of another shape or type", name, want->name);
    for (uint64_t i = 0; i < want->elements; i++) {
        float a, b;
        memcpy(&a, (const char *)want->data + i * sizeof a, sizeof a);
        memcpy(&b, (const char *)got->data + i * sizeof b, sizeof b);
        if (is_computed(want->name) ? !(fabsf(a - b) <= 1e-5f * fabsf(a)) : memcmp(&a, &b, sizeof a) != 0)
            fail_msg("%s: tensor \"%s\", number %u: %.9g, want %.9g", name, want->name, (unsigned)i, (double)b, (double)a);
    }
}

/* DeepSeek's keys and values of all heads are one tensor of ours, two of the converter's; factors of 1 and key-values that look like tensors are
 * not compared. */
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

static oclm_status write_model(const char *from, const char *path)
{
    core_gguf_writer writer = CORE_GGUF_WRITER_INIT;
    core_text        head = CORE_TEXT_INIT;
    core_output     *output = NULL;
    model_export    *plan;
    oclm_status      status = model_export_new(from, NULL, CKPT_GGML_F32, &plan);
    if (status == OCLM_OK)
        status = model_export_head(plan, &writer);
    if (status == OCLM_OK) {
        assert_ok(core_gguf_head(&writer, &head));
        assert_ok(core_output_begin(path, &output));
        assert_ok(core_output_add(output, head.data, head.length));
        if ((status = model_export_check(plan, output, head.length + writer.data_bytes)) == OCLM_OK)
            status = model_export_data(plan, output, NULL, NULL);
        if (status == OCLM_OK)
            assert_ok(core_output_end(output));
        else
            core_output_drop(output);
    }
    model_export_free(plan);
    core_text_free(&head);
    core_gguf_writer_free(&writer);
    return status;
}

static void try_model(const char *name)
{
    const size_t      live = core_memory_live();
    char              path[512], from[512];
    folder            f;
    seeded_family(&f, name);
    snprintf(path, sizeof path, "%s/model.gguf", f.path);
    const oclm_status status = write_model(f.path, path);
    ckpt_checkpoint *want, *got;
    if (status != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    snprintf(from, sizeof from, "%s/%s.gguf", files, name);
    assert_ok(ckpt_open_gguf(from, &want));
    assert_ok(ckpt_open_gguf(path, &got));
    compare(name, want, got);
    ckpt_close(want);
    ckpt_close(got);
    (void)unlink(path);
    folder_free(&f);
    assert_int_equal(core_memory_live(), live);
    print_message("    %s: the same\n", name);
}

static void files_are_those_of_the_converter(void **state)
{
    DIR *all = opendir(files);
    size_t tried = 0;
    (void)state;
    assert_non_null(all);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char  name[256];
        char *end;
        snprintf(name, sizeof name, "%s", entry->d_name);
        if ((end = strstr(name, ".gguf")) == NULL)
            continue;
        *end = '\0';
        if (only != NULL && strcmp(only, name) != 0)
            continue;
        try_model(name);
        tried++;
    }
    closedir(all);
    assert_true(tried > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(files_are_those_of_the_converter) };
    files = argc > 1 ? argv[1] : files;
    only = argc > 2 ? argv[2] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
