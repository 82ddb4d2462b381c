/* test_checkpoint.c: a folder's weight files: which are found, how shards come together, and what is told where they do not. */
#include "checkpoint/weights.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "core/child.h"
#include "core/folder.h"
#include "core/log.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define ONE "model-00001-of-00002.safetensors"
#define TWO "model-00002-of-00002.safetensors"

/* An entry of a header, and one of an index. */
#define TENSOR(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"
#define IN(name, file) "\"" name "\":\"" file "\""

static void write_text(const char *name, const char *text)
{
    scratch_write(folder, name, text, strlen(text));
}

static ckpt_checkpoint *open_good(void)
{
    ckpt_checkpoint *checkpoint;
    if (ckpt_open(folder, NULL, &checkpoint) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    return checkpoint;
}

/* The status; the message holds the folder's path and `parts`, which ';' separates. Nothing is left open. */
static void expect_refusal(const char *label, oclm_status want, const char *parts)
{
    const size_t      live = core_memory_live();
    ckpt_checkpoint  *checkpoint = (ckpt_checkpoint *)folder;
    const oclm_status status = ckpt_open(folder, NULL, &checkpoint);
    if (status != want || checkpoint != NULL || strstr(oclm_last_error(), folder) != oclm_last_error())
        fail_msg("%s: status %d, want %d; \"%s\"", label, (int)status, (int)want, oclm_last_error());
    for (const char *part = parts; *part != '\0';) {
        char         text[200];
        const size_t length = strcspn(part, ";");
        memcpy(text, part, length);
        text[length] = '\0';
        if (strstr(oclm_last_error(), text) == NULL)
            fail_msg("%s: \"%s\", want \"%s\"", label, oclm_last_error(), text);
        part += length + (part[length] == ';');
    }
    assert_int_equal(core_memory_live(), live);
}

/* ---- One file */

static void the_tensors_of_one_file_are_found_by_name(void **state)
{
    (void)state;
    weights_write(folder, SINGLE, "{" TENSOR("wte", "F16", "2,3", 0, 12) "," TENSOR("b", "F32", "", 12, 16) ","
                  TENSOR("a", "BF16", "0", 16, 16) "}", 16);
    ckpt_checkpoint *checkpoint = open_good();
    assert_int_equal(ckpt_count(checkpoint), 3);
    assert_int_equal(ckpt_bytes(checkpoint), 16);
    assert_int_equal(ckpt_dtype(checkpoint), CORE_BF16); /* "a" is the first by name */
    static const char *const names[] = { "a", "b", "wte" };
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_string_equal(ckpt_at(checkpoint, i)->name, names[i]);
        assert_ptr_equal(ckpt_find(checkpoint, names[i]), ckpt_at(checkpoint, i));
    }
    static const char *const none[] = { "", "A", "aa", "wt", "wte.weight", "z" };
    for (size_t i = 0; i < COUNT(none); i++)
        assert_null(ckpt_find(checkpoint, none[i]));
    const ckpt_tensor *wte = ckpt_find(checkpoint, "wte");
    assert_memory_equal(wte->data, "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
    assert_string_equal(ckpt_file_name(checkpoint, wte->file), scratch_path(folder, SINGLE));
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) {
        ckpt_will_need(checkpoint, ckpt_at(checkpoint, i));
        ckpt_release(checkpoint, ckpt_at(checkpoint, i));
    }
    assert_memory_equal(wte->data, "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
    ckpt_close(checkpoint);
    ckpt_close(NULL);
}

static void a_file_without_tensors_has_none(void **state)
{
    (void)state;
    weights_write(folder, SINGLE, "{}", 0);
    ckpt_checkpoint *checkpoint = open_good();
    assert_int_equal(ckpt_count(checkpoint), 0);
    assert_int_equal(ckpt_bytes(checkpoint), 0);
    assert_int_equal(ckpt_dtype(checkpoint), CORE_F32);
    assert_null(ckpt_find(checkpoint, "a"));
    ckpt_close(checkpoint);
}

static void a_name_that_is_there_twice_is_refused(void **state)
{
    (void)state;
    weights_write(folder, SINGLE, "{" TENSOR("a", "U8", "", 0, 1) "," TENSOR("b", "U8", "", 1, 2) ","
                  TENSOR("\\u0061", "U8", "", 2, 3) "}", 3);
    expect_refusal("twice in a file", OCLM_ERR_FORMAT, "/" SINGLE ": tensor \"a\" is there twice;download the files again");
}

static void the_single_file_goes_before_the_index(void **state)
{
    (void)state;
    weights_write(folder, SINGLE, "{" TENSOR("single", "U8", "", 0, 1) "}", 1);
    weights_write(folder, ONE, "{" TENSOR("shard", "U8", "", 0, 1) "}", 1);
    write_text(INDEX, "{\"weight_map\":{" IN("shard", ONE) "}}");
    ckpt_checkpoint *checkpoint = open_good(); /* as transformers looks for them */
    assert_int_equal(ckpt_count(checkpoint), 1);
    assert_non_null(ckpt_find(checkpoint, "single"));
    ckpt_close(checkpoint);
    write_text(SINGLE, "broken");
    expect_refusal("a broken single file", OCLM_ERR_FORMAT, "/" SINGLE ": 6 bytes are no safetensors file;download it again");
    scratch_check(unlink(scratch_path(folder, SINGLE)) == 0, SINGLE);
    checkpoint = open_good();
    assert_non_null(ckpt_find(checkpoint, "shard"));
    ckpt_close(checkpoint);
}

/* ---- Shards */

static void write_good_shards(void)
{
    weights_write(folder, ONE, "{" TENSOR("z", "F32", "2", 0, 8) "," TENSOR("m", "I64", "", 8, 16) "}", 16);
    weights_write(folder, TWO, "{" TENSOR("a", "BF16", "3", 0, 6) "}", 6);
    write_text(INDEX, "{\"metadata\":{\"total_size\":22},\"weight_map\":{" IN("a", TWO) "," IN("m", ONE) "," IN("z", ONE) "}}");
}

static void shards_come_together_by_name(void **state)
{
    static const struct {
        const char *name, *file;
        core_dtype  dtype;
    } tensors[] = { { "a", TWO, CORE_BF16 }, { "m", ONE, CORE_I64 }, { "z", ONE, CORE_F32 } };
    (void)state;
    write_good_shards();
    ckpt_checkpoint *checkpoint = open_good();
    assert_int_equal(ckpt_count(checkpoint), COUNT(tensors));
    assert_int_equal(ckpt_bytes(checkpoint), 22);
    assert_int_equal(ckpt_dtype(checkpoint), CORE_F32); /* of the first file, though "a" is the first name */
    for (size_t i = 0; i < COUNT(tensors); i++) {
        const ckpt_tensor *const tensor = ckpt_at(checkpoint, i);
        assert_string_equal(tensor->name, tensors[i].name);
        assert_int_equal(tensor->dtype, tensors[i].dtype);
        assert_string_equal(ckpt_file_name(checkpoint, tensor->file), scratch_path(folder, tensors[i].file));
    }
    assert_memory_equal(ckpt_find(checkpoint, "m")->data, "\10\11\12\13\14\15\16\17", 8);
    ckpt_close(checkpoint);
}

static void the_first_floating_tensor_decides_the_dtype(void **state)
{
    static const struct {
        const char *label, *one, *two;
        size_t      one_size, two_size;
        core_dtype  want;
    } cases[] = {
        { "the first by name", "{" TENSOR("b", "F16", "", 0, 2) "," TENSOR("a", "F32", "", 2, 6) "}", "{" TENSOR("c", "F64", "", 0, 8) "}",
          6, 8, CORE_F32 },
        { "not a whole number", "{" TENSOR("a", "I32", "", 0, 4) "," TENSOR("b", "F16", "", 4, 6) "}", "{" TENSOR("c", "F32", "", 0, 4) "}",
          6, 4, CORE_F16 },
        { "none in the first file", "{" TENSOR("a", "U8", "", 0, 1) "," TENSOR("b", "BOOL", "", 1, 2) "}",
          "{" TENSOR("c", "F64", "", 0, 8) "}", 2, 8, CORE_F64 },
        { "none at all", "{" TENSOR("a", "U8", "", 0, 1) "," TENSOR("b", "I8", "", 1, 2) "}", "{" TENSOR("c", "U8", "", 0, 1) "}", 2, 1,
          CORE_F32 },
    };
    (void)state;
    write_text(INDEX, "{\"weight_map\":{" IN("a", ONE) "," IN("b", ONE) "," IN("c", TWO) "}}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        weights_write(folder, ONE, cases[i].one, cases[i].one_size);
        weights_write(folder, TWO, cases[i].two, cases[i].two_size);
        ckpt_checkpoint *checkpoint = open_good();
        if (ckpt_dtype(checkpoint) != cases[i].want)
            fail_msg("%s: %s", cases[i].label, core_dtype_name(ckpt_dtype(checkpoint)));
        ckpt_close(checkpoint);
    }
}

static void shards_that_do_not_fit_their_index_are_refused(void **state)
{
    static const struct {
        const char *label, *map, *message;
        oclm_status status;
    } cases[] = {
        { "a missing shard", IN("a", TWO) "," IN("x", "model-3.safetensors"),
          "model-3.safetensors is missing (1 of the 2 shards are);fetch what is missing",
          OCLM_ERR_NOT_FOUND },
        { "two missing shards", IN("a", "y.safetensors") "," IN("x", "x.safetensors"),
          ": x.safetensors is missing (2 of the 2 shards are)", OCLM_ERR_NOT_FOUND },
        { "a folder for a shard", IN("a", TWO) "," IN("x", "sub.safetensors"), "sub.safetensors is missing (1 of", OCLM_ERR_NOT_FOUND },
        { "a tensor in no shard", IN("a", TWO) "," IN("x", ONE),
          "/" INDEX ": tensor \"x\" should be in " ONE ", but is in no shard;download that file again",
          OCLM_ERR_FORMAT },
        { "a tensor in the other shard", IN("a", ONE) "," IN("m", ONE) "," IN("z", TWO),
          "tensor \"a\" should be in " ONE ", but is in ;/" TWO ";do not belong together: download them again", OCLM_ERR_FORMAT },
        { "a tensor of a shard that is not opened", IN("a", ONE), "tensor \"a\" should be in " ONE ", but is in no shard", OCLM_ERR_FORMAT },
        { "a shard that is no safetensors file", IN("a", TWO) "," IN("x", "broken.safetensors"),
          "/broken.safetensors: 6 bytes are no safetensors file;download it again", OCLM_ERR_FORMAT },
        { "a tensor in two shards", IN("a", TWO) "," IN("x", "again.safetensors"),
          ": tensor \"a\" is there twice, again in;/again.safetensors;/" TWO ";download the files again", OCLM_ERR_FORMAT },
        { "the folder above", IN("a", "../" TWO),
          "/" INDEX ": byte ;\"../" TWO "\" is not the plain name of a file in this folder", OCLM_ERR_FORMAT },
        { "the root", IN("a", "/etc/x.safetensors"), "\"/etc/x.safetensors\" is not the plain name", OCLM_ERR_FORMAT },
    };
    (void)state;
    write_good_shards();
    write_text("broken.safetensors", "broken");
    weights_write(folder, "again.safetensors", "{" TENSOR("a", "U8", "", 0, 1) "," TENSOR("x", "U8", "", 1, 2) "}", 2);
    assert_int_equal(mkdir(scratch_path(folder, "sub.safetensors"), 0700), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[500];
        snprintf(text, sizeof text, "{\"weight_map\":{%s}}", cases[i].map);
        write_text(INDEX, text);
        expect_refusal(cases[i].label, cases[i].status, cases[i].message);
    }
    write_text(INDEX, "not JSON");
    expect_refusal("an index that is no JSON", OCLM_ERR_FORMAT,
                   "/" INDEX ": byte 0: 'n' stands where an object should;download the file again");
}

static void hear(oclm_log_level level, const char *line, void *user)
{
    if (level == OCLM_LOG_WARNING)
        strncpy(user, line, 255);
}

static void tensors_that_the_index_does_not_list_are_kept_with_a_warning(void **state)
{
    char line[256] = "";
    (void)state;
    write_good_shards();
    write_text(INDEX, "{\"weight_map\":{" IN("a", TWO) "," IN("m", ONE) "}}");
    core_log_set(hear, line, OCLM_LOG_WARNING);
    ckpt_checkpoint *checkpoint = open_good();
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
    assert_non_null(ckpt_find(checkpoint, "z"));
    assert_non_null(strstr(line, "/" INDEX ": 1 tensors of the shards are not in the index"));
    ckpt_close(checkpoint);
}

/* ---- No weights */

static void a_folder_without_weights_says_what_is_there(void **state)
{
    static const struct {
        const char *label, *file, *message;
    } cases[] = {
        { "nothing", NULL, ": no weights there: looked for " SINGLE " and for " INDEX ";is the download complete?" },
        { "other things", "config.json", ": no weights there" },
        { "GGUF", "model.q4.gguf", "only GGUF weights (model.q4.gguf), which oclm does not read yet;download the model's original" },
        { "pickled weights", "pytorch_model.bin",
          "only PyTorch's pickled weights (pytorch_model.bin), which can run code;safe_serialization=True" },
        { "an adapter, or a shard without index", "model-1.safetensors",
          "but model-1.safetensors is:;rename it;download their index (" INDEX ") too;a variant" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) { /* each goes before the former */
        if (cases[i].file != NULL)
            write_text(cases[i].file, "x");
        expect_refusal(cases[i].label, OCLM_ERR_NOT_FOUND, cases[i].message);
    }
    assert_int_equal(symlink("../blobs/gone", scratch_path(folder, INDEX)), 0); /* as in a hub's cache that was tidied up */
    expect_refusal("a link to nothing", OCLM_ERR_NOT_FOUND,
                   ": " INDEX " is there, but is no file;a link to a file that is gone;download it again");
    scratch_check(unlink(scratch_path(folder, INDEX)) == 0, INDEX);
    assert_int_equal(mkdir(scratch_path(folder, SINGLE), 0700), 0);
    expect_refusal("a folder for the file", OCLM_ERR_NOT_FOUND, ": " SINGLE " is there, but is no file: a folder");
}

static void what_is_no_folder_is_told(void **state)
{
    ckpt_checkpoint *checkpoint;
    (void)state;
    write_text("file", "x");
    assert_int_equal(ckpt_open(scratch_path(folder, "file"), NULL, &checkpoint), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "/file: is a file; give the folder that holds config.json"));
    assert_int_equal(ckpt_open(scratch_path(folder, "none"), NULL, &checkpoint), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "/none: there is no such folder; give one that holds config.json"));
    assert_int_equal(ckpt_open("", NULL, &checkpoint), OCLM_ERR_NOT_FOUND);
    assert_null(checkpoint);
}

