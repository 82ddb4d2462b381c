/* binding.c: finds each role's tensor by the family's names, with or without the base prefix, and compares shapes. Faults are
 * collected and told together, so that a wrong config.json is understood from one message. */
#include "model/binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "model/spellings.h"

#define NAME_SIZE MODEL_NAME_SIZE /* of a name made from a pattern; patterns are ours and short */
#define MAX_LISTED 8     /* tensors named in a message; the rest are counted */
#define MAX_SHOWN_NAME 90 /* characters of a file's own name in a message */

/* ---- Names */

static bool is_piece(const char *place) { return strncmp(place, "{h}", 3) == 0 || strncmp(place, "{e}", 3) == 0; }

static bool has_pieces(const char *pattern) { return strstr(pattern, "{h}") != NULL || strstr(pattern, "{e}") != NULL; }

/* The pattern with the layer in place of {i}, and the head or expert in place of {h} or {e}. */
static void make_name(const char *pattern, uint32_t layer, uint32_t piece, char name[NAME_SIZE])
{
    size_t length = 0;
    while (*pattern != '\0' && length < NAME_SIZE - 1) {
        const bool is_layer = strncmp(pattern, "{i}", 3) == 0;
        if (is_layer || is_piece(pattern)) {
            length += (size_t)snprintf(name + length, NAME_SIZE - length, "%" PRIu32, is_layer ? layer : piece);
            pattern += 3;
        } else {
            name[length++] = *pattern++;
        }
    }
    name[length < NAME_SIZE ? length : NAME_SIZE - 1] = '\0';
}

static const char *without_prefix(const model_family *family, const char *name)
{
    const size_t length = strlen(family->base_prefix);
    return strncmp(name, family->base_prefix, length) == 0 ? name + length : NULL;
}

static const ckpt_tensor *find_tensor(const model_binding *b, const model_tensor_name *name, uint32_t layer, uint32_t piece)
{
    char made[NAME_SIZE];
    make_name(name->pattern, layer, piece, made);
    return model_find_spelling(b->checkpoint, b->family->base_prefix, made);
}

model_bound model_bound_piece(const model_binding *b, model_role role, uint32_t layer, uint32_t piece)
{
    model_bound bound = { NULL, false, 1 };
    bool        named = false;
    for (size_t i = 0; i < b->family->name_count && bound.tensor == NULL; i++) {
        const model_tensor_name *name = &b->family->names[i];
        if (name->role != role)
            continue;
        bound.tensor = find_tensor(b, name, layer, piece);
        if (bound.tensor == NULL && named) /* what is missing is missing under its first name */
            continue;
        named = true;
        bound.transposed = name->transposed && (bound.tensor == NULL || bound.tensor->quantized == NULL || ckpt_gguf(b->checkpoint) != NULL);
        bound.pieces = has_pieces(name->pattern) ? model_role_shape_of(b->architecture, role, layer).pieces : 1;
    }
    if (bound.tensor == NULL && role == MODEL_EMBEDDING && b->tied) /* a file may hold the shared table under the head's name */
        return model_bound_tensor(b, MODEL_HEAD, 0);
    return bound;
}

model_bound model_bound_tensor(const model_binding *b, model_role role, uint32_t layer) { return model_bound_piece(b, role, layer, 0); }

/* `text` is `pattern`, in which {i} stands for a number below `layers`, {h} and {e} for one below `pieces`; a "*" at its start or end
 * for anything. */
static bool matches(const char *pattern, const char *text, uint32_t layers, uint32_t pieces)
{
    if (pattern[0] == '*') {
        const size_t tail = strlen(pattern + 1), length = strlen(text);
        return length >= tail && strcmp(text + length - tail, pattern + 1) == 0;
    }
    if (pattern[strlen(pattern) - 1] == '*')
        return strncmp(pattern, text, strlen(pattern) - 1) == 0;
    while (*pattern != '\0') {
        const bool is_layer = strncmp(pattern, "{i}", 3) == 0;
        if (!is_layer && !is_piece(pattern)) {
            if (*pattern++ != *text++)
                return false;
            continue;
        }
        uint64_t number = 0;
        const char *digits = text;
        while (*text >= '0' && *text <= '9' && text - digits < 9)
            number = number * 10 + (uint64_t)(*text++ - '0');
        if (text == digits || (digits[0] == '0' && text - digits > 1) || number >= (is_layer ? layers : pieces))
            return false;
        pattern += 3;
    }
    return *text == '\0';
}

