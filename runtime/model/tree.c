/* tree.c: see tree.h. Names and their order are those of transformers 5.23 (tests/golden/module_names.json). */
#include "model/tree.h"

#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "model/gguf.h"
#include "model/spellings.h"
#include "model/weights.h"

/* Each module with what it is:
 *     E embedding table, P learned positions, e the embedding's norm, I and O projections around the layers, T table of layers' inputs, W their
 *     product, w its norm: all of the embedding's unit, but O;  L layers;  N final norm, H head;  - nothing that has weights oclm keeps
 * The first row is for all families that are in no other. */
static const struct { const char *types, *modules; } rows[] = {
    { "", "E:model.embed_tokens L:model.layers N:model.norm -:model.rotary_emb T:model.embed_tokens_per_layer W:model.per_layer_model_projection "
          "w:model.per_layer_projection_norm H:lm_head" },
    { "gpt2 gpt_bigcode gpt_neo gptj codegen",
      "E:transformer.wte P:transformer.wpe -:transformer.drop L:transformer.h N:transformer.ln_f H:lm_head" },
    { "bloom", "E:transformer.word_embeddings e:transformer.word_embeddings_layernorm L:transformer.h N:transformer.ln_f H:lm_head" },
    { "falcon RefinedWebModel RefinedWeb",
      "E:transformer.word_embeddings L:transformer.h N:transformer.ln_f -:transformer.rotary_emb H:lm_head" },
    { "mpt", "E:transformer.wte L:transformer.blocks N:transformer.norm_f H:lm_head" },
    { "gpt_neox", "E:gpt_neox.embed_in -:gpt_neox.emb_dropout L:gpt_neox.layers N:gpt_neox.final_layer_norm -:gpt_neox.rotary_emb H:lm_head" },
    { "opt", "E:model.decoder.embed_tokens P:model.decoder.embed_positions O:model.decoder.project_out I:model.decoder.project_in "
             "N:model.decoder.final_layer_norm L:model.decoder.layers H:lm_head" },
    { "phi", "E:model.embed_tokens L:model.layers -:model.rotary_emb -:model.embed_dropout N:model.final_layernorm H:lm_head" },
    { "lfm2", "E:model.embed_tokens L:model.layers -:model.rotary_emb N:model.embedding_norm H:lm_head" },
    { "lfm2_moe", "E:model.embed_tokens L:model.layers -:model.pos_emb N:model.embedding_norm H:lm_head" },
};

oclm_status model_is_wrapped(const char *folder, bool *wrapped)
{
    core_text   path = CORE_TEXT_INIT;
    cJSON      *config = NULL;
    oclm_status status = OCLM_OK;
    *wrapped = false;
    if (!model_is_gguf(folder) && (status = core_path_join(&path, folder, "config.json")) == OCLM_OK &&
        (status = core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &config)) == OCLM_OK) {
        const cJSON *type = core_json_member(config, "model_type");
        *wrapped = cJSON_IsObject(core_json_member(config, "text_config")) && cJSON_IsString(type) &&
                   core_has_word("gemma3 gemma4 mistral3", type->valuestring);
    }
    cJSON_Delete(config);
    core_text_free(&path);
    return status;
}

static const char *modules_of(const char *model_type)
{
    for (size_t i = 1; i < COUNT(rows); i++) {
        if (core_has_word(rows[i].types, model_type))
            return rows[i].modules;
    }
    return rows[0].modules;
}

static bool is_there(const model_architecture *a, char what)
{
    switch (what) {
    case 'P': return a->position == MODEL_POSITION_LEARNED;
    case 'e': return a->embedding_norm;
    case 'I': case 'O': return model_has_projections(a);
    case 'T': case 'W': case 'w': return a->layer_input.size > 0;
    case 'N': return !a->no_final_norm;
    default: return true;
    }
}

static uint32_t unit_of(char what)
{
    return what == '-' || what == 'L' ? MODEL_NO_UNIT : strchr("NOH", what) != NULL ? MODEL_UNIT_HEAD : MODEL_UNIT_EMBEDDING;
}

/* ---- Making */

typedef struct maker {
    const model_tree_source *source;
    model_tree              *tree;
} maker;

/* A node of a dotted name, with those around it that are not there yet. */
static oclm_status add_path(maker *m, const char *name, size_t length, uint32_t *node)
{
    model_modules *modules = &m->tree->modules;
    oclm_status    status = OCLM_OK;
    *node = MODEL_ROOT;
    for (size_t end = 0; end < length && status == OCLM_OK; end++) {
        char         part[MODEL_NAME_SIZE], whole[MODEL_NAME_SIZE];
        const size_t begin = end;
        end += strcspn(name + end, ". ");
        (void)snprintf(part, sizeof part, "%.*s", (int)(end - begin), name + begin);
        (void)snprintf(whole, sizeof whole, "%.*s", (int)end, name);
        const uint32_t known = model_modules_find(modules, whole);
        if (known != UINT32_MAX)
            *node = known;
        else
            status = model_modules_add(modules, *node, part, MODEL_MODULE, 0, node);
    }
    return status;
}

