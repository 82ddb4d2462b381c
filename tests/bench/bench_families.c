/* bench_families.c: how fast each family decodes, by the bytes of weights it reads for a token, beside llama of the same size.
 *
 * usage: bench_families [NAME]...      folders of tests/golden/families; without: the first of each family
 *
 * A model is the golden one's config.json with larger sizes and weights of noise, in bfloat16, loaded as float32. A llama of the same size runs
 * in turns with it, and the fastest run of each counts, so that both see the same machine; a share below 0.9 is worth a look where nothing
 * else runs. Of the same size is one with as many layers, whose MLP is as wide as it takes to read as many bytes for a token: what a token
 * costs beside its weights, and what of these a cache keeps, would count for the larger of two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/platform.h"
#include "generation/bench.h"
#include "model/binding.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/families"
#define NOISE_VALUES ((size_t)1 << 16)
#define DECODED 24

static void check(oclm_status status)
{
    if (status == OCLM_OK)
        return;
    (void)fprintf(stderr, "bench_families: %s\n", oclm_last_error());
    exit(1);
}

/* ---- Larger sizes */

static const struct { const char *keys[5]; double value; } sizes[] = {
    { { "hidden_size", "n_embd", "d_model", "word_embed_proj_dim" }, 768 },
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

/* ---- A run */

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

typedef struct speed {
    double   tokens, bytes; /* per second */
    uint64_t per_token;     /* bytes */
    uint32_t layers;
} speed;

static speed measure(const cJSON *config)
{
    static model_architecture a;
    char                folder[] = "/tmp/oclm-bench-XXXXXX";
    const model_family *family;
    oclm_dtype          dtype;
    dev_device         *device = NULL;
    model_model        *model = NULL;
    oclm_bench_options  options = { .struct_size = sizeof options, .prompt = 0, .decode = DECODED, .depth = 8, .repetitions = 2 };
    oclm_bench_result   result = { .struct_size = sizeof result };
    check(model_config_tree(config, "config.json", &family, &a, &dtype));
    if (mkdtemp(folder) == NULL)
        exit(1);
    write_config(folder, config);
    write_weights(folder, family, &a);
    check(dev_open(&(dev_open_options){ 0 }, &device));
    const oclm_status loaded = model_load(folder, &device, 1, &(model_load_options){ .dtype = OCLM_DTYPE_FLOAT32 }, &model);
    remove_folder(folder);
    check(loaded);
    check(gen_bench(model, &options, &result));
    model_free(model);
    const double tokens = result.decode_tokens.max;
    return (speed){ tokens, tokens * (double)result.weight_bytes_per_token, result.weight_bytes_per_token, a.layers };
}

/* How wide the llama's MLP must be. Its bytes grow with that evenly, and the first two widths tell by how much. */
static void set_size(cJSON *llama, uint64_t bytes)
{
    static const double widths[2] = { 1024, 2048 };
    cJSON              *width = cJSON_GetObjectItemCaseSensitive(llama, "intermediate_size");
    double              read[2];
    for (size_t i = 0; i < COUNT(widths); i++) {
        cJSON_SetNumberValue(width, widths[i]);
        read[i] = (double)measure(llama).per_token;
    }
    const double wanted = widths[0] + ((double)bytes - read[0]) * (widths[1] - widths[0]) / (read[1] - read[0]);
    cJSON_SetNumberValue(width, wanted > 64 ? 32 * (double)(uint32_t)(wanted / 32) : 64);
}

static speed faster(speed a, speed b) { return a.tokens > b.tokens ? a : b; }

static cJSON *golden_config(const char *name)
{
    char   path[512];
    cJSON *config;
    snprintf(path, sizeof path, "%s/%s/config.json", GOLDEN, name);
    check(core_json_read_file(path, 1u << 20, &config));
    cJSON *text = cJSON_DetachItemFromObjectCaseSensitive(config, "text_config");
    if (text != NULL) {
        cJSON_Delete(config);
        config = text;
    }
    enlarge(config);
    return config;
}

static void compare(const char *name)
{
    cJSON *config = golden_config(name), *llama = golden_config("llama");
    static model_architecture a;
    const model_family *family;
    oclm_dtype          dtype;
    check(model_config_tree(config, name, &family, &a, &dtype));
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(llama, "num_hidden_layers"), a.layers);
    speed got = measure(config), beside = { 0 };
    set_size(llama, got.per_token);
    for (int again = 0; again < 3; again++) {
        beside = faster(beside, measure(llama));
        got = faster(got, measure(config));
    }
    (void)printf("%-24s %2u layers  %6.1f MB a token  %7.1f tokens/s  %6.2f GB/s  llama %6.2f GB/s  share %.2f\n", name, got.layers,
                 (double)got.per_token / 1e6, got.tokens, got.bytes / 1e9, beside.bytes / 1e9, got.bytes / beside.bytes);
    (void)fflush(stdout);
    cJSON_Delete(config);
    cJSON_Delete(llama);
}

/* ---- Which */

typedef struct list {
    char   names[512][64];
    size_t count;
} list;

static bool add_name(const char *name, void *user)
{
    list *l = user;
    if (name[0] != '.' && strchr(name, '-') == NULL && l->count < COUNT(l->names))
        snprintf(l->names[l->count++], sizeof l->names[0], "%.63s", name);
    return true;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

int main(int argc, char **argv)
{
    static list all;
    for (int i = 1; i < argc; i++)
        compare(argv[i]);
    if (argc > 1)
        return 0;
    check(core_folder_list(GOLDEN, add_name, &all));
    qsort(all.names, all.count, sizeof all.names[0], by_name);
    for (size_t i = 0; i < all.count; i++)
        compare(all.names[i]);
    return 0;
}
