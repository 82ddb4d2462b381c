/* test_rope.c: tables of rotary positions against those of transformers (golden/rope_tables.json). */
#include <math.h>
#include <string.h>

#include "device/devices.h"

#include "core/json.h"
#include "model/readers.h"

#define MAX_ROWS 8200
#define MAX_HALF 64

static float first_cosines[MAX_HALF], cosines[MAX_ROWS * MAX_HALF], sines[MAX_ROWS * MAX_HALF];

/* How far the table may be from torch's. Powers are rounded once here and within one unit in the last place there, and a
 * frequency has at most three such roundings behind it: it may differ by 4 * 2^-24 of itself, and so may the angle, which is
 * rounded once more. Cosine and sine are rounded once here and within one unit there. */
static double allowed(double angle, double amplitude) { return (angle * 5.0 * 0x1p-24 + 2.0 * 0x1p-24) * amplitude; }

static size_t compare_row(const char *name, const char *table, const cJSON *want, const float *got, const float *amplitudes,
                          const model_rope *rope, uint32_t position, size_t *count)
{
    size_t   equal = 0;
    uint32_t i = 0;
    for (const cJSON *value = want->child; value != NULL; value = value->next, i++) {
        const double angle = (double)position * pow(rope->theta, -2.0 * i / rope->dims); /* no kind of RoPE turns faster */
        if (!(fabs(got[i] - value->valuedouble) <= allowed(angle, amplitudes[i])))
            fail_msg("%s: %s of position %u, pair %u is %.9g, want %.9g", name, table, position, i, (double)got[i], value->valuedouble);
        equal += got[i] == (float)value->valuedouble;
    }
    assert_int_equal(i, rope->dims / 2);
    *count += i;
    return equal;
}

static void compare_case(const cJSON *one, size_t *equal, size_t *count)
{
    const char    *name = core_json_member(one, "name")->valuestring;
    const cJSON   *config = core_json_member(one, "config");
    const uint32_t head_dim = (uint32_t)core_json_member(one, "head_dim")->valuedouble;
    const uint32_t prompt = (uint32_t)core_json_member(one, "prompt")->valuedouble;
    const uint32_t length = (uint32_t)core_json_member(config, "max_position_embeddings")->valuedouble;
    const cJSON   *cos_row = core_json_member(one, "cos")->child, *sin_row = core_json_member(one, "sin")->child;
    static model_architecture a;
    a.head_dim = head_dim;
    a.max_position_embeddings = length;
    assert_ok(model_read_rope(config, name, &(model_rope_defaults){ .theta = 10000.0 }, &a));
    const model_rope rope = a.ropes[0];
    model_rope_table(&rope, length, prompt, 0, length < 100 ? 100 : length, cosines, sines);
    for (const cJSON *p = core_json_member(one, "positions")->child; p != NULL; p = p->next) {
        const uint32_t position = (uint32_t)p->valuedouble;
        const size_t   at = (size_t)position * (head_dim / 2);
        *equal += compare_row(name, "cosine", cos_row, cosines + at, cosines, &rope, position, count); /* row 0 holds the amplitude */
        *equal += compare_row(name, "sine", sin_row, sines + at, cosines, &rope, position, count);
        cos_row = cos_row->next;
        sin_row = sin_row->next;
    }
}

/* All of one list of the golden file, of more than `least` numbers. */
static void compare_list(const char *list, void (*compare)(const cJSON *one, size_t *equal, size_t *count), size_t least)
{
    cJSON *golden;
    size_t equal = 0, count = 0;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/rope_tables.json", 1u << 20, &golden));
    for (const cJSON *one = core_json_member(golden, list)->child; one != NULL; one = one->next)
        compare(one, &equal, &count);
    cJSON_Delete(golden);
    print_message("    %zu of %zu numbers are the same bits\n", equal, count);
    assert_true(count > least);
    assert_true(equal * 100 >= count * 85); /* a formula that rounds elsewhere is off by one in far more */
}

