/* export_config.c: what a model is, as the key-values of a GGUF file. Source: llama.cpp's convert_hf_to_gguf.py; keys are gguf's constants.py.
 * Keys that say what an architecture's programs take for granted do no harm; what no key says export_same.c finds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/blocks_write.h"
#include "core/memory.h"
#include "model/export_plan.h"

/* "<architecture>.<name>". Good until the next call. */
typedef struct keys {
    const model_export       *plan;
    const model_architecture *a;
    core_gguf_writer         *writer;
    char                      key[160];
} keys;

static const char *key_of(keys *k, const char *name)
{
    (void)snprintf(k->key, sizeof k->key, "%s.%s", k->plan->architecture->name, name);
    return k->key;
}

static void put_u32(keys *k, const char *name, uint32_t value) { core_gguf_put_u32(k->writer, key_of(k, name), value); }
static void put_f32(keys *k, const char *name, double value) { core_gguf_put_f32(k->writer, key_of(k, name), (float)value); }
static void put_bool(keys *k, const char *name, bool value) { core_gguf_put_bool(k->writer, key_of(k, name), value); }
static void put_text(keys *k, const char *name, const char *text) { core_gguf_put_string(k->writer, key_of(k, name), text, strlen(text)); }

/* A number for each layer, or one where all have the same. */
static void put_by_layer(keys *k, const char *name, uint32_t (*of)(const model_architecture *a, uint32_t layer))
{
    uint32_t i = 1;
    while (i < k->a->layers && of(k->a, i) == of(k->a, 0))
        i++;
    if (i == k->a->layers) {
        put_u32(k, name, of(k->a, 0));
        return;
    }
    core_gguf_put_array(k->writer, key_of(k, name), CORE_GGUF_I32, k->a->layers);
    for (i = 0; i < k->a->layers; i++)
        core_gguf_add_u32(k->writer, of(k->a, i));
}

/* ---- Sizes */

static uint32_t kv_heads_of(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].mixer == MODEL_MIXER_SHORT_CONV ? 0 : model_kv_heads(a, layer); /* none: how such layers are told */
}

/* The first layer that has attention with a window, or without one; the last of all where none has. */
static uint32_t first_layer(const model_architecture *a, bool window)
{
    uint32_t i = 0;
    while (i + 1 < a->layers && (a->layer[i].mixer != MODEL_MIXER_ATTENTION || (a->layer[i].window > 0) != window))
        i++;
    return i;
}

static uint32_t width_of(const model_architecture *a, uint32_t layer)
{
    const uint32_t own = a->layer[layer].intermediate_size, width = own > 0 ? own : a->intermediate_size;
    return width > 0 ? width : a->experts.width;
}

static void put_latent(keys *k)
{
    const model_latent *m = &k->a->latent;
    if (m->q_rank > 0)
        put_u32(k, "attention.q_lora_rank", m->q_rank);
    put_u32(k, "attention.kv_lora_rank", m->kv_rank);
    put_u32(k, "attention.key_length", m->nope_dim + m->rope_dim);
    put_u32(k, "attention.value_length", m->value_dim);
}

