// Training of eight small recurrent networks at once, one in each lane of a vector.
//
// A network is a SimpleRNN with ReLU and one Dense unit with ReLU. Lanes differ in weights,
// quantizers, order of windows and learning rate, and never mix: every operation is elementwise,
// in a fixed order, without contraction to fused multiply-adds (-ffp-contract=off). So a lane's
// numbers depend neither on its neighbours nor on the vector unit that the compiler aims at.
//
// Quantizers are those of QKeras 0.9 in their exact form (q(x), not x + (q(x) - x)), their
// gradients QKeras' straight-through ones; tests/networks/stack compares both.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int LANES = 8;
typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int32_t Mask __attribute__((vector_size(4 * LANES)));

// How the weights of one tensor are quantized; `kind` is an enumeration held as a float.
enum WeightKind { FLOAT = 0, FIXED = 1, AUTO_PO2 = 2, BINARY_AUTO_PO2 = 3 };
struct WeightFormat {
    Vec kind;
    Vec step;       // FIXED: value of one unit in the last place
    Vec low, high;  // FIXED: smallest and largest multiple of it. AUTO_PO2: `high` alone
    Vec unit;       // 2**integer
};

// How a value between layers is quantized. Not quantized: `quantized` is 0, and only the
// bounds act (0 and infinity are a float ReLU).
struct ValueFormat {
    Vec quantized;
    Vec step, steps_per_unit;      // the second is 1 / step
    Vec low, high;                 // bounds of the value
    Vec slope_above, slope_up_to;  // the gradient passes in (slope_above, slope_up_to]
    Vec raised;  // what is that far above an even value goes up all the same: 1/2, or none
};

struct Formats {
    WeightFormat kernel, recurrent, bias, dense_kernel, dense_bias;
    ValueFormat activation, state, output;
};

// Whether any lane does: most stacks do not, and save the time.
bool rounds_half_up(const Formats &formats) {
    for (const ValueFormat *format : {&formats.activation, &formats.state, &formats.output})
        for (int lane = 0; lane < LANES; lane++)
            if (format->raised[lane] == 0.5f) return true;
    return false;
}

constexpr int MOST_UNITS = 64;
// Bounds of (largest weight) / (largest value), within which a scale is chosen: sqrt(1/2), sqrt(2).
constexpr float LEAST_OF_SCALE = 0.7072f, MOST_OF_SCALE = 1.4141f;
constexpr int AHEAD = 8;  // windows
constexpr int SCALE_ROUNDS = 5;  // of QKeras' least squares
constexpr float EPSILON = 1e-7f;  // Keras' own: of QKeras' scales and of Adam
constexpr float BETA_1 = 0.9f, BETA_2 = 0.999f;  // Adam's
constexpr float INTEGER_FLOAT = 12582912.0f;  // 1.5 * 2**23: adding it rounds to an integer, ties to even

inline Vec splat(float value) { return Vec{} + value; }
inline Vec choose(Mask mask, Vec yes, Vec no) { return mask ? yes : no; }
// A first argument that is not a number stays so, or a training that diverges would go on.
inline Vec smaller(Vec a, Vec b) { return a > b ? b : a; }
inline Vec larger(Vec a, Vec b) { return a < b ? b : a; }
inline Vec absolute(Vec x) { return (Vec)((Mask)x & 0x7fffffff); }
inline Vec only(Mask mask, Vec x) { return (Vec)(mask & (Mask)x); }
// For |x| < 2**22; values are clipped before.
inline Vec round_half_even(Vec x) { return (x + INTEGER_FLOAT) - INTEGER_FLOAT; }
// For 0 <= x < 2**22.
inline Vec floor_positive(Vec x) {
    Vec rounded = round_half_even(x);
    return rounded - only(rounded > x, splat(1.0f));
}

// QKeras' pow(2, round(log(x + epsilon) / log(2))), its float32 rounding included: that
// decides only within some units in the last place of a half, where the slow way is taken.
float power_of_two_slowly(float x) {
    float logarithm = (float)std::log((double)x);
    return std::ldexp(1.0f, (int)std::nearbyintf(logarithm / 0.6931471805599453f));
}

