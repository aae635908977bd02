/* SPDX-License-Identifier: MIT */
/* The arena. */
#include "base/arena.h"

#include "test_base.h"

START_TEST(aligned_and_zeroed)
{
    struct arena a;
    uint64_t seed = unit_seed(1);

    arena_init(&a, 1 << 20);
    for (int i = 0; i < 500; i++) {
        size_t n = unit_below(&seed, 700);
        unsigned char *p = arena_alloc(&a, n);
        char *odd;

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < n; k++)
            ck_assert_uint_eq(p[k], 0);
        memset(p, 0xAA, n); /* so that a second owner would notice */
        odd = arena_bytes(&a, 1 + unit_below(&seed, 7));
        ck_assert_ptr_nonnull(odd);
        *odd = 'x';
    }
    ck_assert_uint_le(a.used, a.max);
    arena_done(&a);
    ck_assert_uint_eq(a.used, 0);
}
END_TEST

/* Pieces of all sizes, those with blocks of their own too, never overlap. */
START_TEST(apart)
{
    enum {
        PIECES = 400
    };
    struct {
        unsigned char *p;
        size_t n;
    } piece[PIECES];
    struct arena a;
    uint64_t seed = unit_seed(2);

    arena_init(&a, 64 << 20);
    for (int i = 0; i < PIECES; i++) {
        piece[i].n = unit_below(&seed, i % 20 ? 300 : 100000);
        piece[i].p = i % 2 ? arena_alloc(&a, piece[i].n)
                           : (void *)arena_bytes(&a, piece[i].n);
        ck_assert_ptr_nonnull(piece[i].p);
        memset(piece[i].p, i & 255, piece[i].n);
    }
    for (int i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < piece[i].n; k++)
            ck_assert_uint_eq(piece[i].p[k], (unsigned)i & 255);
    }
    arena_done(&a);
}
END_TEST

START_TEST(bound)
{
    struct arena a;
    size_t got = 0;

    arena_init(&a, 1000);
    ck_assert_ptr_null(arena_bytes(&a, 1001));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 8));
    while (arena_bytes(&a, 7))
        got += 7;
    ck_assert_uint_eq(got, 994);
    ck_assert_ptr_nonnull(arena_bytes(&a, 6)); /* what is left is usable */
    ck_assert_uint_eq(a.used, 1000);
    ck_assert_ptr_null(arena_bytes(&a, 1));
    ck_assert_ptr_null(arena_alloc(&a, 0)); /* past the bound nothing goes */
    ck_assert_ptr_null(arena_dup(&a, STR("")).p);
    ck_assert_ptr_null(arena_printf(&a, "x").p);
    arena_done(&a);
    ck_assert_ptr_nonnull(arena_bytes(&a, 1000)); /* and may be used again */
    arena_done(&a);
    arena_init(&a, 0);
    ck_assert_ptr_null(arena_bytes(&a, 1));
    arena_done(&a);
}
END_TEST

START_TEST(large_bound)
{
    struct arena a;

    arena_init(&a, 100000);
    ck_assert_ptr_nonnull(arena_alloc(&a, 99000));
    ck_assert_ptr_null(arena_alloc(&a, 1001));
    ck_assert_ptr_nonnull(arena_alloc(&a, 900));
    arena_done(&a);
    /* 16 bytes are left: too few where aligning costs 15 of them. */
    arena_init(&a, 20017);
    ck_assert_ptr_nonnull(arena_bytes(&a, 1));
    ck_assert_ptr_nonnull(arena_alloc(&a, 20000));
    arena_alloc(&a, 16);
    ck_assert_uint_le(a.used, a.max);
    arena_done(&a);
}
END_TEST

START_TEST(texts)
{
    struct arena a;
    pbay_str s;
    char *empty;

    arena_init(&a, 1 << 16);
    s = arena_dup(&a, str_n("a\0b", 3));
    ck_assert_uint_eq(s.n, 3);
    ck_assert_mem_eq(s.p, "a\0b", 4);
    s = arena_dup(&a, STR_NONE);
    ck_assert_ptr_nonnull(s.p);
    ck_assert_str_eq(s.p, "");
    s = arena_printf(&a, "%d-%s", 42, "x");
    ck_view_eq(s, "42-x");
    ck_assert_str_eq(s.p, "42-x");
    empty = arena_alloc(&a, 0);
    ck_assert_ptr_nonnull(empty);
    ck_assert_ptr_ne(empty, arena_alloc(&a, 0));
    arena_done(&a);
    arena_done(&a); /* twice does no harm */
}
END_TEST

Suite *base_arena_suite(void)
{
    Suite *s = suite_create("base/arena");
    TCase *t = tcase_create("arena");

    tcase_add_test(t, aligned_and_zeroed);
    tcase_add_test(t, apart);
    tcase_add_test(t, bound);
    tcase_add_test(t, large_bound);
    tcase_add_test(t, texts);
    suite_add_tcase(s, t);
    return s;
}