static bool matches_either(const model_family *family, const char *pattern, const char *text, uint32_t layers, uint32_t pieces)
{
    const char *bare = without_prefix(family, pattern);
    return matches(pattern, text, layers, pieces) || (bare != NULL && matches(bare, text, layers, pieces));
}

/* The first layer that has this role; where none has, 0. */
static uint32_t layer_with(const model_architecture *a, model_role role)
{
    for (uint32_t layer = 0; layer < a->layers && role >= MODEL_FIRST_LAYER_ROLE; layer++) {
        if (model_role_shape_of(a, role, layer).rows > 0)
            return layer;
    }
    return 0;
}

static bool is_known(const model_binding *b, const char *file_name)
{
    const model_family *family = b->family;
    char                text[MODEL_NAME_SIZE];
    model_plain_name(file_name, text);
    if (model_name_is_foreign(file_name))
        return true;
    const uint32_t      layers = b->architecture->layers;
    for (size_t i = 0; i < family->name_count; i++) {
        const model_role       role = family->names[i].role;
        const model_role_shape shape = model_role_shape_of(b->architecture, role, layer_with(b->architecture, role));
        if (shape.rows > 0 && matches_either(family, family->names[i].pattern, text, layers, shape.pieces))
            return true;
    }
    if (matches("*.rotary_emb.inv_freq", text, UINT32_MAX, UINT32_MAX)) /* old files of any family, per layer or once */
        return true;
    for (size_t i = 0; i < family->ignored_count; i++) {
        if (matches_either(family, family->ignored[i], text, UINT32_MAX, UINT32_MAX))
            return true;
    }
    return false;
}

/* ---- Faults, collected */

typedef struct fault_list {
    core_text text; /* "a, b, c" */
    size_t    count;
} fault_list;

static oclm_status begin_fault(fault_list *faults)
{
    faults->count++;
    if (faults->count > MAX_LISTED || faults->count == 1)
        return OCLM_OK;
    return core_text_add_string(&faults->text, ", ");
}

static void add_shape(core_text *text, const uint64_t *shape, uint32_t dims)
{
    (void)core_text_add_char(text, '[');
    for (uint32_t i = 0; i < dims; i++)
        (void)core_text_printf(text, "%s%" PRIu64, i > 0 ? ", " : "", shape[i]);
    (void)core_text_add_char(text, ']');
}

/* Counts `name` and, while there is room, lists it with what is `wrong` about it (may be NULL). */
static oclm_status add_fault(fault_list *faults, const char *name, const char *wrong)
{
    oclm_status status = begin_fault(faults);
    if (status == OCLM_OK && faults->count <= MAX_LISTED)
        status = core_text_printf(&faults->text, "%.*s%s%s", MAX_SHOWN_NAME, name, wrong != NULL ? " " : "", wrong != NULL ? wrong : "");
    return status;
}

static const char *more(const fault_list *faults, char buffer[48])
{
    buffer[0] = '\0';
    if (faults->count > MAX_LISTED)
        snprintf(buffer, 48, " and %zu more", faults->count - MAX_LISTED);
    return buffer;
}

typedef struct all_faults {
    fault_list missing, shapes, types, surplus;
} all_faults;

static bool has_shape(const ckpt_tensor *tensor, model_role_shape want, bool transposed)
{
    if (want.columns > 0 && want.pieces > 0 && tensor->dims == 3)
        return tensor->shape[0] == want.pieces && tensor->shape[transposed ? 2 : 1] == want.rows / want.pieces &&
               tensor->shape[transposed ? 1 : 2] == want.columns;
    if (want.pieces > 1 && transposed) /* each piece by itself: of one matrix, rows of different pieces would alternate */
        return false;
    if (want.columns > 0 && want.rows == 1 && tensor->dims == 1) /* a GGUF's one row */
        return tensor->shape[0] == want.columns;
    if (want.columns > 0)
        return tensor->dims == 2 && tensor->shape[transposed ? 1 : 0] == want.rows && tensor->shape[transposed ? 0 : 1] == want.columns;
    if (tensor->dims == 2 && want.pieces > 0)
        return tensor->shape[0] == want.pieces && tensor->shape[1] == want.rows / want.pieces;
    return (tensor->dims == 1 && tensor->shape[0] == want.rows) || (tensor->dims == 0 && want.rows == 1);
}

