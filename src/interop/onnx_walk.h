/* SPDX-License-Identifier: MIT */
/* onnx_walk.h - the way through an ONNX graph, node after node.
 *
 * Every value of the graph is one of the things below, and every operator that
 * is read says what it makes of them; whatever it could make that is none of
 * them is refused by the node's name.  What does the network's work, an
 * embedding, a recurrent layer, a linear layer, is a stage; a flow is what a
 * stage gives, in whatever shape. */
#ifndef EL_ONNX_WALK_H
#define EL_ONNX_WALK_H

#include "onnx_flow.h"

typedef enum el_onnx_kind {
    EL_ONNX_NOTHING, /* its node has not been met yet */
    EL_ONNX_CONSTANT,
    EL_ONNX_SIZES, /* sizes of a shape, a vector, or one number */
    EL_ONNX_ZEROS, /* of some shape */
    EL_ONNX_INPUT, /* of the graph, in whatever shape */
    EL_ONNX_FLOW,  /* of a stage */
    EL_ONNX_STATE, /* final states, or what is made of them; its directions
                    * are rows */
    EL_ONNX_MASK,  /* that Dropout gives, which nobody may use */
} el_onnx_kind;

enum { EL_ONNX_SIZES_MOST = 8 };

typedef struct el_onnx_value {
    const char *name;
    bool inner; /* of a branch of an If: several may have the name */
    el_onnx_kind kind;
    el_onnx_constant constant;
    el_onnx_size sizes[EL_ONNX_SIZES_MOST];
    int size_count; /* -1: one number, no vector */
    el_onnx_flow flow;
    int source;         /* the input's number, or the stage's */
    int type;           /* of the numbers of an input, a flow or a state */
    elman_decode steps; /* of a flow: which of them it has */
    int64_t from, to;   /* of an input: rows of its first dimension; to is -1
                         * where it is all */
    /* Of a state: how many rows there are, each a direction of a layer, 0 where
     * that is not known any more; and of which stage and direction the last
     * two are, as 2 * stage + direction, -1 where that is not known. */
    int rows, last_rows[2];
} el_onnx_value;

typedef enum el_onnx_work {
    EL_ONNX_EMBEDDING,
    EL_ONNX_ONE_HOT,
    EL_ONNX_LAYER,
    EL_ONNX_PRODUCT, /* of the decoder */
    EL_ONNX_BIAS,    /* likewise */
} el_onnx_work;

/* Where a layer's states begin: zeros, or rows of an input. */
typedef struct el_onnx_start {
    int input; /* -1: zeros */
    int64_t row;
} el_onnx_start;

/* Named as in a model file; what is not there has rank 0. */
typedef struct el_onnx_direction {
    el_onnx_constant weight_ih, weight_hh, bias_ih, bias_hh, weight_hr;
    el_onnx_start h, c;
} el_onnx_direction;

typedef struct el_onnx_stage {
    el_onnx_work work;
    int before; /* the stage that it comes from; -1: an input */
    int input;  /* where before is -1 */
    bool used;  /* another stage comes from it, */
    bool half;  /* or it became a half of one, */
    int whole;  /* this one */
    int64_t width;
    el_onnx_constant matrix; /* [V,E], [SP,O] or [O] */
    /* Of a layer. */
    elman_cell cell;
    elman_activation activation;
    bool reset_before;
    bool reverse;   /* alone: until its other half is met */
    bool our_order; /* of the gates, and not that of ONNX */
    int directions;
    int64_t hidden, proj;
    el_onnx_direction direction[2];
} el_onnx_stage;

typedef struct el_onnx_walk {
    const elman_context *context;
    const ElOnnx__GraphProto *graph;
    int64_t opset;
    el_onnx_blocks blocks;
    el_onnx_value *values;
    int value_count, input_count;
    el_onnx_value **by_name;
    el_onnx_stage *stages;
    int stage_count, stage_room;
    /* The axes that layers run over; EL_ONNX_NO_AXIS: a dimension of 1, or not
     * known yet. */
    int time, batch;
    bool has_axes;
    int lengths; /* the input; -1: none */
    bool has_lengths;
    int64_t looks; /* numbers that may still be looked at */
} el_onnx_walk;

/* model has been unpacked from size bytes, and is borrowed; on failure, too,
 * el_onnx_walk_free is called. */
elman_status el_onnx_walk_all(const elman_context *context,
                              const ElOnnx__ModelProto *model, size_t size,
                              el_onnx_walk *walk);
void el_onnx_walk_free(el_onnx_walk *walk);
/* The constants and nodes of a branch, among the names of the graph around
 * it. */
