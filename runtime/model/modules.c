/* modules.c: see modules.h. */
#include "model/modules.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void model_modules_free(model_modules *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        core_free(m->at[i].name);
    core_free(m->at);
    core_free(m->ties);
    *m = (model_modules)MODEL_MODULES_INIT;
}

static char *full_name(const model_modules *m, uint32_t parent, const char *name)
{
    const char  *before = m->count > 0 ? m->at[parent].name : "", *dot = before[0] != '\0' ? "." : "";
    const size_t bytes = strlen(before) + strlen(dot) + strlen(name) + 1;
    char        *made = core_alloc(bytes, "the name of a module");
    if (made != NULL && m->count > 0)
        (void)snprintf(made, bytes, "%s%s%s", before, dot, name);
    else if (made != NULL)
        made[0] = '\0';
    return made;
}

static oclm_status make_room(model_modules *m)
{
    model_module *at = core_grow_array(m->at, m->count, &m->capacity, 64, sizeof *at, "a tree of modules");
    if (at == NULL)
        return OCLM_ERR_MEMORY;
    m->at = at;
    return OCLM_OK;
}

oclm_status model_modules_add(model_modules *m, uint32_t parent, const char *name, model_module_kind kind, uint64_t bytes, uint32_t *node)
{
    char *full;
    assert(m->count == 0 || m->at[parent].end == m->count);
    if (make_room(m) != OCLM_OK || (full = full_name(m, parent, name)) == NULL)
        return OCLM_ERR_MEMORY;
    const uint32_t made = m->count++;
    m->at[made] = (model_module){ .name = full, .kind = kind, .parent = made == MODEL_ROOT ? MODEL_ROOT : parent, .end = made + 1 };
    for (uint32_t i = made; i != MODEL_ROOT; i = m->at[i].parent)
        m->at[m->at[i].parent].end = m->count;
    if (made != MODEL_ROOT && kind == MODEL_MODULE)
        m->at[parent].has_modules = true;
    model_modules_grow(m, made, bytes);
    if (node != NULL)
        *node = made;
    return OCLM_OK;
}

void model_modules_grow(model_modules *m, uint32_t node, uint64_t bytes)
{
    m->at[node].own += bytes;
    if (m->at[node].kind != MODEL_MODULE)
        m->at[m->at[node].parent].own += bytes;
    for (uint32_t i = node;; i = m->at[i].parent) {
        m->at[i].bytes += bytes;
        if (i == MODEL_ROOT)
            break;
    }
}

oclm_status model_modules_tie(model_modules *m, const uint32_t *nodes, uint32_t count)
{
    model_tie *ties = core_realloc_array(m->ties, (size_t)m->tie_count + count, sizeof *ties, "ties between modules");
    if (ties == NULL)
        return OCLM_ERR_MEMORY;
    m->ties = ties;
    for (uint32_t i = 0; i < count; i++) { /* by name, as the reference has them: few */
        uint32_t place = m->tie_count + i;
        while (place > m->tie_count && strcmp(m->at[ties[place - 1].node].name, m->at[nodes[i]].name) > 0) {
            ties[place] = ties[place - 1];
            place--;
        }
        ties[place] = (model_tie){ m->group_count, nodes[i] };
    }
    m->tie_count += count;
    m->group_count++;
    return OCLM_OK;
}

uint32_t model_modules_find(const model_modules *m, const char *name)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (strcmp(m->at[i].name, name) == 0)
            return i;
    }
    return UINT32_MAX;
}
