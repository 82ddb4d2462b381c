/* Philox4x32-10 against the known answers that come with its authors' Random123 (kat_vectors), on the host and on every device. */
#include "cl/philox.h"
#include "cl/snippet.h"

static const struct { uint32_t counter[4], key[2], want[4]; } known[] = {
    { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 }, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
};

static void check(const char *where, const uint32_t *got, size_t i)
{
    if (memcmp(got, known[i].want, sizeof known[i].want) != 0)
        fail_msg("%s, counter %08x..: %08x %08x %08x %08x, want %08x %08x %08x %08x", where, known[i].counter[0], got[0], got[1], got[2],
                 got[3], known[i].want[0], known[i].want[1], known[i].want[2], known[i].want[3]);
}

static void try_known(dev_device *device, void *user)
{
    (void)user;
    static const char text[] =
        "\n__kernel void try_philox(const __global uint *in, __global uint *out)\n"
        "{\n"
        "    const size_t i = get_global_id(0);\n"
        "    vstore4(philox4x32(vload4(0, in + 6 * i), vload2(0, in + 6 * i + 4)), i, out);\n"
        "}\n";
    uint32_t in[COUNT(known)][6], out[COUNT(known)][4];
    for (size_t i = 0; i < COUNT(known); i++) {
        memcpy(in[i], known[i].counter, sizeof known[i].counter);
        memcpy(in[i] + 4, known[i].key, sizeof known[i].key);
    }
    run_snippet(device, "sample", text, "try_philox", COUNT(known), in, sizeof in, out, sizeof out);
    for (size_t i = 0; i < COUNT(known); i++)
        check(dev_get_traits(device)->info.name, out[i], i);
}

static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        uint32_t counter[4];
        memcpy(counter, known[i].counter, sizeof counter);
        philox(counter, known[i].key[0], known[i].key[1]);
        check("host", counter, i);
    }
    devices_each(try_known, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
