/* added_tokens.c: reading, numbering and finding added tokens. */
#include "tokenizer/added_tokens.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "tokenizer/normalize.h"
#include "tokenizer/unicode.h"

/* ---- Reading and numbering */

/* The next free id, as the reference counts: after the model's entries (their number, not their highest id) and after
 * the highest id given so far. */
int32_t tok_added_next_id(const tok_added *added, const tok_vocab *vocab)
{
    const size_t vocab_size = vocab->count + vocab->repeated;
    return (int32_t)(added->id_count > vocab_size ? added->id_count : vocab_size);
}

static oclm_status set_id(tok_added *added, tok_added_token *token, const tok_vocab *vocab, const char *origin)
{
    const int32_t wanted = token->id;
    token->id = tok_vocab_find(vocab, token->content, token->content_length);
    if (token->id < 0) {
        token->id = tok_added_next_id(added, vocab);
        if (token->id > TOK_MAX_ID)
            return core_fail(OCLM_ERR_FORMAT, "%s: added token \"%s\" would get id %" PRId32 ", more than the %d allowed", origin,
                             token->content, token->id, TOK_MAX_ID);
        if (tok_vocab_text(vocab, token->id, NULL) != NULL)
            core_log(OCLM_LOG_WARNING, "%s: added token \"%s\" gets id %" PRId32 ", which the model gives to \"%s\" too", origin,
                     token->content, token->id, tok_vocab_text(vocab, token->id, NULL));
    }
    if (wanted >= 0 && wanted != token->id)
        core_log(OCLM_LOG_WARNING, "%s: added token \"%s\" has id %" PRId32 " in the file; it gets %" PRId32
                 ", as in the reference", origin, token->content, wanted, token->id);
    if ((size_t)token->id >= added->id_count)
        added->id_count = (size_t)token->id + 1;
    return OCLM_OK;
}

tok_added_token tok_added_of(const char *text, size_t length, int32_t id, bool special)
{
    /* Its content is only read: tok_added_add() copies it. */
    return (tok_added_token){ .content = (char *)(uintptr_t)text, .content_length = length, .id = id, .special = special };
}

oclm_status tok_added_add(tok_added *added, const tok_added_token *token, const tok_vocab *vocab, const char *origin)
{
    oclm_status   status;
    const int32_t known = tok_vocab_find(&added->by_content, token->content, token->content_length);
    if (token->content_length == 0)
        return OCLM_OK; /* the reference ignores it */
    if (known >= 0) {   /* the later entry's flags win */
        tok_added_token *old = &added->tokens[known];
        old->single_word = token->single_word;
        old->lstrip = token->lstrip;
        old->rstrip = token->rstrip;
        old->normalized = token->normalized;
        old->special = token->special;
        return OCLM_OK;
    }
    if (added->count == added->capacity) {
        const size_t     capacity = added->capacity == 0 ? 16 : added->capacity * 2;
        tok_added_token *tokens = core_realloc_array(added->tokens, capacity, sizeof *tokens, "added tokens");
        if (tokens == NULL)
            return OCLM_ERR_MEMORY;
        added->tokens = tokens;
        added->capacity = capacity;
    }
    tok_added_token copy = *token;
    copy.text = NULL;
    if ((copy.content = core_copy_part(token->content, token->content_length, "an added token")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = set_id(added, &copy, vocab, origin)) != OCLM_OK ||
        (status = tok_vocab_add(&added->by_content, copy.content, copy.content_length, (int32_t)added->count)) != OCLM_OK) {
        core_free(copy.content);
        return status;
    }
    added->tokens[added->count++] = copy;
    return OCLM_OK;
}

/* The six required members of an entry, as bits. */
enum { HAS_ID = 1, HAS_CONTENT = 2, HAS_SINGLE_WORD = 4, HAS_LSTRIP = 8, HAS_RSTRIP = 16, HAS_NORMALIZED = 32, HAS_SPECIAL = 64 };

