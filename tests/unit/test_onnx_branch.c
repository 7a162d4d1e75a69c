/* SPDX-License-Identifier: MIT */
/* test_onnx_branch.c - ONNX graphs with an If: which branch is taken, that the
 * other one is of no interest, and what is refused. */
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

/* y [T,B,4] of a layer, and the sizes of it. */
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
    graph_output(m, "z");
}

/* "decided": whether dimension d of y is `size`. */
static void add_condition(graph *m, int64_t d, int64_t size)
{
    el_onnx_integer_constant(&m->b, m->g, "d", d);
    el_onnx_integer_constant(&m->b, m->g, "size", size);
    GRAPH_NODE(m, "Gather", GRAPH_NAMES("sizes", "d"), GRAPH_NAMES("one_size"));
    GRAPH_NODE(m, "Equal", GRAPH_NAMES("one_size", "size"),
               GRAPH_NAMES("decided"));
}

/* One node that makes `name` of an input; "axes" is a constant of its own. */
static ElOnnx__GraphProto *branch(graph *m, char *op, char *in, char *name,
                                  int64_t axis)
{
    ElOnnx__GraphProto *const g = el_onnx_graph(&m->b, "branch");
    const bool axes = strstr(op, "queeze") != NULL;
    if (axes) {
        int64_t *const number = el_onnx_make(&m->b, sizeof *number);
        if (number)
            *number = axis;
        el_onnx_integers(&m->b, g, "axes", number, 1);
    }
    el_onnx_node(&m->b, g, op, GRAPH_NAMES(in, axes ? "axes" : NULL),
                 GRAPH_NAMES(name));
    el_onnx_graph_output(&m->b, g, name, GRAPH_FLOAT, NULL, -1);
    return g;
}

static ElOnnx__NodeProto *add_if(graph *m, char *condition, char *out,
                                 ElOnnx__GraphProto *yes,
                                 ElOnnx__GraphProto *no)
{
    ElOnnx__NodeProto *const n =
        GRAPH_NODE(m, "If", GRAPH_NAMES(condition), GRAPH_NAMES(out));
    el_onnx_set_graph(&m->b, n, "then_branch", yes);
    el_onnx_set_graph(&m->b, n, "else_branch", no);
    return n;
}

/* The features are 4, and not 1; both branches call what they give "inner", and
 * the one that is not taken has operators that nobody knows. */
static void test_decided(void **state)
{
    (void)state;
    for (int yes = 0; yes < 2; ++yes) {
        elman_network *n;
        graph m;
        add_layer(&m);
        add_condition(&m, 2, yes ? 4 : 1);
        ElOnnx__GraphProto *const taken =
            branch(&m, "Unsqueeze", "y", "inner", 0);
        ElOnnx__GraphProto *const other =
            branch(&m, "Strange", "nowhere", "inner", 0);
        add_if(&m, "decided", "z", yes ? taken : other, yes ? other : taken);
        must(graph_parse(&m, NULL, &n));
        assert_int_equal(elman_network_width(n), 4);
        elman_network_destroy(&n);
    }
}

/* Not turns it round; a cast to a truth leaves it; the names of the first If
 * are free again in the second one. */
