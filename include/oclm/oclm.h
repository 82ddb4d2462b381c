/* oclm.h: the public API of oclm, which runs pretrained causal language models on OpenCL devices.
 *
 * The whole job, as in Python's AutoTokenizer, AutoModelForCausalLM.from_pretrained() and model.generate():
 *
 *     oclm_tokenizer  *tokenizer;
 *     oclm_model      *model;
 *     oclm_generation *story;
 *     oclm_tokenizer_load("gpt2", NULL, &tokenizer);
 *     oclm_model_load("gpt2", NULL, &model);
 *     oclm_generate_text(model, tokenizer, "Once upon a time", NULL, &story);
 *     puts(oclm_generation_text(story, 0));
 *
 * Conventions
 *   Status     Every call that can fail returns oclm_status. Results leave by the last parameter and are NULL (or 0) on
 *              failure. oclm_last_error() then says what happened, with what value, and what to do next.
 *   Ownership  What a _load, _new or _list call hands out is yours: give it to the _free of the same name. Every _free
 *              accepts NULL. Pointers got from a handle live as long as the handle.
 *   Options    A struct of options starts with its size, set by its _init. Change what you need; NULL means all defaults.
 *              New members are added at the end only, so programs built against an older header keep working.
 *   Threads    oclm_model and oclm_tokenizer are immutable and shared between threads. oclm_session, oclm_token_stream and
 *              oclm_generation belong to one thread at a time. Messages of errors are kept per thread.
 *   Names      Where a call takes a model's name, that is a folder, or else a model on the Hugging Face Hub ("gpt2",
 *              "owner/name"), which is fetched once into the cache that Python uses too. A folder of that name wins.
 *   Text       UTF-8. Sizes in bytes. Strings handed out end in NUL; where a length is told too, NULs may stand before it.
 *   Ids        Token ids are int32_t, 0 <= id < vocabulary size.
 */
#ifndef OCLM_OCLM_H
#define OCLM_OCLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define OCLM_API __declspec(dllexport)
#elif defined(__GNUC__)
#define OCLM_API __attribute__((visibility("default")))
#else
#define OCLM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define OCLM_VERSION_MAJOR 0
#define OCLM_VERSION_MINOR 1
#define OCLM_VERSION_PATCH 0

/* ---- Status and errors -------------------------------------------------------------------------------------------- */

/* Numbers are never reused; groups have gaps for what comes. */
typedef enum oclm_status {
    OCLM_OK = 0,
    OCLM_ERR_INTERNAL = 1,       /* a bug of oclm's: please report it with the message */
    OCLM_ERR_ARGUMENT = 10,      /* an argument or option is out of range or contradicts another */
    OCLM_ERR_CAPACITY = 11,      /* the caller's memory, or a session, is too small: the message says what is needed */
    OCLM_ERR_UNSUPPORTED = 12,   /* a model, file or option that oclm knows of but cannot run */
    OCLM_ERR_NOT_FOUND = 20,     /* no such file, folder or name */
    OCLM_ERR_IO = 21,            /* reading or writing failed: permissions, disk full */
    OCLM_ERR_HUB = 22,           /* the hub is out of reach, or answers with an error of its own */
    OCLM_ERR_ACCESS = 23,        /* the hub wants a token, another token, or its terms accepted */
    OCLM_ERR_MEMORY = 30,        /* the host's memory is exhausted */
    OCLM_ERR_DEVICE_MEMORY = 31, /* the device's memory is exhausted: needed, available, and what would fit */
    OCLM_ERR_NO_DEVICE = 40,     /* no OpenCL device, or none that matches */
    OCLM_ERR_DEVICE = 41,        /* the device or its driver failed */
    OCLM_ERR_FORMAT = 50,        /* a broken, truncated or hostile file */
    OCLM_ERR_CANCELLED = 60      /* the caller asked to stop */
} oclm_status;

/* The name of a status, such as "OCLM_ERR_FORMAT"; "OCLM_ERR_UNKNOWN" for a number that is none. Static.  Since 0.1. */
OCLM_API const char *oclm_status_name(oclm_status status);

/* The message of the last call that failed in this thread; "" if none did. Valid until the next failing call.  Since 0.1. */
OCLM_API const char *oclm_last_error(void);

/* The version of the library, such as "0.1.0". Static.  Since 0.1. */
OCLM_API const char *oclm_version(void);

/* Frees memory that a call handed out where its documentation says "free with oclm_free". Accepts NULL.  Since 0.1. */
OCLM_API void oclm_free(void *memory);

/* ---- Log ---------------------------------------------------------------------------------------------------------- */

typedef enum oclm_log_level { OCLM_LOG_ERROR = 0, OCLM_LOG_WARNING = 1, OCLM_LOG_INFO = 2, OCLM_LOG_DEBUG = 3 } oclm_log_level;

/* Receives one line, without a line end. Called from any thread that uses oclm; must not call oclm. */
typedef void (*oclm_log_callback)(oclm_log_level level, const char *line, void *user);

/* Sets who receives the log, for the whole process; NULL switches it off, which is the default. Lines above `level` are
 * not made. Threads: call it before other threads use oclm.  Since 0.1. */
OCLM_API void oclm_set_log(oclm_log_callback callback, void *user, oclm_log_level level);

/* ---- Devices ------------------------------------------------------------------------------------------------------ */

typedef struct oclm_device_list oclm_device_list;

typedef enum oclm_device_type {
    OCLM_DEVICE_OTHER = 0,
    OCLM_DEVICE_CPU = 1,
    OCLM_DEVICE_INTEGRATED_GPU = 2, /* shares memory with the host */
    OCLM_DEVICE_DISCRETE_GPU = 3,
    OCLM_DEVICE_ACCELERATOR = 4
} oclm_device_type;

