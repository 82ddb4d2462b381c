/* gguf_names.c: which tensor of a GGUF file plays which role. Names are those of all architectures; which of the roles a model has its family
 * tells. Source: gguf's constants.py and tensor_mapping.py. */
#include <stdio.h>
#include <string.h>

#include "model/gguf_reader.h"
#include "model/spellings.h"

#define LAYER "blk.{i}."
#define LINEAR(role, name) { role, name ".weight", false }, { role##_BIAS, name ".bias", false }

/* Of several names of a role the first that is there counts. */
static const model_tensor_name all_names[] = {
    { MODEL_EMBEDDING, "token_embd.weight", false },
    { MODEL_POSITIONS, "position_embd.weight", false },
    { MODEL_INPUT_EMBEDDING, "per_layer_token_embd.weight", false },
    { MODEL_INPUT_IN, "per_layer_model_proj.weight", false },
    { MODEL_INPUT_IN_NORM, "per_layer_proj_norm.weight", false },
    LINEAR(MODEL_EMBEDDING_NORM, "token_embd_norm"),
    LINEAR(MODEL_FINAL_NORM, "output_norm"),
    { MODEL_FINAL_NORM, "token_embd_norm.weight", false }, /* LFM2 */
    LINEAR(MODEL_HEAD, "output"),
    LINEAR(MODEL_ATTENTION_NORM, LAYER "attn_norm_2"), /* Falcon 40b, whose attn_norm is the MLP's */
    LINEAR(MODEL_ATTENTION_NORM, LAYER "attn_norm"),
    LINEAR(MODEL_QKV, LAYER "attn_qkv"),
    LINEAR(MODEL_Q, LAYER "attn_q"),
    LINEAR(MODEL_K, LAYER "attn_k"),
    LINEAR(MODEL_V, LAYER "attn_v"),
    LINEAR(MODEL_Q_NORM, LAYER "attn_q_norm"),
    LINEAR(MODEL_K_NORM, LAYER "attn_k_norm"),
    LINEAR(MODEL_Q_A, LAYER "attn_q_a"),
    { MODEL_Q_A_NORM, LAYER "attn_q_a_norm.weight", false },
    { MODEL_Q_B, LAYER "attn_q_b.weight", false },
    LINEAR(MODEL_KV_A, LAYER "attn_kv_a_mqa"),
    { MODEL_KV_A_NORM, LAYER "attn_kv_a_norm.weight", false },
    { MODEL_KV_B, LAYER "attn_kv_b.weight", false },
    { MODEL_K_B, LAYER "attn_k_b.weight", true },
    { MODEL_V_B, LAYER "attn_v_b.weight", false },
    { MODEL_SINKS, LAYER "attn_sinks.weight", false },
    LINEAR(MODEL_O, LAYER "attn_output"),
    LINEAR(MODEL_MIX_IN, LAYER "shortconv.in_proj"),
    LINEAR(MODEL_CONV, LAYER "shortconv.conv"),
    LINEAR(MODEL_MIX_OUT, LAYER "shortconv.out_proj"),
    { MODEL_MIX_QKV, LAYER "attn_qkv.weight", false }, /* delta nets */
    { MODEL_MIX_Z, LAYER "attn_gate.weight", false },
    { MODEL_MIX_BA, LAYER "ssm_ba.weight", false },
    { MODEL_MIX_B, LAYER "ssm_beta.weight", false },
    { MODEL_MIX_A, LAYER "ssm_alpha.weight", false },
    { MODEL_CONV, LAYER "ssm_conv1d.weight", false },
    { MODEL_DELTA_A_LOG, LAYER "ssm_a", false },
    { MODEL_DELTA_DT, LAYER "ssm_dt.bias", false },
    { MODEL_DELTA_NORM, LAYER "ssm_norm.weight", false },
    { MODEL_MIX_OUT, LAYER "ssm_out.weight", false },
    { MODEL_POST_ATTENTION_NORM, LAYER "post_attention_norm.weight", false },
    LINEAR(MODEL_MLP_NORM, LAYER "ffn_norm"),
    { MODEL_MLP_NORM, LAYER "post_attention_norm.weight", false }, /* gpt-oss, GLM 4.5: nothing normalises what attention adds there */
    LINEAR(MODEL_MLP_NORM, LAYER "attn_norm"),                     /* Falcon 40b */
    LINEAR(MODEL_GATE_UP, LAYER "ffn_up"),                         /* Phi 3, GLM 4 */
    LINEAR(MODEL_GATE, LAYER "ffn_gate"),
    LINEAR(MODEL_UP, LAYER "ffn_up"),
    LINEAR(MODEL_DOWN, LAYER "ffn_down"),
    { MODEL_GATE, LAYER "ffn_gate_shexp.weight", false },
    { MODEL_UP, LAYER "ffn_up_shexp.weight", false },
    { MODEL_DOWN, LAYER "ffn_down_shexp.weight", false },
    { MODEL_POST_MLP_NORM, LAYER "post_ffw_norm.weight", false },
    LINEAR(MODEL_ROUTER, LAYER "ffn_gate_inp"),
    { MODEL_ROUTER_CORRECTION, LAYER "exp_probs_b.bias", false },
    { MODEL_ROUTER_CORRECTION, LAYER "exp_probs_b", false },
    { MODEL_EXPERTS_GATE_UP, LAYER "ffn_gate_up_exps.weight", false },
    LINEAR(MODEL_EXPERTS_GATE, LAYER "ffn_gate_exps"),
    LINEAR(MODEL_EXPERTS_UP, LAYER "ffn_up_exps"),
    LINEAR(MODEL_EXPERTS_DOWN, LAYER "ffn_down_exps"),
    { MODEL_EXPERTS_GATE, LAYER "ffn_gate.{e}.weight", false }, /* files of old */
    { MODEL_EXPERTS_UP, LAYER "ffn_up.{e}.weight", false },
    { MODEL_EXPERTS_DOWN, LAYER "ffn_down.{e}.weight", false },
    { MODEL_SHARED_GATE, LAYER "ffn_gate_inp_shexp.weight", false },
    { MODEL_ROUTER_NORM, LAYER "ffn_gate_inp.scale", false },
    { MODEL_ROUTER_COUNTS, LAYER "ffn_down_exps.scale", false },
    { MODEL_EXPERTS_NORM, LAYER "pre_ffw_norm_2.weight", false },
    { MODEL_POST_DENSE_NORM, LAYER "post_ffw_norm_1.weight", false },
    { MODEL_POST_EXPERTS_NORM, LAYER "post_ffw_norm_2.weight", false },
    { MODEL_INPUT_GATE, LAYER "inp_gate.weight", false },
    { MODEL_INPUT_OUT, LAYER "proj.weight", false },
    { MODEL_POST_INPUT_NORM, LAYER "post_norm.weight", false },
    { MODEL_LAYER_SCALAR, LAYER "layer_output_scale.weight", false },
    { MODEL_XIELU_ALPHA_P, "xielu.alpha_p.{i}", false }, /* key-values: gguf_tensors.c */
    { MODEL_XIELU_ALPHA_N, "xielu.alpha_n.{i}", false },
    { MODEL_XIELU_BETA, "xielu.beta.{i}", false },
    { MODEL_XIELU_EPS, "xielu.eps.{i}", false },
};