elman_status el_onnx_walk_branch(el_onnx_walk *walk,
                                 const ElOnnx__GraphProto *branch);

/* ---- Names (onnx_names.c)
 * --------------------------------------------------*/

/* All that the graph and the branches in it name, ready to be found: constants
 * and inputs are there, the rest is EL_ONNX_NOTHING. */
elman_status el_onnx_list_values(el_onnx_walk *walk);
/* The value becomes a constant. */
elman_status el_onnx_take_constant(el_onnx_walk *walk,
                                   const ElOnnx__TensorProto *proto,
                                   el_onnx_value *value);
bool el_onnx_is_given(const char *name);
/* NULL: there is none. */
el_onnx_value *el_onnx_find(const el_onnx_walk *walk, const char *name);

/* ---- For operators --------------------------------------------------------*/

/* "node NAME (OP): why". */
elman_status el_onnx_refuse(const ElOnnx__NodeProto *node, const char *format,
                            ...) __attribute__((format(printf, 2, 3)));

/* Input number i; NULL: it is left out. */
const el_onnx_value *el_onnx_input(const el_onnx_walk *walk,
                                   const ElOnnx__NodeProto *node, int i);
/* Output number i, to be filled; NULL: nobody wants it.  Number 0 is there but
 * for recurrent layers. */
el_onnx_value *el_onnx_output(const el_onnx_walk *walk,
                              const ElOnnx__NodeProto *node, int i);

/* Attributes; the number, other where it is not there, or INT64_MIN where it is
 * none. */
const ElOnnx__AttributeProto *el_onnx_attribute(const ElOnnx__NodeProto *node,
                                                const char *name);
int64_t el_onnx_int(const ElOnnx__NodeProto *node, const char *name,
                    int64_t other);

/* Input number i, a constant of real numbers, of this rank (-1: any). */
elman_status el_onnx_reals(const el_onnx_walk *walk,
                           const ElOnnx__NodeProto *node, int i, int rank,
                           el_onnx_constant *out);
/* Whether all numbers are 0.  What nodes ask for so is bounded: false, too,
 * where they have asked for too much. */
bool el_onnx_zeros(el_onnx_walk *walk, const el_onnx_constant *t);
/* A new stage that comes from a value, which is a flow or an input. */
elman_status el_onnx_add_stage(el_onnx_walk *walk,
                               const ElOnnx__NodeProto *node,
                               const el_onnx_value *from, el_onnx_work work,
                               el_onnx_stage **out);
/* The number that a stage has. */
int el_onnx_stage_number(const el_onnx_walk *walk, const el_onnx_stage *stage);

/* The final states of all directions of a layer as a flow of it, in out; false:
 * that is not what the value is. */
bool el_onnx_state_flow(const el_onnx_walk *walk, const el_onnx_value *value,
                        el_onnx_value *out);
/* The value becomes what the other is. */
void el_onnx_become(el_onnx_value *value, const el_onnx_value *other);
/* A vector of sizes, or with count -1 one of them; false: it is none, or a long
 * one. */
bool el_onnx_sizes(const el_onnx_value *value, el_onnx_size *out, int *count);

/* Operators; each fills the node's outputs.  Those that only move numbers about
 * (onnx_plumbing.c), */
typedef elman_status el_onnx_operator(el_onnx_walk *walk,
                                      const ElOnnx__NodeProto *node);
el_onnx_operator el_onnx_do_identity, el_onnx_do_dropout, el_onnx_do_cast,
    el_onnx_do_transpose, el_onnx_do_squeeze, el_onnx_do_unsqueeze,
    el_onnx_do_reshape, el_onnx_do_slice, el_onnx_do_split, el_onnx_do_concat,
    el_onnx_do_gather, el_onnx_do_shape, el_onnx_do_constant, el_onnx_do_fill,
    el_onnx_do_expand;

/* those that compute with sizes (onnx_sizes.c), */
el_onnx_operator el_onnx_do_arithmetic;

/* those that choose (onnx_branch.c), */
el_onnx_operator el_onnx_do_equal, el_onnx_do_not, el_onnx_do_if;

/* and those that do the network's work (onnx_layer.c, onnx_scan_read.c,
 * onnx_work.c). */
el_onnx_operator el_onnx_do_recurrent, el_onnx_do_embedding, el_onnx_do_one_hot,
    el_onnx_do_scan, el_onnx_do_matmul, el_onnx_do_gemm, el_onnx_do_add;
/* Two halves of a layer in both directions, side by side in axis. */
elman_status el_onnx_do_pair(el_onnx_walk *walk, const ElOnnx__NodeProto *node,
                             int axis);

#endif
