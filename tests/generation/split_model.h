/* split_model.h: the models of test_split.c, by name, and the ways to store them.
 *
 *   llama, gpt2, ...          a folder of golden/families, made of its seed
 *   prequantized-models/...   a folder there: weights as repositories keep them, quantised
 *   stories                   samples/models/stories: four layers, trained
 *   /FOLDER                   any other model
 * STORING  float32, float16, bfloat16, 8bit, 4bit (NF4), as loading makes them; q4_0, q8_0: of a GGUF file that oclm_quantize() writes */
#ifndef OCLM_TESTS_GENERATION_SPLIT_MODEL_H
#define OCLM_TESTS_GENERATION_SPLIT_MODEL_H

#include "generation/runs.h"

#include "core/scratch.h"
#include "model/seeded.h"

enum { MAX_PROMPT = 64 };

typedef struct split_storing {
    const char          *name;
    oclm_dtype           dtype;
    ckpt_quantize_kind   quantize;
    oclm_quantize_format file; /* 0: none is written */
} split_storing;

static const split_storing split_storings[] = {
    { "as it is", OCLM_DTYPE_AUTO, CKPT_QUANTIZE_NONE, (oclm_quantize_format)0 },
    { "float32", OCLM_DTYPE_FLOAT32, CKPT_QUANTIZE_NONE, (oclm_quantize_format)0 },
    { "float16", OCLM_DTYPE_FLOAT16, CKPT_QUANTIZE_NONE, (oclm_quantize_format)0 },
    { "bfloat16", OCLM_DTYPE_BFLOAT16, CKPT_QUANTIZE_NONE, (oclm_quantize_format)0 },
    { "8bit", OCLM_DTYPE_AUTO, CKPT_QUANTIZE_INT8, (oclm_quantize_format)0 },
    { "4bit", OCLM_DTYPE_AUTO, CKPT_QUANTIZE_NF4, (oclm_quantize_format)0 },
    { "q4_0", OCLM_DTYPE_AUTO, CKPT_QUANTIZE_NONE, OCLM_QUANTIZE_Q4_0 },
    { "q8_0", OCLM_DTYPE_AUTO, CKPT_QUANTIZE_NONE, OCLM_QUANTIZE_Q8_0 },
};

typedef struct split_model {
    char                 name[128]; /* for messages */
    char                 path[2 * SCRATCH_PATH]; /* what is loaded */
    const split_storing *storing;
    int32_t              ids[MAX_PROMPT]; /* the prompt */
    uint32_t             count;
    folder               files; /* of a family */
    char                 scratch[SCRATCH_PATH]; /* "" or where the GGUF file is */
} split_model;

static inline cJSON *split_model_json(const char *within, const char *name, const char *file)
{
    char   path[2 * SCRATCH_PATH];
    cJSON *tree = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/%s%s/%s", OCLM_SOURCE_DIR, within, name, file);
    if (core_json_read_file(path, 1u << 20, &tree) != OCLM_OK)
        print_error("%s\n", oclm_last_error());
    return tree;
}

/* The second prompt, where there are two, is the long one. */
static inline void split_model_prompt(split_model *m, const cJSON *golden)
{
    const cJSON *prompt = core_json_member(golden, "prompts")->child;
    prompt = prompt->next != NULL ? prompt->next : prompt;
    m->count = models_read_ids(core_json_member(prompt, "input_ids"), m->ids, MAX_PROMPT);
}

static inline bool split_model_family(split_model *m, const char *name)
{
    cJSON     *golden = split_model_json("families/", name, "golden.json"), *config = split_model_json("families/", name, "config.json");
    char      *text = cJSON_PrintUnformatted(config);
    const bool good = golden != NULL && text != NULL;
    if (good) {
        split_model_prompt(m, golden);
        seeded_folder(&m->files, text, golden);
        snprintf(m->path, sizeof m->path, "%s", m->files.path);
    }
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(golden);
    return good;
}

static inline bool split_model_prequantized(split_model *m, const char *name)
{
    cJSON *golden = split_model_json("", name, "golden.json");
    if (golden == NULL)
        return false;
    split_model_prompt(m, golden);
    cJSON_Delete(golden);
    snprintf(m->path, sizeof m->path, "%s/tests/golden/%s", OCLM_SOURCE_DIR, name);
    return true;
}

/* Ids that any vocabulary has. */
static inline bool split_model_folder(split_model *m, const char *path)
{
    m->count = 41;
    for (uint32_t i = 0; i < m->count; i++)
        m->ids[i] = (int32_t)((37 * i + 11) % 1500);
    snprintf(m->path, sizeof m->path, "%s", path);
    return true;
}

/* False: it said what is wrong. */
static inline bool split_model_find(split_model *m, const char *name)
{
    if (strcmp(name, "stories") == 0)
        return split_model_folder(m, OCLM_SOURCE_DIR "/samples/models/stories");
    if (name[0] == '/')
        return split_model_folder(m, name);
    return strchr(name, '/') != NULL ? split_model_prequantized(m, name) : split_model_family(m, name);
}

static inline bool split_model_write_file(split_model *m)
{
    oclm_quantize_options options;
    char                  file[2 * SCRATCH_PATH];
    oclm_quantize_options_init(&options, sizeof options);
    options.format = m->storing->file;
    scratch_make(m->scratch);
    snprintf(file, sizeof file, "%s", scratch_path(m->scratch, "model.gguf"));
    if (oclm_quantize(m->path, file, &options) != OCLM_OK) {
        print_error("%s\n", oclm_last_error());
        return false;
    }
    memcpy(m->path, file, sizeof file);
    return true;
}

/* False: it said what is wrong. `storing` may be NULL. */
static inline bool split_model_make(split_model *m, const char *name, const char *storing)
{
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%s%s%s", name, storing != NULL ? ", " : "", storing != NULL ? storing : "");
    for (size_t i = 0; i < COUNT(split_storings) && m->storing == NULL; i++)
        m->storing = strcmp(storing != NULL ? storing : "as it is", split_storings[i].name) == 0 ? &split_storings[i] : NULL;
    if (m->storing == NULL) {
        print_error("\"%s\" is no way to store a model\n", storing);
        return false;
    }
    return split_model_find(m, name) && ((int)m->storing->file == 0 || split_model_write_file(m));
}

static inline void split_model_free(split_model *m)
{
    if (m->files.path[0] != '\0')
        folder_free(&m->files);
    if (m->scratch[0] != '\0')
        scratch_remove(m->scratch);
}

static inline model_load_options split_model_options(const split_model *m)
{
    return (model_load_options){ .dtype = m->storing->dtype, .quantize = m->storing->quantize };
}

#endif
