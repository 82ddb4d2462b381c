/* test_gguf.c: gguf.c and gguf_tensors.c: files that are whole, in parts, hostile, cut short, and without memory. */
#include "checkpoint/gguf_bytes.h"

#include <stdio.h>

#include "checkpoint/gguf.h"
#include "core/folder.h"

enum { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, Q4_K = 12, IQ2_XS = 17, I32 = 26, BF16 = 30 }; /* ggml_type */

/* A file of such tensors with one key, and `data` bytes behind them: 0, 1, 2, .. */
static void make_file(core_text *file, const gguf_tensor *tensors, size_t data)
{
    size_t count = 0;
    while (tensors[count].name != NULL)
        count++;
    gguf_begin(file, 3, count, 1);
    gguf_key_string(file, "general.architecture", "llama");
    gguf_list(file, tensors);
    gguf_pad(file, 32);
    for (size_t i = 0; i < data; i++)
        gguf_number(file, i, 1);
}

static const char *write_file(const char *name, const core_text *file)
{
    scratch_write(folder, name, file->data, file->length);
    return path_of(name);
}

static ckpt_checkpoint *open_good(const char *path)
{
    ckpt_checkpoint *checkpoint;
    if (ckpt_open_gguf(path, &checkpoint) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    return checkpoint;
}

/* The message begins with the path and holds `reason`; nothing is left open. */
static void expect_refusal(const char *label, const char *path, oclm_status want, const char *reason)
{
    const size_t      live = core_memory_live();
    ckpt_checkpoint  *checkpoint = (ckpt_checkpoint *)folder;
    const oclm_status status = ckpt_open_gguf(path, &checkpoint);
    if (status != want || checkpoint != NULL || strstr(oclm_last_error(), path) != oclm_last_error() || strstr(oclm_last_error(), reason) == NULL)
        fail_msg("%s: status %d, want %d; \"%s\", want \"%s\"", label, (int)status, (int)want, oclm_last_error(), reason);
    if (core_memory_live() != live)
        fail_msg("%s: %zu blocks lost", label, core_memory_live() - live);
}

/* ---- Whole files */

/* Three tensors: [3] of F32, [2, 32] of Q8_0, [2, 2, 32] of Q4_0 (experts); 32 + 96 + 72 bytes. */
static const gguf_tensor three[] = {
    { "norm", 1, { 3 }, F32, 0 }, { "w", 2, { 32, 2 }, Q8_0, 32 }, { "e", 3, { 32, 2, 2 }, Q4_0, 128 }, { 0 },
};
#define THREE_DATA 200

static void a_file_s_tensors_are_found(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        make_file(&file, three, THREE_DATA);
        file.data[4] = (char)version;
        ckpt_checkpoint *checkpoint = open_good(write_file("model.gguf", &file));
        assert_int_equal(ckpt_count(checkpoint), 3);
        assert_int_equal(ckpt_bytes(checkpoint), 12 + 68 + 72);
        assert_int_equal(ckpt_dtype(checkpoint), CORE_F32);
        assert_string_equal(ckpt_file_name(checkpoint, 0), path_of("model.gguf"));

        const ckpt_tensor *norm = ckpt_find(checkpoint, "norm"), *w = ckpt_find(checkpoint, "w"), *e = ckpt_find(checkpoint, "e");
        assert_true(norm->dtype == CORE_F32 && norm->quantized == NULL && norm->dims == 1 && norm->shape[0] == 3 && norm->elements == 3);
        assert_memory_equal(norm->data, "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
        assert_true(w->dtype == CORE_F32 && w->dims == 2 && w->shape[0] == 2 && w->shape[1] == 32 && w->elements == 64 && w->bytes == 68);
        assert_true(w->quantized->bytes == 68 && w->quantized->storage.code == CORE_CODE_INT && w->quantized->storage.bits == 8);
        assert_true(e->dims == 3 && e->shape[0] == 2 && e->shape[1] == 2 && e->shape[2] == 32 && e->bytes == 72);
        assert_int_equal(*(const unsigned char *)e->data, 128);

        const char *architecture = NULL;
        size_t      length = 0;
        assert_int_equal(core_gguf_get_string(ckpt_gguf(checkpoint), "general.architecture", &architecture, &length), OCLM_OK);
        assert_true(length == 5 && memcmp(architecture, "llama", 5) == 0);
        ckpt_will_need(checkpoint, w);
        ckpt_release(checkpoint, w);
        ckpt_close(checkpoint);
    }
    core_text_free(&file);
}

static void rows_of_all_experts_lie_below_each_other(void **state)
{
    core_text  file = CORE_TEXT_INIT;
    core_codes codes;
    (void)state;
    make_file(&file, three, THREE_DATA);
    ckpt_checkpoint   *checkpoint = open_good(write_file("model.gguf", &file));
    const ckpt_tensor *e = ckpt_find(checkpoint, "e");
    assert_int_equal(core_codes_new(&e->quantized->storage, 2, 32, &codes), OCLM_OK);
    assert_int_equal(e->quantized->read(e, 1, 2, &codes), OCLM_OK); /* the last of the first expert, the first of the second */
    for (unsigned row = 0; row < 2; row++) {
        const unsigned at = 128 + 18 * (row + 1); /* bytes count up */
        assert_int_equal(((const uint16_t *)codes.scales)[row], at | (at + 1) << 8);
        for (unsigned j = 0; j < 16; j++) {
            assert_int_equal(codes.codes[32 * row + j], ((at + 2 + j) & 15) ^ 8);
            assert_int_equal(codes.codes[32 * row + j + 16], ((at + 2 + j) >> 4 & 15) ^ 8);
        }
    }
    core_codes_free(&codes);
    ckpt_close(checkpoint);
    core_text_free(&file);
}

static void the_dtype_is_the_reference_s(void **state)
{
    static const struct {
        const char *label;
        uint32_t    types[3];
        core_dtype  want;
    } rows[] = {
        { "single floats", { F32, F32, F32 }, CORE_F32 },     { "half ones", { F32, F16, F32 }, CORE_F16 },
        { "bfloat16 first", { F16, BF16, F16 }, CORE_BF16 },  { "anything quantised", { BF16, Q4_0, F16 }, CORE_F32 },
        { "no float", { BF16, I32, F16 }, CORE_F32 },
    };
    core_text file = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const gguf_tensor tensors[] = { { "a", 1, { 32 }, rows[i].types[0], 0 }, { "b", 1, { 32 }, rows[i].types[1], 128 },
                                        { "c", 1, { 32 }, rows[i].types[2], 256 }, { 0 } };
        make_file(&file, tensors, 384);
        ckpt_checkpoint *checkpoint = open_good(write_file("model.gguf", &file));
        if (ckpt_dtype(checkpoint) != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].label, (int)ckpt_dtype(checkpoint), (int)rows[i].want);
        ckpt_close(checkpoint);
    }
    core_text_free(&file);
}

