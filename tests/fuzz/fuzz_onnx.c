/* SPDX-License-Identifier: MIT */
/* fuzz_onnx.c - any bytes as an ONNX file: what is taken is a network that
 * runs.
 *
 * The first byte of an input is 0 where the rest is the file.  Else the file is
 * made of it: each ten bytes are a node, its operator, six inputs among what
 * there is by then, and three numbers for its attributes, so that changes meet
 * the reader of graphs and not that of messages. */
#include "../unit/test_context.h"
#include "../support/graphs.h"
#include "../../src/model/network.h"
#include "standalone.h"

enum { BLOCK_MOST = 1 << 22, NODES_MOST = 24, NODE_BYTES = 10 };

static elman_context *context;

static void *alloc_little(void *user, size_t size)
{
    return size > BLOCK_MOST ? NULL : test_alloc(user, size);
}

static void begin(void)
{
    const elman_context_desc desc = {
        .struct_size = sizeof desc,
        .allocator = {alloc_little, test_free, NULL},
        .isa = "c"};
    if (!context)
        FUZZ_CHECK(elman_context_create(&desc, &context) == ELMAN_OK);
}

/* ---- What is taken --------------------------------------------------------*/

static void run(const elman_network *n)
{
    elman_network_desc d = ELMAN_NETWORK_DESC;
    elman_network_describe(n, &d);
    elman_sequences q = ELMAN_SEQUENCES;
    elman_network_tape *tape;
    static const int32_t ids[6];
    if (elman_network_parameters(n) > 1 << 16 || d.rnn.input > 1 << 12)
        return;
    const size_t size = elman_dtype_size(d.rnn.dtype);
    void *const x = calloc((size_t)(6 * d.rnn.input), size);
    void *const y = calloc((size_t)(6 * elman_network_width(n)), size);
    FUZZ_CHECK(x && y);
    FUZZ_CHECK(elman_network_tape_create(n, 3, 2, &tape) == ELMAN_OK);
    q.steps = 3;
    q.batch = 2;
    q.x = d.embed > 0 ? NULL : x;
    q.ids = d.embed > 0 ? ids : NULL;
    q.y = y;
    FUZZ_CHECK(elman_network_run(n, tape, &q) == ELMAN_OK);
    elman_network_tape_destroy(&tape);
    free(x);
    free(y);
}

static elman_status check_file(const void *bytes, size_t size)
{
    const int64_t live = test_live;
    elman_network *network = NULL;
    elman_lm *lm = NULL;
    const elman_status status =
        el_onnx_parse(context, "fuzz", bytes, size, &lm, &network);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT ||
               status == ELMAN_EUNSUPPORTED || status == ELMAN_ENOMEM);
    FUZZ_CHECK((status == ELMAN_OK) == ((lm != NULL) != (network != NULL)));
    if (network)
        run(network);
    elman_network_destroy(&network);
    elman_lm_destroy(&lm);
    FUZZ_CHECK(test_live == live);
    return status;
}

/* ---- A graph of bytes -----------------------------------------------------*/

static char *const operators[] = {
    "LSTM",      "GRU",    "RNN",  "Squeeze",         "Transpose", "Reshape",
    "Concat",    "MatMul", "Add",  "Gather",          "Slice",     "Split",
    "Unsqueeze", "Shape",  "Gemm", "Identity",        "Cast",      "OneHot",
    "Dropout",   "Expand", "Scan", "ConstantOfShape", "Constant"};
enum { OPERATORS = sizeof operators / sizeof *operators, NAMES_MOST = 128 };
/* First bytes that are these others. */
enum { SUB = 250, MUL, DIV, EQUAL, NOT, IF };

typedef struct made {
    graph m;
    char *names[NAMES_MOST];
    bool there[NAMES_MOST]; /* of leaves: it is in the graph */
    int count;
} made;

/* What a graph begins with: a name, what it is, and a shape or integers.  Input
 * size 3, hidden size 4; the place of each is its number in a node. */
