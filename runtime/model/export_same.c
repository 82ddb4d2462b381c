/* export_same.c: is a GGUF file the model that it was made of? Its key-values are read as any file's, and what they make is compared with what the
 * model's own configuration made: what the format, or our writer, has no word for is found here, whichever it is.
 *
 * Compared is all of a model_architecture that a pass depends on: who adds a member there adds it here. Left out are the names of the model and of
 * tokens that end a text, and how a checkpoint holds what the file holds otherwise (qkv_layout, gate_up_interleaved, heads_tiled, rate_stored). */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/export_plan.h"

/* Parts of a model_architecture, of an integer or float of 4 bytes, an enum or a bool; and what they are to a user. */
typedef struct part {
    size_t      offset, bytes;
    bool        number;
    const char *what;
} part;
#define WHOLE(member, what)  { offsetof(model_architecture, member), sizeof(((model_architecture *)0)->member), false, what }
#define NUMBER(member, what) { offsetof(model_architecture, member), sizeof(((model_architecture *)0)->member), true, what }

static const part parts[] = {
    WHOLE(vocab_size, "vocab_size"), WHOLE(hidden_size, "hidden_size"), WHOLE(intermediate_size, "intermediate_size"), WHOLE(layers, "the number of layers"),
    WHOLE(heads, "the number of heads"), WHOLE(kv_heads, "the number of heads of keys and values"), WHOLE(head_dim, "head_dim"),
    WHOLE(max_position_embeddings, "max_position_embeddings"), WHOLE(windows_are_chunks, "chunked attention"),
    WHOLE(norm.kind, "the kind of norm"), NUMBER(norm.eps, "the epsilon of norms"), WHOLE(norm.has_bias, "the bias of norms"),
    WHOLE(norm.no_weight, "norms without factors"), WHOLE(residual, "where norms are"), WHOLE(no_final_norm, "the lack of a final norm"),
    WHOLE(position, "the kind of positions"), WHOLE(position_offset, "where positions begin"), WHOLE(alibi, "the slopes of ALiBi"),
    NUMBER(attention_scale, "the scale of scores"), WHOLE(attention_scale_by_layer, "scores divided by the layer's number"),
    NUMBER(attention_softcap, "the soft cap of scores"), WHOLE(attention_sinks, "sinks"), NUMBER(qkv_clip, "clip_qkv"),
    WHOLE(qkv_clip_after_norm, "what clip_qkv clips"), WHOLE(query_length, "where queries begin to grow"), WHOLE(qk_norm, "the norm of queries and keys"),
    WHOLE(qk_norm_shape.kind, "the norm of queries and keys"), NUMBER(qk_norm_shape.eps, "the epsilon of the norm of queries and keys"),
    WHOLE(qk_norm_shape.has_bias, "the bias of the norm of queries and keys"), WHOLE(qk_norm_shape.no_weight, "the norm of queries and keys"),
    WHOLE(qk_norm_after_rope, "the norm of queries and keys behind their turning"), WHOLE(value_norm, "the norm of values"),
    WHOLE(qkv_bias, "the bias of queries, keys and values"), WHOLE(output_bias, "the bias of attention's output"), WHOLE(attention_gate, "gated attention"),
    WHOLE(latent.kv_rank, "kv_lora_rank"), WHOLE(latent.q_rank, "q_lora_rank"), WHOLE(latent.nope_dim, "qk_nope_head_dim"),
    WHOLE(latent.rope_dim, "qk_rope_head_dim"), WHOLE(latent.value_dim, "v_head_dim"), WHOLE(latent.norm.kind, "the kind of latent norms"),
    NUMBER(latent.norm.eps, "the epsilon of latent norms"),
    WHOLE(short_conv.taps, "the length of convolutions"), WHOLE(short_conv.bias, "the bias of convolutions"),
    WHOLE(mlp_gated, "whether MLPs are gated"), WHOLE(mlp_bias, "the bias of MLPs"), WHOLE(activation, "the activation"), WHOLE(xielu, "the activation"),
    WHOLE(experts.routing.router, "how experts are scored"), WHOLE(experts.routing.count, "the number of experts"),
    WHOLE(experts.routing.chosen, "how many experts a token has"), WHOLE(experts.routing.group_sum, "how groups of experts are compared"),
    WHOLE(experts.routing.normalised, "norm_topk_prob"), NUMBER(experts.routing.scale, "routed_scaling_factor"),
    NUMBER(experts.routing.eps, "the epsilon of what experts count"), WHOLE(experts.width, "the width of experts"),
    WHOLE(experts.shared_width, "the width of shared experts"), WHOLE(experts.shared_gate, "the gate of shared experts"),
    WHOLE(experts.beside_mlp, "experts beside an MLP"), WHOLE(experts.router_norm, "the norm of routers"), WHOLE(experts.counted, "what experts count"),
    WHOLE(delta_net.taps, "linear_conv_kernel_dim"), WHOLE(delta_net.key_heads, "linear_num_key_heads"), WHOLE(delta_net.value_heads, "linear_num_value_heads"),
    WHOLE(delta_net.key_dim, "linear_key_head_dim"), WHOLE(delta_net.value_dim, "linear_value_head_dim"),
    WHOLE(layer_input.size, "hidden_size_per_layer_input"), WHOLE(layer_input.vocab_size, "vocab_size_per_layer_input"), WHOLE(layer_scalar, "scalars of layers"),
    WHOLE(experts.router_bias, "the bias of routers"), WHOLE(experts.correction, "what corrects a router's scores"), WHOLE(experts.bias, "the bias of experts"),
    NUMBER(experts.swiglu_alpha, "swiglu_alpha"), NUMBER(experts.swiglu_limit, "swiglu_limit"),
    WHOLE(tied_head, "tie_word_embeddings"), WHOLE(head_bias, "the bias of the head"), WHOLE(embedding_size, "projections of the embedding"),
    WHOLE(embedding_norm, "the norm of the embedding"), NUMBER(embedding_scale, "the scale of the embedding"),
    WHOLE(embedding_scale_rounded, "how the scale of the embedding is rounded"), NUMBER(layer_input.table_scale, "the scale of layers' tables"),
    NUMBER(layer_input.norm_eps, "the epsilon of layers' tables"), NUMBER(residual_scale, "the scale of branches"), NUMBER(logits_scale, "the scale of logits"), NUMBER(logits_softcap, "the soft cap of logits"),
};

