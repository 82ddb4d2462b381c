/* rope_config.c: rope_scaling, rope_parameters and what lies beside them -> model_rope, for either generation of keys, one set
 * of parameters for all layers or one for each kind of layer. Source: transformers' RotaryEmbeddingConfigMixin. */
#include <math.h>
#include <string.h>

#include "model/binding.h"
#include "model/readers.h"

static const struct { const char *name; model_rope_type type; } rope_types[] = {
    { "default", MODEL_ROPE_DEFAULT },   { "linear", MODEL_ROPE_LINEAR }, { "dynamic", MODEL_ROPE_DYNAMIC },
    { "llama3", MODEL_ROPE_LLAMA3 },     { "yarn", MODEL_ROPE_YARN },     { "longrope", MODEL_ROPE_LONGROPE },
    { "proportional", MODEL_ROPE_PROPORTIONAL }, { "su", MODEL_ROPE_LONGROPE }, { "mrope", MODEL_ROPE_DEFAULT }, /* old names */
};

const char *model_rope_type_name(model_rope_type type)
{
    for (size_t i = 0; i < COUNT(rope_types); i++) {
        if (rope_types[i].type == type)
            return rope_types[i].name;
    }
    return NULL;
}

/* What a set is read with. */
typedef struct rope_reader {
    const cJSON               *config;
    const char                *origin;
    const model_rope_defaults *defaults;
    const model_architecture  *a;
} rope_reader;

static oclm_status read_type(const rope_reader *r, const cJSON *set, model_rope_type *type)
{
    const char *name = "default";
    oclm_status status = core_json_get_string(set, core_json_has(set, "rope_type") ? "rope_type" : "type", r->origin, &name);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(rope_types); i++) {
        if (strcmp(rope_types[i].name, name) == 0) {
            *type = rope_types[i].type;
            if (*type == MODEL_ROPE_YARN && r->defaults->yarn_is_longrope)
                *type = MODEL_ROPE_LONGROPE;
            return OCLM_OK;
        }
    }
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: rope_type \"%.60s\" is not supported; supported are default, linear, dynamic, llama3, "
                     "yarn, longrope, proportional", r->origin, name);
}

static oclm_status read_required(const rope_reader *r, const cJSON *set, const char *key, const char *rope_type, double *value)
{
    if (core_json_member(set, key) == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: rope_type \"%s\" needs \"%s\" beside it, which is missing", r->origin, rope_type, key);
    return model_read_positive(set, key, r->origin, value);
}

/* ---- What each type asks for */

static oclm_status read_llama3(const rope_reader *r, const cJSON *set, model_rope *rope)
{
    oclm_status status = read_required(r, set, "factor", "llama3", &rope->factor);
    if (status == OCLM_OK)
        status = read_required(r, set, "low_freq_factor", "llama3", &rope->low_freq_factor);
    if (status == OCLM_OK)
        status = read_required(r, set, "high_freq_factor", "llama3", &rope->high_freq_factor);
    if (status == OCLM_OK && rope->high_freq_factor <= rope->low_freq_factor)
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"high_freq_factor\" is %g; it must be greater than \"low_freq_factor\", %g",
                           r->origin, rope->high_freq_factor, rope->low_freq_factor);
    return status;
}

/* A number that must not be negative; 0 means "not given", as it does in Python. */
static oclm_status read_optional(const rope_reader *r, const cJSON *set, const char *key, double *value)
{
    oclm_status status = core_json_get_float(set, key, r->origin, value);
    if (status == OCLM_OK && !(*value >= 0.0 && *value < 1e30))
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %g; it must not be negative", r->origin, key, *value);
    return status;
}