Vec nearest_power_of_two(Vec x) {
    x += EPSILON;
    Mask bits = (Mask)x;
    Mask beyond_half = (bits & 0x7fffff) - 0x3504f3;  // mantissa of sqrt(2)
    Vec power = (Vec)((bits + (beyond_half > 0 ? Mask{} + 0x800000 : Mask{})) & 0x7f800000);
    for (int lane = 0; lane < LANES; lane++)
        if (beyond_half[lane] > -64 && beyond_half[lane] < 64)
            power[lane] = power_of_two_slowly(x[lane]);
    return power;
}

// Quantize the `rows` weights of one channel, which lie `stride` apart; return their scale.
Vec quantize_channel(const WeightFormat &format, const Vec *weights, Vec *quantized, int rows,
                     int stride) {
    Mask is_binary = format.kind == (float)BINARY_AUTO_PO2;
    Vec largest{};
    for (int row = 0; row < rows; row++)
        largest = larger(largest, absolute(weights[row * stride] / format.unit));
    Vec scale = nearest_power_of_two(largest / format.high);
    for (int round = 0; round < SCALE_ROUNDS; round++) {
        Vec sum_xz{}, sum_zz{};
        for (int row = 0; row < rows; row++) {
            Vec x = weights[row * stride] / format.unit;
            Mask negative = x < 0.0f;
            Vec steps = smaller(absolute(x) / scale, format.high);  // below 2**22
            steps = smaller(floor_positive(steps + 0.5f), format.high);
            steps = choose(is_binary, splat(1.0f), steps);
            steps = choose(negative, -steps, steps);
            sum_xz += x * steps;
            sum_zz += steps * steps;
            quantized[row * stride] = steps;
        }
        scale = nearest_power_of_two((sum_xz / (float)rows) / (sum_zz / (float)rows + EPSILON));
    }
    Mask is_fixed = format.kind == (float)FIXED, is_float = format.kind == (float)FLOAT;
    for (int row = 0; row < rows; row++) {
        Vec x = weights[row * stride];
        Vec steps = smaller(larger(x / format.step, format.low), format.high);
        Vec fixed = round_half_even(steps) * format.step;
        Vec scaled = format.unit * quantized[row * stride] * scale;
        quantized[row * stride] = choose(is_float, x, choose(is_fixed, fixed, scaled));
    }
    return scale;
}

// Move a channel's weights to the nearest ones of which `quantize_channel` makes this scale.
void keep_scale(const WeightFormat &format, Vec *weights, int rows, int stride, Vec scale) {
    Mask is_scaled = (format.kind == (float)AUTO_PO2) | (format.kind == (float)BINARY_AUTO_PO2);
    Vec largest{};
    for (int row = 0; row < rows; row++) largest = larger(largest, absolute(weights[row * stride]));
    Vec full = format.high * format.unit * scale;
    Vec least = full * LEAST_OF_SCALE, most = full * MOST_OF_SCALE;
    for (int row = 0; row < rows; row++) {
        Vec x = weights[row * stride];
        Vec size = smaller(absolute(x), most);
        size = choose((absolute(x) == largest) & (largest < least), least, size);
        weights[row * stride] = choose(is_scaled, choose(x < 0.0f, -size, size), x);
    }
}

inline Vec quantize(const ValueFormat &format, Vec x, bool half_up) {
    Vec bounded = smaller(larger(x, format.low), format.high);
    Vec steps = bounded * format.steps_per_unit;
    Vec rounded = round_half_even(steps);
    if (half_up)  // in any lane; the difference is exact
        rounded += only(steps - rounded == format.raised, splat(1.0f));
    return choose(format.quantized != 0.0f, rounded * format.step, bounded);
}

inline Mask passes(const ValueFormat &format, Vec x) {
    return (x > format.slope_above) & (x <= format.slope_up_to);
}

// One set of values for the weights, in the order in which they lie behind one another.
template <typename Pointer> struct Tensors {
    Pointer kernel, recurrent, bias, dense_kernel, dense_bias;
    Tensors(Pointer begin, int units)
        : kernel(begin), recurrent(kernel + units), bias(recurrent + units * units),
          dense_kernel(bias + units), dense_bias(dense_kernel + units) {}
};

int weights_of(int units) { return units * units + 3 * units + 1; }

// Weights of a fixed scale stay where their quantizer has values, as in QKeras. Weights whose
// scale follows them need no bound; QKeras keeps them within 1 all the same.
void keep_in_range(const WeightFormat &format, Vec *weights, int count) {
    Vec most = choose(format.kind == (float)FIXED, larger(format.unit, splat(1.0f)),
                      splat(INFINITY));
    for (int place = 0; place < count; place++)
        weights[place] = smaller(larger(weights[place], -most), most);
}

