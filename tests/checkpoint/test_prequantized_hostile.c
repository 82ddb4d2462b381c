/* test_prequantized_hostile.c: quantised weights that are not what their configuration says: a part missing, of a wrong shape or type, numbers that
 * lead outside: one message that names the tensor, nothing left behind. Made of golden cases, of which some bytes are replaced. */
#include <stdio.h>
#include <string.h>

#include "core/unit.h"

#include "checkpoint/checkpoint.h"
#include "core/folder.h"
#include "core/platform.h"
#include "core/text.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/prequantized/"
#define LIMIT (1u << 20)

static const struct hostile {
    const char *label, *name;
    const char *from, *to;               /* in model.safetensors, of one length; NULL: as it is */
    const char *config_from, *config_to; /* in config.json */
    oclm_status status;                  /* of opening; OCLM_OK: of reading it is OCLM_ERR_FORMAT */
    const char *parts;                   /* of the message, '|' between them */
} hostiles[] = {
    { "no absmax", "bnb-nf4", "up_proj.weight.absmax", "up_proj.weight.absmix", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight\"|up_proj.weight.absmax|missing" },
    { "no map", "bnb-nf4", "weight.quant_map", "weight.quant_cap", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight.quant_map|missing" },
    { "no state", "bnb-nf4", "weight.quant_state.bits", "weight.quant_stale.bits", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight\"|quant_state|missing" },
    { "no nested absmax", "bnb-nf4-nested", "weight.nested_absmax", "weight.nested_absmin", NULL, NULL, OCLM_ERR_FORMAT, "nested_absmax|missing" },
    { "no nested map", "bnb-nf4-nested", "weight.nested_quant", "weight.nested_quart", NULL, NULL, OCLM_ERR_FORMAT, "nested_quant_map|missing" },
    { "a block that is no power of two", "bnb-nf4", "\"blocksize\": 64", "\"blocksize\": 48", NULL, NULL, OCLM_ERR_FORMAT, "blocksize|48|power" },
    { "another block than was used", "bnb-nf4", "\"blocksize\": 64", "\"blocksize\": 32", NULL, NULL, OCLM_ERR_FORMAT, "absmax|[16]|[32]" },
    { "a block of 0", "bnb-nf4", "\"blocksize\": 64", "\"blocksize\": 00", NULL, NULL, OCLM_ERR_FORMAT, "quant_state" },
    { "a state that is no JSON", "bnb-nf4", "{\"quant_type\"", "<\"quant_type\"", NULL, NULL, OCLM_ERR_FORMAT, "quant_state" },
    { "another shape than the bytes", "bnb-nf4", "\"shape\": [8, 128]", "\"shape\": [9, 128]", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight|512 bytes|[9, 128]|576" },
    { "a shape past everything", "bnb-nf4", "\"shape\": [8, 128]", "\"shape\":[8e9,8e9]", NULL, NULL, OCLM_ERR_FORMAT, "shape" },
    { "a shape of one side", "bnb-nf4", "\"shape\": [8, 128]", "\"shape\": [ 1024 ]", NULL, NULL, OCLM_ERR_FORMAT, "shape" },
    { "absmax of another type", "bnb-nf4", "absmax\":{\"dtype\":\"F32\"", "absmax\":{\"dtype\":\"I32\"", NULL, NULL, OCLM_ERR_FORMAT, "absmax|I32|F32" },
    { "no SCB", "bnb-int8", "up_proj.SCB", "up_proj.SCA", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight\"|SCB|missing" },
    { "8 bits of another type", "bnb-int8", "\"I8\"", "\"U8\"", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight\"|U8|I8" },
    { "SCB of another shape", "bnb-int8", "\"I8\",\"shape\":[9,72]", "\"I8\",\"shape\":[72,9]", NULL, NULL, OCLM_ERR_FORMAT, "SCB|[9]|[72]" },
    { "no scales", "gptq-4", "up_proj.scales", "up_proj.scalar", NULL, NULL, OCLM_ERR_FORMAT, "qweight|scales|missing" },
    { "no zero points", "gptq-4", "up_proj.qzeros", "up_proj.qheros", NULL, NULL, OCLM_ERR_FORMAT, "qweight|qzeros|missing" },
    { "scales turned", "gptq-4", "\"shape\":[2,16]", "\"shape\":[16,2]", NULL, NULL, OCLM_ERR_FORMAT, "scales|[16, 2]|[16, 16]" },
    { "zero points of another type", "gptq-4", "qzeros\":{\"dtype\":\"I32\"", "qzeros\":{\"dtype\":\"F32\"", NULL, NULL, OCLM_ERR_FORMAT, "qzeros|F32|I32" },
    { "codes of another type", "gptq-4", "qweight\":{\"dtype\":\"I32\"", "qweight\":{\"dtype\":\"F32\"", NULL, NULL, OCLM_ERR_FORMAT, "qweight|F32|I32" },
    { "an input of no group", "gptq-4", "\0\0\0\0\1\0\0\0\1\0\0", "\0\0\0\0\2\0\0\0\1\0\0", NULL, NULL, OCLM_ERR_FORMAT, "g_idx|input 64|group 2" },
    { "other groups", "gptq-4", NULL, NULL, "\"group_size\": 64", "\"group_size\": 32", OCLM_ERR_FORMAT, "scales|2 groups|128 inputs|32" },
    { "groups of 0", "gptq-4", NULL, NULL, "\"group_size\": 64", "\"group_size\": 0", OCLM_ERR_FORMAT, "group_size" },
    { "5 bits of GPTQ", "gptq-4", NULL, NULL, "\"bits\": 4", "\"bits\": 5", OCLM_ERR_UNSUPPORTED, "qweight|5 bits|2, 3, 4 and 8" },
    { "8 bits for 4", "gptq-4", NULL, NULL, "\"bits\": 4", "\"bits\": 8", OCLM_ERR_FORMAT, "up_proj." },
    { "GPTQ for Marlin", "gptq-4", NULL, NULL, "\"bits\": 4", "\"bits\": 4, \"checkpoint_format\": \"marlin\"", OCLM_ERR_UNSUPPORTED, "marlin|gptq_v2" },
    { "AWQ without scales", "awq", "up_proj.scales", "up_proj.scalar", NULL, NULL, OCLM_ERR_FORMAT, "qweight|scales|missing" },
    { "AWQ of another layout", "awq", NULL, NULL, "gemm", "gemv_fast", OCLM_ERR_UNSUPPORTED, "awq|gemv_fast|gemm" },
    { "AWQ of 3 bits", "awq", NULL, NULL, "\"bits\": 4", "\"bits\": 3", OCLM_ERR_UNSUPPORTED, "awq|3 bits" },
    { "AWQ turned", "awq", "\"shape\":[128,2]", "\"shape\":[2,128]", NULL, NULL, OCLM_ERR_FORMAT, "up_proj." },
    { "no shape", "ct-pack4", "weight_shape", "weight_shame", NULL, NULL, OCLM_ERR_FORMAT, "weight_packed|weight_shape|missing" },
    { "no scale", "ct-pack4", "weight_scale", "weight_scare", NULL, NULL, OCLM_ERR_FORMAT, "weight_packed|weight_scale|missing" },
    { "bits that no scheme names", "ct-pack4", NULL, NULL, "\"num_bits\": 4", "\"num_bits\": 6", OCLM_ERR_FORMAT, "weight_packed|16 words|[16, 128]" },
    { "zero points of another shape", "ct-pack4-zeros", "\"shape\":[3,4]", "\"shape\":[4,3]", NULL, NULL, OCLM_ERR_FORMAT, "weight_zero_point|[4, 3]|[3, 4]" },
    { "a format for other kernels", "ct-pack4", NULL, NULL, "pack-quantized", "marlin-24", OCLM_ERR_UNSUPPORTED, "compressed-tensors|marlin-24|pack-quantized" },
    { "floats of 4 bits", "ct-pack4", NULL, NULL, "pack-quantized", "nvfp4-pack-quantized", OCLM_ERR_UNSUPPORTED, "nvfp4-pack-quantized" },
    { "sparse weights", "ct-pack4", NULL, NULL, "\"ignore\"", "\"sparsity_config\": {\"format\": \"sparse-24-bitmask\"}, \"ignore\"", OCLM_ERR_UNSUPPORTED, "sparse-24" },
    { "turned weights", "ct-pack4", NULL, NULL, "\"ignore\"", "\"transform_config\": {\"config_groups\": {\"R1\": {}}}, \"ignore\"", OCLM_ERR_UNSUPPORTED, "transform_config" },
    { "groups that are a list", "ct-pack4", NULL, NULL, "\"config_groups\": {", "\"config_groups\": [], \"x\": {", OCLM_ERR_FORMAT, "config_groups" },
    { "an input of no group (compressed)", "ct-pack4-no-order", "\377\377\377\377", "\11\0\0\0", NULL, NULL, OCLM_ERR_FORMAT, "g_idx" },
    { "float8 without a scale", "fp8-blocks", "weight_scale_inv", "weight_scare_inv", NULL, NULL, OCLM_ERR_FORMAT, "up_proj.weight\"|weight_scale_inv|missing" },
    { "other blocks", "fp8-blocks", NULL, NULL, "   64", "   32", OCLM_ERR_FORMAT, "weight_scale_inv|[3, 3]|[40, 160]" },
    { "a block of one side", "fp8-blocks", NULL, NULL, "   64", "   64, 1", OCLM_ERR_FORMAT, "weight_block_size" },
    { "the other float8", "fp8-blocks", "F8_E4M3", "F8_E5M2", NULL, NULL, OCLM_ERR_UNSUPPORTED, "up_proj.weight\"|F8_E5M2|F8_E4M3" },
    { "another float8 in the configuration", "fp8-blocks", NULL, NULL, "\"e4m3\"", "\"e5m2\"", OCLM_ERR_UNSUPPORTED, "fp8|fmt|e5m2" },
    { "no exponents", "mxfp4", "gate_up_proj_scales", "gate_up_proj_stales", NULL, NULL, OCLM_ERR_FORMAT, "gate_up_proj_blocks|gate_up_proj_scales|missing" },
    { "exponents of another shape", "mxfp4", "\"shape\":[3,10,2]", "\"shape\":[3,2,10]", NULL, NULL, OCLM_ERR_FORMAT, "gate_up_proj_scales|[3, 2, 10]|[3, 10, 2]" },
    { "blocks of another size", "mxfp4", "\"shape\":[3,10,2,16]", "\"shape\":[3,10,16,2]", NULL, NULL, OCLM_ERR_FORMAT, "gate_up_proj_blocks|16" },
    { "a method of others", "gptq-4", NULL, NULL, "\"gptq\"", "\"hqq\"", OCLM_ERR_UNSUPPORTED, "hqq|I32|bitsandbytes|gptq|awq|compressed-tensors|fp8|mxfp4" },
    { "no method", "gptq-4", NULL, NULL, "\"quant_method\"", "\"quart_method\"", OCLM_ERR_FORMAT, "quant_method|bitsandbytes" },
    { "a method that is a number", "gptq-4", NULL, NULL, "\"gptq\"", "4", OCLM_ERR_FORMAT, "quant_method|4" },
};

static char *files[2]; /* of one case: the weights and the configuration */
static size_t lengths[2];

static void read_case(const char *name)
{
    static const char *const names[] = { "model.safetensors", "config.json" };
    char path[512];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, GOLDEN "%s/%s", name, names[i]);
        core_free(files[i]);
        files[i] = NULL;
        assert_int_equal(core_read_file(path, LIMIT, &files[i], &lengths[i]), OCLM_OK);
    }
}

