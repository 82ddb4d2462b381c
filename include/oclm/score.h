/* score.h: how likely a text is: log-probabilities of its tokens, perplexity. Part of oclm.h, which includes it. */
#ifndef OCLM_SCORE_H
#define OCLM_SCORE_H

#ifndef OCLM_OCLM_H
#error "include <oclm/oclm.h>"
#endif

typedef struct oclm_score_options {
    size_t   struct_size; /* set by oclm_score_options_init() */
    oclm_progress_callback progress; /* NULL; in tokens */
    void    *user;        /* handed to it */
    const volatile int *cancel; /* NULL; set it to non-zero from a signal handler or another thread to stop early */
    uint32_t top_logprobs; /* 0; at most the vocabulary's size: of each position the likeliest tokens too, for which its logits come to the host */
    int32_t *top_ids;      /* NULL; [count][top_logprobs], the caller's memory: the likeliest first, of equal ones the lower id; -1 at the first position */
    float   *top_log_probs; /* NULL; likewise; NAN at the first position */
    size_t   top_capacity; /* 0; room in each of both */
} oclm_score_options;

OCLM_API void oclm_score_options_init(oclm_score_options *options, size_t struct_size);

/* The natural logarithm of the probability of each id given those before it: log_softmax of the logits, at the id that follows. Computed on the
 * device, a part at a time: memory does not grow with the text, but for the cache.
 *   ids        [count], at least one
 *   log_probs  [count]; caller's memory, room for `capacity` floats. The first is NAN: nothing stands before it
 * Errors: OCLM_ERR_ARGUMENT (no ids; an id outside the vocabulary; more ids than the model has positions: oclm_perplexity() takes longer texts; top_logprobs),
 *         OCLM_ERR_CAPACITY, OCLM_ERR_CANCELLED, OCLM_ERR_DEVICE, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_MEMORY. `log_probs` is then unspecified.
 * Threads: several threads may score with one model at once.  Since 0.1. */
OCLM_API oclm_status oclm_score(const oclm_model *model, const int32_t *ids, size_t count, const oclm_score_options *options, float *log_probs,
                                size_t capacity);

typedef struct oclm_perplexity_options {
    size_t   struct_size; /* set by oclm_perplexity_options_init() */
    uint32_t max_length;  /* OCLM_UNSET, then max_position_embeddings, or the text's length where that is less; at least 2: ids of a window */
    uint32_t stride;      /* OCLM_UNSET, then 512, or max_length where that is less; 1 to max_length: how far windows are apart. A smaller one gives
                             each token more to go on, and takes longer */
    oclm_progress_callback progress; /* NULL; in tokens, those of windows that overlap counted again */
    void    *user;        /* handed to it */
    const volatile int *cancel; /* NULL */
} oclm_perplexity_options;

OCLM_API void oclm_perplexity_options_init(oclm_perplexity_options *options, size_t struct_size);

typedef struct oclm_perplexity_result {
    size_t   struct_size; /* set by the caller: sizeof(oclm_perplexity_result) */
    double   perplexity;  /* e ^ mean_nll */
    double   mean_nll;    /* negative log-likelihood of a token, in nats */
    uint64_t tokens;      /* that were counted */
    uint64_t windows;
    uint32_t max_length, stride; /* that were used */
} oclm_perplexity_result;

/* The perplexity of a text of any length, with a sliding window, as in "Perplexity of fixed-length models" of transformers' documentation: window i
 * begins at id i * stride and has up to max_length ids; those that an earlier window had are only read (their targets are -100). The mean of what is
 * left, over windows, is weighted by one token less than each has, as that program does: its labels are shifted by one. (A last window of one id,
 * which makes that program's result NaN, counts for nothing here.)
 *   ids   [count], at least two
 * Errors: OCLM_ERR_ARGUMENT (fewer than two ids; an id outside the vocabulary; max_length, stride: value and range), OCLM_ERR_CANCELLED,
 *         OCLM_ERR_DEVICE, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_MEMORY.
 * Threads: as oclm_score().  Since 0.1. */
OCLM_API oclm_status oclm_perplexity(const oclm_model *model, const int32_t *ids, size_t count, const oclm_perplexity_options *options,
                                     oclm_perplexity_result *result);

#endif
