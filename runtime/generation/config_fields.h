/* config_fields.h: the options that a generation_config.json may set, a row each: its name there, where it lies in oclm_generate_options, what
 * transformers takes where nobody sets it, which values it allows, and when it matters. Reading, merging and checking go by these rows. */
#ifndef OCLM_GENERATION_CONFIG_FIELDS_H
#define OCLM_GENERATION_CONFIG_FIELDS_H

#include "generation/config.h"

typedef enum gen_field_kind {
    GEN_COUNT,     /* uint32_t; OCLM_UNSET */
    GEN_FLOAT,     /* float; NAN */
    GEN_SECONDS,   /* double; NAN */
    GEN_SWITCH,    /* oclm_switch */
    GEN_TOKEN,     /* int32_t; OCLM_NO_TOKEN */
    GEN_EARLY,     /* oclm_early_stopping: false, true, "never" */
    GEN_SCHEDULE,  /* oclm_assistant_schedule */
    GEN_CACHE,     /* const char *, one of the names of caches */
    GEN_DECAY,     /* uint32_t, and a float: both or none */
    GEN_TOKENS,    /* const int32_t *, and how many (size_t): as all lists, NULL is unset and a list of none is not */
    GEN_STRINGS,   /* const char *const * */
    GEN_WORDS,     /* const oclm_token_ids * */
    GEN_BIASES     /* const oclm_sequence_bias * */
} gen_field_kind;

typedef enum gen_field_use {
    GEN_USE_ALWAYS,
    GEN_USE_SAMPLING,
    GEN_USE_BEAMS,
    GEN_USE_ASSISTANT /* its value is that of the assistant's file, not the model's */
} gen_field_use;

enum {
    GEN_MIN_OPEN = 1, GEN_MAX_OPEN = 2, /* that end of the range does not belong to it */
    GEN_LENIENT = 4                     /* a file's value below the range (a count) or above it switches the option off, without a word */
};

typedef struct gen_field {
    const char    *name;
    gen_field_kind kind;
    gen_field_use  use;
    size_t         value, count; /* offsets; the latter of lists, and of GEN_DECAY's float */
    double         fallback;     /* what transformers takes where nobody sets it; NAN: it stays unset */
    double         off;          /* what has no effect */
    double         none;         /* of the call: Python's None, where `off` is no number; NAN: there is no such value */
    double         min, max;
    unsigned       flags;
} gen_field;

extern const gen_field gen_fields[];
extern const size_t    gen_field_count;

/* The row of a member: gen_field_at(offsetof(oclm_generate_options, top_k)). */
const gen_field *gen_field_at(size_t offset);
bool             gen_field_is_list(const gen_field *field);
bool             gen_field_is_set(const gen_field *field, const oclm_generate_options *options);
void             gen_field_unset(const gen_field *field, oclm_generate_options *options);
/* Lists: the pointer. */
void             gen_field_copy(const gen_field *field, const oclm_generate_options *from, oclm_generate_options *to);
/* Of kinds that are one number: NAN where it is unset. */
double           gen_field_number(const gen_field *field, const oclm_generate_options *options);
void             gen_field_set_number(const gen_field *field, oclm_generate_options *options, double number);
/* Of lists. */
const void      *gen_field_list(const gen_field *field, const oclm_generate_options *options, size_t *count);
void             gen_field_set_list(const gen_field *field, oclm_generate_options *options, const void *list, size_t count);

/* The names of cache_implementation; NULL past the last one. */
const char *gen_cache_name(size_t index);
/* The same name, out of the table; NULL after a message that lists all. */
const char *gen_cache_check(const char *name);

/* ---- What files may ask for and oclm refuses, since transformers keeps it outside its own code, or since it needs PyTorch's random numbers. */
typedef enum gen_refused_in { GEN_REFUSED_ALWAYS, GEN_REFUSED_ROWS, GEN_REFUSED_GREEDY, GEN_REFUSED_BEAMS, GEN_REFUSED_ASSISTED } gen_refused_in;
typedef struct gen_refusal {
    const char    *name;
    double         off; /* a number up to this means nothing, as do false, null, and empty lists */
    gen_refused_in in;  /* where it would change something */
    const char    *what;
} gen_refusal;

extern const gen_refusal gen_refusals[];
extern const size_t      gen_refusal_count; /* at most 32 */

/* A block of memory for `count` elements of `size` bytes and `bytes` of what they point to, behind them. NULL: no memory. */
void *gen_block(size_t count, size_t size, size_t bytes, const char *what, void **behind);
/* snprintf() in the "C" locale: for parts of messages. */
void gen_print(char *buffer, size_t size, const char *format, ...) CORE_PRINTF(3, 4);

#endif
