"""The cell: pulse, pile-up, digitisation, optimal filter, files and windows; numpy only."""
