import os
import stat

import pytest

from shipway.errors import ProjectExistsError, UsageError
from shipway.packaging.project import PlannedFile, ProjectPlan
from shipway.packaging.writer import Outcome, compare, write

PLAN = ProjectPlan(
    "demo",
    "models/model.pkl",
    (
        PlannedFile("Dockerfile", b"FROM x\n"),
        PlannedFile("models/model.pkl", b"model"),
        PlannedFile("run", b"#!", 0o755),
    ),
)
PATHS = ("Dockerfile", "models/model.pkl", "run")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_folder_gets_everything_with_its_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        assert write(PLAN, tmp_path / "a" / "b") == Outcome(PATHS, (), ())
    finally:
        os.umask(before)
    made = tmp_path / "a" / "b"
    assert tree(made) == {file.path: file.data for file in PLAN.files}
    assert names(made) == ["Dockerfile", "models", "run"]
    modes = [stat.S_IMODE((made / path).stat().st_mode) for path in PATHS]
    assert modes == [0o644, 0o644, 0o755]


def test_writing_again_changes_nothing(tmp_path):
    write(PLAN, tmp_path)
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in PATHS}
    assert write(PLAN, tmp_path) == Outcome((), (), PATHS)
    assert {path: (tmp_path / path).stat().st_mtime_ns for path in PATHS} == before


def test_other_content_is_never_replaced_unasked(tmp_path):
    (tmp_path / "Dockerfile").write_bytes(b"mine")
    (tmp_path / "notes.txt").write_bytes(b"mine too")
    with pytest.raises(ProjectExistsError) as caught:
        write(PLAN, tmp_path)
    assert caught.value.message == f"{tmp_path} already has Dockerfile, with other content"
    assert caught.value.hint == "Choose another folder, or replace them with --force."
    assert tree(tmp_path) == {"Dockerfile": b"mine", "notes.txt": b"mine too"}


def test_overwrite_replaces_what_is_planned_and_only_that(tmp_path):
    (tmp_path / "Dockerfile").write_bytes(b"mine")
    (tmp_path / "notes.txt").write_bytes(b"mine too")
    outcome = write(PLAN, tmp_path, overwrite=True)
    assert outcome == Outcome(("models/model.pkl", "run"), ("Dockerfile",), ())
    expected = {file.path: file.data for file in PLAN.files} | {"notes.txt": b"mine too"}
    assert tree(tmp_path) == expected


def test_compare_writes_nothing(tmp_path):
    assert compare(PLAN, tmp_path / "new") == Outcome(PATHS, (), ())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_the_way_stays(tmp_path, overwrite):
    (tmp_path / "run").mkdir()
    with pytest.raises(ProjectExistsError) as caught:
        write(PLAN, tmp_path, overwrite=overwrite)
    assert caught.value.message == f"{tmp_path / 'run'} is a folder, and a file has to go there"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_where_a_folder_has_to_be_stays(tmp_path, overwrite):
    (tmp_path / "models").write_bytes(b"x")
    with pytest.raises(ProjectExistsError) as caught:
        write(PLAN, tmp_path, overwrite=overwrite)
    assert caught.value.message == f"{tmp_path / 'models'} is a file, and a folder has to be there"
    assert tree(tmp_path) == {"models": b"x"}


def test_a_link_is_replaced_itself_and_not_what_it_points_to(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"keep me")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "run").symlink_to(tmp_path / "elsewhere")
    write(PLAN, tmp_path / "p", overwrite=True)
    assert (tmp_path / "elsewhere").read_bytes() == b"keep me"
    assert not (tmp_path / "p" / "run").is_symlink()


@pytest.mark.parametrize("failing", range(1, 4))
def test_a_failure_half_way_puts_everything_back(tmp_path, monkeypatch, failing):
    (tmp_path / "run").write_bytes(b"mine")
    project = tmp_path
    calls = 0
    real = type(project).replace

    def full(self, target):
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(type(project), "replace", full)
    with pytest.raises(UsageError) as caught:
        write(PLAN, project, overwrite=True)
    assert "No space left on device" in caught.value.message
    assert tree(project) == {"run": b"mine"}
    assert names(project) == ["run"]


def test_a_failure_in_a_new_folder_leaves_no_folder(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError) as caught:
        write(PLAN, tmp_path / "a" / "b")
    assert caught.value.hint.startswith("Nothing was changed.")
    assert names(tmp_path) == []
