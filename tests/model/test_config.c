/* test_config.c: configurations as found in the wild and as found in attacks: what is read, and what each refusal says. */
#include "model/folders.h"

#include "model/forward.h"

static oclm_status read_config(const char *config, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    folder f;
    folder_new(&f, config);
    const oclm_status status = model_config_read(f.path, family, architecture, dtype);
    folder_free(&f);
    return status;
}

static model_architecture read_good(const char *config)
{
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    assert_ok(read_config(config, &family, &a, &dtype));
    return a;
}

/* ---- Refusals. `says` are parts of the message, "|" between them. */

#define OF(model_type) "{\"model_type\": \"" model_type "\", "
#define LLAMA "{\"model_type\": \"llama\", "
#define GPT2 "{\"model_type\": \"gpt2\", "
#define ROPE(text) LLAMA "\"rope_scaling\": {" text "}}"

static const struct { const char *label, *config; oclm_status want; const char *says; } refused[] = {
    { "not an object", "[1]", OCLM_ERR_FORMAT, "config.json|object" },
    { "not JSON", "{\"model_type\": ", OCLM_ERR_FORMAT, "config.json" },
    { "no model_type", "{}", OCLM_ERR_FORMAT, "model_type|gpt2|llama" },
    { "model_type of another type", "{\"model_type\": 7}", OCLM_ERR_FORMAT, "model_type|7" },
    { "an unknown model_type", "{\"model_type\": \"zebra\"}", OCLM_ERR_UNSUPPORTED, "zebra|gpt2|llama|config.json" },
    { "an unknown model_type with the keys of a known one", "{\"model_type\": \"zebra\", \"hidden_size\": 64, \"num_attention_heads\": 4, "
      "\"rms_norm_eps\": 1e-5, \"mlp_bias\": true, \"stripes\": 3}", OCLM_ERR_UNSUPPORTED, "zebra|all known to|llama|does not mean" },
    { "a text_config that is no object", "{\"model_type\": \"zebra\", \"text_config\": 1}", OCLM_ERR_FORMAT, "text_config|object" },
    { "an unknown model inside", "{\"model_type\": \"zebra_vision\", \"text_config\": {\"model_type\": \"zebra\"}}", OCLM_ERR_UNSUPPORTED,
      "\"zebra\"|supported are" },
    { "a bad size inside", "{\"model_type\": \"zebra\", \"text_config\": {\"model_type\": \"llama\", \"vocab_size\": 0}}", OCLM_ERR_FORMAT,
      "vocab_size|0" },
    { "layer_types that are no list", OF("gemma2") "\"layer_types\": 4}", OCLM_ERR_FORMAT, "layer_types|list" },
    { "layer_types of the wrong length", OF("gemma2") "\"num_hidden_layers\": 3, \"layer_types\": [\"full_attention\", \"full_attention\"]}",
      OCLM_ERR_FORMAT, "layer_types|2 entries|3 layers" },
    { "a layer of an unknown kind", OF("gemma2") "\"num_hidden_layers\": 1, \"layer_types\": [\"sideways_attention\"]}", OCLM_ERR_UNSUPPORTED,
      "layer_types|sideways_attention|layer 0|full_attention, sliding_attention" },
    { "a layer that is a number", OF("gemma2") "\"num_hidden_layers\": 1, \"layer_types\": [7]}", OCLM_ERR_UNSUPPORTED, "layer_types|layer 0" },
    { "layers that slide over nothing", OF("ministral") "\"head_dim\": 8, \"sliding_window\": null, \"num_hidden_layers\": 1, "
      "\"layer_types\": [\"sliding_attention\"]}", OCLM_ERR_FORMAT, "layer_types|layer 0|sliding_window" },
    { "a convolution where the family has none", OF("ministral") "\"head_dim\": 8, \"num_hidden_layers\": 1, \"layer_types\": [\"conv\"]}",
      OCLM_ERR_UNSUPPORTED, "layer_types|conv|layer 0" },
    { "a convolution of one row", OF("lfm2") "\"num_hidden_layers\": 1, \"layer_types\": [\"conv\"], \"conv_L_cache\": 1}", OCLM_ERR_UNSUPPORTED,
      "convolution|1 rows|2 to 16" },
    { "a convolution of a hundred rows", OF("lfm2") "\"conv_L_cache\": 100}", OCLM_ERR_FORMAT, "conv_L_cache|100" },
    { "attention layers that are no list", OF("lfm2") "\"full_attn_idxs\": 3}", OCLM_ERR_FORMAT, "full_attn_idxs|list" },
    { "an attention layer below none", OF("lfm2") "\"full_attn_idxs\": [-1]}", OCLM_ERR_FORMAT, "full_attn_idxs|list of layers" },
    { "an MLP too wide", OF("lfm2") "\"block_ffn_dim_multiplier\": 1e6}", OCLM_ERR_FORMAT, "block_ffn_dim_multiplier|1e+06" },
    { "value heads that keys cannot share", OF("qwen3_next") "\"linear_num_value_heads\": 24}", OCLM_ERR_FORMAT,
      "24|linear_num_value_heads|16|linear_num_key_heads" },
    { "key heads too long", OF("qwen3_next") "\"linear_key_head_dim\": 257}", OCLM_ERR_UNSUPPORTED, "257|linear_key_head_dim|256" },
    { "a window of zero", OF("mistral") "\"sliding_window\": 0}", OCLM_ERR_FORMAT, "sliding_window|0" },
    { "a negative window", OF("mistral") "\"sliding_window\": -8}", OCLM_ERR_FORMAT, "sliding_window|-8" },
    { "a cap of zero", OF("gemma2") "\"final_logit_softcapping\": 0}", OCLM_ERR_FORMAT, "final_logit_softcapping|0" },
    { "a factor past float32", OF("granite") "\"logits_scaling\": 1e39}", OCLM_ERR_FORMAT, "logits_scaling|1e+39" },
    { "more of a head than there is", OF("stablelm") "\"partial_rotary_factor\": 1.5}", OCLM_ERR_FORMAT, "partial_rotary_factor|1.5" },
    { "no dimension that turns", OF("stablelm") "\"partial_rotary_factor\": 0.001}", OCLM_ERR_FORMAT, "0 of the 80" },
    { "three dimensions that turn", OF("phi") "\"hidden_size\": 24, \"num_attention_heads\": 4}", OCLM_ERR_FORMAT, "3 of the 6|even" },
    { "more rotary dimensions than a head has", OF("gptj") "\"n_embd\": 64, \"n_head\": 4, \"rotary_dim\": 64}", OCLM_ERR_FORMAT, "64|16" },
    { "no experts", OF("mixtral") "\"num_local_experts\": 0}", OCLM_ERR_FORMAT, "num_local_experts|0" },
    { "more experts than there is room for", OF("qwen3_moe") "\"num_experts\": 5000}", OCLM_ERR_FORMAT, "num_experts|5000|1024" },
    { "more experts chosen than there are", OF("mixtral") "\"num_local_experts\": 4, \"num_experts_per_tok\": 5}", OCLM_ERR_FORMAT,
      "5 experts|num_experts_per_tok|4" },
    { "experts too wide to number", OF("qwen3_moe") "\"num_experts\": 1024, \"moe_intermediate_size\": 1048576}", OCLM_ERR_UNSUPPORTED,
      "1024 experts|1048576" },
    { "dense layers that are no list", OF("qwen2_moe") "\"mlp_only_layers\": 3}", OCLM_ERR_FORMAT, "mlp_only_layers|list" },
    { "a dense layer that is no number", OF("qwen2_moe") "\"mlp_only_layers\": [\"one\"]}", OCLM_ERR_FORMAT, "mlp_only_layers|0 to 23" },
    { "experts in uneven groups", OF("deepseek_v3") "\"n_routed_experts\": 10, \"n_group\": 3}", OCLM_ERR_FORMAT, "10 experts|3 groups|n_group" },
    { "groups with too few experts", OF("deepseek_v3") "\"n_routed_experts\": 16, \"n_group\": 8, \"topk_group\": 3}", OCLM_ERR_FORMAT,
      "16 experts|8 groups|topk_group|8 experts" },
    { "an unknown way to choose", OF("deepseek_v2") "\"topk_method\": \"lottery\"}", OCLM_ERR_UNSUPPORTED, "topk_method|lottery|greedy" },
    { "values longer than keys", OF("deepseek_v2") "\"v_head_dim\": 256}", OCLM_ERR_UNSUPPORTED, "v_head_dim|256|192" },
    { "keys shared by all layers", OF("gemma4_text") "\"num_kv_shared_layers\": 30}", OCLM_ERR_FORMAT, "num_kv_shared_layers|30|layer 0" },
    { "keys of a kind that no layer makes", OF("gemma4_text") "\"num_hidden_layers\": 3, \"num_kv_shared_layers\": 1}", OCLM_ERR_FORMAT,
      "num_kv_shared_layers|layer 2" },
    { "heads that do not divide in one layer", OF("gemma4_text") "\"per_layer_config\": {\"2\": {\"num_key_value_heads\": 3}}}", OCLM_ERR_FORMAT,
      "8 attention heads|3 key" },
    { "a head smaller than what turns of others", OF("gemma4_text") "\"per_layer_config\": {\"2\": {\"head_dim\": 12}}}", OCLM_ERR_FORMAT,
      "256|layer 2|12" },
    { "sizes of a layer that there is not", OF("gemma4_text") "\"per_layer_config\": {\"30\": {\"head_dim\": 3}}}", OCLM_ERR_FORMAT,
      "per_layer_config|30|0 to 29" },
    { "shared keys of other heads", OF("gemma4_text") "\"num_kv_shared_layers\": 2, \"per_layer_config\": {\"29\": {\"head_dim\": 128}}}",
      OCLM_ERR_FORMAT, "layer 29 reads keys of layer 23" },
    { "a head for all layers that is too large", OF("gemma4_text") "\"global_head_dim\": 2048}", OCLM_ERR_FORMAT, "global_head_dim|2048|1024" },
    { "experts of which nothing is told", OF("gemma4_text") "\"enable_moe_block\": true}", OCLM_ERR_FORMAT, "enable_moe_block|num_experts" },
    { "tokens that see later ones", OF("gemma4_text") "\"use_bidirectional_attention\": \"all\"}", OCLM_ERR_UNSUPPORTED,
      "use_bidirectional_attention|all" },
    { "inputs of layers past any width", OF("gemma4_text") "\"hidden_size_per_layer_input\": 65536}", OCLM_ERR_UNSUPPORTED, "65536|30 layers" },
    { "a gate without a limit", OF("gpt_oss") "\"swiglu_limit\": 0}", OCLM_ERR_FORMAT, "swiglu_limit|0" },
    { "no vocabulary", LLAMA "\"vocab_size\": 0}", OCLM_ERR_FORMAT, "vocab_size|0" },
    { "a negative size", LLAMA "\"hidden_size\": -64}", OCLM_ERR_FORMAT, "hidden_size|-64" },
    { "a size in words", LLAMA "\"hidden_size\": \"64\"}", OCLM_ERR_FORMAT, "hidden_size|64" },
    { "half a size", LLAMA "\"hidden_size\": 64.5}", OCLM_ERR_FORMAT, "hidden_size|64.5" },
    { "a size past 32 bits", LLAMA "\"intermediate_size\": 4294967297}", OCLM_ERR_FORMAT, "intermediate_size|4294967297" },
    { "a size past everything", LLAMA "\"vocab_size\": 1e300}", OCLM_ERR_FORMAT, "vocab_size" },
    { "too many layers", LLAMA "\"num_hidden_layers\": 100000}", OCLM_ERR_FORMAT, "num_hidden_layers|100000|1024" },
    { "no layers", GPT2 "\"n_layer\": 0}", OCLM_ERR_FORMAT, "n_layer|0" },
    { "no heads", GPT2 "\"n_head\": 0}", OCLM_ERR_FORMAT, "n_head|0" },
    { "no key heads", LLAMA "\"num_key_value_heads\": 0}", OCLM_ERR_FORMAT, "num_key_value_heads|0" },
    { "heads that do not divide (gpt2)", GPT2 "\"n_embd\": 100, \"n_head\": 7}", OCLM_ERR_FORMAT, "100|7" },
    { "heads that do not divide (llama)", LLAMA "\"hidden_size\": 100, \"num_attention_heads\": 7}", OCLM_ERR_FORMAT, "100|7" },
    { "key heads that do not divide", LLAMA "\"num_attention_heads\": 32, \"num_key_value_heads\": 5}", OCLM_ERR_FORMAT, "32|5" },
    { "more key heads than heads", LLAMA "\"num_attention_heads\": 4, \"num_key_value_heads\": 8}", OCLM_ERR_FORMAT, "4|8" },
    { "an odd head to rotate", LLAMA "\"head_dim\": 63}", OCLM_ERR_FORMAT, "63|even" },
    { "an odd head by division", LLAMA "\"hidden_size\": 99, \"num_attention_heads\": 3}", OCLM_ERR_FORMAT, "33|even" },
    { "a head wider than attention takes", LLAMA "\"hidden_size\": 8192, \"num_attention_heads\": 1}", OCLM_ERR_UNSUPPORTED, "8192|1024" },
    { "a head_dim too large", LLAMA "\"head_dim\": 100000}", OCLM_ERR_FORMAT, "head_dim|100000" },
    { "all heads together overflow", LLAMA "\"hidden_size\": 1048576, \"num_attention_heads\": 1048576, \"head_dim\": 1024}",
      OCLM_ERR_UNSUPPORTED, "1048576|1024" },
    { "an MLP of negative width", GPT2 "\"n_inner\": -1}", OCLM_ERR_FORMAT, "n_inner|-1" },
    { "an unknown activation", LLAMA "\"hidden_act\": \"zelu\"}", OCLM_ERR_UNSUPPORTED, "hidden_act|zelu|silu|gelu_new" },
    { "an activation that is a number", GPT2 "\"activation_function\": 3}", OCLM_ERR_FORMAT, "activation_function|3" },
    { "an epsilon of zero", LLAMA "\"rms_norm_eps\": 0}", OCLM_ERR_FORMAT, "rms_norm_eps|0" },
    { "a negative epsilon", GPT2 "\"layer_norm_epsilon\": -1e-5}", OCLM_ERR_FORMAT, "layer_norm_epsilon" },
    { "a flag that is a word", LLAMA "\"tie_word_embeddings\": \"yes\"}", OCLM_ERR_FORMAT, "tie_word_embeddings|yes" },
    { "cross attention", GPT2 "\"add_cross_attention\": true}", OCLM_ERR_UNSUPPORTED, "add_cross_attention" },
    { "an end-of-sequence id in words", LLAMA "\"eos_token_id\": \"two\"}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "a negative end-of-sequence id", LLAMA "\"eos_token_id\": [1, -2]}", OCLM_ERR_FORMAT, "eos_token_id" },
    { "end-of-sequence ids without end", LLAMA "\"eos_token_id\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", OCLM_ERR_UNSUPPORTED,
      "eos_token_id|16" },
    { "a dtype that is a number", LLAMA "\"dtype\": 16}", OCLM_ERR_FORMAT, "dtype|16" },
    { "RoPE that is a list", LLAMA "\"rope_scaling\": [1]}", OCLM_ERR_FORMAT, "rope_scaling" },
    { "a rope_type of another world", ROPE("\"rope_type\": \"spiral\""), OCLM_ERR_UNSUPPORTED,
      "spiral|default, linear, dynamic, llama3, yarn, longrope, proportional" },
    { "longrope without factors", ROPE("\"rope_type\": \"longrope\""), OCLM_ERR_FORMAT, "longrope|short_factor|64" },
    { "longrope with too few", ROPE("\"type\": \"su\", \"short_factor\": [1], \"long_factor\": [1]"), OCLM_ERR_FORMAT,
      "short_factor|64 numbers|it has 1" },
    { "longrope with a factor of 0", LLAMA "\"head_dim\": 4, \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 0], "
      "\"long_factor\": [1, 1]}}", OCLM_ERR_FORMAT, "short_factor|greater than 0|number 1" },
    { "a set that is no object", LLAMA "\"rope_parameters\": {\"full_attention\": 7}}", OCLM_ERR_FORMAT, "full_attention|object" },
    { "linear without factor", ROPE("\"rope_type\": \"linear\""), OCLM_ERR_FORMAT, "linear|factor" },
    { "dynamic without factor", ROPE("\"rope_type\": \"dynamic\""), OCLM_ERR_FORMAT, "dynamic|factor" },
    { "a factor of zero", ROPE("\"rope_type\": \"linear\", \"factor\": 0"), OCLM_ERR_FORMAT, "factor|0" },
    { "a factor in words", ROPE("\"rope_type\": \"linear\", \"factor\": \"8\""), OCLM_ERR_FORMAT, "factor|8" },
    { "llama3 without low_freq_factor", ROPE("\"rope_type\": \"llama3\", \"factor\": 8, \"high_freq_factor\": 4"), OCLM_ERR_FORMAT,
      "low_freq_factor" },
    { "llama3 with nothing between", ROPE("\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4"),
      OCLM_ERR_FORMAT, "high_freq_factor|4" },
    { "a pretraining length of zero", ROPE("\"rope_type\": \"yarn\", \"original_max_position_embeddings\": 0"), OCLM_ERR_FORMAT,
      "original_max_position_embeddings|0" },
    { "a negative beta", ROPE("\"rope_type\": \"yarn\", \"factor\": 2, \"beta_fast\": -1"), OCLM_ERR_FORMAT, "beta_fast|-1" },
    { "theta of zero", LLAMA "\"rope_theta\": 0}", OCLM_ERR_FORMAT, "rope_theta|0" },
    { "theta of one", LLAMA "\"rope_theta\": 1}", OCLM_ERR_FORMAT, "rope_theta|1" },
    { "as many kinds of attention as no model has layers", "{\"model_type\": \"gpt_neo\", \"num_layers\": 4}", OCLM_ERR_FORMAT, "attention_types|24 layers" },
    { "too few kinds of attention", "{\"model_type\": \"gpt_neo\", \"num_layers\": 4, \"attention_types\": [[[\"global\"], 3]]}", OCLM_ERR_FORMAT,
      "attention_types|fewer" },
    { "kinds of attention without end", "{\"model_type\": \"gpt_neo\", \"num_layers\": 4, \"attention_types\": [[[\"global\", \"local\"], 1000]]}",
      OCLM_ERR_FORMAT, "attention_types|more" },
    { "an unknown kind of attention", "{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"odd\"], 1]]}", OCLM_ERR_FORMAT,
      "attention_types|global|local" },
    { "kinds of attention that are no list", "{\"model_type\": \"gpt_neo\", \"attention_types\": [3]}", OCLM_ERR_FORMAT, "attention_types" },
    { "layer_types of the wrong length", "{\"model_type\": \"gemma2\", \"layer_types\": [\"full_attention\"]}", OCLM_ERR_FORMAT, "layer_types|1|26" },
    { "a layer type of another world", "{\"model_type\": \"qwen3\", \"num_hidden_layers\": 1, \"layer_types\": [\"lightning\"]}", OCLM_ERR_UNSUPPORTED,
      "layer_types|lightning" },
    { "layers that slide without a window", "{\"model_type\": \"qwen2\", \"num_hidden_layers\": 1, \"layer_types\": [\"sliding_attention\"]}",
      OCLM_ERR_FORMAT, "layer_types|sliding_window" },
    { "a negative window", "{\"model_type\": \"mistral\", \"sliding_window\": -1}", OCLM_ERR_FORMAT, "sliding_window|-1" },
    { "flags for too few layers", "{\"model_type\": \"smollm3\", \"no_rope_layers\": [1, 0]}", OCLM_ERR_FORMAT, "no_rope_layers|36" },
    { "a flag that is neither", "{\"model_type\": \"smollm3\", \"num_hidden_layers\": 1, \"no_rope_layers\": [2]}", OCLM_ERR_FORMAT, "no_rope_layers|0" },
    { "every zeroth layer", "{\"model_type\": \"smollm3\", \"no_rope_layer_interval\": 0}", OCLM_ERR_FORMAT, "no_rope_layer_interval|0" },
    { "a pattern of zero", "{\"model_type\": \"gemma3_text\", \"sliding_window_pattern\": 0}", OCLM_ERR_FORMAT, "sliding_window_pattern|0" },
    { "tokens that see the future", "{\"model_type\": \"gemma\", \"use_bidirectional_attention\": true}", OCLM_ERR_UNSUPPORTED, "use_bidirectional_attention" },
    { "heads that do not fill four blocks", "{\"model_type\": \"codegen\", \"n_head\": 2}", OCLM_ERR_FORMAT, "n_head|2|4" },
    { "nothing to turn", "{\"model_type\": \"gptj\", \"rotary_dim\": null}", OCLM_ERR_UNSUPPORTED, "rotary_dim|null" },
    { "more to turn than a head has", "{\"model_type\": \"gptj\", \"n_embd\": 64, \"n_head\": 4}", OCLM_ERR_FORMAT, "64|16" },
    { "a falcon that no one can fly", "{\"model_type\": \"falcon\", \"new_decoder_architecture\": true, \"parallel_attn\": false}", OCLM_ERR_UNSUPPORTED,
      "parallel_attn|new_decoder_architecture" },
    { "three norms side by side", "{\"model_type\": \"falcon\", \"num_ln_in_parallel_attn\": 3}", OCLM_ERR_FORMAT, "num_ln_in_parallel_attn|3" },
    { "a scale of zero for logits", "{\"model_type\": \"granite\", \"logits_scaling\": 0}", OCLM_ERR_FORMAT, "logits_scaling|0" },
    { "a negative cap", "{\"model_type\": \"gemma2\", \"final_logit_softcapping\": -30}", OCLM_ERR_FORMAT, "final_logit_softcapping|-30" },
    { "factors for another head", "{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [1]}}",
      OCLM_ERR_FORMAT, "short_factor|48" },
    { "dynamic with two dimensions", LLAMA "\"head_dim\": 2, \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2}}", OCLM_ERR_FORMAT,
      "dynamic|2" },
};

