/* test_tuning.c: the fastest is found by measuring once, remembered for later processes, and forgotten where the file is damaged;
 * a library takes part once it was asked for; two processes at once. */
#include <sys/wait.h>

#include "device/providers.h"

#include "device/tuning.h"

static size_t      runs; /* products recorded by the providers below */
static const char *self_path;

static oclm_status once(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self;
    runs++;
    return providers_add_good(work, m);
}

/* The same result, a thousand times as late: on a busy machine waking a core alone takes as long as a hundred. */
static oclm_status slowly(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    oclm_status status = OCLM_OK;
    (void)self;
    runs++;
    for (int i = 0; i < (m->epilogue == DEV_ADD ? 1 : 1000) && status == OCLM_OK; i++)
        status = providers_add_good(work, m);
    return status;
}

static oclm_status never(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self, (void)work, (void)m;
    return core_fail(OCLM_ERR_DEVICE, "this compiler is broken");
}

/* A library that is fast on what it is measured with, and wrong. */
static oclm_status halfway(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    dev_matmul wrong = *m;
    (void)self;
    wrong.rows = (m->rows + 1) / 2;
    return providers_add_good(work, &wrong);
}

static size_t one_float(const dev_provider *self, dev_device *device, const dev_matrix *weight, uint32_t rows)
{
    (void)self, (void)device, (void)weight;
    return rows >= 16 ? 1 : 0;
}

#define MADE_UP(name, add, scratch) { name, providers_suits, providers_takes_no_norm, add, 1, 32, 8, UINT32_MAX, scratch, NULL }

static const dev_provider fast = MADE_UP("a fast one", once, NULL), slow = MADE_UP("a slow one", slowly, NULL),
                          broken = MADE_UP("a broken one", never, NULL), library = MADE_UP("a library", once, one_float),
                          wrong_library = MADE_UP("a wrong library", halfway, one_float);

static dev_matrix_part  some_part = { .storage = { .code = CORE_CODE_F32, .bits = 32 }, .panels = 2 };
static const dev_matrix some_weight = { .rows = 64, .columns = 64, .panels = 2, .parts = &some_part, .part_count = 1 };

static dev_device *open_again(dev_device *device, oclm_matmul matmul)
{
    dev_device *made = NULL;
    char        index[24];
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index, .matmul = matmul };
    assert_ok(dev_open(&options, &made));
    return made;
}

/* Who serves so many rows, with a device opened anew as another process would. */
static const dev_provider *who(dev_device *device, oclm_matmul matmul, const dev_providers *list, uint32_t rows)
{
    const dev_matmul    m = providers_request(&some_weight, rows);
    dev_device         *own = open_again(device, matmul);
    const dev_provider *chosen = NULL;
    runs = 0;
    assert_ok(dev_provider_choose(own, list, &m, &chosen));
    dev_close(own);
    return chosen;
}

static void rows_fall_into_classes(void **state)
{
    static const struct { uint32_t rows; dev_rows_class want; } cases[] = {
        { 1, DEV_ROWS_ONE }, { 2, DEV_ROWS_FEW }, { 4, DEV_ROWS_FEW }, { 5, DEV_ROWS_SOME }, { 255, DEV_ROWS_SOME },
        { 256, DEV_ROWS_MANY }, { UINT32_MAX, DEV_ROWS_MANY },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (dev_rows_class_of(cases[i].rows) != cases[i].want)
            fail_msg("%u rows: class %d, want %d", cases[i].rows, (int)dev_rows_class_of(cases[i].rows), (int)cases[i].want);
    }
}

/* Timings are compared: not where kernels are interpreted or a GPU is emulated, where nothing is measured. */
static bool is_measured(const dev_device *device)
{
    if (devices_is_slow(device))
        print_message("    skipped: nothing is measured here\n");
    return !devices_is_slow(device);
}

static void try_fastest(dev_device *device, void *user)
{
    const dev_providers list = { { &broken, &slow, &fast }, 3 }, other = { { &slow, &fast }, 2 };
    (void)user;
    if (!is_measured(device))
        return;
    providers_fresh_cache();
    providers_listen();
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 1), &fast);
    assert_non_null(strstr(providers_log, "a fast one"));
    assert_non_null(strstr(providers_log, "a broken one far behind"));
    assert_true(runs > 2);
    /* Remembered, whoever asks; the check of the winner too. */
    assert_ptr_equal(who(device, OCLM_MATMUL_BUILTIN, &list, 1), &fast);
    assert_int_equal(runs, 0);
    /* Another class of rows, and other entrants, are other questions. */
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 3), &fast);
    assert_true(runs > 2);
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &other, 1), &fast);
    assert_true(runs > 2);
    providers_damage_cache();
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 1), &fast);
    assert_true(runs > 2);
}

static void the_fastest_is_measured_once_and_remembered_on_disk(void **state)
{
    (void)state;
    devices_each(try_fastest, NULL);
}

static void try_disk(dev_device *device, void *user)
{
    const dev_providers list = { { &fast, &slow }, 2 }, order = { { &slow, &fast }, 2 }, half = { { &slow }, 1 };
    (void)user;
    providers_fresh_cache();
    /* A choice that measuring would never make. */
    dev_device *own = open_again(device, OCLM_MATMUL_AUTO);
    assert_ok(dev_tuning_remember(own, &some_part.storage, DEV_ROWS_SOME, &list, &order));
    dev_close(own);
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 64), &slow);
    /* A file that names others counts as absent. */
    own = open_again(device, OCLM_MATMUL_AUTO);
    dev_providers asked = list;
    bool          known = true;
    assert_ok(dev_tuning_remember(own, &some_part.storage, DEV_ROWS_SOME, &list, &half));
    dev_close(own);
    own = open_again(device, OCLM_MATMUL_AUTO);
    assert_ok(dev_tuning_recall(own, &some_part.storage, DEV_ROWS_SOME, &asked, &known));
    assert_false(known);
    dev_close(own);
}

