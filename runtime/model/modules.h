/* modules.h: a model as a tree of modules with their sizes, which is all that placing needs to know of it. Modules lie in one array in the
 * order of their definition, each before what is in it, so that a subtree is a range: [i, at[i].end). */
#ifndef OCLM_MODEL_MODULES_H
#define OCLM_MODEL_MODULES_H

#include "core/memory.h"

typedef enum model_module_kind { MODEL_MODULE, MODEL_PARAMETER, MODEL_BUFFER } model_module_kind;

typedef struct model_module {
    char             *name;     /* from the root on: "model.layers.0"; "" for the root */
    model_module_kind kind;
    uint32_t          parent;   /* the root's is itself */
    uint32_t          end;      /* one past the last one within */
    uint64_t          bytes;    /* of all within */
    uint64_t          own;      /* of them, those that no module within holds */
    bool              no_split; /* stays whole, as a layer must */
    bool              has_modules;
} model_module;

typedef struct model_tie {
    uint32_t group, node; /* nodes of a group want to lie together: weights that are one, layers that read one cache */
} model_tie;

typedef struct model_modules {
    model_module *at;   /* the root first */
    uint32_t      count;
    size_t        capacity;
    model_tie    *ties; /* a group's one after another, by name */
    uint32_t      tie_count, group_count;
} model_modules;

#define MODEL_MODULES_INIT { NULL, 0, 0, NULL, 0, 0 }
#define MODEL_ROOT 0u

void        model_modules_free(model_modules *modules);
/* Adds a module, or a tensor of one, called `name` within its parent; the first one is the root, with any name. `parent` is the node that was
 * added last, or has it inside. Tensors of a module that its `bytes` are to count need not be nodes.
 * Errors: OCLM_ERR_MEMORY. */
oclm_status model_modules_add(model_modules *modules, uint32_t parent, const char *name, model_module_kind kind, uint64_t bytes, uint32_t *node);
/* Makes a group of `count` nodes. Errors: OCLM_ERR_MEMORY. */
oclm_status model_modules_tie(model_modules *modules, const uint32_t *nodes, uint32_t count);
/* The node of that name; UINT32_MAX: there is none. */
uint32_t    model_modules_find(const model_modules *modules, const char *name);
/* Adds to what a node holds. */
void        model_modules_grow(model_modules *modules, uint32_t node, uint64_t bytes);

static inline bool model_module_within(const model_modules *modules, uint32_t node, uint32_t module)
{
    return node >= module && node < modules->at[module].end;
}

#endif
