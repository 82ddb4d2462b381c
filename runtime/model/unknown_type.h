/* unknown_type.h: the message for a config.json whose model_type no family has. */
#ifndef OCLM_MODEL_UNKNOWN_TYPE_H
#define OCLM_MODEL_UNKNOWN_TYPE_H

#include "model/architecture.h"

/* Returns OCLM_ERR_UNSUPPORTED, or OCLM_ERR_FORMAT where `model_type` is NULL: the file has none. The message lists what is supported, and
 * the families whose readers know all keys of this file that any family knows. */
oclm_status model_refuse_type(const cJSON *config, const char *model_type, const char *origin);

#endif
