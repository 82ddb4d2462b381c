/* fuzz_model_config.c: a config.json of any family: reads it, and checks that what comes out is fit to be computed with. */
#include "core/json.h"
#include "fuzz/check_architecture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model_architecture a;
    const model_family       *family = NULL;
    oclm_dtype                dtype;
    cJSON                    *tree = NULL;
    oclm_status               status = core_json_parse((const char *)data, size, "config.json", &tree);
    if (status == OCLM_OK)
        status = model_config_tree(tree, "config.json", &family, &a, &dtype);
    cJSON_Delete(tree);
    FUZZ_CHECK(status == OCLM_OK || oclm_last_error()[0] != '\0');
    FUZZ_CHECK(status != OCLM_ERR_INTERNAL);
    if (status == OCLM_OK)
        check_architecture(&a);
    return 0;
}
