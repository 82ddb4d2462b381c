/* expert_config.c: what config.json says of experts, and whether it fits together. */
#include "model/readers.h"

#include <inttypes.h>

/* The first of these names that the file has. */
static oclm_status read_count(const cJSON *config, const char *origin, const char *const *names, uint32_t *value)
{
    for (; names[1] != NULL && core_json_member(config, *names) == NULL; names++) { }
    return core_json_get_u32(config, *names, origin, 1, DEV_MAX_EXPERTS, value);
}

oclm_status model_read_experts(const cJSON *config, const char *origin, const model_expert_defaults *defaults, model_architecture *a)
{
    static const char *const count_names[] = { "num_experts", "num_local_experts", "n_routed_experts", NULL };
    static const char *const choice_names[] = { "num_experts_per_tok", "experts_per_token", "top_k_experts", NULL };
    const char *const own_count[] = { defaults->count_key, NULL }, *const own_choice[] = { defaults->chosen_key, NULL };
    const char *const *counts = defaults->count_key != NULL && core_json_has(config, defaults->count_key) ? own_count : count_names;
    const char *const *choices = defaults->chosen_key != NULL && core_json_has(config, defaults->chosen_key) ? own_choice : choice_names;
    model_experts *x = &a->experts;
    oclm_status    status;
    x->routing.count = defaults->count;
    x->routing.chosen = defaults->chosen;
    x->routing.normalised = defaults->normalised;
    x->routing.scale = 1.0f;
    x->width = defaults->width_key != NULL ? defaults->width : a->intermediate_size;
    if ((status = read_count(config, origin, counts, &x->routing.count)) != OCLM_OK ||
        (status = read_count(config, origin, choices, &x->routing.chosen)) != OCLM_OK ||
        (defaults->width_key != NULL &&
         (status = model_read_size(config, defaults->width_key, NULL, origin, MODEL_MAX_WIDTH, &x->width)) != OCLM_OK) ||
        (defaults->normalised_key != NULL &&
         (status = core_json_get_bool(config, defaults->normalised_key, origin, &x->routing.normalised)) != OCLM_OK))
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].experts = true;
    return OCLM_OK;
}

oclm_status model_read_dense_layers(const cJSON *config, const char *origin, model_architecture *a)
{
    static const char key[] = "mlp_only_layers";
    const cJSON *list = core_json_member(config, key);
    uint32_t     step = 1;
    oclm_status  status = model_read_size(config, "decoder_sparse_step", NULL, origin, MODEL_MAX_LAYERS, &step);
    if (status == OCLM_OK && list != NULL && !cJSON_IsArray(list))
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a list of layers", origin, key);
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++)
        a->layer[i].experts = (i + 1) % step == 0;
    for (const cJSON *item = list != NULL ? list->child : NULL; item != NULL && status == OCLM_OK; item = item->next) {
        if (!core_json_is_whole(item, 0, MODEL_MAX_LAYERS))
            status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a list of layers, 0 to %u", origin, key, a->layers - 1);
        else if (item->valuedouble < a->layers)
            a->layer[(uint32_t)item->valuedouble].experts = false;
    }
    return status;
}

oclm_status model_read_grouped_experts(const cJSON *config, const char *origin, const model_expert_defaults *defaults, uint32_t shared,
                                       uint32_t dense, model_architecture *a)
{
    model_experts *x = &a->experts;
    float          scale = x->routing.scale;
    oclm_status    status;
    if ((status = model_read_experts(config, origin, defaults, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "n_shared_experts", origin, DEV_MAX_EXPERTS, &shared)) != OCLM_OK ||
        (status = core_json_get_u32(config, "first_k_dense_replace", origin, 0, MODEL_MAX_WIDTH, &dense)) != OCLM_OK ||
        (status = model_read_number(config, "routed_scaling_factor", origin, &scale)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "n_group", origin, DEV_MAX_EXPERTS, &x->routing.groups)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "topk_group", origin, DEV_MAX_EXPERTS, &x->routing.groups_chosen)) != OCLM_OK)
        return status;
    x->routing.scale = scale;
    if ((uint64_t)shared * x->width > MODEL_MAX_WIDTH)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"n_shared_experts\" %u of %u are wider than %u", origin, shared, x->width, MODEL_MAX_WIDTH);
    x->shared_width = shared * x->width;
    for (uint32_t i = 0; i < dense && i < a->layers; i++)
        a->layer[i].experts = false;
    return OCLM_OK;
}

oclm_status model_check_experts(const model_architecture *a, const char *origin)
{
    const dev_routing *r = &a->experts.routing;
    const uint64_t     most = UINT32_MAX / 2, widest = a->experts.width > a->hidden_size ? a->experts.width : a->hidden_size;
    if (r->count == 0)
        return OCLM_OK;
    if (r->chosen > r->count)
        return core_fail(OCLM_ERR_FORMAT, "%s: each token chooses %" PRIu32 " experts (num_experts_per_tok), of which there are %" PRIu32, origin,
                         r->chosen, r->count);
    if (r->groups > 1 && (r->count % r->groups != 0 || r->groups_chosen < 1 || r->groups_chosen > r->groups ||
                          r->count / r->groups * r->groups_chosen < r->chosen))
        return core_fail(OCLM_ERR_FORMAT, "%s: %" PRIu32 " experts in %" PRIu32 " groups (n_group), of which %" PRIu32 " are chosen from (topk_group)"
                         ", %" PRIu32 " experts for each token, do not fit together", origin, r->count, r->groups, r->groups_chosen, r->chosen);
    if (r->count * 2 * (widest + DEV_PANEL) > most)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: %" PRIu32 " experts of a width of %" PRIu64 " are more than oclm can number", origin, r->count,
                         widest);
    if (a->residual != (a->experts.beside_mlp ? MODEL_RESIDUAL_SANDWICH : MODEL_RESIDUAL_PRE))
        return core_fail(OCLM_ERR_INTERNAL, "%s: experts, and norms other than before them", origin);
    return OCLM_OK;
}
