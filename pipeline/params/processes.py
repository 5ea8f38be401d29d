"""Section ``processes``: how work is spread over processes, on which no result depends."""

from __future__ import annotations

from pydantic import Field

from pipeline.params.section import MAX_TIMEOUT_S, Section


class ProcessesParams(Section):
    """How the search is run. No stage of ``dvc.yaml`` declares it: a change reruns nothing."""

    workers: int = Field(
        ge=1,
        le=256,
        description="Local processes that share the search; one a core.",
    )
    worker_timeout_s: float = Field(
        gt=0,
        le=MAX_TIMEOUT_S,
        description="Silence after which a worker, or the chief, counts as gone.",
    )