static void put_sizes(keys *k)
{
    const model_architecture *a = k->a;
    const bool                rms = a->norm.kind != DEV_NORM_LAYER;
    put_u32(k, "vocab_size", a->vocab_size);
    put_u32(k, "block_count", a->layers);
    put_u32(k, "context_length", a->max_position_embeddings);
    put_u32(k, "embedding_length", a->hidden_size);
    put_by_layer(k, "feed_forward_length", width_of);
    put_u32(k, "attention.head_count", a->heads);
    put_by_layer(k, "attention.head_count_kv", kv_heads_of);
    put_f32(k, rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", (double)a->norm.eps);
    if (a->latent.kv_rank > 0) {
        put_latent(k);
    } else {
        put_u32(k, "attention.key_length", model_head_dim(a, first_layer(a, false)));
        put_u32(k, "attention.value_length", model_head_dim(a, first_layer(a, false)));
    }
    if (a->short_conv.taps > 0)
        put_u32(k, "shortconv.l_cache", a->short_conv.taps);
}

/* Layers with and without a window have heads of their own, the last ones read others' keys, and all are told of the token. */
static void put_unlike(keys *k)
{
    const model_architecture *a = k->a;
    uint32_t                  shared = 0;
    if ((k->plan->architecture->how & MODEL_GGUF_UNLIKE) == 0)
        return;
    for (uint32_t i = 0; i < a->layers; i++)
        shared += a->layer[i].cache_of > 0;
    put_u32(k, "attention.key_length_swa", model_head_dim(a, first_layer(a, true)));
    put_u32(k, "attention.value_length_swa", model_head_dim(a, first_layer(a, true)));
    put_u32(k, "attention.shared_kv_layers", shared);
    put_u32(k, "embedding_length_per_layer_input", a->layer_input.size);
    put_u32(k, "rope.dimension_count_swa", a->ropes[1].dims);
}

/* In keys of state space models. */
static void put_delta_net(keys *k)
{
    const model_delta_net *d = &k->a->delta_net;
    if (d->key_heads == 0)
        return;
    put_u32(k, "ssm.conv_kernel", d->taps);
    put_u32(k, "ssm.state_size", d->key_dim);
    put_u32(k, "ssm.group_count", d->key_heads);
    put_u32(k, "ssm.time_step_rank", d->value_heads);
    put_u32(k, "ssm.inner_size", d->value_heads * d->value_dim);
    put_u32(k, "full_attention_interval", first_layer(k->a, false) + 1);
    core_gguf_put_array(k->writer, key_of(k, "attention.recurrent_layers"), CORE_GGUF_BOOL, k->a->layers);
    for (uint32_t i = 0; i < k->a->layers; i++)
        core_gguf_add_bool(k->writer, k->a->layer[i].mixer == MODEL_MIXER_DELTA_NET);
}

/* ---- What attention and the stream have */

static void put_windows(keys *k)
{
    const model_architecture *a = k->a;
    uint32_t window = 0, windowed = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        window = a->layer[i].window > 0 ? a->layer[i].window : window;
        windowed += a->layer[i].window > 0;
    }
    if (windowed == 0)
        return;
    put_u32(k, "attention.sliding_window", window);
    if (windowed == a->layers)
        return;
    core_gguf_put_array(k->writer, key_of(k, "attention.sliding_window_pattern"), CORE_GGUF_BOOL, a->layers);
    for (uint32_t i = 0; i < a->layers; i++)
        core_gguf_add_bool(k->writer, a->layer[i].window > 0);
}

static void put_scales(keys *k)
{
    const model_architecture *a = k->a;
    if ((k->plan->architecture->how & MODEL_GGUF_SCALED) != 0) {
        put_f32(k, "attention.scale", (double)a->attention_scale);
        put_f32(k, "embedding_scale", (double)a->embedding_scale);
        put_f32(k, "residual_scale", (double)a->residual_scale);
        put_f32(k, "logit_scale", 1.0 / (double)a->logits_scale);
    } else if (a->logits_scale != 1.0f) {
        put_f32(k, "logit_scale", (double)a->logits_scale);
    }
    if (a->attention_softcap > 0.0f)
        put_f32(k, "attn_logit_softcapping", (double)a->attention_softcap);
    if (a->logits_softcap > 0.0f)
        put_f32(k, "final_logit_softcapping", (double)a->logits_softcap);
    if (a->qkv_clip > 0.0f)
        put_f32(k, "attention.clamp_kqv", (double)a->qkv_clip);
    if (a->position == MODEL_POSITION_ALIBI)
        put_f32(k, "attention.max_alibi_bias", 8.0);
    if (a->query_beta > 0.0)
        put_f32(k, "attention.temperature_scale", a->query_beta);
    put_bool(k, "use_parallel_residual", a->residual == MODEL_RESIDUAL_PARALLEL || a->residual == MODEL_RESIDUAL_PARALLEL_ONE);
}

