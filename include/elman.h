/* SPDX-License-Identifier: MIT */
/* elman.h - recurrent networks in C.
 *
 * This header is the manual of the library.  What is not in it is not API.
 *
 * Letters  T time steps   B batch     I input size    H hidden size
 *          L layers       S directions                P projection, or H
 *          V vocabulary   N rows
 * Layout   dense, row-major, last index fastest: x[T,B,I].  Elements are
 *          float, or double where a descriptor's dtype says ELMAN_F64 (and
 *          float where it says ELMAN_BF16, which is a way to multiply).
 * Errors   what can fail returns elman_status; elman_message() then holds a
 *          whole sentence.  The library never prints, exits or aborts on
 *          what a caller or a file gave it.  Outputs are undefined after a
 *          failure unless a function says otherwise.
 * Owners   "borrowed" must outlive the handle that keeps it; "copied" may be
 *          freed at once.  Every create has a destroy that takes the address
 *          of the handle, sets it to NULL, and accepts a NULL handle.
 * Threads  a context, an elman_rnn and an elman_lm are read-only while they
 *          run, and may be shared; a tape, a state, a text and a trainer are
 *          one thread's at a time.
 * Bits     in float32 a result is a function of model, data and seed, and of
 *          nothing else: not of the number of threads, of the cpu level, of
 *          the batch a sequence sits in, or of where a sequence is cut.  (In
 *          training a dropout mask is a function of the place in the batch,
 *          and a gradient one of the number of shards.) */
#ifndef ELMAN_H
#define ELMAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELMAN_VERSION_MAJOR 0
#define ELMAN_VERSION_MINOR 1
#define ELMAN_VERSION_PATCH 0

#if defined(__GNUC__)
#define ELMAN_API __attribute__((visibility("default")))
#else
#define ELMAN_API
#endif

/* ---- Status --------------------------------------------------------------
 * One table yields the enumeration, the names and the general meanings. */
#define ELMAN_STATUS_TABLE(X)                                                  \
    X(OK, "done")                                                              \
    X(EINVAL, "an argument is wrong")                                          \
    X(ENOMEM, "memory ran out")                                                \
    X(EIO, "a file could not be read or written")                              \
    X(EFORMAT, "a file is not what it should be")                              \
    X(ETEXT, "a text cannot be used")                                          \
    X(EMISMATCH, "two things that must agree do not")                          \
    X(EUNSUPPORTED, "this build or machine cannot do that")                    \
    X(ENONFINITE, "a number is infinite, or is none")

#define ELMAN_STATUS_ENUM(name, text) ELMAN_##name,
typedef enum elman_status {
    ELMAN_STATUS_TABLE(ELMAN_STATUS_ENUM) ELMAN_STATUS_COUNT
} elman_status;

/* "ELMAN_EIO" for ELMAN_EIO; never NULL. */
ELMAN_API const char *elman_status_name(elman_status status);
/* The general meaning of a status; never NULL. */
ELMAN_API const char *elman_status_text(elman_status status);
/* The sentence of this thread's last failure, such as
 *   book.txt: line 3: the text is not valid UTF-8 (byte 0xff)
 * without a final period or newline.  Valid until this thread's next failing
 * call; never NULL. */
ELMAN_API const char *elman_message(void);

/* "0.1.0": the library that is linked, where the macros above are the header
 * that was compiled against. */
ELMAN_API const char *elman_version(void);

/* ---- Context -------------------------------------------------------------
 * Memory, threads and the cpu level that everything made from it uses. */

/* alloc returns memory of any alignment that malloc would give, or NULL.
 * Both functions may be called from any thread that calls the library. */
typedef struct elman_allocator {
    void *(*alloc)(void *user, size_t size);
    void (*free)(void *user, void *block);
    void *user;
} elman_allocator;

/* A caller's own threads.  run must call task(arg, 0) ... task(arg, n - 1),
 * in any order, on any threads whose stacks have 256 KiB, and return when all
 * have returned. */
typedef struct elman_executor {
    int threads; /* how many tasks are worth making, at least 1 */
    void (*run)(void *user, int n, void (*task)(void *arg, int index),
                void *arg);
    void *user;
} elman_executor;

typedef struct elman_context_desc {
    size_t struct_size;
    elman_allocator allocator; /* zeros: malloc and free */
    elman_executor executor;   /* zeros: the library's own team of threads */
    int threads;               /* own team: 0 means 1; -1 every core that the
                                * process may use */
    const char *isa;           /* cpu level: "c"; "avx2", "avx512" of x86-64;
                                * "neon" of 64-bit ARM.  NULL means ELMAN_ISA
                                * of the environment, else the best that this
                                * machine has.  Copied */
} elman_context_desc;
#define ELMAN_CONTEXT_DESC                                                     \
    {                                                                          \
        .struct_size = sizeof(elman_context_desc)                              \
    }

typedef struct elman_context elman_context;

/* desc may be NULL: malloc, one thread, the best level.
 * ELMAN_EUNSUPPORTED: a level that this machine or build does not have. */
ELMAN_API elman_status elman_context_create(const elman_context_desc *desc,
                                            elman_context **out);
/* All that was made from the context must have been destroyed before. */
ELMAN_API void elman_context_destroy(elman_context **context);

typedef struct elman_machine {
    size_t struct_size;
    const char *isa;     /* the level this context uses */
    const char *isa_all; /* every level this machine can use: "c avx2" */
    const char *cpu;     /* the processor's own name, "" if unknown */
    int threads;         /* of this context */
    int cores;           /* that this process may use */
    int64_t l1d, l2, l3; /* cache bytes, 0 if unknown */
    const char *bf16;    /* what computes products of ELMAN_BF16 here: "amx",
                          * "vdpbf16ps", "fma" or "c"; the bits are the
                          * same */
} elman_machine;
#define ELMAN_MACHINE                                                          \
    {                                                                          \
        .struct_size = sizeof(elman_machine)                                   \
    }

/* Strings live as long as the context. */
ELMAN_API void elman_context_machine(const elman_context *context,
                                     elman_machine *out);

/* Measures for about the given time how many float32 operations a second this
 * context's level and threads do in fused multiply-adds on random operands
 * from L1 (a multiply and an add count two): the ceiling of any product. */
ELMAN_API elman_status elman_context_ceiling(elman_context *context,
                                             double seconds, double *gflops);

/* ---- Numbers -------------------------------------------------------------*/

typedef enum elman_dtype {
    ELMAN_F32 = 0,
    ELMAN_F64 = 1,
    ELMAN_I64 = 2,  /* in files only */
    ELMAN_I32 = 3,  /* in files only */
    ELMAN_U8 = 4,   /* in files only */
    ELMAN_BF16 = 5, /* of networks, never in files: all numbers are float, as of
                     * ELMAN_F32, but products take their operands rounded to
                     * bfloat16 (docs/arithmetic.md) */
    ELMAN_INT8 = 6, /* of networks that only infer: numbers are float, and
                     * weights integers of a byte times a float for each row */
    ELMAN_I8 = 7,   /* in files only */
    ELMAN_DTYPE_OWN = -1, /* of no network: what the file says, to
                           * elman_lm_load_inference and its like */
} elman_dtype;

/* Bytes of one element; 0 for no dtype. */
ELMAN_API size_t elman_dtype_size(elman_dtype dtype);

/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011): a function
 * of its arguments and of nothing else.  The uniform one lies in [0, 1) and is
 * a multiple of 2^-24.  Both kinds are made of the same bits: a program that
 * wants them independent gives each a stream of its own. */
ELMAN_API float elman_random_uniform(uint64_t seed, uint64_t stream,
                                     uint64_t index);
/* Standard normal, by Box and Muller. */
ELMAN_API double elman_random_normal(uint64_t seed, uint64_t stream,
                                     uint64_t index);

/* A named part of a flat block of weights. */
typedef struct elman_view {
    const char *name; /* "weight_ih_l0"; lives as long as its owner */
    int rank;
    int64_t shape[4];
    int64_t offset; /* in elements, from the start of the block */
    int64_t count;  /* elements */
} elman_view;

/* What a thing takes while it runs, in bytes as the context's allocator is
 * asked for them: known before anything is run.  What a caller owns (x, y, and
 * for an elman_rnn the gradient too) is not in it, nor are texts, vocabularies
 * and names. */
typedef struct elman_memory {
    size_t struct_size;
    int64_t weights;   /* the flat block, or what it was packed into */
    int64_t packed;    /* the copies of it that kernels read */
    int64_t gradient;  /* another flat block, where it is trained */
    int64_t optimizer; /* its moments */
    int64_t kept;      /* further copies of the weights: the best ones so far,
                        * their average */
    int64_t tape;      /* tapes and states, with all working memory; */
    int64_t outside;   /* of that, what a budget cannot spare */
    int64_t tokens;    /* of a minibatch, and its targets */
    int64_t total;
    double passes; /* forward, for each backward: 1, or more in a budget */
} elman_memory;
#define ELMAN_MEMORY                                                           \
    {                                                                          \
        .struct_size = sizeof(elman_memory)                                    \
    }

