/* parser.c: statements: text, prints and blocks, after Jinja2's own parser. Deviations are refusals: what loads other
 * templates fails when it is reached (there is no loader, in the reference neither), {% block %} and {% autoescape %}
 * when they are read. */
#include "tokenizer/chat/parser.h"

#include <string.h>

/* ---- What both halves share */

jinja_node *jinja_node_new(jinja_parser *p, jinja_node_kind kind)
{
    jinja_node *node = jinja_take(p->run, sizeof *node);
    if (!node)
        return NULL;
    memset(node, 0, sizeof *node);
    node->kind = (uint8_t)kind;
    node->line = p->run->line = p->token->line;
    return node;
}

static void raise(uint32_t *height, const jinja_node *below)
{
    if (below && below->height > *height)
        *height = below->height;
}

jinja_node *jinja_node_done(jinja_parser *p, jinja_node *node)
{
    const jinja_node *below[] = {
        node->a, node->b, node->c, node->filter, node->otherwise, node->star, node->star_star
    };
    uint32_t height = 0;
    for (size_t i = 0; i < COUNT(below); i++)
        raise(&height, below[i]);
    for (size_t i = 0; i < node->count; i++)
        raise(&height, node->items[i]);
    for (size_t i = 0; i < node->more_count; i++)
        raise(&height, node->more[i]);
    if (height >= JINJA_MAX_HEIGHT)
        return jinja_fail(p->run, "an expression of more than %u operators in a row or nested, which is the limit",
                          JINJA_MAX_HEIGHT);
    node->height = (uint16_t)(height + 1);
    return node;
}

jinja_node *jinja_node_of(jinja_parser *p, jinja_node *node, const jinja_nodes *items)
{
    node->items = items->items;
    node->count = items->count;
    return jinja_node_done(p, node);
}

bool jinja_nodes_add(jinja_parser *p, jinja_nodes *list, jinja_node *node)
{
    if (!node)
        return false;
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 4;
        jinja_node **items = jinja_take(p->run, capacity * sizeof(jinja_node *));
        if (!items)
            return false;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(jinja_node *));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = node;
    return true;
}

bool jinja_at_sign(const jinja_parser *p, const char *sign)
{
    return p->token->kind == JINJA_T_OPERATOR && strcmp(p->token->sign, sign) == 0;
}

bool jinja_at_name(const jinja_parser *p, const char *name)
{
    return p->token->kind == JINJA_T_NAME && jinja_is_text(p->token->value, name);
}

bool jinja_skip_sign(jinja_parser *p, const char *sign)
{
    const bool there = jinja_at_sign(p, sign);
    p->token += there;
    return there;
}

bool jinja_skip_name(jinja_parser *p, const char *name)
{
    const bool there = jinja_at_name(p, name);
    p->token += there;
    return there;
}

void *jinja_unexpected(jinja_parser *p, const char *wanted)
{
    const jinja_token *token = p->token;
    p->run->line = token->line;
    switch (token->kind) {
    case JINJA_T_END:
        return jinja_fail(p->run, "unexpected end of template, expected '%s'.", wanted);
    case JINJA_T_BLOCK_END:
        return jinja_fail(p->run, "expected token '%s', got 'end of statement block'", wanted);
    case JINJA_T_VARIABLE_END:
        return jinja_fail(p->run, "expected token '%s', got 'end of print statement'", wanted);
    case JINJA_T_OPERATOR:
        return jinja_fail(p->run, "expected token '%s', got '%s'", wanted, token->sign);
    case JINJA_T_NAME:
        return jinja_fail(p->run, "expected token '%s', got '%.*s'", wanted, (int)token->value->as.text.length,
                          token->value->as.text.data);
    case JINJA_T_STRING:
        return jinja_fail(p->run, "expected token '%s', got 'string'", wanted);
    case JINJA_T_INT:
        return jinja_fail(p->run, "expected token '%s', got 'integer'", wanted);
    case JINJA_T_FLOAT:
        return jinja_fail(p->run, "expected token '%s', got 'float'", wanted);
    default:
        return jinja_fail(p->run, "expected token '%s', got template text", wanted);
    }
}