static bool says_all(const char *parts)
{
    char part[128];
    while (*parts != '\0') {
        const size_t length = strcspn(parts, "|");
        snprintf(part, sizeof part, "%.*s", (int)length, parts);
        if (strstr(oclm_last_error(), part) == NULL)
            return false;
        parts += length + (parts[length] == '|' ? 1 : 0);
    }
    return true;
}

static void bad_configurations_are_refused_naming_key_and_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const model_family *family;
        model_architecture  a;
        oclm_dtype          dtype;
        const oclm_status   got = read_config(refused[i].config, &family, &a, &dtype);
        if (got != refused[i].want || !says_all(refused[i].says))
            fail_msg("%s: %s, want %s saying \"%s\"; says: %s", refused[i].label, oclm_status_name(got), oclm_status_name(refused[i].want),
                     refused[i].says, got == OCLM_OK ? "" : oclm_last_error());
    }
}

static void a_missing_folder_or_file_is_named(void **state)
{
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    folder              f;
    char                path[128];
    (void)state;
    assert_status(model_config_read("/nonexistent/model", &family, &a, &dtype), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "/nonexistent/model"));
    folder_new(&f, "{}");
    folder_file(&f, "config.json", path);
    assert_int_equal(unlink(path), 0);
    assert_status(model_config_read(f.path, &family, &a, &dtype), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), path));
    folder_free(&f);
}

