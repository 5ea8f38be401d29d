"""Excerpts of vendors' reports as hls4ml 1.3.0 and da4ml 0.5.2, which meet real ones, read them."""

# Vitis HLS, <project>_prj/solution1/syn/report. Estimates of a module stand in it as well.
CSYNTH = """<?xml version="1.0" encoding="utf-8"?>
<profile>
<ReportVersion><Version>2023.2</Version></ReportVersion>
<UserAssignments><unit>ns</unit><TopModelName>cell_rnn</TopModelName>
<TargetClockPeriod>3.12</TargetClockPeriod></UserAssignments>
<PerformanceEstimates>
<PipelineType>yes</PipelineType>
<SummaryOfTimingAnalysis><unit>ns</unit>
<EstimatedClockPeriod>2.281</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><unit>clock cycles</unit>
<Best-caseLatency>20</Best-caseLatency><Average-caseLatency>20</Average-caseLatency>
<Worst-caseLatency>21</Worst-caseLatency>
<Interval-min>1</Interval-min><Interval-max>2</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources><BRAM_18K>4</BRAM_18K><DSP>7</DSP><FF>3000</FF><LUT>9000</LUT><URAM>0</URAM></Resources>
<AvailableResources><BRAM_18K>4320</BRAM_18K><DSP>6840</DSP><FF>2364480</FF><LUT>1182240</LUT>
<URAM>960</URAM></AvailableResources>
</AreaEstimates>
<ModuleInformation><Module><Name>dense</Name>
<PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>1.1</EstimatedClockPeriod>
</SummaryOfTimingAnalysis><SummaryOfOverallLatency><Worst-caseLatency>3</Worst-caseLatency>
<Interval-max>1</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><DSP>1</DSP><FF>10</FF><LUT>20</LUT><BRAM_18K>0</BRAM_18K></Resources>
</AreaEstimates></Module></ModuleInformation>
</profile>
"""

# report_utilization. Vivado writes RAMB36/FIFO*; with its star, da4ml does not read that row.
UTILIZATION = """
Table of Contents
-----------------
1. CLB Logic
2. BLOCKRAM
3. ARITHMETIC

1. CLB Logic
------------

+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| CLB LUTs*                  | 4565 |     0 |          0 |   1182240 |  0.39 |
|   LUT as Logic             | 4484 |     0 |          0 |   1182240 |  0.38 |
|   LUT as Memory            |   81 |     0 |          0 |    591840 |  0.01 |
|     LUT as Shift Register  |   81 |     0 |            |           |       |
| CLB Registers              | 3570 |     0 |          0 |   2364480 |  0.15 |
|   Register as Flip Flop    | 3570 |     0 |          0 |   2364480 |  0.15 |
|   Register as Latch        |    0 |     0 |          0 |   2364480 |  0.00 |
| CARRY8                     |  711 |     0 |          0 |    147780 |  0.48 |
+----------------------------+------+-------+------------+-----------+-------+
* Warning! The Final LUT count, after physical optimizations, may be lower: CLB Registers too.

2. BLOCKRAM
-----------

+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    |  1.5 |     0 |          0 |      2160 |  0.07 |
|   RAMB36/FIFO     |    1 |     0 |          0 |      2160 |  0.05 |
|   RAMB18          |    1 |     0 |          0 |      4320 |  0.02 |
| URAM              |    0 |     0 |          0 |       960 |  0.00 |
+-------------------+------+-------+------------+-----------+-------+

3. ARITHMETIC
-------------

+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| DSPs      |    3 |     0 |          0 |      6840 |  0.04 |
+-----------+------+-------+------------+-----------+-------+
"""

# report_timing_summary; the clock table behind it has a slack as well.
_RULE = "-" * 96
TIMING = f"""
{_RULE}
| Design Timing Summary
| ---------------------
{_RULE}

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
     -0.500      -12.250                     41                 7310        0.012        0.000


Timing constraints are not met.

{_RULE}
| Intra Clock Table
| -----------------
{_RULE}

Clock             WNS(ns)      TNS(ns)
-----             -------      -------
clk                 0.900        0.000
"""

# Quartus, <revision>.fit.rpt.
FIT = """
+-----------------------------------------------------------------------+
; Fitter Summary                                                        ;
+-------------------------------------+---------------------------------+
; Fitter Status                       ; Successful                      ;
; Top-level Entity Name               ; cell_rnn_stream                 ;
; Family                              ; Stratix 10                      ;
; Logic utilization (in ALMs)         ; 3,210 / 933,120 ( < 1 % )       ;
; Total dedicated logic registers     ; 6423                            ;
; Total block memory bits             ; 512 / 240,046,080 ( < 1 % )     ;
; Total RAM Blocks                    ; 2 / 11,721 ( < 1 % )            ;
; Total DSP Blocks                    ; 5 / 5,760 ( < 1 % )             ;
+-------------------------------------+---------------------------------+
"""

# Quartus, <revision>.sta.rpt: each model has its table; the coldest is restricted most here.
STA_SLOW = """
+------------------------------------------------------------------------------------------------+
; Slow 900mV 100C Model Fmax Summary                                                             ;
+-----------+-----------------+------------+-----------------------------------------------------+
; Fmax      ; Restricted Fmax ; Clock Name ; Note                                                ;
+-----------+-----------------+------------+-----------------------------------------------------+
; 512.5 MHz ; 450.0 MHz       ; clk        ; limit due to minimum period restriction (tmin)      ;
+-----------+-----------------+------------+-----------------------------------------------------+
"""
STA = STA_SLOW + STA_SLOW.replace("100C", "0C").replace("512.5", "530.0").replace("450.0", "445.0")
