/* test_not_a_number.c: a model with a weight that is NaN or infinite: the error names the first layer where numbers stop being numbers, and its device. */
#include "model/folders.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "core/memory.h"
#include "core/platform.h"

#define TINY OCLM_SOURCE_DIR "/tests/golden/tiny/llama-gqa"

enum { HIDDEN = 30 };

/* The row of id 0, which the prompt has, or the whole norm, is NaN. */
static void make_nan(float *numbers)
{
    for (size_t i = 0; i < HIDDEN; i++)
        numbers[i] = NAN;
}

/* Whatever the sign of what they are multiplied with, one of two ids has a logit of +inf. */
static void make_infinite(float *numbers)
{
    numbers[HIDDEN] = INFINITY;
    numbers[2 * HIDDEN] = -INFINITY;
}

/* A copy of the model, with a tensor that is broken. */
static void poison(folder *f, const char *tensor, void (*breaks)(float *numbers))
{
    float    numbers[3 * HIDDEN];
    char    *config, *weights;
    size_t   config_length, length;
    uint64_t header = 0;
    assert_ok(core_read_file(TINY "/config.json", (size_t)1 << 20, &config, &config_length));
    folder_new(f, config);
    assert_ok(core_read_file(TINY "/model.safetensors", (size_t)1 << 26, &weights, &length));
    memcpy(&header, weights, sizeof header);
    cJSON       *tree = cJSON_ParseWithLength(weights + sizeof header, (size_t)header);
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(tree, tensor), "data_offsets");
    assert_non_null(offsets);
    char *const  begin = weights + sizeof header + header + (size_t)offsets->child->valuedouble;
    const size_t bytes = (size_t)(offsets->child->next->valuedouble - offsets->child->valuedouble);
    memcpy(numbers, begin, bytes < sizeof numbers ? bytes : sizeof numbers);
    breaks(numbers);
    memcpy(begin, numbers, bytes < sizeof numbers ? bytes : sizeof numbers);
    folder_write(f, "model.safetensors", weights, length);
    cJSON_Delete(tree);
    core_free(weights);
    core_free(config);
}

static oclm_status generate(const char *path, const char *map, bool sample)
{
    static const int32_t  prompt[] = { 0, 5, 9 };
    oclm_generate_options options;
    oclm_model_options    load;
    oclm_model           *model = NULL;
    oclm_generation      *story = NULL;
    oclm_generate_options_init(&options, sizeof options);
    oclm_model_options_init(&load, sizeof load);
    options.max_new_tokens = 4;
    options.do_sample = sample ? OCLM_SWITCH_ON : OCLM_SWITCH_OFF;
    load.device_map = map;
    assert_ok(oclm_model_load(path, &load, &model));
    const oclm_status status = oclm_generate(model, prompt, COUNT(prompt), &options, &story);
    oclm_generation_free(story);
    oclm_model_free(model);
    return status;
}

static const struct { const char *label, *tensor, *told; void (*breaks)(float *numbers); } places[] = {
    { "the embedding", "model.embed_tokens.weight", "the embedding", make_nan },
    { "attention of the first layer", "model.layers.0.self_attn.o_proj.weight", "layer 0", make_nan },
    { "the MLP of the second", "model.layers.1.mlp.down_proj.weight", "layer 1", make_nan },
    { "the final norm", "model.norm.weight", "the final norm or the head", make_nan },
    { "the head, infinite", "lm_head.weight", "the final norm or the head", make_infinite },
};

static void the_first_layer_that_is_not_finite_is_named(void **state)
{
    dev_list *list = NULL;
    size_t    best;
    (void)state;
    assert_ok(dev_list_new(&list));
    assert_ok(dev_list_choose(list, NULL, &best));
    for (size_t i = 0; i < 2 * COUNT(places); i++) {
        folder f;
        poison(&f, places[i / 2].tensor, places[i / 2].breaks);
        const size_t live = core_memory_live();
        assert_status(generate(f.path, NULL, i % 2), OCLM_ERR_UNSUPPORTED);
        assert_int_equal(core_memory_live(), live);
        if (!strstr(oclm_last_error(), places[i / 2].told) || !strstr(oclm_last_error(), list->entries[best].info.name))
            fail_msg("%s: %s", places[i / 2].label, oclm_last_error());
        folder_free(&f);
    }
    dev_list_free(list);
}

static void its_device_is_named_where_layers_are_on_several(void **state)
{
    static const char map[] = "{\"model.embed_tokens\": 0, \"model.layers.0\": 0, \"model.layers.1\": 1, \"model.layers.2\": 0, \"model.norm\": 0, \"lm_head\": 0, \"model.rotary_emb\": 0}";
    dev_list *list = NULL;
    folder    f;
    (void)state;
    assert_ok(dev_list_new(&list));
    if (list->count < 2 || list->entries[1].info.unusable) {
        dev_list_free(list);
        skip();
    }
    poison(&f, "model.layers.1.mlp.down_proj.weight", make_nan);
    assert_status(generate(f.path, map, false), OCLM_ERR_UNSUPPORTED);
    char want[512];
    snprintf(want, sizeof want, "layer 1, computed on device 1 \"%s\"", list->entries[1].info.name);
    if (!strstr(oclm_last_error(), want))
        fail_msg("\"%s\" is not in: %s", want, oclm_last_error());
    folder_free(&f);
    dev_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_layer_that_is_not_finite_is_named),
        cmocka_unit_test(its_device_is_named_where_layers_are_on_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