typedef enum elman_cell {
    ELMAN_CELL_ELMAN = 0,
    ELMAN_CELL_NONE = 1, /* no hidden state: h_t = phi(x W' + b), x the last
                          * `context` tokens (language models only) */
    ELMAN_CELL_LSTM = 2,
    ELMAN_CELL_GRU = 3,
} elman_cell;

typedef enum elman_activation {
    ELMAN_TANH = 0,
    ELMAN_RELU = 1,
} elman_activation;

/* ---- Recurrent layers ----------------------------------------------------
 * Stacks of cells as torch.nn.RNN, LSTM and GRU define them.  G gates, S
 * directions (1 or 2), and P what a direction gives: H, or proj if it is not 0.
 *
 *   Elman  h = phi(x W_ih' + b_ih + h W_hh' + b_hh)
 *   LSTM   i, f, o = sigmoid and g = tanh of x W_ih' + b_ih + h W_hh' + b_hh;
 *          c = f c + i g;  h = o tanh(c);  with proj  h = (o tanh(c)) W_hr'
 *   GRU    r, z = sigmoid of likewise;
 *          n = tanh(x W_in' + b_in + r (h W_hn' + b_hn)), or, with
 *          reset_before, tanh(x W_in' + b_in + (r h) W_hn' + b_hn);
 *          h = (1 - z) n + z h
 *
 * Parameters of layer n, in the order in which they lie in the flat block,
 * gates one below the other (LSTM i f g o, GRU r z n):
 *   weight_ih_ln [G*H,I] (n = 0) or [G*H,S*P]    weight_hh_ln [G*H,P]
 *   bias_ih_ln   [G*H]                           bias_hh_ln   [G*H]
 *   weight_hr_ln [P,H]   with proj only
 * and then those of the other direction, with "_reverse" behind their names. */

typedef struct elman_rnn_desc {
    size_t struct_size;
    elman_cell cell;             /* any but ELMAN_CELL_NONE */
    elman_activation activation; /* of the Elman cell */
    elman_dtype dtype;           /* ELMAN_F32, ELMAN_F64 or ELMAN_BF16 */
    int64_t input;               /* I; 0 is the autonomous system
                                  * h_t = f(h_{t-1}) */
    int64_t hidden;              /* H, at least 1 */
    int layers;                  /* L; 0 means 1 */
    int no_bias;                 /* 1: neither bias exists */
    int inference_only;          /* 1: for forward only.  Weights, but for those
                                  * of ELMAN_BF16, then lie in memory once, and
                                  * packed: see elman_rnn_weights */
    int64_t proj;                /* LSTM: 1 ... H-1; 0: no projection */
    int bidirectional;           /* 1: a second direction, from each sequence's
                                  * own end */
    int reset_before;            /* GRU: the reset gate before the product */
    int single;                  /* 1: one step of one layer of one direction,
                                  * as torch.nn.RNNCell; names without "_l0" */
    double dropout;              /* [0, 1): of the outputs of all layers but the
                                  * last, where a call trains */
    int locked;                  /* 1: one mask for all steps of a sequence
                                  * (variational dropout) */
    double weight_drop;          /* [0, 1): of the elements of weight_hh, one
                                  * mask a call (DropConnect), where it trains */
} elman_rnn_desc;
#define ELMAN_RNN_DESC                                                         \
    {                                                                          \
        .struct_size = sizeof(elman_rnn_desc)                                  \
    }

typedef struct elman_rnn elman_rnn;
typedef struct elman_tape elman_tape;
typedef struct elman_state elman_state;

/* Weights start as zeros.  context is borrowed. */
ELMAN_API elman_status elman_rnn_create(elman_context *context,
                                        const elman_rnn_desc *desc,
                                        elman_rnn **out);
ELMAN_API void elman_rnn_destroy(elman_rnn **rnn);

/* The number of parameters, and the views into the flat block. */
ELMAN_API int64_t elman_rnn_parameters(const elman_rnn *rnn);
ELMAN_API int elman_rnn_view_count(const elman_rnn *rnn);
ELMAN_API elman_status elman_rnn_view(const elman_rnn *rnn, int index,
                                      elman_view *out);
ELMAN_API elman_status elman_rnn_find(const elman_rnn *rnn, const char *name,
                                      elman_view *out);

/* The flat block, to read.  Of a network that is inference_only it is a copy,
 * made by the first call, which lasts until the next weights_begin; NULL, with
 * a message: memory ran out. */
ELMAN_API const void *elman_rnn_weights(const elman_rnn *rnn);
/* The flat block, to write: nothing may run until weights_end, which makes the
 * packed copies that the kernels compute with, or, where it is inference_only,
 * packs it in its place (of ELMAN_INT8: there is a flat block only in between,
 * or NULL, with a message: memory ran out).  The pointer is not to be used
 * after that. */
ELMAN_API void *elman_rnn_weights_begin(elman_rnn *rnn);
ELMAN_API void elman_rnn_weights_end(elman_rnn *rnn);
/* PyTorch's start: every weight and bias uniform in [-1/sqrt(H), 1/sqrt(H)).
 * Not PyTorch's random numbers. */
ELMAN_API void elman_rnn_init(elman_rnn *rnn, uint64_t seed);

typedef struct elman_tape_desc {
    size_t struct_size;
    int64_t steps;      /* largest T, at least 1 */
    int64_t batch;      /* largest B, at least 1 */
    int inference_only; /* 1: forward only; little memory, however long T is
                         * (in one direction) */
    int64_t memory;     /* a budget in bytes for what the tape takes, 0: none.
                         * Where it is less than all steps would take, states
                         * are kept at some steps only, and the rest is computed
                         * again on the way back, to the same bits
                         * (docs/long-sequences.md).  In two directions what
                         * layers give to each other lies outside it */
} elman_tape_desc;
#define ELMAN_TAPE_DESC                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_tape_desc)                                 \
    }

/* A tape holds what one forward pass leaves for backward, and all working
 * memory of both: running allocates nothing.  rnn is borrowed.
 * ELMAN_EINVAL: a budget that is too small; the sentence says the least that
 * would do. */
ELMAN_API elman_status elman_tape_create(const elman_rnn *rnn,
                                         const elman_tape_desc *desc,
                                         elman_tape **out);
ELMAN_API void elman_tape_destroy(elman_tape **tape);
/* What a tape of this size takes, in bytes; -1 if that overflows. */
ELMAN_API int64_t elman_tape_bytes(const elman_rnn *rnn,
                                   const elman_tape_desc *desc);

/* What a run of this size takes, the network included.  desc NULL: one step a
 * call, as a state of one sequence does it. */
ELMAN_API elman_status elman_rnn_memory(const elman_rnn *rnn,
                                        const elman_tape_desc *desc,
                                        elman_memory *out);

/* Sequences side by side.  States are [L*S,B,.], row l*S + s of layer l and
 * direction s (0 forward), never batch first.  A sequence alone is B = 1: its
 * [T,I] is [T,1,I]. */
typedef struct elman_sequences {
    size_t struct_size;
    int64_t steps, batch;   /* T, B */
    const int64_t *lengths; /* [B], 0 ... T each, in any order; NULL: all T.
                             * Copied */
    int batch_first;        /* 1: x is [B,T,I] and y [B,T,S*P] */
    const void *x;          /* [T,B,I] in, borrowed until backward; NULL if I
                             * is 0.  What stands past an end is not read */
    const void *h0;         /* [L*S,B,P] in; NULL means zeros */
    const void *c0;         /* [L*S,B,H] in, LSTM only; NULL means zeros */
    void *y;                /* [T,B,S*P] out, the last layer's, forward half
                             * first, 0 past an end; NULL if unwanted; not x */
    void *hT;               /* [L*S,B,P] out, each sequence's own last state
                             * (its first one where the length is 0); NULL if
                             * unwanted; may be h0 */
    void *cT;               /* [L*S,B,H] out, likewise */
    int train;              /* 1: with dropout, drawn from */
    uint64_t seed, draw;    /* these two: a new draw, new masks */
    const int32_t *ids;     /* [T,B] in, of elman_network_run: tokens 0 ... V-1,
                             * or [B,T] with batch_first; else NULL */
} elman_sequences;
#define ELMAN_SEQUENCES                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_sequences)                                 \
    }

/* ELMAN_EINVAL: T, B or a length exceeds what the tape was made for. */
ELMAN_API elman_status elman_rnn_run(const elman_rnn *rnn, elman_tape *tape,
                                     const elman_sequences *sequences);

typedef struct elman_gradients {
    size_t struct_size;
    const void *dy;  /* as y, in; NULL means zeros; not read past an end */
    const void *dhT; /* as hT, in, arriving on the final states; NULL: zeros */
    const void *dcT; /* as cT, likewise */
    void *dx;        /* as x, out, 0 past an end; NULL if unwanted; not x */
    void *dh0;       /* as h0, out; NULL if unwanted; may be dhT */
    void *dc0;       /* as c0, out; NULL if unwanted; may be dcT */
    void *grad;      /* the flat block's shape, ADDED to; NULL if unwanted */
} elman_gradients;
#define ELMAN_GRADIENTS                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_gradients)                                 \
    }

