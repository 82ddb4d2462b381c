#!/usr/bin/env python3
"""Makes tests/golden/known_configs.json: config.json as popular models have it, and what transformers understands by it.

    python tests/golden/make_known_configs.py       # needs torch and transformers; a minute, no network

KNOWN holds the keys that tell a model's form, in the spelling of its file (generation settings, dropouts and the like are left out).
transformers reads each as it would from a folder and builds the model on the "meta" device, where weights are shapes only: so the
number of parameters, names included, is transformers' own. RENAMED are files of first releases that
transformers 5 no longer reads by itself; it is given what those came to be.
"""
import json
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
transformers.utils.logging.set_verbosity_error()

LLAMA3 = {"rope_type": "llama3", "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192}
QWEN25 = {"model_type": "qwen2", "hidden_act": "silu", "max_window_layers": 24, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
          "use_mrope": False, "use_sliding_window": False, "bos_token_id": 151643, "eos_token_id": 151643, "torch_dtype": "bfloat16"}
QWEN3 = {"model_type": "qwen3", "attention_bias": False, "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 40960, "num_key_value_heads": 8,
         "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None, "use_sliding_window": False, "vocab_size": 151936,
         "bos_token_id": 151643, "eos_token_id": 151645, "torch_dtype": "bfloat16"}
MISTRAL = {"model_type": "mistral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 32768,
           "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "tie_word_embeddings": False,
           "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16"}
GEMMA2 = {"model_type": "gemma2", "attention_bias": False, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "head_dim": 256,
          "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 8192, "rms_norm_eps": 1e-06,
          "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 256000, "bos_token_id": 2, "eos_token_id": 1, "cache_implementation": "hybrid"}
LONG48 = {"long_factor": [round(1.0 + 1.3 * i, 2) for i in range(48)], "short_factor": [round(1.0 + 0.04 * i, 2) for i in range(48)], "type": "longrope"}
PHI3 = {"model_type": "phi3", "hidden_act": "silu", "hidden_size": 3072, "intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
        "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "attention_bias": False, "vocab_size": 32064,
        "bos_token_id": 1, "eos_token_id": 32000, "tie_word_embeddings": False}
PYTHIA = {"model_type": "gpt_neox", "hidden_act": "gelu", "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "rotary_emb_base": 10000,
          "rotary_pct": 0.25, "tie_word_embeddings": False, "use_parallel_residual": True, "vocab_size": 50304, "bos_token_id": 0, "eos_token_id": 0}
OPT = {"model_type": "opt", "_remove_final_layer_norm": False, "activation_function": "relu", "max_position_embeddings": 2048, "vocab_size": 50272,
       "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "prefix": "</s>"}
FALCON = {"model_type": "falcon", "alibi": False, "bias": False, "layer_norm_epsilon": 1e-05, "vocab_size": 65024, "bos_token_id": 11, "eos_token_id": 11}
STABLELM = {"model_type": "stablelm", "hidden_act": "silu", "layer_norm_eps": 1e-05, "max_position_embeddings": 4096, "rope_theta": 10000,
            "num_attention_heads": 32, "num_key_value_heads": 32, "tie_word_embeddings": False}
GEMMA4 = {"model_type": "gemma4_text", "attention_bias": False, "final_logit_softcapping": 30.0, "global_head_dim": 512, "head_dim": 256,
          "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 131072, "rms_norm_eps": 1e-06, "tie_word_embeddings": True,
          "rope_parameters": {"full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0, "rope_type": "proportional"},
                              "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}},
          "vocab_size": 262144, "vocab_size_per_layer_input": 262144, "bos_token_id": 2, "eos_token_id": 1}
DEEPSEEK = {"attention_bias": False, "hidden_act": "silu", "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
            "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096,
                             "type": "yarn"}, "rope_theta": 10000, "tie_word_embeddings": False, "v_head_dim": 128, "moe_layer_freq": 1}

KNOWN = {
    "openai-community/gpt2": {"model_type": "gpt2", "activation_function": "gelu_new", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
                              "n_positions": 1024, "layer_norm_epsilon": 1e-05, "vocab_size": 50257, "bos_token_id": 50256, "eos_token_id": 50256},
    "openai-community/gpt2-medium": {"model_type": "gpt2", "n_ctx": 1024, "n_embd": 1024, "n_head": 16, "n_layer": 24, "n_positions": 1024, "n_special": 0,
                                     "vocab_size": 50257},
    "HuggingFaceTB/SmolLM2-135M": {"model_type": "llama", "attention_bias": False, "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536,
                                   "max_position_embeddings": 8192, "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
                                   "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None, "rope_theta": 100000, "tie_word_embeddings": True,
                                   "vocab_size": 49152, "bos_token_id": 0, "eos_token_id": 0},
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "max_position_embeddings": 2048,
                                           "num_attention_heads": 32, "num_hidden_layers": 22, "num_key_value_heads": 4, "rms_norm_eps": 1e-05,
                                           "rope_scaling": None, "tie_word_embeddings": False, "vocab_size": 32000},
    "meta-llama/Llama-3.2-1B": {"model_type": "llama", "attention_bias": False, "mlp_bias": False, "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192,
                                "max_position_embeddings": 131072, "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
                                "rms_norm_eps": 1e-05, "rope_scaling": LLAMA3 | {"factor": 32.0}, "rope_theta": 500000.0, "tie_word_embeddings": True,
                                "vocab_size": 128256, "bos_token_id": 128000, "eos_token_id": 128001},
    "meta-llama/Llama-3.1-8B": {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
                                "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
                                "rope_scaling": LLAMA3 | {"factor": 8.0}, "rope_theta": 500000.0, "tie_word_embeddings": False, "vocab_size": 128256,
                                "eos_token_id": [128001, 128008, 128009]},
    "tiiuae/Falcon3-1B-Base": {"model_type": "llama", "head_dim": 256, "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 4096,
                               "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000042,
                               "vocab_size": 131072, "tie_word_embeddings": False},
    "Qwen/Qwen2.5-0.5B": QWEN25 | {"hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768, "num_attention_heads": 14,
                                   "num_hidden_layers": 24, "num_key_value_heads": 2, "tie_word_embeddings": True, "vocab_size": 151936},
    "Qwen/Qwen2.5-7B-Instruct": QWEN25 | {"hidden_size": 3584, "intermediate_size": 18944, "max_position_embeddings": 32768, "max_window_layers": 28,
                                          "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072,
                                          "tie_word_embeddings": False, "vocab_size": 152064, "eos_token_id": 151645},
    "Qwen/Qwen3-0.6B": QWEN3 | {"hidden_size": 1024, "intermediate_size": 3072, "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
                                "tie_word_embeddings": True},
    "Qwen/Qwen3-8B": QWEN3 | {"hidden_size": 4096, "intermediate_size": 12288, "max_window_layers": 36, "num_attention_heads": 32, "num_hidden_layers": 36,
                              "tie_word_embeddings": False},
    "mistralai/Mistral-7B-v0.1": MISTRAL | {"rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 32000},
    "mistralai/Mistral-7B-v0.3": MISTRAL | {"rope_theta": 1000000.0, "sliding_window": None, "vocab_size": 32768},
    "mistralai/Mistral-Small-24B-Base-2501": MISTRAL | {"head_dim": 128, "hidden_size": 5120, "intermediate_size": 32768, "num_hidden_layers": 40,
                                                        "rope_theta": 100000000.0, "sliding_window": None, "vocab_size": 131072},
    "mistralai/Ministral-3-3B-Base-2512": {
        "model_type": "mistral3", "architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": 10, "tie_word_embeddings": True,
        "text_config": {"model_type": "ministral3", "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "intermediate_size": 9216,
                        "max_position_embeddings": 262144, "num_attention_heads": 32, "num_hidden_layers": 26, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
                        "rope_parameters": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0,
                                            "mscale_all_dim": 1.0, "original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn",
                                            "type": "yarn"}, "sliding_window": None, "vocab_size": 131072},
        "vision_config": {"model_type": "pixtral", "hidden_size": 1024}},
    "google/gemma-2b": {"model_type": "gemma", "attention_bias": False, "head_dim": 256, "hidden_act": "gelu", "hidden_size": 2048, "intermediate_size": 16384,
                        "max_position_embeddings": 8192, "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1, "rms_norm_eps": 1e-06,
                        "rope_scaling": None, "rope_theta": 10000.0, "vocab_size": 256000, "bos_token_id": 2, "eos_token_id": 1},
    "google/gemma-2-2b": GEMMA2 | {"hidden_size": 2304, "intermediate_size": 9216, "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4,
                                   "query_pre_attn_scalar": 256},
    "google/gemma-2-27b": GEMMA2 | {"head_dim": 128, "hidden_size": 4608, "intermediate_size": 36864, "num_attention_heads": 32, "num_hidden_layers": 46,
                                    "num_key_value_heads": 16, "query_pre_attn_scalar": 144, "_attn_implementation": "eager", "use_cache": True},
    "google/gemma-3-1b-it": {"model_type": "gemma3_text", "attention_bias": False, "attn_logit_softcapping": None, "final_logit_softcapping": None,
                             "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152, "intermediate_size": 6912,
                             "max_position_embeddings": 32768, "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1,
                             "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": None, "rope_theta": 1000000,
                             "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262144, "eos_token_id": [1, 106]},
    "google/gemma-3-4b-it": {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106], "mm_tokens_per_image": 256,
                             "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
                                             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
                             "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"}},
    "google/gemma-3-27b-it": {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
                              "text_config": {"head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504, "model_type": "gemma3_text",
                                              "num_attention_heads": 32, "num_hidden_layers": 62, "num_key_value_heads": 16, "query_pre_attn_scalar": 168,
                                              "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
                              "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"}},
    "microsoft/phi-2": {"model_type": "phi", "hidden_act": "gelu_new", "hidden_size": 2560, "intermediate_size": 10240, "layer_norm_eps": 1e-05,
                        "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
                        "partial_rotary_factor": 0.4, "qk_layernorm": False, "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False,
                        "vocab_size": 51200, "bos_token_id": 50256, "eos_token_id": 50256},
    "microsoft/Phi-3-mini-4k-instruct": PHI3 | {"max_position_embeddings": 4096, "num_key_value_heads": 32, "rope_scaling": None, "sliding_window": 2047},
    "microsoft/Phi-3.5-mini-instruct": PHI3 | {"max_position_embeddings": 131072, "num_key_value_heads": 32, "rope_scaling": LONG48, "sliding_window": 262144},
    "microsoft/Phi-4-mini-instruct": PHI3 | {"max_position_embeddings": 131072, "num_attention_heads": 24, "num_key_value_heads": 8, "vocab_size": 200064,
                                             "partial_rotary_factor": 0.75, "rope_scaling": LONG48, "sliding_window": 262144, "tie_word_embeddings": True,
                                             "full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False, "mlp_bias": False, "bos_token_id": 199999,
                                             "eos_token_id": 199999},
    "microsoft/phi-4": PHI3 | {"hidden_size": 5120, "intermediate_size": 17920, "max_position_embeddings": 16384, "original_max_position_embeddings": 16384,
                               "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 10, "rope_scaling": None, "rope_theta": 250000,
                               "sliding_window": None, "vocab_size": 100352, "bos_token_id": 100257, "eos_token_id": 100265},
    "HuggingFaceTB/SmolLM3-3B": {"model_type": "smollm3", "attention_bias": False, "hidden_size": 2048, "intermediate_size": 11008,
                                 "layer_types": ["full_attention"] * 36, "max_position_embeddings": 65536, "max_window_layers": 28, "mlp_bias": False,
                                 "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0] * 9, "num_attention_heads": 16, "num_hidden_layers": 36,
                                 "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 5000000.0, "sliding_window": None,
                                 "use_sliding_window": False, "vocab_size": 128256, "eos_token_id": 128012},
    "ibm-granite/granite-3.1-2b-base": {"model_type": "granite", "attention_bias": False, "attention_multiplier": 0.015625, "embedding_multiplier": 12.0,
                                        "hidden_size": 2048, "intermediate_size": 8192, "logits_scaling": 8.0, "max_position_embeddings": 131072,
                                        "mlp_bias": False, "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8,
                                        "residual_multiplier": 0.22, "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 5000000.0,
                                        "tie_word_embeddings": True, "vocab_size": 49155, "eos_token_id": 0},
    "allenai/OLMo-1B-hf": {"model_type": "olmo", "attention_bias": False, "clip_qkv": None, "hidden_size": 2048, "intermediate_size": 8192,
                           "max_position_embeddings": 2048, "num_attention_heads": 16, "num_hidden_layers": 16, "num_key_value_heads": 16, "rope_scaling": None,
                           "rope_theta": 10000.0, "tie_word_embeddings": True, "vocab_size": 50304, "eos_token_id": 50279},
    "allenai/OLMo-2-1124-7B": {"model_type": "olmo2", "attention_bias": False, "hidden_size": 4096, "intermediate_size": 11008,
                               "max_position_embeddings": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
                               "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 500000, "tie_word_embeddings": False, "vocab_size": 100352,
                               "eos_token_id": 100257},
    "allenai/Olmo-3-1025-7B": {"model_type": "olmo3", "attention_bias": False, "hidden_size": 4096, "intermediate_size": 11008,
                               "layer_types": (["sliding_attention"] * 3 + ["full_attention"]) * 8, "max_position_embeddings": 65536, "num_attention_heads": 32,
                               "num_hidden_layers": 32, "num_key_value_heads": 32, "rms_norm_eps": 1e-06, "rope_theta": 500000, "sliding_window": 4096,
                               "rope_scaling": {"attention_factor": 1.2079441541679836, "beta_fast": 32, "beta_slow": 1, "factor": 8.0,
                                                "original_max_position_embeddings": 8192, "rope_type": "yarn"}, "tie_word_embeddings": False,
                               "vocab_size": 100278, "eos_token_id": 100257},
    "EleutherAI/pythia-160m": PYTHIA | {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12},
    "EleutherAI/pythia-2.8b": PYTHIA | {"hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 32, "num_hidden_layers": 32},
    "EleutherAI/gpt-j-6b": {"model_type": "gptj", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "n_embd": 4096, "n_head": 16, "n_inner": None,
                            "n_layer": 28, "n_positions": 2048, "rotary": True, "rotary_dim": 64, "scale_attn_weights": True, "tie_word_embeddings": False,
                            "vocab_size": 50400, "bos_token_id": 50256, "eos_token_id": 50256},
    "EleutherAI/gpt-neo-125m": {"model_type": "gpt_neo", "activation_function": "gelu_new", "attention_layers": ["global", "local"] * 6,
                                "attention_types": [[["global", "local"], 6]], "hidden_size": 768, "intermediate_size": None, "layer_norm_epsilon": 1e-05,
                                "max_position_embeddings": 2048, "num_heads": 12, "num_layers": 12, "vocab_size": 50257, "window_size": 256,
                                "eos_token_id": 50256},
    "Salesforce/codegen-350M-mono": {"model_type": "codegen", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "n_ctx": 2048, "n_embd": 1024,
                                     "n_head": 16, "n_inner": None, "n_layer": 20, "n_positions": 2048, "rotary_dim": 32, "scale_attn_weights": True,
                                     "tie_word_embeddings": False, "vocab_size": 51200, "eos_token_id": 50256},
    "facebook/opt-125m": OPT | {"do_layer_norm_before": True, "ffn_dim": 3072, "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12,
                                "word_embed_proj_dim": 768},
    "facebook/opt-350m": OPT | {"do_layer_norm_before": False, "ffn_dim": 4096, "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24,
                                "word_embed_proj_dim": 512},
    "bigscience/bloom-560m": {"model_type": "bloom", "apply_residual_connection_post_layernorm": False, "attention_softmax_in_fp32": True, "bias_dropout_fusion": True,
                              "layer_norm_epsilon": 1e-05, "masked_softmax_fusion": True, "n_embed": 1024, "n_inner": None, "n_layer": 24,
                              "num_attention_heads": 16, "offset_alibi": 100, "pretraining_tp": 1, "seq_length": 2048, "skip_bias_add": True,
                              "slow_but_exact": False, "vocab_size": 250880, "eos_token_id": 2},
    "tiiuae/falcon-7b": FALCON | {"hidden_size": 4544, "multi_query": True, "new_decoder_architecture": False, "num_attention_heads": 71,
                                  "num_hidden_layers": 32, "parallel_attn": True},
    "tiiuae/falcon-40b": FALCON | {"hidden_size": 8192, "multi_query": True, "new_decoder_architecture": True, "num_attention_heads": 128,
                                   "num_hidden_layers": 60, "num_kv_heads": 8, "parallel_attn": True},
    "tiiuae/falcon-rw-1b": FALCON | {"alibi": True, "bias": True, "hidden_size": 2048, "multi_query": False, "new_decoder_architecture": False,
                                     "num_attention_heads": 32, "num_hidden_layers": 24, "parallel_attn": False, "vocab_size": 50304},
    "mosaicml/mpt-7b": {"model_type": "mpt", "attn_config": {"alibi": True, "alibi_bias_max": 8, "attn_impl": "torch", "attn_pdrop": 0, "attn_type": "multihead_attention",
                        "attn_uses_sequence_id": False, "clip_qkv": None, "prefix_lm": False, "qk_ln": False, "softmax_scale": None}, "d_model": 4096,
                        "expansion_ratio": 4, "learned_pos_emb": True, "max_seq_len": 2048, "n_heads": 32, "n_layers": 32, "no_bias": True,
                        "norm_type": "low_precision_layernorm", "vocab_size": 50432},
    "stabilityai/stablelm-3b-4e1t": STABLELM | {"hidden_size": 2560, "intermediate_size": 6912, "num_hidden_layers": 32, "partial_rotary_factor": 0.25,
                                                "use_qkv_bias": False, "vocab_size": 50304, "eos_token_id": 0},
    "stabilityai/stablelm-2-1_6b": STABLELM | {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24, "partial_rotary_factor": 0.25,
                                               "use_qkv_bias": True, "vocab_size": 100352, "eos_token_id": 100257},
    "bigcode/starcoder2-3b": {"model_type": "starcoder2", "hidden_act": "gelu_pytorch_tanh", "hidden_size": 3072, "intermediate_size": 12288,
                              "max_position_embeddings": 16384, "mlp_type": "default", "norm_epsilon": 1e-05, "norm_type": "layer_norm",
                              "num_attention_heads": 24, "num_hidden_layers": 30, "num_key_value_heads": 2, "rope_theta": 999999.4420358813,
                              "sliding_window": 4096, "use_bias": True, "vocab_size": 49152, "eos_token_id": 0},
    "bigcode/starcoderbase-1b": {"model_type": "gpt_bigcode", "activation_function": "gelu_pytorch_tanh", "attention_softmax_in_fp32": True,
                                 "layer_norm_epsilon": 1e-05, "multi_query": True, "n_embd": 2048, "n_head": 16, "n_inner": 8192, "n_layer": 24,
                                 "n_positions": 8192, "scale_attn_weights": True, "vocab_size": 49152, "eos_token_id": 0},
    "CohereForAI/c4ai-command-r-v01": {"model_type": "cohere", "attention_bias": False, "hidden_act": "silu", "hidden_size": 8192, "intermediate_size": 22528,
                                       "layer_norm_eps": 1e-05, "logit_scale": 0.0625, "max_position_embeddings": 8192, "model_max_length": 131072,
                                       "num_attention_heads": 64, "num_hidden_layers": 40, "num_key_value_heads": 64, "rope_theta": 8000000.0,
                                       "use_qk_norm": False, "vocab_size": 256000, "eos_token_id": 255001},
    "CohereForAI/c4ai-command-r7b-12-2024": {"model_type": "cohere2", "attention_bias": False, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
                                             "intermediate_size": 14336, "layer_norm_eps": 1e-05, "layer_switch": 4, "logit_scale": 0.25,
                                             "max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
                                             "order_of_interleaved_layers": "local_attn_first", "position_embedding_type": "rope_gptj", "rope_theta": 50000,
                                             "rotary_pct": 1.0, "sliding_window": 4096, "sliding_window_pattern": 4, "use_qk_norm": False, "vocab_size": 256000,
                                             "eos_token_id": 255001},
    "THUDM/glm-4-9b-chat-hf": {"model_type": "glm", "attention_bias": True, "head_dim": 128, "hidden_size": 4096, "intermediate_size": 13696,
                               "max_position_embeddings": 131072, "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 2,
                               "partial_rotary_factor": 0.5, "rms_norm_eps": 1.5625e-07, "rope_theta": 10000.0, "tie_word_embeddings": False,
                               "vocab_size": 151552, "eos_token_id": [151329, 151336, 151338]},
    "THUDM/GLM-4-9B-0414": {"model_type": "glm4", "attention_bias": False, "head_dim": 128, "hidden_size": 4096, "intermediate_size": 13696,
                            "max_position_embeddings": 32768, "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 2,
                            "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": 151552,
                            "eos_token_id": [151329, 151336, 151338]},
    "LGAI-EXAONE/EXAONE-4.0-32B": {"model_type": "exaone4", "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 27392,
                                   "layer_types": (["sliding_attention"] * 3 + ["full_attention"]) * 16, "max_position_embeddings": 131072,
                                   "num_attention_heads": 40, "num_hidden_layers": 64, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
                                   "rope_scaling": LLAMA3 | {"factor": 16.0}, "rope_theta": 1000000, "sliding_window": 4096, "sliding_window_pattern": "LLLG",
                                   "tie_word_embeddings": False, "vocab_size": 102400, "eos_token_id": 361},
    "LGAI-EXAONE/EXAONE-4.0-1.2B": {"model_type": "exaone4", "head_dim": 64, "hidden_size": 2048, "intermediate_size": 4096, "layer_types": ["full_attention"] * 30,
                                    "max_position_embeddings": 65536, "num_attention_heads": 32, "num_hidden_layers": 30, "num_key_value_heads": 8,
                                    "rms_norm_eps": 1e-05, "rope_scaling": LLAMA3 | {"factor": 16.0}, "rope_theta": 1000000, "sliding_window": None,
                                    "sliding_window_pattern": None, "tie_word_embeddings": True, "vocab_size": 102400, "eos_token_id": 361},
    "nvidia/Nemotron-Mini-4B-Instruct": {"model_type": "nemotron", "attention_bias": False, "head_dim": 128, "hidden_act": "relu2", "hidden_size": 3072,
                                         "intermediate_size": 9216, "max_position_embeddings": 4096, "mlp_bias": False, "norm_eps": 1e-05,
                                         "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8, "partial_rotary_factor": 0.5,
                                         "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": 256000, "eos_token_id": 3},
    "ByteDance-Seed/Seed-OSS-36B-Instruct": {"model_type": "seed_oss", "attention_bias": True, "attention_out_bias": False, "head_dim": 128, "hidden_act": "silu",
                                             "hidden_size": 5120, "intermediate_size": 27648, "max_position_embeddings": 524288, "mlp_bias": False,
                                             "num_attention_heads": 80, "num_hidden_layers": 64, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
                                             "rope_scaling": {"rope_type": "default"}, "rope_theta": 10000000.0, "tie_word_embeddings": False,
                                             "vocab_size": 155136, "eos_token_id": 2},
    "arcee-ai/AFM-4.5B": {"model_type": "arcee", "attention_bias": False, "head_dim": 128, "hidden_act": "relu2", "hidden_size": 2560, "intermediate_size": 18432,
                          "max_position_embeddings": 65536, "mlp_bias": False, "num_attention_heads": 20, "num_hidden_layers": 36, "num_key_value_heads": 4,
                          "rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 20.0, "mscale": 1.0,
                          "original_max_position_embeddings": 4096, "rope_type": "yarn"}, "rope_theta": 10000.0, "tie_word_embeddings": False,
                          "vocab_size": 128005, "eos_token_id": [128001, 128003]},
    "baidu/ERNIE-4.5-0.3B-PT": {"model_type": "ernie4_5", "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
                                "max_position_embeddings": 131072, "num_attention_heads": 16, "num_hidden_layers": 18, "num_key_value_heads": 2,
                                "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": True, "use_bias": False, "vocab_size": 103424,
                                "eos_token_id": 2},
    "facebook/cwm": {"model_type": "cwm", "head_dim": 128, "hidden_act": "silu", "hidden_size": 6144, "intermediate_size": 21504,
                     "max_position_embeddings": 131072, "num_attention_heads": 48, "num_hidden_layers": 64, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
                     "rope_scaling": LLAMA3 | {"factor": 16.0}, "rope_theta": 1000000.0, "sliding_window": 8192, "tie_word_embeddings": False,
                     "vocab_size": 128256},
    "mistralai/Mixtral-8x7B-v0.1": {"model_type": "mixtral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
                                    "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
                                    "num_key_value_heads": 8, "num_local_experts": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
                                    "sliding_window": None, "tie_word_embeddings": False, "vocab_size": 32000, "eos_token_id": 2},
    "Qwen/Qwen1.5-MoE-A2.7B": {"model_type": "qwen2_moe", "decoder_sparse_step": 1, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 5632,
                               "max_position_embeddings": 8192, "max_window_layers": 21, "moe_intermediate_size": 1408, "norm_topk_prob": False,
                               "num_attention_heads": 16, "num_experts": 60, "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 16,
                               "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "shared_expert_intermediate_size": 5632, "sliding_window": 32768,
                               "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": 151936, "eos_token_id": 151643},
    "Qwen/Qwen3-30B-A3B": {"model_type": "qwen3_moe", "attention_bias": False, "decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu",
                           "hidden_size": 2048, "intermediate_size": 6144, "max_position_embeddings": 40960, "max_window_layers": 48, "mlp_only_layers": [],
                           "moe_intermediate_size": 768, "norm_topk_prob": True, "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
                           "num_hidden_layers": 48, "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000.0,
                           "sliding_window": None, "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": 151936, "eos_token_id": 151645},
    "allenai/OLMoE-1B-7B-0924": {"model_type": "olmoe", "attention_bias": False, "clip_qkv": None, "hidden_act": "silu", "hidden_size": 2048,
                                 "intermediate_size": 1024, "max_position_embeddings": 4096, "norm_topk_prob": False, "num_attention_heads": 16,
                                 "num_experts": 64, "num_experts_per_tok": 8, "num_hidden_layers": 16, "num_key_value_heads": 16, "rms_norm_eps": 1e-05,
                                 "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": 50304, "eos_token_id": 50279},
    "ibm-granite/granite-3.0-1b-a400m-base": {"model_type": "granitemoe", "attention_bias": False, "attention_multiplier": 0.015625,
                                              "embedding_multiplier": 12.0, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 512,
                                              "logits_scaling": 6.0, "max_position_embeddings": 4096, "num_attention_heads": 16, "num_experts_per_tok": 8,
                                              "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32, "residual_multiplier": 0.22,
                                              "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 10000, "tie_word_embeddings": True,
                                              "vocab_size": 49155, "eos_token_id": 0},
    "openai/gpt-oss-20b (not quantised)": {"model_type": "gpt_oss", "attention_bias": True, "experts_per_token": 4, "head_dim": 64, "hidden_act": "silu",
                                           "hidden_size": 2880, "initial_context_length": 4096, "intermediate_size": 2880, "max_position_embeddings": 131072,
                                           "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8,
                                           "num_local_experts": 32, "rms_norm_eps": 1e-05, "rope_theta": 150000, "sliding_window": 128, "swiglu_limit": 7.0,
                                           "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096,
                                                            "rope_type": "yarn", "truncate": False},
                                           "tie_word_embeddings": False, "vocab_size": 201088, "eos_token_id": 200002},
    "deepseek-ai/DeepSeek-V2-Lite": DEEPSEEK | {
        "model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_size": 2048, "intermediate_size": 10944, "max_position_embeddings": 163840,
        "moe_intermediate_size": 1408, "n_group": 1, "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16, "num_experts_per_tok": 6,
        "num_hidden_layers": 27, "num_key_value_heads": 16, "q_lora_rank": None, "rope_scaling": DEEPSEEK["rope_scaling"] | {"mscale": 0.707,
        "mscale_all_dim": 0.707}, "routed_scaling_factor": 1.0, "topk_group": 1, "topk_method": "greedy", "vocab_size": 102400, "eos_token_id": 100001},
    "deepseek-ai/DeepSeek-V3 (not quantised)": DEEPSEEK | {
        "model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_size": 7168, "intermediate_size": 18432, "max_position_embeddings": 163840,
        "moe_intermediate_size": 2048, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": True, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536,
        "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "topk_group": 4, "topk_method": "noaux_tc", "vocab_size": 129280, "eos_token_id": 1},
    "zai-org/GLM-4.5-Air": {"model_type": "glm4_moe", "attention_bias": True, "first_k_dense_replace": 1, "head_dim": 128, "hidden_act": "silu",
                            "hidden_size": 4096, "intermediate_size": 10944, "max_position_embeddings": 131072, "moe_intermediate_size": 1408, "n_group": 1,
                            "n_routed_experts": 128, "n_shared_experts": 1, "norm_topk_prob": True, "num_attention_heads": 96, "num_experts_per_tok": 8,
                            "num_hidden_layers": 46, "num_key_value_heads": 8, "num_nextn_predict_layers": 1, "partial_rotary_factor": 0.5,
                            "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 1000000, "routed_scaling_factor": 1.0, "tie_word_embeddings": False,
                            "topk_group": 1, "use_qk_norm": False, "vocab_size": 151552, "eos_token_id": [151329, 151336, 151338]},
    "google/gemma-4-E2B": GEMMA4 | {
        "attention_k_eq_v": False, "enable_moe_block": False, "hidden_size": 1536, "hidden_size_per_layer_input": 256, "intermediate_size": 6144,
        "layer_types": ["full_attention" if i % 5 == 4 else "sliding_attention" for i in range(35)], "num_attention_heads": 8, "num_hidden_layers": 35,
        "num_key_value_heads": 1, "num_kv_shared_layers": 20, "sliding_window": 512, "use_double_wide_mlp": True},
    "google/gemma-4-E4B": GEMMA4 | {
        "attention_k_eq_v": False, "enable_moe_block": False, "hidden_size": 2560, "hidden_size_per_layer_input": 256, "intermediate_size": 10240,
        "layer_types": ["full_attention" if i % 6 == 5 else "sliding_attention" for i in range(42)], "num_attention_heads": 8, "num_hidden_layers": 42,
        "num_key_value_heads": 2, "num_kv_shared_layers": 18, "sliding_window": 512, "use_double_wide_mlp": False},
    "google/gemma-4-26B-A4B": GEMMA4 | {
        "attention_k_eq_v": True, "enable_moe_block": True, "hidden_size": 2816, "hidden_size_per_layer_input": 0, "intermediate_size": 2112,
        "max_position_embeddings": 262144, "moe_intermediate_size": 704, "num_attention_heads": 16, "num_experts": 128, "num_global_key_value_heads": 2,
        "num_hidden_layers": 30, "num_key_value_heads": 8, "num_kv_shared_layers": 0, "sliding_window": 1024, "top_k_experts": 8,
        "use_bidirectional_attention": "vision"},
    "google/gemma-4-31B": GEMMA4 | {
        "attention_k_eq_v": True, "enable_moe_block": False, "hidden_size": 5376, "hidden_size_per_layer_input": 0, "intermediate_size": 21504,
        "max_position_embeddings": 262144, "num_attention_heads": 32, "num_global_key_value_heads": 4, "num_hidden_layers": 60, "num_key_value_heads": 16,
        "num_kv_shared_layers": 0, "sliding_window": 1024, "use_bidirectional_attention": "vision"},
    # nothing but the class defaults
    **{f"{kind} (defaults)": {"model_type": kind} for kind in ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "granitemoe", "gpt_oss", "deepseek_v3", "gemma4_text",
                                                                         "glm4_moe_lite", "minimax_m2", "ernie4_5_moe")},
    "deepseek_v2 (defaults)": {"model_type": "deepseek_v2", "num_experts_per_tok": 6},
    "glm4_moe (defaults)": {"model_type": "glm4_moe", "head_dim": 128},
    "LiquidAI/LFM2-1.2B": {"model_type": "lfm2", "block_auto_adjust_ff_dim": True, "block_dim": 2048, "block_ff_dim": 12288, "block_ffn_dim_multiplier": 1.0,
                           "block_multiple_of": 256, "conv_L_cache": 3, "conv_bias": False, "full_attn_idxs": [2, 5, 8, 10, 12, 14], "hidden_size": 2048,
                           "max_position_embeddings": 128000, "norm_eps": 1e-05, "num_attention_heads": 32, "num_hidden_layers": 16,
                           "num_key_value_heads": 8, "rope_theta": 1000000.0, "vocab_size": 65536, "bos_token_id": 1, "eos_token_id": 7},
    "LiquidAI/LFM2-8B-A1B": {"model_type": "lfm2_moe", "conv_L_cache": 3, "conv_bias": False, "hidden_size": 2048, "intermediate_size": 7168,
                             "layer_types": ["full_attention" if i in (2, 6, 10, 14, 18, 21) else "conv" for i in range(24)],
                             "max_position_embeddings": 128000, "moe_intermediate_size": 1792, "norm_eps": 1e-05, "norm_topk_prob": True,
                             "num_attention_heads": 32, "num_dense_layers": 2, "num_experts": 32, "num_experts_per_tok": 4, "num_hidden_layers": 24,
                             "num_key_value_heads": 8, "rope_theta": 1000000.0, "routed_scaling_factor": 1.0, "use_expert_bias": True,
                             "vocab_size": 65536, "bos_token_id": 1, "eos_token_id": 7},
    "Qwen/Qwen3-Next-80B-A3B": {"model_type": "qwen3_next", "attention_bias": False, "decoder_sparse_step": 1, "full_attention_interval": 4, "head_dim": 256,
                                "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 5120, "linear_conv_kernel_dim": 4,
                                "linear_key_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_value_head_dim": 128,
                                "max_position_embeddings": 262144, "mlp_only_layers": [], "moe_intermediate_size": 512, "norm_topk_prob": True,
                                "num_attention_heads": 16, "num_experts": 512, "num_experts_per_tok": 10, "num_hidden_layers": 48,
                                "num_key_value_heads": 2, "partial_rotary_factor": 0.25, "rms_norm_eps": 1e-06, "rope_theta": 10000000,
                                "shared_expert_intermediate_size": 512, "tie_word_embeddings": False, "vocab_size": 151936, "eos_token_id": 151645},
    "of the class of Qwen/Qwen3.5-9B": {"model_type": "qwen3_5_text", "tie_word_embeddings": False, "eos_token_id": 248044},
    "of the class of Qwen/Qwen3.5-35B-A3B": {"model_type": "qwen3_5_moe_text", "tie_word_embeddings": False, "eos_token_id": 248044},
}
RENAMED = {
    "microsoft/Phi-3-mini-128k-instruct (first)": (KNOWN["microsoft/Phi-3.5-mini-instruct"] | {"rope_scaling": LONG48 | {"type": "su"}},
                                                   "microsoft/Phi-3.5-mini-instruct"),
    # the repositories' own code read these first releases; the class that transformers has now knows other keys
    "tiiuae/falcon-7b (first)": ({"model_type": "RefinedWebModel", "alibi": False, "bias": False, "hidden_size": 4544, "layer_norm_epsilon": 1e-05,
                                  "multi_query": True, "n_head": 71, "n_layer": 32, "parallel_attn": True, "vocab_size": 65024, "eos_token_id": 11},
                                 "tiiuae/falcon-7b"),
    "tiiuae/falcon-40b (first)": ({"model_type": "RefinedWeb", "alibi": False, "bias": False, "hidden_size": 8192, "layer_norm_epsilon": 1e-05, "n_head": 128,
                                   "n_head_kv": 8, "n_layer": 60, "parallel_attn": True, "vocab_size": 65024, "eos_token_id": 11}, "tiiuae/falcon-40b"),
}


