/* decode_words.c: the decoders that give words their spaces back. */
#include <string.h>

#include "tokenizer/decode.h"
#include "tokenizer/unicode.h"

/* ---- Replacing in text */

/* Adds `text` with `from` replaced by `to`. An empty `from` is found around every character, as in Rust. */
static oclm_status add_replaced(core_text *out, const char *text, size_t length, const char *from, const char *to)
{
    const size_t      from_length = strlen(from), to_length = strlen(to);
    const char *const end = text + length;
    oclm_status       status = OCLM_OK;
    size_t            size;
    for (const char *p = text; from_length == 0 && p < end && status == OCLM_OK; p += size) {
        (void)tok_char_at(p, &size);
        if ((status = core_text_add(out, to, to_length)) == OCLM_OK)
            status = core_text_add(out, p, size);
    }
    if (from_length == 0)
        return status == OCLM_OK ? core_text_add(out, to, to_length) : status;
    while (text < end && status == OCLM_OK) {
        const char *found = text;
        while ((found = memchr(found, from[0], (size_t)(end - found))) != NULL &&
               ((size_t)(end - found) < from_length || memcmp(found, from, from_length) != 0)) {
            if (++found == end)
                break;
        }
        if (found == NULL || found == end)
            return core_text_add(out, text, (size_t)(end - text));
        if ((status = core_text_add(out, text, (size_t)(found - text))) == OCLM_OK)
            status = core_text_add(out, to, to_length);
        text = found + from_length;
    }
    return status;
}

oclm_status tok_clean_up(const char *text, size_t length, bool contract, core_text *out)
{
    static const char *const rules[][2] = { /* one after the other, as the reference has them */
        { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
        { " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    core_text   texts[2] = { CORE_TEXT_INIT, CORE_TEXT_INIT };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(rules) && length > 0 && status == OCLM_OK; i++) {
        core_text *next = &texts[i & 1];
        if ((strcmp(rules[i][1], " don't") == 0 && !contract) || memchr(text, ' ', length) == NULL)
            continue;
        if (text == next->data) /* a rule was left out */
            next = &texts[~i & 1];
        core_text_clear(next);
        status = add_replaced(next, text, length, rules[i][0], rules[i][1]);
        text = next->data;
        length = next->length;
    }
    if (status == OCLM_OK && length > 0)
        status = core_text_add(out, text, length);
    core_text_free(&texts[0]);
    core_text_free(&texts[1]);
    return status;
}

/* ---- Metaspace: U+2581 is a space; in the first token it is none */

typedef struct metaspace {
    tok_decoder decoder;
    uint32_t    replacement;
    bool        never; /* a space was put in front of the text */
} metaspace;

static oclm_status decode_metaspace(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    const metaspace *self = (const metaspace *)step;
    char             replacement[5] = "";
    oclm_status      status = OCLM_OK;
    (void)core_utf8_write(self->replacement, replacement);
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        if (length > 0)
            status = add_replaced(&out->text, text, length, replacement, i == 0 && !self->never ? "" : " ");
        if (status == OCLM_OK)
            status = tok_strings_end(out);
    }
    return status;
}

oclm_status tok_decode_metaspace_make(const cJSON *config, const char *where, tok_step **step)
{
    metaspace   made = { { { { NULL }, NULL }, TOK_DECODER_PER_TOKEN }, 0x2581, false };
    const char *replacement = NULL, *scheme = "always";
    bool        add_prefix_space = true;
    size_t      size;
    oclm_status status;
    if ((status = core_json_get_string(config, "replacement", where, &replacement)) != OCLM_OK ||
        (status = core_json_get_string(config, "prepend_scheme", where, &scheme)) != OCLM_OK ||
        (status = core_json_get_bool(config, "add_prefix_space", where, &add_prefix_space)) != OCLM_OK)
        return status;
    if (replacement != NULL) {
        made.replacement = tok_char_at(replacement, &size);
        if (made.replacement == 0 || replacement[size] != '\0')
            return core_fail(OCLM_ERR_FORMAT, "%s: its \"replacement\" is not one character", where);
    }
    made.never = !add_prefix_space || strcmp(scheme, "never") == 0;
    if (!made.never && strcmp(scheme, "always") != 0 && strcmp(scheme, "first") != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"prepend_scheme\" is \"%s\"; it may be always, first, never", where, scheme);
    made.decoder.step.does.decode = decode_metaspace;
    return tok_step_copy(&made, sizeof made, step);
}

/* ---- The others have up to two strings and a switch */

typedef struct word_decoder {
    tok_decoder decoder;
    char       *first, *second;
    bool        cleanup;
} word_decoder;

static void free_word_decoder(tok_step *step)
{
    core_free(((word_decoder *)step)->first);
    core_free(((word_decoder *)step)->second);
    core_free(step);
}

/* A member's string, or what it is by default. */
static oclm_status copy_member(const cJSON *config, const char *name, const char *where, const char *value, char **copy)
{
    const oclm_status status = core_json_get_string(config, name, where, &value);
    if (status != OCLM_OK)
        return status;
    *copy = core_copy_string(value, "a decoder");
    return *copy != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

typedef oclm_status decode_function(const tok_step *step, const tok_strings *in, tok_strings *out);

static oclm_status make(const cJSON *config, const char *where, decode_function *function, tok_decoder_kind kind,
                        const char *const names[2], const char *const defaults[2], tok_step **step)
{
    oclm_status   status;
    word_decoder *made = core_alloc_zero(1, sizeof *made, "a decoder");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->decoder.kind = kind;
    made->decoder.step.does.decode = function;
    made->decoder.step.free = free_word_decoder;
    made->cleanup = true;
    if ((status = copy_member(config, names[0], where, defaults[0], &made->first)) == OCLM_OK &&
        (names[1] == NULL || (status = copy_member(config, names[1], where, defaults[1], &made->second)) == OCLM_OK))
        status = core_json_get_bool(config, "cleanup", where, &made->cleanup);
    if (status == OCLM_OK)
        *step = &made->decoder.step;
    else
        free_word_decoder(&made->decoder.step);
    return status;
}

/* ---- WordPiece: a token without the prefix begins a word */

static oclm_status decode_wordpiece(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    const word_decoder *self = (const word_decoder *)step;
    const size_t        prefix = strlen(self->first);
    core_text           word = CORE_TEXT_INIT;
    oclm_status         status = OCLM_OK;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        const bool  goes_on = prefix == 0 || (length >= prefix && memcmp(text, self->first, prefix) == 0);
        core_text_clear(&word);
        if (i > 0 && goes_on) {
            text = prefix > 0 ? text + prefix : text;
            length -= prefix;
        } else if (i > 0) {
            status = core_text_add_char(&word, ' ');
        }
        if (status == OCLM_OK && length > 0)
            status = core_text_add(&word, text, length);
        if (status == OCLM_OK && word.length > 0)
            status = self->cleanup ? tok_clean_up(word.data, word.length, true, &out->text)
                                   : core_text_add(&out->text, word.data, word.length);
        if (status == OCLM_OK)
            status = tok_strings_end(out);
    }
    core_text_free(&word);
    return status;
}

oclm_status tok_decode_wordpiece_make(const cJSON *config, const char *where, tok_step **step)
{
    static const char *const names[2] = { "prefix", NULL }, *const defaults[2] = { "##", NULL };
    return make(config, where, decode_wordpiece, TOK_DECODER_PER_TOKEN, names, defaults, step);
}

/* ---- BPEDecoder: a suffix ends a word; in the last token nothing follows it */

static oclm_status decode_bpe(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    const word_decoder *self = (const word_decoder *)step;
    oclm_status         status = OCLM_OK;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        status = add_replaced(&out->text, text != NULL ? text : "", length, self->first, i + 1 == in->count ? "" : " ");
        if (status == OCLM_OK)
            status = tok_strings_end(out);
    }
    return status;
}