/* Back-propagates through the run recorded on tape, once or more often, in the
 * layout of that run.
 * ELMAN_EINVAL: the tape holds no run, or is for inference only. */
ELMAN_API elman_status elman_rnn_run_back(const elman_rnn *rnn,
                                          elman_tape *tape,
                                          const elman_gradients *gradients);

/* The same for sequences of one length without a c0 of theirs, time first. */
ELMAN_API elman_status elman_rnn_forward(const elman_rnn *rnn, elman_tape *tape,
                                         int64_t T, int64_t B, const void *x,
                                         const void *h0, void *y, void *hT);
ELMAN_API elman_status elman_rnn_backward(const elman_rnn *rnn,
                                          elman_tape *tape, const void *dy,
                                          const void *dhT, void *dx, void *dh0,
                                          void *grad);

/* One step of a network that is `single`, for loops of one's own; c0, c, dc and
 * dc0 are the LSTM's and NULL for others.  Each step that is to be gone back
 * through has a tape of its own (steps 1).
 *   x [B,I], h0 [B,P], c0 [B,H] in (h0, c0: NULL means zeros)
 *   h [B,P], c [B,H] out; may be h0 and c0                                   */
ELMAN_API elman_status elman_cell_forward(const elman_rnn *cell,
                                          elman_tape *tape, int64_t B,
                                          const void *x, const void *h0,
                                          const void *c0, void *h, void *c);
/* dh, dc in (NULL: zeros); dx, dh0, dc0 out (NULL if unwanted); grad ADDED to.
 */
ELMAN_API elman_status elman_cell_backward(const elman_rnn *cell,
                                           elman_tape *tape, const void *dh,
                                           const void *dc, void *dx, void *dh0,
                                           void *dc0, void *grad);

/* A state runs sequences in pieces, down to one step a call: no allocation, no
 * lock and, on one thread, no system call.  The bits are those of the whole
 * sequence run at once, however it is cut.  One direction only.  rnn is
 * borrowed; the state starts as zeros. */
ELMAN_API elman_status elman_state_create(const elman_rnn *rnn, int64_t batch,
                                          elman_state **out);
ELMAN_API void elman_state_destroy(elman_state **state);
/* x [B,I] in (NULL if I is 0), y [B,P] out (NULL if unwanted). */
ELMAN_API elman_status elman_rnn_step(const elman_rnn *rnn, elman_state *state,
                                      const void *x, void *y);
/* T steps: x [T,B,I] in, y [T,B,P] out. */
ELMAN_API elman_status elman_rnn_steps(const elman_rnn *rnn, elman_state *state,
                                       int64_t T, const void *x, void *y);
/* h [L,B,P]: the state, read or written; reading gives hT of a run so far. */
ELMAN_API void elman_state_read(const elman_state *state, void *h);
ELMAN_API void elman_state_write(elman_state *state, const void *h);
/* c [L,B,H] of an LSTM, likewise; nothing for other cells. */
ELMAN_API void elman_state_read_c(const elman_state *state, void *c);
ELMAN_API void elman_state_write_c(elman_state *state, const void *c);
/* ELMAN_EMISMATCH: the two are not of one network and batch. */
ELMAN_API elman_status elman_state_copy(elman_state *to,
                                        const elman_state *from);
ELMAN_API void elman_state_zero(elman_state *state);
/* Draws h: normal with the given standard deviation; c becomes 0. */
ELMAN_API void elman_state_random(elman_state *state, double stddev,
                                  uint64_t seed);

/* ---- Softmax with cross-entropy ------------------------------------------
 * Row i of logits [N,V] with target k gives -ln softmax(row)[k].  As
 * torch.nn.CrossEntropyLoss: with label smoothing e the target distribution is
 * (1-e) on the target plus e/V on every class, each class's term times its
 * weight; the mean divides by the sum of the kept targets' weights. */

/* A target that is skipped: its loss and gradient are 0. */
#define ELMAN_IGNORE (-100)

typedef enum elman_reduction { ELMAN_MEAN = 0, ELMAN_SUM = 1 } elman_reduction;

typedef struct elman_xent_desc {
    size_t struct_size;
    elman_dtype dtype;
    int64_t rows, classes; /* N, V */
    elman_reduction reduction;
    double scale;             /* of loss and gradient; 0 means 1 */
    double label_smoothing;   /* [0, 1] */
    const void *class_weight; /* [V], not negative; NULL means ones */
} elman_xent_desc;
#define ELMAN_XENT_DESC                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_xent_desc)                                 \
    }

/*   logits  [N,V] in
 *   targets [N]   in: 0 ... V-1, or ELMAN_IGNORE
 *   each    [N]   out: every row's own loss, unscaled; NULL if unwanted
 *   dlogits [N,V] out: gradient of the loss; NULL if unwanted; may be logits
 *   loss          out: reduced, natural logarithms; NULL if unwanted
 * The mean over no kept row is NaN, as PyTorch has it. */
ELMAN_API elman_status elman_cross_entropy(elman_context *context,
                                           const elman_xent_desc *desc,
                                           const void *logits,
                                           const int64_t *targets, void *each,
                                           void *dlogits, double *loss);

/* ---- Optimisers ----------------------------------------------------------
 * Each is one pass over a flat block; formulas as torch.optim has them.
 *   SGD       p -= lr g
 *   momentum  v = m v + g;  p -= lr v
 *   RMSprop   s = a s + (1-a) g^2;  p -= lr g / (sqrt(s) + eps)
 *   Adam      m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 *             p -= lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps)
 *   AdamW     p -= lr w p  first, then as Adam
 * Weight decay w adds w p to g first, but for AdamW.  Clipping multiplies g by
 * min(1, clip / (norm + 1e-6)), norm the L2 norm over the whole block. */

typedef enum elman_optimizer_kind {
    ELMAN_SGD = 0,
    ELMAN_MOMENTUM = 1,
    ELMAN_ADAM = 2,
    ELMAN_ADAMW = 3,
    ELMAN_RMSPROP = 4,
} elman_optimizer_kind;

typedef struct elman_optimizer_desc {
    size_t struct_size;
    elman_optimizer_kind kind;
    elman_dtype dtype;
    double momentum;     /* m */
    double beta1, beta2; /* b1, b2 of Adam and AdamW */
    double alpha;        /* a of RMSprop */
    double eps;
    double weight_decay; /* w */
    double clip;         /* 0: no clipping */
} elman_optimizer_desc;
#define ELMAN_OPTIMIZER_DESC                                                   \
    {                                                                          \
        .struct_size = sizeof(elman_optimizer_desc), .momentum = 0.9,          \
        .beta1 = 0.9, .beta2 = 0.999, .alpha = 0.99, .eps = 1e-8               \
    }

typedef struct elman_optimizer elman_optimizer;

ELMAN_API elman_status elman_optimizer_create(elman_context *context,
                                              const elman_optimizer_desc *desc,
                                              int64_t count,
                                              elman_optimizer **out);
ELMAN_API void elman_optimizer_destroy(elman_optimizer **optimizer);
/* One update at learning rate lr.  weights and grad are [count]; grad is left
 * as it was, and norm (NULL if unwanted) is its L2 norm before clipping.  A
 * norm that is not finite changes nothing and is ELMAN_ENONFINITE. */
ELMAN_API elman_status elman_optimizer_step(elman_optimizer *optimizer,
                                            double lr, void *weights,
                                            const void *grad, double *norm);

typedef enum elman_schedule_kind {
    ELMAN_CONSTANT = 0,
    ELMAN_STEP = 1,   /* times gamma after every `every` updates */
    ELMAN_COSINE = 2, /* linear from 0 over `warmup` updates, then half a
                       * cosine down to `floor` times lr at update `total` */
    ELMAN_HALVE = 3,  /* times 1/2 whenever the validation loss has not
                       * improved for `patience` validations */
} elman_schedule_kind;

typedef struct elman_schedule {
    size_t struct_size;
    elman_schedule_kind kind;
    double lr;
    double gamma;          /* step; 0 means 0.1 */
    int64_t every;         /* step; in updates */
    int64_t warmup, total; /* cosine; in updates */
    double floor;          /* cosine; [0, 1] */
    int64_t patience;      /* halve; 0 means 1 */
} elman_schedule;
#define ELMAN_SCHEDULE                                                         \
    {                                                                          \
        .struct_size = sizeof(elman_schedule)                                  \
    }

/* The learning rate of update 0, 1, ...; halvings counts the stalls so far
 * (ELMAN_HALVE only). */
ELMAN_API double elman_schedule_rate(const elman_schedule *schedule,
                                     int64_t update, int64_t halvings);

/* ---- Text ----------------------------------------------------------------
 * A corpus of one or more files, read through a window and never held whole. */