static const struct leaf {
    char *name;
    enum { NOTHING, INPUT, REALS, INTEGERS, SCALAR, TRUTHS } kind;
    int type, count;
    int64_t numbers[3];
} leaves[] = {
    {"", NOTHING, 0, 0, {0}},
    {"x", INPUT, GRAPH_FLOAT, 3, {-1, -1, 3}},   /* 1 */
    {"ids", INPUT, GRAPH_INT64, 2, {-1, -1}},    /* 2 */
    {"lengths", INPUT, GRAPH_INT32, 1, {-1}},    /* 3 */
    {"h0", INPUT, GRAPH_FLOAT, 3, {2, -1, 4}},   /* 4 */
    {"fixed", INPUT, GRAPH_FLOAT, 3, {5, 2, 3}}, /* 5 */
    {"W4", REALS, 0, 3, {1, 16, 3}},             /* 6 */
    {"R4", REALS, 0, 3, {1, 16, 4}},             /* 7 */
    {"B4", REALS, 0, 2, {1, 32}},                /* 8 */
    {"W3", REALS, 0, 3, {2, 12, 3}},             /* 9 */
    {"R3", REALS, 0, 3, {2, 12, 4}},             /* 10 */
    {"B3", REALS, 0, 2, {2, 24}},                /* 11 */
    {"W1", REALS, 0, 3, {1, 4, 4}},              /* 12 */
    {"R1", REALS, 0, 3, {1, 4, 4}},              /* 13 */
    {"M4", REALS, 0, 2, {4, 5}},                 /* 14 */
    {"M8", REALS, 0, 2, {8, 5}},                 /* 15 */
    {"bias", REALS, 0, 1, {5}},                  /* 16 */
    {"table", REALS, 0, 2, {7, 3}},              /* 17 */
    {"one", INTEGERS, 0, 1, {1}},                /* 18 */
    {"flat", INTEGERS, 0, 3, {0, 0, -1}},        /* 19 */
    {"rows", INTEGERS, 0, 2, {-1, 4}},           /* 20 */
    {"zero", INTEGERS, 0, 1, {0}},               /* 21 */
    {"seven", INTEGERS, 0, 1, {7}},              /* 22 */
    {"pair", INTEGERS, 0, 2, {1, 1}},            /* 23 */
    {"scalar", SCALAR, 0, 0, {1}},               /* 24 */
    {"truths", TRUTHS, 0, 0, {0}},               /* 25 */
    {"W48", REALS, 0, 3, {1, 16, 8}},            /* 26 */
    {"last", SCALAR, 0, 0, {-1}},                /* 27 */
};
enum { LEAVES = sizeof leaves / sizeof *leaves };

static void add_leaf(made *g, int number)
{
    static const float truths[] = {0, 1};
    const struct leaf *const leaf = &leaves[number];
    if (g->there[number])
        return;
    g->there[number] = true;
    switch (leaf->kind) {
    case NOTHING:
        break;
    case INPUT:
        graph_input(&g->m, leaf->name, leaf->type, leaf->numbers, leaf->count);
        break;
    case REALS:
        graph_reals(&g->m, leaf->name, leaf->numbers, leaf->count);
        break;
    case INTEGERS:
        el_onnx_integers(&g->m.b, g->m.g, leaf->name, leaf->numbers,
                         leaf->count);
        break;
    case SCALAR:
        el_onnx_integer_constant(&g->m.b, g->m.g, leaf->name, leaf->numbers[0]);
        break;
    case TRUTHS:
        el_onnx_initializer(&g->m.b, g->m.g, leaf->name, GRAPH_FLOAT,
                            (int64_t[]){2}, 1, truths, sizeof truths);
        break;
    }
}

/* The name of an input of a node's: what nobody names is not in the graph,
 * which so is read much faster. */
static char *use(made *g, int number)
{
    if (number < LEAVES)
        add_leaf(g, number);
    return g->names[number];
}

static void add(made *g, char *name)
{
    if (g->count < NAMES_MOST)
        g->names[g->count++] = name;
}