/* Positions' factors went into the configuration; the rest no language model computes with. */
static const char *const ignored[] = { "rope_freqs.weight", "rope_factors_*", LAYER "attn_rot_embd*", LAYER "rope_freqs.weight",
                                       LAYER "nextn.*" };

/* ---- Writing */

static bool begins(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

/* Which of a role's names files of an architecture have: the first, but for these. */
static bool is_written(const model_gguf_architecture *to, const model_architecture *a, model_role role, uint32_t layer, const char *name)
{
    const bool two_norms = strcmp(to->name, "falcon") == 0 && a->residual == MODEL_RESIDUAL_PARALLEL; /* the second is attention's */
    const bool in_layer = role >= MODEL_FIRST_LAYER_ROLE;
    switch (role) {
    case MODEL_ATTENTION_NORM: case MODEL_ATTENTION_NORM_BIAS: return two_norms == begins(name, LAYER "attn_norm_2.");
    case MODEL_MLP_NORM: case MODEL_MLP_NORM_BIAS:
        return begins(name, two_norms ? LAYER "attn_norm." : (to->how & MODEL_GGUF_POSTED) != 0 ? LAYER "post_attention_norm." : LAYER "ffn_norm.");
    case MODEL_GATE: case MODEL_UP: case MODEL_DOWN: return (a->layer[layer].experts && !a->experts.beside_mlp) == (strstr(name, "_shexp.") != NULL);
    case MODEL_FINAL_NORM: return (a->short_conv.taps > 0) == begins(name, "token_embd_norm.");
    default: return !(in_layer && a->layer[layer].mixer == MODEL_MIXER_DELTA_NET && begins(name, LAYER "shortconv."));
    }
}

const char *model_gguf_name_of(const model_gguf_architecture *to, const model_architecture *a, model_role role, uint32_t layer)
{
    for (size_t i = 0; i < COUNT(all_names); i++) {
        if (all_names[i].role == role && is_written(to, a, role, layer, all_names[i].pattern))
            return all_names[i].pattern;
    }
    return NULL;
}

/* ---- Reading */

static bool has_role(const model_family *family, model_role role)
{
    for (size_t i = 0; i < family->name_count; i++) {
        if (family->names[i].role == role)
            return true;
    }
    return false;
}

/* Does any layer have that tensor? Layers may differ. */
static bool has_tensor(const ckpt_checkpoint *checkpoint, const char *tail)
{
    char name[MODEL_NAME_SIZE];
    for (uint32_t layer = 0; layer < MODEL_MAX_LAYERS; layer++) {
        snprintf(name, sizeof name, "blk.%u.%s", (unsigned)layer, tail);
        if (ckpt_find(checkpoint, name) != NULL)
            return true;
    }
    return false;
}

/* What a family has fused is in some files apart, and the other way round: the file tells. */
typedef struct file_facts {
    bool qkv, gate, experts; /* has fused queries, keys and values of attention; a gate of its own; fused gates and ups of experts */
    bool delta, fused_ba;    /* has delta nets, whose two numbers of each head are fused */
    bool latent_apart;       /* the matrix of latent keys and values is two, keys turned */
} file_facts;

static bool is_played(const model_family *family, const file_facts *file, model_role role)
{
    switch (role) {
    case MODEL_QKV: case MODEL_QKV_BIAS: return file->qkv && (has_role(family, MODEL_QKV) || has_role(family, MODEL_Q));
    case MODEL_Q: case MODEL_K: case MODEL_V: case MODEL_Q_BIAS: case MODEL_K_BIAS: case MODEL_V_BIAS:
        return !file->qkv && (has_role(family, MODEL_QKV) || has_role(family, role));
    case MODEL_KV_B: return has_role(family, role) && !file->latent_apart;
    case MODEL_K_B: case MODEL_V_B: return has_role(family, MODEL_KV_B) && file->latent_apart;
    case MODEL_MIX_QKV: case MODEL_MIX_Z: return file->delta;
    case MODEL_MIX_BA: return file->delta && file->fused_ba;
    case MODEL_MIX_B: case MODEL_MIX_A: return file->delta && !file->fused_ba;
    case MODEL_GATE_UP: case MODEL_GATE_UP_BIAS: return has_role(family, role) && !file->gate;
    case MODEL_GATE: case MODEL_UP: return has_role(family, role) || (has_role(family, MODEL_GATE_UP) && file->gate);
    case MODEL_EXPERTS_GATE_UP: return file->experts;
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP:
        return !file->experts && (has_role(family, role) || has_role(family, MODEL_EXPERTS_GATE_UP));
    case MODEL_EXPERTS_GATE_BIAS: case MODEL_EXPERTS_UP_BIAS: return !file->experts && has_role(family, MODEL_EXPERTS_GATE_UP_BIAS);
    default: return has_role(family, role);
    }
}

/* Besides `ignored`, the layers behind the last that guess further tokens ("nextn"). */
static void ignore(const ckpt_checkpoint *checkpoint, model_gguf_names *gguf)
{
    size_t count = 0, layers = 0;
    char   name[MODEL_NAME_SIZE];
    _Static_assert(COUNT(ignored) + MODEL_GGUF_MAX_PREDICTING <= MODEL_GGUF_MAX_IGNORED, "room for all that is ignored");
    for (; count < COUNT(ignored); count++)
        gguf->ignored[count] = ignored[count];
    for (uint32_t layer = 0; layer < MODEL_MAX_LAYERS && layers < MODEL_GGUF_MAX_PREDICTING; layer++) {
        snprintf(name, sizeof name, "blk.%u.nextn.eh_proj.weight", (unsigned)layer);
        if (ckpt_find(checkpoint, name) == NULL)
            continue;
        snprintf(gguf->predicting[layers], sizeof gguf->predicting[layers], "blk.%u.*", (unsigned)layer);
        gguf->ignored[count++] = gguf->predicting[layers++];
    }
    gguf->family.ignored = gguf->ignored;
    gguf->family.ignored_count = count;
}

void model_gguf_family(const model_family *family, const ckpt_checkpoint *checkpoint, model_gguf_names *gguf)
{
    const bool       delta = has_tensor(checkpoint, "ssm_conv1d.weight") && has_role(family, MODEL_DELTA_NORM);
    const file_facts file = {
        .qkv = has_tensor(checkpoint, "attn_qkv.weight") && !delta, .gate = has_tensor(checkpoint, "ffn_gate.weight"),
        .experts = has_tensor(checkpoint, "ffn_gate_up_exps.weight"), .delta = delta, .fused_ba = has_tensor(checkpoint, "ssm_ba.weight"),
        .latent_apart = has_tensor(checkpoint, "attn_k_b.weight"),
    };
    size_t count = 0;
    _Static_assert(COUNT(all_names) <= MODEL_GGUF_MAX_NAMES, "room for all names");
    for (size_t i = 0; i < COUNT(all_names); i++) {
        if (is_played(family, &file, all_names[i].role))
            gguf->names[count++] = all_names[i];
    }
    gguf->family = *family;
    gguf->family.base_prefix = "";
    gguf->family.names = gguf->names;
    gguf->family.name_count = count;
    ignore(checkpoint, gguf);
}
