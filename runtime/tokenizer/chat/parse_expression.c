/* parse_expression.c: expressions, one function for each level of Jinja2's own grammar (its parser.py). */
#include <string.h>

#include "tokenizer/chat/parser.h"

static jinja_node *parse_unary(jinja_parser *p, bool with_filter);

static jinja_node *unary(jinja_parser *p, jinja_node_kind kind, jinja_node *a)
{
    jinja_node *node = a ? jinja_node_new(p, kind) : NULL;
    if (!node)
        return NULL;
    node->a = a;
    return jinja_node_done(p, node);
}

static jinja_node *binary(jinja_parser *p, jinja_node_kind kind, jinja_sign sign, jinja_node *a, jinja_node *b)
{
    jinja_node *node = a && b ? jinja_node_new(p, kind) : NULL;
    if (!node)
        return NULL;
    node->sign = (uint8_t)sign;
    node->a = a;
    node->b = b;
    return jinja_node_done(p, node);
}

static jinja_node *leaf(jinja_parser *p, jinja_node_kind kind, jinja_ref value)
{
    jinja_node *node = value ? jinja_node_new(p, kind) : NULL;
    if (!node)
        return NULL;
    node->value = value;
    return jinja_node_done(p, node);
}

/* ---- Primaries */

static bool at_tuple_end(const jinja_parser *p, const char *end)
{
    return p->token->kind == JINJA_T_VARIABLE_END || p->token->kind == JINJA_T_BLOCK_END || jinja_at_sign(p, ")") ||
           (end && jinja_at_name(p, end));
}

static jinja_node *parse_name(jinja_parser *p)
{
    static const struct {
        const char *name;
        const jinja_value *value;
    } constants[] = {
        { "true", &jinja_true },   { "True", &jinja_true }, { "false", &jinja_false },
        { "False", &jinja_false }, { "none", &jinja_none }, { "None", &jinja_none },
    };
    const jinja_ref name = p->token->value;
    for (size_t i = 0; i < COUNT(constants); i++)
        if (jinja_skip_name(p, constants[i].name))
            return leaf(p, JINJA_N_CONST, constants[i].value);
    p->token++;
    p->specials |= jinja_is_text(name, "caller")    ? JINJA_USES_CALLER
                   : jinja_is_text(name, "kwargs")  ? JINJA_USES_KWARGS
                   : jinja_is_text(name, "varargs") ? JINJA_USES_VARARGS
                                                    : 0;
    return leaf(p, JINJA_N_NAME, name);
}

static jinja_node *parse_string(jinja_parser *p)
{
    jinja_ref text = &jinja_empty;
    for (; p->token->kind == JINJA_T_STRING && text; p->token++)
        text = jinja_join2(p->run, text, p->token->value);
    return leaf(p, JINJA_N_CONST, text);
}

/* What stands between [ ] or { }, which were passed; the closing one is passed too. */
static jinja_node *parse_display(jinja_parser *p, bool dict)
{
    jinja_node *node = jinja_node_new(p, dict ? JINJA_N_DICT : JINJA_N_LIST);
    const char *closing = dict ? "}" : "]";
    jinja_nodes items = JINJA_NODES_INIT;
    if (!node)
        return NULL;
    while (!jinja_at_sign(p, closing)) {
        if (items.count > 0 && !jinja_expect_sign(p, ","))
            return NULL;
        if (jinja_at_sign(p, closing))
            break;
        if (!jinja_nodes_add(p, &items, jinja_parse_expression(p)))
            return NULL;
        if (dict && (!jinja_expect_sign(p, ":") || !jinja_nodes_add(p, &items, jinja_parse_expression(p))))
            return NULL;
    }
    p->token++;
    return jinja_node_of(p, node, &items);
}

static jinja_node *tuple_of(jinja_parser *p, const jinja_nodes *items)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_TUPLE);
    if (!node)
        return NULL;
    return jinja_node_of(p, node, items);
}

