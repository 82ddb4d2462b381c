/* test_session_file.c: sessions copied, saved and loaded go on with the same bits, and a file that is not whole is told apart. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/platform.h"
#include "model/seeded.h"

#define LENGTH 75u /* two whole pages of the cache and a part */
#define MORE 40u
#define NEW 9u

static char    path[128], other_path[128];
static int32_t ids[600];

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (int32_t)((i * i + 3 * i) % 59);
    return 0;
}

static oclm_model *load(const folder *made, oclm_dtype dtype)
{
    oclm_model        *model;
    oclm_model_options o;
    oclm_model_options_init(&o, sizeof o);
    o.dtype = dtype;
    if (oclm_model_load(made->path, &o, &model) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    folder_file(made, "session", path);
    folder_file(made, "other", other_path);
    return model;
}

static oclm_session *open_kind(const oclm_model *model, uint32_t positions, uint32_t batch, bool quantized)
{
    oclm_session_options o;
    oclm_session        *session;
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = positions;
    o.batch = batch;
    o.quantized_cache = quantized;
    assert_ok(oclm_session_new(model, &o, &session));
    return session;
}

static oclm_session *open_session(const oclm_model *model, uint32_t positions, uint32_t batch) { return open_kind(model, positions, batch, false); }

static size_t vocab_of(const oclm_model *model)
{
    oclm_model_info info = { .struct_size = sizeof info };
    assert_ok(oclm_model_get_info(model, &info));
    return info.vocab_size;
}

/* The logits of MORE further ids in each sequence. */
static float *go_on(const oclm_model *model, oclm_session *session, uint32_t batch)
{
    const size_t count = batch * MORE * vocab_of(model);
    float       *logits = malloc(count * sizeof *logits);
    assert_non_null(logits);
    if (oclm_forward(session, ids + 200, batch, MORE, logits, count) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    return logits;
}

static void expect_same(const oclm_model *model, const float *want, oclm_session *session, uint32_t batch, const char *label)
{
    float *got = go_on(model, session, batch);
    if (memcmp(got, want, batch * MORE * vocab_of(model) * sizeof *got) != 0)
        fail_msg("%s goes on otherwise", label);
    free(got);
    oclm_session_free(session);
}

/* ---- All kinds of caches */

static const struct { const char *family; uint32_t positions, batch, load_with; bool quantized; } kinds[] = {
    { NULL, 300, 1, 0, false },
    { NULL, 300, 3, 0, false },
    { NULL, 300, 1, 900, false },
    { "mistral-narrow-window", 1100, 1, 0, false },   /* rings */
    { "mistral-narrow-window", 1100, 1, 300, false }, /* rings in the file, none in the session: the ids are read again */
    { "mistral-narrow-window", 300, 1, 1100, false },
    { "mistral-narrow-window", 300, 2, 0, false },
    { "qwen3_5", 200, 1, 0, false },                  /* layers without attention */
    { "qwen3_5", 200, 2, 0, false },
    { "lfm2", 200, 1, 150, false },
    { "phi3-longrope", 128, 1, 0, false },            /* turned by the length of the prompt */
    { "gemma4", 600, 1, 0, false },                   /* pages that differ from layer to layer, layers that read another's */
    { "deepseek_v2", 120, 1, 0, false },
    { NULL, 300, 1, 0, true },
    { NULL, 300, 2, 0, true },
    { "mistral-narrow-window", 1100, 1, 0, true },
};

static void sessions_go_on_with_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char                 label[100];
        folder               made;
        const uint32_t       batch = kinds[i].batch;
        oclm_session_options o;
        oclm_session        *session, *copy, *loaded;
        (void)snprintf(label, sizeof label, "%s, %u positions, batch %u", kinds[i].family ? kinds[i].family : "llama", kinds[i].positions, batch);
        if (kinds[i].family)
            seeded_family(&made, kinds[i].family);
        else
            folder_new_llama(&made, CORE_F32);
        oclm_model *model = load(&made, OCLM_DTYPE_AUTO);
        session = open_kind(model, kinds[i].positions, batch, kinds[i].quantized);
        assert_ok(oclm_forward(session, ids, batch, LENGTH, NULL, 0));
        assert_ok(oclm_session_copy(session, &copy));
        if (oclm_session_save(session, path) != OCLM_OK)
            fail_msg("%s: %s", label, oclm_last_error());
        float *want = go_on(model, session, batch);
        oclm_session_options_init(&o, sizeof o);
        o.max_positions = kinds[i].load_with;
        if (oclm_session_load(model, path, kinds[i].load_with > 0 ? &o : NULL, &loaded) != OCLM_OK)
            fail_msg("%s: %s", label, oclm_last_error());
        assert_int_equal(oclm_session_length(loaded), LENGTH);
        assert_int_equal(oclm_session_length(copy), LENGTH);
        expect_same(model, want, copy, batch, label);
        expect_same(model, want, loaded, batch, label);
        free(want);
        oclm_session_free(session);
        oclm_model_free(model);
        assert_int_equal(unlink(path), 0);
        folder_free(&made);
    }
}