/* xIELU's numbers, of each layer. */
static oclm_status put_xielu(keys *k)
{
    static const struct { model_role role; const char *key; } numbers[] = {
        { MODEL_XIELU_ALPHA_P, "xielu.alpha_p" }, { MODEL_XIELU_ALPHA_N, "xielu.alpha_n" }, { MODEL_XIELU_BETA, "xielu.beta" }, { MODEL_XIELU_EPS, "xielu.eps" },
    };
    for (size_t n = 0; n < COUNT(numbers) && k->a->xielu; n++) {
        core_gguf_put_array(k->writer, numbers[n].key, CORE_GGUF_F32, k->a->layers);
        for (uint32_t i = 0; i < k->a->layers; i++) {
            const ckpt_tensor *tensor = model_bound_tensor(&k->plan->model.binding, numbers[n].role, i).tensor;
            float              value;
            if (tensor == NULL)
                return model_export_refuse(k->plan, "xIELU without numbers of its own");
            core_dtype_to_f32(tensor->dtype, tensor->data, &value, 1);
            core_gguf_add_f32(k->writer, value);
        }
    }
    return OCLM_OK;
}

/* ---- Experts */

/* llama.cpp's LLAMA_EXPERT_GATING_FUNC_TYPE_ SOFTMAX, SIGMOID and SOFTMAX_WEIGHT. */
static const uint32_t gating_functions[] = { [DEV_ROUTER_SOFTMAX] = 1, [DEV_ROUTER_SIGMOID] = 2, [DEV_ROUTER_TOP] = 3 };

static void put_experts(keys *k)
{
    const model_architecture *a = k->a;
    const dev_routing        *r = &a->experts.routing;
    uint32_t                  first = 0, second;
    if (r->count == 0)
        return;
    put_u32(k, "expert_count", r->count);
    put_u32(k, "expert_used_count", r->chosen);
    put_u32(k, "expert_feed_forward_length", a->experts.width);
    if (a->experts.shared_width > 0) {
        put_u32(k, "expert_shared_feed_forward_length", a->experts.shared_width);
        put_u32(k, "expert_shared_count", a->experts.shared_width / a->experts.width);
    }
    if (r->groups > 0) {
        put_u32(k, "expert_group_count", r->groups);
        put_u32(k, "expert_group_used_count", r->groups_chosen);
    }
    put_f32(k, "expert_weights_scale", (double)r->scale);
    put_bool(k, "expert_weights_norm", r->normalised);
    put_u32(k, "expert_gating_func", gating_functions[r->router]);
    while (first + 1 < a->layers && !a->layer[first].experts)
        first++;
    put_u32(k, "leading_dense_block_count", first);
    for (second = first + 1; second < a->layers && !a->layer[second].experts; second++) { }
    put_u32(k, "interleave_moe_layer_step", second < a->layers ? second - first : 1);
}

/* ---- Rotary positions */

static oclm_status new_factors(model_export *plan, size_t index, const float *from)
{
    const uint32_t count = plan->model.architecture.ropes[0].dims / 2;
    if (plan->factors[index] == NULL && (plan->factors[index] = core_alloc_array(count, sizeof(float), "factors of rotary positions")) == NULL)
        return OCLM_ERR_MEMORY;
    memcpy(plan->factors[index], from, count * sizeof(float));
    return OCLM_OK;
}

/* What each frequency is divided by; where nothing turns, a number as good as infinite. */
static oclm_status factors_of(model_export *plan, const model_rope *rope)
{
    model_rope plain = *rope;
    float      factors[MODEL_MAX_HEAD_DIM / 2];
    plain.type = MODEL_ROPE_DEFAULT;
    for (uint32_t i = 0; i < rope->dims / 2; i++) {
        const float turned = model_rope_frequency(rope, 1, i);
        factors[i] = turned > 0.0f ? model_rope_frequency(&plain, 1, i) / turned : 1e30f;
    }
    return new_factors(plan, 0, factors);
}

/* Sections of pictures' positions: programs that see ask for them; a text has one position for all. */
static void put_sections(keys *k)
{
    static const uint32_t sections[] = { 11, 11, 10, 0 };
    core_gguf_put_array(k->writer, key_of(k, "rope.dimension_sections"), CORE_GGUF_I32, COUNT(sections));
    for (size_t i = 0; i < COUNT(sections); i++)
        core_gguf_add_u32(k->writer, sections[i]);
}

static oclm_status longrope_factors(model_export *plan, const model_rope *rope)
{
    const oclm_status status = new_factors(plan, 0, rope->short_factor);
    return status == OCLM_OK ? new_factors(plan, 1, rope->long_factor) : status;
}