/* ---- What is read */

static void missing_keys_mean_the_class_defaults_of_gpt2(void **state)
{
    (void)state;
    const model_architecture a = read_good("{\"model_type\": \"gpt2\"}");
    assert_int_equal(a.vocab_size, 50257);
    assert_int_equal(a.hidden_size, 768);
    assert_int_equal(a.intermediate_size, 3072);
    assert_int_equal(a.layers, 12);
    assert_int_equal(a.heads, 12);
    assert_int_equal(a.kv_heads, 12);
    assert_int_equal(a.head_dim, 64);
    assert_int_equal(a.max_position_embeddings, 1024);
    assert_int_equal(a.norm.kind, DEV_NORM_LAYER);
    assert_float_equal(a.norm.eps, 1e-5f, 0.0f);
    assert_true(a.norm.has_bias && a.qkv_bias && a.output_bias && a.mlp_bias && a.tied_head && !a.mlp_gated);
    assert_int_equal(a.position, MODEL_POSITION_LEARNED);
    assert_int_equal(a.activation, DEV_ACT_GELU_TANH);
    assert_float_equal(a.attention_scale, 0.125f, 0.0f);
    assert_int_equal(a.eos_token_count, 1);
    assert_int_equal(a.eos_token_ids[0], 50256);
    assert_string_equal(a.model_type, "gpt2");
}

