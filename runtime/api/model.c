/* model.c: loading a model: the folder is looked at first, so that what is wrong with it is told on any machine; then devices are
 * opened; then, with a device_map, a plan is made; then the weights go there. */
#include <string.h>

#include "api/api.h"
#include "api/opening.h"
#include "model/model.h"

#define MODEL_PARTS (OCLM_HUB_CONFIG | OCLM_HUB_WEIGHTS)

static const oclm_model_options defaults = { .struct_size = sizeof defaults };

void oclm_model_options_init(oclm_model_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

static oclm_status read_options(const oclm_model_options *options, oclm_model_options *mine)
{
    oclm_status status;
    *mine = defaults;
    if ((status = api_options_read(options, mine, sizeof *mine, "oclm_model_options")) != OCLM_OK)
        return status;
    if ((unsigned)mine->dtype > OCLM_DTYPE_BFLOAT16)
        return core_fail(OCLM_ERR_ARGUMENT, "dtype %d is none: OCLM_DTYPE_AUTO (0) to OCLM_DTYPE_BFLOAT16 (3)", (int)mine->dtype);
    if ((unsigned)mine->matmul > OCLM_MATMUL_BUILTIN)
        return core_fail(OCLM_ERR_ARGUMENT, "matmul %d is none: OCLM_MATMUL_AUTO (0) to OCLM_MATMUL_BUILTIN (2)", (int)mine->matmul);
    if (mine->load_in_8bit && mine->load_in_4bit)
        return core_fail(OCLM_ERR_ARGUMENT, "load_in_8bit and load_in_4bit are both set; choose one");
    if (mine->bnb_4bit_quant_type && strcmp(mine->bnb_4bit_quant_type, "nf4") != 0 && strcmp(mine->bnb_4bit_quant_type, "fp4") != 0)
        return core_fail(OCLM_ERR_ARGUMENT, "bnb_4bit_quant_type \"%s\" is none: \"fp4\" or \"nf4\"", mine->bnb_4bit_quant_type);
    if ((unsigned)mine->bnb_4bit_compute_dtype > OCLM_DTYPE_BFLOAT16)
        return core_fail(OCLM_ERR_ARGUMENT, "bnb_4bit_compute_dtype %d is none: OCLM_DTYPE_AUTO (0) to OCLM_DTYPE_BFLOAT16 (3)",
                         (int)mine->bnb_4bit_compute_dtype);
    return OCLM_OK;
}

static model_load_options loading_of(const oclm_model_options *o)
{
    const bool nf4 = o->bnb_4bit_quant_type && strcmp(o->bnb_4bit_quant_type, "nf4") == 0;
    return (model_load_options){ .dtype = o->dtype, .progress = o->progress, .progress_user = o->progress_user,
                                 .quantize = o->load_in_8bit ? CKPT_QUANTIZE_INT8 : !o->load_in_4bit ? CKPT_QUANTIZE_NONE
                                             : nf4 ? CKPT_QUANTIZE_NF4 : CKPT_QUANTIZE_FP4,
                                 .nested = o->bnb_4bit_use_double_quant, .skip = o->llm_int8_skip_modules,
                                 .skip_count = o->llm_int8_skip_module_count };
}

/* What can be known before a device is opened. */
static oclm_status read_folder(const char *path, gen_defaults *generation)
{
    const model_family *family;
    model_architecture  architecture;
    oclm_dtype          dtype;
    oclm_status         status;
    if ((status = model_config_read(path, &family, &architecture, &dtype)) != OCLM_OK)
        return status;
    return gen_defaults_read(path, &architecture, generation);
}

static oclm_status load(const char *name, cl_context context, cl_command_queue queue, const oclm_model_options *options,
                        oclm_model **model)
{
    api_opening        opening = { 0 };
    core_text          folder = CORE_TEXT_INIT;
    oclm_status        status;
    oclm_model        *made = core_alloc_zero(1, sizeof *made, "a model");
    model_load_options how = loading_of(options);
    oclm_hub_options   hub = { 0 };
    if (!made)
        return OCLM_ERR_MEMORY;
    status = api_find_model(name, options->hub, MODEL_PARTS, &folder, &hub);
    how.variant = hub.variant;
    if (status == OCLM_OK && (status = read_folder(folder.data, &made->defaults)) == OCLM_OK &&
        (status = context ? api_open_on(context, queue, options, &opening) : api_open(options, &opening)) == OCLM_OK &&
        (status = api_opening_plan(&opening, folder.data, &how, &made->plan)) == OCLM_OK)
        status = api_opening_load(&opening, folder.data, &how, &made->plan, &made->inside);
    if (status != OCLM_OK)
        oclm_model_free(made);
    else
        *model = made;
    api_opening_end(&opening);
    core_text_free(&folder);
    return status;
}

oclm_status oclm_model_load(const char *name, const oclm_model_options *options, oclm_model **model)
{
    oclm_model_options mine;
    oclm_status        status;
    if (!model)
        return api_missing("oclm_model_load", "model");
    *model = NULL;
    if (!name)
        return api_missing("oclm_model_load", "name");
    if ((status = read_options(options, &mine)) != OCLM_OK)
        return status;
    return load(name, NULL, NULL, &mine, model);
}

oclm_status oclm_model_load_on(const char *name, cl_context context, cl_command_queue queue, const oclm_model_options *options,
                               oclm_model **model)
{
    oclm_model_options mine;
    oclm_status        status;
    if (!model)
        return api_missing("oclm_model_load_on", "model");
    *model = NULL;
    if (!name || !context || !queue)
        return api_missing("oclm_model_load_on", !name ? "name" : !context ? "context" : "queue");
    if ((status = read_options(options, &mine)) != OCLM_OK)
        return status;
    if (mine.device)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_model_load_on: the option device is \"%s\", but the queue already says which device; "
                         "leave it NULL", mine.device);
    return load(name, context, queue, &mine, model);
}