typedef struct oclm_device_info {
    size_t      struct_size;      /* set by the caller: sizeof(oclm_device_info) */
    size_t      index;            /* what --device takes; 0 is the default device */
    size_t      platform_index;   /* platforms in the order of their first mention by the driver loader */
    size_t      platform_device;  /* index within the platform: --device takes "platform:device" too */
    const char *platform_name;
    const char *platform_version;
    const char *name;
    const char *vendor;
    const char *version;          /* such as "OpenCL 3.0 ..." */
    const char *driver_version;
    const char *unusable;         /* NULL, or why oclm cannot use it, such as "is the same card as device 0" */
    oclm_device_type type;
    bool        software;         /* a renderer that emulates a GPU on the CPU */
    bool        host_unified;     /* host and device share memory */
    bool        fp16;             /* cl_khr_fp16: arithmetic; storage always works */
    bool        fp64;
    bool        subgroups;
    uint32_t    compute_units;
    uint32_t    max_work_group_size;
    uint64_t    global_mem_bytes; /* 0: the driver reports none */
    uint64_t    max_alloc_bytes;  /* the largest single buffer; where the driver reports none, OpenCL's least */
    uint64_t    local_mem_bytes;
    uint64_t    budget_bytes;     /* the most oclm allocates there without max_memory: 90 % of its memory; where that is the host's, of what was
                                     free when the list was made */
} oclm_device_info;

/* Lists the OpenCL devices of all platforms, the best first: discrete GPU, integrated GPU, accelerator, CPU, software
 * renderers; then by memory. One card seen through two drivers is listed once as usable.
 * Errors: OCLM_ERR_NO_DEVICE (why there is none and what to install), OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_device_list_new(oclm_device_list **list);
OCLM_API size_t      oclm_device_list_count(const oclm_device_list *list);
/* Fills `info` for the device at `index` < count; strings live as long as the list.  Since 0.1. */
OCLM_API oclm_status oclm_device_list_get(const oclm_device_list *list, size_t index, oclm_device_info *info);
OCLM_API void        oclm_device_list_free(oclm_device_list *list);

/* ---- The hub -------------------------------------------------------------------------------------------------------
 *
 * Models of the Hugging Face Hub, by name, in the cache of Python's huggingface_hub (its layout, its locks): what one side has
 * fetched the other finds, and both may run at the same time. The environment variables are those of huggingface_hub:
 *
 *   HF_HOME, HF_HUB_CACHE        where the cache is (default ~/.cache/huggingface/hub)
 *   HF_TOKEN, HF_TOKEN_PATH      a token, or a file that holds one (default: the file "token" in HF_HOME)
 *   HF_ENDPOINT                  another hub (default https://huggingface.co)
 *   HF_HUB_OFFLINE               1: no request at all
 *   HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT   seconds (default 10)
 *   HF_HUB_DISABLE_SYMLINKS      1: files instead of links
 *   https_proxy, http_proxy, all_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR      the way there
 *
 * A branch is looked up again by each call, with one request; a commit, or a call that stays offline, makes none once all is there.
 * Where the hub cannot be reached, what the cache has is used, and a warning is logged. */

/* Parts of a model, for oclm_hub_options.parts. */
typedef enum oclm_hub_part {
    OCLM_HUB_CONFIG = 1,    /* config.json, generation_config.json */
    OCLM_HUB_TOKENIZER = 2, /* tokenizer.json, or a tokenizer of another format; chat templates, and so on */
    OCLM_HUB_WEIGHTS = 4    /* model.safetensors, or its index and shards */
} oclm_hub_part;

/* Told about each file that is being fetched, some ten times a second and once when it is there (done == total). `file` is NULL
 * where nothing moves just now. Returning false stops: what has come stays for the next time. Must not call oclm. */
typedef bool (*oclm_hub_progress_callback)(const char *file, uint64_t done, uint64_t total, void *user);

typedef struct oclm_hub_options {
    size_t      struct_size;     /* set by oclm_hub_options_init() */
    const char *revision;        /* NULL: "main". A branch, a tag, refs/pr/N, or a commit's 40 digits */
    const char *subfolder;       /* NULL: none. Where in the repository (or in a folder) the model's files are */
    const char *variant;         /* NULL: none. "fp16": the weights are model.fp16.safetensors, in a folder too */
    const char *cache_dir;       /* NULL: as the environment says */
    const char *token;           /* NULL: as the environment says; "": none. Sent to the hub alone, and never shown */
    bool        local_files_only; /* false; true: no request, only what is in the cache */
    bool        force_download;  /* false; true: fetch again what is there */
    uint32_t    parts;           /* 0: what the call needs. Else a sum of OCLM_HUB_ */
    const char *const *include;  /* NULL. oclm_hub_download() only: patterns of the files to fetch, instead of those a model needs */
    size_t      include_count;
    const char *const *exclude;  /* NULL. Patterns of files to leave out; * spans slashes, "folder/" means all below it */
    size_t      exclude_count;
    const char *local_dir;       /* NULL. oclm_hub_download() only: also copies the files into this folder, as plain files */
    oclm_hub_progress_callback progress; /* NULL */
    void       *progress_user;   /* handed to progress */
    const char *gguf_file;       /* NULL: none. A GGUF file in the repository or folder, which is then the model, and all that is fetched; of one in
                                    several parts the first. A model's name may also be the path of such a file */
} oclm_hub_options;

OCLM_API void oclm_hub_options_init(oclm_hub_options *options, size_t struct_size);

/* Sees to it that a model is on this machine and tells where: by default what oclm needs to run it, by patterns whatever matches.
 *   name     "gpt2", "owner/name"; a folder of that name is handed back as it is
 *   options  NULL: all defaults
 *   folder   the folder with its files; free with oclm_free
 * Errors: OCLM_ERR_ARGUMENT (the name, revision or pattern), OCLM_ERR_NOT_FOUND (the model, its revision, a file; offline and not in
 *         the cache), OCLM_ERR_ACCESS (gated: where to accept; a token that is refused), OCLM_ERR_HUB (out of reach, TLS, too many
 *         requests), OCLM_ERR_IO (disk full, permissions), OCLM_ERR_FORMAT (a checksum or size that is wrong twice),
 *         OCLM_ERR_CANCELLED, OCLM_ERR_MEMORY.
 * Threads: any number at once, also of several processes, Python's among them.  Since 0.1. */
OCLM_API oclm_status oclm_hub_download(const char *name, const oclm_hub_options *options, char **folder);

/* ---- What is in the cache --------------------------------------------------------------------------------------------- */

typedef struct oclm_cache_list oclm_cache_list;

/* One revision of a repository that is in the cache. Sizes are those of Python's scan_cache_dir(): of links, the file they lead to,
 * each file once. */
