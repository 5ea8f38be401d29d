"""Whether Git and DVC can work with this folder; ``python -m pipeline.repository`` says so."""