static oclm_status read_member(core_json_reader *reader, tok_added_token *token, core_text *content, unsigned *seen)
{
    const char *key, *text;
    size_t      length;
    int64_t     id;
    oclm_status status;
    const struct { const char *name; bool *value; unsigned bit; } flags[] = {
        { "single_word", &token->single_word, HAS_SINGLE_WORD }, { "lstrip", &token->lstrip, HAS_LSTRIP },
        { "rstrip", &token->rstrip, HAS_RSTRIP }, { "normalized", &token->normalized, HAS_NORMALIZED },
        { "special", &token->special, HAS_SPECIAL },
    };
    if ((status = core_json_key(reader, &key, &length)) != OCLM_OK)
        return status;
    if (core_is_word(key, length, "id")) {
        *seen |= HAS_ID;
        if ((status = core_json_int(reader, 0, INT32_MAX, &id)) == OCLM_OK)
            token->id = (int32_t)id;
        return status;
    }
    if (core_is_word(key, length, "content")) {
        *seen |= HAS_CONTENT;
        if ((status = core_json_string(reader, &text, &length)) != OCLM_OK)
            return status;
        core_text_clear(content);
        return core_text_add(content, text, length);
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        if (core_is_word(key, length, flags[i].name)) {
            *seen |= flags[i].bit;
            return core_json_bool(reader, flags[i].value);
        }
    }
    return core_json_skip(reader);
}

static oclm_status read_token(core_json_reader *reader, tok_added_token *token, core_text *content)
{
    bool        first = true, more;
    unsigned    seen = 0;
    oclm_status status = core_json_enter(reader, CORE_JSON_OBJECT);
    memset(token, 0, sizeof *token);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more)
        status = read_member(reader, token, content, &seen);
    if (status == OCLM_OK && seen != 127)
        return core_json_error(reader, "an added token lacks one of id, content, single_word, lstrip, rstrip, normalized, special");
    token->content = content->data;
    token->content_length = content->length;
    return status;
}

oclm_status tok_added_read(tok_added *added, core_json_reader *reader, const tok_vocab *vocab)
{
    bool            first = true, more;
    core_text       content = CORE_TEXT_INIT;
    tok_added_token token;
    oclm_status     status = core_json_enter(reader, CORE_JSON_ARRAY);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        if ((status = read_token(reader, &token, &content)) == OCLM_OK)
            status = tok_added_add(added, &token, vocab, reader->origin);
    }
    core_text_free(&content);
    return status;
}

/* ---- Ready to search */

static int compare_texts(const void *a, const void *b)
{
    const tok_added_token *x = *(const tok_added_token *const *)a, *y = *(const tok_added_token *const *)b;
    const size_t           shorter = x->length < y->length ? x->length : y->length;
    const int              order = memcmp(x->text, y->text, shorter);
    if (order != 0)
        return order;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id; /* of equal texts the lower id comes first, and stays */
}

static oclm_status make_set(tok_added_set *set, const tok_added *added, bool normalized)
{
    set->sorted = core_alloc_array(added->count, sizeof *set->sorted, "added tokens");
    if (set->sorted == NULL)
        return OCLM_ERR_MEMORY;
    set->count = 0;
    for (size_t i = 0; i < added->count; i++) {
        if (added->tokens[i].normalized == normalized && added->tokens[i].length > 0)
            set->sorted[set->count++] = &added->tokens[i];
    }
    if (set->count == 0)
        return OCLM_OK;
    qsort(set->sorted, set->count, sizeof *set->sorted, compare_texts);
    size_t kept = 1;
    for (size_t i = 1; i < set->count; i++) {
        const tok_added_token *last = set->sorted[kept - 1], *token = set->sorted[i];
        if (last->length != token->length || memcmp(last->text, token->text, token->length) != 0)
            set->sorted[kept++] = token;
    }
    set->count = kept;
    for (size_t byte = 0, i = 0; byte <= 256; byte++) {
        while (i < kept && (unsigned char)set->sorted[i]->text[0] < byte)
            i++;
        set->first[byte] = (uint32_t)i;
    }
    return OCLM_OK;
}

oclm_status tok_added_finish(tok_added *added, const struct tok_chain *normalizer)
{
    oclm_status status;
    added->by_id = core_alloc_zero(added->id_count, sizeof *added->by_id, "added tokens");
    if (added->by_id == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < added->count; i++) {
        tok_added_token *token = &added->tokens[i];
        core_text        text = CORE_TEXT_INIT;
        added->by_id[token->id] = (uint32_t)i + 1;
        status = token->normalized ? tok_normalize(normalizer, token->content, token->content_length, &text)
                                   : core_text_add(&text, token->content, token->content_length);
        if (status != OCLM_OK) {
            core_text_free(&text);
            return status;
        }
        if ((token->text = core_text_take(&text, &token->length)) == NULL)
            return OCLM_ERR_MEMORY;
    }
    if ((status = make_set(&added->raw, added, false)) != OCLM_OK)
        return status;
    return make_set(&added->normal, added, true);
}