bool jinja_expect_sign(jinja_parser *p, const char *sign)
{
    return jinja_skip_sign(p, sign) || jinja_unexpected(p, sign) != NULL;
}

bool jinja_expect_name(jinja_parser *p, const char *name)
{
    return jinja_skip_name(p, name) || jinja_unexpected(p, name) != NULL;
}

jinja_ref jinja_expect_any_name(jinja_parser *p)
{
    if (p->token->kind != JINJA_T_NAME)
        return jinja_unexpected(p, "name");
    return p->token++->value;
}

bool jinja_deeper(jinja_parser *p)
{
    if (p->nesting >= JINJA_MAX_NESTING)
        return jinja_fail(p->run, "expressions or blocks nested more than %u deep, which is the limit",
                          JINJA_MAX_NESTING) != NULL;
    p->nesting++;
    return true;
}

/* ---- Statements */

/* What ends a body: up to three names, NULL-ended. */
typedef const char *const ends[4];

static jinja_node *parse_body(jinja_parser *p, ends until, const char *innermost);

/* A body from its block's end on, up to one of `until`, which is then the current token; with `drop` it is passed. */
static jinja_node *parse_statements(jinja_parser *p, ends until, const char *innermost, bool drop)
{
    jinja_node *body;
    (void)jinja_skip_sign(p, ":");
    if (p->token->kind != JINJA_T_BLOCK_END)
        return jinja_unexpected(p, "end of statement block");
    p->token++;
    if ((body = parse_body(p, until, innermost)) && drop)
        p->token++;
    return body;
}

static jinja_node *parse_if(jinja_parser *p)
{
    static ends until = { "elif", "else", "endif" }, until_end = { "endif" };
    jinja_node *node = jinja_node_new(p, JINJA_N_IF);
    jinja_nodes items = JINJA_NODES_INIT;
    if (!node)
        return NULL;
    do
        if (!jinja_nodes_add(p, &items, jinja_parse_tuple(p, false, NULL)) ||
            !jinja_nodes_add(p, &items, parse_statements(p, until, "if", false)))
            return NULL;
    while (jinja_skip_name(p, "elif"));
    if (!jinja_skip_name(p, "else"))
        p->token++;
    else if (!(node->c = parse_statements(p, until_end, "if", true)))
        return NULL;
    return jinja_node_of(p, node, &items);
}

static jinja_node *parse_for(jinja_parser *p)
{
    static ends until = { "endfor", "else" }, until_end = { "endfor" };
    jinja_node *node = jinja_node_new(p, JINJA_N_FOR);
    if (!node || !(node->a = jinja_parse_target(p, "in", false)) || !jinja_expect_name(p, "in") ||
        !(node->b = jinja_parse_tuple(p, false, "recursive")))
        return NULL;
    if (jinja_skip_name(p, "if") && !(node->filter = jinja_parse_expression(p)))
        return NULL;
    node->flag = jinja_skip_name(p, "recursive");
    if (!(node->c = parse_statements(p, until, "for", false)))
        return NULL;
    if (jinja_skip_name(p, "endfor"))
        return jinja_node_done(p, node);
    p->token++;
    return (node->otherwise = parse_statements(p, until_end, "for", true)) ? jinja_node_done(p, node) : NULL;
}

static jinja_node *parse_set(jinja_parser *p)
{
    static ends until = { "endset" };
    jinja_node *node = jinja_node_new(p, JINJA_N_SET);
    if (!node || !(node->a = jinja_parse_target(p, NULL, true)))
        return NULL;
    if (jinja_skip_sign(p, "="))
        return (node->b = jinja_parse_tuple(p, true, NULL)) ? jinja_node_done(p, node) : NULL;
    node->kind = JINJA_N_SET_BLOCK;
    if (jinja_at_sign(p, "|") && !(node->b = jinja_parse_filters(p, NULL, false)))
        return NULL;
    return (node->c = parse_statements(p, until, "set", true)) ? jinja_node_done(p, node) : NULL;
}