typedef struct oclm_cache_entry {
    size_t      struct_size; /* set by the caller: sizeof(oclm_cache_entry) */
    const char *type;        /* "model"; "dataset", "space" or "kernel" where Python put one there */
    const char *name;        /* "owner/name" */
    const char *commit;
    const char *refs;        /* the branches and tags that mean it, such as "main, v1.0"; "" */
    const char *path;        /* its folder */
    uint64_t    bytes;       /* of its files */
    uint64_t    files;
    double      last_modified; /* seconds since 1970: its youngest file */
    const char *repo_path;   /* the repository's folder */
    uint64_t    repo_bytes;  /* of all revisions of the repository */
    uint64_t    repo_files;  /* in all revisions, each once */
    uint64_t    unfinished_bytes; /* of downloads into the repository that broke off */
} oclm_cache_entry;

/* Lists every revision of every repository in the cache, in order of type, name and commit. What is damaged beyond reading is left
 * out, with a warning in the log. `cache_dir` NULL: as the environment says; one that does not exist is empty.
 * Errors: OCLM_ERR_IO, OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_cache_list_new(const char *cache_dir, oclm_cache_list **list);
OCLM_API size_t      oclm_cache_list_count(const oclm_cache_list *list);
/* Fills `entry` for index < count; strings live as long as the list.  Since 0.1. */
OCLM_API oclm_status oclm_cache_list_get(const oclm_cache_list *list, size_t index, oclm_cache_entry *entry);
/* Where the cache is, and the bytes of all repositories in it.  Since 0.1. */
OCLM_API const char *oclm_cache_list_path(const oclm_cache_list *list);
OCLM_API uint64_t    oclm_cache_list_bytes(const oclm_cache_list *list);
OCLM_API void        oclm_cache_list_free(oclm_cache_list *list);

/* Told of each thing that is wrong: the file, and what. Must not call oclm. */
typedef void (*oclm_cache_problem_callback)(const char *path, const char *what, void *user);

/* Reads the files of a model (NULL: of all models) and compares each with the hash that it is named by; looks for links and
 * refs that lead nowhere. No network.
 *   options   for cache_dir, and progress (bytes of the file that is read); NULL: defaults
 *   problem   may be NULL; `problems` counts them
 * Errors: OCLM_ERR_NOT_FOUND (not in the cache), OCLM_ERR_ARGUMENT, OCLM_ERR_CANCELLED, OCLM_ERR_IO, OCLM_ERR_MEMORY. Damage is no
 *         error of the call.  Since 0.1. */
OCLM_API oclm_status oclm_cache_verify(const char *name, const oclm_hub_options *options, oclm_cache_problem_callback problem, void *user,
                                       size_t *problems);

/* Removes a model from the cache, or with options->revision that revision and the files that no other has.
 *   bytes   what was freed; may be NULL
 * Errors: OCLM_ERR_NOT_FOUND (not in the cache), OCLM_ERR_ARGUMENT, OCLM_ERR_IO, OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_cache_remove(const char *name, const oclm_hub_options *options, uint64_t *bytes);

/* ---- Models ------------------------------------------------------------------------------------------------------- */

typedef struct oclm_model oclm_model;

typedef enum oclm_dtype {
    OCLM_DTYPE_AUTO = 0, /* what config.json says, else what the checkpoint holds */
    OCLM_DTYPE_FLOAT32 = 1,
    OCLM_DTYPE_FLOAT16 = 2,
    OCLM_DTYPE_BFLOAT16 = 3
} oclm_dtype;

typedef enum oclm_matmul {
    OCLM_MATMUL_AUTO = 0,    /* the fastest on the device, measured once and remembered. CLBlast takes part from the first prompt of
                                2,048 tokens or the first oclm_bench() on, because it may compile for seconds */
    OCLM_MATMUL_CLBLAST = 1, /* CLBlast for products of 16 rows and more; fewer rows go to oclm's kernels, as does everything where
                                CLBlast computes wrongly (a warning tells) */
    OCLM_MATMUL_BUILTIN = 2  /* oclm's kernels; CLBlast is never called */
} oclm_matmul;

/* Told while a long operation goes on. `done` and `total` count bytes (loading) or tokens (prefill).
 * Returning false cancels the operation, which then ends with OCLM_ERR_CANCELLED. Must not call oclm. */
typedef bool (*oclm_progress_callback)(const char *what, uint64_t done, uint64_t total, void *user);

typedef struct oclm_model_options {
    size_t      struct_size;      /* set by oclm_model_options_init() */
    const char *device;           /* NULL: OCLM_DEVICE from the environment, else the best. An index, "platform:device", or part of a name */
    oclm_dtype  dtype;            /* OCLM_DTYPE_AUTO; how weights are stored. Sums are float32 always */
    oclm_matmul matmul;           /* OCLM_MATMUL_AUTO */
    uint64_t    max_device_bytes; /* 0: 90 % of what the device reports, or of what the host has left where that is less and it computes
                                     there; where it reports nothing, of its largest buffer. The most oclm may allocate there */
    oclm_progress_callback progress; /* NULL */
    void       *progress_user;    /* handed to progress */
    const oclm_hub_options *hub;  /* NULL: all defaults; for a model that is no folder. Read before the call returns */
    /* Quantising while loading, as transformers' BitsAndBytesConfig: codes and scales are bitsandbytes', bit for bit, made a few rows at a
     * time. Products multiply the codes' values; unlike bitsandbytes' 8 bits, which round the activations too, these stay float32.
     * A model that is quantised already is refused (OCLM_ERR_ARGUMENT). What stays in `dtype`: embeddings, norms, biases, convolutions,
     * experts (which are not nn.Linear in transformers), and the skipped modules. */
    bool        load_in_8bit;     /* false; each row of a weight in signed bytes with a scale (LLM.int8) */
    bool        load_in_4bit;     /* false; blocks of 64 in 4-bit codes with a scale. Both at once are OCLM_ERR_ARGUMENT */
    const char *bnb_4bit_quant_type;       /* NULL: "fp4"; or "nf4", which loses less */
    bool        bnb_4bit_use_double_quant; /* false; scales go through 8 bits, as in transformers; on the device they are float32 either way */
    oclm_dtype  bnb_4bit_compute_dtype;    /* OCLM_DTYPE_AUTO; accepted and without effect: sums are float32 always */
    const char *const *llm_int8_skip_modules; /* NULL: the head and tied weights. Else instead of these: modules that are not quantised, by
                                                 name from its start up to a dot ("model.layers.0") or by its end ("down_proj") */
    size_t      llm_int8_skip_module_count;
    /* Several devices, the host's memory and the disk, as from_pretrained() has it: see "Where a model's parts are" below. */
    const char *device_map;       /* NULL: one device, by `device` */
    const char *max_memory;       /* NULL: 90 % of what each device and the host have. JSON: {"0": "2GiB", "cpu": "8GiB"} */
    const char *offload_folder;   /* where weights on "disk" are written, as kernels read them, in a file without a name that
                                     goes with the model; made where it is missing. NULL: "offload" in the user's cache folder */
    uint32_t    context_length;   /* 0: min(max_position_embeddings, 4096); positions of one sequence that a placement leaves room for */
} oclm_model_options;