static void forget_case(void)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        core_free(files[i]);
        files[i] = NULL;
    }
}

static size_t place_of(const char *label, const char *in, size_t length, const char *what, size_t what_length)
{
    for (size_t at = 0; at + what_length <= length; at++)
        if (memcmp(in + at, what, what_length) == 0)
            return at;
    fail_msg("%s: nothing to replace", label);
    return 0;
}

static void write_case(const struct hostile *h)
{
    core_text config = CORE_TEXT_INIT;
    if (h->from != NULL) {
        const size_t length = strlen(h->from) > 0 ? strlen(h->from) : 11; /* bytes of numbers begin with a 0 */
        memcpy(files[0] + place_of(h->label, files[0], lengths[0], h->from, length), h->to, length);
    }
    const size_t at = h->config_from != NULL ? place_of(h->label, files[1], lengths[1], h->config_from, strlen(h->config_from)) : lengths[1];
    assert_int_equal(core_text_add(&config, files[1], at), OCLM_OK);
    if (h->config_from != NULL) {
        assert_int_equal(core_text_add_string(&config, h->config_to), OCLM_OK);
        assert_int_equal(core_text_add(&config, files[1] + at + strlen(h->config_from), lengths[1] - at - strlen(h->config_from)), OCLM_OK);
    }
    scratch_write(folder, "model.safetensors", files[0], lengths[0]);
    scratch_write(folder, "config.json", config.data, config.length);
    core_text_free(&config);
}

