/* SPDX-License-Identifier: MIT */
/* textbook_tmpl.h - what the reference's kernels should compute, in the plain
 * loops of a textbook and in a wider type, and the error that rounding may
 * make.  The file that includes it defines REAL, WIDE, NAME(op), TABLE, ROUND
 * (half an ulp of 1) and FUNCTION(name) for functions of WIDE. */

static REAL NAME(any)(draw *d)
{
    return (REAL)draw_between(d, -1, 1);
}

static void NAME(fill)(draw *d, REAL *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; ++i)
        x[i] = NAME(any)(d);
}

static void NAME(near)(REAL got, WIDE expected, WIDE bound)
{
    const WIDE error = FUNCTION(fabs)((WIDE)got - expected);
    if (!(error <= bound))
        fail_trying("%.17g, not %.17g: off by %.3g, %.3g is allowed",
                    (double)got, (double)expected, (double)error,
                    (double)bound);
}

/* w[n,k], one way or the other, becomes panels of 32 outputs. */
static void NAME(check_packing)(const REAL *packed, const REAL *w,
                                const REAL *columns, ptrdiff_t n, ptrdiff_t k)
{
    const el_kernels *const table = TABLE;
    enum { MOST = 96 * 70 };
    static REAL again[MOST], turned[MOST];
    const ptrdiff_t count =
        el_packed_bytes(table, n, k) / (ptrdiff_t)sizeof(REAL);
    assert_true(count <= MOST);
    for (ptrdiff_t panel = 0; panel * 32 < n; ++panel)
        for (ptrdiff_t step = 0; step < k; ++step)
            for (ptrdiff_t j = 0; j < 32; ++j) {
                const ptrdiff_t output = panel * 32 + j;
                const REAL got = packed[(panel * k + step) * 32 + j];
                const REAL is = output < n ? w[output * k + step] : 0;
                if (got != is)
                    fail_trying("packed output %td, step %td", output, step);
            }
    table->pack_columns(again, columns, n, n, k);
    for (ptrdiff_t i = 0; i < count; ++i)
        if (again[i] != packed[i])
            fail_trying("the two ways of packing differ at %td", i);
    table->transpose(turned, n, w, n, k);
    for (ptrdiff_t i = 0; i < n * k; ++i)
        if (turned[i] != columns[i])
            fail_trying("transpose differs at %td", i);
}

static WIDE NAME(epilogue)(WIDE sum, el_epilogue epilogue, WIDE y)
{
    switch (epilogue) {
    case EL_TANH:
        return FUNCTION(tanh)(sum);
    case EL_RELU:
        return sum > 0 ? sum : 0;
    case EL_DTANH:
        return sum * (1 - y * y);
    case EL_DRELU:
        return y > 0 ? sum : 0;
    case EL_PLAIN:
        break;
    }
    return sum;
}

static void NAME(check_gemm)(draw *d, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                             el_epilogue epilogue, bool init)
{
    static REAL a[16 * 70], w[70 * 70], columns[70 * 70], packed[96 * 70];
    static REAL from[16 * 70], aux[16 * 70], c[16 * 70];
    trying("gemm: m %td n %td k %td, epilogue %d, init %d", m, n, k, epilogue,
           init);
    NAME(fill)(d, a, m * k);
    NAME(fill)(d, w, n * k);
    NAME(fill)(d, from, m * n);
    NAME(fill)(d, aux, m * n);
    for (ptrdiff_t j = 0; j < n; ++j)
        for (ptrdiff_t i = 0; i < k; ++i)
            columns[i * n + j] = w[j * k + i];
    TABLE->pack_rows(packed, w, k, n, k);
    NAME(check_packing)(packed, w, columns, n, k);
    const el_gemm g = {.m = m,
                       .n = n,
                       .k = k,
                       .a = a,
                       .lda = k,
                       .w = packed,
                       .init = init ? from : NULL,
                       .ldi = n,
                       .c = c,
                       .ldc = n,
                       .epilogue = epilogue,
                       .aux = aux,
                       .ldaux = n};
    TABLE->gemm(&g);
    for (ptrdiff_t i = 0; i < m; ++i)
        for (ptrdiff_t j = 0; j < n; ++j) {
            WIDE sum = init ? (WIDE)from[i * n + j] : 0, size = 0;
            for (ptrdiff_t s = 0; s < k; ++s) {
                const WIDE product = (WIDE)a[i * k + s] * (WIDE)w[j * k + s];
                sum += product;
                size += FUNCTION(fabs)(product);
            }
            size += init ? FUNCTION(fabs)((WIDE)from[i * n + j]) : 0;
            const WIDE y = (WIDE)aux[i * n + j];
            const WIDE is = NAME(epilogue)(sum, epilogue, y);
            /* No epilogue stretches an error; each adds some of its own. */
            NAME(near)
            (c[i * n + j], is,
             ROUND * ((WIDE)k * size + 6 * FUNCTION(fabs)(epilogue ? is : 0)));
        }
}