void keep_all_in_range(const Formats &formats, int units, Vec *weights) {
    Tensors<Vec *> tensors(weights, units);
    keep_in_range(formats.kernel, tensors.kernel, units);
    keep_in_range(formats.recurrent, tensors.recurrent, units * units);
    keep_in_range(formats.bias, tensors.bias, units);
    keep_in_range(formats.dense_kernel, tensors.dense_kernel, units);
    keep_in_range(formats.dense_bias, tensors.dense_bias, 1);
}

// Scales of kernel and recurrent kernel by unit, then that of the Dense kernel.
int scales_of(int units) { return 2 * units + 1; }

void keep_all_scales(const Formats &formats, int units, Vec *weights, const Vec *scales) {
    Tensors<Vec *> tensors(weights, units);
    for (int unit = 0; unit < units; unit++) {
        keep_scale(formats.kernel, tensors.kernel + unit, 1, 1, scales[unit]);
        keep_scale(formats.recurrent, tensors.recurrent + unit, units, units, scales[units + unit]);
    }
    keep_scale(formats.dense_kernel, tensors.dense_kernel, units, 1, scales[2 * units]);
}

void quantize_weights(const Formats &formats, int units, const Vec *weights, Vec *quantized,
                      Vec *scales) {
    Tensors<const Vec *> from(weights, units);
    Tensors<Vec *> to(quantized, units);
    for (int unit = 0; unit < units; unit++) {
        scales[unit] =
            quantize_channel(formats.kernel, from.kernel + unit, to.kernel + unit, 1, 1);
        scales[units + unit] = quantize_channel(formats.recurrent, from.recurrent + unit,
                                                to.recurrent + unit, units, units);
        quantize_channel(formats.bias, from.bias + unit, to.bias + unit, 1, 1);
    }
    scales[2 * units] =
        quantize_channel(formats.dense_kernel, from.dense_kernel, to.dense_kernel, units, 1);
    quantize_channel(formats.dense_bias, from.dense_bias, to.dense_bias, 1, 1);
}

struct Data {
    const float *samples, *truth;  // scaled; samples as the input quantizer leaves them
    int64_t windows;
    int32_t length, target;  // samples in a window; the target's place behind its first
};

// What the backward pass needs of one window, and one step's worth of scratch.
struct Scratch {
    std::vector<Vec> samples, states, hidden, row;
    std::vector<Mask> passed, state_passed;
    bool half_up;
    Scratch(const Formats &formats, int length, int units)
        : samples(length), states((length + 1) * units), hidden(units), row(units),
          passed(length * units), state_passed((length + 1) * units),
          half_up(rounds_half_up(formats)) {}
};

// Put the windows that begin at `first`, one a lane, through the network.
template <int UNITS>
inline Vec forward(const Formats &formats, const Data &data, int runtime_units,
                   const Vec *quantized, const uint32_t *first, Scratch &scratch, Mask &passed) {
    const int units = UNITS ? UNITS : runtime_units;
    const bool half_up = scratch.half_up;
    Tensors<const Vec *> weights(quantized, units);
    Vec *hidden = scratch.hidden.data();
    Vec *state = scratch.states.data();
    for (int step = 0; step < data.length; step++) {
        Vec sample;
        for (int lane = 0; lane < LANES; lane++) sample[lane] = data.samples[first[lane] + step];
        scratch.samples[step] = sample;
        Vec sums[UNITS ? UNITS : MOST_UNITS];
        for (int unit = 0; unit < units; unit++)
            sums[unit] = sample * weights.kernel[unit] + weights.bias[unit];
        if (step)
            for (int from = 0; from < units; from++)
                for (int unit = 0; unit < units; unit++)
                    sums[unit] += state[from] * weights.recurrent[from * units + unit];
        state += units;
        bool last = step == data.length - 1;
        for (int unit = 0; unit < units; unit++) {
            Vec value = quantize(formats.activation, sums[unit], half_up);
            scratch.passed[step * units + unit] = passes(formats.activation, sums[unit]);
            scratch.state_passed[step * units + unit] = passes(formats.state, value);
            if (last) hidden[unit] = value;
            else state[unit] = quantize(formats.state, value, half_up);
        }
    }
    Vec sum = weights.dense_bias[0];
    for (int unit = 0; unit < units; unit++) sum += hidden[unit] * weights.dense_kernel[unit];
    passed = passes(formats.output, sum);
    return quantize(formats.output, sum, half_up);
}