/* What scores grow by; beside two logarithms, as transformers has it, there is one number. */
static void put_yarn(keys *k, const model_rope *rope)
{
    const double times = (k->plan->architecture->how & MODEL_GGUF_TENTH) != 0 ? 10.0 : 1.0;
    put_f32(k, "rope.scaling.yarn_beta_fast", rope->beta_fast);
    put_f32(k, "rope.scaling.yarn_beta_slow", rope->beta_slow);
    if (rope->mscale > 0.0 && rope->mscale == rope->mscale_all_dim)
        put_f32(k, "rope.scaling.yarn_log_multiplier", rope->mscale / times);
}

static oclm_status put_rope(keys *k, model_export *plan)
{
    const model_rope *rope = &k->a->ropes[0];
    const char       *type = NULL;
    float             one_cos[MODEL_MAX_HEAD_DIM / 2], one_sin[MODEL_MAX_HEAD_DIM / 2];
    if (k->a->position != MODEL_POSITION_ROPE)
        return OCLM_OK;
    put_f32(k, "rope.freq_base", rope->theta);
    put_u32(k, "rope.dimension_count", rope->dims);
    for (uint32_t i = 0; i < k->a->layers; i++) {
        if (k->a->layer[i].rope == MODEL_ROPE_SECOND) {
            put_f32(k, "rope.freq_base_swa", k->a->ropes[1].theta);
            break;
        }
    }
    if (rope->type == MODEL_ROPE_LINEAR || rope->type == MODEL_ROPE_YARN || rope->type == MODEL_ROPE_LONGROPE)
        type = model_rope_type_name(rope->type); /* the format has the same names */
    if (type != NULL) {
        put_text(k, "rope.scaling.type", type);
        put_f32(k, "rope.scaling.factor", rope->factor);
        if (rope->type != MODEL_ROPE_LINEAR)
            put_u32(k, "rope.scaling.original_context_length", rope->original_max_position_embeddings);
    }
    if (rope->type == MODEL_ROPE_YARN)
        put_yarn(k, rope);
    if (rope->type == MODEL_ROPE_LONGROPE) { /* what cosines grow by is the cosine of position 0 */
        model_rope_table(rope, k->a->max_position_embeddings, 1, 0, 1, one_cos, one_sin);
        put_f32(k, "rope.scaling.attn_factor", (double)one_cos[0]);
        return longrope_factors(plan, rope);
    }
    if ((k->plan->architecture->how & MODEL_GGUF_TILED) != 0)
        put_sections(k);
    return rope->type == MODEL_ROPE_LLAMA3 || rope->type == MODEL_ROPE_PROPORTIONAL ? factors_of(plan, rope) : OCLM_OK;
}

/* ---- All of it */

/* llama.cpp's LLAMA_FTYPE_MOSTLY_ of a type. */
static uint32_t file_type_of(uint32_t type)
{
    static const uint32_t types[][2] = { { CKPT_GGML_Q4_0, 2 }, { CKPT_GGML_Q4_1, 3 }, { CKPT_GGML_Q8_0, 7 }, { CKPT_GGML_Q5_0, 8 }, { CKPT_GGML_Q5_1, 9 },
                                         { CKPT_GGML_F16, 1 }, { CKPT_GGML_F32, 0 } };
    size_t i = 0;
    while (i + 1 < COUNT(types) && types[i][0] != type)
        i++;
    return types[i][1]; /* the last is the only one left */
}

oclm_status model_export_config(model_export *plan, core_gguf_writer *writer)
{
    keys        k = { .plan = plan, .a = &plan->model.architecture, .writer = writer };
    oclm_status status;
    core_gguf_put_string(writer, "general.architecture", plan->architecture->name, strlen(plan->architecture->name));
    core_gguf_put_u32(writer, "general.quantization_version", 2);
    core_gguf_put_u32(writer, "general.file_type", file_type_of(plan->type));
    put_sizes(&k);
    put_unlike(&k);
    put_delta_net(&k);
    put_windows(&k);
    put_scales(&k);
    put_experts(&k);
    if ((status = put_xielu(&k)) != OCLM_OK || (status = put_rope(&k, plan)) != OCLM_OK)
        return status;
    return writer->status;
}