OCLM_API void oclm_model_options_init(oclm_model_options *options, size_t struct_size);

/* Loads a model from a folder laid out as on the Hugging Face Hub, or from the hub: config.json, model.safetensors or
 * model.safetensors.index.json with its shards, generation_config.json if there is one.
 * Errors: those of oclm_hub_download(); OCLM_ERR_NOT_FOUND (which file), OCLM_ERR_FORMAT (which tensor, what is wrong), OCLM_ERR_UNSUPPORTED (model_type;
 *         what is supported), OCLM_ERR_NO_DEVICE, OCLM_ERR_DEVICE, OCLM_ERR_DEVICE_MEMORY (needed, available, and what
 *         would fit: fewer bits, a shorter context, offload), OCLM_ERR_MEMORY, OCLM_ERR_ARGUMENT, OCLM_ERR_CANCELLED.
 * Threads: the model may be used from several threads once this returns.  Since 0.1. */
OCLM_API oclm_status oclm_model_load(const char *name, const oclm_model_options *options, oclm_model **model);

/* Frees a model. Its sessions must have been freed before.  Since 0.1. */
OCLM_API void oclm_model_free(oclm_model *model);

typedef struct oclm_model_info {
    size_t      struct_size;             /* set by the caller: sizeof(oclm_model_info) */
    const char *model_type;              /* such as "llama" */
    oclm_dtype  dtype;                   /* of the weights as stored on the device; never AUTO */
    oclm_dtype  checkpoint_dtype;        /* of most weights in the checkpoint */
    uint64_t    parameters;              /* tied weights counted once */
    uint64_t    weight_bytes;            /* on the device, as loaded */
    uint64_t    weight_bytes_float32;    /* on a device, if stored in that dtype */
    uint64_t    weight_bytes_float16;
    uint64_t    weight_bytes_bfloat16;
    uint64_t    kv_bytes_per_token;      /* key and value cache, one position of one sequence, all layers */
    uint32_t    vocab_size;
    uint32_t    hidden_size;
    uint32_t    intermediate_size;
    uint32_t    num_hidden_layers;
    uint32_t    num_attention_heads;
    uint32_t    num_key_value_heads;
    uint32_t    head_dim;
    uint32_t    max_position_embeddings;
    bool        tie_word_embeddings;
    const char *rope_type;               /* "default", "linear", "dynamic", "llama3", "yarn", "longrope", "proportional"; NULL without rotary positions */
    const char *device_name;             /* NULL where nothing is loaded; of several, the one that chooses tokens: oclm_model_plan() tells of all */
    size_t      device_index;
    uint64_t    device_bytes;            /* allocated on the device for this model now; 0 where nothing is loaded */
    uint64_t    kv_whole_bytes_per_token;/* of kv_bytes_per_token, what layers take that keep all positions; the others have a window */
    uint64_t    kv_window_bytes;         /* what those others keep at most, of one sequence however long */
    uint64_t    kv_quantized_bytes_per_token; /* kv_bytes_per_token where cache_implementation is "quantized" */
    uint64_t    weight_bytes_8bit;       /* on a device, with load_in_8bit; 0: the model is quantised already */
    uint64_t    weight_bytes_4bit;       /* with load_in_4bit */
    char        weight_storage[96];      /* how most weights are stored: "float16", "4-bit nf4, 64 to a float32 scale" */
} oclm_model_info;

/* Tells about a loaded model. Strings live as long as the model.  Since 0.1. */
OCLM_API oclm_status oclm_model_get_info(const oclm_model *model, oclm_model_info *info);

/* ---- Where a model's parts are ----------------------------------------------------------------------------------------
 *
 * oclm_model_options.device_map takes transformers' values, as text:
 *
 *   NULL, "null"         one device, which `device` names, or OCLM_DEVICE, or else the best
 *   "auto", "balanced"   over all devices, evenly; then the host's memory; then the disk. The same inputs give transformers' map
 *   "balanced_low_0"     the same, with as little as possible on the first device
 *   "sequential"         the first device filled, then the next
 *   "1", "0:1", "arc"    all on one device: its index, "platform:device", or part of its name, as for `device`
 *   "cpu", "disk"        all there
 *   {"model.embed_tokens": 0, "model.layers.0": "0:1", "model.layers.1": "cpu", "lm_head": "disk"}
 *                        JSON: names of modules as transformers has them (for GGUF files too), each for all that is below it, the longest that
 *                        fits counts; "" is the whole model. A layer is never split, the final norm goes with the head, a head that is tied
 *                        to the embedding with that
 *
 * "cpu" is host memory: its weights visit the device that computes while what comes before them computes. Where the OpenCL device on the host's
 * processor is faster than the way to the other device, it computes them; the plan says so. "disk": the same from files, mapped.
 * The computed maps use the GPUs and accelerators of all platforms, and the processor where there is no other device; with max_memory just
 * the devices that it names. Beyond what transformers counts, room is left on each device for the cache of context_length positions, activations
 * and what loading needs for a while.
 *
 * max_memory is a JSON object. Keys: devices, named as above, "cpu" and "disk" (which has no limit; its value is not used). Values: bytes, or text
 * as "10GiB", "1.5GB", "800MB", "8000Mb" (KiB, MiB, GiB: powers of 1024; KB, MB, GB: of 1000; with a small b a number of bits). What is given is
 * also each device's budget: oclm allocates no more there. Without a device_map it may name the one device alone.
 * The first time that a device meets a way of storing weights, kernels are measured: with up to 20 MB of what its budget leaves, once.
 *
 * Precedence: `device` and `device_map` at once are refused, as are max_device_bytes and max_memory. max_device_bytes with a device_map is the
 * budget of each device. OCLM_DEVICE counts where device_map is NULL, and names the device that computes where all is on "cpu" or "disk". */