/* `parse` gives one element. With `empty`, () is a tuple. */
static jinja_node *parse_tuple_of(jinja_parser *p, jinja_node *(*parse)(jinja_parser *), const char *end, bool empty)
{
    jinja_nodes items = JINJA_NODES_INIT;
    bool is_tuple = false;
    for (;;) {
        if (items.count > 0 && !jinja_expect_sign(p, ","))
            return NULL;
        if (at_tuple_end(p, end))
            break;
        if (!jinja_nodes_add(p, &items, parse(p)))
            return NULL;
        if (!jinja_at_sign(p, ","))
            break;
        is_tuple = true;
    }
    if (!is_tuple && items.count > 0)
        return items.items[0];
    if (!is_tuple && !empty)
        return jinja_unexpected(p, "an expression");
    return tuple_of(p, &items);
}

jinja_node *jinja_parse_tuple(jinja_parser *p, bool condition, const char *end)
{
    return parse_tuple_of(p, condition ? jinja_parse_expression : jinja_parse_or, end, false);
}

static jinja_node *parse_primary(jinja_parser *p)
{
    const jinja_token *token = p->token;
    jinja_node *node;
    switch (token->kind) {
    case JINJA_T_NAME:
        return parse_name(p);
    case JINJA_T_STRING:
        return parse_string(p);
    case JINJA_T_INT:
    case JINJA_T_FLOAT:
        p->token++;
        return leaf(p, JINJA_N_CONST, token->value);
    default:
        break;
    }
    if (jinja_skip_sign(p, "(")) {
        node = parse_tuple_of(p, jinja_parse_expression, NULL, true);
        return node && jinja_expect_sign(p, ")") ? node : NULL;
    }
    if (jinja_skip_sign(p, "["))
        return parse_display(p, false);
    if (jinja_skip_sign(p, "{"))
        return parse_display(p, true);
    return jinja_unexpected(p, "an expression");
}

/* ---- Targets */

static jinja_node *parse_target_or_ns(jinja_parser *p)
{
    const jinja_ref name = p->token->kind == JINJA_T_NAME ? p->token->value : NULL;
    jinja_node *node;
    if (!name || p->token[1].kind != JINJA_T_OPERATOR || strcmp(p->token[1].sign, ".") != 0)
        return parse_primary(p);
    p->token += 2;
    if (!(node = jinja_node_new(p, JINJA_N_NSREF)) || !(node->other = jinja_expect_any_name(p)))
        return NULL;
    node->value = name;
    return jinja_node_done(p, node);
}

static bool can_assign(const jinja_node *node)
{
    if (node->kind == JINJA_N_NAME || node->kind == JINJA_N_NSREF)
        return true;
    if (node->kind != JINJA_N_TUPLE)
        return false;
    for (size_t i = 0; i < node->count; i++)
        if (!can_assign(node->items[i]))
            return false;
    return true;
}

jinja_node *jinja_parse_target(jinja_parser *p, const char *end, bool ns)
{
    jinja_node *node = parse_tuple_of(p, ns ? parse_target_or_ns : parse_primary, end, false);
    if (node && !can_assign(node)) {
        p->run->line = node->line;
        return jinja_fail(
            p->run,
            "can't assign to what stands there: it must be a name, names with commas between, or namespace.name");
    }
    return node;
}

/* ---- What follows a primary */

static bool parse_arguments(jinja_parser *p, jinja_node *call)
{
    jinja_nodes items = JINJA_NODES_INIT, named = JINJA_NODES_INIT;
    bool comma = false;
    if (!jinja_expect_sign(p, "("))
        return false;
    while (!jinja_at_sign(p, ")")) {
        if (comma && !jinja_expect_sign(p, ","))
            return false;
        if (comma && jinja_at_sign(p, ")"))
            break;
        if (!call->star && !call->star_star && jinja_skip_sign(p, "*")) {
            if (!(call->star = jinja_parse_expression(p)))
                return false;
        } else if (!call->star_star && jinja_skip_sign(p, "**")) {
            if (!(call->star_star = jinja_parse_expression(p)))
                return false;
        } else if (!call->star_star && p->token->kind == JINJA_T_NAME && p->token[1].kind == JINJA_T_OPERATOR &&
                   strcmp(p->token[1].sign, "=") == 0) {
            jinja_node *name = leaf(p, JINJA_N_NAME, p->token->value);
            p->token += 2;
            if (!jinja_nodes_add(p, &named, name) || !jinja_nodes_add(p, &named, jinja_parse_expression(p)))
                return false;
        } else if (call->star || call->star_star || named.count > 0) {
            return jinja_fail(p->run, "invalid syntax for function call expression") != NULL;
        } else if (!jinja_nodes_add(p, &items, jinja_parse_expression(p))) {
            return false;
        }
        comma = true;
    }
    p->token++;
    call->items = items.items;
    call->count = items.count;
    call->more = named.items;
    call->more_count = named.count;
    return true;
}