static oclm_status add_wrong_shape(fault_list *faults, const ckpt_tensor *tensor, model_role_shape want, bool transposed)
{
    const bool     pieces = want.pieces > 0 && want.columns > 0;
    const uint32_t rows = pieces ? want.rows / want.pieces : want.rows;
    const uint64_t shape[3] = { want.pieces, transposed ? want.columns : rows, transposed ? rows : want.columns };
    core_text      wrong = CORE_TEXT_INIT;
    (void)core_text_add_string(&wrong, "is ");
    add_shape(&wrong, tensor->shape, tensor->dims);
    (void)core_text_add_string(&wrong, ", not ");
    add_shape(&wrong, pieces ? shape : shape + 1, pieces ? 3 : want.columns == 0 ? 1 : 2);
    oclm_status status = add_fault(faults, tensor->name, wrong.data);
    core_text_free(&wrong);
    return status;
}

/* One tensor of a role: all of it, or one of its pieces. */
static oclm_status check_piece(model_binding *b, const model_tensor_name *name, uint32_t layer, uint32_t piece, all_faults *faults)
{
    const model_bound bound = model_bound_piece(b, name->role, layer, piece);
    model_role_shape  want = model_role_shape_of(b->architecture, name->role, layer);
    if (bound.tensor == NULL) {
        char made[NAME_SIZE];
        make_name(name->pattern, layer, piece, made);
        return add_fault(&faults->missing, made, NULL);
    }
    if (bound.pieces > 1)
        want = (model_role_shape){ want.rows / bound.pieces, want.columns, 0 };
    b->parameters += bound.tensor->elements;
    b->bytes += bound.tensor->bytes;
    if (!has_shape(bound.tensor, want, bound.transposed))
        return add_wrong_shape(&faults->shapes, bound.tensor, want, bound.transposed);
    if (bound.tensor->dtype > CORE_BF16) /* F32, F16 and BF16 come first */
        return add_fault(&faults->types, bound.tensor->name, core_dtype_name(bound.tensor->dtype));
    return OCLM_OK;
}

static bool is_named(const model_family *family, model_role role)
{
    for (size_t i = 0; i < family->name_count; i++) {
        if (family->names[i].role == role)
            return true;
    }
    return false;
}

/* Is the role played by others in this file? Gate and up of experts are one tensor or two. */
static bool is_replaced(const model_binding *b, model_role role, uint32_t layer)
{
    const bool fused = model_bound_tensor(b, MODEL_EXPERTS_GATE_UP, layer).tensor != NULL;
    switch (role) {
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: return fused;
    case MODEL_EXPERTS_GATE_UP: return !fused && is_named(b->family, MODEL_EXPERTS_GATE);
    default: return false;
    }
}

static oclm_status check_role(model_binding *b, const model_tensor_name *name, uint32_t layer, all_faults *faults)
{
    oclm_status status = OCLM_OK;
    if (model_role_shape_of(b->architecture, name->role, layer).rows == 0 || (name->role == MODEL_HEAD && b->tied) ||
        is_replaced(b, name->role, layer))
        return OCLM_OK;
    const uint32_t pieces = model_bound_tensor(b, name->role, layer).pieces;
    for (uint32_t piece = 0; piece < pieces && status == OCLM_OK; piece++)
        status = check_piece(b, name, layer, piece, faults);
    return status;
}

/* Of several names of a role the first asks for it. */
static bool is_first_name(const model_family *family, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (family->names[i].role == family->names[index].role)
            return false;
    }
    return true;
}

