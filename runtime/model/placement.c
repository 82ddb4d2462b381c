/* placement.c: see placement.h. */
#include "model/placement.h"

#include <string.h>

void model_placement_free(model_placement *p)
{
    for (size_t i = 0; i < p->row_count; i++) {
        core_free(p->rows[i].modules);
        core_free(p->rows[i].why);
    }
    for (size_t i = 0; i < p->choice_count; i++)
        core_free(p->choices[i].words);
    core_free(p->rows);
    core_free(p->choices);
    core_free(p->layers);
    core_free(p->devices);
    core_free(p->map);
    memset(p, 0, sizeof *p);
}
