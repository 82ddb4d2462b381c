/* gguf_rope.c: rotary positions of a GGUF: "<architecture>.rope." and the factors that some files hold as tensors -> rope_theta and
 * rope_scaling of config.json. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/gguf_reader.h"

typedef struct reader {
    const model_gguf_reader *gguf;
    cJSON                   *scaling;
} reader;

/* Numbers of "<architecture>.rope." that mean the same wherever they are. The last ones are of "rope_scaling". */
static const struct { const char *key, *name; bool scaling; } keys[] = {
    { "rope.freq_base", "rope_theta", false },
    { "rope.freq_base_swa", "rope_local_base_freq", false },
    { "rope.scaling.original_context_length", "original_max_position_embeddings", false },
    { "rope.scaling.factor", "factor", true },
    { "rope.scaling.original_context_length", "original_max_position_embeddings", true },
    { "rope.scaling.yarn_beta_fast", "beta_fast", true },
    { "rope.scaling.yarn_beta_slow", "beta_slow", true },
};

static oclm_status find_number(const reader *r, const char *key, bool *there, double *number)
{
    const core_gguf_value *value = model_gguf_find(r->gguf, key);
    *there = value != NULL;
    if (value == NULL)
        return OCLM_OK;
    if (value->array || value->type == CORE_GGUF_STRING)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s.%s\" must be a number", r->gguf->origin, r->gguf->architecture->name, key);
    *number = core_gguf_float(value, 0);
    return OCLM_OK;
}

static oclm_status put_number(const reader *r, cJSON *object, const char *name, double number)
{
    return cJSON_AddNumberToObject(object, name, number) != NULL ? OCLM_OK : model_gguf_no_memory(r->gguf);
}

static oclm_status set_type(const reader *r, const char *type)
{
    cJSON_DeleteItemFromObjectCaseSensitive(r->scaling, "rope_type");
    return cJSON_AddStringToObject(r->scaling, "rope_type", type) != NULL ? OCLM_OK : model_gguf_no_memory(r->gguf);
}

/* DeepSeek's files have a tenth of what yarn's scores grow by, Ministral 3's all of it, beside what queries grow by; gpt-oss cuts nothing
 * off, which no key says. */
static oclm_status read_yarn(const reader *r)
{
    const double times = (r->gguf->architecture->how & MODEL_GGUF_TENTH) != 0 ? 10.0 : 1.0;
    bool         there, grows;
    double       growth = 0.0, temperature = 0.0;
    oclm_status  status;
    if (strcmp(r->gguf->architecture->name, "gpt-oss") == 0 && cJSON_AddFalseToObject(r->scaling, "truncate") == NULL)
        return model_gguf_no_memory(r->gguf);
    if ((status = find_number(r, "rope.scaling.yarn_log_multiplier", &there, &growth)) != OCLM_OK ||
        (status = find_number(r, "attention.temperature_scale", &grows, &temperature)) != OCLM_OK ||
        (grows && (status = put_number(r, r->scaling, "llama_4_scaling_beta", temperature)) != OCLM_OK) || !there)
        return status;
    if ((status = put_number(r, r->scaling, "mscale", times * growth)) != OCLM_OK)
        return status;
    return put_number(r, r->scaling, "mscale_all_dim", times * growth);
}

static oclm_status read_type(const reader *r)
{
    static const char *const known[] = { "linear", "yarn", "longrope" };
    char        key[160];
    const char *type = NULL;
    size_t      length = 0;
    snprintf(key, sizeof key, "%s.rope.scaling.type", r->gguf->architecture->name);
    oclm_status status = core_gguf_get_string(r->gguf->file, key, &type, &length);
    if (status != OCLM_OK || type == NULL || core_is_word(type, length, "none"))
        return status;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (core_is_word(type, length, known[i]))
            return (status = set_type(r, known[i])) == OCLM_OK && i == 1 ? read_yarn(r) : status;
    }
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s\" is \"%.*s\"; supported are none, linear, yarn, longrope", r->gguf->origin, key,
                     length < 60 ? (int)length : 60, type);
}

/* ---- Factors as tensors, each what a pair's frequency is divided by */

static oclm_status add_factors(const reader *r, const ckpt_tensor *tensor, const char *name)
{
    cJSON       *list = cJSON_CreateArray();
    const float *factors = tensor->data;
    if (tensor->dtype != CORE_F32 || tensor->quantized != NULL || tensor->elements == 0 || tensor->elements > MODEL_MAX_HEAD_DIM / 2) {
        cJSON_Delete(list);
        return core_fail(OCLM_ERR_FORMAT, "%s: the tensor \"%s\" must be float32 numbers, one for each pair of a head's dimensions",
                         r->gguf->origin, tensor->name);
    }
    for (uint64_t i = 0; i < tensor->elements && list != NULL; i++) {
        float factor;
        memcpy(&factor, factors + i, sizeof factor);
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)factor));
    }
    if (list != NULL && cJSON_AddItemToObject(r->scaling, name, list))
        return OCLM_OK;
    cJSON_Delete(list);
    return model_gguf_no_memory(r->gguf);
}

