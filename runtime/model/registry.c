/* registry.c: all families, in the order of their files' names. The build lists the files: see README.md in families/. */
#include <string.h>

#include "model/architecture.h"

extern const model_family *const model_family_lists[]; /* of each file, NULL-ended; made by CMakeLists.txt */

const model_family *model_family_at(size_t index)
{
    for (size_t i = 0; model_family_lists[i] != NULL; i++) {
        for (const model_family *family = model_family_lists[i]; family->model_type != NULL; family++) {
            if (index-- == 0)
                return family;
        }
    }
    return NULL;
}

const model_family *model_family_find(const char *model_type)
{
    for (size_t i = 0; model_family_at(i) != NULL; i++) {
        if (strcmp(model_family_at(i)->model_type, model_type) == 0)
            return model_family_at(i);
    }
    return NULL;
}