/* ---- Conversations */

static oclm_generate_options some(void)
{
    oclm_generate_options o;
    oclm_generate_options_init(&o, sizeof o);
    o.max_new_tokens = NEW;
    o.use_eos_token = OCLM_SWITCH_OFF;
    return o;
}

/* Generates, expects so many ids to be read, and `want`, or where that is all zero, notes what came. */
static void generate(oclm_session *session, size_t count, uint64_t read, int32_t want[NEW])
{
    static const int32_t  nothing[NEW];
    oclm_generate_options o = some();
    oclm_timing           timing = { .struct_size = sizeof timing };
    oclm_generation      *got;
    size_t                made;
    assert_ok(oclm_session_generate(session, ids, count, &o, &got));
    const int32_t *new_ids = oclm_generation_ids(got, 0, &made);
    assert_int_equal(made, NEW);
    oclm_generation_get_timing(got, &timing);
    assert_int_equal(timing.prefill_tokens, read);
    if (memcmp(want, nothing, sizeof nothing) == 0)
        memcpy(want, new_ids, sizeof nothing);
    assert_memory_equal(want, new_ids, sizeof nothing);
    oclm_generation_free(got);
}

static void a_conversation_goes_on_where_it_was_saved(void **state)
{
    folder        made;
    int32_t       first[NEW] = { 0 }, second[NEW] = { 0 };
    oclm_session *session, *loaded, *copy;
    (void)state;
    folder_new_llama(&made, CORE_F32);
    oclm_model *model = load(&made, OCLM_DTYPE_AUTO);
    session = open_session(model, 500, 1);
    generate(session, 50, 50, first);
    assert_ok(oclm_session_save(session, path));
    assert_ok(oclm_session_copy(session, &copy));
    memcpy(ids + 50, first, sizeof first);
    generate(session, 100, 100 - 50 - NEW + 1, second); /* all but the last new id are held */
    assert_ok(oclm_session_load(model, path, NULL, &loaded));
    generate(loaded, 100, 100 - 50 - NEW + 1, second);
    generate(copy, 100, 100 - 50 - NEW + 1, second);
    assert_ok(oclm_session_save(loaded, path)); /* over the first, and of the second generation */
    oclm_session_free(loaded);
    assert_ok(oclm_session_load(model, path, NULL, &loaded));
    assert_int_equal(oclm_session_length(loaded), 100 + NEW - 1);
    assert_ok(oclm_session_rewind(loaded, 20));
    generate(loaded, 50, 30, first);
    oclm_session_free(session);
    oclm_session_free(copy);
    oclm_session_free(loaded);
    session = open_session(model, 500, 1);
    assert_ok(oclm_session_save(session, path)); /* an empty one */
    oclm_session_free(session);
    assert_ok(oclm_session_load(model, path, NULL, &session));
    assert_int_equal(oclm_session_length(session), 0);
    generate(session, 50, 50, first);
    oclm_session_free(session);
    oclm_model_free(model);
    assert_int_equal(unlink(path), 0);
    folder_free(&made);
}

