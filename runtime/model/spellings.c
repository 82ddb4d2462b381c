/* spellings.c: see spellings.h. Sources: conversion_mapping.py of transformers, and files on the hub. */
#include "model/spellings.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

/* What stands in front of a language model inside a larger one, in place of "model." (bare) or before it. */
static const char *const around[] = { "model.language_model.", "language_model.model.", "language_model." };

/* `text` begins with `start`: what follows; NULL otherwise. */
static const char *after(const char *text, const char *start)
{
    const size_t length = strlen(start);
    return strncmp(text, start, length) == 0 ? text + length : NULL;
}

/* `text` with `tail` at its end put in the place of `old_tail`; false where it does not end so. */
static bool with_tail(const char *text, const char *old_tail, const char *tail, char made[MODEL_NAME_SIZE])
{
    const size_t length = strlen(text), old_length = strlen(old_tail);
    if (length < old_length || strcmp(text + length - old_length, old_tail) != 0)
        return false;
    return (size_t)snprintf(made, MODEL_NAME_SIZE, "%.*s%s", (int)(length - old_length), text, tail) < MODEL_NAME_SIZE;
}

static const ckpt_tensor *find_joined(const ckpt_checkpoint *checkpoint, const char *start, const char *name)
{
    char made[MODEL_NAME_SIZE];
    return (size_t)snprintf(made, sizeof made, "%s%s", start, name) < sizeof made ? ckpt_find(checkpoint, made) : NULL;
}

static const ckpt_tensor *find_around(const ckpt_checkpoint *checkpoint, const char *prefix, const char *name)
{
    const char        *bare = after(name, prefix);
    const ckpt_tensor *tensor = ckpt_find(checkpoint, name);
    if (tensor == NULL && bare != NULL)
        tensor = ckpt_find(checkpoint, bare);
    for (size_t i = 0; i < COUNT(around) && tensor == NULL; i++) {
        tensor = find_joined(checkpoint, around[i], name);
        if (tensor == NULL && bare != NULL)
            tensor = find_joined(checkpoint, around[i], bare);
    }
    return tensor;
}

const ckpt_tensor *model_find_spelling(const ckpt_checkpoint *checkpoint, const char *prefix, const char *name)
{
    char               old[MODEL_NAME_SIZE];
    const ckpt_tensor *tensor = find_around(checkpoint, prefix, name);
    if (tensor == NULL && (with_tail(name, ".weight", ".gamma", old) || with_tail(name, ".bias", ".beta", old))) /* norms of the first files */
        tensor = find_around(checkpoint, prefix, old);
    return tensor;
}

void model_plain_name(const char *text, char plain[MODEL_NAME_SIZE])
{
    char new_name[MODEL_NAME_SIZE];
    for (size_t i = 0; i < COUNT(around); i++) {
        const char *rest = after(text, around[i]);
        if (rest != NULL) {
            text = rest;
            break;
        }
    }
    if (with_tail(text, ".gamma", ".weight", new_name) || with_tail(text, ".beta", ".bias", new_name))
        text = new_name;
    snprintf(plain, MODEL_NAME_SIZE, "%s", text);
}

bool model_name_is_foreign(const char *text)
{
    static const char *const parts[] = { "vision_tower", "vision_model", "multi_modal_projector", "visual", "audio_tower", "embed_vision",
                                         "embed_audio", "mtp" };
    for (int depth = 0; depth < 2 && text != NULL; depth++) { /* "visual.x" and "model.visual.x" */
        for (size_t i = 0; i < COUNT(parts); i++) {
            const char *rest = after(text, parts[i]);
            if (rest != NULL && *rest == '.')
                return true;
        }
        text = strchr(text, '.');
        text = text != NULL ? text + 1 : NULL;
    }
    return false;
}
