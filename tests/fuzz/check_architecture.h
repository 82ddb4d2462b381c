/* check_architecture.h: is what a configuration became fit to be computed with? */
#ifndef OCLM_FUZZ_CHECK_ARCHITECTURE_H
#define OCLM_FUZZ_CHECK_ARCHITECTURE_H

#include <math.h>

#include "fuzz/fuzz.h"
#include "model/binding.h"

#define MANY 64 /* rows of a table that are made */

static inline void check_rope(const model_architecture *a, const model_rope *rope)
{
    static float cosines[MANY * MODEL_MAX_HEAD_DIM / 2], sines[MANY * MODEL_MAX_HEAD_DIM / 2];
    if (rope->dims == 0)
        return; /* a set that no layer turns by */
    FUZZ_CHECK(rope->dims % 2 == 0 && rope->dims <= MODEL_MAX_HEAD_DIM && rope->theta > 1.0);
    model_rope_table(rope, a->max_position_embeddings, model_rope_prompt(a, 2 * MANY), MANY, MANY, cosines, sines);
}

static inline void check_architecture(const model_architecture *a)
{
    FUZZ_CHECK(a->layers >= 1 && a->layers <= MODEL_MAX_LAYERS && a->vocab_size >= 1 && a->vocab_size <= MODEL_MAX_VOCAB);
    FUZZ_CHECK(a->hidden_size >= 1 && a->hidden_size <= MODEL_MAX_WIDTH && a->max_position_embeddings >= 1);
    FUZZ_CHECK(a->heads >= 1 && a->kv_heads >= 1 && a->heads % a->kv_heads == 0 && a->head_dim >= 1 && a->head_dim <= MODEL_MAX_HEAD_DIM);
    FUZZ_CHECK(isfinite(a->norm.eps) && a->norm.eps >= 0.0f);
    FUZZ_CHECK(isfinite(a->attention_scale) && isfinite(a->embedding_scale) && isfinite(a->residual_scale) && isfinite(a->logits_scale));
    FUZZ_CHECK(isfinite(a->attention_softcap) && isfinite(a->logits_softcap) && isfinite(a->qkv_clip));
    FUZZ_CHECK(a->eos_token_count <= OCLM_MAX_EOS_TOKENS && model_kv_bytes_per_token(a) > 0);
    for (uint32_t i = 0; i < a->layers; i++) {
        const int8_t rope = a->layer[i].rope;
        FUZZ_CHECK(rope >= MODEL_ROPE_NONE && rope < MODEL_ROPE_SETS);
        if (a->position == MODEL_POSITION_ROPE && rope != MODEL_ROPE_NONE)
            FUZZ_CHECK(a->ropes[rope].dims > 0 && a->ropes[rope].dims <= model_head_dim(a, i));
        FUZZ_CHECK(model_head_dim(a, i) >= 1 && model_head_dim(a, i) <= MODEL_MAX_HEAD_DIM && a->heads % model_kv_heads(a, i) == 0);
    }
    for (size_t i = 0; i < MODEL_ROPE_SETS && a->position == MODEL_POSITION_ROPE; i++)
        check_rope(a, &a->ropes[i]);
}

#endif
