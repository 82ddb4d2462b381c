/* export_config.c: config.json as the key-values of a GGUF file. Source: llama.cpp's convert_hf_to_gguf.py; keys are gguf's constants.py. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/export_plan.h"

typedef struct config {
    const cJSON      *tree;
    const char       *origin;
    const char       *architecture;
    core_gguf_writer *writer;
    oclm_status       status; /* the first failure */
} config;

static const char *key_of(const config *c, const char *name, char into[96])
{
    (void)snprintf(into, 96, "%s.%s", c->architecture, name);
    return into;
}

static uint32_t whole(config *c, const char *name, uint32_t without)
{
    uint32_t value = without;
    if (c->status == OCLM_OK)
        c->status = core_json_get_u32(c->tree, name, c->origin, 0, INT32_MAX, &value);
    return value;
}

static double number(config *c, const cJSON *tree, const char *name, double without)
{
    double value = without;
    if (c->status == OCLM_OK)
        c->status = core_json_get_float(tree, name, c->origin, &value);
    return value;
}

static uint32_t needed(config *c, const char *name)
{
    const uint32_t value = whole(c, name, 0);
    if (c->status == OCLM_OK && value == 0)
        c->status = core_fail(OCLM_ERR_FORMAT, "%s: has no \"%s\"; a model of this kind needs it", c->origin, name);
    return value;
}

static void put_u32(config *c, const char *name, uint32_t value)
{
    char key[96];
    core_gguf_put_u32(c->writer, key_of(c, name, key), value);
}

static void put_f32(config *c, const char *name, double value)
{
    char key[96];
    core_gguf_put_f32(c->writer, key_of(c, name, key), (float)value);
}

static void put_string(config *c, const char *name, const char *text)
{
    char key[96];
    core_gguf_put_string(c->writer, key_of(c, name, key), text, strlen(text));
}

/* ---- Rotary positions */

/* "rope_parameters", or "rope_scaling" of older files; Gemma 3's are by kind of layer. NULL: the default ones. */
static const cJSON *rope_of(const cJSON *tree)
{
    const cJSON *rope = core_json_member(tree, "rope_parameters");
    if (rope == NULL)
        rope = core_json_member(tree, "rope_scaling");
    const cJSON *full = core_json_member(rope, "full_attention");
    return full != NULL ? full : rope;
}

static const char *rope_type_of(const cJSON *rope)
{
    const cJSON *type = core_json_member(rope, "rope_type");
    if (type == NULL)
        type = core_json_member(rope, "type");
    return cJSON_IsString(type) ? type->valuestring : "default";
}

/* Llama 3's scaling is a factor for each frequency, a tensor of its own. */
static oclm_status llama3_factors(config *c, const cJSON *rope, double base, uint32_t head, model_export *plan)
{
    const double factor = number(c, rope, "factor", 8), low = number(c, rope, "low_freq_factor", 1), high = number(c, rope, "high_freq_factor", 4);
    const double old = number(c, rope, "original_max_position_embeddings", 8192);
    if (c->status != OCLM_OK)
        return c->status;
    if ((plan->factors = core_alloc_array(head / 2, sizeof *plan->factors, "factors of rotary positions")) == NULL)
        return OCLM_ERR_MEMORY;
    plan->factor_count = head / 2;
    for (uint32_t i = 0; i < head / 2; i++) {
        const double length = 2 * 3.14159265358979323846 * pow(base, 2.0 * i / head);
        const double smooth = (old / length - low) / (high - low);
        plan->factors[i] = (float)(length < old / high ? 1 : length > old / low ? factor : 1 / ((1 - smooth) / factor + smooth));
    }
    return OCLM_OK;
}

static oclm_status put_rope(config *c, uint32_t head, model_export *plan)
{
    const cJSON *const rope = rope_of(c->tree);
    const char *const  type = rope_type_of(rope);
    const double       base = number(c, rope, "rope_theta", number(c, c->tree, "rope_theta", strcmp(c->architecture, "gemma3") == 0 ? 1e6 : 1e4));
    put_f32(c, "rope.freq_base", base);
    put_u32(c, "rope.dimension_count", head);
    if (c->status != OCLM_OK || strcmp(type, "default") == 0)
        return c->status;
    if (strcmp(type, "llama3") == 0)
        return llama3_factors(c, rope, base, head, plan);
    if (strcmp(type, "linear") != 0 && strcmp(type, "yarn") != 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"rope_type\" is \"%s\", which oclm does not write into a GGUF file; it writes default, linear, yarn and "
                         "llama3: quantise to nf4, fp4 or int8 instead", c->origin, type);
    put_string(c, "rope.scaling.type", type);
    put_f32(c, "rope.scaling.factor", number(c, rope, "factor", 1));
    if (strcmp(type, "yarn") == 0)
        put_u32(c, "rope.scaling.original_context_length", (uint32_t)number(c, rope, "original_max_position_embeddings", whole(c, "max_position_embeddings", 0)));
    return c->status;
}

