from __future__ import annotations

import time

from training.steplog import StepLog, followed, read_steps


def lines(*steps):
    return [{"step": step, "loss": step / 3} for step in steps]


def written(path, *steps):
    log = StepLog(path, 0)
    for line in lines(*steps):
        log.write(line)
    log.sync()
    log.close()


def test_lines_come_back_exactly(tmp_path):
    path = tmp_path / "new" / "steps.jsonl"
    written(path, 1, 2, 3)
    assert read_steps(path) == lines(1, 2, 3)


def test_opening_goes_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "steps.jsonl"
    written(path, 1, 2, 3, 4, 5)
    log = StepLog(path, 3)
    assert read_steps(path) == lines(1, 2, 3)
    log.write(lines(4)[0])
    assert read_steps(path) == lines(1, 2, 3, 4)
    log.close()
    assert [one.name for one in tmp_path.iterdir()] == ["steps.jsonl"]


def test_a_half_written_line_is_no_line(tmp_path):
    path = tmp_path / "steps.jsonl"
    written(path, 1, 2)
    with path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert read_steps(path) == lines(1, 2)
    StepLog(path, 2).close()
    assert path.read_text().count("\n") == 2
    assert path.read_text().endswith("}\n")


def test_followers_hear_each_step_once(tmp_path):
    """Also of a log that is begun again at a checkpoint in the middle."""
    path, heard = tmp_path / "steps.jsonl", []
    written(path, 1, 2)
    with followed(path, heard.append):
        log = StepLog(path, 2)
        for line in lines(3, 4, 5):
            log.write(line)
        while len(heard) < 3:
            time.sleep(0.01)
        log.close()
        log = StepLog(path, 3)
        for line in lines(4, 5, 6):
            log.write(line)
        log.close()
    assert heard == lines(3, 4, 5, 6)


def test_followers_wait_for_a_log(tmp_path):
    heard = []
    with followed(tmp_path / "later" / "steps.jsonl", heard.append):
        written(tmp_path / "later" / "steps.jsonl", 1)
    assert heard == lines(1)


def test_followers_end_without_a_log(tmp_path):
    with followed(tmp_path / "never", print):
        pass
