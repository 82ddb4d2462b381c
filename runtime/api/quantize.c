/* quantize.c: a model written in fewer bits: a folder as bitsandbytes has it, or a GGUF file. */
#include <string.h>

#include "api/api.h"
#include "checkpoint/blocks_write.h"
#include "checkpoint/bnb_write.h"
#include "core/dir.h"
#include "core/log.h"
#include "core/platform.h"
#include "hub/id.h"
#include "model/export_gguf.h"
#include "tokenizer/gguf_write.h"

#define PARTS (OCLM_HUB_CONFIG | OCLM_HUB_TOKENIZER | OCLM_HUB_WEIGHTS)

static const oclm_quantize_options defaults = { .struct_size = sizeof defaults };

void oclm_quantize_options_init(oclm_quantize_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

/* What there is to quantise, opened. */
typedef struct source {
    core_text        folder, config_path;
    oclm_hub_options hub;
    cJSON           *config;
} source;

static void close_source(source *from)
{
    cJSON_Delete(from->config);
    core_text_free(&from->folder);
    core_text_free(&from->config_path);
}

static oclm_status check_plain(const source *from)
{
    const cJSON *given = core_json_member(from->config, "quantization_config");
    if (given == NULL)
        given = core_json_member(core_json_member(from->config, "text_config"), "quantization_config");
    if (given == NULL)
        return OCLM_OK;
    const cJSON *method = core_json_member(given, "quant_method");
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: the model is quantised already (%s), and quantising twice only loses: run it as it is, or quantise the model "
                     "that it was made from", from->config_path.data, cJSON_IsString(method) ? method->valuestring : "quantization_config");
}

static oclm_status open_source(const char *name, const oclm_quantize_options *options, source *from)
{
    oclm_status status;
    if (core_path_is_file(name))
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s is a file; oclm quantises models from their folder (config.json, model.safetensors): give that, or the "
                         "model's name on the hub", name);
    if ((status = api_find_model(name, options->hub, PARTS, &from->folder, &from->hub)) != OCLM_OK ||
        (status = core_path_join(&from->config_path, from->folder.data, "config.json")) != OCLM_OK ||
        (status = core_json_read_file(from->config_path.data, CORE_JSON_MAX_CONFIG, &from->config)) != OCLM_OK)
        return status;
    return check_plain(from);
}

/* ---- A GGUF file */

static uint32_t block_type_of(oclm_quantize_format format)
{
    static const uint32_t types[] = { [OCLM_QUANTIZE_Q4_0] = CKPT_GGML_Q4_0, [OCLM_QUANTIZE_Q4_1] = CKPT_GGML_Q4_1, [OCLM_QUANTIZE_Q5_0] = CKPT_GGML_Q5_0,
                                      [OCLM_QUANTIZE_Q5_1] = CKPT_GGML_Q5_1, [OCLM_QUANTIZE_Q8_0] = CKPT_GGML_Q8_0, [OCLM_QUANTIZE_F16] = CKPT_GGML_F16 };
    return types[format];
}

static oclm_status put_template(const char *folder, core_gguf_writer *writer)
{
    tok_templates     templates = TOK_TEMPLATES_INIT;
    const oclm_status status = tok_templates_read(folder, &templates);
    const tok_template *found = status == OCLM_OK ? tok_templates_find(&templates, "default") : NULL;
    if (found != NULL)
        core_gguf_put_string(writer, "tokenizer.chat_template", found->text, strlen(found->text));
    tok_templates_free(&templates);
    return status;
}

/* A model without a tokenizer is one that takes ids. */
static oclm_status put_tokenizer(const char *folder, uint64_t tokens, core_gguf_writer *writer)
{
    tok_tokenizer *tokenizer = NULL;
    oclm_status    status = tok_open(folder, &tokenizer);
    if (status == OCLM_ERR_NOT_FOUND) {
        core_log(OCLM_LOG_WARNING, "%s has no tokenizer: the GGUF file will have none either", folder);
        core_gguf_put_string(writer, "tokenizer.ggml.model", "none", 4);
        return OCLM_OK;
    }
    if (status == OCLM_OK && (status = tok_gguf_write(tokenizer, folder, tokens, writer)) == OCLM_OK)
        status = put_template(folder, writer);
    tok_close(tokenizer);
    return status;
}