static void set_recurrent(made *g, ElOnnx__NodeProto *n, const uint8_t *at)
{
    static char *const directions[] = {"forward", "reverse", "bidirectional",
                                       "sideways"};
    static char *const words[] = {"Tanh", "Relu", "Sigmoid"};
    el_onnx_set_int(&g->m.b, n, "hidden_size", at[7] & 1 ? 3 : 4);
    if (at[7] & 2)
        el_onnx_set_text(&g->m.b, n, "direction", directions[at[7] >> 2 & 3]);
    if (at[7] & 16)
        el_onnx_set_int(&g->m.b, n, "linear_before_reset", 1);
    if (at[7] & 32)
        el_onnx_set_texts(&g->m.b, n, "activations", words[at[8] % 3],
                          1 + (at[8] >> 2 & 3));
    if (at[7] & 64)
        el_onnx_set_int(&g->m.b, n, at[8] & 1 ? "clip" : "layout", at[8] & 2);
}

static void set_attributes(made *g, ElOnnx__NodeProto *n, int op,
                           const uint8_t *at)
{
    el_onnx_builder *const b = &g->m.b;
    const int64_t numbers[] = {(int8_t)at[8], (int8_t)at[9], 2, at[8] & 3};
    if (op < 3)
        set_recurrent(g, n, at);
    else if (strcmp(operators[op], "Transpose") == 0 && (at[7] & 1))
        el_onnx_set_ints(
            b, n, "perm",
            (int64_t[]){at[8] & 3, at[8] >> 2 & 3, at[8] >> 4 & 3, at[9] & 3},
            3 + (at[7] >> 1 & 1));
    else if (strcmp(operators[op], "Scan") == 0)
        el_onnx_set_int(b, n, "num_scan_inputs", 1);
    else if (at[7] & 1)
        el_onnx_set_int(b, n,
                        op == 16   ? "to"
                        : op == 14 ? "transB"
                                   : "axis",
                        (int8_t)at[8]);
    else if (at[7] & 2)
        el_onnx_set_ints(b, n,
                         op == 22   ? "value_ints"
                         : op == 11 ? "split"
                                    : "axes",
                         numbers, 1 + (at[7] >> 2 & 3));
}

/* An If on input 1, whose branches are a node each, of inputs 2 and 3 and of
 * inputs 4 and 5; what they give has one name or two. */
static void add_if(made *g, int number, const uint8_t *at)
{
    el_onnx_builder *const b = &g->m.b;
    char *const out = el_onnx_text(b, "n%d_0", number);
    char *const condition = use(g, at[1] % g->count);
    char *const in[] = {use(g, at[2] % g->count), use(g, at[3] % g->count),
                        use(g, at[4] % g->count), use(g, at[5] % g->count)};
    ElOnnx__NodeProto *const n =
        GRAPH_NODE(&g->m, "If", GRAPH_NAMES(condition), GRAPH_NAMES(out));
    for (int i = 0; i < 2; ++i) {
        ElOnnx__GraphProto *const branch = el_onnx_graph(b, "branch");
        char *const given = el_onnx_text(b, "b%d_%d", number, at[6] & i);
        const int op = at[8 + i] % OPERATORS;
        char *const second = *in[2 * i + 1] ? in[2 * i + 1] : NULL;
        el_onnx_node(b, branch, operators[op], GRAPH_NAMES(in[2 * i], second),
                     GRAPH_NAMES(given));
        el_onnx_graph_output(b, branch, given, GRAPH_FLOAT, NULL, -1);
        el_onnx_set_graph(b, n, i == 0 ? "then_branch" : "else_branch", branch);
    }
    add(g, out);
}

static void add_of_sizes(made *g, int number, const uint8_t *at)
{
    static char *const names[] = {"Sub", "Mul", "Div", "Equal", "Not"};
    char *const out = el_onnx_text(&g->m.b, "n%d_0", number);
    char *const a = use(g, at[1] % g->count);
    char *const b = at[0] != NOT ? use(g, at[2] % g->count) : NULL;
    GRAPH_NODE(&g->m, names[at[0] - SUB], GRAPH_NAMES(a, b), GRAPH_NAMES(out));
    add(g, out);
}