static void missing_keys_mean_the_class_defaults_of_llama(void **state)
{
    (void)state;
    const model_architecture a = read_good("{\"model_type\": \"llama\", \"head_dim\": null, \"num_key_value_heads\": null, \"rope_scaling\": null}");
    assert_int_equal(a.vocab_size, 32000);
    assert_int_equal(a.hidden_size, 4096);
    assert_int_equal(a.intermediate_size, 11008);
    assert_int_equal(a.layers, 32);
    assert_int_equal(a.heads, 32);
    assert_int_equal(a.kv_heads, 32);
    assert_int_equal(a.head_dim, 128);
    assert_int_equal(a.max_position_embeddings, 2048);
    assert_int_equal(a.norm.kind, DEV_NORM_RMS);
    assert_float_equal(a.norm.eps, 1e-6f, 0.0f);
    assert_true(!a.norm.has_bias && !a.qkv_bias && !a.output_bias && !a.mlp_bias && !a.tied_head && a.mlp_gated);
    assert_int_equal(a.position, MODEL_POSITION_ROPE);
    assert_int_equal(a.ropes[0].type, MODEL_ROPE_DEFAULT);
    assert_int_equal(a.ropes[0].dims, 128);
    assert_true(a.ropes[0].theta == 10000.0);
    assert_int_equal(a.activation, DEV_ACT_SILU);
    assert_int_equal(a.eos_token_ids[0], 2);
}