typedef enum elman_level {
    ELMAN_CHAR = 0, /* a Unicode code point */
    ELMAN_WORD = 1, /* what stands between blanks; a line's end is <eos> */
    ELMAN_BYTE = 2, /* 0 ... 255, and no <unk> */
} elman_level;

typedef enum elman_normalize {
    ELMAN_NORMALIZE_NONE = 0,
    ELMAN_NORMALIZE_LETTERS = 1, /* lower case; every run of anything but A-Z
                                  * and a-z is one blank (the book chapter's
                                  * way) */
} elman_normalize;

typedef struct elman_vocab elman_vocab;

/* V.  At levels char and word id 0 is <unk>. */
ELMAN_API int64_t elman_vocab_size(const elman_vocab *vocab);
ELMAN_API elman_level elman_vocab_level(const elman_vocab *vocab);
ELMAN_API elman_normalize elman_vocab_normalize(const elman_vocab *vocab);
/* The token's bytes, not zero-terminated, and their number; they live as long
 * as the vocabulary.  NULL if id is out of range. */
ELMAN_API const char *elman_vocab_token(const elman_vocab *vocab, int32_t id,
                                        size_t *size);
/* How often the token was met when the vocabulary was built; 0 if read from a
 * file. */
ELMAN_API int64_t elman_vocab_frequency(const elman_vocab *vocab, int32_t id);
/* Encodes size bytes of text into at most capacity ids; *count is how many
 * there are, even if that is more.  ELMAN_ETEXT: invalid UTF-8. */
ELMAN_API elman_status elman_vocab_encode(const elman_vocab *vocab,
                                          const char *text, size_t size,
                                          int32_t *ids, int64_t capacity,
                                          int64_t *count);

/* A vocabulary as model files have it: a JSON array of the tokens in order of
 * id, "<unk>" first, or at level byte the numbers 0 to 255.  To be destroyed by
 * the caller (elman_vocab_destroy).  ELMAN_EFORMAT. */
ELMAN_API elman_status elman_vocab_from_json(elman_context *context,
                                             const char *json, size_t size,
                                             elman_level level,
                                             elman_normalize normalize,
                                             elman_vocab **out);

typedef struct elman_text_desc {
    size_t struct_size;
    const char *const
        *paths; /* regular files, read one after another; copied */
    int path_count;
    elman_level level;         /* ignored where vocab is given, */
    elman_normalize normalize; /* likewise */
    int64_t max_tokens;        /* only the first so many; 0: all */
    const elman_vocab *vocab;  /* copied; NULL: one is built from the text */
    double held_out;           /* [0, 1): the vocabulary is built without this
                                * fraction at the end of the text */
    int64_t min_count;         /* rarer tokens become <unk>; 0 means 1 */
    int64_t vocab_size;        /* at most so many, the most frequent ones, <unk>
                                * counted in; 0: any number */
    /* Called now and then while the files are read, with the bytes that have
     * been and all of them; NULL: not wanted.  What is held out is read anew.
     */
    void (*progress)(void *user, int64_t done, int64_t total);
    void *progress_user;
} elman_text_desc;
#define ELMAN_TEXT_DESC                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_text_desc)                                 \
    }

typedef struct elman_text elman_text;

/* Reads the files once (and what held_out sets apart twice).
 * ELMAN_ETEXT: invalid UTF-8, or no token in it; ELMAN_EIO. */
ELMAN_API elman_status elman_text_open(elman_context *context,
                                       const elman_text_desc *desc,
                                       elman_text **out);
ELMAN_API void elman_text_close(elman_text **text);
ELMAN_API int64_t elman_text_tokens(const elman_text *text);
/* Code points after normalisation, of all tokens, or at level byte bytes: for
 * bits per character. */
ELMAN_API int64_t elman_text_chars(const elman_text *text);
/* Tokens that became <unk>. */
ELMAN_API int64_t elman_text_unknown(const elman_text *text);
/* Lives as long as the text. */
ELMAN_API const elman_vocab *elman_text_vocab(const elman_text *text);
/* A checksum of the files' bytes and of how they are cut into tokens. */
ELMAN_API uint64_t elman_text_fingerprint(const elman_text *text);
/* ids [count] = tokens first ... first+count-1.  Going on where an earlier read
 * ended is cheap, anywhere else costs a short search.
 * ELMAN_EIO: a file shrank or changed while it was read. */
ELMAN_API elman_status elman_text_read(elman_text *text, int64_t first,
                                       int64_t count, int32_t *ids);

/* ---- Language models -----------------------------------------------------
 * tokens -> one-hot or embedding -> recurrent stack (or, without a hidden
 * state, one layer on the last n tokens) -> decoder -> logits.  Views, in the
 * order of the flat block:
 *   embedding.weight [V,E]   where embed is not 0
 *   rnn.weight_ih_l0 ...     as above; I is V (one-hot) or E
 *   hidden.weight [H,n*I], hidden.bias [H]       instead, for ELMAN_CELL_NONE;
 *                            block j of I columns belongs to the token n-1-j
 *                            steps back, so that the last block is the newest
 *   decoder.weight [V,P] (not with tie), decoder.bias [V]                    */

typedef struct elman_lm_desc {
    size_t struct_size;
    elman_cell cell;
    elman_activation activation;
    elman_dtype dtype;
    int64_t hidden;     /* H, at least 1 */
    int layers;         /* L; 0 means 1 */
    int64_t embed;      /* E; 0: one-hot */
    int64_t context;    /* n of ELMAN_CELL_NONE, at least 1 there; else 0 */
    int64_t proj;       /* P of an LSTM, less than H; 0: none */
    int reset_before;   /* of a GRU, see elman_rnn_desc */
    int tie;            /* 1: the decoder's weight is the embedding's; E must be
                         * what the network gives (H, or P) */
    double dropout;     /* [0, 1), in training: between layers, and before the
                         * decoder */
    int locked;         /* 1: one mask for all steps of a piece */
    double weight_drop; /* [0, 1), in training: of weight_hh, one mask an
                         * update */
    int inference_only; /* 1: to evaluate and to step, not to train.  Weights
                         * then lie in memory once, as kernels read them: see
                         * elman_lm_weights.  So they do of ELMAN_INT8 */
} elman_lm_desc;
#define ELMAN_LM_DESC                                                          \
    {                                                                          \
        .struct_size = sizeof(elman_lm_desc)                                   \
    }

typedef struct elman_lm elman_lm;
typedef struct elman_lm_tape elman_lm_tape;
typedef struct elman_lm_state elman_lm_state;

/* vocab is copied.  Weights start as zeros. */
ELMAN_API elman_status elman_lm_create(elman_context *context,
                                       const elman_lm_desc *desc,
                                       const elman_vocab *vocab,
                                       elman_lm **out);
ELMAN_API void elman_lm_destroy(elman_lm **lm);
/* A model file (docs/model-file.md).  Saving writes a temporary file beside
 * path, syncs it and renames it: path is the old file or the new one, never a
 * part of one. */
ELMAN_API elman_status elman_lm_load(elman_context *context, const char *path,
                                     elman_lm **out);
ELMAN_API elman_status elman_lm_save(const elman_lm *lm, const char *path);
/* As elman_lm_load, with inference_only, to compute in dtype whatever the file
 * is of: takes half the memory or less, a few rows at a time being read.  What
 * trains, elman_lm_tape_create, refuses such a model.  One of ELMAN_BF16 cannot
 * be saved or converted (ELMAN_EUNSUPPORTED): it has its weights rounded, and
 * no others. */
ELMAN_API elman_status elman_lm_load_inference(elman_context *context,
                                               const char *path,
                                               elman_dtype dtype,
                                               elman_lm **out);
/* A copy that computes in another dtype, its weights rounded to that; to be
 * destroyed by the caller. */
ELMAN_API elman_status elman_lm_convert(const elman_lm *lm, elman_dtype dtype,
                                        elman_lm **out);

ELMAN_API void elman_lm_describe(const elman_lm *lm, elman_lm_desc *out);
ELMAN_API const elman_vocab *elman_lm_vocab(const elman_lm *lm);
/* How the model was trained, one JSON object; "" if not known. */
ELMAN_API const char *elman_lm_history(const elman_lm *lm);
/* Says it, of a copy, say; "" is that it is not known.  ELMAN_EFORMAT: json is
 * no JSON object. */
ELMAN_API elman_status elman_lm_set_history(elman_lm *lm, const char *json);
ELMAN_API int64_t elman_lm_parameters(const elman_lm *lm);
ELMAN_API int elman_lm_view_count(const elman_lm *lm);
ELMAN_API elman_status elman_lm_view(const elman_lm *lm, int index,
                                     elman_view *out);
/* As elman_rnn_weights, _begin and _end.  Of a model that is inference_only or
 * of ELMAN_INT8 the first is a copy, as there, and of one that is
 * inference_only and of ELMAN_BF16 begin, too, needs memory, and matrices that
 * products read are what they are rounded to. */
