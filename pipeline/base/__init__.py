"""What every part of the pipeline stands on: files, errors, units, and the words for a network."""

from pipeline.base.environment import settle_process

settle_process()