static void a_language_model_may_be_a_part_of_a_larger_one(void **state)
{
    (void)state;
    const model_architecture a = read_good("{\"model_type\": \"zebra\", \"tie_word_embeddings\": true, \"vocab_size\": 7, \"eos_token_id\": 5, "
                                           "\"vision_config\": {\"hidden_size\": 3}, \"text_config\": {\"model_type\": \"llama\", "
                                           "\"vocab_size\": 99, \"hidden_size\": 64, \"num_attention_heads\": 4}}");
    assert_int_equal(a.vocab_size, 99); /* what is inside counts, */
    assert_int_equal(a.hidden_size, 64);
    assert_true(a.tied_head);           /* then what stands beside it */
    assert_int_equal(a.eos_token_ids[0], 5);
    assert_string_equal(a.model_type, "llama");
    const model_architecture named_outside = read_good("{\"model_type\": \"llama\", \"text_config\": {\"hidden_size\": 96, \"num_attention_heads\": 3}}");
    assert_int_equal(named_outside.hidden_size, 96);
}

static void keys_have_old_and_new_names(void **state)
{
    (void)state;
    model_architecture a = read_good(GPT2 "\"hidden_size\": 60, \"num_hidden_layers\": 3, \"num_attention_heads\": 5, "
                                          "\"max_position_embeddings\": 99, \"n_inner\": 50, \"activation_function\": \"gelu\", "
                                          "\"scale_attn_weights\": false, \"scale_attn_by_inverse_layer_idx\": true, "
                                          "\"reorder_and_upcast_attn\": true, \"tie_word_embeddings\": false, \"eos_token_id\": null}");
    assert_int_equal(a.hidden_size, 60);
    assert_int_equal(a.layers, 3);
    assert_int_equal(a.heads, 5);
    assert_int_equal(a.max_position_embeddings, 99);
    assert_int_equal(a.intermediate_size, 50);
    assert_int_equal(a.activation, DEV_ACT_GELU);
    assert_float_equal(a.attention_scale, 1.0f, 0.0f);
    assert_true(a.attention_scale_by_layer && !a.tied_head);
    assert_int_equal(a.eos_token_count, 0);
    a = read_good(LLAMA "\"head_dim\": 96, \"num_key_value_heads\": 8, \"attention_bias\": true, \"mlp_bias\": true, "
                        "\"hidden_act\": \"gelu_pytorch_tanh\", \"eos_token_id\": [7, 9]}");
    assert_int_equal(a.head_dim, 96);
    assert_int_equal(a.kv_heads, 8);
    assert_true(a.qkv_bias && a.output_bias && a.mlp_bias);
    assert_int_equal(a.activation, DEV_ACT_GELU_TANH);
    assert_int_equal(a.eos_token_count, 2);
    assert_int_equal(a.eos_token_ids[1], 9);
}

