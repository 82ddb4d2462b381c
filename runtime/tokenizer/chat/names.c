/* names.c: which names of a block are its own before they are set. Jinja2 decides by the source, not by what happens: a
 * name that a block (the template, a loop's body, a macro) sets before it reads it is undefined until then, also for
 * blocks inside, even where the caller gave a variable of that name. One that is set under an if, or read first, begins
 * with the value from outside. (compiler.py, idtracking.py) */
#include "tokenizer/chat/names.h"

typedef struct frame {
    const struct frame *outer;
    jinja_run *run;
    jinja_dict *known; /* names read or set here: true where the first was an unconditional set */
    uint32_t ifs;      /* that the walk is in */
} frame;

static bool walk(frame *f, const jinja_node *node);
static bool enter_blocks(jinja_run *run, const frame *outer, const jinja_node *node);

/* ---- One frame: what it reads and sets, in the order of the source */

static bool is_known(const frame *f, jinja_ref name)
{
    for (; f; f = f->outer)
        if (jinja_dict_get(f->known, name->as.text.data, name->as.text.length))
            return true;
    return false;
}

static bool note(frame *f, jinja_ref name, bool set)
{
    if (jinja_dict_get(f->known, name->as.text.data, name->as.text.length))
        return true;
    return jinja_dict_set(f->run, f->known, name, jinja_bool(set && f->ifs == 0 && !is_known(f->outer, name)));
}

static bool walk_all(frame *f, jinja_node *const *items, size_t count, size_t first, size_t step)
{
    for (size_t i = first; i < count; i += step)
        if (!walk(f, items[i]))
            return false;
    return true;
}

static bool walk_target(frame *f, const jinja_node *target, bool parameter)
{
    if (target->kind == JINJA_N_NAME && parameter)
        return jinja_dict_set(f->run, f->known, target->value, &jinja_false);
    if (target->kind == JINJA_N_NAME || target->kind == JINJA_N_NSREF)
        return note(f, target->value, target->kind == JINJA_N_NAME);
    for (size_t i = 0; i < target->count; i++)
        if (!walk_target(f, target->items[i], parameter))
            return false;
    return true;
}

static bool walk_if(frame *f, const jinja_node *node)
{
    for (size_t i = 0; i < node->count; i += 2) {
        f->ifs += i > 0; /* a test after the first is in a branch; it sets nothing */
        const bool tested = walk(f, node->items[i]);
        f->ifs -= i > 0;
        f->ifs++;
        const bool good = tested && walk(f, node->items[i + 1]);
        f->ifs--;
        if (!good)
            return false;
    }
    f->ifs++;
    const bool good = !node->c || walk(f, node->c);
    f->ifs--;
    return good;
}

/* Expressions, and what of statements belongs to the frame they stand in. */
static bool walk(frame *f, const jinja_node *node)
{
    if (!node)
        return true;
    if (!jinja_work(f->run, 1))
        return false;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_N_NAME:
    case JINJA_N_NSREF:
        return note(f, node->value, false);
    case JINJA_N_IF:
        return walk_if(f, node);
    case JINJA_N_SET:
        return walk(f, node->b) && walk_target(f, node->a, false);
    case JINJA_N_SET_BLOCK:
        return walk_target(f, node->a, false);
    case JINJA_N_MACRO:
        return note(f, node->value, true);
    case JINJA_N_FOR:
        return walk(f, node->b);
    case JINJA_N_CALL_BLOCK:
        return walk(f, node->a);
    case JINJA_N_FILTER_BLOCK:
        return walk(f, node->b);
    case JINJA_N_WITH:
        return walk_all(f, node->items, node->count, 1, 2);
    case JINJA_N_SCOPE:
        return true;
    default:
        return walk(f, node->a) && walk(f, node->b) && walk(f, node->c) &&
               walk_all(f, node->items, node->count, 0, 1) && walk_all(f, node->more, node->more_count, 1, 2) &&
               walk(f, node->star) && walk(f, node->star_star);
    }
}

/* ---- The frames inside */

/* Writes what the frame hides to its body, and goes on inside. */
static bool finish(const frame *f, jinja_node *body)
{
    size_t count = 0;
    for (size_t i = 0; i < f->known->count; i++)
        count += f->known->pairs[i].value == &jinja_true;
    if (count > 0) {
        jinja_ref *names = jinja_array(f->run, count);
        if (!names)
            return false;
        for (size_t i = 0, at = 0; i < f->known->count; i++)
            if (f->known->pairs[i].value == &jinja_true)
                names[at++] = f->known->pairs[i].key;
        body->hidden = names;
        body->hidden_count = count;
    }
    return enter_blocks(f->run, f, body);
}

/* A frame of `body`, whose parameters are the names of `targets` (with step: of every second). */
static bool make_frame(jinja_run *run, const frame *outer, jinja_node *body, jinja_node *const *targets, size_t count,
                       size_t step, const jinja_node *defaults)
{
    frame f = { outer, run, jinja_dict_new(run), 0 };
    bool good = f.known != NULL;
    if (!body || !good)
        return good;
    for (size_t i = 0; good && i < count; i += step)
        good = walk_target(&f, targets[i], true);
    if (good && defaults)
        good = walk_all(&f, defaults->more, defaults->more_count, 0, 1);
    return good && walk(&f, body) && finish(&f, body);
}

static bool enter_inside(jinja_run *run, const frame *outer, const jinja_node *node)
{
    switch ((jinja_node_kind)node->kind) {
    case JINJA_N_BLOCK:
    case JINJA_N_IF:
        for (size_t i = 0; i < node->count; i++)
            if (!enter_blocks(run, outer, node->items[i]))
                return false;
        return !node->c || enter_blocks(run, outer, node->c);
    case JINJA_N_FOR:
        return make_frame(run, outer, node->c, &node->a, 1, 1, NULL) &&
               make_frame(run, outer, node->otherwise, NULL, 0, 1, NULL);
    case JINJA_N_MACRO:
        return make_frame(run, outer, node->c, node->items, node->count, 1, node);
    case JINJA_N_CALL_BLOCK:
        return make_frame(run, outer, node->b->c, node->b->items, node->b->count, 1, node->b);
    case JINJA_N_WITH:
        return make_frame(run, outer, node->c, node->items, node->count, 2, NULL);
    case JINJA_N_SET_BLOCK:
    case JINJA_N_FILTER_BLOCK:
    case JINJA_N_SCOPE:
        return make_frame(run, outer, node->c, NULL, 0, 1, NULL);
    default:
        return true;
    }
}

/* Finds the blocks with a scope of their own in `node`, which stands in `outer`. */
static bool enter_blocks(jinja_run *run, const frame *outer, const jinja_node *node)
{
    bool good;
    if (!jinja_enter(run))
        return false;
    good = enter_inside(run, outer, node);
    jinja_leave(run);
    return good;
}

bool jinja_resolve_names(jinja_run *run, jinja_node *tree)
{
    return make_frame(run, NULL, tree, NULL, 0, 1, NULL);
}

bool jinja_hide(jinja_run *run, const jinja_node *body)
{
    for (size_t i = 0; i < body->hidden_count; i++)
        if (!jinja_bind(run, body->hidden[i], NULL))
            return false;
    return true;
}