/* ---- Refusals */

static void expect(oclm_status got, oclm_status want, const char *says)
{
    if (got != want || strstr(oclm_last_error(), says) == NULL)
        fail_msg("status %d and \"%s\", want %d and \"%s\"", (int)got, oclm_last_error(), (int)want, says);
}

static void expect_load(const oclm_model *model, const char *data, size_t length, oclm_status want, const char *says)
{
    oclm_session *session = NULL;
    const size_t  live = core_memory_live();
    assert_ok(core_write_file(other_path, data, length));
    expect(oclm_session_load(model, other_path, NULL, &session), want, says);
    assert_null(session);
    assert_int_equal(core_memory_live(), live);
}

static void broken_files_are_told_apart(void **state)
{
    folder        made;
    oclm_session *session;
    char         *data, *changed;
    size_t        length;
    (void)state;
    folder_new_llama(&made, CORE_F32);
    oclm_model *model = load(&made, OCLM_DTYPE_AUTO);
    session = open_session(model, 100, 1);
    assert_ok(oclm_forward(session, ids, 1, 20, NULL, 0));
    assert_ok(oclm_session_save(session, path));
    oclm_session_free(session);
    assert_ok(core_read_file(path, (size_t)1 << 24, &data, &length));
    for (size_t cut = 0; cut < length; cut += cut < 300 ? 1 : 331)
        expect_load(model, data, cut, OCLM_ERR_FORMAT, other_path);
    assert_non_null(changed = core_copy(data, length, "test"));
    for (size_t i = 0; i < length; i += i < 300 || i > length - 40 ? 1 : 977) {
        const bool version = i >= 8 && i < 12;
        changed[i] = (char)(changed[i] ^ 0x40);
        expect_load(model, changed, length, version ? OCLM_ERR_UNSUPPORTED : OCLM_ERR_FORMAT, version ? "format" : other_path);
        changed[i] = data[i];
    }
    core_free(changed);
    assert_non_null(changed = core_alloc_zero(length + 1, 1, "test"));
    memcpy(changed, data, length);
    expect_load(model, changed, length + 1, OCLM_ERR_FORMAT, "was added to");
    expect_load(model, "{\"messages\": []}", 16, OCLM_ERR_FORMAT, "does not begin with");
    expect(oclm_session_load(model, "/nonexistent/x", NULL, &session), OCLM_ERR_NOT_FOUND, "/nonexistent/x");
    core_free(changed);
    core_free(data);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(other_path), 0);
    oclm_model_free(model);
    folder_free(&made);
}

static void sessions_of_other_models_are_refused(void **state)
{
    folder               made, second, third;
    oclm_session        *session;
    oclm_session_options o;
    (void)state;
    folder_new_llama(&made, CORE_F32);
    seeded_family(&second, "llama");
    folder_new(&third, FOLDER_LLAMA_CONFIG); /* the same shape, other weights */
    folder_add_llama_layers(&third, CORE_F32, 2, NULL);
    for (size_t i = 0; i < third.data.length; i += 4)
        third.data.data[i + 3] = (char)(third.data.data[i + 3] ^ 0x80);
    folder_finish(&third);
    oclm_model *model = load(&third, OCLM_DTYPE_AUTO), *other = load(&second, OCLM_DTYPE_AUTO), *half = load(&made, OCLM_DTYPE_FLOAT16);
    oclm_model *whole = load(&made, OCLM_DTYPE_AUTO);
    session = open_session(whole, 100, 1);
    assert_ok(oclm_forward(session, ids, 1, 20, NULL, 0));
    assert_ok(oclm_session_save(session, path));
    oclm_session_free(session);
    expect(oclm_session_load(model, path, NULL, &session), OCLM_ERR_ARGUMENT, "another model");
    expect(oclm_session_load(other, path, NULL, &session), OCLM_ERR_ARGUMENT, "another model");
    expect(oclm_session_load(half, path, NULL, &session), OCLM_ERR_ARGUMENT, "weights in float32, here they are in float16; load");
    oclm_session_options_init(&o, sizeof o);
    o.max_positions = 19;
    expect(oclm_session_load(whole, path, &o, &session), OCLM_ERR_CAPACITY, "holds 20 positions, max_positions is 19");
    o.max_positions = 20;
    assert_ok(oclm_session_load(whole, path, &o, &session));
    expect(oclm_session_save(session, "/nonexistent/x"), OCLM_ERR_NOT_FOUND, "/nonexistent");
    expect(oclm_session_save(session, made.path), OCLM_ERR_IO, "");
    expect(oclm_session_save(session, NULL), OCLM_ERR_ARGUMENT, "path");
    oclm_session_free(session);
    expect(oclm_session_load(NULL, path, NULL, &session), OCLM_ERR_ARGUMENT, "model");
    assert_null(session);
    assert_int_equal(unlink(path), 0);
    oclm_model_free(model);
    oclm_model_free(other);
    oclm_model_free(half);
    oclm_model_free(whole);
    folder_free(&made); /* nothing else was left there */
    folder_free(&second);
    folder_free(&third);
}