/* What the model calls itself, where that is a name on the hub: a folder is nobody's business. */
static void put_name(const source *from, core_gguf_writer *writer)
{
    const cJSON *name = core_json_member(from->config, "_name_or_path");
    const char  *begin = cJSON_IsString(name) ? name->valuestring : "";
    if (hub_id_check(begin) != OCLM_OK)
        return;
    begin = strchr(begin, '/') != NULL ? strchr(begin, '/') + 1 : begin;
    core_gguf_put_string(writer, "general.name", begin, strlen(begin));
}

static oclm_status write_file(const source *from, model_export *plan, const char *out, const oclm_quantize_options *options)
{
    core_gguf_writer writer = CORE_GGUF_WRITER_INIT;
    core_text        head = CORE_TEXT_INIT;
    core_output     *output = NULL;
    oclm_status      status;
    put_name(from, &writer);
    if ((status = model_export_head(plan, &writer)) != OCLM_OK ||
        (status = put_tokenizer(from->folder.data, model_export_tokens(plan), &writer)) != OCLM_OK || (status = core_gguf_head(&writer, &head)) != OCLM_OK)
        goto done;
    if ((status = core_output_begin(out, &output)) != OCLM_OK || (status = core_output_add(output, head.data, head.length)) != OCLM_OK ||
        (status = model_export_check(plan, output, head.length + writer.data_bytes)) != OCLM_OK ||
        (status = model_export_data(plan, output, options->progress, options->progress_user)) != OCLM_OK)
        goto done;
    status = core_output_end(output);
    output = NULL;
done:
    core_output_drop(output);
    core_text_free(&head);
    core_gguf_writer_free(&writer);
    return status;
}

static oclm_status write_gguf(const source *from, const char *out, const oclm_quantize_options *options)
{
    model_export *plan;
    oclm_status   status = model_export_new(from->folder.data, from->hub.variant, block_type_of(options->format), &plan);
    if (status == OCLM_OK)
        status = write_file(from, plan, out, options);
    model_export_free(plan);
    return status;
}

/* ---- A folder */

static oclm_status write_folder(const source *from, const char *out, const oclm_quantize_options *options)
{
    static const ckpt_quantize_kind kinds[] = { [OCLM_QUANTIZE_NF4] = CKPT_QUANTIZE_NF4, [OCLM_QUANTIZE_FP4] = CKPT_QUANTIZE_FP4,
                                                [OCLM_QUANTIZE_INT8] = CKPT_QUANTIZE_INT8 };
    const ckpt_bnb_options          how = { kinds[options->format], options->double_quant, options->progress, options->progress_user };
    ckpt_checkpoint  *checkpoint = NULL;
    oclm_status       status = ckpt_open(from->folder.data, from->hub.variant, &checkpoint);
    if (status == OCLM_OK)
        status = ckpt_bnb_write(checkpoint, from->folder.data, out, &how);
    ckpt_close(checkpoint);
    return status;
}

oclm_status oclm_quantize(const char *name, const char *out, const oclm_quantize_options *options)
{
    oclm_quantize_options mine = defaults;
    source                from = { CORE_TEXT_INIT, CORE_TEXT_INIT, { 0 }, NULL };
    oclm_status           status;
    if (!name || !out)
        return api_missing("oclm_quantize", name ? "out" : "name");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_quantize_options")) != OCLM_OK)
        return status;
    if (mine.format < OCLM_QUANTIZE_NF4 || mine.format > OCLM_QUANTIZE_F16)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_quantize_options: format is %d; it is one of OCLM_QUANTIZE_NF4 (1) to OCLM_QUANTIZE_F16 (%d)", (int)mine.format,
                         (int)OCLM_QUANTIZE_F16);
    if (core_path_info(out, true).kind != CORE_NOTHING || core_path_info(out, false).kind != CORE_NOTHING)
        return core_fail(OCLM_ERR_ARGUMENT, "%s is there already, and nothing is written over it: give another name, or remove it first", out);
    if ((status = open_source(name, &mine, &from)) == OCLM_OK)
        status = mine.format <= OCLM_QUANTIZE_INT8 ? write_folder(&from, out, &mine) : write_gguf(&from, out, &mine);
    close_source(&from);
    return status;
}
