/* SPDX-License-Identifier: MIT */
/* automaton.c - finite automata as recurrent networks, exactly.
 *
 * An automaton that is in state q and reads symbol s gives out(q, s) and goes
 * on to next(q, s).  It becomes a network with a unit for each pair (q, s),
 * which is 1 if the automaton was in q and reads s, and else 0:
 *
 *   h(q,s) = relu([before = q] + [x = s] - 1)      y = sum out(q,s) h(q,s)
 *
 * [x = s] is the one-hot input, and [before = q] a sum of those units of the
 * step before whose next state is q.  For the first state it is 1 minus the sum
 * of the units that lead elsewhere, so that a state of zeros stands for it.
 * All weights are -1, 0 or 1 (out's are what comes out), all that is added up
 * is a small whole number, and nothing is ever rounded: not after a step, and
 * not after a hundred thousand.
 *
 * With a folder's name each network is written there, for `elman run`. */
#include "example.h"

#include <stdint.h>

enum { STATES_MOST = 8, SYMBOLS_MOST = 4, LONG = 100000, SHORT = 6 };

typedef struct automaton {
    const char *name, *what;
    int states, symbols;
    int next[STATES_MOST][SYMBOLS_MOST];
    int out[STATES_MOST][SYMBOLS_MOST];
} automaton;

/* ---- Three automata ------------------------------------------------------*/

/* Reads 0 or 1, and says whether there was an odd number of ones so far. */
static automaton parity(void)
{
    return (automaton){.name = "parity",
                       .what = "an odd number of ones?",
                       .states = 2,
                       .symbols = 2,
                       .next = {{0, 1}, {1, 0}},
                       .out = {{0, 1}, {1, 0}}};
}

/* Reads a binary number, its first digit first, and gives its remainder after
 * division by 7. */
static automaton remainder_of_7(void)
{
    automaton a = {.name = "remainder",
                   .what = "a binary number modulo 7",
                   .states = 7,
                   .symbols = 2};
    for (int q = 0; q < 7; ++q)
        for (int digit = 0; digit < 2; ++digit)
            a.next[q][digit] = a.out[q][digit] = (2 * q + digit) % 7;
    return a;
}

/* Reads the digits of two binary numbers, the last ones first: symbol 2 a + b.
 * Its state is what is carried, and it gives the digits of the sum. */
static automaton adder(void)
{
    automaton a = {.name = "adder",
                   .what = "the sum of two binary numbers",
                   .states = 2,
                   .symbols = 4};
    for (int carry = 0; carry < 2; ++carry)
        for (int s = 0; s < 4; ++s) {
            const int sum = carry + s / 2 + s % 2;
            a.next[carry][s] = sum / 2;
            a.out[carry][s] = sum % 2;
        }
    return a;
}

/* ---- As networks ---------------------------------------------------------*/

static float *weight(const elman_network *network, float *block,
                     const char *name)
{
    elman_view view;
    must(elman_network_find(network, name, &view));
    return block + view.offset;
}

static elman_network *make_network(elman_context *context, const automaton *a)
{
    const int units = a->states * a->symbols;
    elman_network_desc desc = ELMAN_NETWORK_DESC;
    elman_network *network;
    desc.rnn.activation = ELMAN_RELU;
    desc.rnn.input = a->symbols;
    desc.rnn.hidden = units;
    desc.outputs = 1;
    desc.no_decoder_bias = 1;
    must(elman_network_create(context, &desc, &network));
    float *const block = elman_network_weights_begin(network);
    float *const in = weight(network, block, "rnn.weight_ih_l0");
    float *const before = weight(network, block, "rnn.weight_hh_l0");
    float *const bias = weight(network, block, "rnn.bias_ih_l0");
    float *const out = weight(network, block, "decoder.weight");
    for (int q = 0; q < a->states; ++q)
        for (int s = 0; s < a->symbols; ++s) {
            const int unit = q * a->symbols + s;
            in[unit * a->symbols + s] = 1;
            out[unit] = (float)a->out[q][s];
            bias[unit] = q == 0 ? 0 : -1;
            for (int other = 0; other < units; ++other) {
                const int from =
                    a->next[other / a->symbols][other % a->symbols];
                if (q == 0 && from != 0)
                    before[unit * units + other] = -1;
                if (q != 0 && from == q)
                    before[unit * units + other] = 1;
            }
        }
    elman_network_weights_end(network);
    return network;
}