static void NAME(check_epilogues)(draw *d, ptrdiff_t m, ptrdiff_t n,
                                  ptrdiff_t k)
{
    for (int e = EL_PLAIN; e <= EL_DRELU; ++e)
        NAME(check_gemm)(d, m, n, k, (el_epilogue)e, draw_below(d, 2));
}

static void NAME(gemm)(void **state)
{
    (void)state;
    draw d = {.stream = 21};
    static const ptrdiff_t ns[] = {1, 5, 31, 32, 33, 70};
    static const ptrdiff_t ks[] = {0, 1, 2, 17, 64, 70};
    for (ptrdiff_t m = 1; m <= 16; m += 3)
        for (int i = 0; i < 36; ++i)
            NAME(check_epilogues)(&d, m, ns[i / 6], ks[i % 6]);
}

static void NAME(outer)(void **state)
{
    (void)state;
    draw d = {.stream = 22};
    static REAL a[40 * 40], b[40 * 64], from[40 * 40], c[40 * 40];
    const void *row_a[40], *row_b[40];
    for (ptrdiff_t rows = 0; rows <= 40; rows += 5)
        for (ptrdiff_t n = 1; n <= 40; n += 6)
            for (ptrdiff_t k = 1; k <= 40; k += 13) {
                trying("outer: rows %td n %td k %td", rows, n, k);
                NAME(fill)(&d, a, rows * n);
                NAME(fill)(&d, b, rows * 64);
                NAME(fill)(&d, from, n * k);
                memcpy(c, from, sizeof c);
                for (ptrdiff_t r = 0; r < rows; ++r) {
                    row_a[r] = a + r * n;
                    row_b[r] = b + r * 64;
                }
                const el_outer o = {.rows = rows,
                                    .n = n,
                                    .k = k,
                                    .a = row_a,
                                    .b = row_b,
                                    .c = c,
                                    .ldc = k};
                TABLE->outer(&o);
                for (ptrdiff_t i = 0; i < n; ++i)
                    for (ptrdiff_t j = 0; j < k; ++j) {
                        WIDE sum = (WIDE)from[i * k + j];
                        WIDE size = FUNCTION(fabs)(sum);
                        for (ptrdiff_t r = 0; r < rows; ++r) {
                            const WIDE product =
                                (WIDE)a[r * n + i] * (WIDE)b[r * 64 + j];
                            sum += product;
                            size += FUNCTION(fabs)(product);
                        }
                        NAME(near)
                        (c[i * k + j], sum, ROUND * (WIDE)rows * size);
                    }
            }
}

static WIDE NAME(sigmoid)(WIDE x)
{
    return 1 / (1 + FUNCTION(exp)(-x));
}

static void NAME(functions)(void **state)
{
    (void)state;
    draw d = {.stream = 23};
    enum { N = 10000 };
    static REAL x[N], y[N];
    for (ptrdiff_t i = 0; i < N; ++i)
        x[i] = (REAL)draw_between(&d, -20, 20);
    trying("exp");
    TABLE->exp(y, x, N);
    for (ptrdiff_t i = 0; i < N; ++i) {
        const WIDE is = FUNCTION(exp)((WIDE)x[i]);
        NAME(near)(y[i], is, 4 * ROUND * is);
    }
    trying("tanh");
    TABLE->tanh(y, x, N);
    for (ptrdiff_t i = 0; i < N; ++i) {
        const WIDE is = FUNCTION(tanh)((WIDE)x[i]);
        NAME(near)(y[i], is, 6 * ROUND * FUNCTION(fabs)(is));
    }
    trying("sigmoid");
    TABLE->sigmoid(y, x, N);
    for (ptrdiff_t i = 0; i < N; ++i) {
        const WIDE is = NAME(sigmoid)((WIDE)x[i]);
        NAME(near)(y[i], is, 6 * ROUND * is);
    }
}

