"""The models of make_family_models.py: one entry for each family and for each option of it that could be understood wrongly."""

LIKE_LLAMA = dict(vocab_size=61, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                  max_position_embeddings=128)
LIKE_GPT = dict(vocab_size=61, n_embd=30, n_layer=2, n_head=3, n_positions=128)
PLAIN_HEADS = {"num_key_value_heads": None}      # as many as query heads


def same(x):
    return x


def entry(model_type, what, *, like=LIKE_LLAMA, dtype="float32", long=37, edit=same, wrap=same, rename=same, attention="eager", embedding=None, tied=False,
          inputs_first=lambda name: False, **config):
    """edit: config.json as someone else writes it, which transformers reads too; wrap and rename: config.json and tensor names that
    only oclm is given; long: length of the second prompt; embedding: spread of the embedding; inputs_first: which matrices are stored [in][out]."""
    config = {key: value for key, value in (like | config).items() if value != "absent"}
    return dict(model_type=model_type, what=what, config=config, dtype=dtype, long=long, edit=edit, wrap=wrap, rename=rename, attention=attention,
                embedding=embedding, tied=tied, inputs_first=inputs_first)


def gpt(model_type, what, **options):
    return entry(model_type, what, like=LIKE_GPT, **options)


def without(*keys):
    """config.json less some keys, which then mean the class default."""
    return lambda tree: {key: value for key, value in tree.items() if key not in keys}


def changed(**values):
    return lambda tree: tree | values


def old_rope(tree, type_key="type"):
    """Rotary parameters as transformers 4 wrote them."""
    rope = tree.pop("rope_parameters")
    tree["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        tree["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    kind = rope.pop("rope_type")
    tree["rope_scaling"] = None if kind == "default" else {type_key: kind, **rope}
    return tree


def in_text_config(model_type, keep=()):
    """Nested as in a repository of a model that sees as well; keys of `keep` stay outside."""
    def wrap(tree):
        text = {key: value for key, value in tree.items() if key not in keep and key not in ("architectures", "dtype")}
        return {"model_type": model_type, "dtype": tree["dtype"], **{key: tree[key] for key in keep}, "text_config": text, "vision_config": {"hidden_size": 8}}
    return wrap


def replacing(*pairs):
    def rename(name):
        for old, new in pairs:
            name = name.replace(old, new)
        return name
    return rename


def prefixed(prefix):
    return lambda name: prefix + name


LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16, rope_theta=10000.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=10000.0)
THETA = dict(rope_type="default", rope_theta=10000.0)
SLIDES, SEES_ALL = "sliding_attention", "full_attention"


def longrope(pairs, **more):
    return dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0 + 0.1 * i for i in range(pairs)],
                long_factor=[1.5 + 0.7 * i for i in range(pairs)], **more)


EXPERTS = dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=20)