/* (a, b=1): names into items, defaults of the last ones into more. */
static bool parse_signature(jinja_parser *p, jinja_node *macro)
{
    jinja_nodes names = JINJA_NODES_INIT, defaults = JINJA_NODES_INIT;
    if (!jinja_expect_sign(p, "("))
        return false;
    while (!jinja_at_sign(p, ")")) {
        jinja_node *name;
        if (names.count > 0 && !jinja_expect_sign(p, ","))
            return false;
        if (!(name = jinja_node_new(p, JINJA_N_NAME)) || !(name->value = jinja_expect_any_name(p)) ||
            !jinja_nodes_add(p, &names, jinja_node_done(p, name)))
            return false;
        if (jinja_skip_sign(p, "=")) {
            if (!jinja_nodes_add(p, &defaults, jinja_parse_expression(p)))
                return false;
        } else if (defaults.count > 0) {
            return jinja_fail(p->run, "non-default argument follows default argument") != NULL;
        }
    }
    p->token++;
    macro->items = names.items;
    macro->count = names.count;
    macro->more = defaults.items;
    macro->more_count = defaults.count;
    return true;
}

/* A macro's body, and which of the names with a meaning it reads. */
static jinja_node *parse_macro_body(jinja_parser *p, jinja_node *macro, ends until, const char *word)
{
    const uint8_t outside = p->specials;
    p->specials = 0;
    if (!(macro->c = parse_statements(p, until, word, true)))
        return NULL;
    macro->sign = p->specials;
    p->specials |= outside;
    return jinja_node_done(p, macro);
}

static jinja_node *parse_macro(jinja_parser *p)
{
    static ends until = { "endmacro" };
    jinja_node *node = jinja_node_new(p, JINJA_N_MACRO);
    if (!node || !(node->value = jinja_expect_any_name(p)) || !parse_signature(p, node))
        return NULL;
    return parse_macro_body(p, node, until, "macro");
}

static jinja_node *parse_call_block(jinja_parser *p)
{
    static ends until = { "endcall" };
    jinja_node *node = jinja_node_new(p, JINJA_N_CALL_BLOCK);
    if (!node || !(node->b = jinja_node_new(p, JINJA_N_MACRO)))
        return NULL;
    if (jinja_at_sign(p, "(") && !parse_signature(p, node->b))
        return NULL;
    if (!(node->a = jinja_parse_expression(p)))
        return NULL;
    if (node->a->kind != JINJA_N_CALL)
        return jinja_fail(p->run, "expected call");
    return parse_macro_body(p, node->b, until, "call") ? jinja_node_done(p, node) : NULL;
}

static jinja_node *parse_filter_block(jinja_parser *p)
{
    static ends until = { "endfilter" };
    jinja_node *node = jinja_node_new(p, JINJA_N_FILTER_BLOCK);
    if (!node || !(node->b = jinja_parse_filters(p, NULL, true)) ||
        !(node->c = parse_statements(p, until, "filter", true)))
        return NULL;
    return jinja_node_done(p, node);
}

static jinja_node *parse_with(jinja_parser *p)
{
    static ends until = { "endwith" };
    jinja_node *node = jinja_node_new(p, JINJA_N_WITH);
    jinja_nodes items = JINJA_NODES_INIT;
    if (!node)
        return NULL;
    while (p->token->kind != JINJA_T_BLOCK_END)
        if ((items.count > 0 && !jinja_expect_sign(p, ",")) ||
            !jinja_nodes_add(p, &items, jinja_parse_target(p, NULL, false)) || !jinja_expect_sign(p, "=") ||
            !jinja_nodes_add(p, &items, jinja_parse_expression(p)))
            return NULL;
    node->items = items.items;
    node->count = items.count;
    return (node->c = parse_statements(p, until, "with", true)) ? jinja_node_done(p, node) : NULL;
}

