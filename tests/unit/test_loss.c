/* SPDX-License-Identifier: MIT */
/* test_loss.c - the output layer and its loss in blocks give the bits of whole
 * products: the reference's, of all rows and classes at once. */
#include "nn/loss.h"
#include "support/expect.h"
#include "support/scratch.h"
#include "support/variants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct problem {
    elman_dtype dtype;
    int64_t steps, batch, hidden, classes;
    const void *weights; /* [V,H], then [V] */
    const void *h;       /* [T*B,H] */
    const void *before;  /* what the gradients are added to */
    const int32_t *targets;
    double scale;
} problem;

typedef struct result {
    double *each;
    void *dh, *grad;
} result;

static int64_t rows_of(const problem *p)
{
    return p->steps * p->batch;
}

static int64_t weights_of(const problem *p)
{
    return p->classes * (p->hidden + 1);
}

static problem draw_problem(draw *d, elman_dtype dtype, int64_t steps,
                            int64_t batch, int64_t hidden, int64_t classes)
{
    problem p = {dtype, steps, batch, hidden, classes, .scale = 1 / 7.0};
    const int64_t rows = rows_of(&p), count = weights_of(&p);
    int32_t *const targets = scratch(rows, sizeof *targets);
    for (int64_t i = 0; i < rows; ++i)
        targets[i] = draw_below(d, 9) == 0 ? ELMAN_IGNORE
                                           : (int32_t)draw_below(d, classes);
    p.weights = scratch_as(dtype, scratch_draw(d, count, 1), count);
    p.h = scratch_as(dtype, scratch_draw(d, rows * hidden, 1), rows * hidden);
    p.before = scratch_as(dtype, scratch_draw(d, count, 0.1), count);
    p.targets = targets;
    return p;
}

static result make_result(const problem *p)
{
    const size_t size = elman_dtype_size(p->dtype);
    result r = {.each = scratch_doubles(rows_of(p)),
                .dh = scratch(rows_of(p) * p->hidden, size),
                .grad = scratch(weights_of(p), size)};
    memcpy(r.grad, p->before, (size_t)weights_of(p) * size);
    return r;
}

/* Blocks of 64 steps, the last one first, and in them the last step first. */
static void whole_gradients(const problem *p, const el_kernels *k,
                            const void *dlogits, void *grad)
{
    const int64_t V = p->classes, H = p->hidden, B = p->batch;
    for (int64_t end = p->steps, begin; end > 0; end = begin) {
        begin = (end - 1) / EL_BLOCK_STEPS * EL_BLOCK_STEPS;
        const int64_t rows = (end - begin) * B;
        void *const a = scratch(rows * V, k->size);
        void *const sum = scratch(V * H, k->size);
        void *const bias = scratch(V, k->size);
        for (int64_t i = 0; i < rows; ++i) {
            const int64_t row = (end - 1 - i / B) * B + i % B;
            memcpy(el_at(k, a, i * V), el_at(k, dlogits, row * V),
                   (size_t)V * k->size);
        }
        el_outer o = {.n = V, .k = H, .c = sum, .ldc = H};
        for (int64_t r = 0; r < rows; r += o.rows) {
            const void *row_a[EL_OUTER_ROWS], *row_b[EL_OUTER_ROWS];
            for (o.rows = 0; o.rows < EL_OUTER_ROWS && r + o.rows < rows;
                 ++o.rows) {
                const int64_t i = r + o.rows;
                const int64_t row = (end - 1 - i / B) * B + i % B;
                row_a[o.rows] = el_at(k, a, i * V);
                row_b[o.rows] = el_at(k, p->h, row * H);
            }
            o.a = row_a;
            o.b = row_b;
            k->outer(&o);
        }
        k->add_rows(bias, a, V, NULL, rows, V);
        k->add(grad, sum, V * H);
        k->add(el_at(k, grad, V * H), bias, V);
    }
}

