/* test_broken_models.c: model folders that are broken, hostile, incomplete or not for this version. Each is a good folder with one
 * change; what the command says must name the file and the thing, and the exit status must tell the kind. */
#include "cli/cases.h"

#define IDS "generate @here --input-ids 1,2 -n 2"
#define TEXT_PROMPT "generate @here Once -n 2"
#define HEAD 8u /* bytes of length before a safetensors header */

typedef enum edit {
    WRITE,   /* `to` becomes the file */
    REMOVE,
    CUT,     /* the first atoi(to) bytes stay; minus: so many go from the end */
    APPEND,
    REPLACE, /* the first `from` becomes `to` */
    HEADER   /* the same in a safetensors header, whose length is put right */
} edit;

typedef struct change {
    const char *label, *folder, *file;
    edit        how;
    const char *from, *to, *line;
    int         status;
    const char *says;
} change;

#define Q_PROJ "model.layers.0.self_attn.q_proj.weight"
#define AS_Q_PROJ "\"" Q_PROJ "\":{\"dtype\":\"F32\",\"shape\":[40,40],\"data_offsets\":[66560,72960]}"
#define Q(dtype, shape, offsets) "\"" Q_PROJ "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define WEIGHTS(label, to, status, says) { label, "llama", "model.safetensors", HEADER, AS_Q_PROJ, to, IDS, status, "model.safetensors: |" says }
#define CONFIG(label, from, to, status, says) { label, "llama", "config.json", REPLACE, from, to, IDS, status, "config.json|" says }