static void add_node(made *g, int number, const uint8_t *at)
{
    const int op = at[0] % OPERATORS;
    char *in[8] = {NULL}, *out[4] = {NULL};
    int used = 0;
    for (int i = 0; i < 6; ++i) {
        in[i] = use(g, at[1 + i] % g->count);
        used = *in[i] ? i + 1 : used;
    }
    in[used] = NULL;
    const int outputs = op < 3 || op == 11 || op == 20 ? 3 - (at[9] & 1) : 1;
    for (int i = 0; i < outputs; ++i)
        out[i] = el_onnx_text(&g->m.b, "n%d_%d", number, i);
    set_attributes(g, GRAPH_NODE(&g->m, operators[op], in, out), op, at);
    for (int i = 0; i < outputs; ++i)
        add(g, out[i]);
}

/* Of no interest to a sanitizer: a piece after another of one block. */
static unsigned char arena[1 << 18];
static size_t arena_used;

static void *arena_alloc(void *user, size_t size)
{
    (void)user;
    FUZZ_CHECK(size < sizeof arena - arena_used - 64);
    void *const block = arena + arena_used;
    arena_used += (size + 63) / 64 * 64;
    return block;
}

static void arena_free(void *user, void *block)
{
    (void)user;
    (void)block;
}

/* data[0] says what opset it is, and with bit 7 that all leaves are in the
 * graph.  Its output is what was there last. */
static elman_status check_graph(const uint8_t *data, size_t size)
{
    static const int opsets[] = {7, 9, 11, 13, 14, 17, 25};
    static const elman_context plain = {
        .allocator = {arena_alloc, arena_free, NULL}};
    static made g;
    g = (made){.count = 0};
    arena_used = 0;
    graph_begin(&g.m, &plain, opsets[data[0] % 7]);
    for (int i = 0; i < LEAVES; ++i) {
        add(&g, leaves[i].name);
        if (data[0] & 128)
            add_leaf(&g, i);
    }
    for (int i = 0; i < NODES_MOST && size >= 1 + NODE_BYTES; ++i) {
        if (data[1] == IF)
            add_if(&g, i, data + 1);
        else if (data[1] >= SUB)
            add_of_sizes(&g, i, data + 1);
        else
            add_node(&g, i, data + 1);
        data += NODE_BYTES;
        size -= NODE_BYTES;
    }
    graph_output(&g.m, use(&g, g.count - 1));
    const size_t packed = el_onnx__model_proto__get_packed_size(g.m.model);
    unsigned char *const bytes = malloc(packed);
    FUZZ_CHECK(bytes && !g.m.b.failed);
    el_onnx__model_proto__pack(g.m.model, bytes);
    el_onnx_builder_free(&g.m.b);
    const elman_status s = check_file(bytes, packed);
    free(bytes);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin();
    if (size == 0)
        return 0;
    if (data[0] == 0)
        check_file(data + 1, size - 1);
    else
        check_graph(data, size);
    return 0;
}

#define NODE(...) __VA_ARGS__
/* Opset 14 or 11, and nodes; 28 is the first one's first output. */
static const uint8_t lstm[] = {4, NODE(0, 1, 6, 7, 8, 3, 0, 0, 0, 0)};
static const uint8_t decoded[] = {
    4, NODE(0, 1, 6, 7, 8, 0, 0, 0, 0, 0), NODE(3, 28, 18, 0, 0, 0, 0, 0, 0, 0),
    NODE(7, 31, 14, 0, 0, 0, 0, 0, 0, 0), NODE(8, 32, 16, 0, 0, 0, 0, 0, 0, 0)};
static const uint8_t both[] = {
    4,
    NODE(9, 17, 2, 0, 0, 0, 0, 0, 0, 0),
    NODE(1, 28, 9, 10, 11, 3, 0, 2 | 2 << 2 | 16, 0, 1),
    NODE(4, 29, 0, 0, 0, 0, 0, 3, 0 | 2 << 2 | 1 << 4, 3),
    NODE(5, 31, 19, 0, 0, 0, 0, 0, 0, 0),
    NODE(7, 32, 15, 0, 0, 0, 0, 0, 0, 0)};
