/* test_lookup.c: prompt lookup guesses what transformers' rule, written out here, guesses; as quickly in a long text as in a short one. */
#include "core/unit.h"

#include "core/platform.h"
#include "generation/lookup.h"

static const struct {
    const char *label;
    int32_t     text[16];
    uint32_t    count, largest, most, want_count;
    int32_t     want[8];
} cases[] = {
    { "one id alone", { 5 }, 1, 2, 10, 0, { 0 } },
    { "nothing stood before", { 5, 6, 7 }, 3, 2, 10, 0, { 0 } },
    { "the last id stood before", { 5, 6, 7, 5 }, 4, 2, 10, 3, { 6, 7, 5 } },
    { "at most so many", { 5, 6, 7, 5 }, 4, 2, 2, 2, { 6, 7 } },
    { "none are asked for", { 5, 6, 7, 5 }, 4, 2, 0, 0, { 0 } },
    { "the larger group wins", { 1, 2, 9, 3, 2, 8, 3, 2 }, 8, 2, 1, 1, { 8 } },
    { "unless groups are single ids", { 1, 2, 9, 3, 2, 8, 3, 2 }, 8, 1, 1, 1, { 9 } },
    { "the earliest place wins", { 1, 2, 3, 1, 2, 4, 1, 2 }, 8, 2, 1, 1, { 3 } },
    { "a group may overlap itself", { 4, 4, 4 }, 3, 2, 10, 1, { 4 } },
    { "a group is never the whole text", { 4, 4 }, 2, 9, 10, 1, { 4 } },
};

static void guesses_follow_the_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        gen_lookup     lookup;
        const int32_t *guess;
        assert_int_equal(OCLM_OK, gen_lookup_init(&lookup, cases[i].largest, 0));
        assert_int_equal(OCLM_OK, gen_lookup_add(&lookup, cases[i].text, cases[i].count));
        const uint32_t count = gen_lookup_guess(&lookup, cases[i].most, &guess);
        if (count != cases[i].want_count || (count > 0 && memcmp(guess, cases[i].want, count * sizeof *guess) != 0))
            fail_msg("%s: %u ids, the first %d; want %u, the first %d", cases[i].label, count, count > 0 ? guess[0] : -1,
                     cases[i].want_count, cases[i].want[0]);
        gen_lookup_deinit(&lookup);
    }
}

/* get_candidates() of transformers' PromptLookupCandidateGenerator, without processors. */
static uint32_t by_the_rule(const int32_t *ids, uint32_t count, uint32_t largest, uint32_t most, const int32_t **guess)
{
    for (uint32_t size = largest < count - 1 ? largest : count - 1; size > 0; size--) {
        for (uint32_t begin = 0; begin + size < count; begin++) {
            if (memcmp(ids + begin, ids + count - size, size * sizeof *ids) != 0)
                continue;
            *guess = ids + begin + size;
            return count - begin - size < most ? count - begin - size : most;
        }
    }
    return 0;
}

static void random_texts_are_guessed_by_the_rule(void **state)
{
    static const struct { uint32_t ids, largest; } settings[] = { { 1, 3 }, { 2, 2 }, { 2, 8 }, { 2, 30 }, { 3, 9 }, { 5, 1 }, { 40, 4 } };
    (void)state;
    for (size_t s = 0; s < COUNT(settings); s++) {
        uint64_t   random = 7 + s;
        gen_lookup lookup;
        assert_int_equal(OCLM_OK, gen_lookup_init(&lookup, settings[s].largest, 0));
        for (uint32_t n = 0; n < 2600; n++) { /* past the room it begins with */
            random = random * 6364136223846793005u + 1442695040888963407u;
            const int32_t id = (int32_t)((random >> 40) % settings[s].ids) * 1000;
            assert_int_equal(OCLM_OK, gen_lookup_add(&lookup, &id, 1));
            if (n > 400 && n % 37 != 0)
                continue;
            const int32_t *guess = NULL, *want = NULL;
            const uint32_t count = gen_lookup_guess(&lookup, 10, &guess), want_count = by_the_rule(lookup.ids, n + 1, settings[s].largest, 10, &want);
            if (count != want_count || (count > 0 && guess != want))
                fail_msg("%u kinds of ids, groups of %u, text of %u: %u ids, want %u, or from elsewhere", settings[s].ids, settings[s].largest, n + 1,
                         count, want_count);
        }
        gen_lookup_deinit(&lookup);
    }
}

/* A text of one id is the worst there is: every place matches. */
static void long_texts_are_guessed_at_once(void **state)
{
    enum { LENGTH = 100000, GUESSES = 20000 };
    int32_t       *text = calloc(LENGTH, sizeof *text);
    gen_lookup     lookup;
    const int32_t *guess;
    (void)state;
    assert_non_null(text);
    assert_int_equal(OCLM_OK, gen_lookup_init(&lookup, 2, LENGTH));
    assert_int_equal(OCLM_OK, gen_lookup_add(&lookup, text, LENGTH));
    const double start = core_seconds();
    for (uint32_t i = 0; i < GUESSES; i++) {
        assert_int_equal(gen_lookup_guess(&lookup, 10, &guess), 10);
        assert_int_equal(OCLM_OK, gen_lookup_add(&lookup, text, 1));
    }
    const double seconds = core_seconds() - start;
    print_message("      %d guesses in a text of %d ids: %.1f ns each\n", GUESSES, LENGTH, seconds / GUESSES * 1e9);
    if (seconds > 1.0) /* looking through the text takes that long after a thousand */
        fail_msg("%d guesses in a text of %d ids took %.1f s", GUESSES, LENGTH, seconds);
    gen_lookup_deinit(&lookup);
    free(text);
}

static oclm_status make_one(void *user) { return gen_lookup_init(user, 3, 0); }

static void free_one(void *user) { gen_lookup_deinit(user); }

static void no_memory_is_told_and_leaves_nothing(void **state)
{
    gen_lookup lookup;
    (void)state;
    fails_cleanly_at_every_request("a lookup", make_one, free_one, &lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses_follow_the_rule),
        cmocka_unit_test(random_texts_are_guessed_by_the_rule),
        cmocka_unit_test(long_texts_are_guessed_at_once),
        cmocka_unit_test(no_memory_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
