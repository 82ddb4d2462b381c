/* test_prequantized.c: weights that repositories keep quantised, of every method and variant: each is one tensor of the plain weight's name and
 * shape, in the storage that suits it, and stands for what the reference decoders make of it, to the last bit. The cases were made by
 * tests/golden/make_prequantized.py. */
#include <math.h>
#include <stdio.h>

#include "checkpoint/rows.h"
#include "core/unit.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/prequantized/"

static const struct { const char *name, *storage; } cases[] = {
    { "bnb-nf4", "4-bit nf4, 64 to a float32 scale" },
    { "bnb-nf4-nested", "4-bit nf4, 32 to a float32 scale" },
    { "bnb-nf4-block32", "4-bit nf4, 32 to a float32 scale" },
    { "bnb-nf4-block4096", "4-bit nf4, 64 to a float32 scale" },
    { "bnb-nf4-columns96", "4-bit nf4, 32 to a float32 scale" },
    { "bnb-nf4-columns80", "4-bit nf4, 16 to a float32 scale" },
    { "bnb-nf4-columns40", "float32" },
    { "bnb-nf4-columns7", "float32" },
    { "bnb-nf4-columns8", "4-bit nf4, a row to a float32 scale" },
    { "bnb-nf4-bfloat16", "4-bit nf4, a row to a float32 scale" },
    { "bnb-fp4", "4-bit fp4, 64 to a float32 scale" },
    { "bnb-fp4-nested", "4-bit fp4, a row to a float32 scale" },
    { "bnb-int8", "8-bit signed, a row to a float32 scale" },
    { "gptq-4", "4-bit unsigned, 64 to a float16 scale and float32 minimum" },
    { "gptq-4-sym", "4-bit signed, 64 to a float16 scale" },
    { "gptq-4-v2", "4-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-4-v2-sym", "4-bit signed, 64 to a float16 scale" },
    { "gptq-4-order", "4-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-4-order-sym", "4-bit signed, 32 to a float16 scale" },
    { "gptq-4-order-part", "4-bit unsigned, 64 to a float16 scale and float32 minimum" },
    { "gptq-4-order-uneven", "float32" },
    { "gptq-4-order24", "float32" },
    { "gptq-4-row", "4-bit unsigned, a row to a float16 scale and float32 minimum" },
    { "gptq-4-part", "4-bit unsigned, 64 to a float16 scale and float32 minimum" },
    { "gptq-4-group24", "float32" },
    { "gptq-4-group48", "4-bit unsigned, 16 to a float16 scale and float32 minimum" },
    { "gptq-4-no-index", "4-bit unsigned, a row to a float16 scale and float32 minimum" },
    { "gptq-2", "2-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-2-sym", "2-bit signed, 32 to a float16 scale" },
    { "gptq-3", "3-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-3-sym", "3-bit signed, 64 to a float16 scale" },
    { "gptq-3-order", "3-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-8", "8-bit unsigned, 32 to a float16 scale and float32 minimum" },
    { "gptq-8-sym", "8-bit signed, 64 to a float16 scale" },
    { "awq", "4-bit unsigned, 64 to a float16 scale and float32 minimum" },
    { "awq-half", "4-bit signed, 32 to a float16 scale" },
    { "ct-pack4", "4-bit signed, 64 to a float32 scale" },
    { "ct-pack4-channel", "4-bit signed, a row to a float32 scale" },
    { "ct-pack4-zeros", "4-bit unsigned, 32 to a float32 scale and float32 minimum" },
    { "ct-pack4-zeros-float32", "5-bit signed, 32 to a float32 scale" },
    { "ct-pack8", "8-bit signed, 32 to a float32 scale" },
    { "ct-pack8-zeros", "8-bit unsigned, a row to a float32 scale and float32 minimum" },
    { "ct-pack8-zeros-float32", "float32" },
    { "ct-pack4-order", "4-bit signed, 32 to a float32 scale" },
    { "ct-pack4-no-order", "4-bit signed, 32 to a float32 scale" },
    { "ct-pack3", "3-bit signed, 32 to a float16 scale" },
    { "ct-pack5", "5-bit signed, 32 to a float32 scale" },
    { "ct-pack7", "8-bit signed, 32 to a float32 scale" },
    { "ct-pack1", "2-bit signed, 32 to a float32 scale" },
    { "ct-pack6-odd", "6-bit unsigned, a row to a float32 scale and float32 minimum" },
    { "ct-int8", "8-bit signed, a row to a float32 scale" },
    { "ct-float8", "8-bit e4m3, a row to a float32 scale" },
    { "ct-float8-tensor", "8-bit e4m3, a row to a float32 scale" },
    { "ct-float8-block", "8-bit e4m3, 32 to a float32 scale" },
    { "fp8", "8-bit e4m3, a row to a float32 scale" },
    { "fp8-blocks", "8-bit e4m3, 64 to a float32 scale" },
    { "fp8-blocks128", "8-bit e4m3, 128 to a float32 scale" },
    { "fp8-exponents", "8-bit e4m3, 32 to a float32 scale" },
    { "fp8-blocks24", "float32" },
    { "fp8-experts", "8-bit e4m3, 32 to a float32 scale" },
    { "mxfp4", "4-bit mxfp4, 32 to a e8m0 scale" },
};

