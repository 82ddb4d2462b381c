/* folders.h: model folders made by tests: a fresh temporary directory with a config.json and a model.safetensors. */
#ifndef OCLM_TESTS_MODEL_FOLDERS_H
#define OCLM_TESTS_MODEL_FOLDERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/devices.h"

#include "core/dtype.h"
#include "core/text.h"

typedef struct folder {
    char      path[64];
    core_text header, data; /* of model.safetensors */
    size_t    tensors;
} folder;

static inline void folder_file(const folder *f, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", f->path, name);
}

static inline void folder_write(const folder *f, const char *name, const void *data, size_t length)
{
    char  path[128];
    FILE *file;
    folder_file(f, name, path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void folder_new(folder *f, const char *config)
{
    memset(f, 0, sizeof *f);
    strcpy(f->path, "/tmp/oclm-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    folder_write(f, "config.json", config, strlen(config));
}

/* Adds a tensor of small numbers that depend on its name and on the place in it. `dims` of 1 or 2; see folder_value(). */
static inline float folder_value(const char *name, size_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u;
    while (*name != '\0')
        x = (x ^ (uint32_t)(unsigned char)*name++) * 16777619u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return ((float)(x >> 8) / 16777216.0f - 0.5f) * 0.5f; /* exact in float32 */
}

static inline void folder_add(folder *f, const char *name, core_dtype dtype, size_t rows, size_t columns)
{
    const size_t count = rows * (columns > 0 ? columns : 1), begin = f->data.length;
    char         shape[64];
    snprintf(shape, sizeof shape, columns > 0 ? "%zu, %zu" : "%zu", rows, columns);
    for (size_t i = 0; i < count; i++) {
        const float    value = folder_value(name, i);
        const uint16_t half = dtype == CORE_F16 ? core_f32_to_f16(value) : core_f32_to_bf16(value);
        if (dtype == CORE_F32)
            assert_ok(core_text_add(&f->data, &value, sizeof value));
        else if (dtype == CORE_F16 || dtype == CORE_BF16)
            assert_ok(core_text_add(&f->data, &half, sizeof half));
        else
            for (size_t b = 0; b < core_dtype_size(dtype); b++)
                assert_ok(core_text_add_char(&f->data, (char)i));
    }
    assert_ok(core_text_printf(&f->header, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [%s], \"data_offsets\": [%zu, %zu]}",
                               f->tensors++ > 0 ? ", " : "{", name, core_dtype_name(dtype), shape, begin, f->data.length));
}

/* Writes model.safetensors with what was added. */
static inline void folder_finish(folder *f)
{
    core_text file = CORE_TEXT_INIT;
    uint8_t   length[8];
    if (f->tensors == 0)
        assert_ok(core_text_add_string(&f->header, "{"));
    assert_ok(core_text_add_string(&f->header, "}"));
    while (f->header.length % 8 != 0)
        assert_ok(core_text_add_char(&f->header, ' '));
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(f->header.length >> (8 * i));
    assert_ok(core_text_add(&file, length, sizeof length));
    assert_ok(core_text_add(&file, f->header.data, f->header.length));
    if (f->data.length > 0)
        assert_ok(core_text_add(&file, f->data.data, f->data.length));
    folder_write(f, "model.safetensors", file.data, file.length);
    core_text_free(&file);
}

static inline void folder_free(folder *f)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        folder_file(f, names[i], path);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->path), 0);
    core_text_free(&f->header);
    core_text_free(&f->data);
}

/* ---- A small llama: two layers, three heads of 10 sharing one key head, biases, an MLP of 44, untied. */
#define FOLDER_LLAMA_CONFIG FOLDER_LLAMA_CONFIG_OF("2")
#define FOLDER_LLAMA_CONFIG_OF(layers)                                                                                             \
    "{\"model_type\": \"llama\", \"vocab_size\": 70, \"hidden_size\": 36, \"intermediate_size\": 44, \"num_hidden_layers\": " layers ", " \
    "\"num_attention_heads\": 3, \"num_key_value_heads\": 1, \"head_dim\": 10, \"max_position_embeddings\": 1200, "                  \
    "\"attention_bias\": true, \"mlp_bias\": true, \"tie_word_embeddings\": false}"

typedef struct folder_tensor {
    const char *name;
    size_t      rows, columns;
} folder_tensor;

static const folder_tensor folder_llama_outer[] = {
    { "model.embed_tokens.weight", 70, 36 }, { "model.norm.weight", 36, 0 }, { "lm_head.weight", 70, 36 },
};
static const folder_tensor folder_llama_layer[] = {
    { "input_layernorm.weight", 36, 0 },   { "post_attention_layernorm.weight", 36, 0 },
    { "self_attn.q_proj.weight", 30, 36 }, { "self_attn.q_proj.bias", 30, 0 },
    { "self_attn.k_proj.weight", 10, 36 }, { "self_attn.k_proj.bias", 10, 0 },
    { "self_attn.v_proj.weight", 10, 36 }, { "self_attn.v_proj.bias", 10, 0 },
    { "self_attn.o_proj.weight", 36, 30 }, { "self_attn.o_proj.bias", 36, 0 },
    { "mlp.gate_proj.weight", 44, 36 },    { "mlp.gate_proj.bias", 44, 0 },
    { "mlp.up_proj.weight", 44, 36 },      { "mlp.up_proj.bias", 44, 0 },
    { "mlp.down_proj.weight", 36, 44 },    { "mlp.down_proj.bias", 36, 0 },
};
#define FOLDER_LLAMA_PARAMETERS (2u * 70 * 36 + 36 + 2u * (2 * 36 + 50 * 36 + 50 + 36 * 30 + 36 + 2 * (44 * 36 + 44) + 36 * 44 + 36))

/* Adds all of them but `left_out` (may be NULL), a whole name. */
static inline void folder_add_llama_layers(folder *f, core_dtype dtype, size_t layers, const char *left_out)
{
    char name[128];
    for (size_t i = 0; i < COUNT(folder_llama_outer); i++) {
        const folder_tensor *t = &folder_llama_outer[i];
        if (left_out == NULL || strcmp(left_out, t->name) != 0)
            folder_add(f, t->name, dtype, t->rows, t->columns);
    }
    for (size_t i = 0; i < layers * COUNT(folder_llama_layer); i++) {
        const folder_tensor *t = &folder_llama_layer[i % COUNT(folder_llama_layer)];
        snprintf(name, sizeof name, "model.layers.%zu.%s", i / COUNT(folder_llama_layer), t->name);
        if (left_out == NULL || strcmp(left_out, name) != 0)
            folder_add(f, name, dtype, t->rows, t->columns);
    }
}

static inline void folder_add_llama(folder *f, core_dtype dtype, const char *left_out)
{
    folder_add_llama_layers(f, dtype, 2, left_out);
}

static inline void folder_new_llama(folder *f, core_dtype dtype)
{
    folder_new(f, FOLDER_LLAMA_CONFIG);
    folder_add_llama(f, dtype, NULL);
    folder_finish(f);
}

#endif
