/* spellings.h: the names under which files hold a tensor. A family names each once, as the language model alone has it; files add what
 * stands around a language model, leave out what stands in front of it, or use names of old. */
#ifndef OCLM_MODEL_SPELLINGS_H
#define OCLM_MODEL_SPELLINGS_H

#include "checkpoint/checkpoint.h"

#define MODEL_NAME_SIZE 256 /* of a name made from a family's pattern */

/* The tensor called `name`, under whatever spelling the file has it; NULL if it has none. `prefix` is the family's base prefix. */
const ckpt_tensor *model_find_spelling(const ckpt_checkpoint *checkpoint, const char *prefix, const char *name);

/* A name of a file as the language model alone has it (but for its base prefix, which may be missing): what stands around it is taken
 * off. A name too long to be one of ours is cut. */
void model_plain_name(const char *text, char plain[MODEL_NAME_SIZE]);

/* Whether a name belongs to what no language model computes with: parts that see and hear, heads that guess further tokens, tables
 * that are made anew from config.json. */
bool model_name_is_foreign(const char *text);

#endif