static void expect_parts(const char *label, const char *parts)
{
    char        part[200];
    const char *message = oclm_last_error();
    for (size_t length; *parts != '\0'; parts += length + (parts[length] == '|')) {
        length = strcspn(parts, "|");
        memcpy(part, parts, length);
        part[length] = '\0';
        if (strstr(message, part) == NULL || strstr(message, folder) != message)
            fail_msg("%s: \"%s\", want \"%s\"", label, message, part);
    }
}

static void each_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostiles); i++) {
        const struct hostile *const h = &hostiles[i];
        ckpt_checkpoint            *checkpoint;
        read_case(h->name);
        write_case(h);
        const size_t      live = core_memory_live();
        const oclm_status status = ckpt_open(folder, NULL, &checkpoint);
        if (status != h->status || checkpoint != NULL)
            fail_msg("%s: status %d, want %d: %s", h->label, (int)status, (int)h->status, status == OCLM_OK ? "" : oclm_last_error());
        ckpt_close(checkpoint);
        expect_parts(h->label, h->parts);
        assert_int_equal(core_memory_live(), live);
    }
    forget_case();
}

/* Reads all rows of all quantised weights. */
static oclm_status read_all(const ckpt_checkpoint *checkpoint)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) {
        const ckpt_tensor *const t = ckpt_at(checkpoint, i);
        if (t->quantized == NULL)
            continue;
        const uint64_t columns = t->shape[t->dims - 1], rows = t->elements / columns;
        float *const   values = calloc(t->elements, sizeof *values);
        core_codes     codes;
        assert_non_null(values);
        assert_int_equal(core_codes_new(&t->quantized->storage, rows, columns, &codes), OCLM_OK);
        const oclm_status each = t->quantized->read != NULL ? t->quantized->read(t, 0, rows, &codes) : t->quantized->read_values(t, 0, rows, values);
        status = each != OCLM_OK ? each : status;
        core_codes_free(&codes);
        free(values);
    }
    return status;
}

