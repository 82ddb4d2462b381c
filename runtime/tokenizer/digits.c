/* digits.c: the Digits pre-tokenizer: cuts numbers off, each digit alone or a run as one piece. */
#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"
#include "tokenizer/unicode.h"

typedef struct digits_step {
    tok_step step;
    bool     individual;
} digits_step;

static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const bool        individual = ((const digits_step *)step)->individual;
    const char *const end = text + length;
    oclm_status       status = OCLM_OK;
    size_t            size;
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        const bool digit = (tok_class_at(p, &size) & TOK_DIGIT) != 0;
        stop = p + size;
        while (!(digit && individual) && stop < end && ((tok_class_at(stop, &size) & TOK_DIGIT) != 0) == digit)
            stop += size;
        status = tok_run_piece(run, index + 1, p, (size_t)(stop - p));
    }
    return status;
}

oclm_status tok_digits_make(const cJSON *config, const char *where, tok_step **step)
{
    digits_step made = { { { NULL }, NULL }, false };
    oclm_status status = core_json_get_bool(config, "individual_digits", where, &made.individual);
    if (status != OCLM_OK)
        return status;
    made.step.does.split = split;
    *step = core_copy(&made, sizeof made, "a pre-tokenizer");
    return *step != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}
