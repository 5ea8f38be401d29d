"""From integers to firmware: HLS projects, RTL, simulation, synthesis and the vendors' tools."""
