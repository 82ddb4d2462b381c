/* test_tree.c: modules have the names and the order that transformers gives them (golden/module_names.json), for every family; what they hold adds up
 * to what the whole model takes, whatever its weights are stored as; and what must lie together is tied. */
#include <string.h>

#include "device/devices.h"

#include "core/json.h"
#include "core/platform.h"
#include "core/unit.h"
#include "model/opened.h"
#include "model/tree.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden"

static model_tree make_tree(const char *path, const model_family *family, const model_architecture *a, bool tied, const uint64_t *bytes)
{
    model_tree        tree;
    model_tree_source source = { .family = family, .architecture = a, .tied = tied, .unit_bytes = bytes };
    assert_ok(model_is_wrapped(path, &source.wrapped));
    assert_ok(model_tree_new(&source, &tree));
    return tree;
}

/* Names of all modules that hold no others, in order, layers as one: "model.layers.*". */
static void list_names(const model_tree *tree, core_text *names)
{
    for (uint32_t i = 1; i < tree->modules.count; i++) {
        const model_module *at = &tree->modules.at[i];
        const bool          layer = at->no_split;
        if (at->has_modules || (layer && tree->unit[i] != MODEL_UNIT_LAYERS))
            continue;
        assert_ok(core_text_add_string(names, names->length > 0 ? " " : ""));
        assert_ok(layer ? core_text_printf(names, "%s.*", tree->modules.at[at->parent].name) : core_text_add_string(names, at->name));
    }
}

static void modules_are_called_as_in_transformers(void **state)
{
    static const uint64_t none[MODEL_UNIT_LAYERS + MODEL_MAX_LAYERS];
    cJSON *golden = NULL;
    size_t count = 0;
    (void)state;
    assert_ok(core_json_read_file(GOLDEN "/module_names.json", 1u << 20, &golden));
    for (const cJSON *one = golden->child; one != NULL; one = one->next, count++) {
        static model_architecture a;
        const model_family *family;
        oclm_dtype          dtype;
        char                path[512];
        core_text           names = CORE_TEXT_INIT;
        snprintf(path, sizeof path, "%s/%s", GOLDEN, one->string);
        assert_ok(model_config_read(path, &family, &a, &dtype));
        model_tree tree = make_tree(path, family, &a, a.tied_head, none);
        list_names(&tree, &names);
        if (strcmp(names.data, one->valuestring) != 0)
            fail_msg("%s: \"%s\", transformers has \"%s\"", one->string, names.data, one->valuestring);
        core_text_free(&names);
        model_tree_free(&tree);
    }
    assert_in_range(count, 100, 1000);
    cJSON_Delete(golden);
}

/* ---- What they hold */

static void check_sizes(const char *path, const model_opened *o, const model_storing *storing)
{
    const uint32_t     count = MODEL_UNIT_LAYERS + o->architecture.layers;
    uint64_t          *bytes = calloc(count, sizeof *bytes), sum = 0;
    model_unit_size   *units = calloc(count, sizeof *units);
    model_weight_sizes sizes, again;
    assert_ok(model_weights_measure_units(&o->binding, storing, units, &sizes));
    for (uint32_t unit = 0; unit < count; unit++) {
        bytes[unit] = units[unit].bytes;
        assert_true(units[unit].vectors <= units[unit].bytes);
    }
    assert_ok(model_weights_measure(&o->binding, storing, &again));
    model_tree tree = make_tree(path, o->family, &o->architecture, o->binding.tied, bytes);
    assert_int_equal(again.bytes, sizes.bytes);
    if (tree.modules.at[MODEL_ROOT].bytes != sizes.bytes)
        fail_msg("%s: modules hold %llu bytes, the model %llu", path, (unsigned long long)tree.modules.at[MODEL_ROOT].bytes,
                 (unsigned long long)sizes.bytes);
    for (uint32_t unit = 0; unit < tree.unit_count; unit++) {
        assert_int_equal(tree.modules.at[tree.node[unit]].bytes, bytes[unit]);
        assert_int_equal(tree.unit[tree.node[unit]], unit);
        sum += bytes[unit];
    }
    assert_int_equal(sum, sizes.bytes);
    size_t groups = o->binding.tied;
    for (uint32_t layer = 0; layer < o->architecture.layers; layer++) {
        assert_true(bytes[MODEL_UNIT_LAYERS + layer] > 0);
        groups += o->architecture.layer[layer].cache_of > 0; /* each with the layer whose keys it reads */
    }
    assert_int_equal(tree.modules.group_count, groups);
    model_tree_free(&tree);
    free(bytes);
    free(units);
}

static void modules_hold_what_the_model_takes(void **state)
{
    static const char *const paths[] = {
        "/tiny/gpt2", "/tiny/gpt2-untied", "/tiny/llama", "/tiny/llama-tied", "/tiny/llama-bfloat16", "/tiny/llama-bias",
        "/gguf/llama.gguf", "/gguf/gpt2.gguf", "/gguf/gemma2-defaults.gguf", "/gguf/deepseek_v3.gguf", "/gguf/lfm2.gguf",
        "/gguf/gemma4.gguf", "/gguf/qwen3_5_moe.gguf", "/gguf/apertus.gguf",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        static model_opened o;
        char                path[512];
        snprintf(path, sizeof path, "%s%s", GOLDEN, paths[i]);
        if (!core_path_is_file(path) && !core_path_is_folder(path))
            fail_msg("%s is gone", path);
        assert_ok(model_open(path, NULL, &o));
        const model_storing storings[] = { { .dtype = CORE_F32 }, { .dtype = CORE_BF16 },
                                           { .dtype = CORE_F16, .quantize = CKPT_QUANTIZE_INT8 }, { .dtype = CORE_F32, .quantize = CKPT_QUANTIZE_NF4 } };
        for (size_t s = 0; s < COUNT(storings); s++) {
            if (storings[s].quantize == CKPT_QUANTIZE_NONE || model_quantized_tensor(&o.binding) == NULL)
                check_sizes(path, &o, &storings[s]);
        }
        model_opened_close(&o);
    }
}

/* ---- What lies together */

static void layers_that_read_one_cache_are_tied(void **state)
{
    static const uint64_t     none[MODEL_UNIT_LAYERS + MODEL_MAX_LAYERS];
    static model_architecture a;
    const model_family       *family;
    oclm_dtype                dtype;
    uint32_t                  shared = 0, tied = 0;
    (void)state;
    assert_ok(model_config_read(GOLDEN "/families/gemma4", &family, &a, &dtype));
    model_tree tree = make_tree(GOLDEN "/families/gemma4", family, &a, true, none);
    for (uint32_t i = 0; i < a.layers; i++)
        shared += a.layer[i].cache_of > 0;
    assert_true(shared > 0);
    for (uint32_t i = 0; i < tree.modules.tie_count; i++) {
        const model_tie *t = &tree.modules.ties[i];
        const uint32_t   unit = tree.unit[t->node];
        if (unit >= MODEL_UNIT_LAYERS) {
            tied++;
            shared -= a.layer[unit - MODEL_UNIT_LAYERS].cache_of > 0;
        }
    }
    assert_int_equal(shared, 0); /* each is in a group, beside the layer that it reads */
    assert_true(tied > 1);
    model_tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_are_called_as_in_transformers),
        cmocka_unit_test(modules_hold_what_the_model_takes),
        cmocka_unit_test(layers_that_read_one_cache_are_tied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
