/* base64.h: bytes written as text, RFC 4648. */
#ifndef OCLM_CORE_BASE64_H
#define OCLM_CORE_BASE64_H

#include "core/text.h"

/* Adds the bytes that `text` stands for, up to two '=' at its end included. *valid: whether it is base64; what is not
 * leaves `out` as it was. Errors: OCLM_ERR_MEMORY, OCLM_ERR_CAPACITY. */
oclm_status core_base64_add(core_text *out, const char *text, size_t length, bool *valid);

#endif