// Add the gradient of one window to `gradients`; `slope` is that of the loss at the output.
template <int UNITS>
inline void backward(const Data &data, int runtime_units, const Vec *quantized, Vec slope,
                     Scratch &scratch, Vec *sums_of_gradients) {
    const int units = UNITS ? UNITS : runtime_units;
    Tensors<const Vec *> weights(quantized, units);
    Tensors<Vec *> gradients(sums_of_gradients, units);
    Vec before[UNITS ? UNITS : MOST_UNITS], slopes[UNITS ? UNITS : MOST_UNITS];
    gradients.dense_bias[0] += slope;
    for (int unit = 0; unit < units; unit++) {
        gradients.dense_kernel[unit] += scratch.hidden[unit] * slope;
        before[unit] = weights.dense_kernel[unit] * slope;
    }
    for (int step = data.length - 1; step >= 0; step--) {
        Vec sample = scratch.samples[step];
        for (int unit = 0; unit < units; unit++) {
            slopes[unit] = only(scratch.passed[step * units + unit], before[unit]);
            gradients.bias[unit] += slopes[unit];
            gradients.kernel[unit] += sample * slopes[unit];
        }
        if (!step) break;
        const Vec *state = &scratch.states[step * units];
        for (int from = 0; from < units; from++) {
            Vec sum{};
            for (int unit = 0; unit < units; unit++) {
                sum += weights.recurrent[from * units + unit] * slopes[unit];
                gradients.recurrent[from * units + unit] += state[from] * slopes[unit];
            }
            before[from] = only(scratch.state_passed[(step - 1) * units + from], sum);
        }
    }
}

inline Vec truth_of(const Data &data, const uint32_t *first) {
    Vec truth;
    for (int lane = 0; lane < LANES; lane++) truth[lane] = data.truth[first[lane] + data.target];
    return truth;
}

// Ask for what the windows read that come soon: they lie anywhere in the sequence.
inline void fetch(const Data &data, const uint32_t *first) {
    for (int lane = 0; lane < LANES; lane++) {
        __builtin_prefetch(data.samples + first[lane]);
        __builtin_prefetch(data.truth + first[lane] + data.target);
    }
}

// Loss and gradient, summed over a batch: `order` is uint32 (count, LANES).
template <int UNITS>
Vec add_gradients(const Formats &formats, const Data &data, int units, const Vec *quantized,
                  const uint32_t *order, int count, Scratch &scratch, Vec *gradients) {
    Vec squared{};
    for (int window = 0; window < count; window++) {
        const uint32_t *first = order + (int64_t)window * LANES;
        fetch(data, order + (int64_t)std::min(window + AHEAD, count - 1) * LANES);
        Mask passed;
        Vec error = forward<UNITS>(formats, data, units, quantized, first, scratch, passed) -
                    truth_of(data, first);
        squared += error * error;
        Vec slope = only(passed, error * (2.0f / (float)count));
        backward<UNITS>(data, units, quantized, slope, scratch, gradients);
    }
    return squared;
}

inline Vec square_root(Vec x) {
    for (int lane = 0; lane < LANES; lane++) x[lane] = std::sqrt(x[lane]);
    return x;
}

// Keras' Adam. `rate` is that of the epoch, with the correction of the first steps.
void update(Vec *weights, Vec *first, Vec *second, const Vec *gradients, int count, Vec rate) {
    for (int place = 0; place < count; place++) {
        Vec gradient = gradients[place];
        first[place] += (gradient - first[place]) * (1.0f - BETA_1);
        second[place] += (gradient * gradient - second[place]) * (1.0f - BETA_2);
        weights[place] -= first[place] * rate / (square_root(second[place]) + EPSILON);
    }
}