def first(config, *names):
    return next((value for name in names if (value := getattr(config, name, None)) is not None), None)


def rotary(parameters, head_dim):
    """[type, theta, factor, rotary dimensions]"""
    kind = parameters["rope_type"]
    return [kind, parameters["rope_theta"], parameters.get("factor") if kind not in ("default", "longrope") else None,
            int(head_dim * (1.0 if kind == "proportional" else parameters.get("partial_rotary_factor", 1.0)))]


def heads_by_layer(config):
    """[dimensions of a head, heads of keys] of each layer, where they differ."""
    if not getattr(config, "is_heterogeneous", False):
        return []
    config.allow_global_per_layer_attribute_access = True      # all others mean every layer
    return [[config.per_layer_config[i].head_dim, config.per_layer_config[i].num_key_value_heads] for i in range(config.num_hidden_layers)]


def width_of_lfm2(model):
    """Which the model makes of what its configuration says."""
    return model.model.layers[0].feed_forward.w1.out_features if model.config.model_type == "lfm2" else None


def understood(tree):
    config = AutoConfig.for_model(**json.loads(json.dumps(tree))).get_text_config()     # a copy: it changes what it is given
    own_heads = heads_by_layer(config)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    layers = config.num_hidden_layers
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None) if config.model_type != "mistral" else None
    if config.model_type == "gpt_neo":
        windows = [config.window_size if kind == "local" else 0 for kind in config.attention_layers]
    else:
        windows = [(window or 0) if types is None or types[i] == "sliding_attention" else 0 for i in range(layers)]
    kv_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    if config.model_type == "falcon":
        kv_heads = config.num_kv_heads if config.new_decoder_architecture else 1 if config.multi_query else config.num_attention_heads
    rope = getattr(config, "rope_parameters", None)
    sets = []
    if config.model_type in ("gptj", "codegen"):
        sets = [["default", 10000.0, None, config.rotary_dim]]
    elif rope and not getattr(config, "alibi", False):
        turned = {kind: heads[0] for kind, heads in zip(config.layer_types, own_heads)} if own_heads else {}
        sets = [rotary(rope[key], turned.get(key, head_dim)) for key in ("full_attention", "sliding_attention") if key in rope] or [rotary(rope, head_dim)]
    if getattr(config, "kv_lora_rank", None):      # latent attention: only a part of each head turns
        head_dim = config.qk_nope_head_dim + config.qk_rope_head_dim
    tied = tree.get("tie_word_embeddings", config.tie_word_embeddings)
    eos = config.eos_token_id if "eos_token_id" not in tree else tree["eos_token_id"]
    parameters = sum(p.numel() for p in model.parameters()) + sum(b.numel() for name, b in model.named_buffers() if name.endswith("expert_bias"))
    parameters += sum(b.numel() for name, b in model.named_buffers() if name.endswith(("e_score_correction_bias", "layer_scalar"))) # in files tensors
    if tied and model.lm_head.weight is not model.get_input_embeddings().weight:
        parameters -= model.lm_head.weight.numel()
    return {"hidden_size": config.hidden_size, "layers": layers, "heads": config.num_attention_heads, "kv_heads": kv_heads, "head_dim": head_dim,
            "intermediate_size": width_of_lfm2(model) or first(config, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size") or 4 * config.hidden_size,
            "vocab_size": config.vocab_size, "positions": first(config, "max_position_embeddings", "n_positions", "max_seq_len"),
            "eps": first(config, "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"), "tied": tied,
            "eos": eos if isinstance(eos, list) else [eos], "windows": windows, "ropes": sets, "parameters": parameters} | ({"own_heads": own_heads} if own_heads else {})


def main():
    rows = [{"name": name, "config": tree, "is": understood(tree)} for name, tree in KNOWN.items()]
    rows += [{"name": name, "config": tree, "is": understood(KNOWN[meaning])} for name, (tree, meaning) in RENAMED.items()]
    text = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "known_configs.json").write_text(f'{{"transformers": "{transformers.__version__}", "models": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