static void numbers_that_are_none_are_told_when_read(void **state)
{
    (void)state;
    static const struct hostile reads[] = {
        { "a weight", "fp8-blocks", NULL, "\177", NULL, NULL, OCLM_OK, "up_proj.weight|weight|row" },
        { "an exponent", "mxfp4", NULL, "\377", NULL, NULL, OCLM_OK, "gate_up_proj|scale|row" },
    };
    for (size_t i = 0; i < COUNT(reads); i++) {
        ckpt_checkpoint *checkpoint;
        read_case(reads[i].name);
        write_case(&reads[i]);
        assert_int_equal(ckpt_open(folder, NULL, &checkpoint), OCLM_OK);
        const ckpt_tensor *tensor = NULL;
        for (size_t t = 0; t < ckpt_count(checkpoint); t++)
            tensor = ckpt_at(checkpoint, t)->quantized != NULL ? ckpt_at(checkpoint, t) : tensor;
        assert_non_null(tensor);
        assert_int_equal(read_all(checkpoint), OCLM_OK);
        const size_t header = 8 + ((size_t)(unsigned char)files[0][0] | (size_t)(unsigned char)files[0][1] << 8);
        ckpt_close(checkpoint);
        memset(files[0] + header, *reads[i].to, lengths[0] - header);
        scratch_write(folder, "model.safetensors", files[0], lengths[0]);
        assert_int_equal(ckpt_open(folder, NULL, &checkpoint), OCLM_OK);
        assert_int_equal(read_all(checkpoint), OCLM_ERR_FORMAT);
        const char *const message = oclm_last_error();
        if (strstr(message, "not a finite number") == NULL || strstr(message, i == 0 ? "up_proj.weight" : "gate_up_proj") == NULL)
            fail_msg("%s: \"%s\"", reads[i].label, message);
        ckpt_close(checkpoint);
    }
    forget_case();
}