static int open_without_rights(void *user)
{
    ckpt_checkpoint *checkpoint;
    (void)user;
    if (ckpt_open(folder, NULL, &checkpoint) != OCLM_ERR_IO ||
        strstr(oclm_last_error(), "/" SINGLE ": cannot open: Permission denied") == NULL)
        return 1;
    if (ckpt_open(scratch_path(folder, "closed/model"), NULL, &checkpoint) != OCLM_ERR_IO ||
        strstr(oclm_last_error(), "/closed/model: cannot list: Permission denied") == NULL)
        return 2;
    return 0;
}

static void without_the_right_the_reason_is_told(void **state)
{
    (void)state;
    weights_write(folder, SINGLE, "{}", 0);
    assert_int_equal(chmod(scratch_path(folder, SINGLE), 0), 0);
    assert_int_equal(mkdir(scratch_path(folder, "closed"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    const int failed = child_run(open_without_rights, NULL, true);
    assert_int_equal(chmod(scratch_path(folder, "closed"), 0700), 0);
    assert_int_equal(failed, 0);
}

/* ---- Without memory */

static size_t count_open_files(void)
{
    size_t count = 0;
    DIR   *listing = opendir("/dev/fd");
    while (listing != NULL && readdir(listing) != NULL)
        count++;
    if (listing != NULL)
        closedir(listing);
    return count;
}

/* Of files in the test's folder. 0 where the system does not tell. */
static size_t count_maps(void)
{
    char   line[2048];
    size_t count = 0;
    FILE  *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, folder) != NULL;
    if (maps != NULL)
        fclose(maps);
    return count;
}

static oclm_status open_folder(void *user)
{
    const oclm_status status = ckpt_open(folder, NULL, user);
    if (status != OCLM_OK)
        assert_int_equal(count_maps(), 0);
    return status;
}

static void close_folder(void *user)
{
    ckpt_close(*(ckpt_checkpoint **)user);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    const size_t     open_files = count_open_files();
    ckpt_checkpoint *checkpoint;
    (void)state;
    write_good_shards();
    fails_cleanly_at_every_request("shards", open_folder, close_folder, &checkpoint);
    weights_write(folder, SINGLE, "{" TENSOR("a", "U8", "", 0, 1) "}", 1);
    fails_cleanly_at_every_request("a single file", open_folder, close_folder, &checkpoint);
    assert_int_equal(count_maps(), 0);
    assert_int_equal(count_open_files(), open_files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(the_tensors_of_one_file_are_found_by_name),
        IN_SCRATCH(a_file_without_tensors_has_none),
        IN_SCRATCH(a_name_that_is_there_twice_is_refused),
        IN_SCRATCH(the_single_file_goes_before_the_index),
        IN_SCRATCH(shards_come_together_by_name),
        IN_SCRATCH(the_first_floating_tensor_decides_the_dtype),
        IN_SCRATCH(shards_that_do_not_fit_their_index_are_refused),
        IN_SCRATCH(tensors_that_the_index_does_not_list_are_kept_with_a_warning),
        IN_SCRATCH(a_folder_without_weights_says_what_is_there),
        IN_SCRATCH(what_is_no_folder_is_told),
        IN_SCRATCH(without_the_right_the_reason_is_told),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
