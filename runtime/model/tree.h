/* tree.h: a model as transformers' modules, down to what is placed as a whole: tables, layers, norms, the head. */
#ifndef OCLM_MODEL_TREE_H
#define OCLM_MODEL_TREE_H

#include "model/binding.h"
#include "model/modules.h"

#define MODEL_NO_UNIT UINT32_MAX

/* Units of placement are numbered as in weights.h: MODEL_UNIT_EMBEDDING, _HEAD, _LAYERS + i. Modules that are computed together with another
 * belong to its unit: learned positions to the embedding, the final norm to the head. The bytes of a unit are all at one node, its first. */
typedef struct model_tree {
    model_modules modules;
    uint32_t     *unit;       /* [modules.count]: which one a node belongs to; MODEL_NO_UNIT: it holds others, or nothing that counts */
    uint32_t     *node;       /* [unit_count]: where the unit's bytes are */
    uint32_t      unit_count;
    bool          tied;       /* the head's weights are the embedding's */
} model_tree;

/* What a tree is made of. */
typedef struct model_tree_source {
    const model_family       *family;
    const model_architecture *architecture;
    bool                      tied;
    bool                      wrapped;    /* within a larger model, whose language model is one part */
    const uint64_t           *unit_bytes; /* [MODEL_UNIT_LAYERS + layers] */
} model_tree_source;

/* Errors: OCLM_ERR_MEMORY. `tree` is to be freed also then. */
oclm_status model_tree_new(const model_tree_source *source, model_tree *tree);
void        model_tree_free(model_tree *tree);

/* Is a folder's language model a part of a larger one in transformers, too, whose name then stands in front of its modules' ("model.language_model.")?
 * Not so for a GGUF file. Errors: those of core_json_read_file(). */
oclm_status model_is_wrapped(const char *folder, bool *wrapped);

#endif
