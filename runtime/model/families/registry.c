/* registry.c: the list of families. A new one is a line here and a file beside this one: see README.md. */
#include <string.h>

#include "model/architecture.h"

extern const model_family model_family_gpt2, model_family_llama;

const model_family *const model_families[] = {
    &model_family_gpt2,
    &model_family_llama,
    NULL,
};

const model_family *model_family_find(const char *model_type)
{
    for (size_t i = 0; model_families[i] != NULL; i++) {
        if (strcmp(model_families[i]->model_type, model_type) == 0)
            return model_families[i];
    }
    return NULL;
}
