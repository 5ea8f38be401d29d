// Training of bits together with weights: part of core.cpp, which includes it.
//
// Every weight has a number of fraction bits of its own, and so has the value of every hidden
// unit, which the next step and the Dense unit read alike. They are float parameters beside the
// weights, rounded wherever they are used; q = floor(x * 2**f + 1/2) / 2**f (half up). A weight
// that is rounded to 0 is pruned. Gradients are those of HGQ (arXiv:2405.00645): dq/dx = 1,
// dq/df = ln 2 * (x - q). The loss is the mean squared error, weighted, plus a price for each
// effective bit operation: of each product in a window, bits of the weight times bits of the value.

// Hidden values are in [0, 1): ReLU, clipped to the largest multiple of the step. The output's
// step is the same for all windows and not learned.
struct LearnedFormat {
    Vec input_bits;                  // that a sample counts with in a price
    Vec output_step, output_steps;   // value of one step; steps in 1
    Vec output_high;                 // largest output
    Vec error_weight;                // of the mean squared error in the loss
    Vec price;                       // of a bit operation in the loss
};

constexpr float LN_2 = 0.69314718f;
constexpr float LEAST_FRACTION = -8.0f, MOST_FRACTION = 14.0f;

// Parameters: weights as in Tensors, their fraction bits in the same order, those of the units.
int parameters_of(int units) { return 2 * weights_of(units) + units; }

inline Vec power_of_two(Vec exponent) {
    return (Vec)((__builtin_convertvector(exponent, Mask) + 127) << 23);
}

// floor(x + 1/2) for |x| < 2**21.
inline Vec round_half_up(Vec x) {
    Vec moved = x + 0.5f, rounded = round_half_even(moved);
    return rounded - only(rounded > moved, splat(1.0f));
}

inline Vec whole_bits(Vec bits) {
    return round_half_even(smaller(larger(bits, splat(LEAST_FRACTION)), splat(MOST_FRACTION)));
}

// Bits from a weight's first to its last place; 0 for a weight that is 0. The sign is free.
inline Vec bits_of_weight(Vec quantized, Vec fraction_bits) {
    Mask exponent = (((Mask)quantized >> 23) & 0xff) - 126;  // of the first bit, plus 1
    Vec bits = __builtin_convertvector(exponent, Vec) + fraction_bits;
    return choose(quantized == 0.0f, Vec{}, bits);
}

// What a batch reads: weights and steps as the parameters say now.
struct Rounded {
    std::vector<Vec> weights, bits, step, steps, unit_bits, high;
    explicit Rounded(int units)
        : weights(weights_of(units)), bits(weights_of(units)), step(units), steps(units),
          unit_bits(units), high(units) {}

    void take(int units, const Vec *parameters) {
        const int count = weights_of(units);
        for (int place = 0; place < count; place++) {
            Vec fraction = whole_bits(parameters[count + place]);
            Vec limit = splat(2097151.0f);  // far beyond any use: a rounded product stays exact
            Vec scaled = parameters[place] * power_of_two(fraction);
            scaled = smaller(larger(scaled, -limit), limit);
            weights[place] = round_half_up(scaled) * power_of_two(-fraction);
            bits[place] = bits_of_weight(weights[place], fraction);
        }
        for (int unit = 0; unit < units; unit++) {
            unit_bits[unit] = larger(whole_bits(parameters[2 * count + unit]), Vec{});
            step[unit] = power_of_two(-unit_bits[unit]);
            steps[unit] = power_of_two(unit_bits[unit]);
            high[unit] = 1.0f - step[unit];
        }
    }
};