oclm_status tok_decode_bpe_make(const cJSON *config, const char *where, tok_step **step)
{
    static const char *const names[2] = { "suffix", NULL }, *const defaults[2] = { "</w>", NULL };
    return make(config, where, decode_bpe, TOK_DECODER_OTHER, names, defaults, step);
}

/* ---- CTC: a token said several times in a row counts once; the pad token says nothing */

static oclm_status add_ctc(const word_decoder *self, const char *text, size_t length, core_text works[2], tok_strings *out)
{
    const size_t before = out->text.length;
    oclm_status  status;
    core_text_clear(&works[0]);
    core_text_clear(&works[1]);
    if ((status = add_replaced(self->cleanup ? &works[0] : &out->text, text, length, self->first, "")) != OCLM_OK)
        return status;
    if (self->cleanup) {
        if (works[0].length > 0)
            status = tok_clean_up(works[0].data, works[0].length, true, &works[1]);
        if (status == OCLM_OK)
            status = add_replaced(&out->text, works[1].length > 0 ? works[1].data : "", works[1].length, self->second, " ");
    }
    return status == OCLM_OK && out->text.length > before ? tok_strings_end(out) : status;
}

static oclm_status decode_ctc(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    core_text   works[2] = { CORE_TEXT_INIT, CORE_TEXT_INIT };
    oclm_status status = OCLM_OK;
    const char *last = NULL;
    size_t      last_length = 0;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        const bool  again = i > 0 && length == last_length && (length == 0 || memcmp(text, last, length) == 0);
        last = text;
        last_length = length;
        if (!again)
            status = add_ctc((const word_decoder *)step, text != NULL ? text : "", length, works, out);
    }
    core_text_free(&works[0]);
    core_text_free(&works[1]);
    return status;
}

oclm_status tok_decode_ctc_make(const cJSON *config, const char *where, tok_step **step)
{
    static const char *const names[2] = { "pad_token", "word_delimiter_token" }, *const defaults[2] = { "<pad>", "|" };
    return make(config, where, decode_ctc, TOK_DECODER_OTHER, names, defaults, step);
}