ELMAN_API const void *elman_lm_weights(const elman_lm *lm);
ELMAN_API void *elman_lm_weights_begin(elman_lm *lm);
ELMAN_API void elman_lm_weights_end(elman_lm *lm);
/* Recurrent layers uniform in [-1/sqrt(H), 1/sqrt(H)), the decoder likewise
 * with the number of its inputs, the hidden layer of ELMAN_CELL_NONE with that
 * of its inputs that are not zero, embeddings standard normal (as PyTorch's
 * modules start) but where they are the decoder's weight as well. */
ELMAN_API void elman_lm_init(elman_lm *lm, uint64_t seed);

/* Training: forward with loss, then backward. */
ELMAN_API elman_status elman_lm_tape_create(const elman_lm *lm, int64_t steps,
                                            int64_t batch, elman_lm_tape **out);
/* The same by a descriptor (never inference_only).  Within a budget logits are
 * never kept for all steps, and ids and targets of a forward are borrowed until
 * its backward. */
ELMAN_API elman_status elman_lm_tape_make(const elman_lm *lm,
                                          const elman_tape_desc *desc,
                                          elman_lm_tape **out);
ELMAN_API void elman_lm_tape_destroy(elman_lm_tape **tape);
/* What is carried between pieces of a text: h [L,B,P] of a recurrent stack, and
 * c [L,B,H] of an LSTM behind it; the last n-1 tokens for ELMAN_CELL_NONE.
 * Starts as zeros (no tokens). */
ELMAN_API elman_status elman_lm_state_create(const elman_lm *lm, int64_t batch,
                                             elman_lm_state **out);
ELMAN_API void elman_lm_state_destroy(elman_lm_state **state);
ELMAN_API void elman_lm_state_zero(elman_lm_state *state);
/* What is carried, to be kept, copied or put back: h, then c, of the model's
 * dtype, or for ELMAN_CELL_NONE int32_t [n-1,B], the oldest tokens first, -1
 * where there was none.  ELMAN_EINVAL: a token that is out of range; the state
 * is as it was. */
ELMAN_API void elman_lm_state_read(const elman_lm_state *state, void *carried);
ELMAN_API elman_status elman_lm_state_write(elman_lm_state *state,
                                            const void *carried);

/* Sequences side by side, and what they should predict. */
typedef struct elman_lm_batch {
    size_t struct_size;
    int64_t steps, batch;   /* T, B */
    const int32_t *ids;     /* [T,B]: 0 ... V-1 */
    const int32_t *targets; /* [T,B]: 0 ... V-1, or ELMAN_IGNORE */
    double scale;           /* of the gradient: 1/(T B) for that of the mean
                             * loss, 1/B for that of the sum over time */
    int train;              /* 1: with the model's dropout, drawn from */
    uint64_t seed, draw;    /* these two: a new draw, new masks */
    int64_t first_row;      /* of the masks: what is given are rows first_row,
                             * first_row + 1, ... of a larger batch */
    int64_t first_step;     /* likewise: first_step, ... of longer sequences */
} elman_lm_batch;
#define ELMAN_LM_BATCH                                                         \
    {                                                                          \
        .struct_size = sizeof(elman_lm_batch), .scale = 1                      \
    }

/*   state    in/out, carried on; NULL: from zeros
 *   loss_sum out: sum over all kept targets, natural logarithms, not scaled
 *   kept     out: how many targets were kept; NULL if unwanted               */
ELMAN_API elman_status elman_lm_forward(const elman_lm *lm, elman_lm_tape *tape,
                                        const elman_lm_batch *batch,
                                        elman_lm_state *state, double *loss_sum,
                                        int64_t *kept);
/* Gradient of scale times the sum of the kept targets' losses, of the forward
 * that tape holds; grad, of the flat block's shape, is ADDED to.  Once a
 * forward. */
ELMAN_API elman_status elman_lm_backward(const elman_lm *lm,
                                         elman_lm_tape *tape, void *grad);
/* What an elman_trainer takes with a tape of this size and that optimiser
 * (NULL: without one), but for what validation and averages keep; of a model
 * that is inference_only, what one of its shape that trains would.  With
 * inference_only in desc: what elman_lm_eval takes, whatever the size.  desc
 * NULL: one step a call, of one sequence. */
ELMAN_API elman_status elman_lm_memory(const elman_lm *lm,
                                       const elman_tape_desc *desc,
                                       const elman_optimizer_desc *optimizer,
                                       elman_memory *out);
/* One step: ids [B] in, logits [B,V] out (NULL if unwanted).  Allocates
 * nothing. */
ELMAN_API elman_status elman_lm_step(const elman_lm *lm, elman_lm_state *state,
                                     const int32_t *ids, void *logits);

typedef struct elman_lm_score {
    size_t struct_size;
    int64_t tokens;  /* predicted */
    int64_t unknown; /* of those, <unk> */
    double nats;     /* sum of -ln p */
    double chars;    /* code points predicted; at level byte bytes */
} elman_lm_score;
#define ELMAN_LM_SCORE                                                         \
    {                                                                          \
        .struct_size = sizeof(elman_lm_score)                                  \
    }

/* Predicts tokens first+1 ... first+count-1 of text, each from all before it,
 * from a zero state; the text must have been opened with the model's
 * vocabulary.  The figure does not depend on how the pass is cut. */
ELMAN_API elman_status elman_lm_eval(const elman_lm *lm, elman_text *text,
                                     int64_t first, int64_t count,
                                     elman_lm_score *out);

/* How far back the gradient reaches: the L2 norms of
 *   d loss_t / d s_{t-k}    k = 0 ... K
 * at N places t of a text, spread evenly from the first that has K steps before
 * it to the last.  loss_t is -ln p of the token after t; s_{t-k} is the part of
 * the state that a layer carries on from step t-k (what the layer above sees of
 * it at that step itself is not counted in).  The state comes from the text's
 * beginning; nothing is dropped out. */
typedef struct elman_probe_desc {
    size_t struct_size;
    int64_t first, count; /* tokens that are looked at; at least K+1 */
    int64_t steps;        /* K, at least 1 */
    int64_t positions;    /* N, at least 1, no more than count - K */
} elman_probe_desc;
#define ELMAN_PROBE_DESC                                                       \
    {                                                                          \
        .struct_size = sizeof(elman_probe_desc)                                \
    }

/* norms [K+1,L,N] out; of an LSTM [K+1,2*L,N], h of all layers and then c.  The
 * text must have been opened with the model's vocabulary.
 * ELMAN_EUNSUPPORTED: the model is an ELMAN_CELL_NONE, and has no state.
 * ELMAN_ETEXT: too few tokens. */
ELMAN_API elman_status elman_lm_probe(const elman_lm *lm, elman_text *text,
                                      const elman_probe_desc *desc,
                                      double *norms);

typedef struct elman_sampler {
    size_t struct_size;
    double temperature; /* greater than 0 */
    int64_t top_k;      /* 0: all */
    double top_p;       /* (0, 1]; 0 means 1 */
    int greedy;         /* 1: the largest logit */
} elman_sampler;
#define ELMAN_SAMPLER                                                          \
    {                                                                          \
        .struct_size = sizeof(elman_sampler), .temperature = 1                 \
    }

/* Chooses from logits [V] of the model's dtype: the first class, in order of
 * id, whose running sum of probabilities exceeds uniform, a number in [0, 1).
 * top_k keeps the k largest, top_p the fewest largest whose probabilities add
 * up to p; both renormalise, and both allocate while they choose.
 * ELMAN_EINVAL: logits that are NaN. */
ELMAN_API elman_status elman_lm_choose(const elman_lm *lm,
                                       const elman_sampler *sampler,
                                       const void *logits, double uniform,
                                       int32_t *id);

/* ---- Networks --------------------------------------------------------------
 * Other people's networks: an optional embedding, a recurrent stack, and an
 * optional linear layer on it, without a text or a loss.
 *   ids [T,B] -> embedding -> x [T,B,I] -> stack -> [T,B,S*P] -> decoder
 *       -> y [T,B,O]
 * y is the stack's output where there is no decoder.  Views, in the order of
 * the flat block, named as PyTorch's modules name them:
 *   embedding.weight [V,E]     where embed is not 0
 *   rnn.weight_ih_l0 ...       as of an elman_rnn, "rnn." before each name
 *   decoder.weight [O,S*P]     where outputs is not 0 (not with tie),
 *   decoder.bias [O]           unless no_decoder_bias
 * For inference: dropout is ignored, and there is no way back. */

/* What of whole sequences a network gives. */
typedef enum elman_decode {
    ELMAN_DECODE_ALL = 0,   /* every step: y [T,B,O] */
    ELMAN_DECODE_LAST = 1,  /* each sequence's own last step: y [B,O] */
    ELMAN_DECODE_FINAL = 2, /* likewise, but of the direction that runs
                             * backwards what it ends with, at the first step:
                             * the final states side by side.  In one direction
                             * it is ELMAN_DECODE_LAST, and becomes that */
} elman_decode;