static jinja_node *parse_print(jinja_parser *p)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_PRINT);
    jinja_nodes items = JINJA_NODES_INIT;
    if (!node)
        return NULL;
    while (p->token->kind != JINJA_T_BLOCK_END)
        if ((items.count > 0 && !jinja_expect_sign(p, ",")) || !jinja_nodes_add(p, &items, jinja_parse_expression(p)))
            return NULL;
    return jinja_node_of(p, node, &items);
}

static jinja_node *parse_generation(jinja_parser *p)
{
    static ends until = { "endgeneration" };
    jinja_node *node = jinja_node_new(p, JINJA_N_SCOPE);
    return node && (node->c = parse_statements(p, until, "generation", true)) ? jinja_node_done(p, node) : NULL;
}

static jinja_node *parse_break(jinja_parser *p)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_BREAK);
    return node ? jinja_node_done(p, node) : NULL;
}

static jinja_node *parse_continue(jinja_parser *p)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_CONTINUE);
    return node ? jinja_node_done(p, node) : NULL;
}

/* Of other templates: only reaching it is an error. Its words are passed unread. */
static jinja_node *parse_loading(jinja_parser *p)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_REFUSE);
    if (!node || !(node->value = jinja_word(p->run, "no loader for this environment specified")))
        return NULL;
    while (p->token->kind != JINJA_T_BLOCK_END && p->token->kind != JINJA_T_END)
        p->token++;
    return jinja_node_done(p, node);
}

static jinja_node *parse_unsupported(jinja_parser *p)
{
    return jinja_fail_as(p->run, OCLM_ERR_UNSUPPORTED,
                         "{%% block %%} and {%% autoescape %%} are not supported; no chat template needs them");
}

static jinja_node *unknown_tag(jinja_parser *p, jinja_ref name, ends until, const char *innermost)
{
    const int length = (int)name->as.text.length;
    const char *text = name->as.text.data;
    if (!until)
        return jinja_fail(p->run, "Encountered unknown tag '%.*s'.", length, text);
    return jinja_fail(p->run,
                      "Encountered unknown tag '%.*s'. Jinja was looking for the following tags: '%s'%s%s%s%s%s%s. The "
                      "innermost block "
                      "that needs to be closed is '%s'.",
                      length, text, until[0], until[1] ? " or '" : "", until[1] ? until[1] : "", until[1] ? "'" : "",
                      until[1] && until[2] ? " or '" : "", until[1] && until[2] ? until[2] : "",
                      until[1] && until[2] ? "'" : "", innermost);
}

static jinja_node *parse_statement(jinja_parser *p, ends until, const char *innermost)
{
    static const struct {
        const char *name;
        jinja_node *(*parse)(jinja_parser *);
    } statements[] = {
        { "if", parse_if },
        { "for", parse_for },
        { "set", parse_set },
        { "macro", parse_macro },
        { "generation", parse_generation },
        { "break", parse_break },
        { "continue", parse_continue },
        { "call", parse_call_block },
        { "filter", parse_filter_block },
        { "with", parse_with },
        { "print", parse_print },
        { "include", parse_loading },
        { "import", parse_loading },
        { "from", parse_loading },
        { "extends", parse_loading },
        { "block", parse_unsupported },
        { "autoescape", parse_unsupported },
    };
    p->run->line = p->token->line;
    if (p->token->kind != JINJA_T_NAME)
        return jinja_fail(p->run, "tag name expected");
    for (size_t i = 0; i < COUNT(statements); i++)
        if (jinja_skip_name(p, statements[i].name))
            return statements[i].parse(p);
    return unknown_tag(p, p->token->value, until, innermost);
}