static oclm_status read_yarn(const rope_reader *r, const cJSON *set, model_rope *rope)
{
    static const char *const keys[] = { "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "attention_factor" };
    double *const values[] = { &rope->beta_fast, &rope->beta_slow, &rope->mscale, &rope->mscale_all_dim, &rope->attention_factor };
    rope->factor = (double)r->a->max_position_embeddings / rope->original_max_position_embeddings;
    rope->truncate = true;
    oclm_status status = model_read_positive(set, "factor", r->origin, &rope->factor);
    for (size_t i = 0; i < COUNT(keys) && status == OCLM_OK; i++)
        status = read_optional(r, set, keys[i], values[i]);
    rope->beta_fast = rope->beta_fast == 0.0 ? 32.0 : rope->beta_fast;
    rope->beta_slow = rope->beta_slow == 0.0 ? 1.0 : rope->beta_slow;
    return status == OCLM_OK ? core_json_get_bool(set, "truncate", r->origin, &rope->truncate) : status;
}

static oclm_status read_factors(const rope_reader *r, const cJSON *set, const char *key, uint32_t count, float *factors)
{
    const cJSON *list = core_json_member(set, key);
    uint32_t     i = 0;
    if (!cJSON_IsArray(list) || (uint32_t)cJSON_GetArraySize(list) != count)
        return core_fail(OCLM_ERR_FORMAT, "%s: rope_type \"longrope\" needs \"%s\" beside it, a list of %u numbers for %u rotary "
                         "dimensions; it has %d", r->origin, key, count, 2 * count, cJSON_GetArraySize(list));
    for (const cJSON *item = list->child; item != NULL; item = item->next, i++) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble > 0.0 && item->valuedouble < 1e30))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be numbers greater than 0; number %u is not", r->origin, key, i);
        factors[i] = (float)item->valuedouble;
    }
    return OCLM_OK;
}

static oclm_status read_longrope(const rope_reader *r, const cJSON *set, model_rope *rope)
{
    oclm_status status;
    rope->factor = (double)r->a->max_position_embeddings / rope->original_max_position_embeddings;
    if ((status = model_read_positive(set, "factor", r->origin, &rope->factor)) != OCLM_OK ||
        (status = read_optional(r, set, "attention_factor", &rope->attention_factor)) != OCLM_OK ||
        (status = read_factors(r, set, "short_factor", rope->dims / 2, rope->short_factor)) != OCLM_OK ||
        (status = read_factors(r, set, "long_factor", rope->dims / 2, rope->long_factor)) != OCLM_OK)
        return status;
    if (rope->original_max_position_embeddings < 2)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"original_max_position_embeddings\" is 1; rope_type \"longrope\" needs more", r->origin);
    return OCLM_OK;
}

static oclm_status read_dynamic(const rope_reader *r, const cJSON *set, model_rope *rope)
{
    double alpha = 0.0;
    if (rope->dims < 4)
        return core_fail(OCLM_ERR_FORMAT, "%s: rope_type \"dynamic\" needs a head dimension of 4 or more, this one is %u", r->origin,
                         rope->dims);
    oclm_status status = read_optional(r, set, "alpha", &alpha);
    if (status != OCLM_OK || alpha == 0.0 || !r->defaults->static_alpha)
        return status == OCLM_OK ? read_required(r, set, "factor", "dynamic", &rope->factor) : status;
    rope->type = MODEL_ROPE_DEFAULT;
    rope->theta *= pow(alpha, (double)rope->dims / (rope->dims - 2.0));
    return OCLM_OK;
}

static oclm_status read_of_type(const rope_reader *r, const cJSON *set, model_rope *rope)
{
    switch (rope->type) {
    case MODEL_ROPE_DEFAULT: return OCLM_OK;
    case MODEL_ROPE_LINEAR: return read_required(r, set, "factor", "linear", &rope->factor);
    case MODEL_ROPE_DYNAMIC: return read_dynamic(r, set, rope);
    case MODEL_ROPE_LLAMA3: return read_llama3(r, set, rope);
    case MODEL_ROPE_YARN: return read_yarn(r, set, rope);
    case MODEL_ROPE_LONGROPE: return read_longrope(r, set, rope);
    case MODEL_ROPE_PROPORTIONAL: return model_read_positive(set, "factor", r->origin, &rope->factor);
    }
    return core_fail(OCLM_ERR_INTERNAL, "%s: rope type %d", r->origin, (int)rope->type);
}