static void NAME(sums)(void **state)
{
    (void)state;
    draw d = {.stream = 24};
    enum { ROWS = 9, MOST = 50 };
    static REAL x[ROWS * MOST], from[MOST], y[MOST];
    static const int32_t index[] = {3, 3, 0, 8, 1, 3, 7};
    for (ptrdiff_t n = 1; n <= MOST; ++n)
        for (int way = 0; way < 3; ++way) {
            NAME(fill)(&d, x, ROWS * MOST);
            NAME(fill)(&d, from, n);
            memcpy(y, from, sizeof y);
            trying("add, way %d: n %td", way, n);
            const ptrdiff_t rows = way == 0 ? 1 : 7;
            if (way == 0)
                TABLE->add(y, x, n);
            else
                TABLE->add_rows(y, x, MOST, way == 2 ? index : NULL, rows, n);
            for (ptrdiff_t j = 0; j < n; ++j) {
                WIDE sum = (WIDE)from[j];
                for (ptrdiff_t r = 0; r < rows; ++r)
                    sum += (WIDE)x[(way == 2 ? index[r] : r) * MOST + j];
                NAME(near)(y[j], sum, ROUND * 8 * 8);
            }
            trying("sum_squares: n %td", n);
            long double square = 0;
            for (ptrdiff_t j = 0; j < n; ++j)
                square += (long double)x[j] * (long double)x[j];
            const double got = TABLE->sum_squares(x, n);
            if (!(fabsl((long double)got - square) <= 0x1p-50L * square))
                fail_trying("%.17g, not %.17Lg", got, square);
        }
}

/* The loss of one row, and its gradient, as torch.nn.CrossEntropyLoss defines
 * them: sum over j of q_j (ln sum exp(x) - x_j). */
static WIDE NAME(textbook_xent)(const el_xent *e, const REAL *x, int64_t target,
                                WIDE *dx)
{
    const REAL *const weight = e->weight;
    WIDE most = x[0], sum = 0, loss = 0, all = 0;
    for (ptrdiff_t j = 0; j < e->classes; ++j)
        most = (WIDE)x[j] > most ? (WIDE)x[j] : most;
    for (ptrdiff_t j = 0; j < e->classes; ++j)
        sum += FUNCTION(exp)((WIDE)x[j] - most);
    const WIDE lse = most + FUNCTION(log)(sum);
    for (int pass = 0; pass < 2; ++pass)
        for (ptrdiff_t j = 0; j < e->classes; ++j) {
            WIDE q = (WIDE)e->smoothing / (WIDE)e->classes;
            q += j == target ? 1 - (WIDE)e->smoothing : 0;
            q *= weight ? (WIDE)weight[j] : 1;
            if (pass == 0) {
                all += q;
                loss += q * (lse - (WIDE)x[j]);
            } else {
                dx[j] = (WIDE)e->scale *
                        (all * FUNCTION(exp)((WIDE)x[j] - lse) - q);
            }
        }
    return loss;
}

static void NAME(check_xent)(draw *d, ptrdiff_t classes, double range)
{
    enum { MOST = 300 };
    static REAL x[MOST], weight[MOST], dx[MOST];
    static WIDE expected[MOST];
    for (ptrdiff_t j = 0; j < classes; ++j) {
        x[j] = (REAL)draw_between(d, -range, range);
        weight[j] = (REAL)draw_between(d, 0, 2);
    }
    const el_xent e = {
        .classes = classes,
        .weight = draw_below(d, 2) ? weight : NULL,
        .smoothing = draw_below(d, 2) ? draw_between(d, 0, 1) : 0,
        .scale = draw_between(d, 0.001, 2),
    };
    const int64_t target = draw_below(d, classes);
    trying("xent: V %td, logits within %g, smoothing %g, weights %d", classes,
           range, e.smoothing, e.weight != NULL);
    const double loss = TABLE->xent(&e, x, target, dx);
    const WIDE is = NAME(textbook_xent)(&e, x, target, expected);
    /* exp, sums, log and differences round by so much of what they meet, and
     * a sum over all classes in double by so much of itself. */
    const WIDE bound = ROUND * (20 + 8 * (WIDE)range + (WIDE)classes / 16) *
                           (e.weight ? 4 : 1) +
                       (WIDE)0x1p-53 * (WIDE)classes * is;
    NAME(near)((REAL)loss, is, bound);
    for (ptrdiff_t j = 0; j < classes; ++j)
        NAME(near)(dx[j], expected[j], bound * (WIDE)e.scale);
}