/* Numbers in a file are float32. */
static bool is_near(double a, double b) { return fabs(a - b) <= 2e-6 * fmax(fabs(a), fabs(b)); }

static bool is_same(const part *p, const model_architecture *a, const model_architecture *b)
{
    const char *const x = (const char *)a + p->offset, *const y = (const char *)b + p->offset;
    float             left, right;
    if (!p->number)
        return memcmp(x, y, p->bytes) == 0;
    memcpy(&left, x, sizeof left);
    memcpy(&right, y, sizeof right);
    return is_near((double)left, (double)right);
}

/* The groups that count; without any, their number says nothing. */
static bool same_groups(const dev_routing *a, const dev_routing *b)
{
    return (a->groups <= 1 && b->groups <= 1) || (a->groups == b->groups && a->groups_chosen == b->groups_chosen);
}

static const char *unlike_layer(const model_architecture *a, const model_architecture *b, uint32_t i)
{
    const model_layer_shape *x = &a->layer[i], *y = &b->layer[i];
    const model_rope        *first = x->rope >= 0 ? &a->ropes[x->rope] : NULL, *second = y->rope >= 0 ? &b->ropes[y->rope] : NULL;
    if (x->mixer != y->mixer)
        return "which layers have attention";
    if (x->mixer == MODEL_MIXER_ATTENTION && x->window != y->window)
        return "which layers have a window";
    if (x->cache_of != y->cache_of || x->values_are_keys != y->values_are_keys)
        return "which layers have keys and values of their own";
    if (x->mixer == MODEL_MIXER_ATTENTION && a->position == MODEL_POSITION_ROPE &&
        ((first == NULL) != (second == NULL) || (first != NULL && (first->dims != second->dims || first->interleaved != second->interleaved))))
        return "which layers turn";
    if (x->experts != y->experts)
        return "which layers have experts";
    return model_kv_heads(a, i) == model_kv_heads(b, i) && model_head_dim(a, i) == model_head_dim(b, i) && model_inner_width(a, i) == model_inner_width(b, i)
               ? NULL : "the sizes of single layers";
}