static jinja_node *parse_call(jinja_parser *p, jinja_node *callee)
{
    jinja_node *node = jinja_node_new(p, JINJA_N_CALL);
    if (!node)
        return NULL;
    node->a = callee;
    return parse_arguments(p, node) ? jinja_node_done(p, node) : NULL;
}

/* A part of a slice, which may be missing. */
static bool parse_bound(jinja_parser *p, jinja_node **bound)
{
    if (jinja_at_sign(p, ":") || jinja_at_sign(p, "]") || jinja_at_sign(p, ","))
        return true;
    return (*bound = jinja_parse_expression(p)) != NULL;
}

static jinja_node *parse_subscribed(jinja_parser *p)
{
    jinja_node *first = NULL, *node;
    if (!jinja_at_sign(p, ":") && !(first = jinja_parse_expression(p)))
        return NULL;
    if (!jinja_skip_sign(p, ":"))
        return first;
    if (!(node = jinja_node_new(p, JINJA_N_SLICE)))
        return NULL;
    node->a = first;
    if (!parse_bound(p, &node->b) || (jinja_skip_sign(p, ":") && !parse_bound(p, &node->c)))
        return NULL;
    return jinja_node_done(p, node);
}

static jinja_node *parse_brackets(jinja_parser *p, jinja_node *owner)
{
    jinja_nodes items = JINJA_NODES_INIT;
    while (!jinja_at_sign(p, "]"))
        if ((items.count > 0 && !jinja_expect_sign(p, ",")) || !jinja_nodes_add(p, &items, parse_subscribed(p)))
            return NULL;
    p->token++;
    return binary(p, JINJA_N_ITEM, JINJA_ADD, owner, items.count == 1 ? items.items[0] : tuple_of(p, &items));
}

static jinja_node *parse_dot(jinja_parser *p, jinja_node *owner)
{
    const jinja_token *token = p->token++;
    jinja_node *node;
    if (token->kind == JINJA_T_INT)
        return binary(p, JINJA_N_ITEM, JINJA_ADD, owner, leaf(p, JINJA_N_CONST, token->value));
    if (token->kind != JINJA_T_NAME) {
        p->token--;
        return jinja_unexpected(p, "name or number");
    }
    if (!(node = jinja_node_new(p, JINJA_N_ATTRIBUTE)))
        return NULL;
    node->a = owner;
    node->value = token->value;
    return jinja_node_done(p, node);
}