static void NAME(xent)(void **state)
{
    (void)state;
    draw d = {.stream = 25};
    for (ptrdiff_t classes = 1; classes <= 300; ++classes)
        for (int i = 0; i < 10; ++i)
            NAME(check_xent)(&d, classes, draw_below(&d, 2) ? 5 : 30);
}

/* One step of torch.optim's formulas. */
static void NAME(textbook_update)(const el_update *u, double t, WIDE *p, WIDE g,
                                  WIDE *m, WIDE *v)
{
    const WIDE lr = (WIDE)u->lr, decay = (WIDE)u->weight_decay;
    g *= (WIDE)u->grad_scale;
    if (u->kind == ELMAN_ADAMW)
        *p -= lr * decay * *p;
    else
        g += decay * *p;
    switch (u->kind) {
    case ELMAN_SGD:
        *p -= lr * g;
        break;
    case ELMAN_MOMENTUM:
        *m = (WIDE)u->momentum * *m + g;
        *p -= lr * *m;
        break;
    case ELMAN_ADAM:
    case ELMAN_ADAMW: {
        const WIDE b1 = (WIDE)u->beta1, b2 = (WIDE)u->beta2;
        *m = b1 * *m + (1 - b1) * g;
        *v = b2 * *v + (1 - b2) * g * g;
        const WIDE c1 = 1 - FUNCTION(pow)(b1, (WIDE)t);
        const WIDE c2 = 1 - FUNCTION(pow)(b2, (WIDE)t);
        *p -= lr / c1 * *m /
              (FUNCTION(sqrt)(*v) / FUNCTION(sqrt)(c2) + (WIDE)u->eps);
        break;
    }
    case ELMAN_RMSPROP:
        *m = (WIDE)u->alpha * *m + (1 - (WIDE)u->alpha) * g * g;
        *p -= lr * g / (FUNCTION(sqrt)(*m) + (WIDE)u->eps);
        break;
    }
}

/* Ten updates, each from the kernel's own last weights and moments. */
static void NAME(check_update)(draw *d, int kind)
{
    enum { N = 33 };
    REAL p[N], g[N], m[N] = {0}, v[N] = {0};
    NAME(fill)(d, p, N);
    el_update u = {
        .kind = (elman_optimizer_kind)kind,
        .lr = draw_between(d, 0.001, 0.5),
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .alpha = 0.99,
        .eps = draw_below(d, 2) ? 1e-8 : 1e-3,
        .weight_decay = draw_below(d, 2) ? 0 : draw_between(d, 0, 0.1),
        .grad_scale = draw_below(d, 2) ? 1 : draw_between(d, 0.1, 1),
    };
    for (int t = 1; t <= 10; ++t) {
        WIDE is[3][N];
        NAME(fill)(d, g, N);
        u.correction1 = 1 - pow(u.beta1, t);
        u.correction2 = 1 - pow(u.beta2, t);
        for (ptrdiff_t j = 0; j < N; ++j) {
            is[0][j] = (WIDE)p[j];
            is[1][j] = (WIDE)m[j];
            is[2][j] = (WIDE)v[j];
            NAME(textbook_update)
            (&u, t, &is[0][j], (WIDE)g[j], &is[1][j], &is[2][j]);
        }
        TABLE->update(&u, p, g, m, v, N);
        for (ptrdiff_t j = 0; j < N; ++j) {
            trying("update: optimizer %d, step %d, element %td", kind, t, j);
            /* A step is some 10 lr at most; 1 - beta is exact in double, but
             * its power has been rounded there. */
            NAME(near)
            (p[j], is[0][j], ROUND * 8 * (1 + 20 * (WIDE)u.lr) + (WIDE)0x1p-46);
            NAME(near)(m[j], is[1][j], ROUND * 16);
            NAME(near)(v[j], is[2][j], ROUND * 16);
        }
    }
}

static void NAME(update)(void **state)
{
    (void)state;
    draw d = {.stream = 26};
    for (int kind = ELMAN_SGD; kind <= ELMAN_RMSPROP; ++kind)
        for (int i = 0; i < 50; ++i)
            NAME(check_update)(&d, kind);
}
