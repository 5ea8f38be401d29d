"""The streaming core: one sample a clock, many cells through one network.

The samples of the cells come in turns, 0, 1, ..., CELLS - 1, 0, ..., with any number of
empty clocks between them. All samples pass through one delay line that moves only with
a sample, so the samples of one cell stand CELLS places apart: a window is a set of
taps, without addresses or state per cell. A sample out of turn makes the history
useless; it is flagged, and no energy is called valid until a whole window has come in
again for its cell.
"""

from __future__ import annotations

from pipeline.artifacts.design import RtlDesign

_HEAD = """`timescale 1 ns / 1 ps

// One sample a clock for CELLS time-multiplexed cells; energies come LATENCY clocks after
// the last sample of their window, in the order of the samples.
//
// reset          needed for one clock before the first sample; whenever it is 1, the sample
//                of that clock, all histories and the energies under way are lost
// valid          a sample is at the input; may be 0 for any number of clocks
// cell_id        the sample's cell; cells come in turns, 0 .. CELLS - 1
// out_of_turn    the sample of the clock before broke that order: histories start anew
// energy_valid   an energy of a complete window; cell_out is its cell
module {top}_stream #(
    parameter CELLS = {cells},
    parameter CELL_BITS = {cell_bits}
) (
    input clk,
    input reset,
    input valid,
    input [CELL_BITS-1:0] cell_id,
    input [{sample_high}:0] sample,
    output reg out_of_turn,
    output energy_valid,
    output [CELL_BITS-1:0] cell_out,
    output [{energy_high}:0] energy
);
    localparam LENGTH = {length};
    localparam BITS = {bits};
    localparam LATENCY = {latency};
    localparam DEPTH = (LENGTH - 1) * CELLS;

    // The turn, and how many samples are missing until every window is complete.
    reg started;
    reg [CELL_BITS-1:0] expected;
    reg [31:0] missing;
    wire legal = {{1'b0, cell_id}} < CELLS;
    wire in_turn = legal && (cell_id == expected || !started);
    wire complete = in_turn && missing == 0;
    always @(posedge clk) begin
        out_of_turn <= !reset && valid && !in_turn;
        if (reset) begin
            started <= 1'b0;
            expected <= 0;
            missing <= DEPTH;
        end else if (valid) begin
            started <= legal;
            expected <= {{1'b0, cell_id}} == CELLS - 1 ? 0 : cell_id + 1'b1;
            if (!legal) missing <= DEPTH;
            else if (!in_turn) missing <= DEPTH > 0 ? DEPTH - 1 : 0;
            else if (missing != 0) missing <= missing - 1;
        end
    end
"""

_HISTORY = """
    // Samples of one cell stand CELLS apart in one delay line; the oldest is lowest.
    wire [LENGTH*BITS-1:0] window;
    reg [BITS-1:0] history [0:DEPTH-1];
    integer i;
    always @(posedge clk) if (valid) begin
        history[0] <= sample;
        for (i = 1; i < DEPTH; i = i + 1) history[i] <= history[i-1];
    end
    genvar k;
    generate
        for (k = 0; k < LENGTH - 1; k = k + 1) begin : tap
            assign window[k*BITS +: BITS] = history[(LENGTH-1-k)*CELLS-1];
        end
    endgenerate
    assign window[(LENGTH-1)*BITS +: BITS] = sample;
"""

_NO_HISTORY = """
    wire [BITS-1:0] window = sample;
"""

_TAIL = """
    // What goes beside the network: is it valid, and whose is it.
    reg [LATENCY-1:0] valid_line;
    reg [CELL_BITS-1:0] cell_line [0:LATENCY-1];
    integer j;
    always @(posedge clk) begin
        valid_line[0] <= !reset && valid && complete;
        cell_line[0] <= cell_id;
        for (j = 1; j < LATENCY; j = j + 1) begin
            valid_line[j] <= !reset && valid_line[j-1];
            cell_line[j] <= cell_line[j-1];
        end
    end
    assign energy_valid = valid_line[LATENCY-1];
    assign cell_out = cell_line[LATENCY-1];

    {top} network (.clk(clk), .window(window), .energy(energy));
endmodule
"""


def stream_verilog(design: RtlDesign) -> str:
    """Verilog of the streaming core."""
    history = _HISTORY if design.window_length > 1 else _NO_HISTORY
    head = _HEAD.format(
        top=design.top,
        cells=design.cells,
        cell_bits=design.cell_bits,
        sample_high=design.sample_bits - 1,
        energy_high=design.energy_bits - 1,
        length=design.window_length,
        bits=design.sample_bits,
        latency=design.latency_cycles,
    )
    return head + history + _TAIL.format(top=design.top)