/* What the network gives for one symbol. */
static float read_symbol(const elman_network *network,
                         elman_network_state *state, int symbols, int symbol)
{
    float x[SYMBOLS_MOST] = {0}, y;
    check(symbol < symbols, "there is such a symbol");
    x[symbol] = 1;
    must(elman_network_step(network, state, x, NULL, &y));
    return y;
}

/* ---- Compared ------------------------------------------------------------*/

/* Follows both over the digits of `number`, in base `symbols`. */
static int agree(const automaton *a, const elman_network *network,
                 elman_network_state *state, int64_t number, int steps)
{
    int q = 0;
    elman_network_state_zero(state);
    for (int t = 0; t < steps; ++t, number /= a->symbols) {
        const int s = (int)(number % a->symbols);
        const float y = read_symbol(network, state, a->symbols, s);
        if (y != (float)a->out[q][s])
            return 0;
        q = a->next[q][s];
    }
    return 1;
}

/* Random symbols, without end. */
static int64_t agree_for_long(const automaton *a, const elman_network *network,
                              elman_network_state *state)
{
    int q = 0;
    elman_network_state_zero(state);
    for (int64_t t = 0; t < LONG; ++t) {
        const float u = elman_random_uniform(0, 1, (uint64_t)t);
        const int s = (int)(u * (float)a->symbols);
        if (read_symbol(network, state, a->symbols, s) != (float)a->out[q][s])
            return t;
        q = a->next[q][s];
    }
    return LONG;
}

static void show(elman_context *context, const automaton *a, const char *folder)
{
    elman_network *network = make_network(context, a);
    elman_network_state *state;
    must(elman_network_state_create(network, 1, &state));
    int64_t all = 1, right = 0;
    for (int t = 0; t < SHORT; ++t)
        all *= a->symbols;
    for (int64_t number = 0; number < all; ++number)
        right += agree(a, network, state, number, SHORT);
    const int64_t steps = agree_for_long(a, network, state);
    printf("%s: %s\n", a->name, a->what);
    printf("  %d states, %d symbols: %d units, %lld weights\n", a->states,
           a->symbols, a->states * a->symbols,
           (long long)elman_network_parameters(network));
    printf("  all sequences of %d symbols: %lld of %lld as it should be\n",
           SHORT, (long long)right, (long long)all);
    printf("  a random one: %lld of %d steps\n", (long long)steps, LONG);
    check(right == all && steps == LONG, "the network is the automaton");
    if (folder != NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%.4000s/%s.safetensors", folder, a->name);
        must(elman_network_save(network, path));
    }
    elman_network_state_destroy(&state);
    elman_network_destroy(&network);
}

/* Adds two numbers in the network, digit by digit. */
static void add(elman_context *context, uint64_t x, uint64_t y)
{
    const automaton a = adder();
    elman_network *network = make_network(context, &a);
    elman_network_state *state;
    uint64_t sum = 0;
    must(elman_network_state_create(network, 1, &state));
    for (int t = 0; t < 64; ++t) {
        const int s = (int)(2 * (x >> t & 1) + (y >> t & 1));
        sum |= (uint64_t)read_symbol(network, state, a.symbols, s) << t;
    }
    printf("%llu + %llu = %llu\n", (unsigned long long)x, (unsigned long long)y,
           (unsigned long long)sum);
    check(sum == x + y, "the network adds");
    elman_network_state_destroy(&state);
    elman_network_destroy(&network);
}

int main(int argc, char **argv)
{
    const char *const folder = argc > 1 ? argv[1] : NULL;
    const automaton all[] = {parity(), remainder_of_7(), adder()};
    elman_context *context;
    must(elman_context_create(NULL, &context));
    for (int i = 0; i < 3; ++i)
        show(context, &all[i], folder);
    add(context, 1895, 802701);
    add(context, 12345678901234567u, 8765432109876543210u);
    elman_context_destroy(&context);
    return 0;
}