static void tables_are_those_of_transformers(void **state)
{
    (void)state;
    compare_list("cases", compare_case, 1000);
}

/* A whole configuration: the family reads it, and the table of one layer is compared. */
static void compare_family(const cJSON *one, size_t *equal, size_t *count)
{
    static model_architecture a;
    const char         *name = core_json_member(one, "name")->valuestring;
    const cJSON        *config = core_json_member(one, "config");
    const model_family *family = model_family_find(core_json_member(config, "model_type")->valuestring);
    const uint32_t      prompt = (uint32_t)core_json_member(one, "prompt")->valuedouble;
    const cJSON        *cos_row = core_json_member(one, "cos")->child, *sin_row = core_json_member(one, "sin")->child;
    memset(&a, 0, sizeof a);
    assert_non_null(family);
    assert_ok(family->read_config(config, name, &a));
    const model_layer_shape *layer = &a.layer[(uint32_t)core_json_member(one, "layer")->valuedouble];
    assert_in_range(layer->rope, 0, MODEL_ROPE_SETS - 1);
    const model_rope *rope = &a.ropes[layer->rope];
    model_rope_table(rope, a.max_position_embeddings, prompt, 0, 1, first_cosines, sines); /* row 0 holds the amplitude */
    for (const cJSON *p = core_json_member(one, "positions")->child; p != NULL; p = p->next) {
        const uint32_t position = (uint32_t)p->valuedouble;
        model_rope_table(rope, a.max_position_embeddings, prompt, position, 1, cosines, sines);
        *equal += compare_row(name, "cosine", cos_row, cosines, first_cosines, rope, position, count);
        *equal += compare_row(name, "sine", sin_row, sines, first_cosines, rope, position, count);
        cos_row = cos_row->next;
        sin_row = sin_row->next;
    }
}

static void families_read_their_files_as_transformers_does(void **state)
{
    (void)state;
    compare_list("families", compare_family, 500);
}

static void a_table_made_in_parts_is_the_same(void **state)
{
    static float part_cosines[64 * 16], part_sines[64 * 16];
    const model_rope rope = { .type = MODEL_ROPE_DYNAMIC, .dims = 16, .theta = 10000.0, .factor = 4.0 };
    (void)state;
    model_rope_table(&rope, 24, 40, 0, 128, cosines, sines);
    model_rope_table(&rope, 24, 40, 37, 64, part_cosines, part_sines);
    assert_memory_equal(part_cosines, cosines + 37 * 8, 64 * 8 * sizeof(float));
    assert_memory_equal(part_sines, sines + 37 * 8, 64 * 8 * sizeof(float));
}

static void dynamic_tables_depend_on_the_prompt_only_beyond_the_models_length(void **state)
{
    static float other_cosines[64 * 8], other_sines[64 * 8];
    const model_rope rope = { .type = MODEL_ROPE_DYNAMIC, .dims = 16, .theta = 10000.0, .factor = 4.0 };
    (void)state;
    model_rope_table(&rope, 32, 0, 0, 64, cosines, sines);
    model_rope_table(&rope, 32, 32, 0, 64, other_cosines, other_sines);
    assert_memory_equal(other_cosines, cosines, sizeof other_cosines);
    model_rope_table(&rope, 32, 33, 0, 64, other_cosines, other_sines);
    assert_true(memcmp(other_cosines + 8, cosines + 8, 8 * sizeof(float)) != 0);
    assert_memory_equal(other_cosines + 33 * 8, cosines + 33 * 8, 31 * 8 * sizeof(float));
}

static void types_have_names(void **state)
{
    (void)state;
    assert_string_equal(model_rope_type_name(MODEL_ROPE_LLAMA3), "llama3");
    assert_string_equal(model_rope_type_name(MODEL_ROPE_DEFAULT), "default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_those_of_transformers),
        cmocka_unit_test(families_read_their_files_as_transformers_does),
        cmocka_unit_test(a_table_made_in_parts_is_the_same),
        cmocka_unit_test(dynamic_tables_depend_on_the_prompt_only_beyond_the_models_length),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