static jinja_node *parse_postfix(jinja_parser *p, jinja_node *node)
{
    while (node) {
        if (jinja_skip_sign(p, "."))
            node = parse_dot(p, node);
        else if (jinja_skip_sign(p, "["))
            node = parse_brackets(p, node);
        else if (jinja_at_sign(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* A filter's or test's name, which may have dots. */
static jinja_ref parse_dotted(jinja_parser *p)
{
    jinja_ref name = jinja_expect_any_name(p);
    while (name && jinja_skip_sign(p, ".")) {
        const jinja_ref dot = jinja_word(p->run, "."), more = jinja_expect_any_name(p);
        if (!dot || !more || !(name = jinja_join2(p->run, name, dot)))
            return NULL;
        name = jinja_join2(p->run, name, more);
    }
    return name;
}

jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *node, bool inline_first)
{
    while (inline_first || jinja_skip_sign(p, "|")) {
        jinja_node *filter = jinja_node_new(p, JINJA_N_FILTER);
        if (!filter || !(filter->value = parse_dotted(p)))
            return NULL;
        filter->a = node;
        if (jinja_at_sign(p, "(") && !parse_arguments(p, filter))
            return NULL;
        if (!(node = jinja_node_done(p, filter)))
            return NULL;
        inline_first = false;
    }
    return node;
}

/* Whether the token may begin an argument that stands without brackets: x is divisibleby 3. */
static bool at_bare_argument(const jinja_parser *p)
{
    switch (p->token->kind) {
    case JINJA_T_NAME:
        return !jinja_at_name(p, "else") && !jinja_at_name(p, "or") && !jinja_at_name(p, "and");
    case JINJA_T_STRING:
    case JINJA_T_INT:
    case JINJA_T_FLOAT:
        return true;
    default:
        return jinja_at_sign(p, "[") || jinja_at_sign(p, "{");
    }
}

static jinja_node *parse_test(jinja_parser *p, jinja_node *node)
{
    const bool negated = jinja_skip_name(p, "not");
    jinja_node *test = jinja_node_new(p, JINJA_N_TEST);
    if (!test || !(test->value = parse_dotted(p)))
        return NULL;
    test->a = node;
    if (jinja_at_sign(p, "(")) {
        if (!parse_arguments(p, test))
            return NULL;
    } else if (at_bare_argument(p)) {
        jinja_nodes items = JINJA_NODES_INIT;
        if (jinja_at_name(p, "is"))
            return jinja_fail(p->run, "You cannot chain multiple tests with is");
        if (!jinja_nodes_add(p, &items, parse_postfix(p, parse_primary(p))))
            return NULL;
        test->items = items.items;
        test->count = items.count;
    }
    node = jinja_node_done(p, test);
    return negated ? unary(p, JINJA_N_NOT, node) : node;
}

static jinja_node *parse_filter_expression(jinja_parser *p, jinja_node *node)
{
    while (node) {
        if (jinja_at_sign(p, "|"))
            node = jinja_parse_filters(p, node, false);
        else if (jinja_skip_name(p, "is"))
            node = parse_test(p, node);
        else if (jinja_at_sign(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* ---- Operators, the strongest first */

static jinja_node *parse_unary_inside(jinja_parser *p, bool with_filter)
{
    jinja_node *node = jinja_skip_sign(p, "-")   ? unary(p, JINJA_N_NEGATIVE, parse_unary(p, false))
                       : jinja_skip_sign(p, "+") ? unary(p, JINJA_N_POSITIVE, parse_unary(p, false))
                                                 : parse_primary(p);
    node = parse_postfix(p, node);
    return with_filter ? parse_filter_expression(p, node) : node;
}

static jinja_node *parse_unary(jinja_parser *p, bool with_filter)
{
    jinja_node *node;
    if (!jinja_deeper(p))
        return NULL;
    node = parse_unary_inside(p, with_filter);
    p->nesting--;
    return node;
}

static jinja_node *parse_pow(jinja_parser *p)
{
    jinja_node *left = parse_unary(p, true);
    while (left && jinja_skip_sign(p, "**"))
        left = binary(p, JINJA_N_BINARY, JINJA_POW, left, parse_unary(p, true));
    return left;
}

typedef struct operator_row {
    const char *text;
    jinja_sign sign;
} operator_row;

/* The operator that stands here, which is passed; NULL: none of these. */
static const operator_row *skip_operator(jinja_parser *p, const operator_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jinja_skip_sign(p, rows[i].text))
            return &rows[i];
    return NULL;
}

/* Operands with operators of one strength between them, joined from the left. */
static jinja_node *parse_row(jinja_parser *p, jinja_node *(*operand)(jinja_parser *), const operator_row *rows, size_t count)
{
    const operator_row *found;
    jinja_node *left = operand(p);
    while (left && (found = skip_operator(p, rows, count)))
        left = binary(p, JINJA_N_BINARY, found->sign, left, operand(p));
    return left;
}

static jinja_node *parse_product(jinja_parser *p)
{
    static const operator_row rows[] = { { "*", JINJA_MUL }, { "/", JINJA_DIV }, { "//", JINJA_FLOOR_DIV }, { "%", JINJA_MOD } };
    return parse_row(p, parse_pow, rows, COUNT(rows));
}

static jinja_node *parse_concat(jinja_parser *p)
{
    jinja_nodes items = JINJA_NODES_INIT;
    jinja_node *node;
    if (!jinja_nodes_add(p, &items, parse_product(p)))
        return NULL;
    while (jinja_skip_sign(p, "~"))
        if (!jinja_nodes_add(p, &items, parse_product(p)))
            return NULL;
    if (items.count == 1)
        return items.items[0];
    if (!(node = jinja_node_new(p, JINJA_N_CONCAT)))
        return NULL;
    return jinja_node_of(p, node, &items);
}

static jinja_node *parse_sum(jinja_parser *p)
{
    static const operator_row rows[] = { { "+", JINJA_ADD }, { "-", JINJA_SUB } };
    return parse_row(p, parse_concat, rows, COUNT(rows));
}

/* A comparison's sign, if one follows; it is passed. */
static bool comparison(jinja_parser *p, jinja_sign *sign)
{
    static const operator_row signs[] = {
        { "==", JINJA_EQ }, { "!=", JINJA_NE }, { "<", JINJA_LT },
        { "<=", JINJA_LE }, { ">", JINJA_GT },  { ">=", JINJA_GE },
    };
    const operator_row *found = skip_operator(p, signs, COUNT(signs));
    if (found) {
        *sign = found->sign;
        return true;
    }
    *sign = JINJA_IN;
    if (jinja_skip_name(p, "in"))
        return true;
    *sign = JINJA_NOT_IN;
    if (!jinja_at_name(p, "not") || p->token[1].kind != JINJA_T_NAME || !jinja_is_text(p->token[1].value, "in"))
        return false;
    p->token += 2;
    return true;
}

static jinja_node *parse_compare(jinja_parser *p)
{
    jinja_node *first = parse_sum(p), *node;
    jinja_nodes items = JINJA_NODES_INIT;
    uint8_t signs[JINJA_MAX_NESTING];
    jinja_sign sign;
    while (first && comparison(p, &sign)) {
        if (items.count == sizeof signs)
            return jinja_fail(p->run, "more than %u comparisons in a row", JINJA_MAX_NESTING);
        signs[items.count] = (uint8_t)sign;
        if (!jinja_nodes_add(p, &items, parse_sum(p)))
            return NULL;
    }
    if (!first || items.count == 0)
        return first;
    if (!(node = jinja_node_new(p, JINJA_N_COMPARE)) || !(node->signs = jinja_take(p->run, items.count)))
        return NULL;
    memcpy(node->signs, signs, items.count);
    node->a = first;
    return jinja_node_of(p, node, &items);
}

static jinja_node *parse_not(jinja_parser *p)
{
    jinja_node *node;
    if (!jinja_at_name(p, "not"))
        return parse_compare(p);
    if (!jinja_deeper(p))
        return NULL;
    p->token++;
    node = unary(p, JINJA_N_NOT, parse_not(p));
    p->nesting--;
    return node;
}

static jinja_node *parse_and(jinja_parser *p)
{
    jinja_node *left = parse_not(p);
    while (left && jinja_skip_name(p, "and"))
        left = binary(p, JINJA_N_AND, JINJA_ADD, left, parse_not(p));
    return left;
}

jinja_node *jinja_parse_or(jinja_parser *p)
{
    jinja_node *left = parse_and(p);
    while (left && jinja_skip_name(p, "or"))
        left = binary(p, JINJA_N_OR, JINJA_ADD, left, parse_and(p));
    return left;
}

jinja_node *jinja_parse_expression(jinja_parser *p)
{
    jinja_node *node;
    if (!jinja_deeper(p))
        return NULL;
    node = jinja_parse_or(p);
    while (node && jinja_skip_name(p, "if")) {
        jinja_node *condition = jinja_node_new(p, JINJA_N_CONDITION);
        if (!condition)
            return NULL;
        condition->a = node;
        if (!(condition->b = jinja_parse_or(p)) ||
            (jinja_skip_name(p, "else") && !(condition->c = jinja_parse_expression(p))))
            return NULL;
        node = jinja_node_done(p, condition);
    }
    p->nesting--;
    return node;
}