static void what_is_on_disk_is_used(void **state)
{
    (void)state;
    devices_each(try_disk, NULL);
}

static oclm_status tune(dev_device *device, oclm_matmul matmul, const dev_providers *list)
{
    dev_device       *own = open_again(device, matmul);
    const oclm_status status = dev_provider_tune(own, list, &some_part.storage);
    dev_close(own);
    return status;
}

static size_t planned(dev_device *device, oclm_matmul matmul, const dev_providers *list, uint32_t rows)
{
    const dev_matmul m = providers_request(&some_weight, rows);
    dev_device      *own = open_again(device, matmul);
    const size_t     floats = dev_provider_scratch(own, list, &m);
    dev_close(own);
    return floats;
}

static void try_library(dev_device *device, void *user)
{
    const dev_providers list = { { &slow, &library }, 2 };
    (void)user;
    if (!is_measured(device))
        return;
    providers_fresh_cache();
    /* Nobody asked yet. */
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 300), &slow);
    assert_int_equal(planned(device, OCLM_MATMUL_AUTO, &list, 300), 0);
    /* Where the user decides, there is nothing to find out. */
    assert_ok(tune(device, OCLM_MATMUL_BUILTIN, &list));
    assert_ok(tune(device, OCLM_MATMUL_CLBLAST, &list));
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 300), &slow);
    assert_ok(tune(device, OCLM_MATMUL_AUTO, &list));
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 300), &library);
    assert_int_equal(planned(device, OCLM_MATMUL_AUTO, &list, 300), 1);
    runs = 0;
    assert_ok(tune(device, OCLM_MATMUL_AUTO, &list)); /* known: nothing runs */
    assert_int_equal(runs, 0);
    /* Never for a short prompt, and not against the user's will. */
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 255), &slow);
    assert_int_equal(planned(device, OCLM_MATMUL_AUTO, &list, 255), 0);
    assert_ptr_equal(who(device, OCLM_MATMUL_BUILTIN, &list, 300), &slow);
    assert_int_equal(planned(device, OCLM_MATMUL_BUILTIN, &list, 300), 0);
    assert_ptr_equal(who(device, OCLM_MATMUL_CLBLAST, &list, 16), &library);
}

static void a_library_takes_part_once_it_was_asked_for(void **state)
{
    (void)state;
    devices_each(try_library, NULL);
}

static void try_wrong_library(dev_device *device, void *user)
{
    const dev_providers list = { { &slow, &wrong_library }, 2 };
    (void)user;
    if (!is_measured(device))
        return;
    providers_fresh_cache();
    providers_listen();
    assert_ok(tune(device, OCLM_MATMUL_AUTO, &list));
    assert_non_null(strstr(providers_log, "a wrong library are not used"));
    assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 300), &slow);
    assert_int_equal(planned(device, OCLM_MATMUL_AUTO, &list, 300), 0);
    assert_ptr_equal(who(device, OCLM_MATMUL_CLBLAST, &list, 300), &slow); /* not even by force */
}

static void a_library_that_is_wrong_never_serves(void **state)
{
    (void)state;
    devices_each(try_wrong_library, NULL);
}

/* ---- Processes */

/* What each of the processes does: exit status 0 where the fast one serves. */
static int child(void)
{
    const dev_providers list = { { &slow, &fast }, 2 };
    const dev_provider *chosen = NULL;
    const dev_matmul    m = providers_request(&some_weight, 1);
    dev_device         *device = NULL;
    providers_listen();
    if (dev_open(NULL, &device) != OCLM_OK || dev_provider_choose(device, &list, &m, &chosen) != OCLM_OK)
        fprintf(stderr, "%s\n", oclm_last_error());
    else if (chosen != &fast)
        fprintf(stderr, "%s serves: %s\n", chosen->name, providers_log);
    dev_close(device);
    return chosen == &fast ? 0 : 1;
}

static void processes_that_measure_at_once_do_not_disturb_what_is_remembered(void **state)
{
    const dev_providers list = { { &slow, &fast }, 2 };
    dev_device         *device = NULL;
    pid_t               children[3];
    (void)state;
    assert_ok(dev_open(NULL, &device));
    if (is_measured(device)) {
        providers_fresh_cache();
        for (size_t i = 0; i < COUNT(children); i++) {
            children[i] = fork();
            if (children[i] == 0) {
                execl(self_path, self_path, "child", (char *)NULL);
                _exit(127);
            }
            assert_true(children[i] > 0);
        }
        for (size_t i = 0; i < COUNT(children); i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        }
        providers_listen();
        assert_ptr_equal(who(device, OCLM_MATMUL_AUTO, &list, 1), &fast);
        assert_int_equal(runs, 0);
        assert_int_equal(providers_warnings, 0);
    }
    dev_close(device);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_fall_into_classes),
        cmocka_unit_test(the_fastest_is_measured_once_and_remembered_on_disk),
        cmocka_unit_test(what_is_on_disk_is_used),
        cmocka_unit_test(a_library_takes_part_once_it_was_asked_for),
        cmocka_unit_test(a_library_that_is_wrong_never_serves),
        cmocka_unit_test(processes_that_measure_at_once_do_not_disturb_what_is_remembered),
    };
    self_path = argv[0];
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return child();
    return cmocka_run_group_tests(tests, NULL, providers_remove_cache);
}