static const struct { const char *label, *config; model_rope_type type; double theta, factor; uint32_t original; } ropes[] = {
    { "theta outside", LLAMA "\"rope_theta\": 5e5}", MODEL_ROPE_DEFAULT, 5e5, 1, 2048 },
    { "theta inside wins", LLAMA "\"rope_theta\": 5e5, \"rope_parameters\": {\"rope_theta\": 7e5}}", MODEL_ROPE_DEFAULT, 7e5, 1, 2048 },
    { "null and empty sets say nothing", LLAMA "\"rope_scaling\": {}, \"rope_parameters\": null}", MODEL_ROPE_DEFAULT, 1e4, 1, 2048 },
    { "the old set wins", LLAMA "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 3}}",
      MODEL_ROPE_LINEAR, 1e4, 2, 2048 },
    { "rope_type before type", ROPE("\"rope_type\": \"dynamic\", \"type\": \"linear\", \"factor\": 3"), MODEL_ROPE_DYNAMIC, 1e4, 3, 2048 },
    { "llama3", ROPE("\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                     "\"original_max_position_embeddings\": 1024"), MODEL_ROPE_LLAMA3, 1e4, 8, 1024 },
    { "the length at the top level wins", LLAMA "\"original_max_position_embeddings\": 512, \"rope_scaling\": {\"rope_type\": \"yarn\", "
                                                "\"factor\": 4, \"original_max_position_embeddings\": 1024}}", MODEL_ROPE_YARN, 1e4, 4, 512 },
    { "yarn's factor is the ratio of lengths", ROPE("\"rope_type\": \"yarn\", \"factor\": null, \"original_max_position_embeddings\": 512"),
      MODEL_ROPE_YARN, 1e4, 4, 512 },
};