typedef struct elman_network_desc {
    size_t struct_size;
    elman_rnn_desc rnn;   /* not single; with an embedding its input is E, or
                           * 0, which means E */
    int64_t vocab, embed; /* V, E; 0, 0: no embedding, numbers come in */
    int64_t outputs;      /* O; 0: no decoder */
    int no_decoder_bias;  /* 1: the decoder has no bias */
    int tie;              /* 1: the decoder's weight is the embedding's; O is V
                           * then, and S*P is E */
    elman_decode decode;  /* of what elman_network_run gives */
} elman_network_desc;
#define ELMAN_NETWORK_DESC                                                     \
    {                                                                          \
        .struct_size = sizeof(elman_network_desc), .rnn = ELMAN_RNN_DESC       \
    }

typedef struct elman_network elman_network;
typedef struct elman_network_tape elman_network_tape;
typedef struct elman_network_state elman_network_state;

/* Weights start as zeros.  context is borrowed. */
ELMAN_API elman_status elman_network_create(elman_context *context,
                                            const elman_network_desc *desc,
                                            elman_network **out);
ELMAN_API void elman_network_destroy(elman_network **network);
/* A model file of kind "recurrent" (docs/model-file.md), whole or not at all as
 * elman_lm_save. */
ELMAN_API elman_status elman_network_load(elman_context *context,
                                          const char *path,
                                          elman_network **out);
ELMAN_API elman_status elman_network_save(const elman_network *network,
                                          const char *path);
/* The same to compute in dtype, whatever the file is of.  Of ELMAN_BF16, too,
 * it has its weights once then, rounded, and no others: such a network cannot
 * be saved, converted or written as ONNX (ELMAN_EUNSUPPORTED). */
ELMAN_API elman_status elman_network_load_inference(elman_context *context,
                                                    const char *path,
                                                    elman_dtype dtype,
                                                    elman_network **out);
/* As elman_lm_convert. */
ELMAN_API elman_status elman_network_convert(const elman_network *network,
                                             elman_dtype dtype,
                                             elman_network **out);

/* desc as it was, with what was 0 and means something else filled in. */
ELMAN_API void elman_network_describe(const elman_network *network,
                                      elman_network_desc *out);
/* Numbers that a step gives: O, or S*P without a decoder. */
ELMAN_API int64_t elman_network_width(const elman_network *network);
ELMAN_API int64_t elman_network_parameters(const elman_network *network);
ELMAN_API int elman_network_view_count(const elman_network *network);
ELMAN_API elman_status elman_network_view(const elman_network *network,
                                          int index, elman_view *out);
ELMAN_API elman_status elman_network_find(const elman_network *network,
                                          const char *name, elman_view *out);
/* As elman_rnn_weights, _begin and _end of a network that is inference_only. */
ELMAN_API const void *elman_network_weights(const elman_network *network);
ELMAN_API void *elman_network_weights_begin(elman_network *network);
ELMAN_API void elman_network_weights_end(elman_network *network);

/* Room for at most T = steps and B = batch; network is borrowed. */
ELMAN_API elman_status elman_network_tape_create(const elman_network *network,
                                                 int64_t steps, int64_t batch,
                                                 elman_network_tape **out);
ELMAN_API void elman_network_tape_destroy(elman_network_tape **tape);
/* What a run of this size takes, the network included; steps 0: one step a
 * call. */
ELMAN_API elman_status elman_network_memory(const elman_network *network,
                                            int64_t steps, int64_t batch,
                                            elman_memory *out);
/* As elman_rnn_run, with y [T,B,O] (or [B,T,O]), or what desc.decode says: then
 * a sequence of no steps gives what its first state does.  ids in place of x
 * where there is an embedding.  train must be 0. */
ELMAN_API elman_status elman_network_run(const elman_network *network,
                                         elman_network_tape *tape,
                                         const elman_sequences *sequences);

/* One step a call, as elman_rnn_step: starts as zeros, allocates nothing, one
 * direction only. */
ELMAN_API elman_status elman_network_state_create(const elman_network *network,
                                                  int64_t batch,
                                                  elman_network_state **out);
ELMAN_API void elman_network_state_destroy(elman_network_state **state);
ELMAN_API void elman_network_state_zero(elman_network_state *state);
/* h [L,B,P] and, of an LSTM, c [L,B,H]; either may be NULL. */
ELMAN_API void elman_network_state_read(const elman_network_state *state,
                                        void *h, void *c);
ELMAN_API void elman_network_state_write(elman_network_state *state,
                                         const void *h, const void *c);
/* x [B,I] in, or ids [B] where there is an embedding (the other is NULL);
 * y [B,O] out, NULL if unwanted: what the network would give if this were the
 * last step. */
ELMAN_API elman_status elman_network_step(const elman_network *network,
                                          elman_network_state *state,
                                          const void *x, const int32_t *ids,
                                          void *y);

/* ---- Training ------------------------------------------------------------
 * Truncated back-propagation through time over a text. */

typedef enum elman_sampling {
    ELMAN_SEQUENTIAL = 0, /* adjacent pieces, state carried, offset drawn
                           * anew each epoch */
    ELMAN_RANDOM = 1,     /* pieces in random order, zero state, likewise */
} elman_sampling;

/* What becomes of an update whose loss or gradient is not finite, or which
 * would make a weight or a moment so. */
typedef enum elman_nonfinite {
    ELMAN_NONFINITE_STOP = 0, /* elman_trainer_step fails with
                               * ELMAN_ENONFINITE; the trainer stands as before
                               * the update, and may be kept in a checkpoint */
    ELMAN_NONFINITE_SKIP = 1, /* the update counts, but changes neither weights
                               * nor moments, and the state that is carried is
                               * zeros again; after 100 in a row it is a stop */
} elman_nonfinite;

/* Where back-propagation through time is cut off (docs/training.md has the
 * formulas).  All but the plain one, with `back` 0, need sequential sampling
 * and a cell with a state. */
typedef enum elman_truncation {
    ELMAN_TRUNCATION_REGULAR = 0, /* an update every `steps` steps, whose
                                   * gradient goes back `back` of them */
    ELMAN_TRUNCATION_RANDOM = 1,  /* cut after every `steps` steps with
                                   * probability `cut`, and weighted so that the
                                   * expectation is the whole gradient; an
                                   * update at every cut */
    ELMAN_TRUNCATION_NONE = 2,    /* one update an epoch; `steps` is ignored */
} elman_truncation;

typedef struct elman_train_desc {
    size_t struct_size;
    elman_lm_desc model;
    elman_optimizer_desc optimizer;
    elman_schedule schedule;
    elman_reduction loss; /* over time; always the mean over the batch */
    elman_sampling sampling;
    int64_t batch, steps; /* B, T */
    int64_t epochs;       /* 0: no limit */
    int64_t updates;      /* 0: no limit; whichever is reached first */
    uint64_t seed;
    double valid_fraction; /* [0, 1): this tail of the text is held out */
    int64_t stop_after;    /* the run ends after so many validations without a
                            * better loss; 0: it does not */
    double average;        /* [0, 1): decay of the moving average of the weights
                            * that is validated and saved in their place,
                            * a += (1 - d) (w - a) after every update, where d
                            * is the smaller of this and (1 + u) / (10 + u) at
                            * update u from 0; 0: no average */
    int64_t shards; /* a power of two that divides B; 0 means 1.  The gradient
                     * of each B/shards rows is a sum of its own, and these
                     * are added in a binary tree: another number of shards is
                     * another order of the sum */
    elman_nonfinite on_nonfinite;
    const struct elman_ranks *ranks; /* borrowed; NULL: one process */
    elman_truncation truncation;
    int64_t back;   /* regular: steps, or more; 0 means steps */
    double cut;     /* random: (0, 1]; the mean over time (loss) divides by
                     * steps / cut, which an update has on average */
    int64_t memory; /* a budget in bytes for all but weights, tokens and texts,
                     * as in elman_tape_desc; 0: none */
    const elman_lm *from; /* a model whose weights the run begins with; NULL:
                           * they are drawn from the seed.  Borrowed by
                           * elman_trainer_create alone; see there */
} elman_train_desc;
#define ELMAN_TRAIN_DESC                                                       \
    {                                                                          \
        .struct_size = sizeof(elman_train_desc), .model = ELMAN_LM_DESC,       \
        .optimizer = ELMAN_OPTIMIZER_DESC, .schedule = ELMAN_SCHEDULE,         \
        .cut = 0.5                                                             \
    }

typedef struct elman_trainer elman_trainer;

/* ---- Many processes --------------------------------------------------------
 * One run of training may be shared by several processes, its ranks, on one
 * machine or many (docs/many-machines.md).  Each computes as many shards as the
 * others, and the result is bit for bit that of one process with as many
 * shards.  Every rank makes the same calls of elman_trainer_* with the same
 * descriptor and the same texts; rank 0 alone validates and writes files. Where
 * one of them fails all do, with the sentence of the first that failed.
 *
 * The library knows no network: it calls these functions, in the same order on
 * all ranks, by the thread that called it.  They return 0, or anything else if
 * the other ranks cannot be reached any more (ELMAN_EIO).  They move bytes, at
 * most 2^30 a call; first has ranks + 1 elements. */