// xoshiro256** 1.0 (Blackman, Vigna, arXiv:1805.01407), seeded by splitmix64 as they advise.
struct Random {
    uint64_t state[4];
    explicit Random(uint64_t seed) {
        for (uint64_t &word : state) {
            uint64_t mixed = seed += 0x9e3779b97f4a7c15;
            mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
            word = mixed ^ (mixed >> 31);
        }
    }
    static uint64_t rotated(uint64_t word, int by) { return (word << by) | (word >> (64 - by)); }
    uint64_t next() {
        uint64_t result = rotated(state[1] * 5, 7) * 9, shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = rotated(state[3], 45);
        return result;
    }
    // Uniform in 0..bound-1 but for a bias below 2**-32 / bound, which no training can see.
    uint32_t below(uint32_t bound) { return ((next() >> 32) * bound) >> 32; }
};

// A random order of the windows for each lane (Fisher, Yates), from its seed of this epoch.
void shuffle(int64_t windows, const uint64_t *seeds, uint32_t *order) {
    std::vector<uint32_t> column(windows);
    for (int lane = 0; lane < LANES; lane++) {
        Random random(seeds[lane]);
        for (int64_t place = 0; place < windows; place++) {
            uint32_t other = random.below(place + 1);
            column[place] = column[other];
            column[other] = place;
        }
        for (int64_t place = 0; place < windows; place++)
            order[place * LANES + lane] = column[place];
    }
}

template <int UNITS>
void train_epoch(const Formats &formats, const Data &data, int units, int batch, int64_t step,
                 Vec rates, const uint32_t *order, Vec *weights, Vec *first, Vec *second,
                 const Vec *held, const Vec *frozen, double *loss) {
    const int count = weights_of(units);
    std::vector<Vec> quantized(count), gradients(count), scales(scales_of(units));
    Scratch scratch(formats, data.length, units);
    for (int lane = 0; lane < LANES; lane++) loss[lane] = 0;
    for (int64_t begin = 0; begin < data.windows; begin += batch) {
        int windows = (int)std::min<int64_t>(batch, data.windows - begin);
        quantize_weights(formats, units, weights, quantized.data(), scales.data());
        std::fill(gradients.begin(), gradients.end(), Vec{});
        Vec squared = add_gradients<UNITS>(formats, data, units, quantized.data(),
                                           order + begin * LANES, windows, scratch,
                                           gradients.data());
        step++;
        float correction = (float)(std::sqrt(1 - std::pow((double)BETA_2, (double)step)) /
                                   (1 - std::pow((double)BETA_1, (double)step)));
        update(weights, first, second, gradients.data(), count, rates * correction);
        keep_all_in_range(formats, units, weights);
        if (held) keep_all_scales(formats, units, weights, held);
        if (frozen)
            for (int place = 0; place < count; place++)  // not a number: not frozen
                weights[place] = choose(frozen[place] == frozen[place], frozen[place], weights[place]);
        for (int lane = 0; lane < LANES; lane++) loss[lane] += squared[lane];
    }
    for (int lane = 0; lane < LANES; lane++) loss[lane] /= data.windows;
}

template <int UNITS>
void put_through(const Formats &formats, const Data &data, int units, const Vec *quantized,
                 float *outputs, double *loss) {
    Scratch scratch(formats, data.length, units);
    for (int lane = 0; lane < LANES; lane++) loss[lane] = 0;
    for (int64_t window = 0; window < data.windows; window++) {
        uint32_t first[LANES];
        for (uint32_t &place : first) place = window;
        Mask passed;
        Vec output = forward<UNITS>(formats, data, units, quantized, first, scratch, passed);
        Vec error = output - truth_of(data, first);
        for (int lane = 0; lane < LANES; lane++) loss[lane] += (double)error[lane] * error[lane];
        if (outputs) std::memcpy(outputs + window * LANES, &output, sizeof output);
    }
    for (int lane = 0; lane < LANES; lane++) loss[lane] /= data.windows;
}

#include "learned.hpp"

// The widths that are common have loops of a known length; UNITS = 0 serves all others.
#define FOR_UNITS(units, call)                                                                   \
    switch (units) {                                                                             \
        case 5: call(5); break;                                                                  \
        case 6: call(6); break;                                                                  \
        case 7: call(7); break;                                                                  \
        case 8: call(8); break;                                                                  \
        default: call(0);                                                                        \
    }

}  // namespace