static void rotary_parameters_are_read_from_both_generations_of_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ropes); i++) {
        const model_rope rope = read_good(ropes[i].config).ropes[0];
        if (rope.type != ropes[i].type || rope.theta != ropes[i].theta || rope.factor != ropes[i].factor ||
            rope.original_max_position_embeddings != ropes[i].original)
            fail_msg("%s: type %d theta %g factor %g length %u", ropes[i].label, (int)rope.type, rope.theta, rope.factor,
                     rope.original_max_position_embeddings);
    }
    const model_rope yarn = read_good(ROPE("\"rope_type\": \"yarn\", \"factor\": 4, \"beta_slow\": null, \"truncate\": false")).ropes[0];
    assert_true(yarn.beta_fast == 32.0 && yarn.beta_slow == 1.0 && !yarn.truncate);
}

static const struct { const char *config; oclm_dtype want; } dtypes[] = {
    { "{\"model_type\": \"llama\"}", OCLM_DTYPE_AUTO },
    { LLAMA "\"torch_dtype\": \"bfloat16\"}", OCLM_DTYPE_BFLOAT16 },
    { LLAMA "\"torch_dtype\": \"bfloat16\", \"dtype\": \"float16\"}", OCLM_DTYPE_FLOAT16 },
    { LLAMA "\"dtype\": \"float32\"}", OCLM_DTYPE_FLOAT32 },
    { LLAMA "\"dtype\": \"float64\"}", OCLM_DTYPE_AUTO },
    { LLAMA "\"dtype\": null, \"torch_dtype\": \"float16\"}", OCLM_DTYPE_FLOAT16 },
};

