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

/* ---- Roles and shapes */

bool model_has_norm(const model_architecture *a, model_role norm)
{
    switch (norm) {
    case MODEL_EMBEDDING_NORM: return a->embedding_norm;
    case MODEL_FINAL_NORM: return !a->no_final_norm;
    case MODEL_ATTENTION_NORM: return a->residual != MODEL_RESIDUAL_POST;
    case MODEL_MLP_NORM: return a->residual != MODEL_RESIDUAL_POST && a->residual != MODEL_RESIDUAL_PARALLEL_ONE;
    case MODEL_POST_ATTENTION_NORM: case MODEL_POST_MLP_NORM:
        return a->residual == MODEL_RESIDUAL_POST || a->residual == MODEL_RESIDUAL_SANDWICH;
    case MODEL_Q_NORM: case MODEL_K_NORM: return a->qk_norm != MODEL_QK_NORM_NONE;
    case MODEL_Q_A_NORM: return a->latent.q_rank > 0;
    case MODEL_KV_A_NORM: return a->latent.kv_rank > 0;
    default: return false;
    }
}

bool model_has_projections(const model_architecture *a) { return a->embedding_size > 0 && a->embedding_size != a->hidden_size; }

static model_role_shape matrix_if(bool there, uint32_t rows, uint32_t columns)
{
    return (model_role_shape){ there ? rows : 0, there ? columns : 0, 0 };
}

static model_role_shape vector_if(bool there, uint32_t count) { return (model_role_shape){ there ? count : 0, 0, 0 }; }

/* Of a norm of hidden states. */
static model_role_shape norm_weight(const model_architecture *a, model_role norm)
{
    return vector_if(model_has_norm(a, norm) && !a->norm.no_weight, a->hidden_size);
}

static model_role_shape norm_bias(const model_architecture *a, model_role norm)
{
    return vector_if(model_has_norm(a, norm) && a->norm.has_bias, a->hidden_size);
}

/* Of the norm of so many heads of queries or keys. */
static model_role_shape head_norm(const model_architecture *a, uint32_t heads, bool there)
{
    switch (a->qk_norm) {
    case MODEL_QK_NORM_HEAD: return vector_if(there, a->head_dim);
    case MODEL_QK_NORM_HEADS: return (model_role_shape){ there ? heads * a->head_dim : 0, 0, heads };
    case MODEL_QK_NORM_ALL: return vector_if(there, heads * a->head_dim);
    case MODEL_QK_NORM_NONE: break;
    }
    return vector_if(false, 0);
}

uint32_t model_inner_width(const model_architecture *a, uint32_t layer)
{
    return a->layer[layer].experts ? a->experts.shared_width : a->intermediate_size;
}

/* So many matrices or vectors (columns 0) below each other. */
static model_role_shape pieces_if(bool there, uint32_t pieces, uint32_t rows, uint32_t columns)
{
    return (model_role_shape){ there ? pieces * rows : 0, there ? columns : 0, there ? pieces : 0 };
}

static model_role_shape expert_role_shape(const model_architecture *a, model_role role)
{
    const model_experts *x = &a->experts; /* products are bounded by check_experts() of config.c */
    const uint32_t count = x->routing.count, hidden = a->hidden_size;
    switch (role) {
    case MODEL_ROUTER: return matrix_if(true, count, hidden);
    case MODEL_ROUTER_BIAS: return vector_if(x->router_bias, count);
    case MODEL_ROUTER_CORRECTION: return vector_if(x->correction, count);
    case MODEL_EXPERTS_GATE_UP: return pieces_if(true, count, 2 * x->width, hidden);
    case MODEL_EXPERTS_GATE_UP_BIAS: return pieces_if(x->bias, count, 2 * x->width, 0);
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: return pieces_if(true, count, x->width, hidden);
    case MODEL_EXPERTS_DOWN: return pieces_if(true, count, hidden, x->width);
    case MODEL_EXPERTS_DOWN_BIAS: return pieces_if(x->bias, count, hidden, 0);
    case MODEL_SHARED_GATE: return matrix_if(x->shared_gate, 1, hidden);
    default: return vector_if(false, 0);
    }
}

static model_role_shape latent_role_shape(const model_architecture *a, model_role role)
{
    const model_latent *m = &a->latent;
    const uint32_t q = m->q_rank, kv = m->kv_rank;
    switch (role) {
    case MODEL_Q_A: return matrix_if(q > 0, q, a->hidden_size);
    case MODEL_Q_A_BIAS: return vector_if(q > 0 && a->qkv_bias, q);
    case MODEL_Q_A_NORM: return vector_if(q > 0, q);
    case MODEL_Q_B: return matrix_if(q > 0, a->heads * a->head_dim, q);
    case MODEL_KV_A: return matrix_if(kv > 0, kv + m->rope_dim, a->hidden_size);
    case MODEL_KV_A_BIAS: return vector_if(kv > 0 && a->qkv_bias, kv + m->rope_dim);
    case MODEL_KV_A_NORM: return vector_if(kv > 0, kv);
    case MODEL_KV_B: return matrix_if(kv > 0, a->heads * (m->nope_dim + m->value_dim), kv);
    default: return vector_if(false, 0);
    }
}

