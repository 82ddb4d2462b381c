/* noise_model.h: a folder with a model of any config.json, whose weights are noise in bfloat16: for what asks how fast a family is. A golden
 * model's config.json gets larger sizes first. */
#ifndef OCLM_BENCH_NOISE_MODEL_H
#define OCLM_BENCH_NOISE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/platform.h"
#include "model/binding.h"

#define NOISE_VALUES ((size_t)1 << 16)
#define NOISE_HIDDEN 768

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "%s\n", oclm_last_error());
    exit(1);
}

/* ---- Larger sizes */

static const struct { const char *keys[5]; double value; } sizes[] = {
    { { "hidden_size", "n_embd", "d_model", "word_embed_proj_dim" }, NOISE_HIDDEN },
    { { "num_attention_heads", "n_head", "n_heads", "num_heads" }, 12 },
    { { "num_key_value_heads", "num_kv_heads" }, 4 },
    { { "head_dim" }, 64 },
    { { "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size" }, 2048 },
    { { "moe_intermediate_size", "shared_expert_intermediate_size" }, 1024 },
    { { "vocab_size" }, 2048 },
    { { "rotary_dim" }, 32 },
    { { "kv_lora_rank" }, 256 },
    { { "q_lora_rank" }, 384 },
    { { "qk_head_dim" }, 96 },
    { { "qk_nope_head_dim", "v_head_dim" }, 64 },
    { { "qk_rope_head_dim" }, 32 },
    { { "linear_key_head_dim", "linear_value_head_dim" }, 64 },
    { { "linear_num_key_heads" }, 6 },
    { { "linear_num_value_heads" }, 12 },
    { { "hidden_size_per_layer_input" }, 64 },
    { { "sliding_window", "window_size" }, 64 },
};

static void enlarge(cJSON *config)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t k = 0; k < 5 && sizes[i].keys[k] != NULL; k++) {
            cJSON *item = cJSON_GetObjectItemCaseSensitive(config, sizes[i].keys[k]);
            if (cJSON_IsNumber(item))
                cJSON_SetNumberValue(item, sizes[i].value);
        }
    }
}

/* ---- Weights of noise: one block of it, again and again */

typedef struct file {
    core_text header;
    uint64_t  bytes;
} file;

static void add_tensor(file *f, const char *name, const uint32_t *shape, size_t dims)
{
    uint64_t elements = 1;
    check(core_text_printf(&f->header, "%s\"%s\": {\"dtype\": \"BF16\", \"shape\": [", f->header.length > 0 ? ", " : "{", name));
    for (size_t i = 0; i < dims; i++) {
        check(core_text_printf(&f->header, "%s%u", i > 0 ? ", " : "", shape[i]));
        elements *= shape[i];
    }
    check(core_text_printf(&f->header, "], \"data_offsets\": [%llu, %llu]}", (unsigned long long)f->bytes, (unsigned long long)(f->bytes + 2 * elements)));
    f->bytes += 2 * elements;
}

static void make_name(const char *pattern, uint32_t layer, uint32_t piece, char name[256])
{
    size_t length = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            length += (size_t)snprintf(name + length, 256 - length, "%u", pattern[1] == 'i' ? layer : piece);
            pattern += 3;
        } else {
            name[length++] = *pattern++;
        }
    }
    name[length] = '\0';
}

static void add_role(file *f, const model_architecture *a, const model_tensor_name *name, uint32_t layer)
{
    const model_role_shape shape = model_role_shape_of(a, name->role, layer);
    const bool             apart = strstr(name->pattern, "{h}") != NULL || strstr(name->pattern, "{e}") != NULL;
    const bool             stacked = shape.pieces > 0 && (apart || shape.columns > 0);
    const uint32_t         rows = stacked ? shape.rows / shape.pieces : shape.rows;
    const uint32_t matrix[3] = { shape.pieces, name->transposed ? shape.columns : rows, name->transposed ? rows : shape.columns };
    char           made[256];
    if (shape.rows == 0 || (name->role == MODEL_HEAD && a->tied_head))
        return;
    for (uint32_t piece = 0; piece < (apart ? shape.pieces : 1); piece++) {
        make_name(name->pattern, layer, piece, made);
        if (shape.columns > 0)
            add_tensor(f, made, matrix + (stacked && !apart ? 0 : 1), stacked && !apart ? 3 : 2);
        else
            add_tensor(f, made, &rows, 1);
    }
}

static bool is_first_of_its_role(const model_family *family, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (family->names[k].role == family->names[i].role)
            return false;
    }
    return true;
}

static void write_weights(const char *folder, const model_family *family, const model_architecture *a)
{
    static uint16_t noise[NOISE_VALUES];
    file            f = { CORE_TEXT_INIT, 0 };
    char            path[128];
    uint32_t        x = 1;
    for (size_t i = 0; i < family->name_count; i++) {
        const uint32_t layers = family->names[i].role >= MODEL_FIRST_LAYER_ROLE ? a->layers : 1;
        for (uint32_t layer = 0; layer < layers && is_first_of_its_role(family, i); layer++)
            add_role(&f, a, &family->names[i], layer);
    }
    check(core_text_add_char(&f.header, '}'));
    for (size_t i = 0; i < NOISE_VALUES; i++) {
        x = x * 1664525u + 1013904223u;
        noise[i] = (uint16_t)(0x3c00u | (x >> 31) << 15 | (x >> 20 & 0xff)); /* +- 2^-7 to 2^-5 */
    }
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE          *out = fopen(path, "wb");
    const uint64_t length = f.header.length;
    if (out == NULL || fwrite(&length, 8, 1, out) != 1 || fwrite(f.header.data, 1, f.header.length, out) != f.header.length)
        exit(1);
    for (uint64_t done = 0; done < f.bytes;) {
        const size_t part = f.bytes - done < sizeof noise ? (size_t)(f.bytes - done) : sizeof noise;
        if (fwrite(noise, 1, part, out) != part)
            exit(1);
        done += part;
    }
    if (fclose(out) != 0)
        exit(1);
    core_text_free(&f.header);
}

/* ---- The folder */

static void remove_folder(const char *folder)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    char path[128];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void write_config(const char *folder, const cJSON *config)
{
    char  path[128];
    char *text = cJSON_PrintUnformatted(config);
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *out = fopen(path, "wb");
    if (out == NULL || text == NULL || fputs(text, out) < 0 || fclose(out) != 0)
        exit(1);
    cJSON_free(text);
}

/* Makes the folder; `folder` ends in XXXXXX. */
static void make_noise_model(char *folder, const cJSON *config)
{
    static model_architecture a;
    const model_family *family;
    oclm_dtype          dtype;
    check(model_config_tree(config, "config.json", &family, &a, &dtype));
    if (mkdtemp(folder) == NULL)
        exit(1);
    write_config(folder, config);
    write_weights(folder, family, &a);
}

#endif