/* ---- Kinds of models */

static oclm_status put_gpt2(config *c)
{
    const uint32_t width = needed(c, "n_embd"), inner = whole(c, "n_inner", 0);
    put_u32(c, "block_count", needed(c, "n_layer"));
    put_u32(c, "context_length", whole(c, "n_positions", 1024));
    put_u32(c, "embedding_length", width);
    put_u32(c, "feed_forward_length", inner != 0 ? inner : 4 * width);
    put_u32(c, "attention.head_count", needed(c, "n_head"));
    put_f32(c, "attention.layer_norm_epsilon", number(c, c->tree, "layer_norm_epsilon", 1e-5));
    return c->status;
}

static void put_gemma(config *c)
{
    const double   attention = number(c, c->tree, "attn_logit_softcapping", 0), logits = number(c, c->tree, "final_logit_softcapping", 0);
    const uint32_t window = whole(c, "sliding_window", 0);
    if (attention > 0)
        put_f32(c, "attn_logit_softcapping", attention);
    if (logits > 0)
        put_f32(c, "final_logit_softcapping", logits);
    if (window > 0 && strcmp(c->architecture, "gemma") != 0)
        put_u32(c, "attention.sliding_window", window);
}

/* The format has no word for the activation: programs take each architecture's own. */
static oclm_status check_activation(const config *c, const model_export *plan)
{
    const cJSON *given = core_json_member(c->tree, "hidden_act");
    if (plan->kind->norms_plus_one || !cJSON_IsString(given) || strcmp(given->valuestring, "silu") == 0)
        return OCLM_OK;
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"hidden_act\" is \"%s\"; in a GGUF file models of this kind have silu: quantise to nf4, fp4 or int8 instead",
                     c->origin, given->valuestring);
}

static oclm_status put_llama(config *c, model_export *plan)
{
    const uint32_t width = needed(c, "hidden_size"), heads = needed(c, "num_attention_heads");
    if (c->status == OCLM_OK)
        c->status = check_activation(c, plan);
    if (c->status != OCLM_OK)
        return c->status;
    const uint32_t head = whole(c, "head_dim", width / heads);
    plan->heads = heads;
    plan->kv_heads = whole(c, "num_key_value_heads", heads);
    put_u32(c, "block_count", needed(c, "num_hidden_layers"));
    put_u32(c, "context_length", whole(c, "max_position_embeddings", 2048));
    put_u32(c, "embedding_length", width);
    put_u32(c, "feed_forward_length", needed(c, "intermediate_size"));
    put_u32(c, "attention.head_count", heads);
    put_u32(c, "attention.head_count_kv", plan->kv_heads);
    put_f32(c, "attention.layer_norm_rms_epsilon", number(c, c->tree, "rms_norm_eps", 1e-6));
    if (plan->kind->key_length || head * heads != width) {
        put_u32(c, "attention.key_length", head);
        put_u32(c, "attention.value_length", head);
    }
    if (plan->kind->norms_plus_one)
        put_gemma(c);
    return c->status == OCLM_OK ? put_rope(c, head, plan) : c->status;
}

oclm_status model_export_config(model_export *plan, core_gguf_writer *writer)
{
    config       c = { plan->config, plan->origin, plan->kind->architecture, writer, OCLM_OK };
    const cJSON *name = core_json_member(plan->config, "_name_or_path");
    core_gguf_put_string(writer, "general.architecture", c.architecture, strlen(c.architecture));
    if (cJSON_IsString(name) && name->valuestring[0] != '\0' && name->valuestring[0] != '/')
        core_gguf_put_string(writer, "general.name", name->valuestring, strlen(name->valuestring));
    core_gguf_put_u32(writer, "general.quantization_version", 2);
    core_gguf_put_u32(writer, "general.file_type", plan->file_type);
    put_u32(&c, "vocab_size", (uint32_t)plan->tokens);
    return plan->kind->gpt2 ? put_gpt2(&c) : put_llama(&c, plan);
}