typedef enum oclm_place {
    OCLM_PLACE_DEVICE = 0,
    OCLM_PLACE_CPU = 1,  /* in the host's memory */
    OCLM_PLACE_DISK = 2
} oclm_place;

/* What goes where, and why. */
typedef struct oclm_plan oclm_plan;

/* Modules in a row of the model that are at the same place. */
typedef struct oclm_plan_row {
    size_t      struct_size;   /* set by the caller: sizeof(oclm_plan_row) */
    const char *modules;       /* "model.embed_tokens", "model.layers.0-11" */
    oclm_place  place;         /* where the weights are */
    size_t      device_index;  /* of the device that computes */
    const char *device_name;
    bool        cpu_device;    /* the map says "cpu", and an OpenCL device on the host's processor computes there: place is then OCLM_PLACE_DEVICE */
    uint64_t    weight_bytes;
    uint64_t    kv_bytes;      /* of the cache for context_length positions: on the device that computes */
    const char *why;           /* why here and not before; "" where there is nothing to say */
} oclm_plan_row;

/* What one place has and gives. */
typedef struct oclm_plan_share {
    size_t      struct_size;     /* set by the caller: sizeof(oclm_plan_share) */
    oclm_place  place;
    size_t      device_index;    /* of OCLM_PLACE_DEVICE */
    const char *device_name;     /* NULL elsewhere */
    uint64_t    budget_bytes;    /* UINT64_MAX: no limit */
    uint64_t    weight_bytes;    /* that stay here */
    uint64_t    visiting_bytes;  /* for weights that come from the host or the disk */
    uint64_t    kv_bytes;
    uint64_t    workspace_bytes; /* activations, logits, scratch; or what loading needs for a while, if that is more */
    uint64_t    used_bytes, left_bytes; /* of the budget */
} oclm_plan_share;

/* A way to make fit what does not. */
typedef struct oclm_plan_choice {
    size_t      struct_size; /* set by the caller: sizeof(oclm_plan_choice) */
    const char *words;       /* "in 8 bits (load_in_8bit, --load-in-8bit)" */
    uint64_t    bytes;       /* that are then needed of the devices */
    bool        fits;
} oclm_plan_choice;

/* Plans without loading: reads config.json and the checkpoint's headers, opens the devices that the options name, and closes them again.
 *   options   as for oclm_model_load(); without a device_map the plan is for one device
 *   plan      free with oclm_plan_free(). A plan that does not fit is one too: oclm_plan_problem() says so
 * Errors: as oclm_model_load().  Since 0.1. */
OCLM_API oclm_status oclm_plan_new(const char *name, const oclm_model_options *options, oclm_plan **plan);
OCLM_API void        oclm_plan_free(oclm_plan *plan);
/* The plan by which a model was loaded; lives as long as the model, and is not to be freed. NULL: it was loaded without a device_map.  Since 0.1. */
OCLM_API const oclm_plan *oclm_model_plan(const oclm_model *model);

/* NULL where the model fits; else what is too large, with the choices: the message with which loading would fail.  Since 0.1. */
OCLM_API const char *oclm_plan_problem(const oclm_plan *plan);
/* The map as JSON, like transformers' hf_device_map: {"model.embed_tokens": 0, "model.layers.0": 0, "lm_head": "cpu"}; {"": 0} is all on device 0.
 * Since 0.1. */
OCLM_API const char *oclm_plan_device_map(const oclm_plan *plan);
/* Positions that the plan leaves room for.  Since 0.1. */
OCLM_API uint32_t    oclm_plan_context_length(const oclm_plan *plan);
/* Each fills the struct for index < count; strings live as long as the plan. Errors: OCLM_ERR_ARGUMENT.  Since 0.1. */
OCLM_API size_t      oclm_plan_row_count(const oclm_plan *plan);
OCLM_API oclm_status oclm_plan_get_row(const oclm_plan *plan, size_t index, oclm_plan_row *row);
/* Shares: first the devices, then "cpu", then "disk".  Since 0.1. */
OCLM_API size_t      oclm_plan_share_count(const oclm_plan *plan);
OCLM_API oclm_status oclm_plan_get_share(const oclm_plan *plan, size_t index, oclm_plan_share *share);
/* Choices: only where the model does not fit.  Since 0.1. */
OCLM_API size_t      oclm_plan_choice_count(const oclm_plan *plan);
OCLM_API oclm_status oclm_plan_get_choice(const oclm_plan *plan, size_t index, oclm_plan_choice *choice);

/* Where a loaded model's modules are: hf_device_map, as oclm_plan_device_map(); {"": N} for a model on device N alone.
 *   json   NUL-ended; free with oclm_free
 * Errors: OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_model_device_map(const oclm_model *model, char **json);

/* ---- Kinds of models ---------------------------------------------------------------------------------------------- */

/* A kind of model that oclm runs: what config.json calls it. */
typedef struct oclm_family_info {
    size_t      struct_size; /* set by the caller: sizeof(oclm_family_info) */
    const char *model_type;  /* such as "qwen2" */
    const char *class_name;  /* of transformers, such as "Qwen2ForCausalLM" */
    const char *limits;      /* what files of it may ask for and is not there, or not as in transformers; NULL: nothing */
} oclm_family_info;

/* How many there are, and the one at `index` < count. Strings are static. Models that also see or hear count by their language
 * model: "gemma3" is "gemma3_text".  Since 0.1. */
OCLM_API size_t      oclm_family_count(void);
OCLM_API oclm_status oclm_family_get(size_t index, oclm_family_info *info);

/* Tells about a model from its config.json and the headers of its checkpoint: reads no weight, opens no device. One on the hub
 * is fetched whole. `options` as for loading, for its dtype and hub. The strings in `info` are static.
 * Errors: as oclm_model_load(), without those of devices.  Since 0.1. */
OCLM_API oclm_status oclm_model_inspect(const char *name, const oclm_model_options *options, oclm_model_info *info);

/* ---- Tokenizers --------------------------------------------------------------------------------------------------- */

typedef struct oclm_tokenizer oclm_tokenizer;