/* Whatever a header or a configuration says, it is refused, or what it says can be read. */
static void any_changed_byte_does_no_harm(void **state)
{
    (void)state;
    static const char *const some[] = { "bnb-nf4-nested", "bnb-int8", "gptq-4", "gptq-3-order", "awq", "ct-pack4-zeros", "ct-float8-block", "fp8-experts", "mxfp4" };
    for (size_t i = 0; i < COUNT(some); i++) {
        read_case(some[i]);
        scratch_write(folder, "model.safetensors", files[0], lengths[0]);
        scratch_write(folder, "config.json", files[1], lengths[1]);
        const size_t header = 8 + ((size_t)(unsigned char)files[0][0] | (size_t)(unsigned char)files[0][1] << 8);
        for (size_t f = 0; f < COUNT(files); f++) {
            const char *const name = f == 0 ? "model.safetensors" : "config.json";
            for (size_t at = f == 0 ? 8 : 0; at < (f == 0 ? header : lengths[1]); at += 1 + at % 3) {
                ckpt_checkpoint *checkpoint;
                const size_t     live = core_memory_live();
                files[f][at] ^= (char)(1 + at % 2);
                scratch_write(folder, name, files[f], lengths[f]);
                if (ckpt_open(folder, NULL, &checkpoint) == OCLM_OK)
                    (void)read_all(checkpoint);
                ckpt_close(checkpoint);
                assert_int_equal(core_memory_live(), live);
                files[f][at] ^= (char)(1 + at % 2);
            }
            scratch_write(folder, name, files[f], lengths[f]);
        }
    }
    forget_case();
}

static void an_unknown_method_with_plain_weights_is_none(void **state)
{
    (void)state;
    static const char header[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}";
    static const char config[] = "{\"quantization_config\": {\"quant_method\": \"of tomorrow\"}}";
    char              bytes[8 + sizeof header - 1 + 8] = { (char)(sizeof header - 1) };
    ckpt_checkpoint  *checkpoint;
    memcpy(bytes + 8, header, sizeof header - 1);
    scratch_write(folder, "model.safetensors", bytes, sizeof bytes);
    scratch_write(folder, "config.json", config, sizeof config - 1);
    assert_int_equal(ckpt_open(folder, NULL, &checkpoint), OCLM_OK);
    assert_null(ckpt_find(checkpoint, "a.weight")->quantized);
    ckpt_close(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(each_is_refused_by_name),
        IN_SCRATCH(numbers_that_are_none_are_told_when_read),
        IN_SCRATCH(any_changed_byte_does_no_harm),
        IN_SCRATCH(an_unknown_method_with_plain_weights_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
