/* test_experts.c: experts in either form of a checkpoint, a tensor for each or all in one, give the same bits, and what is wrong with one is
 * told by name. */
#include <math.h>

#include "model/folders.h"
#include "model/models.h"

#define EXPERTS 3u
#define WIDTH   5u
#define HIDDEN  12u
#define HEADS   2u
#define DIM     6u
#define VOCAB   23u
#define LAYER   "model.layers.0."

static const char config[] =
    "{\"model_type\": \"qwen3_moe\", \"vocab_size\": 23, \"hidden_size\": 12, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"num_key_value_heads\": 1, \"head_dim\": 6, \"num_experts\": 3, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 5, "
    "\"intermediate_size\": 7, \"max_position_embeddings\": 16}";

/* Rows of a file: which experts' tensors it holds, and how. */
typedef struct form {
    bool     fused_gate_up, fused_down;
    uint32_t experts; /* in tensors of their own, from the first on */
    uint32_t width;   /* of the fused gate and up */
} form;

static void expert_name(char name[128], uint32_t e, const char *which)
{
    snprintf(name, 128, LAYER "mlp.experts.%u.%s_proj.weight", e, which);
}

/* The numbers that each expert's own tensors would have, one below the other: for each expert those of `first` and, not NULL, of `second`. */
static void add_fused(folder *f, const char *name, const char *first, const char *second, uint32_t rows, uint32_t columns)
{
    const char *const which[] = { first, second };
    const size_t      begin = f->data.length, halves = second != NULL ? 2 : 1;
    for (uint32_t e = 0; e < EXPERTS; e++)
        for (size_t h = 0; h < halves; h++) {
            char own[128];
            expert_name(own, e, which[h]);
            for (size_t i = 0; i < (size_t)rows * columns; i++) {
                const float value = folder_value(own, i);
                assert_ok(core_text_add(&f->data, &value, sizeof value));
            }
        }
    assert_ok(core_text_printf(&f->header, ", \"%s\": {\"dtype\": \"F32\", \"shape\": [%u, %zu, %u], \"data_offsets\": [%zu, %zu]}", name, EXPERTS,
                               rows * halves, columns, begin, f->data.length));
    f->tensors++;
}

static void add_experts(folder *f, const form *as)
{
    static const char *const which[] = { "gate", "up", "down" };
    for (uint32_t e = 0; e < as->experts; e++)
        for (size_t i = as->fused_gate_up ? 2 : 0; i < (as->fused_down ? 2 : 3); i++) {
            char name[128];
            expert_name(name, e, which[i]);
            folder_add(f, name, CORE_F32, i == 2 ? HIDDEN : WIDTH, i == 2 ? WIDTH : HIDDEN);
        }
    if (as->fused_gate_up)
        add_fused(f, LAYER "mlp.experts.gate_up_proj", "gate", "up", as->width, HIDDEN);
    if (as->fused_down)
        add_fused(f, LAYER "mlp.experts.down_proj", "down", NULL, HIDDEN, WIDTH);
}

static void make_model(folder *f, const form *as)
{
    folder_new(f, config);
    folder_add(f, "model.embed_tokens.weight", CORE_F32, VOCAB, HIDDEN);
    folder_add(f, "model.norm.weight", CORE_F32, HIDDEN, 0);
    folder_add(f, "lm_head.weight", CORE_F32, VOCAB, HIDDEN);
    folder_add(f, LAYER "input_layernorm.weight", CORE_F32, HIDDEN, 0);
    folder_add(f, LAYER "post_attention_layernorm.weight", CORE_F32, HIDDEN, 0);
    folder_add(f, LAYER "self_attn.q_proj.weight", CORE_F32, HEADS * DIM, HIDDEN);
    folder_add(f, LAYER "self_attn.k_proj.weight", CORE_F32, DIM, HIDDEN);
    folder_add(f, LAYER "self_attn.v_proj.weight", CORE_F32, DIM, HIDDEN);
    folder_add(f, LAYER "self_attn.o_proj.weight", CORE_F32, HIDDEN, HEADS * DIM);
    folder_add(f, LAYER "self_attn.q_norm.weight", CORE_F32, DIM, 0);
    folder_add(f, LAYER "self_attn.k_norm.weight", CORE_F32, DIM, 0);
    folder_add(f, LAYER "mlp.gate.weight", CORE_F32, EXPERTS, HIDDEN);
    add_experts(f, as);
    folder_finish(f);
}

static const int32_t ids[] = { 3, 0, 17, 22, 9, 3 };

static void compute(const place *where, const form *as, float *logits)
{
    folder f;
    make_model(&f, as);
    model_model *model = models_load(f.path, where, OCLM_DTYPE_FLOAT32);
    model_state *state = models_state(model, 1, 16, COUNT(ids));
    models_logits(state, ids, COUNT(ids), COUNT(ids), logits);
    model_state_free(state);
    model_free(model);
    folder_free(&f);
}

static void compare_forms(const place *where, void *user)
{
    static const form forms[] = { { true, true, 0, WIDTH }, { true, false, EXPERTS, WIDTH }, { false, true, EXPERTS, WIDTH } };
    static const form apart = { false, false, EXPERTS, WIDTH };
    float             want[COUNT(ids) * VOCAB], got[COUNT(ids) * VOCAB];
    (void)user;
    compute(where, &apart, want);
    for (size_t i = 0; i < COUNT(ids) * VOCAB; i++)
        assert_true(isfinite(want[i]) && want[i] != want[(i + 1) % VOCAB]);
    for (size_t i = 0; i < COUNT(forms); i++) {
        compute(where, &forms[i], got);
        if (memcmp(want, got, sizeof want) != 0)
            fail_msg("gate and up fused: %d, down fused: %d: other logits than with a tensor for each", forms[i].fused_gate_up, forms[i].fused_down);
    }
}

static void experts_in_one_tensor_or_many_give_the_same_bits(void **state)
{
    (void)state;
    models_each_device(compare_forms, NULL);
}

static const struct { const char *label; form form; const char *says[3]; } broken[] = {
    { "one expert is missing", { false, false, EXPERTS - 1, WIDTH }, { "3 tensors missing", "experts.2.gate_proj.weight", "experts.2.down_proj.weight" } },
    { "all are missing", { false, false, 0, WIDTH }, { "9 tensors missing", "experts.0.gate_proj.weight", "and 1 more" } },
    { "a fused tensor is too narrow", { true, true, 0, WIDTH - 1 }, { "gate_up_proj", "is [3, 8, 12]", "not [3, 10, 12]" } },
};

static void refuse_broken(const place *where, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(broken); i++) {
        folder       f;
        model_model *model = NULL;
        make_model(&f, &broken[i].form);
        const oclm_status status = models_load_on(f.path, models_open(where, 0), &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model);
        if (status != OCLM_ERR_FORMAT)
            fail_msg("%s: %s", broken[i].label, oclm_status_name(status));
        for (size_t j = 0; j < COUNT(broken[i].says); j++)
            if (strstr(oclm_last_error(), broken[i].says[j]) == NULL)
                fail_msg("%s: \"%s\" is not in: %s", broken[i].label, broken[i].says[j], oclm_last_error());
        folder_free(&f);
    }
}

static void missing_and_misshapen_experts_are_told_by_name(void **state)
{
    (void)state;
    models_each_device(refuse_broken, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_in_one_tensor_or_many_give_the_same_bits),
        cmocka_unit_test(missing_and_misshapen_experts_are_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