typedef struct elman_ranks {
    size_t struct_size;
    int rank, ranks; /* 0 ... ranks-1; ranks divides shards */
    void *user;
    /* Bytes first[r] ... first[r+1]-1 of send go to rank r.  What rank r sends
     * here goes to receive + r * n, n = first[rank+1] - first[rank]. */
    int (*exchange)(void *user, const void *send, const int64_t *first,
                    void *receive);
    /* Bytes first[r] ... first[r+1]-1 of block are there on rank r, and
     * afterwards on every rank. */
    int (*gather)(void *user, void *block, const int64_t *first);
    /* What the command needs beside; the library does not. */
    int cores; /* that no other rank of this machine takes */
    /* Ends the processes' connection, after which nothing may be called:
     * waits for the others to do the same, some seconds if failed is not 0.
     * *speaker is then the first rank that failed, or -1.  Not 0: the others
     * did not come. */
    int (*end)(void *user, int failed, int *speaker);
    /* Ends every rank's process, this one included, with this exit status. */
    void (*abandon)(void *user, int status);
} elman_ranks;
#define ELMAN_RANKS                                                            \
    {                                                                          \
        .struct_size = sizeof(elman_ranks), .ranks = 1                         \
    }

/* text and valid (NULL: none) are borrowed; valid must share text's
 * vocabulary.  ELMAN_ETEXT: the text is shorter than one batch.
 * ELMAN_EINVAL: also a memory that is too little, with the least that would
 * do.
 *
 * With desc.from the weights, and their average, begin as that model's; all
 * else begins as ever: moments and counters at zero, states as zeros.
 * desc.model must be of the same network, which elman_lm_describe(from,
 * &desc.model) says, and the text opened with elman_lm_vocab(from)
 * (ELMAN_EMISMATCH).  dtype, to which weights are rounded, dropout, locked and
 * weight_drop are the caller's, and inference_only is 0; of that model it may
 * be 1, but with ELMAN_BF16, where only rounded weights are left
 * (ELMAN_EUNSUPPORTED).  One of ELMAN_INT8 will not do.  ELMAN_ENONFINITE: a
 * weight is not finite, or not in that dtype. */
ELMAN_API elman_status elman_trainer_create(elman_context *context,
                                            const elman_train_desc *desc,
                                            elman_text *text, elman_text *valid,
                                            elman_trainer **out);
ELMAN_API void elman_trainer_destroy(elman_trainer **trainer);

typedef struct elman_train_report {
    size_t struct_size;
    int done;          /* 1: nothing was left to do; no update was made */
    int epoch_end;     /* 1: this update was the last of its epoch */
    int64_t update;    /* updates made so far */
    int64_t epoch;     /* of this update, from 1 */
    int64_t tokens;    /* predicted so far, over the whole run */
    double loss;       /* mean nats per token of this update's batch */
    double epoch_loss; /* mean nats per token of this epoch so far */
    double grad_norm;  /* before clipping */
    double lr;
    double valid_loss; /* mean nats per token, at an epoch's end; else NaN */
    double best_valid_loss; /* NaN until there is one */
    int64_t best_epoch;
    const char *nonfinite; /* NULL, or the view where this update was found not
                            * to be finite; lives as long as the trainer */
    int skipped;           /* 1: this update was */
    int64_t skipped_updates; /* so far */
} elman_train_report;
#define ELMAN_TRAIN_REPORT                                                     \
    {                                                                          \
        .struct_size = sizeof(elman_train_report)                              \
    }

/* One update (and, at an epoch's end, a validation).  With ELMAN_ENONFINITE,
 * too, the report is filled: update is the number that it would have had. */
ELMAN_API elman_status elman_trainer_step(elman_trainer *trainer,
                                          elman_train_report *report);
/* Updates that the epoch at hand takes, and that the run takes in all. */
ELMAN_API int64_t elman_trainer_epoch_updates(const elman_trainer *trainer);
ELMAN_API int64_t elman_trainer_total_updates(const elman_trainer *trainer);
/* What training takes, the passing needs of a validation included.  With random
 * truncation it grows where a segment is longer than all before it. */
ELMAN_API void elman_trainer_memory(const elman_trainer *trainer,
                                    elman_memory *out);
/* The model as it stands; borrowed. */
ELMAN_API const elman_lm *elman_trainer_lm(const elman_trainer *trainer);
/* Writes the model: the best one by validation loss, if there was a
 * validation, else the last one. */
ELMAN_API elman_status elman_trainer_save(const elman_trainer *trainer,
                                          const char *path);
/* Writes the whole state of training: path, after the files before it have
 * become path.1 and path.2.  mark is a number of the caller's that is kept with
 * it (the length of a log, say). */
ELMAN_API elman_status elman_trainer_checkpoint(const elman_trainer *trainer,
                                                const char *path, int64_t mark);

/* A checkpoint in two parts, so that training need not wait for a disk: the
 * first one copies, the second one writes, on any thread, while the trainer
 * makes updates (but not while it saves).  *snapshot is NULL, and is made, or
 * one of this trainer's that is not being written, whose memory is used again:
 * as much as weights, moments, best and averaged weights and states take.  A
 * snapshot must be destroyed before its trainer. */
typedef struct elman_snapshot elman_snapshot;
ELMAN_API elman_status elman_trainer_snapshot(const elman_trainer *trainer,
                                              int64_t mark,
                                              elman_snapshot **snapshot);
/* As elman_trainer_checkpoint, by the state that was copied. */
ELMAN_API elman_status elman_snapshot_write(const elman_snapshot *snapshot,
                                            const char *path);
ELMAN_API void elman_snapshot_destroy(elman_snapshot **snapshot);

/* Goes on from a checkpoint.  desc must agree with the checkpoint's but for
 * epochs and updates, and text and valid must be the same texts
 * (ELMAN_EMISMATCH); desc.from is not read, since the checkpoint has the
 * weights.  Where path is missing or damaged, path.1 and path.2 are tried, and
 * used (path.1, say) tells which one it was; used has room for used_size bytes.
 * mark: NULL if unwanted.  A path that had to be passed over is named by
 * elman_message even when the call succeeds. */
ELMAN_API elman_status elman_trainer_resume(elman_context *context,
                                            const elman_train_desc *desc,
                                            elman_text *text, elman_text *valid,
                                            const char *path,
                                            elman_trainer **out, char *used,
                                            size_t used_size, int64_t *mark);

/* What a checkpoint says, to be read before its texts are opened: desc as it
 * was, and the vocabulary (to be destroyed by the caller; NULL if unwanted).
 * The same fall-back as elman_trainer_resume. */
ELMAN_API elman_status elman_checkpoint_describe(elman_context *context,
                                                 const char *path,
                                                 elman_train_desc *desc,
                                                 elman_vocab **vocab);
ELMAN_API void elman_vocab_destroy(elman_vocab **vocab);

/* ---- Learning while it reads -----------------------------------------------
 * A model that goes on learning from the one stream of tokens that it foretells
 * (dynamic evaluation: B. Krause, E. Kahembwe, I. Murray and S. Renals, Dynamic
 * Evaluation of Neural Sequence Models, 2018).  Every token is predicted before
 * anything is learned from it, so that the losses are those of a forecast.  As
 * soon as `steps` tokens have been predicted the model takes one update:
 *   g   gradient of their mean loss, from the state before them; no dropout
 *   w   = the optimiser's step from w, by g and lr
 *   w   = w + pull (w0 - w), w0 being the weights at the beginning
 * Memory does not grow with the stream: weights, their packed form, w0, a
 * gradient, moments and a tape of `steps` steps.  Bits depend neither on
 * threads nor on how the stream is cut into calls. */

typedef struct elman_learner_desc {
    size_t struct_size;
    elman_optimizer_desc optimizer; /* its dtype is the model's, whatever it
                                     * says */
    double lr;                      /* 0 or more; with 0 nothing is learned */
    double pull;   /* [0, 1]: how far weights go back after an update, which
                    * bounds how far they can go away */
    int64_t steps; /* tokens of one update, at least 1 */
} elman_learner_desc;
#define ELMAN_LEARNER_DESC                                                     \
    {                                                                          \
        .struct_size = sizeof(elman_learner_desc),                             \
        .optimizer = {.struct_size = sizeof(elman_optimizer_desc),             \
                      .kind = ELMAN_RMSPROP,                                   \
                      .momentum = 0.9,                                         \
                      .beta1 = 0.9,                                            \
                      .beta2 = 0.999,                                          \
                      .alpha = 0.99,                                           \
                      .eps = 1e-8,                                             \
                      .clip = 1},                                              \
        .lr = 2e-4, .pull = 1e-3, .steps = 32                                  \
    }

/* One stream's; not to be used by two threads at once. */
typedef struct elman_learner elman_learner;