/* ---- One set */

/* Where a number is: in the set, else at the top level under its name, else there under another name. */
static oclm_status read_beside(const rope_reader *r, const cJSON *set, const char *key, const char *other_key, double *value)
{
    if (core_json_member(set, key) != NULL)
        return model_read_positive(set, key, r->origin, value);
    if (other_key != NULL && core_json_member(r->config, key) == NULL)
        return model_read_positive(r->config, other_key, r->origin, value);
    return model_read_positive(r->config, key, r->origin, value);
}

static oclm_status read_theta(const rope_reader *r, const cJSON *set, bool sliding, double *theta)
{
    const model_rope_defaults *d = r->defaults;
    oclm_status status;
    *theta = d->theta == 0.0 ? 10000.0 : d->theta;
    if (sliding && d->sliding_theta != 0.0) {
        *theta = d->sliding_theta;
        const bool in_set = core_json_member(set, "rope_theta") != NULL || d->sliding_theta_key == NULL;
        status = model_read_positive(in_set ? set : r->config, in_set ? "rope_theta" : d->sliding_theta_key, r->origin, theta);
    } else {
        status = read_beside(r, set, "rope_theta", d->theta_key, theta);
    }
    if (status == OCLM_OK && *theta <= 1.0)
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"rope_theta\" is %g; it must be greater than 1", r->origin, *theta);
    return status;
}

/* The size of the heads that a set turns: those of the first layer with a window, or of the first without. */
static uint32_t head_dim_of(const model_architecture *a, bool sliding)
{
    for (uint32_t i = 0; i < a->layers; i++) {
        if ((a->layer[i].window > 0) == sliding)
            return model_head_dim(a, i);
    }
    return a->head_dim;
}

/* How much of a head turns. */
static oclm_status read_dims(const rope_reader *r, const cJSON *set, bool sliding, model_rope *rope)
{
    const model_rope_defaults *d = r->defaults;
    const uint32_t head_dim = head_dim_of(r->a, sliding);
    double         partial = d->partial == 0.0 ? 1.0 : d->partial;
    oclm_status    status = OCLM_OK;
    rope->dims = d->dims != 0 ? d->dims : head_dim;
    if (d->dims == 0 && (d->partial != 0.0 || rope->type == MODEL_ROPE_PROPORTIONAL))
        status = read_beside(r, set, "partial_rotary_factor", d->partial_key, &partial);
    if (status == OCLM_OK && partial > 1.0)
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"partial_rotary_factor\" is %g; a head has no more than all of its dimensions",
                           r->origin, partial);
    if (status != OCLM_OK)
        return status;
    if (rope->type == MODEL_ROPE_PROPORTIONAL)
        rope->turning_pairs = (uint32_t)(partial * head_dim / 2.0);
    else if (d->dims == 0)
        rope->dims = (uint32_t)(partial * head_dim);
    if (rope->dims > head_dim)
        return core_fail(OCLM_ERR_FORMAT, "%s: %u dimensions of a head shall turn, it has %u", r->origin, rope->dims, head_dim);
    if (rope->dims % 2 != 0 || rope->dims == 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %u of the %u dimensions of a head turn; rotary positions turn pairs, so they must be even "
                         "and more than none", r->origin, rope->dims, head_dim);
    return OCLM_OK;
}

/* The pretraining length: a key of that name at the top level, or the class's default for it, wins over the one in the set. */
static oclm_status read_original_length(const rope_reader *r, const cJSON *set, uint32_t *length)
{
    static const char key[] = "original_max_position_embeddings";
    const bool        top = r->defaults->original != 0 || core_json_member(r->config, key) != NULL;
    *length = r->defaults->original != 0 ? r->defaults->original : r->a->max_position_embeddings;
    return core_json_get_u32(top ? r->config : set, key, r->origin, 1, MODEL_MAX_POSITIONS, length);
}