static void the_alignment_is_the_file_s(void **state)
{
    static const gguf_tensor tensors[] = { { "a", 1, { 3 }, F16, 0 }, { "b", 1, { 1 }, F16, 8 }, { 0 } };
    static const struct {
        int64_t     alignment;
        const char *reason; /* NULL: read */
    } rows[] = {
        { 8, NULL }, { 4, NULL }, { 1, NULL }, { 16, "tensor \"b\" begins at byte 8 of the data, which is no multiple of the file's alignment of 16" },
        { 0, "\"general.alignment\" is 0; it must be a power of two" }, { 24, "is 24; it must" }, { -8, "is -8; it must" }, { 1 << 21, "at most 1048576" },
    };
    core_text file = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        gguf_begin(&file, 3, 2, 1);
        gguf_key_int(&file, "general.alignment", CORE_GGUF_I32, rows[i].alignment);
        gguf_list(&file, tensors);
        gguf_pad(&file, rows[i].alignment > 0 ? (size_t)rows[i].alignment : 1);
        const size_t begin = file.length;
        gguf_number(&file, 0x1122334455667788, 8);
        gguf_number(&file, 0xabcd, 2);
        const char *path = write_file("model.gguf", &file);
        if (rows[i].reason != NULL) {
            expect_refusal("alignment", path, OCLM_ERR_FORMAT, rows[i].reason);
            continue;
        }
        ckpt_checkpoint *checkpoint = open_good(path);
        assert_memory_equal(ckpt_find(checkpoint, "b")->data, file.data + begin + 8, 2);
        ckpt_close(checkpoint);
    }
    core_text_free(&file);
}

static void a_file_without_tensors_is_one_too(void **state)
{
    core_text file = CORE_TEXT_INIT; /* of a vocabulary alone */
    (void)state;
    gguf_begin(&file, 3, 0, 0);
    ckpt_checkpoint *checkpoint = open_good(write_file("model.gguf", &file));
    assert_true(ckpt_count(checkpoint) == 0 && ckpt_bytes(checkpoint) == 0 && ckpt_find(checkpoint, "x") == NULL);
    ckpt_close(checkpoint);
    core_text_free(&file);
}

/* ---- Hostile ones */