static oclm_status read_longrope(const reader *r, const ckpt_tensor *shorter, const ckpt_tensor *longer)
{
    bool        there;
    double      growth = 0.0;
    oclm_status status;
    if ((status = set_type(r, "longrope")) != OCLM_OK || (status = add_factors(r, shorter, "short_factor")) != OCLM_OK ||
        (status = add_factors(r, longer, "long_factor")) != OCLM_OK ||
        (status = find_number(r, "rope.scaling.attn_factor", &there, &growth)) != OCLM_OK)
        return status;
    return there && growth > 0.0 ? put_number(r, r->scaling, "attention_factor", growth) : OCLM_OK;
}

#define LLAMA3_LOW 1.0
#define LLAMA3_HIGH 4.0
#define LLAMA3_LENGTH 8192.0

/* Are these the factors that Llama 3's formula gives with the numbers that all its models have? Then the formula itself is the better
 * source: a factor is rounded. */
static bool is_llama3(const float *factors, uint64_t pairs, double theta, double largest)
{
    for (uint64_t i = 0; i < pairs; i++) {
        const double length = 2.0 * 3.14159265358979323846 * pow(theta, (double)i / (double)pairs);
        double       want = 1.0;
        if (length > LLAMA3_LENGTH / LLAMA3_LOW) {
            want = largest;
        } else if (length >= LLAMA3_LENGTH / LLAMA3_HIGH) {
            const double smooth = (LLAMA3_LENGTH / length - LLAMA3_LOW) / (LLAMA3_HIGH - LLAMA3_LOW);
            want = 1.0 / ((1.0 - smooth) / largest + smooth);
        }
        if (!(fabs((double)factors[i] - want) <= 1e-4 * want))
            return false;
    }
    return true;
}

static oclm_status read_llama3(const reader *r, double factor)
{
    oclm_status status;
    if ((status = set_type(r, "llama3")) != OCLM_OK || (status = put_number(r, r->scaling, "factor", factor)) != OCLM_OK ||
        (status = put_number(r, r->scaling, "low_freq_factor", LLAMA3_LOW)) != OCLM_OK ||
        (status = put_number(r, r->scaling, "high_freq_factor", LLAMA3_HIGH)) != OCLM_OK)
        return status;
    return put_number(r, r->scaling, "original_max_position_embeddings", LLAMA3_LENGTH);
}

/* One factor for each pair, whatever the length: longrope with both lists alike, whose scores do not grow. */
static oclm_status read_frequencies(const reader *r, const ckpt_tensor *tensor)
{
    const cJSON *const theta = core_json_member(r->gguf->config, "rope_theta");
    float              factors[MODEL_MAX_HEAD_DIM / 2];
    double             largest = 0.0;
    oclm_status        status = OCLM_OK;
    if (tensor->dtype == CORE_F32 && tensor->elements <= COUNT(factors)) {
        memcpy(factors, tensor->data, (size_t)tensor->elements * sizeof factors[0]);
        for (uint64_t i = 0; i < tensor->elements; i++)
            largest = (double)factors[i] > largest ? (double)factors[i] : largest;
        if (is_llama3(factors, tensor->elements, theta != NULL ? theta->valuedouble : 10000.0, largest))
            return read_llama3(r, largest);
    }
    if ((status = read_longrope(r, tensor, tensor)) == OCLM_OK && !core_json_has(r->scaling, "attention_factor"))
        status = put_number(r, r->scaling, "attention_factor", 1.0);
    return status;
}

static oclm_status read_factors(const reader *r)
{
    static const char *const names[][2] = { { "rope_factors_short.weight", "blk.0.rope_factors_short.weight" },
                                            { "rope_factors_long.weight", "blk.0.rope_factors_long.weight" },
                                            { "rope_freqs.weight", "blk.0.rope_freqs.weight" } };
    const ckpt_tensor *found[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++) {
        found[i] = ckpt_find(r->gguf->checkpoint, names[i][0]);
        if (found[i] == NULL)
            found[i] = ckpt_find(r->gguf->checkpoint, names[i][1]);
    }
    if (found[0] != NULL && found[1] != NULL)
        return read_longrope(r, found[0], found[1]);
    return found[2] != NULL ? read_frequencies(r, found[2]) : OCLM_OK;
}

oclm_status model_gguf_read_rope(const model_gguf_reader *gguf)
{
    reader      r = { gguf, cJSON_CreateObject() };
    oclm_status status = r.scaling != NULL ? read_type(&r) : model_gguf_no_memory(gguf);
    for (size_t i = 0; i < COUNT(keys) && status == OCLM_OK; i++) {
        bool   there;
        double number = 0.0;
        status = find_number(&r, keys[i].key, &there, &number);
        if (status == OCLM_OK && there && number != 0.0)
            status = put_number(&r, keys[i].scaling ? r.scaling : gguf->config, keys[i].name, number);
    }
    if (status == OCLM_OK)
        status = read_factors(&r);
    if (status == OCLM_OK && core_json_has(r.scaling, "rope_type")) {
        if (cJSON_AddItemToObject(gguf->config, "rope_scaling", r.scaling))
            return OCLM_OK;
        status = model_gguf_no_memory(gguf);
    }
    cJSON_Delete(r.scaling);
    return status;
}