static const change configs[] = {
    { "no config.json", "llama", "config.json", REMOVE, "", "", IDS, 3, "config.json is missing|a model is a folder with" },
    { "an empty config.json", "llama", "config.json", WRITE, "", "", IDS, 6, "config.json: byte 0|download it again" },
    { "a config.json cut short", "llama", "config.json", CUT, "", "100", IDS, 6, "config.json: byte 100|cut short" },
    { "no JSON", "llama", "config.json", WRITE, "", "<!DOCTYPE html>", IDS, 6, "config.json: byte 0: '<'|download it again" },
    { "text after the end", "llama", "config.json", APPEND, "", "x", IDS, 6, "config.json: byte |'x'" },
    { "a list", "llama", "config.json", WRITE, "", "[]", IDS, 6, "config.json: not a JSON object" },
    { "info of a broken one", "llama", "config.json", CUT, "", "100", "info @here --json", 6, "config.json: byte 100" },
    CONFIG("an unknown model_type", "\"llama\"", "\"mamba2\"", 1, "\"mamba2\" is not supported; its keys are all known to |supported are |gpt2, |llama, "),
    CONFIG("no model_type", "\"model_type\"", "\"kind\"", 6, "model_type|supported are |gpt2, |llama, "),
    CONFIG("a size that is no number", "\"vocab_size\": 101", "\"vocab_size\": \"many\"", 6, "\"vocab_size\" is \"many\"|whole number"),
    CONFIG("a negative size", "\"hidden_size\": 40", "\"hidden_size\": -40", 6, "\"hidden_size\" is -40"),
    CONFIG("a size beyond all", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2000000000", 6, "2000000000|1 to 1024"),
    CONFIG("sizes that contradict", "\"num_attention_heads\": 4", "\"num_attention_heads\": 7", 6, "7 attention heads|4 key-value heads"),
    CONFIG("an unknown activation", "\"silu\"", "\"mish\"", 1, "\"mish\"|supported are silu"),
    CONFIG("unknown positions", "\"default\"", "\"spiral\"", 1, "\"spiral\"|supported are default"),
    CONFIG("quantised weights", "\"use_cache\"", "\"quantization_config\": {\"quant_method\": \"awq\", \"version\": \"gemv\"}, \"use_cache\"", 1, "awq|gemv|float16"),
    { "a broken generation_config.json value", "llama-tied", "generation_config.json", WRITE, "", "{\"temperature\": \"hot\"}", IDS, 6,
      "generation_config.json: \"temperature\" is \"hot\"" },
};

static const change weights[] = {
    { "no weights", "llama", "model.safetensors", REMOVE, "", "", IDS, 3, "no weights there|model.safetensors|download" },
    { "an empty file", "llama", "model.safetensors", WRITE, "", "", IDS, 6, "model.safetensors: 0 bytes|download it again" },
    { "a web page", "llama", "model.safetensors", WRITE, "", "<!DOCTYPE html><html>", IDS, 6, "model.safetensors: |no safetensors file" },
    { "cut in the header", "llama", "model.safetensors", CUT, "", "1000", IDS, 6, "header is 2104 bytes long|download it again" },
    { "cut in the data", "llama", "model.safetensors", CUT, "", "-100", IDS, 6, "\"model.norm.weight\" ends at byte 126560|download it again" },
    { "bytes after the end", "llama", "model.safetensors", APPEND, "", "more", IDS, 6, "126560|126564|download" },
    { "cut, told by info", "llama", "model.safetensors", CUT, "", "-100", "info @here", 6, "\"model.norm.weight\"" },
    { "cut, told by bench", "llama", "model.safetensors", CUT, "", "-100", "bench @here", 6, "\"model.norm.weight\"" },
    { "cut, told by logits", "llama", "model.safetensors", CUT, "", "-100", "logits @here --input-ids 1 --json", 6, "\"model.norm.weight\"" },
    WEIGHTS("a header that is no JSON", "}", 6, "byte |stands where"),
    WEIGHTS("overlapping tensors", Q("F32", "[40,40]", "[66544,72944]"), 6, "o_proj.weight\" and \"" Q_PROJ "\" overlap"),
    WEIGHTS("a tensor beyond the end", Q("F32", "[40,40]", "[66560,1099511700736]"), 6, "\"" Q_PROJ "\" ends at byte 1099511700736"),
    WEIGHTS("a tensor that ends before it begins", Q("F32", "[40,40]", "[72960,66560]"), 6, "\"" Q_PROJ "\" begins at byte 72960"),
    WEIGHTS("more elements than bytes", Q("F32", "[80,40]", "[66560,72960]"), 6, "\"" Q_PROJ "\", [80, 40] of F32, needs 12800 bytes|span 6400"),
    WEIGHTS("another type than its bytes", Q("F16", "[40,40]", "[66560,72960]"), 6, "\"" Q_PROJ "\", [40, 40] of F16, needs 3200 bytes"),
    WEIGHTS("a shape beyond all memory", Q("F32", "[8589934592,8589934592]", "[66560,72960]"), 6, "\"" Q_PROJ "\"|beyond all memory"),
    WEIGHTS("a negative shape", Q("F32", "[-40,40]", "[66560,72960]"), 6, "-40 is not a whole number"),
    WEIGHTS("an unknown type", Q("F13", "[40,40]", "[66560,72960]"), 1, "\"" Q_PROJ "\"|\"F13\"|F32, F16 and BF16"),
    WEIGHTS("integers", Q("I32", "[40,40]", "[66560,72960]"), 1, Q_PROJ " I32|float16"),
    WEIGHTS("a wrong shape", Q("F32", "[20,80]", "[66560,72960]"), 6, Q_PROJ " is [20, 80], not [40, 40]|do not belong together"),
    { "a missing tensor, and a surplus one", "llama", "model.safetensors", HEADER, "0.self_attn.q_proj", "0.self_attn.p_proj", IDS, 6,
      "not used: model.layers.0.self_attn.p_proj.weight|1 tensor missing that config.json asks for: " Q_PROJ "|not complete" },
    { "more layers than weights", "llama", "config.json", REPLACE, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4", IDS, 6,
      "18 tensors missing|model.layers.2.input_layernorm.weight| and 10 more" },
    { "another vocabulary", "llama", "config.json", REPLACE, "\"vocab_size\": 101", "\"vocab_size\": 102", IDS, 6,
      "model.embed_tokens.weight is [101, 40], not [102, 40]" },
    { "a missing shard", "llama-sharded", "model-00002-of-00003.safetensors", REMOVE, "", "", IDS, 3, "model-00002-of-00003.safetensors is missing|fetch" },
    { "a broken index", "llama-sharded", "model.safetensors.index.json", CUT, "", "100", IDS, 6, "model.safetensors.index.json: byte 100|cut short" },
    { "an index that leads out of the folder", "llama-sharded", "model.safetensors.index.json", REPLACE, "model-00001-of-00003.safetensors",
      "../../etc/passwd", IDS, 6, "\"../../etc/passwd\"|plain name" },
    { "an index that names what is nowhere", "llama-sharded", "model.safetensors.index.json", REPLACE, "\"lm_head.weight\"", "\"lm_tail.weight\"",
      IDS, 6, "\"lm_tail.weight\"|in no shard" },
    { "a cache larger than allowed", "llama", "config.json", REPLACE, "\"max_position_embeddings\": 160", "\"max_position_embeddings\": 1000000",
      "generate @here --input-ids 1 -n 900000 --max-memory 100MB", 4, "900001 positions need |available are |positions would fit" },
};

#define TOKENIZER(label, from, to, status, says) { label, "stories", "tokenizer.json", REPLACE, from, to, TEXT_PROMPT, status, "tokenizer.json: |" says }

static const change tokenizers[] = {
    { "no tokenizer", "stories", "tokenizer.json", REMOVE, "", "", TEXT_PROMPT, 3, "none of tokenizer.json, vocab.json with merges.txt, tekken.json|token ids" },
    { "a tokenizer cut short", "stories", "tokenizer.json", CUT, "", "5000", TEXT_PROMPT, 6, "tokenizer.json: byte 5000|cut short: download it again" },
    { "tokenize, cut short", "stories", "tokenizer.json", CUT, "", "5000", "tokenize @here x --json", 6, "tokenizer.json: byte 5000" },
    { "detokenize, cut short", "stories", "tokenizer.json", CUT, "", "5000", "detokenize @here 1", 6, "tokenizer.json: byte 5000" },
    { "broken even where ids are given", "stories", "tokenizer.json", CUT, "", "5000", IDS, 6, "tokenizer.json: byte 5000" },
    { "no model in it", "stories", "tokenizer.json", WRITE, "", "{}", TEXT_PROMPT, 6, "tokenizer.json: |there is no \"model\"" },
    TOKENIZER("a model of another kind", "\"type\": \"BPE\"", "\"type\": \"Words\"", 1, "\"Words\" is not supported"),
    TOKENIZER("an unknown step", "\"type\": \"ByteLevel\"", "\"type\": \"Shuffle\"", 1, "\"Shuffle\" is not supported"),
    TOKENIZER("an id that is none", "\"Once\": 438", "\"Once\": -438", 6, "-438 is not a whole number"),
};

static void read_whole(const char *path, char **data, size_t *length)
{
    FILE *file = fopen(path, "rb");
    scratch_check(file != NULL, path);
    scratch_check(fseek(file, 0, SEEK_END) == 0, path);
    *length = (size_t)ftell(file);
    rewind(file);
    scratch_check((*data = malloc(*length + 1)) != NULL && fread(*data, 1, *length, file) == *length, path);
    (*data)[*length] = '\0';
    fclose(file);
}

static uint64_t read_u64(const char bytes[8])
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

static void write_u64(char bytes[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(unsigned char)(value >> (8 * i));
}

/* `data` with `from` replaced behind byte `begin`; the file must hold it. */
static void replace(const char *label, char **data, size_t *length, size_t begin, const char *from, const char *to)
{
    const size_t out = strlen(from), in = strlen(to);
    char        *at = strstr(*data + begin, from), *made = malloc(*length + in + 1);
    size_t       before;
    if (!at || !made)
        fail_msg("%s: the file does not hold \"%s\"", label, from);
    before = (size_t)(at - *data);
    memcpy(made, *data, before);
    memcpy(made + before, to, in);
    memcpy(made + before + in, at + out, *length - before - out + 1);
    *length = *length - out + in;
    free(*data);
    *data = made;
}

static void apply(const change *c)
{
    char   path[2 * SCRATCH_PATH], *data;
    size_t length;
    snprintf(path, sizeof path, "%s", scratch_path(here, c->file));
    if (c->how == REMOVE) {
        scratch_check(unlink(path) == 0, path);
        return;
    }
    read_whole(path, &data, &length);
    if (c->how == WRITE) {
        scratch_write(here, c->file, c->to, strlen(c->to));
    } else if (c->how == CUT) {
        const long stay = atol(c->to);
        scratch_write(here, c->file, data, stay < 0 ? length - (size_t)-stay : (size_t)stay);
    } else {
        if (c->how == APPEND) {
            scratch_check((data = realloc(data, length + strlen(c->to) + 1)) != NULL, path);
            strcpy(data + length, c->to);
            length += strlen(c->to);
        } else {
            const size_t was = length;
            replace(c->label, &data, &length, c->how == HEADER ? HEAD : 0, c->from, c->to);
            if (c->how == HEADER)
                write_u64(data, read_u64(data) + length - was);
        }
        scratch_write(here, c->file, data, length);
    }
    free(data);
}

static void copy_folder(const char *name)
{
    const bool stories = strcmp(name, "stories") == 0;
    char       from[512];
    DIR       *listing;
    snprintf(from, sizeof from, stories ? "%s" : "%s/%s", stories ? STORIES : TINY, name);
    scratch_make(here);
    scratch_check((listing = opendir(from)) != NULL, from);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        char   path[1024], *data;
        size_t length;
        if (entry->d_name[0] == '.')
            continue;
        scratch_check(snprintf(path, sizeof path, "%s/%s", from, entry->d_name) < (int)sizeof path, from);
        read_whole(path, &data, &length);
        scratch_write(here, entry->d_name, data, length);
        free(data);
    }
    closedir(listing);
}

static void check_changes(const change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const command_case as_case = { changes[i].label, changes[i].line, changes[i].status, changes[i].says, NULL };
        copy_folder(changes[i].folder);
        apply(&changes[i]);
        check_case(&as_case);
        scratch_remove(here);
    }
}

