/* test_hash.c: SHA-256 against known answers, the table hash against what a table needs. */
#include "core/unit.h"

#include <stdio.h>

#include "core/hash.h"

static void sha256_of(const void *data, size_t bytes, size_t step, char hex[65])
{
    core_sha256 sha;
    uint8_t     digest[32];
    core_sha256_init(&sha);
    for (size_t at = 0; at < bytes; at += step)
        core_sha256_add(&sha, (const char *)data + at, bytes - at < step ? bytes - at : step);
    core_sha256_end(&sha, digest);
    core_sha256_hex(digest, hex);
}

static void texts_have_the_digests_of_the_standard(void **state)
{
    /* FIPS 180-4's examples (NIST, "SHA256.pdf" and the long vector). */
    static const struct {
        const char *text, *hex;
    } known[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    };
    char hex[65];
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        sha256_of(known[i].text, strlen(known[i].text), 1000, hex);
        assert_string_equal(hex, known[i].hex);
    }
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    sha256_of(million, 1000000, 4099, hex);
    free(million);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void lengths_around_a_block_are_padded_right(void **state)
{
    /* Byte i is (7 i + 3) modulo 256; digests from Python's hashlib. */
    static const struct {
        size_t      length;
        const char *hex;
    } known[] = {
        { 1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5" },
        { 55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b" },
        { 56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27" },
        { 57, "35df609437dcfea3279283ab79fd554e2bf78f8f7ae2de532d8ee300b09e8f73" },
        { 63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055" },
        { 64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241" },
        { 65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e" },
        { 119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e" },
        { 120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5" },
        { 127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07" },
        { 128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6" },
        { 1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371" },
    };
    uint8_t bytes[1000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i + 3);
    for (size_t i = 0; i < COUNT(known); i++) {
        for (size_t step = 1; step <= 130; step++) { /* however it is cut */
            char hex[65];
            sha256_of(bytes, known[i].length, step, hex);
            if (strcmp(hex, known[i].hex) != 0)
                fail_msg("%zu bytes in steps of %zu: %s, want %s", known[i].length, step, hex, known[i].hex);
        }
    }
}

static void every_bit_length_and_seed_changes_the_table_hash(void **state)
{
    unsigned char bytes[33] = { 0 };
    (void)state;
    for (size_t length = 0; length <= 32; length++) {
        const uint64_t hash = core_hash64(bytes, length, 1);
        assert_true(hash == core_hash64(bytes, length, 1));
        assert_true(hash != core_hash64(bytes, length, 2));
        assert_true(hash != core_hash64(bytes, length + 1, 1)); /* one more zero byte */
        for (size_t bit = 0; bit < 8 * length; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            if (hash == core_hash64(bytes, length, 1))
                fail_msg("bit %zu of %zu bytes does not matter", bit, length);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
}

static void similar_keys_spread_over_a_table(void **state)
{
    enum { KEYS = 65536, BUCKETS = 4096 };
    static unsigned low[BUCKETS], high[BUCKETS];
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[32];
        const int      length = snprintf(key, sizeof key, "token %u", i);
        const uint64_t hash = core_hash64(key, (size_t)length, 0);
        low[hash % BUCKETS]++;
        high[hash >> 52]++;
    }
    /* 16 keys a bucket on average; Poisson: more than 50 in one of 8192 buckets has a chance below 1e-6. */
    for (size_t i = 0; i < BUCKETS; i++) {
        if (low[i] > 50 || high[i] > 50)
            fail_msg("bucket %zu holds %u and %u keys", i, low[i], high[i]);
    }
}

static void git_knows_files_by_sha1(void **state)
{
    /* FIPS 180-4's example, and git's name of an empty file: sha1("blob 0" and a NUL). */
    static const struct {
        const char *text;
        size_t      length;
        const char *hex;
    } known[] = { { "abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d" }, { "blob 0", 7, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" } };
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        core_sha1 sha;
        uint8_t   digest[20];
        char      hex[41];
        core_sha1_init(&sha);
        core_sha1_add(&sha, known[i].text, 2);
        core_sha1_add(&sha, known[i].text + 2, known[i].length - 2);
        core_sha1_end(&sha, digest);
        core_hex(digest, sizeof digest, hex);
        assert_string_equal(hex, known[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(git_knows_files_by_sha1),
        cmocka_unit_test(texts_have_the_digests_of_the_standard),
        cmocka_unit_test(lengths_around_a_block_are_padded_right),
        cmocka_unit_test(every_bit_length_and_seed_changes_the_table_hash),
        cmocka_unit_test(similar_keys_spread_over_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