void oclm_model_free(oclm_model *model)
{
    if (!model)
        return;
    model_free(model->inside);
    gen_defaults_free(&model->defaults);
    oclm_plan_free(model->plan);
    core_free(model);
}

oclm_status oclm_model_get_info(const oclm_model *model, oclm_model_info *info)
{
    oclm_model_info mine = { .struct_size = sizeof mine };
    oclm_status     status;
    if (!model)
        return api_missing("oclm_model_get_info", "model");
    if ((status = api_result_check(info, sizeof *info, "oclm_model_info")) != OCLM_OK)
        return status;
    model_get_info(model->inside, &mine);
    api_result_write(&mine, sizeof mine, info);
    return OCLM_OK;
}

oclm_status oclm_model_inspect(const char *name, const oclm_model_options *options, oclm_model_info *info)
{
    oclm_model_options mine;
    oclm_model_info    found = { .struct_size = sizeof found };
    oclm_hub_options   hub;
    core_text          folder = CORE_TEXT_INIT;
    oclm_status        status;
    if (!name)
        return api_missing("oclm_model_inspect", "name");
    if ((status = api_result_check(info, sizeof *info, "oclm_model_info")) != OCLM_OK ||
        (status = read_options(options, &mine)) != OCLM_OK)
        return status;
    model_load_options how = loading_of(&mine);
    if ((status = api_find_model(name, mine.hub, MODEL_PARTS, &folder, &hub)) == OCLM_OK &&
        (how.variant = hub.variant, status = model_inspect(folder.data, &how, &found)) == OCLM_OK)
        api_result_write(&found, sizeof found, info);
    core_text_free(&folder);
    return status;
}

/* ---- Where its parts are ---------------------------------------------------------------------------------------------------- */

static oclm_status plan(const char *name, const oclm_model_options *options, oclm_plan **made)
{
    api_opening        opening = { 0 };
    core_text          folder = CORE_TEXT_INIT;
    oclm_hub_options   hub = { 0 };
    model_load_options how = loading_of(options);
    oclm_status        status = api_find_model(name, options->hub, MODEL_PARTS, &folder, &hub);
    how.variant = hub.variant;
    if (status == OCLM_OK && (status = api_open(options, &opening)) == OCLM_OK)
        status = api_plan_make(folder.data, opening.devices, opening.count, &how, opening.map.given ? &opening.map.plan : NULL, made);
    api_opening_end(&opening);
    core_text_free(&folder);
    return status;
}

oclm_status oclm_plan_new(const char *name, const oclm_model_options *options, oclm_plan **made)
{
    oclm_model_options mine;
    oclm_status        status;
    if (!made)
        return api_missing("oclm_plan_new", "plan");
    *made = NULL;
    if (!name)
        return api_missing("oclm_plan_new", "name");
    return (status = read_options(options, &mine)) == OCLM_OK ? plan(name, &mine, made) : status;
}

const oclm_plan *oclm_model_plan(const oclm_model *model) { return model ? model->plan : NULL; }

oclm_status oclm_model_device_map(const oclm_model *model, char **json)
{
    core_text   text = CORE_TEXT_INIT;
    oclm_status status;
    if (!json)
        return api_missing("oclm_model_device_map", "json");
    *json = NULL;
    if (!model)
        return api_missing("oclm_model_device_map", "model");
    if (model->plan)
        status = core_text_add_string(&text, model->plan->placement.map);
    else
        status = core_text_printf(&text, "{\"\": %zu}", dev_get_traits(model->inside->device)->info.index);
    if (status == OCLM_OK && !(*json = core_text_take(&text, NULL)))
        status = OCLM_ERR_MEMORY;
    core_text_free(&text);
    return status;
}