/* Loads the tokenizer of a model: tokenizer.json, else vocab.json and merges.txt, a SentencePiece model (tokenizer.model,
 * spiece.model), tekken.json, or a file of tiktoken's (tokenizer.model, tiktoken.model, *.tiktoken); with tokenizer_config.json,
 * special_tokens_map.json and added_tokens.json, as transformers uses them, and the chat templates: chat_template.jinja and
 * additional_chat_templates/NAME.jinja, else those of tokenizer_config.json. From the hub, only these are fetched. `name` may also
 * be a GGUF file, or a folder that holds one: its own tokenizer counts.
 *   name, hub    as for oclm_hub_download(); `hub` may be NULL
 * Errors: those of oclm_hub_download(); OCLM_ERR_NOT_FOUND, OCLM_ERR_FORMAT (what and where), OCLM_ERR_UNSUPPORTED (which component), OCLM_ERR_MEMORY.
 * Threads: may be used from several threads once this returns.  Since 0.1. */
OCLM_API oclm_status oclm_tokenizer_load(const char *name, const oclm_hub_options *hub, oclm_tokenizer **tokenizer);
OCLM_API void        oclm_tokenizer_free(oclm_tokenizer *tokenizer);

/* The number of ids: the highest id + 1.  Since 0.1. */
OCLM_API size_t oclm_tokenizer_vocab_size(const oclm_tokenizer *tokenizer);

/* Turns text into ids. `length` is in bytes. Special tokens that occur in the text are recognised; with
 * `add_special_tokens` those of the tokenizer's template (such as a leading BOS) are added.
 *   ids, count   an array; free with oclm_free. Empty text may give none: then `*ids` is not NULL, `*count` is 0.
 * Errors: OCLM_ERR_ARGUMENT (text that is not UTF-8: at which byte), OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_tokenizer_encode(const oclm_tokenizer *tokenizer, const char *text, size_t length,
                                           bool add_special_tokens, int32_t **ids, size_t *count);

/* Turns ids into text. Ids the tokenizer does not know are skipped, as the reference does.
 *   text, length   NUL-ended; free with oclm_free. `length` may be NULL.
 * Errors: OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_tokenizer_decode(const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                           bool skip_special_tokens, char **text, size_t *length);

/* The token of an id as the vocabulary writes it ("Ġtime"), or NULL if there is none. Lives as long as the tokenizer.
 * Since 0.1. */
OCLM_API const char *oclm_tokenizer_token(const oclm_tokenizer *tokenizer, int32_t id);

/* A special token by its name in tokenizer_config.json: "bos_token", "eos_token", "pad_token", "image_token". Lives as long as the
 * tokenizer; NULL if the tokenizer has none. `id` may be NULL; it is -1 then.  Since 0.1. */
OCLM_API const char *oclm_tokenizer_special_token(const oclm_tokenizer *tokenizer, const char *name, int32_t *id);

/* The model_max_length of tokenizer_config.json, in tokens; 0 if it tells none.  Since 0.1. */
OCLM_API uint64_t oclm_tokenizer_max_length(const oclm_tokenizer *tokenizer);

/* One text, or two that belong together, such as a question and a passage. UTF-8; lengths in bytes. */
typedef struct oclm_text {
    const char *text;
    size_t      length;
    const char *pair;        /* NULL: one text */
    size_t      pair_length;
} oclm_text;

typedef enum oclm_padding {
    OCLM_PADDING_NONE = 0,
    OCLM_PADDING_LONGEST = 1,    /* to the longest row of the batch */
    OCLM_PADDING_MAX_LENGTH = 2  /* to max_length */
} oclm_padding;

typedef enum oclm_truncation {
    OCLM_TRUNCATION_NONE = 0,
    OCLM_TRUNCATION_LONGEST_FIRST = 1, /* of a pair the longer text gives up first */
    OCLM_TRUNCATION_ONLY_FIRST = 2,
    OCLM_TRUNCATION_ONLY_SECOND = 3
} oclm_truncation;

typedef enum oclm_side { OCLM_SIDE_UNSET = 0, OCLM_SIDE_LEFT = 1, OCLM_SIDE_RIGHT = 2 } oclm_side;

typedef enum oclm_switch { OCLM_SWITCH_UNSET = 0, OCLM_SWITCH_ON = 1, OCLM_SWITCH_OFF = 2 } oclm_switch;

/* Names, meanings and defaults are those of a tokenizer's call in transformers. A tokenizer.json's own truncation and padding stay
 * off. */
typedef struct oclm_encode_options {
    size_t      struct_size;          /* set by oclm_encode_options_init() */
    bool        add_special_tokens;   /* true */
    bool        return_offsets;       /* false */
    bool        return_overflowing_tokens; /* false; true: what truncation cuts off becomes rows of its own, after the text's first */
    oclm_switch split_special_tokens; /* unset, then as tokenizer_config.json says, then off. ON: special tokens that occur in the text are text
                                         like any other: for text from people you do not trust */
    oclm_padding    padding;          /* OCLM_PADDING_NONE */
    oclm_side       padding_side;     /* unset, then the tokenizer's; text is generated after left padding */
    uint32_t        pad_to_multiple_of; /* 0: off */
    int32_t         pad_token_id;     /* -1: the tokenizer's pad_token */
    oclm_truncation truncation;       /* OCLM_TRUNCATION_NONE */
    oclm_side       truncation_side;  /* unset, then the tokenizer's; RIGHT keeps the beginning */
    uint32_t        max_length;       /* 0: the tokenizer's model_max_length; if it has none, nothing is cut or padded to it. Counts special tokens */
    uint32_t        stride;           /* 0; tokens of the part before that an overflowing part repeats */
} oclm_encode_options;

OCLM_API void oclm_encode_options_init(oclm_encode_options *options, size_t struct_size);

typedef struct oclm_span {
    size_t begin, end; /* bytes of the text, end not included; 0, 0 for tokens that are not of it */
} oclm_span;

/* One row of a batch: arrays of `length`, which live as long as the batch. */
typedef struct oclm_encoding {
    size_t         struct_size;         /* set by the caller: sizeof(oclm_encoding) */
    size_t         length;
    size_t         text;                /* the index of the text it comes from */
    const int32_t *ids;
    const int32_t *type_ids;            /* of the template: mostly 0 for the text and 1 for its pair */
    const uint8_t *attention_mask;      /* 0: padding */
    const uint8_t *special_tokens_mask; /* 1: padding, or added by the template */
    const int8_t  *sequence_ids;        /* 0: of the text, 1: of its pair, -1: of neither */
    const oclm_span *offsets;           /* NULL unless return_offsets */
} oclm_encoding;

typedef struct oclm_batch oclm_batch;