static void a_list_that_cannot_be_is_refused(void **state)
{
#define AGAIN "the file is cut short or broken: download it again"
    static const struct {
        const char *label;
        gguf_tensor tensors[3];
        oclm_status want;
        const char *reason;
    } rows[] = {
        { "a type of old", { { "a", 2, { 256, 1 }, IQ2_XS, 0 }, { 0 } }, OCLM_ERR_UNSUPPORTED,
          "tensor \"a\" is of type IQ2_XS, which oclm does not read; it reads F32, F16, BF16, Q4_0" },
        { "a type to come", { { "a", 2, { 256, 1 }, 4000000000u, 0 }, { 0 } }, OCLM_ERR_UNSUPPORTED, "tensor \"a\" is of type number 4000000000" },
        { "five dimensions", { { "a", 5, { 1, 1, 1, 1, 1 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" has 5 dimensions, more than the 4" },
        { "a dimension of 0", { { "a", 2, { 32, 0 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" has a dimension of 0" },
        { "sizes that overflow", { { "a", 3, { 1ull << 32, 1ull << 31, 2 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" is larger than all memory" },
        { "bytes that overflow", { { "a", 1, { 1ull << 62 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" is larger than all memory" },
        { "rows of half blocks", { { "a", 2, { 48, 2 }, Q4_0, 0 }, { 0 } }, OCLM_ERR_FORMAT,
          "tensor \"a\" has rows of 48 numbers, which blocks of 32 (Q4_0) do not divide" },
        { "rows of an eighth", { { "a", 2, { 32, 8 }, Q4_K, 0 }, { 0 } }, OCLM_ERR_FORMAT, "rows of 32 numbers, which blocks of 256 (Q4_K) do not divide" },
        { "a number in blocks", { { "a", 0, { 0 }, Q8_0, 0 }, { 0 } }, OCLM_ERR_FORMAT, "rows of 1 numbers, which blocks of 32 (Q8_0) do not divide" },
        { "more than the file", { { "a", 1, { 65 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT,
          "tensor \"a\" begins at byte 0 of the data and has 260, but the file has only 256 bytes of data; " AGAIN },
        { "behind the file", { { "a", 1, { 1 }, F32, 288 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" begins at byte 288 of the data and has 4" },
        { "far behind", { { "a", 1, { 1 }, F32, UINT64_MAX - 31 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" begins at byte 18446744073709551584" },
        { "not aligned", { { "a", 1, { 1 }, F32, 4 }, { 0 } }, OCLM_ERR_FORMAT, "no multiple of the file's alignment of 32" },
        { "one in another", { { "a", 1, { 2 }, F32, 32 }, { "b", 1, { 60 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT,
          "tensors \"b\" and \"a\" overlap: one ends at byte 240 of the data, the other begins at 32" },
        { "two at one place", { { "a", 1, { 2 }, F32, 0 }, { "b", 1, { 1 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "\"b\" and \"a\" overlap" },
        { "a name twice", { { "a", 1, { 2 }, F32, 0 }, { "a", 1, { 1 }, F32, 32 }, { 0 } }, OCLM_ERR_FORMAT, "tensor \"a\" is there twice" },
        { "no name", { { "", 1, { 2 }, F32, 0 }, { 0 } }, OCLM_ERR_FORMAT, "the name of tensor 0 is empty" },
    };
    core_text file = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        make_file(&file, rows[i].tensors, 256);
        expect_refusal(rows[i].label, write_file("model.gguf", &file), rows[i].want, rows[i].reason);
    }
    core_text_free(&file);
}

static void a_name_with_a_nul_is_refused(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    make_file(&file, three, THREE_DATA);
    char *name = memchr(file.data + 40, 'n', file.length - 40); /* of "norm" */
    while (memcmp(name, "norm", 4) != 0)
        name++;
    name[2] = '\0';
    expect_refusal("a NUL", write_file("model.gguf", &file), OCLM_ERR_FORMAT, "the name of tensor 0 holds a NUL");
    core_text_free(&file);
}

static void a_count_beyond_the_file_takes_no_memory(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    for (unsigned shift = 4; shift < 64; shift += 5) {
        make_file(&file, three, THREE_DATA);
        for (size_t i = 0; i < 8; i++)
            file.data[8 + i] = (char)(1ull << shift >> 8 * i);
        expect_refusal("a count", write_file("model.gguf", &file), OCLM_ERR_FORMAT, shift == 4 ? "model.gguf: " : " tensors does not fit into the file's ");
    }
    core_text_free(&file);
}

static void what_is_no_gguf_is_told(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    expect_refusal("no file", path_of("none.gguf"), OCLM_ERR_NOT_FOUND, "none.gguf");
    scratch_write(folder, "model.gguf", "", 0);
    expect_refusal("an empty file", path_of("model.gguf"), OCLM_ERR_FORMAT, "it is no GGUF file");
    scratch_write(folder, "model.gguf", "version https://git-lfs.github.com/spec/v1\n", 43);
    expect_refusal("a pointer", path_of("model.gguf"), OCLM_ERR_FORMAT, "Git LFS's pointer");
    make_file(&file, three, THREE_DATA);
    file.data[4] = 1;
    expect_refusal("version 1", write_file("model.gguf", &file), OCLM_ERR_UNSUPPORTED, "version 1 of GGUF; oclm reads 2 and 3");
    core_text_free(&file);
}

static void a_file_cut_short_is_refused_at_each_byte(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    make_file(&file, three, THREE_DATA);
    for (size_t size = 0; size < file.length; size++) {
        scratch_write(folder, "model.gguf", file.data, size);
        expect_refusal("cut", path_of("model.gguf"), OCLM_ERR_FORMAT, size < 4 ? "it is no GGUF file" : "cut short");
    }
    core_text_free(&file);
}

static void read_all_rows(const ckpt_tensor *tensor)
{
    const uint64_t columns = tensor->shape[tensor->dims - 1], rows = tensor->elements / columns;
    core_codes     codes;
    assert_true(rows * columns <= 1000);
    assert_int_equal(core_codes_new(&tensor->quantized->storage, rows, columns, &codes), OCLM_OK);
    assert_int_equal(tensor->quantized->read(tensor, 0, rows, &codes), OCLM_OK);
    core_codes_free(&codes);
}

/* Whether the list of tensors can be read; if so, all that they hold is. Without a file on disk, which is much slower. */
static bool reads(const core_text *file)
{
    char            *copy = exact_copy(file->data, file->length); /* a sanitizer sees what reads beyond it */
    const core_map   map = { (const unsigned char *)copy, file->length };
    ckpt_table       table = { NULL, 0, 0 };
    core_gguf        gguf;
    const bool       good = core_gguf_open(&gguf, copy, file->length, "model.gguf") == OCLM_OK && ckpt_gguf_read(&gguf, &map, 0, &table) == OCLM_OK;
    for (size_t i = 0; i < table.count && good; i++) {
        if (table.tensors[i].quantized != NULL)
            read_all_rows(&table.tensors[i]);
    }
    ckpt_table_deinit(&table);
    core_gguf_free(&gguf);
    free(copy);
    return good;
}

static void a_flipped_bit_is_read_or_refused(void **state)
{
    core_text file = CORE_TEXT_INIT;
    size_t    good = 0;
    (void)state;
    make_file(&file, three, THREE_DATA);
    const size_t bits = 8 * (file.length - THREE_DATA);
    for (size_t bit = 0; bit < bits; bit++) {
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        good += reads(&file);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(reads(&file));
    if (good < 100 || good > bits / 2) /* letters of names and of the one key, padding, smaller sizes */
        fail_msg("%zu of %zu flips were read", good, bits);
    core_text_free(&file);
}

/* ---- Files of a model in several */

static void write_part(core_text *file, const char *name, int64_t number, int64_t count, int64_t tensors, const char *tensor)
{
    const gguf_tensor list[] = { { tensor, 1, { 8 }, F16, 0 }, { 0 } };
    gguf_begin(file, 3, tensor != NULL, 4);
    gguf_key_int(file, "split.no", CORE_GGUF_U16, number);
    gguf_key_int(file, "split.count", CORE_GGUF_U16, count);
    gguf_key_int(file, "split.tensors.count", CORE_GGUF_I32, tensors);
    gguf_key_int(file, "part", CORE_GGUF_I32, number);
    gguf_list(file, list);
    gguf_pad(file, 32);
    gguf_number(file, (uint64_t)number, 8);
    gguf_number(file, 0, 8);
    (void)write_file(name, file);
}

#define PART(number) "m-0000" #number "-of-00003.gguf"

static void write_parts(core_text *file, int64_t tensors)
{
    write_part(file, PART(1), 0, 3, tensors, "b");
    write_part(file, PART(2), 1, 3, tensors, "c");
    write_part(file, PART(3), 2, 3, tensors, "a");
}

static void the_first_part_leads_to_the_others(void **state)
{
    core_text file = CORE_TEXT_INIT;
    int64_t   part = -1;
    (void)state;
    write_parts(&file, 3);
    ckpt_checkpoint *checkpoint = open_good(path_of(PART(1)));
    assert_int_equal(ckpt_count(checkpoint), 3);
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t files[] = { 2, 0, 1 };
        const ckpt_tensor *const tensor = ckpt_at(checkpoint, i);
        assert_int_equal(tensor->name[0], 'a' + (int)i);
        assert_int_equal(tensor->file, files[i]);
        assert_int_equal(*(const unsigned char *)tensor->data, files[i]);
    }
    assert_string_equal(ckpt_file_name(checkpoint, 2), path_of(PART(3)));
    assert_int_equal(ckpt_dtype(checkpoint), CORE_F16);
    assert_int_equal(core_gguf_get_int(ckpt_gguf(checkpoint), "part", &part), OCLM_OK);
    assert_int_equal(part, 0);
    ckpt_close(checkpoint);
    core_text_free(&file);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    write_parts(&file, 3);
    expect_refusal("the second", path_of(PART(2)), OCLM_ERR_FORMAT, "is file 2 of the model's 3; give the first one (-00001-of-00003.gguf)");

    write_part(&file, "renamed.gguf", 0, 3, 3, "b");
    expect_refusal("a new name", path_of("renamed.gguf"), OCLM_ERR_FORMAT, "this one's must end in \"-00001-of-00003.gguf\"");
    write_part(&file, "-00001-of-00003.gguf", 0, 20000, 3, "b");
    expect_refusal("too many", path_of("-00001-of-00003.gguf"), OCLM_ERR_FORMAT, "\"split.count\" is 20000; a model has at most 16384 files");

    write_parts(&file, 4);
    expect_refusal("a tensor less", path_of(PART(1)), OCLM_ERR_FORMAT, "the model's 3 files should hold 4 tensors, but hold 3");
    core_text_free(&file);
}

static void a_part_s_fault_names_that_part(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    write_parts(&file, 3);
    write_part(&file, PART(3), 1, 3, 3, "a");
    expect("not the third", ckpt_open_gguf(path_of(PART(1)), &(ckpt_checkpoint *){ NULL }), OCLM_ERR_FORMAT, path_of(PART(3)),
           "says that it is file 1 (from 0) of 3, its name that it is 2 of 3");
    write_part(&file, PART(3), 2, 3, 3, "b");
    expect("a name again", ckpt_open_gguf(path_of(PART(1)), &(ckpt_checkpoint *){ NULL }), OCLM_ERR_FORMAT, PART(3), "tensor \"b\" is there twice");
    scratch_check(unlink(path_of(PART(2))) == 0, PART(2));
    scratch_check(unlink(path_of(PART(3))) == 0, PART(3));
    expect("two are gone", ckpt_open_gguf(path_of(PART(1)), &(ckpt_checkpoint *){ NULL }), OCLM_ERR_NOT_FOUND, path_of(PART(2)),
           "is missing (2 of the model's 3 files are)");
    core_text_free(&file);
}

/* ---- Without memory */

static ckpt_checkpoint *opened;

static oclm_status open_path(void *path)
{
    return ckpt_open_gguf(path, &opened);
}

static void close_opened(void *path)
{
    (void)path;
    ckpt_close(opened);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    core_text file = CORE_TEXT_INIT;
    (void)state;
    write_parts(&file, 3);
    make_file(&file, three, THREE_DATA);
    char *single = strdup(write_file("model.gguf", &file)), *parts = strdup(path_of(PART(1)));
    core_text_free(&file);
    fails_cleanly_at_every_request("one file", open_path, close_opened, single);
    fails_cleanly_at_every_request("three files", open_path, close_opened, parts);
    free(single);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_file_s_tensors_are_found),
        IN_SCRATCH(rows_of_all_experts_lie_below_each_other),
        IN_SCRATCH(the_dtype_is_the_reference_s),
        IN_SCRATCH(the_alignment_is_the_file_s),
        IN_SCRATCH(a_file_without_tensors_is_one_too),
        IN_SCRATCH(a_list_that_cannot_be_is_refused),
        IN_SCRATCH(a_name_with_a_nul_is_refused),
        IN_SCRATCH(a_count_beyond_the_file_takes_no_memory),
        IN_SCRATCH(what_is_no_gguf_is_told),
        IN_SCRATCH(a_file_cut_short_is_refused_at_each_byte),
        IN_SCRATCH(a_flipped_bit_is_read_or_refused),
        IN_SCRATCH(the_first_part_leads_to_the_others),
        IN_SCRATCH(parts_that_do_not_fit_are_refused),
        IN_SCRATCH(a_part_s_fault_names_that_part),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