static void test_twice(void **state)
{
    elman_network *n;
    graph m;
    (void)state;
    add_layer(&m);
    add_condition(&m, 2, 4);
    GRAPH_NODE(&m, "Not", GRAPH_NAMES("decided"), GRAPH_NAMES("not"));
    el_onnx_set_int(
        &m.b, GRAPH_NODE(&m, "Cast", GRAPH_NAMES("not"), GRAPH_NAMES("cast")),
        "to", EL_ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
    add_if(&m, "cast", "more", branch(&m, "Strange", "y", "inner", 0),
           branch(&m, "Unsqueeze", "y", "inner", 0));
    add_if(&m, "decided", "z", branch(&m, "Squeeze", "more", "inner", 0),
           branch(&m, "Strange", "y", "inner", 0));
    must(graph_parse(&m, NULL, &n));
    elman_network_destroy(&n);
}

/* A constant may decide, and in a branch there may be another If. */
static void test_nested(void **state)
{
    elman_network *n;
    graph m;
    (void)state;
    add_layer(&m);
    add_condition(&m, 2, 4);
    el_onnx_integer_constant(&m.b, m.g, "never", 0);
    ElOnnx__GraphProto *const outer = el_onnx_graph(&m.b, "outer");
    ElOnnx__NodeProto *const inner = el_onnx_node(
        &m.b, outer, "If", GRAPH_NAMES("never"), GRAPH_NAMES("deep"));
    el_onnx_set_graph(&m.b, inner, "then_branch",
                      branch(&m, "Strange", "y", "deeper", 0));
    el_onnx_set_graph(&m.b, inner, "else_branch",
                      branch(&m, "Identity", "y", "deeper", 0));
    el_onnx_graph_output(&m.b, outer, "deep", GRAPH_FLOAT, NULL, -1);
    add_if(&m, "decided", "z", outer, branch(&m, "Strange", "y", "deep", 0));
    must(graph_parse(&m, NULL, &n));
    elman_network_destroy(&n);
}

static void if_free(graph *m)
{
    add_condition(m, 1, 1);
    add_if(m, "decided", "z", branch(m, "Squeeze", "y", "inner", 1),
           branch(m, "Identity", "y", "inner", 0));
}

static void if_input(graph *m)
{
    GRAPH_INPUT(m, "asked", GRAPH_INT32, 1);
    add_if(m, "asked", "z", branch(m, "Identity", "y", "inner", 0),
           branch(m, "Identity", "y", "inner", 0));
}

static void if_wrong(graph *m)
{
    add_condition(m, 2, 1);
    add_if(m, "decided", "z", branch(m, "Identity", "y", "inner", 0),
           branch(m, "Squeeze", "y", "inner", 2));
}

static void if_half(graph *m)
{
    add_condition(m, 2, 4);
    el_onnx_set_graph(
        &m->b, GRAPH_NODE(m, "If", GRAPH_NAMES("decided"), GRAPH_NAMES("z")),
        "else_branch", branch(m, "Identity", "y", "inner", 0));
}

static void if_empty(graph *m)
{
    ElOnnx__GraphProto *const g = branch(m, "Identity", "y", "inner", 0);
    add_condition(m, 2, 4);
    g->n_node = 0;
    add_if(m, "decided", "z", g, branch(m, "Identity", "y", "inner", 0));
}

/* What a branch makes is not there behind it. */
static void if_left(graph *m)
{
    add_condition(m, 2, 4);
    add_if(m, "decided", "other", branch(m, "Identity", "y", "inner", 0),
           branch(m, "Identity", "y", "inner", 0));
    GRAPH_NODE(m, "Identity", GRAPH_NAMES("inner"), GRAPH_NAMES("z"));
}

/* A name of the graph around it is taken. */
static void if_shadow(graph *m)
{
    add_condition(m, 2, 4);
    add_if(m, "decided", "z", branch(m, "Identity", "y", "Y", 0),
           branch(m, "Identity", "y", "inner", 0));
}

static void if_doubled(graph *m)
{
    ElOnnx__GraphProto *const g = branch(m, "Identity", "y", "inner", 0);
    add_condition(m, 2, 4);
    el_onnx_node(&m->b, g, "Identity", GRAPH_NAMES("y"), GRAPH_NAMES("inner"));
    add_if(m, "decided", "z", g, branch(m, "Identity", "y", "inner", 0));
}

static void if_constants(graph *m)
{
    static const int64_t one[] = {1};
    ElOnnx__GraphProto *const g = branch(m, "Unsqueeze", "y", "inner", 0);
    add_condition(m, 2, 4);
    el_onnx_integers(&m->b, g, "axes", one, 1);
    add_if(m, "decided", "z", g, branch(m, "Identity", "y", "inner", 0));
}

static void if_inputs(graph *m)
{
    ElOnnx__GraphProto *const g = branch(m, "Identity", "y", "inner", 0);
    add_condition(m, 2, 4);
    el_onnx_graph_input(&m->b, g, "more", GRAPH_FLOAT, NULL, -1);
    add_if(m, "decided", "z", g, branch(m, "Identity", "y", "inner", 0));
}

static void equal_numbers(graph *m)
{
    GRAPH_NODE(m, "Equal", GRAPH_NAMES("y", "one"), GRAPH_NAMES("z"));
}

static void not_sizes(graph *m)
{
    GRAPH_NODE(m, "Not", GRAPH_NAMES("sizes"), GRAPH_NAMES("z"));
}

static void cast_size(graph *m)
{
    el_onnx_set_int(
        &m->b, GRAPH_NODE(m, "Cast", GRAPH_NAMES("sizes"), GRAPH_NAMES("z")),
        "to", EL_ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
}

static void squeeze_free(graph *m)
{
    GRAPH_NODE(m, "Squeeze", GRAPH_NAMES("y", "one"), GRAPH_NAMES("z"));
}

static void test_refused(void **state)
{
    static const struct {
        const char *sentence;
        void (*add)(graph *m);
    } cases[] = {
        {"node z (If): which branch it takes, decided, is decided by what "
         "enters the graph",
         if_free},
        {"node z (If): which branch it takes, asked, is decided by", if_input},
        {"node inner (Squeeze): axis 2 of y is not known to be 1", if_wrong},
        {"node z (If): its then_branch is no graph without inputs", if_half},
        {"node z (If): no node of its then_branch gives output inner",
         if_empty},
        {"node z (Identity): its input inner is not there", if_left},
        {"tensor Y is there twice", if_shadow},
        {"node inner (Identity): its output inner is there already",
         if_doubled},
        {"tensor axes is there twice", if_constants},
        {"node z (If): its then_branch is no graph without inputs", if_inputs},
        {"node z (Equal): what it decides on is not one size", equal_numbers},
        {"node z (Not): what it decides on is not one size", not_sizes},
        {"node z (Cast): sizes would become of another type, BOOL", cast_size},
        {"node z (Squeeze): axis 1 of y is not known to be 1", squeeze_free},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        graph m;
        elman_network *n;
        add_layer(&m);
        cases[i].add(&m);
        assert_false(m.b.failed);
        must_fail(graph_parse(&m, NULL, &n), ELMAN_EFORMAT, cases[i].sentence);
        assert_null(n);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_decided), TEST(test_twice),
                                       TEST(test_nested), TEST(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