static void compare(const char *label, const ckpt_tensor *tensor, const ckpt_tensor *expected, uint64_t together)
{
    const uint64_t columns = tensor->shape[tensor->dims - 1], all = tensor->elements / columns;
    float *const   values = malloc(tensor->elements * sizeof *values);
    assert_non_null(values);
    for (uint64_t row = 0; row < all; row += together)
        if (ckpt_read_values(tensor, row, all - row < together ? all - row : together, values + row * columns) != OCLM_OK)
            fail_msg("%s: %s", label, oclm_last_error());
    for (uint64_t i = 0; i < tensor->elements; i++) {
        float want;
        memcpy(&want, (const char *)expected->data + i * sizeof want, sizeof want);
        if (values[i] != want)
            fail_msg("%s: row %u, column %u: %.9g, want %.9g", label, (unsigned)(i / columns), (unsigned)(i % columns), (double)values[i], (double)want);
    }
    free(values);
}

static void check_storage(const char *label, const ckpt_quantized *q, const char *want)
{
    char              name[96];
    const char *const is = core_storage_name(&q->storage, name);
    if (strcmp(is, want) != 0 || !core_storage_is_valid(&q->storage) || (q->read != NULL) == (q->read_values != NULL) || (q->order != NULL && q->read == NULL) || q->bytes == 0)
        fail_msg("%s: is stored as \"%s\", want \"%s\"", label, is, want);
}

static void check_case(const char *label, const char *storage)
{
    const size_t     live = core_memory_live();
    char             path[512];
    ckpt_checkpoint *checkpoint;
    size_t           compared = 0, plain = 0;
    snprintf(path, sizeof path, GOLDEN "%s", label);
    if (ckpt_open(path, NULL, &checkpoint) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) {
        const ckpt_tensor *const expected = ckpt_at(checkpoint, i);
        if (strncmp(expected->name, "expected.", 9) != 0) {
            plain += expected->quantized == NULL;
            continue;
        }
        const ckpt_tensor *const tensor = ckpt_find(checkpoint, expected->name + 9);
        if (tensor == NULL || tensor->quantized == NULL || tensor->dims != expected->dims || tensor->elements != expected->elements ||
            memcmp(tensor->shape, expected->shape, tensor->dims * sizeof *tensor->shape) != 0 || tensor->dtype > CORE_BF16)
            fail_msg("%s: no quantised tensor \"%s\" of that shape", label, expected->name + 9);
        check_storage(label, tensor->quantized, storage);
        ckpt_will_need(checkpoint, tensor);
        compare(label, tensor, expected, 1);
        compare(label, tensor, expected, 5);
        compare(label, tensor, expected, tensor->elements);
        ckpt_release(checkpoint, tensor);
        compared++;
    }
    assert_int_equal(compared, 1);
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) { /* of the parts none is left; a bias is no part */
        const char *name = ckpt_at(checkpoint, i)->name;
        if (ckpt_at(checkpoint, i)->quantized == NULL && strncmp(name, "expected.", 9) != 0 && strstr(name, "bias") == NULL)
            fail_msg("%s: \"%s\" is still there", label, name);
    }
    assert_true(plain <= 1);
    ckpt_close(checkpoint);
    assert_int_equal(core_memory_live(), live);
}

static void every_variant_gives_the_values_of_its_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_case(cases[i].name, cases[i].storage);
}

static void memory_that_is_not_there_is_told(void **state)
{
    (void)state;
    static const char *const some[] = { "bnb-nf4-nested", "gptq-4", "ct-pack4-zeros", "fp8-experts" };
    for (size_t i = 0; i < COUNT(some); i++) {
        char        path[512];
        oclm_status status = OCLM_ERR_MEMORY;
        snprintf(path, sizeof path, GOLDEN "%s", some[i]);
        for (size_t n = 1; status == OCLM_ERR_MEMORY && n < 1000; n++) {
            const size_t     live = core_memory_live();
            ckpt_checkpoint *checkpoint;
            core_memory_fail_at(n, false);
            status = ckpt_open(path, NULL, &checkpoint);
            core_memory_fail_at(0, false);
            if (status == OCLM_OK)
                ckpt_close(checkpoint);
            assert_int_equal(core_memory_live(), live);
        }
        assert_true(status == OCLM_OK || status == OCLM_ERR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_gives_the_values_of_its_reference),
        cmocka_unit_test(memory_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