MODELS = {
    # ---- Like GPT-2
    "gpt2": gpt("gpt2", "plain", inputs_first=lambda n: ".c_" in n, tied=True),
    "gpt2-hub": gpt("gpt2", "names without a prefix, keys of the other generation", inputs_first=lambda n: ".c_" in n, tied=True,
                    edit=lambda t: {{"n_embd": "hidden_size", "n_head": "num_attention_heads"}.get(k, k): v for k, v in t.items()},
                    rename=replacing(("transformer.", ""))),
    "gpt_bigcode": gpt("gpt_bigcode", "one key head for all", tied=True),
    "gpt_bigcode-heads": gpt("gpt_bigcode", "a key head for each: q, k, v by head; not scaled", multi_query=False, scale_attn_weights=False, tied=True),
    "gpt_neo": entry("gpt_neo", "windows on odd layers, scores not scaled", like=dict(vocab_size=61, hidden_size=30, num_layers=2, num_heads=3,
                     max_position_embeddings=128), attention_types=[[["global", "local"], 1]], window_size=8, tied=True),
    "gpt_neo-width": entry("gpt_neo", "intermediate_size, exact gelu, windows wider than the prompt", like=dict(vocab_size=61, hidden_size=30, num_layers=3,
                           num_heads=3, max_position_embeddings=128), attention_types=[[["local"], 2], [["global"], 1]], window_size=64, intermediate_size=37,
                           activation_function="gelu", tied=True),
    "gptj": gpt("gptj", "neighbours turn, a part of the head; a head with bias", rotary_dim=4),
    "codegen": gpt("codegen", "four blocks of q, v, k", n_embd=32, n_head=4, rotary_dim=4),
    "codegen-heads": gpt("codegen", "eight heads in four blocks", n_embd=48, n_head=8, rotary_dim=6),
    "gpt_neox": entry("gpt_neox", "parallel branches with two norms, a quarter of the head turns; q, k, v by head", num_key_value_heads="absent", hidden_size=48,
                      num_attention_heads=3),
    "gpt_neox-sequential": entry("gpt_neox", "one branch after the other, no biases in attention, old keys", num_key_value_heads="absent", hidden_size=48,
                                 num_attention_heads=3, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new",
                                 rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=0.5),
                                 wrap=lambda t: {k: v for k, v in t.items() if k != "rope_parameters"} | {"rotary_pct": 0.5, "rotary_emb_base": 500}),
    "opt": entry("opt", "norms before, positions from row 2", like=dict(vocab_size=61, hidden_size=30, ffn_dim=44, num_hidden_layers=2, num_attention_heads=3,
                 max_position_embeddings=128, word_embed_proj_dim=30), tied=True),
    "opt-post": entry("opt", "norms after the sums, embedding of another width", like=dict(vocab_size=61, hidden_size=30, ffn_dim=44, num_hidden_layers=2,
                      num_attention_heads=3, max_position_embeddings=128, word_embed_proj_dim=20), do_layer_norm_before=False, tied=True),
    "opt-bare": entry("opt", "no biases, norms without weights, no last norm, untied; names without a prefix", like=dict(vocab_size=61, hidden_size=30,
                      ffn_dim=44, num_hidden_layers=2, num_attention_heads=3, max_position_embeddings=128, word_embed_proj_dim=30), enable_bias=False,
                      layer_norm_elementwise_affine=False, _remove_final_layer_norm=True, tie_word_embeddings=False, rename=replacing(("model.decoder.", "decoder."))),
    "bloom": entry("bloom", "ALiBi for 6 heads, a norm after the embedding", like=dict(vocab_size=61, hidden_size=36, n_layer=2, n_head=6), tied=True),
    "bloom-post": entry("bloom", "the residual is what the norm gives; names and keys as on the hub", like=dict(vocab_size=61, hidden_size=32, n_layer=2, n_head=4),
                        apply_residual_connection_post_layernorm=True, tied=True, rename=replacing(("transformer.", "")),
                        wrap=lambda t: {{"hidden_size": "n_embed", "n_head": "num_attention_heads"}.get(k, k): v for k, v in t.items()}),
    "mpt": entry("mpt", "ALiBi for 6 heads, no biases", like=dict(vocab_size=61, d_model=36, n_layers=2, n_heads=6, max_seq_len=128), tied=True),
    "mpt-clip": entry("mpt", "clipped q, k, v; a scale of its own; other slopes", like=dict(vocab_size=61, d_model=36, n_layers=2, n_heads=4, max_seq_len=128),
                      attn_config=dict(clip_qkv=0.7, softmax_scale=0.5), tied=True),
    "falcon": entry("falcon", "7b: parallel branches with one norm, one key head", like=dict(vocab_size=61, hidden_size=32, num_hidden_layers=2,
                    num_attention_heads=4, max_position_embeddings=128), attention="sdpa", tied=True),
    "falcon-new": entry("falcon", "40b: key heads of groups, two norms", like=dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        max_position_embeddings=128), new_decoder_architecture=True, num_kv_heads=2, attention="sdpa", tied=True),
    "falcon-new-one": entry("falcon", "falcon2: key heads of groups, one norm, an MLP width of its own", like=dict(vocab_size=61, hidden_size=32,
                            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=128), new_decoder_architecture=True, num_kv_heads=2,
                            num_ln_in_parallel_attn=1, ffn_hidden_size=50, attention="sdpa", tied=True),
    "falcon-rw": entry("falcon", "rw: one branch after the other, ALiBi in bfloat16 for 6 heads, biases", like=dict(vocab_size=61, hidden_size=36,
                       num_hidden_layers=2, num_attention_heads=6), alibi=True, multi_query=False, parallel_attn=False, bias=True, attention="sdpa", tied=True),
    "falcon-first": entry("falcon", "40b as it was first published: RefinedWeb, with its names of keys", like=dict(vocab_size=61, hidden_size=32,
                          num_hidden_layers=2, num_attention_heads=4), new_decoder_architecture=True, num_kv_heads=2, attention="sdpa", tied=True,
                          wrap=lambda t: {"model_type": "RefinedWeb", "n_layer": 2, "n_head": 4, "n_head_kv": 2, "parallel_attn": True, "alibi": False,
                                          **{k: t[k] for k in ("architectures", "vocab_size", "hidden_size", "bias", "layer_norm_epsilon", "dtype")}}),
    "falcon-mixed": entry("falcon", "parallel branches with ALiBi and a key head for each", like=dict(vocab_size=61, hidden_size=32, num_hidden_layers=2,
                          num_attention_heads=4), alibi=True, multi_query=False, attention="sdpa", tied=True),

    # ---- Like Llama
    "llama": entry("llama", "plain, grouped queries"),
    "qwen2": entry("qwen2", "biases on q, k, v; tied", tie_word_embeddings=True),
    "qwen2-window": entry("qwen2", "a window from layer 1 on", num_hidden_layers=3, use_sliding_window=True, sliding_window=8, max_window_layers=1),
    "qwen2-unused-window": entry("qwen2", "a window that use_sliding_window: false switches off", use_sliding_window=False,
                                 edit=lambda t: without("layer_types")(t) | {"sliding_window": 8, "max_window_layers": 0}),
    "qwen3": entry("qwen3", "heads of their own width, normalised", head_dim=10),
    "qwen3-bias": entry("qwen3", "four biases; yarn in old spelling", head_dim=10, attention_bias=True, rope_parameters=dict(YARN), edit=old_rope),
    "qwen3-window": entry("qwen3", "a window from layer 1 on, layer_types left out", head_dim=10, use_sliding_window=True, sliding_window=8, max_window_layers=1,
                          edit=without("layer_types")),
    "mistral": entry("mistral", "no window, heads of their own width", head_dim=12, sliding_window=None),
    "mistral-window": entry("mistral", "a window shorter than the prompt", sliding_window=8),
    "mistral-narrow-window": entry("mistral", "a window of two; of one, transformers' cache keeps too much", sliding_window=2),
    "mistral-wide-window": entry("mistral", "a window longer than everything", sliding_window=100),
    "ministral": entry("ministral", "layers with and without a window", head_dim=10, num_hidden_layers=3, sliding_window=8,
                       layer_types=[SLIDES, SEES_ALL, SLIDES]),
    "ministral3": entry("ministral3", "yarn, queries that grow with the position; nested in mistral3, tensors with its prefix", head_dim=10, tie_word_embeddings=True,
                        rope_parameters=dict(YARN, beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.3),
                        wrap=in_text_config("mistral3", ["tie_word_embeddings"]), rename=prefixed("language_model.")),
    "gemma": entry("gemma", "embedding scaled, norms from 1; \"gelu\" that means tanh", head_dim=10, embedding=0.12, tied=True, edit=changed(hidden_act="gelu")),
    "gemma-bfloat16": entry("gemma", "stored in bfloat16", head_dim=10, hidden_size=36, embedding=0.12, tied=True, dtype="bfloat16"),
    "gemma2": entry("gemma2", "caps, windows on even layers, four norms", head_dim=10, num_hidden_layers=3, sliding_window=8, query_pre_attn_scalar=20,
                    attn_logit_softcapping=4.0, final_logit_softcapping=6.0, embedding=0.12, tied=True),
    "gemma2-defaults": entry("gemma2", "caps and pattern left out", head_dim=10, sliding_window=8, query_pre_attn_scalar=10, embedding=0.12, tied=True,
                             edit=without("layer_types", "attn_logit_softcapping", "final_logit_softcapping", "hidden_activation", "tie_word_embeddings")),
    "gemma2-uncapped": entry("gemma2", "caps of null", head_dim=10, sliding_window=100, attn_logit_softcapping=None, final_logit_softcapping=None,
                             embedding=0.12, tied=True),
    "gemma3": entry("gemma3_text", "two thetas, heads normalised, a window on five of six layers", head_dim=10, num_hidden_layers=6, sliding_window=8,
                    query_pre_attn_scalar=16, embedding=0.12, tied=True),
    "gemma3-old": entry("gemma3_text", "keys of the first files: pattern, rope_local_base_freq, linear scaling on full layers", head_dim=10, num_hidden_layers=3,
                        sliding_window=8, layer_types=[SLIDES, SEES_ALL, SLIDES], embedding=0.12, tied=True,
                        rope_parameters={SEES_ALL: dict(rope_type="linear", factor=4.0, rope_theta=20000.0), SLIDES: dict(rope_type="default", rope_theta=300.0)},
                        edit=lambda t: without("layer_types", "rope_parameters")(t) | {"sliding_window_pattern": 2, "rope_theta": 20000.0,
                                       "rope_local_base_freq": 300.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "gemma3-nested": entry("gemma3_text", "inside gemma3, tied outside, cap on the logits", head_dim=10, num_hidden_layers=2, sliding_window=8,
                           final_logit_softcapping=8.0, embedding=0.12, tied=True, wrap=in_text_config("gemma3", ["tie_word_embeddings"]),
                           rename=prefixed("language_model.")),
    "phi": entry("phi", "parallel branches with one norm, half of the head turns, biases everywhere", num_key_value_heads=None, hidden_size=48, num_attention_heads=4),
    "phi-norms": entry("phi", "heads normalised with LayerNorm, grouped", hidden_size=40, num_attention_heads=4, qk_layernorm=True,
                       rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.4), edit=old_rope),
    "phi3": entry("phi3", "fused q, k, v and gate, up", num_key_value_heads=None),
    "phi3-window": entry("phi3", "a window on all layers, three quarters of the head turn", sliding_window=8, hidden_size=64, num_attention_heads=4,
                         rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.75)),
    "phi3-longrope": entry("phi3", "longrope below its pretraining length", original_max_position_embeddings=64, rope_parameters=longrope(4), edit=old_rope),
    "phi3-longrope-beyond": entry("phi3", "longrope whose first prompt grows within and whose second begins beyond its pretraining length of 31",
                                  original_max_position_embeddings=31, rope_parameters=longrope(4), edit=old_rope),
    "phi3-su": entry("phi3", "longrope called su, a part of the head", original_max_position_embeddings=64, hidden_size=64,
                     rope_parameters=longrope(6, partial_rotary_factor=0.75),
                     wrap=lambda t: old_rope(t) | {"rope_scaling": {"type": "su"} | {k: t["rope_scaling"][k] for k in ("short_factor", "long_factor")}}),
    "smollm3": entry("smollm3", "every fourth layer does not turn; tied", num_hidden_layers=4),
    "smollm3-window": entry("smollm3", "layers that turn and layers with a window, chosen each for itself", num_hidden_layers=4, no_rope_layers=[1, 0, 0, 1],
                            use_sliding_window=True, sliding_window=8, layer_types=[SEES_ALL, SLIDES, SEES_ALL, SLIDES]),
    "granite": entry("granite", "four factors", embedding_multiplier=3.0, residual_multiplier=0.5, attention_multiplier=0.4, logits_scaling=1.7, embedding=0.4),
    "granite-bias": entry("granite", "biases, tied", attention_bias=True, mlp_bias=True, tie_word_embeddings=True, attention_multiplier=0.3),
    "olmo": entry("olmo", "LayerNorm without weights", num_key_value_heads=None),
    "olmo-clip": entry("olmo", "clipped q, k, v", clip_qkv=0.6),
    "olmo2": entry("olmo2", "norms after, all heads normalised together"),
    "olmo3": entry("olmo3", "windows on three of four layers, yarn on the others", num_hidden_layers=4, sliding_window=8,
                   rope_parameters={SEES_ALL: dict(YARN, rope_theta=500000.0), SLIDES: dict(rope_type="default", rope_theta=500000.0)}),
    "olmo3-old": entry("olmo3", "old keys: scaling reaches full layers alone, rope_theta too", num_hidden_layers=2, sliding_window=8, layer_types=[SLIDES, SEES_ALL],
                       edit=lambda t: without("rope_parameters")(t) | {"rope_theta": 2000.0, "rope_scaling": dict(rope_type="yarn", factor=4.0,
                                      original_max_position_embeddings=16)}),
    "stablelm": entry("stablelm", "LayerNorm, a quarter of the head turns", hidden_size=64, num_attention_heads=4),
    "stablelm-parallel": entry("stablelm", "parallel branches, biases, a norm for each head", hidden_size=64, num_attention_heads=4, use_qkv_bias=True,
                               qk_layernorm=True, use_parallel_residual=True),
    "starcoder2": entry("starcoder2", "biases, a window, a plain MLP; tied", sliding_window=8),
    "starcoder2-bare": entry("starcoder2", "no biases, no window, untied", use_bias=False, sliding_window=None, tie_word_embeddings=False),
    "cohere": entry("cohere", "neighbours turn, parallel branches, logits scaled", logit_scale=0.6, tied=True),
    "cohere-norms": entry("cohere", "a norm for each head, biases", logit_scale=0.6, use_qk_norm=True, attention_bias=True, tied=True),
    "cohere2": entry("cohere2", "windows on three of four layers, and the fourth does not turn", num_hidden_layers=4, sliding_window=8, logit_scale=0.6, tied=True),
    "cohere2-pattern": entry("cohere2", "pattern and scale as the first files have them", num_hidden_layers=2, sliding_window=8, logit_scale=0.6, tied=True,
                             layer_types=[SLIDES, SEES_ALL], edit=lambda t: without("layer_types")(t) | {"sliding_window_pattern": 2}),
    "glm": entry("glm", "neighbours of half a head turn, biases on q, k, v; fused gate, up", head_dim=12),
    "glm-bare": entry("glm", "no biases", head_dim=8, attention_bias=False),
    "glm4": entry("glm4", "four norms", head_dim=12),
    "exaone4": entry("exaone4", "norms after; layers without a window do not turn", num_hidden_layers=4, sliding_window=8, layer_types=[SLIDES, SLIDES, SLIDES, SEES_ALL]),
    "exaone4-full": entry("exaone4", "no window: all layers turn", sliding_window=None, layer_types=[SEES_ALL] * 2, rope_parameters=dict(LLAMA3)),
    "helium": entry("helium", "neighbours turn, heads * head_dim = hidden", head_dim=8),
    "helium-bias": entry("helium", "biases on q, k, v", head_dim=8, attention_bias=True),
    "arcee": entry("arcee", "a plain MLP with relu squared"),
    "apertus": entry("apertus", "xIELU, heads normalised", rope_parameters=dict(LLAMA3)),
    "apertus-bias": entry("apertus", "biases; rotary parameters left out, which means llama3's of the class", attention_bias=True, edit=without("rope_parameters")),
    "nemotron": entry("nemotron", "LayerNorm from 1, relu squared, half of the head turns", head_dim=8),
    "nemotron-bias": entry("nemotron", "biases", head_dim=8, attention_bias=True, mlp_bias=True),
    "seed_oss": entry("seed_oss", "biases on q, k, v", head_dim=10),
    "seed_oss-output": entry("seed_oss", "bias on o alone", head_dim=10, attention_bias=False, attention_out_bias=True),
    "hunyuan_v1_dense": entry("hunyuan_v1_dense", "heads normalised after they turned; theta stretched by alpha", head_dim=10,
                              rope_parameters=dict(rope_type="dynamic", alpha=50.0, factor=1.0, rope_theta=10000.0)),
    "hunyuan_v1_dense-bias": entry("hunyuan_v1_dense", "biases, old spelling", head_dim=10, attention_bias=True,
                                   rope_parameters=dict(rope_type="dynamic", alpha=1000.0, factor=1.0, rope_theta=10000.0), edit=old_rope),
    "ernie4_5": entry("ernie4_5", "neighbours turn", head_dim=10),
    "ernie4_5-bias": entry("ernie4_5", "biases everywhere", head_dim=10, use_bias=True, tie_word_embeddings=False),
    "cwm": entry("cwm", "every fourth layer sees all", num_hidden_layers=5, sliding_window=8, head_dim=10, rope_parameters=dict(LLAMA3)),

    # ---- Experts
    "mixtral": entry("mixtral", "softmax over all, then the best two", num_local_experts=5, num_experts_per_tok=2, sliding_window=None),
    "mixtral-window": entry("mixtral", "a window", num_local_experts=4, num_experts_per_tok=3, sliding_window=8),
    "qwen2_moe": entry("qwen2_moe", "a shared expert with a gate", num_hidden_layers=2, shared_expert_intermediate_size=28, **EXPERTS),
    "qwen2_moe-sparse": entry("qwen2_moe", "every second layer has experts, weights normalised", num_hidden_layers=4, shared_expert_intermediate_size=28,
                              decoder_sparse_step=2, mlp_only_layers=[3], norm_topk_prob=True, qkv_bias=False, **EXPERTS),
    "qwen3_moe": entry("qwen3_moe", "weights normalised", head_dim=10, norm_topk_prob=True, **EXPERTS),
    "qwen3_moe-dense": entry("qwen3_moe", "a dense layer among others, weights as they are", head_dim=10, num_hidden_layers=3, mlp_only_layers=[1], **EXPERTS),
    "olmoe": entry("olmoe", "all heads normalised together", num_experts=5, num_experts_per_tok=2, intermediate_size=20),
    "olmoe-clip": entry("olmoe", "clipped after the norm, weights normalised", num_experts=5, num_experts_per_tok=2, intermediate_size=20, clip_qkv=0.8,
                        norm_topk_prob=True),
    "granitemoe": entry("granitemoe", "the best two, then softmax", num_local_experts=5, num_experts_per_tok=2, intermediate_size=20, embedding_multiplier=2.0,
                        residual_multiplier=0.5, attention_multiplier=0.4, logits_scaling=1.5, embedding=0.5),
    "gpt_oss": entry("gpt_oss", "sinks, windows on even layers, clamped SwiGLU, biases", head_dim=10, num_hidden_layers=2, sliding_window=8, num_local_experts=5,
                     num_experts_per_tok=2, intermediate_size=20, rope_parameters=dict(YARN, truncate=False),
                     inputs_first=lambda n: "experts." in n),
    "glm4_moe": entry("glm4_moe", "a dense layer first, sigmoid router with correction, shared expert", head_dim=8, n_routed_experts=4, num_experts_per_tok=2,
                      n_shared_experts=1, moe_intermediate_size=20, first_k_dense_replace=1, n_group=1, topk_group=1),
    "glm4_moe-bias": entry("glm4_moe", "groups of experts, query and key norms, biases, what the chosen count not normalised", head_dim=8, n_routed_experts=6,
                           num_experts_per_tok=2, n_shared_experts=2, moe_intermediate_size=20, first_k_dense_replace=0, n_group=3, topk_group=2,
                           use_qk_norm=True, attention_bias=True, norm_topk_prob=False, routed_scaling_factor=1.5, edit=old_rope),
    "dots1": entry("dots1", "heads normalised, groups of experts, a dense layer first, windows on the last layers", head_dim=10, num_hidden_layers=3,
                   n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=20, first_k_dense_replace=1, n_group=3, topk_group=2,
                   norm_topk_prob=True, routed_scaling_factor=2.5, sliding_window=8, max_window_layers=1, edit=without("layer_types")),
    "dots1-full": entry("dots1", "no window, as published; one group", num_hidden_layers=2, n_routed_experts=5, num_experts_per_tok=2, n_shared_experts=1,
                        moe_intermediate_size=20, first_k_dense_replace=1, n_group=1, topk_group=1, norm_topk_prob=True, sliding_window=None,
                        edit=without("layer_types")),
    "minimax_m2": entry("minimax_m2", "sigmoid router with correction, all heads normalised together, rotary_dim of the first files", head_dim=10,
                        num_local_experts=5, num_experts_per_tok=2, intermediate_size=20,
                        rope_parameters=dict(rope_type="default", rope_theta=5000000.0, partial_rotary_factor=0.4),
                        edit=lambda tree: without("rope_parameters")(tree | {"rotary_dim": 4, "rope_theta": 5000000.0})),
    "glm4_moe_lite": entry("glm4_moe_lite", "latent attention, values as long as keys, dense and sparse layers in a list", num_hidden_layers=3, q_lora_rank=14,
                           kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=12, n_routed_experts=4, num_experts_per_tok=2,
                           n_shared_experts=1, moe_intermediate_size=20, num_key_value_heads=4, mlp_layer_types=["sparse", "dense", "sparse"]),
    "ernie4_5_moe": entry("ernie4_5_moe", "a softmax that is corrected where experts are compared, shared experts, every second layer", num_hidden_layers=4,
                          moe_num_experts=5, moe_k=2, moe_num_shared_experts=2, moe_intermediate_size=20, moe_layer_start_index=1, moe_layer_interval=2,
                          embedding=0.45, tied=True),
    "deepseek_v2": entry("deepseek_v2", "latent attention, plain q", q_lora_rank=None, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6,
                         n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=20, first_k_dense_replace=1, num_key_value_heads=4,
                         routed_scaling_factor=1.5),
    "deepseek_v2-groups": entry("deepseek_v2", "latent queries, groups of experts", q_lora_rank=14, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4,
                                v_head_dim=6, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=20, num_key_value_heads=4,
                                topk_method="group_limited_greedy", n_group=3, topk_group=2),
    "deepseek_v3": entry("deepseek_v3", "sigmoid router with groups and correction", q_lora_rank=14, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4,
                         v_head_dim=6, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=20, first_k_dense_replace=1,
                         num_key_value_heads=4, n_group=3, topk_group=2),

    # ---- Hybrids
    "lfm2": entry("lfm2", "short convolutions", num_hidden_layers=3, layer_types=["conv", SEES_ALL, "conv"], block_auto_adjust_ff_dim=False),
    "lfm2-bias": entry("lfm2", "four rows meet, biases, adjusted width, attention by number", num_hidden_layers=3, layer_types=[SEES_ALL, "conv", SEES_ALL],
                       conv_L_cache=4, conv_bias=True, block_multiple_of=8, block_ffn_dim_multiplier=1.3,
                       edit=lambda tree: without("layer_types", "intermediate_size")(tree) | {"full_attn_idxs": [0, 2], "block_ff_dim": 44}),
    "lfm2_moe": entry("lfm2_moe", "a dense layer first, sigmoid router with correction", num_hidden_layers=3, layer_types=["conv", SEES_ALL, "conv"],
                      num_dense_layers=1, **EXPERTS),
    "qwen3_next": entry("qwen3_next", "gated delta net on three of four layers", num_hidden_layers=4, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4,
                        linear_key_head_dim=6, linear_value_head_dim=6, shared_expert_intermediate_size=20, **EXPERTS),
    "qwen3_5": entry("qwen3_5_text", "gated delta net, four plain products", num_hidden_layers=4, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4,
                     linear_key_head_dim=6, linear_value_head_dim=6),
    "qwen3_5_moe": entry("qwen3_5_moe_text", "a part of what sees as well, three key heads of other dimensions than values", num_hidden_layers=3, head_dim=8,
                         layer_types=["linear_attention", SEES_ALL, "linear_attention"], attention_bias=True,
                         linear_num_key_heads=3, linear_num_value_heads=6, linear_key_head_dim=5, linear_value_head_dim=7, linear_conv_kernel_dim=3,
                         shared_expert_intermediate_size=20, wrap=in_text_config("qwen3_5_moe", keep=("tie_word_embeddings",)),
                         rename=replacing(("model.", "model.language_model.")), **EXPERTS),
    "gemma4": entry("gemma4_text", "per-layer inputs, shared keys and values", num_hidden_layers=6, head_dim=8, global_head_dim=12, hidden_size_per_layer_input=6,
                    vocab_size_per_layer_input=61,
                    layer_types=[SLIDES, SEES_ALL, SLIDES, SLIDES, SLIDES, SEES_ALL], num_kv_shared_layers=2, sliding_window=8, embedding=0.12, tied=True),
    "gemma4-keys": entry("gemma4_text", "keys as values and fewer key heads in full layers, as the hub writes it; no inputs of layers, cap of logits",
                         num_hidden_layers=4, head_dim=8, global_head_dim=16, num_global_key_value_heads=1, attention_k_eq_v=True,
                         hidden_size_per_layer_input=0, layer_types=[SLIDES, SEES_ALL, SLIDES, SEES_ALL], sliding_window=8, final_logit_softcapping=20.0,
                         attention_bias=True, use_bidirectional_attention="vision", embedding=0.12, tied=True,
                         edit=lambda tree: without("per_layer_config", "rope_parameters")(tree | {"global_head_dim": 16, "num_global_key_value_heads": 1})),
    "gemma4-experts": entry("gemma4_text", "experts beside the MLP, keys as values", num_hidden_layers=3, head_dim=8, global_head_dim=12,
                            attention_k_eq_v=True, hidden_size_per_layer_input=0, layer_types=[SLIDES, SLIDES, SEES_ALL], sliding_window=8,
                            enable_moe_block=True, num_experts=5, top_k_experts=2, moe_intermediate_size=20, embedding=0.12, tied=True),
    "gemma4-wide": entry("gemma4_text", "wide MLPs where keys are shared, in text_config, a last layer that is full whatever it says, and a larger second table",
                         dtype="bfloat16", hidden_size=36, num_hidden_layers=5, head_dim=8, global_head_dim=16, hidden_size_per_layer_input=16, vocab_size_per_layer_input=70,
                         layer_types=[SEES_ALL, SLIDES, SLIDES, SLIDES, SEES_ALL], num_kv_shared_layers=3, use_double_wide_mlp=True, sliding_window=8,
                         num_key_value_heads=1, embedding=0.12, tied=True,
                         wrap=lambda tree: in_text_config("gemma4", keep=("tie_word_embeddings",))(
                             tree | {"layer_types": [SEES_ALL, SLIDES, SLIDES, SLIDES, SLIDES]}),
                         rename=replacing(("model.", "model.language_model."))),
}