static oclm_status set_unit(maker *m, uint32_t node, uint32_t unit, bool holds)
{
    model_tree *t = m->tree;
    uint32_t   *units = core_realloc_array(t->unit, t->modules.count, sizeof *units, "the units of modules");
    if (units == NULL)
        return OCLM_ERR_MEMORY;
    t->unit = units;
    units[node] = unit;
    if (holds) {
        t->node[unit] = node;
        model_modules_grow(&t->modules, node, m->source->unit_bytes[unit]);
    }
    return OCLM_OK;
}

static oclm_status add_layers(maker *m, uint32_t parent)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < m->source->architecture->layers && status == OCLM_OK; i++) {
        char     number[16];
        uint32_t node;
        (void)snprintf(number, sizeof number, "%u", i);
        if ((status = model_modules_add(&m->tree->modules, parent, number, MODEL_MODULE, 0, &node)) != OCLM_OK)
            return status;
        m->tree->modules.at[node].no_split = true;
        status = set_unit(m, node, MODEL_UNIT_LAYERS + i, true);
    }
    return status;
}

static oclm_status add_module(maker *m, char what, const char *name, size_t length)
{
    static const char base[] = "model.", inner[] = "model.language_model.";
    char              within[MODEL_NAME_SIZE];
    uint32_t          node;
    oclm_status       status;
    if (m->source->wrapped && strncmp(name, base, strlen(base)) == 0) {
        length = (size_t)snprintf(within, sizeof within, "%s%.*s", inner, (int)(length - strlen(base)), name + strlen(base));
        name = within;
    }
    const uint32_t before = m->tree->modules.count;
    if ((status = add_path(m, name, length, &node)) != OCLM_OK)
        return status;
    for (uint32_t i = before; i < m->tree->modules.count && status == OCLM_OK; i++)
        status = set_unit(m, i, MODEL_NO_UNIT, false);
    if (status != OCLM_OK)
        return status;
    return what == 'L' ? add_layers(m, node) : set_unit(m, node, unit_of(what), what == 'E' || what == 'H');
}

static oclm_status add_modules(maker *m)
{
    oclm_status status = model_modules_add(&m->tree->modules, MODEL_ROOT, "", MODEL_MODULE, 0, NULL);
    if (status == OCLM_OK)
        status = set_unit(m, MODEL_ROOT, MODEL_NO_UNIT, false);
    for (const char *p = modules_of(m->source->family->model_type); *p != '\0' && status == OCLM_OK; p += strspn(p, " ")) {
        const size_t length = strcspn(p, " ");
        if (is_there(m->source->architecture, p[0]))
            status = add_module(m, p[0], p + 2, length - 2);
        p += length;
    }
    return status;
}

/* Layers that read the keys and values of another one lie where that does: there are no two caches. */
static oclm_status tie_layers(maker *m)
{
    const model_architecture *a = m->source->architecture;
    uint32_t                 *nodes = core_alloc_array(a->layers, sizeof *nodes, "layers of one cache");
    oclm_status               status = nodes != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t of = 0; of < a->layers && status == OCLM_OK; of++) {
        uint32_t count = 0;
        for (uint32_t i = of; i < a->layers; i++) {
            if (a->layer[i].mixer == MODEL_MIXER_ATTENTION && model_cache_layer(a, i) == of)
                nodes[count++] = m->tree->node[MODEL_UNIT_LAYERS + i];
        }
        if (count > 1)
            status = model_modules_tie(&m->tree->modules, nodes, count);
    }
    core_free(nodes);
    return status;
}

oclm_status model_tree_new(const model_tree_source *source, model_tree *tree)
{
    maker       m = { source, tree };
    oclm_status status;
    memset(tree, 0, sizeof *tree);
    tree->tied = source->tied;
    tree->unit_count = MODEL_UNIT_LAYERS + source->architecture->layers;
    tree->node = core_alloc_zero(tree->unit_count, sizeof *tree->node, "the nodes of units");
    if (tree->node == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = add_modules(&m)) != OCLM_OK || (status = tie_layers(&m)) != OCLM_OK)
        return status;
    const uint32_t tied[] = { tree->node[MODEL_UNIT_EMBEDDING], tree->node[MODEL_UNIT_HEAD] };
    return tree->tied ? model_modules_tie(&tree->modules, tied, 2) : OCLM_OK;
}

void model_tree_free(model_tree *tree)
{
    model_modules_free(&tree->modules);
    core_free(tree->unit);
    core_free(tree->node);
    memset(tree, 0, sizeof *tree);
}
