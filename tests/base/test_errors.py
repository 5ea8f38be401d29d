from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline.base.errors import PipelineError, run_stage
from pipeline.base.files import ArtifactError
from pipeline.params import ParamsError


def fail(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize("kind", [PipelineError, ArtifactError, ParamsError])
def test_an_expected_error_becomes_one_line_and_code_1(capsys, kind):
    with pytest.raises(SystemExit) as caught:
        run_stage(fail(kind("data.h5: no such file")))
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "error: data.h5: no such file\n")


def test_any_other_error_keeps_its_traceback(capsys):
    with pytest.raises(ZeroDivisionError):
        run_stage(fail(ZeroDivisionError()))
    assert capsys.readouterr().err == ""


def test_a_stage_that_succeeds_is_silent(capsys):
    ran = []
    run_stage(lambda: ran.append("main"))
    assert ran == ["main"]
    assert capsys.readouterr() == ("", "")


def test_after_a_stage_sigterm_is_what_it_was(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        run_stage(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert caught.value.code == 143
    assert capsys.readouterr().err == "terminated\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stage_in_another_thread_leaves_signals_alone():
    ran = []
    thread = threading.Thread(target=lambda: run_stage(lambda: ran.append("main")))
    thread.start()
    thread.join()
    assert ran == ["main"]
