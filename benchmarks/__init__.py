"""Side-by-side measurements against the stock recipe; see README.md here."""