/* One of the pieces of a body; NULL with `*ended` at one of `until`. */
static jinja_node *parse_piece(jinja_parser *p, ends until, const char *innermost, bool *ended)
{
    jinja_node *node;
    *ended = false;
    if (p->token->kind == JINJA_T_DATA) {
        if (!(node = jinja_node_new(p, JINJA_N_DATA)))
            return NULL;
        node->value = p->token++->value;
        return jinja_node_done(p, node);
    }
    if (p->token->kind == JINJA_T_VARIABLE_BEGIN) {
        jinja_nodes items = JINJA_NODES_INIT;
        if (!(node = jinja_node_new(p, JINJA_N_PRINT)))
            return NULL;
        p->token++;
        if (!jinja_nodes_add(p, &items, jinja_parse_tuple(p, true, NULL)))
            return NULL;
        if (p->token->kind != JINJA_T_VARIABLE_END)
            return jinja_unexpected(p, "end of print statement");
        p->token++;
        return jinja_node_of(p, node, &items);
    }
    p->token++; /* "{%": the lexer gives nothing else outside of a tag */
    for (size_t i = 0; until && until[i]; i++)
        if (jinja_at_name(p, until[i])) {
            *ended = true;
            return NULL;
        }
    if (!(node = parse_statement(p, until, innermost)))
        return NULL;
    if (p->token->kind != JINJA_T_BLOCK_END)
        return jinja_unexpected(p, "end of statement block");
    p->token++;
    return node;
}

/* Pieces up to one of `until` (NULL: to the end of the template), as one BLOCK. */
static jinja_node *parse_body(jinja_parser *p, ends until, const char *innermost)
{
    jinja_node *block = jinja_node_new(p, JINJA_N_BLOCK), *piece = NULL;
    jinja_nodes items = JINJA_NODES_INIT;
    bool ended = false;
    if (!block || !jinja_deeper(p))
        return NULL;
    while (p->token->kind != JINJA_T_END && (piece = parse_piece(p, until, innermost, &ended)))
        if (!jinja_nodes_add(p, &items, piece))
            return NULL;
    if (p->run->status != OCLM_OK)
        return NULL;
    if (until && !ended)
        return jinja_fail(p->run,
                          "Unexpected end of template. Jinja was looking for the following tags: '%s'. The innermost "
                          "block that needs "
                          "to be closed is '%s'.",
                          until[0], innermost);
    p->nesting--;
    block->items = items.items;
    block->count = items.count;
    return jinja_node_done(p, block);
}

/* ---- The whole */

/* Line ends become "\n", and one at the end of the template goes. */
static bool normalize_lines(jinja_run *run, const char **source, size_t *length)
{
    size_t kept = 0;
    if (memchr(*source, '\r', *length)) {
        char *copy = jinja_take_bytes(run, *length);
        if (!copy)
            return false;
        for (size_t i = 0; i < *length; i++)
            if ((*source)[i] != '\r')
                copy[kept++] = (*source)[i];
            else if (i + 1 >= *length || (*source)[i + 1] != '\n')
                copy[kept++] = '\n';
        *source = copy;
        *length = kept;
    }
    if (*length > 0 && (*source)[*length - 1] == '\n')
        (*length)--;
    return true;
}

jinja_node *jinja_parse(jinja_run *run, const char *source, size_t length)
{
    jinja_parser p = { .run = run };
    jinja_tokens tokens;
    size_t bad;
    if (length > JINJA_MAX_SOURCE)
        return jinja_fail(run, "has %zu bytes; a template may have %zu", length, JINJA_MAX_SOURCE);
    if ((bad = core_utf8_check(source, length)) != SIZE_MAX)
        return jinja_fail(run, "is no valid UTF-8 at byte %zu", bad);
    if (!normalize_lines(run, &source, &length) || !jinja_lex(run, source, length, &tokens))
        return NULL;
    p.token = tokens.items;
    return parse_body(&p, NULL, NULL);
}