void tok_added_deinit(tok_added *added)
{
    for (size_t i = 0; i < added->count; i++) {
        core_free(added->tokens[i].content);
        core_free(added->tokens[i].text);
    }
    core_free(added->tokens);
    tok_vocab_deinit(&added->by_content);
    core_free(added->by_id);
    core_free(added->raw.sorted);
    core_free(added->normal.sorted);
    memset(added, 0, sizeof *added);
}

const tok_added_token *tok_added_by_id(const tok_added *added, int32_t id)
{
    if (id < 0 || (size_t)id >= added->id_count || added->by_id[id] == 0)
        return NULL;
    return &added->tokens[added->by_id[id] - 1];
}

/* ---- Searching */

/* The first of sorted[low..high) whose byte at `depth` is at least `byte`; all of them share the bytes before. */
static size_t narrow(const tok_added_set *set, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        const size_t           middle = low + (high - low) / 2;
        const tok_added_token *token = set->sorted[middle];
        if (token->length <= depth || (unsigned char)token->text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that begins at `p`. */
const tok_added_token *tok_added_longest_at(const tok_added_set *set, const char *p, const char *end)
{
    const tok_added_token *found = NULL;
    size_t low = set->first[(unsigned char)*p], high = set->first[(unsigned char)*p + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (set->sorted[low]->length == depth)
            found = set->sorted[low]; /* shorter texts sort before longer ones that begin with them */
        if (p + depth == end)
            break;
        const unsigned byte = (unsigned char)p[depth];
        low = narrow(set, low, high, depth, byte);
        high = narrow(set, low, high, depth, byte + 1);
    }
    return found;
}

static bool is_word_at(const char *p)
{
    size_t length;
    return (tok_class_at(p, &length) & TOK_WORD) != 0;
}

/* Where the white space that ends at `p` begins, not before `begin`. */
static const char *before_spaces(const char *begin, const char *p)
{
    size_t length;
    while (p > begin) {
        const char *before = tok_char_before(begin, p);
        if (!(tok_class_at(before, &length) & TOK_SPACE))
            break;
        p = before;
    }
    return p;
}

oclm_status tok_added_split(const tok_added_set *set, const char *text, size_t length, bool split_special, tok_added_sink sink,
                            struct tok_run *run)
{
    const char *const end = text + length;
    const char       *rest = text; /* what no part covers yet begins here */
    const char       *spaces = end, *spaces_end = text; /* the run of white space met last */
    oclm_status       status = OCLM_OK;
    if (set->count == 0)
        return length > 0 ? sink(run, text, length, -1) : OCLM_OK;
    for (const char *p = text; p < end;) {
        const tok_added_token *token = NULL;
        while (p < end && (token = tok_added_longest_at(set, p, end)) == NULL)
            p++;
        if (token == NULL)
            break;
        const char *start = p, *stop = p + token->length;
        p = stop; /* the search goes on here even where the match is refused, or takes more white space */
        if (token->special && split_special)
            continue;
        if (token->single_word &&
            ((start > text && is_word_at(tok_char_before(text, start))) || (stop < end && is_word_at(stop))))
            continue;
        if (token->lstrip)
            start = rest < start ? before_spaces(rest, start) : rest;
        if (token->rstrip) {
            if (stop < spaces || stop > spaces_end) { /* else the run is known: no run is walked twice */
                spaces = stop;
                spaces_end = tok_run_of(stop, end, TOK_SPACE);
            }
            stop = spaces_end;
        }
        if (rest < start && (status = sink(run, rest, (size_t)(start - rest), -1)) != OCLM_OK)
            return status;
        /* Where the match before took all of it as white space, the token vanishes. */
        if (start < stop && (status = sink(run, start, (size_t)(stop - start), token->id)) != OCLM_OK)
            return status;
        rest = stop;
    }
    return rest < end ? sink(run, rest, (size_t)(end - rest), -1) : OCLM_OK;
}