static oclm_status read_set(const rope_reader *r, const cJSON *set, bool sliding, model_rope *rope)
{
    oclm_status status;
    *rope = (model_rope){ .interleaved = r->defaults->interleaved, .factor = 1.0 };
    if ((status = read_type(r, set, &rope->type)) != OCLM_OK ||
        (status = read_theta(r, set, sliding, &rope->theta)) != OCLM_OK ||
        (status = read_dims(r, set, sliding, rope)) != OCLM_OK ||
        (status = read_original_length(r, set, &rope->original_max_position_embeddings)) != OCLM_OK)
        return status;
    return read_of_type(r, set, rope);
}

/* ---- All sets */

static oclm_status object_under(const cJSON *config, const char *key, const char *origin, const cJSON **object)
{
    *object = core_json_member(config, key);
    if (*object != NULL && !cJSON_IsObject(*object))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is not an object", origin, key);
    if (*object != NULL && (*object)->child == NULL)
        *object = NULL; /* an empty one says nothing */
    return OCLM_OK;
}

/* Which set a layer turns by: the first without a window, the second with one. */
static void split_by_window(bool first, bool second, model_architecture *a)
{
    for (uint32_t i = 0; i < a->layers; i++) {
        const bool slides = a->layer[i].window > 0;
        a->layer[i].rope = !(slides ? second : first) ? MODEL_ROPE_NONE : slides ? MODEL_ROPE_SECOND : MODEL_ROPE_FIRST;
    }
}

static oclm_status read_sets(const rope_reader *r, const cJSON *old, const cJSON *parameters, model_architecture *a)
{
    static const char full_key[] = "full_attention", sliding_key[] = "sliding_attention";
    const cJSON *full, *sliding;
    oclm_status  status;
    if ((status = object_under(parameters, full_key, r->origin, &full)) != OCLM_OK ||
        (status = object_under(parameters, sliding_key, r->origin, &sliding)) != OCLM_OK)
        return status;
    const bool nested = core_json_has(parameters, full_key) || core_json_has(parameters, sliding_key);
    const bool own_sliding = r->defaults->sliding_theta != 0.0;
    if (!nested && !own_sliding)
        return read_set(r, old != NULL ? old : parameters, false, &a->ropes[0]);
    if ((status = read_set(r, own_sliding && old != NULL ? old : full, false, &a->ropes[0])) != OCLM_OK ||
        (status = read_set(r, sliding, true, &a->ropes[1])) != OCLM_OK)
        return status;
    split_by_window(own_sliding || full != NULL, own_sliding || sliding != NULL, a); /* a set that is null: no turning there */
    return OCLM_OK;
}

oclm_status model_read_rope(const cJSON *config, const char *origin, const model_rope_defaults *defaults, model_architecture *a)
{
    const rope_reader reader = { config, origin, defaults, a };
    const cJSON      *old, *parameters;
    cJSON            *fallback = NULL;
    oclm_status       status;
    a->position = MODEL_POSITION_ROPE;
    if ((status = object_under(config, "rope_scaling", origin, &old)) != OCLM_OK ||
        (status = object_under(config, "rope_parameters", origin, &parameters)) != OCLM_OK)
        return status;
    if (old == NULL && parameters == NULL && defaults->parameters != NULL) {
        if ((status = core_json_parse(defaults->parameters, strlen(defaults->parameters), origin, &fallback)) != OCLM_OK)
            return status;
        parameters = fallback;
    }
    status = defaults->sliding_theta == 0.0 && old != NULL ? read_sets(&reader, NULL, old, a) : read_sets(&reader, old, parameters, a);
    cJSON_Delete(fallback);
    return status;
}