/* lm is borrowed until the learner is destroyed; its weights are what changes,
 * and stay as they are then (elman_lm_save keeps them).  Nothing else may write
 * them meanwhile, another learner included, and no other thread may run the
 * model during _read, _eval or _reset.  ELMAN_EINVAL: also a model that is
 * inference_only or of ELMAN_INT8. */
ELMAN_API elman_status elman_learner_create(elman_lm *lm,
                                            const elman_learner_desc *desc,
                                            elman_learner **out);
ELMAN_API void elman_learner_destroy(elman_learner **learner);
/* Reads the next tokens of the stream, ids [count].  nats [count] out (NULL if
 * unwanted): -ln p of each, given all before it; 0 for the stream's first,
 * which nothing foretells.
 * ELMAN_ENONFINITE: a loss or a gradient was not finite.  The weights are those
 * before that update, and the stream is over: elman_learner_begin or _reset. */
ELMAN_API elman_status elman_learner_read(elman_learner *learner,
                                          const int32_t *ids, int64_t count,
                                          double *nats);
/* What comes next, after one token or more: logits [V], of the model's dtype.
 * Nothing of the learner changes. */
ELMAN_API elman_status elman_learner_next(elman_learner *learner, void *logits);
/* A new stream from a zero state; what has been learned stays, but tokens that
 * were waiting for an update are let go. */
ELMAN_API void elman_learner_begin(elman_learner *learner);
/* The same, and weights and moments are as they were when it was created. */
ELMAN_API void elman_learner_reset(elman_learner *learner);
/* Updates made since it was created or reset. */
ELMAN_API int64_t elman_learner_updates(const elman_learner *learner);
/* What learning takes, the model included; kept is w0 and states. */
ELMAN_API void elman_learner_memory(const elman_learner *learner,
                                    elman_memory *out);
/* As elman_lm_eval, while learning: a new stream of these tokens. */
ELMAN_API elman_status elman_learner_eval(elman_learner *learner,
                                          elman_text *text, int64_t first,
                                          int64_t count, elman_lm_score *out);

/* ---- Tensor files --------------------------------------------------------
 * The safetensors format: named tensors and string metadata. */

typedef struct elman_tensor {
    const char *name; /* lives as long as its file */
    elman_dtype dtype;
    int rank;
    int64_t shape[8];
    int64_t count;    /* elements */
    const void *data; /* little-endian, row-major, aligned for its dtype */
} elman_tensor;

typedef struct elman_tensors elman_tensors;

/* Reads the whole file and checks every length in it before it is used.
 * Tensors of dtypes other than elman_dtype's are refused by name.
 * ELMAN_EIO, ELMAN_EFORMAT. */
ELMAN_API elman_status elman_tensors_read(elman_context *context,
                                          const char *path,
                                          elman_tensors **out);
/* The same, but that no data are kept, and those of its tensors are NULL: takes
 * as much memory as the header. */
ELMAN_API elman_status elman_tensors_peek(elman_context *context,
                                          const char *path,
                                          elman_tensors **out);
ELMAN_API void elman_tensors_destroy(elman_tensors **tensors);
ELMAN_API int elman_tensors_count(const elman_tensors *tensors);
ELMAN_API elman_status elman_tensors_at(const elman_tensors *tensors, int index,
                                        elman_tensor *out);
/* ELMAN_EINVAL, with a message, if there is no tensor of that name. */
ELMAN_API elman_status elman_tensors_find(const elman_tensors *tensors,
                                          const char *name, elman_tensor *out);
/* The metadata's value for key, zero-terminated; NULL if there is none. */
ELMAN_API const char *elman_tensors_meta(const elman_tensors *tensors,
                                         const char *key);

/* What a file's metadata say that it is. */
typedef enum elman_kind {
    ELMAN_KIND_TENSORS = 0, /* nothing of ours: tensors by name */
    ELMAN_KIND_LM = 1,      /* for elman_lm_load; a checkpoint is one, too */
    ELMAN_KIND_NETWORK = 2, /* for elman_network_load */
} elman_kind;
ELMAN_API elman_kind elman_tensors_kind(const elman_tensors *tensors);

/* Reads what torch.save wrote (PyTorch 1.6 or later): a state dict, or a
 * dictionary or whole module with one somewhere in it, tensors named by the
 * path to them with dots between.  Nothing in the file is run: it is read by a
 * list of what tensors need, and anything else is refused by its name.
 * float16 and bfloat16 become float32; bool and int8 ... int16 become U8 and
 * I32.  The metadata has NAME.class and NAME.mode of modules that were saved
 * whole ("rnn.class" is "torch.nn.modules.rnn.LSTM"; mode as torch has it).
 * ELMAN_EUNSUPPORTED: this library was built without libzip, or the file is
 * such that PyTorch has to write it anew. */
ELMAN_API elman_status elman_tensors_read_torch(elman_context *context,
                                                const char *path,
                                                elman_tensors **out);

/* NumPy's .npy format: one tensor, called "array", row-major whatever the file
 * has.  f4, f8, i4, i8 and u1, little-endian. */
ELMAN_API elman_status elman_tensors_read_npy(elman_context *context,
                                              const char *path,
                                              elman_tensors **out);
/* Whole or not at all; the tensor's name is not used. */
ELMAN_API elman_status elman_tensor_write_npy(elman_context *context,
                                              const char *path,
                                              const elman_tensor *tensor);

/* Writes count tensors in the order given (8-byte types first keeps all
 * aligned) and pairs of metadata: keys_values[2*i], keys_values[2*i+1], UTF-8.
 * Whole or not at all, as elman_lm_save. */
ELMAN_API elman_status elman_tensors_write(
    elman_context *context, const char *path, const elman_tensor *tensors,
    int count, const char *const *keys_values, int pairs);

/* ---- ONNX ------------------------------------------------------------------
 * Networks as other runtimes run them, and theirs as ours (docs/onnx.md).  A
 * library that was built without protobuf-c can do neither:
 * ELMAN_EUNSUPPORTED. */

typedef struct elman_onnx_desc {
    size_t struct_size;
    int lengths; /* 1: the graph has an input for the sequences' lengths */
} elman_onnx_desc;
#define ELMAN_ONNX_DESC                                                        \
    {                                                                          \
        .struct_size = sizeof(elman_onnx_desc)                                 \
    }

/* Writes a graph with inputs x [T,B,I] or ids [T,B], h0 and c0, and outputs y,
 * hT and cT, as those of elman_sequences; T and B are free.  Of lm and network
 * one is NULL.  Whole or not at all, as elman_lm_save.
 * ELMAN_EUNSUPPORTED: ONNX has no such layer. */
ELMAN_API elman_status elman_onnx_write(const elman_lm *lm,
                                        const elman_network *network,
                                        const elman_onnx_desc *desc,
                                        const char *path);
/* Reads a graph of an embedding, RNN, LSTM or GRU, and a linear layer, one
 * after the other, each of which may be missing but the recurrent one; opset 7
 * or later.  Whatever else a node does is refused by the node's name
 * (ELMAN_EFORMAT).  *lm is a language model that elman wrote; anything else,
 * and where lm is NULL that too, is *network.  The other one is NULL. */
ELMAN_API elman_status elman_onnx_read(elman_context *context, const char *path,
                                       elman_lm **lm, elman_network **network);

/* ---- C source --------------------------------------------------------------
 * A model as one C99 file, its weights in it as constants, and a header beside
 * it: for programs and machines without a library (docs/c-source.md). */

/* What weights become; biases stay floats. */
typedef enum elman_c_weights {
    ELMAN_C_F32 = 0,      /* what they are */
    ELMAN_C_BFLOAT16 = 1, /* the upper half of a float, rounded to nearest */
    ELMAN_C_INT8 = 2,     /* -127 ... 127, times a float for each row */
} elman_c_weights;

typedef struct elman_c_desc {
    size_t struct_size;
    const char *name;        /* what stands before every name in it; NULL: the
                              * file's own */
    elman_c_weights weights; /* what they are rounded to */
    const char *remark;      /* a sentence for its first comment, such as what
                              * the rounding costs; NULL: none */
} elman_c_desc;
#define ELMAN_C_DESC                                                           \
    {                                                                          \
        .struct_size = sizeof(elman_c_desc)                                    \
    }

/* Writes path, which ends in ".c", and the header, with ".h" in its place; each
 * whole or not at all, as elman_lm_save.  Of lm and network one is NULL.
 * ELMAN_EUNSUPPORTED: it is of float64 or bfloat16, or of two directions; a
 * weight is not finite. */
ELMAN_API elman_status elman_c_write(const elman_lm *lm,
                                     const elman_network *network,
                                     const elman_c_desc *desc,
                                     const char *path);
/* A copy whose weights are rounded in the same way: what such a file computes
 * is bit for bit what the copy does, so that the loss can be measured. */
ELMAN_API elman_status elman_lm_rounded(const elman_lm *lm,
                                        elman_c_weights weights,
                                        elman_lm **out);
ELMAN_API elman_status elman_network_rounded(const elman_network *network,
                                             elman_c_weights weights,
                                             elman_network **out);

#ifdef __cplusplus
}
#endif
#endif
