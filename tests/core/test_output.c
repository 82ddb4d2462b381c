/* test_output.c: a file written piece by piece: whole or not at all, and nothing beside it. */
#include "core/unit.h"

#include <string.h>

#include "core/written.h"
#include "core/output.h"
#include "core/platform.h"

static void a_file_is_there_when_it_is_whole(void **state)
{
    char        *path = path_of("file");
    core_output *output, *second;
    (void)state;
    assert_int_equal(core_output_begin(path, &output), OCLM_OK);
    assert_int_equal(core_output_add(output, "one ", 4), OCLM_OK);
    assert_int_equal(core_output_add(output, NULL, 0), OCLM_OK);
    assert_false(core_path_is_file(path));
    assert_int_equal(core_output_add(output, "two", 3), OCLM_OK);
    assert_int_equal(core_output_end(output), OCLM_OK);
    expect_content(path, "one two");
    assert_int_equal(core_output_begin(path, &output), OCLM_OK); /* two at a time: the last to end wins */
    assert_int_equal(core_output_begin(path, &second), OCLM_OK);
    assert_int_equal(core_output_add(second, "second", 6), OCLM_OK);
    assert_int_equal(core_output_add(output, "first", 5), OCLM_OK);
    assert_int_equal(core_output_end(second), OCLM_OK);
    expect_content(path, "second");
    assert_int_equal(core_output_end(output), OCLM_OK);
    expect_content(path, "first");
    assert_int_equal(core_output_begin(path, &output), OCLM_OK);
    assert_int_equal(core_output_add(output, "dropped", 7), OCLM_OK);
    core_output_drop(output);
    core_output_drop(NULL);
    expect_content(path, "first");
    assert_int_equal(count_entries(), 1);
}

/* Its whole length is there to read before its end is written. */
static void a_file_can_be_read_before_it_is_whole(void **state)
{
    char        *path = path_of("long");
    core_output *output;
    char        *data = NULL;
    size_t       length;
    (void)state;
    assert_int_equal(core_output_begin(path, &output), OCLM_OK);
    assert_int_equal(core_output_add(output, "one ", 4), OCLM_OK);
    assert_int_equal(core_output_lengthen(output, 7), OCLM_OK);
    assert_int_equal(core_read_file(core_output_path(output), 100, &data, &length), OCLM_OK);
    assert_int_equal(length, 7);
    assert_memory_equal(data, "one \0\0\0", 7);
    core_free(data);
    assert_int_equal(core_output_add(output, "two", 3), OCLM_OK);
    assert_int_equal(core_output_end(output), OCLM_OK);
    expect_content(path, "one two");
}

static void places_that_cannot_be_written_are_named(void **state)
{
    core_output *output;
    (void)state;
    const size_t before = count_entries();
    expect("a folder that is not there", core_output_begin(scratch_path(folder, "none/x"), &output), OCLM_ERR_NOT_FOUND, folder, "none");
    assert_null(output);
    expect("no name", core_output_begin(scratch_path(folder, ""), &output), OCLM_ERR_ARGUMENT, folder, "names no file");
    assert_int_equal(core_make_folders(scratch_path(folder, "sub")), OCLM_OK);
    assert_int_equal(core_output_begin(scratch_path(folder, "sub"), &output), OCLM_OK);
    expect("a folder in its place", core_output_end(output), OCLM_ERR_IO, folder, "sub");
    assert_int_equal(count_entries(), before + 1);
}

static void failing_allocations_leave_nothing_behind(void **state)
{
    char        *path = path_of("other");
    core_output *output;
    (void)state;
    const size_t before = count_entries(), live = core_memory_live();
    for (size_t n = 1;; n++) {
        core_memory_fail_at(n, true);
        const oclm_status status = core_output_begin(path, &output);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK) {
            assert_true(n > 4);
            break;
        }
        assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
        assert_int_equal(count_entries(), before);
    }
    core_output_drop(output);
    assert_int_equal(core_memory_live(), live);
    assert_int_equal(count_entries(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_file_is_there_when_it_is_whole),
        IN_SCRATCH(a_file_can_be_read_before_it_is_whole),
        IN_SCRATCH(places_that_cannot_be_written_are_named),
        IN_SCRATCH(failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