static oclm_model *load_stories(bool in_4bit)
{
    oclm_model_options o;
    oclm_model        *model;
    oclm_model_options_init(&o, sizeof o);
    o.load_in_4bit = in_4bit;
    o.bnb_4bit_quant_type = "nf4";
    assert_ok(oclm_model_load(OCLM_SOURCE_DIR "/samples/models/stories", &o, &model));
    return model;
}

static void another_storage_of_the_weights_is_named(void **state)
{
    static const char *const says[] = { "weights in float16, here they are in 4-bit nf4, 64 to a float32 scale and float16; load",
                                        "weights in 4-bit nf4, 64 to a float32 scale and float16, here they are in float16; load" };
    oclm_model   *models[] = { load_stories(false), load_stories(true) };
    oclm_session *session, *loaded;
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++) {
        session = open_session(models[i], 50, 1);
        assert_ok(oclm_forward(session, ids, 1, 9, NULL, 0));
        assert_ok(oclm_session_save(session, path));
        oclm_session_free(session);
        expect(oclm_session_load(models[1 - i], path, NULL, &session), OCLM_ERR_ARGUMENT, says[i]);
        assert_null(session);
        assert_ok(oclm_session_load(models[i], path, NULL, &loaded));
        oclm_session_free(loaded);
    }
    assert_int_equal(unlink(path), 0);
    oclm_model_free(models[0]);
    oclm_model_free(models[1]);
}

static void failing_allocations_leave_nothing_behind(void **state)
{
    folder        made;
    oclm_session *session, *second;
    (void)state;
    folder_new_llama(&made, CORE_F32);
    oclm_model *model = load(&made, OCLM_DTYPE_AUTO);
    session = open_session(model, 100, 1);
    assert_ok(oclm_forward(session, ids, 1, 40, NULL, 0));
    assert_ok(oclm_session_save(session, path));
    const size_t live = core_memory_live();
    for (unsigned what = 0; what < 3; what++) {
        oclm_status status;
        size_t      n = 1;
        do {
            second = NULL;
            core_memory_fail_at(n++, true);
            status = what == 0 ? oclm_session_save(session, path) : what == 1 ? oclm_session_copy(session, &second) : oclm_session_load(model, path, NULL, &second);
            core_memory_fail_at(0, false);
            if (status != OCLM_OK)
                assert_int_equal(core_memory_live(), live);
            assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        } while (status != OCLM_OK);
        assert_true(n > 4);
        oclm_session_free(second);
        assert_int_equal(core_memory_live(), live);
    }
    oclm_session_free(session);
    oclm_model_free(model);
    assert_int_equal(unlink(path), 0);
    folder_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_go_on_with_the_same_bits),
        cmocka_unit_test(a_conversation_goes_on_where_it_was_saved),
        cmocka_unit_test(broken_files_are_told_apart),
        cmocka_unit_test(sessions_of_other_models_are_refused),
        cmocka_unit_test(another_storage_of_the_weights_is_named),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