/* Turns texts into rows of ids, in their order: one row each, and more where return_overflowing_tokens asks for them.
 *   texts, count   at least one; read before the call returns
 *   options        NULL: all defaults
 *   batch          free with oclm_batch_free(); NULL where the call fails
 * Errors: OCLM_ERR_ARGUMENT (which text, which option; padding without a pad token; a text that cannot be cut so far),
 *         OCLM_ERR_UNSUPPORTED (overflowing rows of a pair whose texts are both cut), OCLM_ERR_MEMORY.
 * Threads: several threads may encode with one tokenizer; the result does not depend on their number.  Since 0.1. */
OCLM_API oclm_status oclm_tokenizer_encode_batch(const oclm_tokenizer *tokenizer, const oclm_text *texts, size_t count,
                                                 const oclm_encode_options *options, oclm_batch **batch);
OCLM_API size_t      oclm_batch_count(const oclm_batch *batch); /* rows */
/* Fills `encoding` for the row at `index` < count.  Since 0.1. */
OCLM_API oclm_status oclm_batch_get(const oclm_batch *batch, size_t index, oclm_encoding *encoding);
OCLM_API void        oclm_batch_free(oclm_batch *batch);

/* Decodes ids one at a time, holding back what may still be half a character. */
typedef struct oclm_token_stream oclm_token_stream;

OCLM_API oclm_status oclm_token_stream_new(const oclm_tokenizer *tokenizer, bool skip_special_tokens,
                                           oclm_token_stream **stream);
OCLM_API void        oclm_token_stream_free(oclm_token_stream *stream);
/* Adds an id. `*text` is what it completes, "" if nothing yet; it lives until the next call on the stream.
 * Errors: OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_token_stream_push(oclm_token_stream *stream, int32_t id, const char **text, size_t *length);
/* Gives what is still held back: half a character becomes U+FFFD.  Since 0.1. */
OCLM_API oclm_status oclm_token_stream_flush(oclm_token_stream *stream, const char **text, size_t *length);

/* ---- Conversations --------------------------------------------------------------------------------------------------
 *
 * A model made for conversations has a chat template, which turns messages into the prompt it was trained on: transformers'
 * apply_chat_template(). Templates are programs (Jinja2) that come with the model: oclm runs them in a sandbox of its own, with
 * limits on time and memory, and with no way to files or the network.
 *
 * Messages are JSON as everywhere: [{"role": "user", "content": "Hi"}, ...]; what else a message has ("tool_calls",
 * "reasoning_content", content in parts) the template sees as it is. Members that are null are left out. */

typedef struct oclm_chat_options {
    size_t      struct_size;            /* set by oclm_chat_options_init() */
    const char *tools_json;             /* NULL: none. A JSON list of tools, each an object with its JSON schema */
    const char *documents_json;         /* NULL: none. A JSON list of objects, such as {"title": "...", "text": "..."} */
    const char *variables_json;         /* NULL: none. A JSON object: what else the template shall see, as {"enable_thinking": false} */
    const char *template_name;          /* NULL: "tool_use" where tools are given and there is one of that name, else "default" */
    const char *template_text;          /* NULL: the model's own template. The text of another one; beats template_name */
    bool        add_generation_prompt;  /* false; true: the prompt ends where the assistant's answer begins */
    bool        continue_final_message; /* false; true: the prompt ends where the last message does, which the model goes on with */
    const char *continue_field;         /* NULL: "content". Which part of the last message that is */
} oclm_chat_options;

OCLM_API void oclm_chat_options_init(oclm_chat_options *options, size_t struct_size);

/* Whether a chat template came with the tokenizer.  Since 0.1. */
OCLM_API bool oclm_tokenizer_has_chat_template(const oclm_tokenizer *tokenizer);

/* Turns a conversation into the prompt's text.
 *   messages_json   a JSON list of messages, NUL-ended; at least one
 *   text, length    NUL-ended; free with oclm_free. `length` may be NULL
 * Errors: OCLM_ERR_ARGUMENT (no messages; what the template itself refuses, in its words; options that contradict each other),
 *         OCLM_ERR_FORMAT (JSON: at which byte; the template: in which line, and why, or which limit), OCLM_ERR_NOT_FOUND (no
 *         template, or none of that name: which there are), OCLM_ERR_UNSUPPORTED, OCLM_ERR_MEMORY.
 * Threads: any number at once.  Since 0.1. */
OCLM_API oclm_status oclm_chat_render(const oclm_tokenizer *tokenizer, const char *messages_json, const oclm_chat_options *options, char **text,
                                      size_t *length);

/* The same as ids: the text encoded without further special tokens, since the template writes its own.
 *   ids, count   an array; free with oclm_free
 * Errors: as oclm_chat_render() and oclm_tokenizer_encode().  Since 0.1. */
OCLM_API oclm_status oclm_chat_encode(const oclm_tokenizer *tokenizer, const char *messages_json, const oclm_chat_options *options,
                                      int32_t **ids, size_t *count);

typedef struct oclm_message {
    const char *role;    /* "system", "user", "assistant", "tool" ... */
    const char *content; /* NULL: none */
} oclm_message;

/* Plain messages as JSON, for the two calls above.
 *   json   NUL-ended; free with oclm_free
 * Errors: OCLM_ERR_ARGUMENT (a message without a role; text that is not UTF-8), OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_messages_to_json(const oclm_message *messages, size_t count, char **json);

#include <oclm/generate.h> /* generation: options, calls, results */
#include <oclm/score.h>    /* log-probabilities of a text, perplexity */
#include <oclm/quantize.h> /* weights in fewer bits, written to a file or folder */

/* ---- Sessions: forward passes and logits ---------------------------------------------------------------------------- */

typedef struct oclm_session oclm_session;

typedef struct oclm_session_options {
    size_t   struct_size;   /* set by oclm_session_options_init() */
    uint32_t max_positions; /* 0: max_position_embeddings; the cache is this large. More only with rotary positions */
    uint32_t batch;         /* 1; sequences side by side */
    const oclm_tokenizer *tokenizer; /* NULL; must outlive the session: with one oclm_session_generate() knows of texts and stop_strings */
    bool     quantized_cache; /* false; keys and values as 8-bit integers: a quarter of the memory, and logits that come close */
} oclm_session_options;

OCLM_API void oclm_session_options_init(oclm_session_options *options, size_t struct_size);