// All arrays of weights are float (weights, LANES), aligned to a Vec. See library.py.
extern "C" {

int lanes() { return LANES; }
int most_units() { return MOST_UNITS; }

void quantize_all(const Formats *formats, int units, const Vec *weights, Vec *quantized,
                  Vec *scales) {
    quantize_weights(*formats, units, weights, quantized, scales);
}

void shuffle_all(int64_t windows, const uint64_t *seeds, uint32_t *order) {
    shuffle(windows, seeds, order);
}

void train_all(const Formats *formats, const Data *data, int units, int batch, int64_t step,
               const float *rates, const uint32_t *order, Vec *weights, Vec *first, Vec *second,
               const Vec *held, const Vec *frozen, double *loss) {
    Vec rate;
    std::memcpy(&rate, rates, sizeof rate);
#define TRAIN(UNITS)                                                                             \
    train_epoch<UNITS>(*formats, *data, units, batch, step, rate, order, weights, first, second, \
                       held, frozen, loss)
    FOR_UNITS(units, TRAIN)
}

void evaluate_all(const Formats *formats, const Data *data, int units, const Vec *weights,
                  float *outputs, double *loss) {
    std::vector<Vec> quantized(weights_of(units)), scales(scales_of(units));
    quantize_weights(*formats, units, weights, quantized.data(), scales.data());
#define EVALUATE(UNITS) \
    put_through<UNITS>(*formats, *data, units, quantized.data(), outputs, loss)
    FOR_UNITS(units, EVALUATE)
}

void gradients_all(const Formats *formats, const Data *data, int units, const Vec *weights,
                   const uint32_t *order, int count, Vec *gradients, float *loss) {
    std::vector<Vec> quantized(weights_of(units)), scales(scales_of(units));
    quantize_weights(*formats, units, weights, quantized.data(), scales.data());
    Scratch scratch(*formats, data->length, units);
    Vec squared;
#define GRADIENTS(UNITS)                                                                         \
    squared = add_gradients<UNITS>(*formats, *data, units, quantized.data(), order, count,       \
                                   scratch, gradients)
    FOR_UNITS(units, GRADIENTS)
    squared /= (float)count;
    std::memcpy(loss, &squared, sizeof squared);
}

// Bits are learned, too; see learned.hpp. All arrays of parameters are float (parameters, LANES).

void train_learned_all(const LearnedFormat *format, const Data *data, int units, int batch,
                       int64_t step, const Vec *rates, const uint32_t *order, Vec *parameters,
                       Vec *first, Vec *second, double *loss) {
#define TRAIN_LEARNED(UNITS)                                                                     \
    train_learned<UNITS>(*format, *data, units, batch, step, rates[0], rates[1], rates[2],       \
                         order, parameters, first, second, loss)
    FOR_UNITS(units, TRAIN_LEARNED)
}

void learned_gradients_all(const LearnedFormat *format, const Data *data, int units,
                           const Vec *parameters, const uint32_t *order, int count,
                           Vec *gradients, double *loss) {
    Rounded rounded(units);
    LearnedScratch scratch(data->length, units);
    Vec squared;
#define LEARNED_GRADIENTS(UNITS)                                                                 \
    squared = learned_gradients<UNITS>(*format, *data, units, parameters, order, count, rounded, \
                                       scratch, gradients)
    FOR_UNITS(units, LEARNED_GRADIENTS)
    for (int lane = 0; lane < LANES; lane++) loss[lane] = squared[lane] / count;
}

// `rounded`: weights as they are rounded, bits of each from its first place, bits of the units.
void round_learned_all(const LearnedFormat *format, int units, int length, const Vec *parameters,
                       Vec *rounded, Vec *operations) {
    Rounded now(units);
    now.take(units, parameters);
    Vec *end = std::copy(now.weights.begin(), now.weights.end(), rounded);
    end = std::copy(now.bits.begin(), now.bits.end(), end);
    std::copy(now.unit_bits.begin(), now.unit_bits.end(), end);
    std::vector<Vec> slopes(parameters_of(units));
    *operations = bit_operations(*format, now, units, length, Vec{}, slopes.data());
}

void evaluate_learned_all(const LearnedFormat *format, const Data *data, int units,
                          const Vec *parameters, float *outputs, double *loss) {
    Rounded rounded(units);
    rounded.take(units, parameters);
#define EVALUATE_LEARNED(UNITS) \
    put_through_learned<UNITS>(*format, *data, units, rounded, outputs, loss)
    FOR_UNITS(units, EVALUATE_LEARNED)
}
}
