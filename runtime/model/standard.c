/* standard.c: what nearly every family's config.json has: the family tells defaults and names of keys, here they are read. */
#include "model/standard.h"

#include <math.h>

oclm_status family_read_standard(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    oclm_status status = model_read_sizes(config, origin, &standard->sizes, a);
    a->norm = (model_norm_shape){ .kind = standard->norm, .eps = standard->eps == 0.0f ? 1e-5f : standard->eps,
                                  .has_bias = standard->norm_bias };
    a->mlp_gated = standard->mlp_gated;
    a->activation = standard->activation;
    a->tied_head = standard->tied_head;
    for (size_t i = 0; i < COUNT(standard->eos_token_ids) && standard->eos_token_ids[i] != 0; i++)
        a->eos_token_ids[a->eos_token_count++] = standard->eos_token_ids[i];
    if (status == OCLM_OK && standard->eps_key != NULL)
        status = model_read_eps(config, standard->eps_key, origin, &a->norm.eps);
    if (status == OCLM_OK && standard->activation_key != NULL)
        status = model_read_activation(config, standard->activation_key, origin, standard->activation, &a->activation);
    if (status == OCLM_OK)
        status = core_json_get_bool(config, "tie_word_embeddings", origin, &a->tied_head);
    if (status == OCLM_OK)
        status = model_read_eos(config, origin, a);
    if (status != OCLM_OK)
        return status;
    a->attention_scale = (float)(1.0 / sqrt((double)a->head_dim));
    if (standard->rope == NULL)
        return OCLM_OK;
    a->position = MODEL_POSITION_ROPE;
    return model_read_rope(config, origin, standard->rope, a);
}

oclm_status family_read_attention_bias(const cJSON *config, const char *key, const char *origin, model_architecture *a)
{
    bool        bias = a->qkv_bias;
    oclm_status status = core_json_get_bool(config, key, origin, &bias);
    if (status == OCLM_OK && core_json_member(config, key) != NULL)
        a->qkv_bias = a->output_bias = bias;
    return status;
}

oclm_status family_read_llama(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK)
        return status;
    return core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias);
}

oclm_status family_refuse(const cJSON *config, const char *key, const char *origin, const char *why)
{
    bool        set = false;
    oclm_status status = core_json_get_bool(config, key, origin, &set);
    return status == OCLM_OK && set ? core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s\" is true: %s", origin, key, why) : status;
}