/* Opens a session: sequences with their key and value cache on the device. Belongs to one thread at a time.
 * Errors: OCLM_ERR_ARGUMENT, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_DEVICE, OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_session_new(const oclm_model *model, const oclm_session_options *options, oclm_session **session);
OCLM_API void        oclm_session_free(oclm_session *session);
/* The number of positions that every sequence of the session holds.  Since 0.1. */
OCLM_API size_t      oclm_session_length(const oclm_session *session);
/* Forgets all positions from `length` on; `length` <= oclm_session_length(). Models with layers that are no attention (LFM2, Qwen3-Next,
 * Qwen3.5) cannot go back so, and a session of one sequence not far where layers have a window (it keeps no more than that, and at least
 * 256 positions): the next call reads the session's ids again, from the first on.
 * Errors: OCLM_ERR_ARGUMENT; for those models OCLM_ERR_UNSUPPORTED where the ids are not known, because the session has several sequences or
 * they came from a buffer: rewind to 0 then.  Since 0.1. */
OCLM_API oclm_status oclm_session_rewind(oclm_session *session, size_t length);
/* Makes a second session that goes on by itself from what this one holds; its cache is copied on the device.
 * Errors: OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_DEVICE, OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_session_copy(oclm_session *session, oclm_session **copy);
/* Writes what a session holds to a file: its ids and its cache, so that nothing is read again. The file is there whole or not at all.
 * It is as private as the text is.
 * Errors: OCLM_ERR_NOT_FOUND (no such folder), OCLM_ERR_IO, OCLM_ERR_DEVICE, OCLM_ERR_MEMORY.  Since 0.1. */
OCLM_API oclm_status oclm_session_save(oclm_session *session, const char *path);
/* Opens a session from such a file; it goes on with the same ids as the one that was saved. The model must be the same in the same dtype, on whatever
 * device. Every byte of the file is checked.
 *   options   NULL: as it was saved. max_positions 0 likewise; where it differs, a model with windows may have to read the ids again.
 *             batch and quantized_cache are the file's
 * Errors: OCLM_ERR_NOT_FOUND, OCLM_ERR_IO, OCLM_ERR_FORMAT (no session; cut short; damaged), OCLM_ERR_UNSUPPORTED (of another version),
 *         OCLM_ERR_ARGUMENT (of another model or dtype), OCLM_ERR_CAPACITY (more positions than max_positions), and as oclm_session_new().
 * Since 0.1. */
OCLM_API oclm_status oclm_session_load(const oclm_model *model, const char *path, const oclm_session_options *options, oclm_session **session);

/* Continues a prompt of ids as oclm_generate() does, in a session of one sequence, which then holds the prompt and the new ids but
 * the last. What the prompt has in common with what the session holds already is not read again: so a conversation is given
 * whole at each turn, and only what is new costs time.
 * A length limit beyond the session's max_positions ends there. The timing's prefill_tokens are those that were read. There is no
 * token_healing: the ids are given.
 * Errors: as oclm_generate(); OCLM_ERR_CAPACITY (the prompt and one more id do not fit the session). The session is then cut back to
 *         what it shares with the prompt.
 * Threads: one call at a time per session.  Since 0.1. */
OCLM_API oclm_status oclm_session_generate(oclm_session *session, const int32_t *ids, size_t count, const oclm_generate_options *options,
                                           oclm_generation **generation);

/* Scores token ids: one forward pass, no sampling. Positions go on after what `session` has seen.
 *   ids      [batch][length], each < vocabulary size; `batch` is the session's; read before the call returns
 *   logits   [batch][length][vocab_size] float32; caller's memory, room for `capacity` floats; NULL (with 0) for none:
 *            then only the last position's are computed, for oclm_session_logits() of opencl.h
 * Errors: OCLM_ERR_ARGUMENT (which id, which range), OCLM_ERR_CAPACITY (floats or positions needed), OCLM_ERR_DEVICE,
 *         OCLM_ERR_MEMORY. `logits` is then unspecified, the session's positions are as before the call.
 * Threads: one call at a time per session; sessions of one model may run in parallel.  Since 0.1. */
OCLM_API oclm_status oclm_forward(oclm_session *session, const int32_t *ids, size_t batch, size_t length,
                                  float *logits, size_t capacity);

/* The same, giving the last position's logits alone: [batch][vocab_size].  Since 0.1. */
OCLM_API oclm_status oclm_forward_last(oclm_session *session, const int32_t *ids, size_t batch, size_t length,
                                       float *logits, size_t capacity);

/* ---- Measuring ---------------------------------------------------------------------------------------------------- */

typedef struct oclm_rate {
    double min, median, max; /* per second */
} oclm_rate;

typedef struct oclm_bench_options {
    size_t   struct_size; /* set by oclm_bench_options_init() */
    uint32_t prompt;      /* 512 tokens of prefill; 0: none */
    uint32_t decode;      /* 64 tokens of decoding; 0: none */
    uint32_t depth;       /* 0; positions in the cache before decoding starts */
    uint32_t repetitions; /* 3 */
} oclm_bench_options;

typedef struct oclm_bench_result {
    size_t    struct_size;            /* set by the caller: sizeof(oclm_bench_result) */
    oclm_rate prefill_tokens;         /* tokens per second */
    oclm_rate decode_tokens;
    double    first_token_s;          /* a prompt of one token: call to first new token, everything built */
    uint64_t  weight_bytes_per_token; /* weights read for one decoded token */
    uint64_t  cache_bytes_per_token;  /* cache read for one decoded token, mean over the measured positions */
    double    read_fraction;          /* of read_bytes_per_s that decoding reached (medians), weights and cache */
    double    read_bytes_per_s;       /* the device's own read rate (median), taken in turns with decoding */
    double    gemm_flops_per_s;       /* the matrix product's rate at this model's shapes */
    /* Up to here, but for what measuring the device's rates takes: */
    uint64_t  peak_host_bytes;        /* of the process: all that is resident, drivers, their compilers and mapped pages of files included, and
                                         where the device computes in the host's memory its buffers too */
    uint64_t  peak_device_bytes;      /* allocated by oclm on the model's devices: weights, staging, caches and activations */
} oclm_bench_result;

OCLM_API void oclm_bench_options_init(oclm_bench_options *options, size_t struct_size);

/* Measures a model on its device. Errors: as oclm_generate().  Since 0.1. */
OCLM_API oclm_status oclm_bench_run(const oclm_model *model, const oclm_bench_options *options, oclm_bench_result *result);

#ifdef __cplusplus
}
#endif
#endif
