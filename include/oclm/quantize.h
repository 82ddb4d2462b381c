/* quantize.h: a model's weights in 8, 5 or 4 bits, written for other programs too. Part of oclm.h, which includes it. */
#ifndef OCLM_QUANTIZE_H
#define OCLM_QUANTIZE_H

#ifndef OCLM_OCLM_H
#error "include <oclm/oclm.h>"
#endif

typedef enum oclm_quantize_format {
    OCLM_QUANTIZE_NF4 = 1, /* a folder, bitsandbytes' 4 bits: 16 values of a normal distribution, 64 weights to a float32 scale */
    OCLM_QUANTIZE_FP4,     /* a folder, likewise with 4-bit floats */
    OCLM_QUANTIZE_INT8,    /* a folder, bitsandbytes' 8 bits (LLM.int8): a float32 scale a row */
    OCLM_QUANTIZE_Q4_0,    /* a GGUF file, as the following: 32 weights to a float16 scale */
    OCLM_QUANTIZE_Q4_1,    /* with a float16 minimum besides */
    OCLM_QUANTIZE_Q5_0,
    OCLM_QUANTIZE_Q5_1,
    OCLM_QUANTIZE_Q8_0,
    OCLM_QUANTIZE_F16      /* not quantised: a GGUF file for programs that want one */
} oclm_quantize_format;

typedef struct oclm_quantize_options {
    size_t               struct_size;  /* set by oclm_quantize_options_init() */
    oclm_quantize_format format;       /* 0; must be set */
    bool                 double_quant; /* false; NF4 and FP4: scales in 8 bits too, which saves 0.4 bits a weight */
    const oclm_hub_options *hub;       /* NULL: all defaults; for a model that is no folder. Read before the call returns */
    oclm_progress_callback progress;   /* NULL; counts bytes of weights */
    void                *progress_user; /* handed to progress */
} oclm_quantize_options;

OCLM_API void oclm_quantize_options_init(oclm_quantize_options *options, size_t struct_size);

/* Quantises a model of plain weights (float32, float16, bfloat16). No device is used, and memory stays near some rows of a tensor: weights are
 * read where they lie, a tensor after the other.
 *   name  a folder, or a model on the hub
 *   out   what is written: a folder with config.json, model.safetensors (in shards of 5 GB) and the other files of the model, which transformers
 *         with bitsandbytes and oclm load; or a GGUF file, tokenizer included, which llama.cpp and other programs read. Must not exist. It
 *         is there whole when the call returns OCLM_OK, and not at all after an error
 * What is quantised. In a folder the matrices of attention and MLP; embeddings, the head, norms, routers and experts stay as they are, and
 * config.json says so. In a GGUF file all matrices whose rows are whole blocks of 32 (others become float16); vectors are float32.
 * Routers, gates of shared experts, convolutions and tables of positions stay float32 there.
 * GGUF files are written of the model types that oclm reads from such files (README, "What runs"). Before its weights are written the file is
 * read back; one that would be another model is refused, because the format has no word for one of the model's settings: an activation that
 * its architecture has not, scores scaled otherwise, "dynamic" rotary positions, Falcon's layers one behind the other.
 * Errors: OCLM_ERR_ARGUMENT (no format, one that is none; `out` exists), OCLM_ERR_UNSUPPORTED (a model that is quantised already; its type, or a
 *         tensor or setting of it, that the format has no place for), OCLM_ERR_FORMAT (which file, what is wrong), OCLM_ERR_NOT_FOUND,
 *         OCLM_ERR_IO (disk full, permissions), OCLM_ERR_CANCELLED, OCLM_ERR_MEMORY; those of oclm_hub_download().
 * Threads: any number of calls at once, with different `out`.  Since 0.1. */
OCLM_API oclm_status oclm_quantize(const char *name, const char *out, const oclm_quantize_options *options);

#endif