static void the_dtype_is_read_from_both_generations_of_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        const model_family *family;
        model_architecture  a;
        oclm_dtype          dtype;
        assert_ok(read_config(dtypes[i].config, &family, &a, &dtype));
        if (dtype != dtypes[i].want)
            fail_msg("%s: dtype %d, want %d", dtypes[i].config, (int)dtype, (int)dtypes[i].want);
    }
}

/* Every prefix, and every byte turned into another, of a whole configuration: an answer, never a crash. */
static void truncated_and_damaged_files_end_in_a_status(void **state)
{
    static const char whole[] = LLAMA "\"hidden_size\": 64, \"num_attention_heads\": 4, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
                                      "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0}, \"eos_token_id\": [1, 2], \"dtype\": \"float16\"}";
    static const char bytes[] = { '\0', '"', '}', '[', '-', '9', 'e', '\xff' };
    const model_family *family;
    model_architecture  a;
    oclm_dtype          dtype;
    folder              f;
    (void)state;
    folder_new(&f, "{}");
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        folder_write(&f, "config.json", whole, length);
        assert_true(model_config_read(f.path, &family, &a, &dtype) != OCLM_OK);
    }
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        for (size_t b = 0; b < sizeof bytes; b++) {
            char damaged[sizeof whole];
            memcpy(damaged, whole, sizeof whole);
            damaged[i] = bytes[b];
            folder_write(&f, "config.json", damaged, sizeof whole - 1);
            if (model_config_read(f.path, &family, &a, &dtype) == OCLM_OK) { /* then what was read is within its limits */
                assert_in_range(a.heads, 1, MODEL_MAX_WIDTH);
                assert_int_equal(a.heads % a.kv_heads, 0);
                assert_in_range(a.head_dim, 1, MODEL_MAX_HEAD_DIM);
            }
        }
    }
    folder_free(&f);
}

static void a_failing_allocation_is_told_and_nothing_leaks(void **state)
{
    folder f;
    oclm_status status = OCLM_ERR_MEMORY;
    (void)state;
    folder_new(&f, LLAMA "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}}");
    for (size_t n = 1; status != OCLM_OK; n++) {
        const model_family *family;
        model_architecture  a;
        oclm_dtype          dtype;
        const size_t        live = core_memory_live();
        core_memory_fail_at(n, true);
        status = model_config_read(f.path, &family, &a, &dtype);
        core_memory_fail_at(0, false);
        assert_int_equal(core_memory_live(), live);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        assert_in_range(n, 1, 1000);
    }
    folder_free(&f);
}

static void a_position_of_cache_has_a_price(void **state)
{
    (void)state;
    const model_architecture a = read_good(LLAMA "\"num_hidden_layers\": 30, \"hidden_size\": 576, \"num_attention_heads\": 9, \"num_key_value_heads\": 3}");
    assert_int_equal(model_kv_bytes_per_token(&a), 30 * 3 * 64 * 2 * 4);
    /* Five layers of six have a window; the last twelve read what layers 17 and 16 keep. */
    const model_architecture b = read_good("{\"model_type\": \"gemma4_text\", \"num_kv_shared_layers\": 12}");
    assert_int_equal(model_kv_bytes_per_token(&b), (15 * 4 * 256 + 3 * 4 * 512) * 2 * 4);
    assert_int_equal(model_cache_read_per_token(&b, 700), (25 * 512 * 4 * 256 + 5 * 700 * 4 * 512) * 2 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_configurations_are_refused_naming_key_and_value),
        cmocka_unit_test(a_missing_folder_or_file_is_named),
        cmocka_unit_test(missing_keys_mean_the_class_defaults_of_gpt2),
        cmocka_unit_test(missing_keys_mean_the_class_defaults_of_llama),
        cmocka_unit_test(a_language_model_may_be_a_part_of_a_larger_one),
        cmocka_unit_test(keys_have_old_and_new_names),
        cmocka_unit_test(rotary_parameters_are_read_from_both_generations_of_keys),
        cmocka_unit_test(the_dtype_is_read_from_both_generations_of_keys),
        cmocka_unit_test(truncated_and_damaged_files_end_in_a_status),
        cmocka_unit_test(a_failing_allocation_is_told_and_nothing_leaks),
        cmocka_unit_test(a_position_of_cache_has_a_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