static void broken_configurations_are_told(void **state)
{
    (void)state;
    check_changes(configs, COUNT(configs));
}

static void broken_weights_are_told(void **state)
{
    (void)state;
    check_changes(weights, COUNT(weights));
}

static void broken_tokenizers_are_told(void **state)
{
    (void)state;
    check_changes(tokenizers, COUNT(tokenizers));
}

/* ---- What is no folder, or another kind of one */

static const command_case nowhere[] = {
    { "no such folder", "generate @here/none x", 3, "none: no such folder|config.json, model.safetensors and tokenizer.json", NULL },
    { "a name of the hub", "generate openai-community/gpt2 x --offline --cache-dir @here/cache", 3,
      "openai-community/gpt2|is not in the cache|offline|oclm download openai-community/gpt2", NULL },
    { "a revision that is none", "generate gpt2 x --revision ../../x", 2, "\"../../x\" cannot be a revision", NULL },
    { "no name of the hub", "info gpt2..x", 2, "\"gpt2..x\" is neither a folder nor a model on the hub", NULL },
    { "a file", "generate @stories/config.json x", 3, "config.json is a file|give the folder", NULL },
    { "a file for info", "info @stories/model.safetensors", 3, "model.safetensors is a file|give the folder", NULL },
    { "no such folder for each", "logits @here/none --input-ids 1", 3, "no such folder", NULL },
    { "and tokenize", "tokenize @here/none x", 3, "no such folder", NULL },
    { "and detokenize", "detokenize @here/none 1", 3, "no such folder", NULL },
    { "and info", "info @here/none", 3, "no such folder", NULL },
    { "and bench", "bench @here/none", 3, "no such folder", NULL },
    { "an empty folder", "info @here", 3, "config.json is missing", NULL },
    { "an empty folder and a text", "generate @here x", 3, "has no tokenizer", NULL },
    { "an empty name", "info ''", 3, "no such folder", NULL },
};

