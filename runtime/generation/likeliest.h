/* likeliest.h: the likeliest tokens of a row of logits, for those who want to see alternatives. */
#ifndef OCLM_GENERATION_LIKELIEST_H
#define OCLM_GENERATION_LIKELIEST_H

#include <oclm/oclm.h>

/* Of each row, `count` of them, the likeliest first; of equal ones the lower id. */
typedef struct gen_likeliest {
    uint32_t count;
    int32_t *ids;       /* [rows][count] */
    float   *log_probs; /* [rows][count] */
} gen_likeliest;

/* The `count` largest of logits[vocab], and their values. `count` <= `vocab`. */
void gen_likeliest_find(const float *logits, uint32_t vocab, uint32_t count, int32_t *ids, float *values);

#endif