// Effective bit operations of one window; adds their slopes by fraction bits, times `price`.
Vec bit_operations(const LearnedFormat &format, const Rounded &rounded, int units, int length,
                   Vec price, Vec *slopes) {
    const int count = weights_of(units);
    Tensors<const Vec *> bits(rounded.bits.data(), units);
    Tensors<Vec *> slope(slopes + count, units);
    Vec *unit_slope = slopes + 2 * count;
    Vec sum{};
    auto term = [&](Vec weight, Vec value, float times, Vec &of_weight, Vec *of_value) {
        sum += weight * value * times;
        of_weight += only(weight > 0.0f, value * times * price);
        if (of_value) *of_value += only(value > 0.0f, weight * times * price);
    };
    for (int unit = 0; unit < units; unit++) {
        term(bits.kernel[unit], format.input_bits, length, slope.kernel[unit], nullptr);
        term(bits.bias[unit], splat(1.0f), length, slope.bias[unit], nullptr);
        term(bits.dense_kernel[unit], rounded.unit_bits[unit], 1, slope.dense_kernel[unit],
             unit_slope + unit);
        for (int to = 0; to < units; to++)
            term(bits.recurrent[unit * units + to], rounded.unit_bits[unit], length - 1,
                 slope.recurrent[unit * units + to], unit_slope + unit);
    }
    term(bits.dense_bias[0], splat(1.0f), 1, slope.dense_bias[0], nullptr);
    return sum;
}

struct LearnedScratch {
    std::vector<Vec> samples, states, lost;  // `lost`: bounded value minus rounded value
    std::vector<Mask> passed;
    LearnedScratch(int length, int units)
        : samples(length), states((length + 1) * units), lost(length * units),
          passed(length * units) {}
};

template <int UNITS>
inline Vec forward_learned(const LearnedFormat &format, const Data &data, int runtime_units,
                           const Rounded &rounded, const uint32_t *first, LearnedScratch &scratch,
                           Mask &passed) {
    const int units = UNITS ? UNITS : runtime_units;
    Tensors<const Vec *> weights(rounded.weights.data(), units);
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
        for (int unit = 0; unit < units; unit++) {
            Vec high = rounded.high[unit];
            Vec bounded = smaller(larger(sums[unit], Vec{}), splat(1.0f));
            Vec value = round_half_up(bounded * rounded.steps[unit]) * rounded.step[unit];
            state[unit] = smaller(value, high);
            scratch.lost[step * units + unit] = bounded - state[unit];
            scratch.passed[step * units + unit] = (sums[unit] > 0.0f) & (sums[unit] <= high);
        }
    }
    Vec sum = weights.dense_bias[0];
    for (int unit = 0; unit < units; unit++) sum += state[unit] * weights.dense_kernel[unit];
    passed = (sum > 0.0f) & (sum <= format.output_high);
    Vec bounded = smaller(larger(sum, Vec{}), format.output_high);
    return smaller(round_half_up(bounded * format.output_steps) * format.output_step,
                   format.output_high);
}

// Add the slopes of one window: by quantized weight, and by the bits of the units.
template <int UNITS>
inline void backward_learned(const Data &data, int runtime_units, const Rounded &rounded,
                             Vec slope, LearnedScratch &scratch, Vec *sums_of_slopes) {
    const int units = UNITS ? UNITS : runtime_units;
    Tensors<const Vec *> weights(rounded.weights.data(), units);
    Tensors<Vec *> gradients(sums_of_slopes, units);
    Vec *unit_slopes = sums_of_slopes + 2 * weights_of(units);
    const Vec *last = &scratch.states[data.length * units];
    Vec before[UNITS ? UNITS : MOST_UNITS], slopes[UNITS ? UNITS : MOST_UNITS];
    gradients.dense_bias[0] += slope;
    for (int unit = 0; unit < units; unit++) {
        gradients.dense_kernel[unit] += last[unit] * slope;
        before[unit] = weights.dense_kernel[unit] * slope;
    }
    for (int step = data.length - 1; step >= 0; step--) {
        Vec sample = scratch.samples[step];
        for (int unit = 0; unit < units; unit++) {
            unit_slopes[unit] += before[unit] * scratch.lost[step * units + unit] * LN_2;
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
            before[from] = sum;
        }
    }
}

