/* stories.h: for tests: the tokenizer of the sample model, through the public door. */
#ifndef OCLM_TESTS_API_STORIES_H
#define OCLM_TESTS_API_STORIES_H

#include "device/devices.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"

static oclm_tokenizer *tokenizer;

static inline int open_tokenizer(void **state)
{
    (void)state;
    return oclm_tokenizer_load(STORIES, NULL, &tokenizer) == OCLM_OK ? 0 : -1;
}

static inline int close_tokenizer(void **state)
{
    (void)state;
    oclm_tokenizer_free(tokenizer);
    return 0;
}

#endif