static void what_is_no_model_is_told(void **state)
{
    (void)state;
    scratch_make(here);
    check_cases(nowhere, COUNT(nowhere));
    scratch_remove(here);
}

static const struct { const char *file, *says; } others[] = {
    { "pytorch_model.bin", "pytorch_model.bin|save_pretrained" },
    { "model.gguf", "GGUF|model.gguf|safetensors" },
};

static void weights_of_another_kind_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        const command_case c = { others[i].file, IDS, 3, others[i].says, NULL };
        copy_folder("llama");
        scratch_check(unlink(scratch_path(here, "model.safetensors")) == 0, "unlink");
        scratch_write(here, others[i].file, "PK", 2);
        check_case(&c);
        scratch_remove(here);
    }
}

/* ---- What only a warning is worth */

static const change harmless[] = {
    { "a broken generation_config.json", "llama-tied", "generation_config.json", WRITE, "", "{", IDS, 0, "generation_config.json: byte 1|counts as missing" },
    { "an end-of-sequence token of another model", "llama-tied", "generation_config.json", WRITE, "", "{\"eos_token_id\": 50256}", IDS, 0,
      "eos_token_id 50256|outside the vocabulary" },
    { "a tensor too much", "llama", "model.safetensors", HEADER, "\"model.norm.weight\"",
      "\"extra.weight\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[126400,126400]},\"model.norm.weight\"", IDS, 0, "not used: extra.weight" },
};

static void harmless_faults_are_warned_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(harmless); i++) {
        process p;
        copy_folder(harmless[i].folder);
        apply(&harmless[i]);
        p = run_line(harmless[i].line);
        if (p.status != 0 || count_messages(p.err.data) > 0 || !holds_all(p.err.data, harmless[i].says) || p.out.length < 4)
            fail_msg("%s: status %d, \"%s\", \"%s\"", harmless[i].label, p.status, p.out.data, p.err.data);
        process_free(&p);
        scratch_remove(here);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_configurations_are_told),
        cmocka_unit_test(broken_weights_are_told),
        cmocka_unit_test(broken_tokenizers_are_told),
        cmocka_unit_test(what_is_no_model_is_told),
        cmocka_unit_test(weights_of_another_kind_are_told),
        cmocka_unit_test(harmless_faults_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