model_role_shape model_role_shape_of(const model_architecture *a, model_role role, uint32_t layer)
{
    const uint32_t q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim; /* bounded by check_sizes() of config.c */
    const uint32_t hidden = a->hidden_size, inner = model_inner_width(a, layer);
    const uint32_t table = model_has_projections(a) ? a->embedding_size : hidden;
    const bool     latent = a->latent.kv_rank > 0, attention = a->layer[layer].mixer == MODEL_MIXER_ATTENTION;
    const uint32_t q_rows = a->attention_gate ? 2 * q : q;
    if (role >= MODEL_MIX_IN && role <= MODEL_MIX_OUT_BIAS)
        return attention ? vector_if(false, 0) : model_mix_role_shape(a, role, layer);
    if (role >= MODEL_QKV && role <= MODEL_O_BIAS && !attention)
        return vector_if(false, 0);
    switch (role) {
    case MODEL_EMBEDDING: case MODEL_HEAD: return matrix_if(true, a->vocab_size, table);
    case MODEL_HEAD_BIAS: return vector_if(a->head_bias, a->vocab_size);
    case MODEL_POSITIONS: return matrix_if(a->position == MODEL_POSITION_LEARNED, a->max_position_embeddings + a->position_offset, hidden);
    case MODEL_PROJECT_IN: return matrix_if(model_has_projections(a), hidden, table);
    case MODEL_PROJECT_OUT: return matrix_if(model_has_projections(a), table, hidden);
    case MODEL_EMBEDDING_NORM: case MODEL_FINAL_NORM: case MODEL_ATTENTION_NORM: case MODEL_MLP_NORM: case MODEL_POST_ATTENTION_NORM:
    case MODEL_POST_MLP_NORM: return norm_weight(a, role);
    case MODEL_EMBEDDING_NORM_BIAS: case MODEL_FINAL_NORM_BIAS: case MODEL_ATTENTION_NORM_BIAS: case MODEL_MLP_NORM_BIAS:
        return norm_bias(a, role - 1);
    case MODEL_QKV: return matrix_if(!latent, q_rows + 2 * kv, hidden);
    case MODEL_Q: return matrix_if(a->latent.q_rank == 0, q_rows, hidden);
    case MODEL_K: case MODEL_V: return matrix_if(!latent, kv, hidden);
    case MODEL_QKV_BIAS: return vector_if(a->qkv_bias && !latent, q_rows + 2 * kv);
    case MODEL_Q_BIAS: return vector_if(a->qkv_bias && !latent, q_rows);
    case MODEL_K_BIAS: case MODEL_V_BIAS: return vector_if(a->qkv_bias && !latent, kv);
    case MODEL_Q_A: case MODEL_Q_A_BIAS: case MODEL_Q_A_NORM: case MODEL_Q_B: case MODEL_KV_A: case MODEL_KV_A_BIAS: case MODEL_KV_A_NORM:
    case MODEL_KV_B: return latent_role_shape(a, role);
    case MODEL_Q_NORM: return head_norm(a, a->heads, !a->qk_norm_shape.no_weight);
    case MODEL_K_NORM: return head_norm(a, a->kv_heads, !a->qk_norm_shape.no_weight);
    case MODEL_Q_NORM_BIAS: return head_norm(a, a->heads, a->qk_norm_shape.has_bias);
    case MODEL_K_NORM_BIAS: return head_norm(a, a->kv_heads, a->qk_norm_shape.has_bias);
    case MODEL_SINKS: return vector_if(a->attention_sinks, a->heads);
    case MODEL_O: return matrix_if(true, hidden, latent ? a->heads * a->latent.value_dim : q);
    case MODEL_O_BIAS: return vector_if(a->output_bias, hidden);
    case MODEL_GATE_UP: return matrix_if(a->mlp_gated && inner > 0, 2 * inner, hidden);
    case MODEL_GATE_UP_BIAS: return vector_if(a->mlp_gated && a->mlp_bias, 2 * inner);
    case MODEL_GATE: return matrix_if(a->mlp_gated && inner > 0, inner, hidden);
    case MODEL_GATE_BIAS: return vector_if(a->mlp_gated && a->mlp_bias, inner);
    case MODEL_UP: return matrix_if(inner > 0, inner, hidden);
    case MODEL_UP_BIAS: return vector_if(a->mlp_bias, inner);
    case MODEL_DOWN: return matrix_if(inner > 0, hidden, inner);
    case MODEL_DOWN_BIAS: return vector_if(a->mlp_bias && inner > 0, hidden);
    case MODEL_XIELU_ALPHA_P: case MODEL_XIELU_ALPHA_N: case MODEL_XIELU_BETA: case MODEL_XIELU_EPS: return vector_if(a->xielu, 1);
    case MODEL_ROUTER: case MODEL_ROUTER_BIAS: case MODEL_ROUTER_CORRECTION: case MODEL_EXPERTS_GATE_UP: case MODEL_EXPERTS_GATE_UP_BIAS:
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_DOWN: case MODEL_EXPERTS_DOWN_BIAS: case MODEL_SHARED_GATE:
        return a->layer[layer].experts ? expert_role_shape(a, role) : vector_if(false, 0);
    default: break; /* done above */
    }
    return vector_if(false, 0);
}

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
        bound.transposed = name->transposed;
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
    static const char way_out[] = "config.json and the weights do not belong together, or the download is not complete";
    const char *file = ckpt_file_name(b->checkpoint, 0);
    char        rest[48];
    if (faults->surplus.count > 0)
        core_log(OCLM_LOG_WARNING, "%s: %zu tensor%s of no place in a %s model, not used: %s%s", file, faults->surplus.count,
                 plural[faults->surplus.count == 1], b->family->model_type, faults->surplus.text.data, more(&faults->surplus, rest));
    if (faults->missing.count > 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu tensor%s missing that config.json asks for: %s%s; %s", file, faults->missing.count,
                         plural[faults->missing.count == 1], faults->missing.text.data, more(&faults->missing, rest), way_out);
    if (faults->shapes.count > 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu tensor%s of another shape than follows from config.json: %s%s; %s", file,
                         faults->shapes.count, plural[faults->shapes.count == 1], faults->shapes.text.data,
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
