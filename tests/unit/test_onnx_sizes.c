/* SPDX-License-Identifier: MIT */
/* test_onnx_sizes.c - ONNX graphs that compute sizes from sizes. */
#include <stdbool.h>

#include "support/expect.h"
#include "support/graphs.h"
#include "support/variants.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static elman_context *plain;

static int begin(void **state)
{
    (void)state;
    plain = make_context(1, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    elman_context_destroy(&plain);
    return 0;
}

static void gather(graph *m, char *out, char *number, int64_t d)
{
    GRAPH_INTEGERS(m, number, d);
    GRAPH_NODE(m, "Gather", GRAPH_NAMES("sizes", number), GRAPH_NAMES(out));
}

/* y [T,B,4] of a layer, its sizes, and each of them alone: "T", "B", "H". */
static void add_layer(graph *m)
{
    graph_begin(m, plain, 14);
    GRAPH_INPUT(m, "x", GRAPH_FLOAT, -1, -1, 3);
    GRAPH_REALS(m, "W", 1, 16, 3);
    GRAPH_REALS(m, "R", 1, 16, 4);
    ElOnnx__NodeProto *const n =
        GRAPH_NODE(m, "LSTM", GRAPH_NAMES("x", "W", "R"), GRAPH_NAMES("Y"));
    el_onnx_set_int(&m->b, n, "hidden_size", 4);
    GRAPH_INTEGERS(m, "one", 1);
    GRAPH_NODE(m, "Squeeze", GRAPH_NAMES("Y", "one"), GRAPH_NAMES("y"));
    GRAPH_NODE(m, "Shape", GRAPH_NAMES("y"), GRAPH_NAMES("sizes"));
    gather(m, "T", "number 0", 0);
    gather(m, "B", "number 1", 1);
    gather(m, "H", "number 2", 2);
    graph_output(m, "z");
}

static void compute(graph *m, char *op, char *a, char *b, char *out)
{
    GRAPH_NODE(m, op, GRAPH_NAMES(a, b), GRAPH_NAMES(out));
}

/* z is y in the shape of two sizes. */
static void reshape(graph *m, char *first, char *second)
{
    el_onnx_set_int(&m->b,
                    GRAPH_NODE(m, "Concat", GRAPH_NAMES(first, second),
                               GRAPH_NAMES("shape")),
                    "axis", 0);
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("y", "shape"), GRAPH_NAMES("z"));
}

/* ---- What is followed ----------------------------------------------------*/

static void rows(graph *m)
{
    compute(m, "Mul", "T", "B", "rows");
    reshape(m, "rows", "H");
}

static void rows_turned(graph *m)
{
    compute(m, "Mul", "B", "T", "rows");
    reshape(m, "rows", "H");
}

/* (H + 2 - 1) / 2 * 2, as chunk computes it. */
static void halves(graph *m)
{
    GRAPH_INTEGERS(m, "two", 2);
    compute(m, "Mul", "T", "B", "rows");
    compute(m, "Add", "H", "two", "more");
    compute(m, "Sub", "more", "one", "less");
    compute(m, "Div", "less", "two", "half");
    compute(m, "Mul", "half", "two", "whole");
    reshape(m, "rows", "whole");
}

/* What changes nothing is no loss; a number goes with every size of many. */
static void nothing(graph *m)
{
    el_onnx_integer_constant(&m->b, m->g, "once", 1);
    GRAPH_INTEGERS(m, "none", 0, 0, 0);
    compute(m, "Mul", "once", "sizes", "a");
    compute(m, "Div", "a", "one", "b");
    compute(m, "Add", "none", "b", "c");
    compute(m, "Sub", "c", "none", "d");
    GRAPH_NODE(m, "Reshape", GRAPH_NAMES("y", "d"), GRAPH_NAMES("z"));
}

static void test_followed(void **state)
{
    static void (*const cases[])(graph * m) = {rows, rows_turned, halves,
                                               nothing};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        elman_network *n;
        graph m;
        trying("case %zu", i);
        add_layer(&m);
        cases[i](&m);
        must(graph_parse(&m, NULL, &n));
        assert_int_equal(elman_network_width(n), 4);
        elman_network_destroy(&n);
    }
}

/* ---- What is not ---------------------------------------------------------*/

static void twice_steps(graph *m)
{
    compute(m, "Mul", "T", "T", "rows");
    reshape(m, "rows", "H");
}

static void three(graph *m)
{
    compute(m, "Mul", "T", "B", "two");
    compute(m, "Mul", "two", "B", "rows");
    reshape(m, "rows", "H");
}

static void by_zero(graph *m)
{
    GRAPH_INTEGERS(m, "zero", 0);
    compute(m, "Div", "H", "zero", "none");
    reshape(m, "T", "none");
}

static void too_large(graph *m)
{
    GRAPH_INTEGERS(m, "large", INT64_MAX);
    compute(m, "Mul", "H", "large", "larger");
    compute(m, "Add", "larger", "large", "largest");
    compute(m, "Sub", "one", "largest", "least");
    reshape(m, "T", "least");
}

static void unlike(graph *m)
{
    GRAPH_INTEGERS(m, "two", 1, 2);
    compute(m, "Mul", "sizes", "two", "z");
}

static void of_numbers(graph *m)
{
    compute(m, "Mul", "y", "sizes", "z");
}

/* The second half of the steps. */
static void second_half(graph *m)
{
    GRAPH_INTEGERS(m, "two", 2);
    GRAPH_INTEGERS(m, "zero", 0);
    compute(m, "Div", "T", "two", "half");
    GRAPH_NODE(m, "Slice", GRAPH_NAMES("y", "half", "T", "zero"),
               GRAPH_NAMES("z"));
}

static void softmax(graph *m)
{
    GRAPH_NODE(m, "LogSoftmax", GRAPH_NAMES("y"), GRAPH_NAMES("z"));
}

static void test_refused(void **state)
{
    static const struct {
        const char *sentence;
        void (*add)(graph *m);
    } cases[] = {
        {"(Reshape): what it makes of y cannot be followed", twice_steps},
        {"(Reshape): what it makes of y cannot be followed", three},
        {"(Reshape): what it makes of y cannot be followed", by_zero},
        {"(Reshape): what it makes of y cannot be followed", too_large},
        {"node z (Mul): it has 3 sizes and 2", unlike},
        {"node z (Mul): the operator is not one of those that are read, but "
         "where it computes sizes",
         of_numbers},
        {"node z (Slice): its starts, half, are not known numbers, but come of "
         "a size that is free",
         second_half},
        {"node z (LogSoftmax): the operator is not one of those that are read "
         "(a network gives what is before it, logits",
         softmax},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        elman_network *n;
        graph m;
        trying("%s", cases[i].sentence);
        add_layer(&m);
        cases[i].add(&m);
        must_fail(graph_parse(&m, NULL, &n), ELMAN_EFORMAT, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_followed),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
