/* seeded.h: model folders whose weights come from a seed, as tests/golden/noise.py and make_family_models.py make them: bit by bit the same in float32. */
#ifndef OCLM_TESTS_MODEL_SEEDED_H
#define OCLM_TESTS_MODEL_SEEDED_H

#include "model/folders.h"

#include "core/json.h"

/* Where the values of a tensor start: FNV-1a of "seed/name". */
static inline uint32_t seeded_start(uint32_t seed, const char *name)
{
    char     text[300];
    uint32_t hash = 2166136261u;
    snprintf(text, sizeof text, "%u/%s", seed, name);
    for (const char *p = text; *p != '\0'; p++)
        hash = (hash ^ (uint32_t)(unsigned char)*p) * 16777619u;
    return hash;
}

/* In [-1, 1), a multiple of 2^-23: murmur3's finaliser. */
static inline float seeded_noise(uint32_t start, uint32_t i)
{
    uint32_t x = start + i * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    x ^= x >> 16;
    return (float)(x >> 8) / 8388608.0f - 1.0f;
}

typedef struct seeded_tensor {
    const cJSON *shape;
    float        spread, mean;
} seeded_tensor;

static inline size_t seeded_elements(const cJSON *shape)
{
    size_t count = 1;
    for (const cJSON *size = shape->child; size != NULL; size = size->next)
        count *= (size_t)size->valuedouble;
    return count;
}

static inline void seeded_add(folder *f, core_dtype dtype, uint32_t seed, const char *name, const seeded_tensor *t)
{
    const size_t   count = seeded_elements(t->shape), begin = f->data.length;
    const uint32_t start = seeded_start(seed, name);
    for (size_t i = 0; i < count; i++) {
        const float    spread = seeded_noise(start, (uint32_t)i) * t->spread, value = spread + t->mean;
        const uint16_t half = dtype == CORE_F16 ? core_f32_to_f16(value) : core_f32_to_bf16(value);
        assert_ok(dtype == CORE_F32 ? core_text_add(&f->data, &value, sizeof value) : core_text_add(&f->data, &half, sizeof half));
    }
    assert_ok(core_text_printf(&f->header, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [", f->tensors++ > 0 ? ", " : "{", name, core_dtype_name(dtype)));
    for (const cJSON *size = t->shape->child; size != NULL; size = size->next)
        assert_ok(core_text_printf(&f->header, "%s%d", size == t->shape->child ? "" : ", ", size->valueint));
    assert_ok(core_text_printf(&f->header, "], \"data_offsets\": [%zu, %zu]}", begin, f->data.length));
}

/* A row of golden.json's "tensors": [name, shape, spread, mean] or, with {i} in the name, [..., layers]. */
static inline void seeded_add_row(folder *f, core_dtype dtype, uint32_t seed, const cJSON *row)
{
    const char         *pattern = cJSON_GetArrayItem(row, 0)->valuestring;
    const seeded_tensor t = { cJSON_GetArrayItem(row, 1), (float)cJSON_GetArrayItem(row, 2)->valuedouble, (float)cJSON_GetArrayItem(row, 3)->valuedouble };
    const cJSON        *layers = cJSON_GetArrayItem(row, 4);
    const char         *number = strstr(pattern, "{i}");
    if (layers == NULL)
        seeded_add(f, dtype, seed, pattern, &t);
    for (const cJSON *layer = layers != NULL ? layers->child : NULL; layer != NULL; layer = layer->next) {
        char name[256];
        assert_non_null(number);
        snprintf(name, sizeof name, "%.*s%d%s", (int)(number - pattern), pattern, layer->valueint, number + 3);
        seeded_add(f, dtype, seed, name, &t);
    }
}

/* Makes a folder with `config` and the weights that `golden` describes. */
static inline void seeded_folder(folder *f, const char *config, const cJSON *golden)
{
    const uint32_t seed = (uint32_t)core_json_member(golden, "seed")->valuedouble;
    const char    *stored = core_json_member(golden, "stored_dtype")->valuestring;
    const core_dtype dtype = strcmp(stored, "float32") == 0 ? CORE_F32 : strcmp(stored, "float16") == 0 ? CORE_F16 : CORE_BF16;
    folder_new(f, config);
    for (const cJSON *row = core_json_member(golden, "tensors")->child; row != NULL; row = row->next)
        seeded_add_row(f, dtype, seed, row);
    folder_finish(f);
}

static inline cJSON *seeded_read(const char *name, const char *file)
{
    char   path[512];
    cJSON *tree = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/families/%s/%s", OCLM_SOURCE_DIR, name, file);
    if (core_json_read_file(path, 1u << 20, &tree) != OCLM_OK)
        print_error("%s\n", oclm_last_error());
    return tree;
}

/* Makes the folder of a model of golden/families. */
static inline void seeded_family(folder *f, const char *name)
{
    cJSON *golden = seeded_read(name, "golden.json"), *config = seeded_read(name, "config.json");
    char  *text = cJSON_PrintUnformatted(config);
    assert_non_null(golden);
    assert_non_null(text);
    seeded_folder(f, text, golden);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(golden);
}

#endif