/* How positions turn, the first few of a short text, of one as long as the model was made for, and of a longer one. */
static bool turn_alike(const model_rope *x, const model_rope *y, uint32_t most)
{
    const uint32_t prompts[] = { 1, most, 2 * most }, pairs = x->dims / 2, positions = 4;
    float          table[4][4 * MODEL_MAX_HEAD_DIM / 2];
    for (size_t p = 0; p < COUNT(prompts); p++) {
        model_rope_table(x, most, prompts[p], 0, positions, table[0], table[1]);
        model_rope_table(y, most, prompts[p], 0, positions, table[2], table[3]);
        for (uint32_t i = 0; i < positions * pairs; i++) {
            if (!(fabs((double)table[0][i] - (double)table[2][i]) <= 4e-6) || !(fabs((double)table[1][i] - (double)table[3][i]) <= 4e-6))
                return false;
        }
    }
    return true;
}

/* Models of one architecture, but for what is no part of a pass. NULL: they are the same. */
static const char *difference(const model_architecture *a, const model_architecture *b)
{
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!is_same(&parts[i], a, b))
            return parts[i].what;
    }
    if (!same_groups(&a->experts.routing, &b->experts.routing))
        return "groups of experts";
    if (!is_near(a->query_beta, b->query_beta))
        return "how queries grow";
    for (uint32_t i = 0; i < a->layers; i++) {
        const char *unlike = unlike_layer(a, b, i);
        if (unlike != NULL)
            return unlike;
        const int8_t set = a->layer[i].mixer == MODEL_MIXER_ATTENTION && a->position == MODEL_POSITION_ROPE ? a->layer[i].rope : -1;
        if (set >= 0 && !turn_alike(&a->ropes[set], &b->ropes[b->layer[i].rope], a->max_position_embeddings))
            return "how positions turn (rope_parameters)";
    }
    return NULL;
}

/* A file that cannot be read as a model of its architecture: why not is in the last error. */
static oclm_status refuse_unread(const model_export *plan)
{
    char why[400];
    (void)snprintf(why, sizeof why, "%s", oclm_last_error());
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: this model cannot be a GGUF file of architecture \"%s\": quantise to nf4, fp4 or int8 instead. Read back, the file "
                     "says: %s", plan->origin, plan->architecture->name, why);
}

oclm_status model_export_same(const model_export *plan, const char *path)
{
    model_architecture *const converted = core_alloc_array(1, sizeof *converted, "a model's description");
    model_opened *const       written = core_alloc_array(1, sizeof *written, "a model's description");
    oclm_status               status = converted == NULL || written == NULL ? OCLM_ERR_MEMORY : OCLM_OK;
    if (status == OCLM_OK) {
        *converted = plan->model.architecture;
        converted->tied_head = plan->model.binding.tied; /* whatever config.json says */
        model_gguf_convert(plan->architecture, converted);
        status = model_open_gguf(path, written);
        const char *what = status == OCLM_OK ? difference(converted, &written->architecture) : NULL;
        model_opened_close(written);
        if (status == OCLM_ERR_FORMAT || status == OCLM_ERR_UNSUPPORTED)
            status = refuse_unread(plan);
        else if (what != NULL)
            status = model_export_refuse(plan, what);
    }
    core_free(converted);
    core_free(written);
    return status;
}