// Squared error, summed over a batch, and the gradient of the loss.
template <int UNITS>
Vec learned_gradients(const LearnedFormat &format, const Data &data, int units,
                      const Vec *parameters, const uint32_t *order, int windows, Rounded &rounded,
                      LearnedScratch &scratch, Vec *gradients) {
    const int count = weights_of(units);
    std::fill(gradients, gradients + parameters_of(units), Vec{});
    rounded.take(units, parameters);
    Vec squared{}, weight = format.error_weight * (2.0f / (float)windows);
    for (int window = 0; window < windows; window++) {
        const uint32_t *first = order + (int64_t)window * LANES;
        fetch(data, order + (int64_t)std::min(window + AHEAD, windows - 1) * LANES);
        Mask passed;
        Vec output = forward_learned<UNITS>(format, data, units, rounded, first, scratch, passed);
        Vec error = output - truth_of(data, first);
        squared += error * error;
        backward_learned<UNITS>(data, units, rounded, only(passed, error * weight), scratch,
                                gradients);
    }
    for (int place = 0; place < count; place++)
        gradients[count + place] =
            gradients[place] * (parameters[place] - rounded.weights[place]) * LN_2;
    bit_operations(format, rounded, units, data.length, format.price, gradients);
    return squared;
}

template <int UNITS>
void train_learned(const LearnedFormat &format, const Data &data, int units, int batch,
                   int64_t step, Vec rates, Vec bit_rates, Vec unit_rates, const uint32_t *order,
                   Vec *parameters, Vec *first, Vec *second, double *loss) {
    const int count = weights_of(units), all = parameters_of(units);
    std::vector<Vec> gradients(all);
    Rounded rounded(units);
    LearnedScratch scratch(data.length, units);
    for (int lane = 0; lane < LANES; lane++) loss[lane] = 0;
    for (int64_t begin = 0; begin < data.windows; begin += batch) {
        int windows = (int)std::min<int64_t>(batch, data.windows - begin);
        Vec squared =
            learned_gradients<UNITS>(format, data, units, parameters, order + begin * LANES,
                                     windows, rounded, scratch, gradients.data());
        step++;
        float correction = (float)(std::sqrt(1 - std::pow((double)BETA_2, (double)step)) /
                                   (1 - std::pow((double)BETA_1, (double)step)));
        update(parameters, first, second, gradients.data(), count, rates * correction);
        update(parameters + count, first + count, second + count, gradients.data() + count, count,
               bit_rates * correction);
        const int units_at = 2 * count;
        update(parameters + units_at, first + units_at, second + units_at,
               gradients.data() + units_at, units, unit_rates * correction);
        for (int place = count; place < all; place++)
            parameters[place] = smaller(larger(parameters[place], splat(LEAST_FRACTION)),
                                        splat(MOST_FRACTION));
        for (int lane = 0; lane < LANES; lane++) loss[lane] += squared[lane];
    }
    for (int lane = 0; lane < LANES; lane++) loss[lane] /= data.windows;
}

template <int UNITS>
void put_through_learned(const LearnedFormat &format, const Data &data, int units,
                         const Rounded &rounded, float *outputs, double *loss) {
    LearnedScratch scratch(data.length, units);
    for (int lane = 0; lane < LANES; lane++) loss[lane] = 0;
    for (int64_t window = 0; window < data.windows; window++) {
        uint32_t first[LANES];
        for (uint32_t &place : first) place = window;
        Mask passed;
        Vec output = forward_learned<UNITS>(format, data, units, rounded, first, scratch, passed);
        Vec error = output - truth_of(data, first);
        for (int lane = 0; lane < LANES; lane++) loss[lane] += (double)error[lane] * error[lane];
        if (outputs) std::memcpy(outputs + window * LANES, &output, sizeof output);
    }
    for (int lane = 0; lane < LANES; lane++) loss[lane] /= data.windows;
}
