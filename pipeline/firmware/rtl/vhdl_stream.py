"""The streaming core in VHDL 2008: the same registers as `pipeline.firmware.rtl.verilog_stream`."""

from __future__ import annotations

from pipeline.artifacts.design import RtlDesign

_HEAD = """library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

-- One sample a clock for CELLS time-multiplexed cells; energies come LATENCY clocks after
-- the last sample of their window, in the order of the samples.
--
-- reset          needed for one clock before the first sample; whenever it is 1, the sample
--                of that clock, all histories and the energies under way are lost
-- valid          a sample is at the input; may be 0 for any number of clocks
-- cell_id        the sample's cell; cells come in turns, 0 .. CELLS - 1
-- out_of_turn    the sample of the clock before broke that order: histories start anew
-- energy_valid   an energy of a complete window; cell_out is its cell
entity {top}_stream is
    generic (
        CELLS : positive := {cells};
        CELL_BITS : positive := {cell_bits}
    );
    port (
        clk : in std_logic;
        reset : in std_logic;
        valid : in std_logic;
        cell_id : in std_logic_vector(CELL_BITS - 1 downto 0);
        sample : in std_logic_vector({sample_high} downto 0);
        out_of_turn : out std_logic;
        energy_valid : out std_logic;
        cell_out : out std_logic_vector(CELL_BITS - 1 downto 0);
        energy : out std_logic_vector({energy_high} downto 0)
    );
end entity;

architecture rtl of {top}_stream is
    constant LENGTH : positive := {length};
    constant BITS : positive := {bits};
    constant LATENCY : positive := {latency};
    constant DEPTH : natural := (LENGTH - 1) * CELLS;

    signal window : std_logic_vector(LENGTH * BITS - 1 downto 0);

    -- The turn, and how many samples are missing until every window is complete.
    signal started : std_logic;
    signal expected : unsigned(CELL_BITS - 1 downto 0);
    signal missing : natural range 0 to DEPTH := DEPTH;
    signal legal, in_turn, complete : boolean;

    -- What goes beside the network: is it valid, and whose is it.
    type cell_numbers is array (0 to LATENCY - 1) of std_logic_vector(CELL_BITS - 1 downto 0);
    signal valid_line : std_logic_vector(0 to LATENCY - 1);
    signal cell_line : cell_numbers;
{declarations}begin
    legal <= unsigned(cell_id) < CELLS;
    in_turn <= legal and (unsigned(cell_id) = expected or started = '0');
    complete <= in_turn and missing = 0;

    turn : process (clk)
    begin
        if rising_edge(clk) then
            out_of_turn <= '0';
            if reset = '1' then
                started <= '0';
                expected <= (others => '0');
                missing <= DEPTH;
            elsif valid = '1' then
                started <= '1' when legal else '0';
                out_of_turn <= '0' when in_turn else '1';
                if unsigned(cell_id) = CELLS - 1 then
                    expected <= (others => '0');
                else
                    expected <= unsigned(cell_id) + 1;
                end if;
                if not legal then
                    missing <= DEPTH;
                elsif not in_turn then
                    missing <= maximum(DEPTH, 1) - 1;
                elsif missing /= 0 then
                    missing <= missing - 1;
                end if;
            end if;
        end if;
    end process;
"""

_HISTORY_DECLARATIONS = """
    -- Samples of one cell stand CELLS apart in one delay line; the oldest is lowest.
    type samples is array (0 to DEPTH - 1) of std_logic_vector(BITS - 1 downto 0);
    signal history : samples;
"""

_HISTORY = """
    remember : process (clk)
    begin
        if rising_edge(clk) and valid = '1' then
            history(0) <= sample;
            history(1 to DEPTH - 1) <= history(0 to DEPTH - 2);
        end if;
    end process;
    tap : for k in 0 to LENGTH - 2 generate
        window((k + 1) * BITS - 1 downto k * BITS) <= history((LENGTH - 1 - k) * CELLS - 1);
    end generate;
"""

_TAIL = """    window(LENGTH * BITS - 1 downto (LENGTH - 1) * BITS) <= sample;

    beside : process (clk)
    begin
        if rising_edge(clk) then
            valid_line(0) <= '1' when reset = '0' and valid = '1' and complete else '0';
            cell_line(0) <= cell_id;
            for j in 1 to LATENCY - 1 loop
                valid_line(j) <= valid_line(j - 1) and not reset;
                cell_line(j) <= cell_line(j - 1);
            end loop;
        end if;
    end process;
    energy_valid <= valid_line(LATENCY - 1);
    cell_out <= cell_line(LATENCY - 1);

    network : entity work.{top} port map (clk => clk, window => window, energy => energy);
end architecture;
"""


def stream_vhdl(design: RtlDesign) -> str:
    """VHDL of the streaming core."""
    several = design.window_length > 1
    head = _HEAD.format(
        top=design.top,
        cells=design.cells,
        cell_bits=design.cell_bits,
        sample_high=design.sample_bits - 1,
        energy_high=design.energy_bits - 1,
        length=design.window_length,
        bits=design.sample_bits,
        latency=design.latency_cycles,
        declarations=_HISTORY_DECLARATIONS if several else "",
    )
    return head + (_HISTORY if several else "") + _TAIL.format(top=design.top)