static oclm_status collect(model_binding *b, all_faults *faults)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < b->family->name_count && status == OCLM_OK; i++) {
        const model_tensor_name *name = &b->family->names[i];
        const uint32_t           layers = name->role >= MODEL_FIRST_LAYER_ROLE ? b->architecture->layers : 1;
        for (uint32_t layer = 0; layer < layers && status == OCLM_OK && is_first_name(b->family, i); layer++)
            status = check_role(b, name, layer, faults);
    }
    for (size_t i = 0; i < ckpt_count(b->checkpoint) && status == OCLM_OK; i++) {
        const char *name = ckpt_at(b->checkpoint, i)->name;
        if (!is_known(b, name))
            status = add_fault(&faults->surplus, name, NULL);
    }
    return status;
}

static oclm_status report(const model_binding *b, const all_faults *faults)
{
    static const char *const plural[] = { "s", "" };
    const bool  gguf = ckpt_gguf(b->checkpoint) != NULL;
    const char *asking = gguf ? "its metadata" : "config.json";
    const char *way_out = gguf ? "the file is not whole, or was made by another converter than oclm knows"
                               : "config.json and the weights do not belong together, or the download is not complete";
    const char *file = ckpt_file_name(b->checkpoint, 0);
    char        rest[48];
    if (faults->surplus.count > 0)
        core_log(OCLM_LOG_WARNING, "%s: %zu tensor%s of no place in a %s model, not used: %s%s", file, faults->surplus.count,
                 plural[faults->surplus.count == 1], b->family->model_type, faults->surplus.text.data, more(&faults->surplus, rest));
    if (faults->missing.count > 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu tensor%s missing that %s asks for: %s%s; %s", file, faults->missing.count,
                         plural[faults->missing.count == 1], asking, faults->missing.text.data, more(&faults->missing, rest), way_out);
    if (faults->shapes.count > 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu tensor%s of another shape than follows from %s: %s%s; %s", file,
                         faults->shapes.count, plural[faults->shapes.count == 1], asking, faults->shapes.text.data,
                         more(&faults->shapes, rest), way_out);
    if (faults->types.count > 0)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: %zu weight%s of a type other than F32, F16 and BF16: %s%s; use the float32, "
                         "float16 or bfloat16 version of this model", file, faults->types.count, plural[faults->types.count == 1],
                         faults->types.text.data, more(&faults->types, rest));
    return OCLM_OK;
}

/* ---- Tying */

static bool same_contents(const ckpt_checkpoint *checkpoint, const ckpt_tensor *a, const ckpt_tensor *b)
{
    if (a->dtype != b->dtype || a->bytes != b->bytes)
        return false;
    ckpt_will_need(checkpoint, a);
    ckpt_will_need(checkpoint, b);
    const bool same = memcmp(a->data, b->data, a->bytes) == 0;
    ckpt_release(checkpoint, a);
    ckpt_release(checkpoint, b);
    return same;
}

/* A tied head needs no tensor of its own; one that is there and differs from the embedding counts, as in transformers. */
static void decide_tying(model_binding *b)
{
    b->tied = false;
    const ckpt_tensor *embedding = model_bound_tensor(b, MODEL_EMBEDDING, 0).tensor;
    const ckpt_tensor *head = model_bound_tensor(b, MODEL_HEAD, 0).tensor;
    b->tied = b->architecture->tied_head;
    if (!b->tied || embedding == NULL || head == NULL || same_contents(b->checkpoint, embedding, head))
        return;
    b->tied = false;
    core_log(OCLM_LOG_WARNING, "%s: config.json ties \"%.*s\" to \"%.*s\", but the file holds both and they differ: not tied",
             ckpt_file_name(b->checkpoint, head->file), MAX_SHOWN_NAME, head->name, MAX_SHOWN_NAME, embedding->name);
}

oclm_status model_bind(const model_family *family, const model_architecture *architecture, const ckpt_checkpoint *checkpoint,
                       model_binding *binding)
{
    all_faults faults;
    memset(&faults, 0, sizeof faults);
    *binding = (model_binding){ .family = family, .architecture = architecture, .checkpoint = checkpoint };
    decide_tying(binding);
    oclm_status status = collect(binding, &faults);
    if (status == OCLM_OK)
        status = report(binding, &faults);
    core_text_free(&faults.missing.text);
    core_text_free(&faults.shapes.text);
    core_text_free(&faults.types.text);
    core_text_free(&faults.surplus.text);
    return status;
}
