/* mistral.c: Mistral (llama with a window, at first), Ministral (windows by layer) and Ministral 3 (yarn, and queries that grow with
 * the position). */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults plain_rope = { .theta = 10000.0 };

static const family_standard mistral = {
    .sizes = { .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 14336, .layers = 32, .heads = 32, .kv_heads = 8,
               .max_position_embeddings = 4096 * 32 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &plain_rope,
};

/* One window for all layers, whatever layer_types says. A file without the key has one of 4096. */
static oclm_status read_mistral(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &mistral, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    return OCLM_OK;
}

static oclm_status read_ministral(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &mistral, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    return model_read_windows(config, origin, window, 0, a);
}

/* ---- Ministral 3 */

static const model_rope_defaults yarn = {
    .theta = 1000000.0,
    .parameters = "{\"rope_type\": \"yarn\", \"rope_theta\": 1000000.0, \"factor\": 16.0, \"original_max_position_embeddings\": 16384, "
                  "\"beta_fast\": 32.0, \"beta_slow\": 1.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}",
};

/* llama_4_scaling_beta stands among the rotary parameters. */
static oclm_status read_growth(const cJSON *config, const char *origin, model_architecture *a)
{
    static const char key[] = "llama_4_scaling_beta";
    const cJSON      *set = core_json_member(config, "rope_scaling");
    set = set != NULL && set->child != NULL ? set : core_json_member(config, "rope_parameters");
    a->query_length = a->ropes[0].original_max_position_embeddings;
    a->query_beta = set == NULL || set->child == NULL ? 0.1 : 0.0;
    return core_json_get_float(set, key, origin, &a->query_beta);
}

static oclm_status read_ministral3(const cJSON *config, const char *origin, model_architecture *a)
{
    family_standard ministral3 = mistral;
    uint32_t        window = 0;
    oclm_status     status;
    ministral3.sizes.vocab_size = 131072;
    ministral3.sizes.layers = 34;
    ministral3.sizes.head_dim = 128;
    ministral3.sizes.max_position_embeddings = 262144;
    ministral3.eps = 1e-5f;
    ministral3.rope = &yarn;
    if ((status = family_read_standard(config, origin, &ministral3, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    return read_growth(config, origin, a);
}

const model_family model_families_mistral[] = {
    { .model_type = "mistral", .class_name = "MistralForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_mistral },
    { .model_type = "ministral", .class_name = "MinistralForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_ministral },
    { .model_type = "ministral3", .class_name = "Ministral3ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_ministral3 },
    { 0 },
};