static const uint8_t stacked[] = {2, NODE(11, 4, 0, 0, 0, 0, 0, 0, 0, 1),
                                  NODE(2, 5, 12, 13, 0, 0, 28, 0, 0, 0)};
/* The last step and a Gemm, and the final states of both directions. */
static const uint8_t step[] = {4, NODE(0, 1, 6, 7, 8, 0, 0, 0, 0, 0),
                               NODE(3, 28, 18, 0, 0, 0, 0, 0, 0, 0),
                               NODE(9, 31, 27, 0, 0, 0, 0, 0, 0, 0),
                               NODE(14, 32, 14, 16, 0, 0, 0, 0, 0, 0)};
static const uint8_t finals[] = {
    4, NODE(1, 1, 9, 10, 11, 0, 0, 2 | 2 << 2, 0, 1),
    NODE(4, 29, 0, 0, 0, 0, 0, 1, 1, 2), NODE(5, 30, 20, 0, 0, 0, 0, 0, 0, 0)};
static const uint8_t rows[] = {4, NODE(0, 5, 6, 7, 8, 0, 0, 0, 0, 1),
                               NODE(5, 28, 20, 0, 0, 0, 0, 0, 0, 0),
                               NODE(14, 30, 14, 16, 0, 0, 0, 0, 0, 0)};

/* The features are no dimension of 1: 32 is the shape, 33 its last size. */
static const uint8_t chosen[] = {4,
                                 NODE(0, 1, 6, 7, 8, 0, 0, 0, 0, 0),
                                 NODE(3, 28, 18, 0, 0, 0, 0, 0, 0, 0),
                                 NODE(13, 31, 0, 0, 0, 0, 0, 0, 0, 0),
                                 NODE(9, 32, 27, 0, 0, 0, 0, 0, 0, 0),
                                 NODE(EQUAL, 33, 24, 0, 0, 0, 0, 0, 0, 0),
                                 NODE(IF, 34, 31, 18, 31, 0, 0, 0, 3, 15)};

typedef struct seed {
    const uint8_t *bytes;
    size_t size;
    elman_status status;
} seed;

/* Messages as well: what a graph is packed to, behind a zero. */
static const uint8_t message[] = {0,   8,   7,   'B', 4,   10,  0,   16,  14,
                                  ':', 25,  10,  13,  10,  1,   'x', 18,  1,
                                  'y', '"', 5,   'R', 'e', 'l', 'u', '!', 18,
                                  1,   'g', 'Z', 3,   10,  1,   'x'};

FUZZ_MAIN
{
    static const seed list[] = {{lstm, sizeof lstm, ELMAN_OK},
                                {decoded, sizeof decoded, ELMAN_OK},
                                {both, sizeof both, ELMAN_OK},
                                {stacked, sizeof stacked, ELMAN_EFORMAT},
                                {rows, sizeof rows, ELMAN_OK},
                                {step, sizeof step, ELMAN_OK},
                                {finals, sizeof finals, ELMAN_OK},
                                {chosen, sizeof chosen, ELMAN_OK},
                                {message, sizeof message, ELMAN_EFORMAT}};
    enum { SEEDS = sizeof list / sizeof *list };
    fuzz_seed seeds[SEEDS];
    begin();
    for (int i = 0; i < SEEDS; ++i) {
        seeds[i] = (fuzz_seed){list[i].bytes, list[i].size};
        const elman_status s =
            list[i].bytes[0] == 0
                ? check_file(list[i].bytes + 1, list[i].size - 1)
                : check_graph(list[i].bytes, list[i].size);
        if (s != list[i].status)
            printf("seed %d: %s: %s\n", i, elman_status_name(s),
                   elman_message());
        FUZZ_CHECK(s == list[i].status);
    }
    const int status = fuzz_main(argc, argv, seeds, SEEDS, 20000);
    elman_context_destroy(&context);
    return status;
}