static result whole(const problem *p, const el_kernels *k)
{
    const int64_t V = p->classes, H = p->hidden, rows = rows_of(p);
    result r = make_result(p);
    void *const logits = scratch(rows * V, k->size);
    void *const out = scratch(el_packed_bytes(k, V, H), 1);
    void *const back = scratch(el_packed_bytes(k, H, V), 1);
    k->pack_rows(out, p->weights, H, V, H);
    k->pack_columns(back, p->weights, H, H, V);
    k->gemm(&(el_gemm){.m = rows,
                       .n = V,
                       .k = H,
                       .a = p->h,
                       .lda = H,
                       .w = out,
                       .init = el_at(k, p->weights, V * H),
                       .c = logits,
                       .ldc = V});
    const el_xent xent = {.classes = V, .scale = p->scale};
    for (int64_t i = 0; i < rows; ++i)
        r.each[i] = k->xent(&xent, el_at(k, logits, i * V), p->targets[i],
                            el_at(k, logits, i * V));
    k->gemm(&(el_gemm){.m = rows,
                       .n = H,
                       .k = V,
                       .a = logits,
                       .lda = V,
                       .w = back,
                       .c = r.dh,
                       .ldc = H});
    whole_gradients(p, k, logits, r.grad);
    return r;
}

/* dh and the gradients at once, or one after the other. */
static result in_blocks(const problem *p, elman_context *context, bool apart)
{
    const el_kernels *const k = el_context_kernels(context, p->dtype);
    const int64_t rows = rows_of(p);
    const el_run run = {p->steps, p->batch, NULL};
    result r = make_result(p);
    el_views views = {0};
    el_decoder d;
    must(el_decoder_create(context, k,
                           &(el_decoder_desc){.hidden = p->hidden,
                                              .classes = p->classes,
                                              .tied = -1,
                                              .bias = true},
                           &views, &d));
    el_decoder_pack(&d, p->weights);
    const el_loss loss = {.decoder = &d,
                          .rows = rows,
                          .h = p->h,
                          .targets = p->targets,
                          .logits = scratch(rows * p->classes, k->size),
                          .sums = scratch(2 * rows, k->size),
                          .each = r.each};
    el_loss_forward(&loss);
    el_loss_back back = {.run = run,
                         .scale = p->scale,
                         .weights = p->weights,
                         .dh = r.dh,
                         .grad = apart ? NULL : r.grad};
    back.scratch = scratch(1, el_loss_scratch(&d, run));
    el_loss_backward(&loss, &back);
    if (apart) {
        back.dh = NULL;
        back.grad = r.grad;
        el_loss_backward(&loss, &back);
    }
    el_decoder_free(&d);
    el_views_free(context, &views);
    return r;
}

static void compare(const problem *p, const result *got, const result *expected)
{
    expect_same("each", ELMAN_F64, got->each, expected->each, rows_of(p));
    expect_same("dh", p->dtype, got->dh, expected->dh, rows_of(p) * p->hidden);
    expect_same("grad", p->dtype, got->grad, expected->grad, weights_of(p));
}

/* Sizes around the edges of a block of classes, of the rows that are worked on
 * at once, of a block of steps, and of a tile of columns. */
static const int64_t sizes[][4] = {
    {1, 1, 1, 1},     {3, 2, 33, 255},   {5, 51, 40, 256},  {5, 52, 31, 257},
    {64, 4, 8, 600},  {65, 4, 9, 513},   {130, 3, 17, 300}, {7, 80, 257, 290},
    {2, 300, 12, 40}, {70, 9, 300, 270},
};

static void test_blocks(void **state)
{
    (void)state;
    const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_BF16, ELMAN_F64};
    draw d = {.stream = 1};
    variant list[MOST_VARIANTS];
    const int count = variants_create(list);
    for (int t = 0; t < 3; ++t)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
            const int64_t *const s = sizes[i];
            const problem p =
                draw_problem(&d, dtypes[t], s[0], s[1], s[2], s[3]);
            const result expected =
                whole(&p, el_context_kernels(list[0].context, p.dtype));
            for (int v = 0; v < count; ++v) {
                trying("dtype %d, T %d B %d H %d V %d, %s", (int)p.dtype,
                       (int)s[0], (int)s[1], (int)s[2], (int)s[3],
                       list[v].name);
                const result got =
                    in_blocks(&p, list[v].context, (i + (size_t)v) % 2 == 0);
                compare(&p, &got, &expected);
            }
            scratch_free(NULL);
        }
    variants_destroy(list, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_blocks, scratch_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
