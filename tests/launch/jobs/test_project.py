"""Which files of a project leave the machine: what git does not ignore, no secrets, nothing from elsewhere."""

import os
import subprocess
from pathlib import Path

import pytest

from nas.errors import InputError
from nas.launch.jobs import project as project_module
from nas.launch.jobs.packing import pack

FILES = {
    "pyproject.toml": "",
    "runs/mine.py": "import lib\nimport local",
    "lib/__init__.py": "",
    "lib/net.py": "",
    "lib/widths.json": "[16]",
    "local.py": "",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=["git", "no git"])
def project(request, tmp_path) -> Path:
    folder = tmp_path / "project"
    write(folder, FILES)
    if request.param == "git":
        git(folder, "init")
    return folder


@pytest.fixture
def repository(tmp_path) -> Path:
    folder = tmp_path / "project"
    write(folder, FILES)
    git(folder, "init")
    return folder


def sent(package) -> set[str]:
    return set(package.files) & {path for path in package.files if path.startswith(("runs/", "lib/", "local"))}


PLAIN = {"runs/mine.py", "lib/__init__.py", "lib/net.py", "lib/widths.json", "local.py"}


@pytest.mark.parametrize(
    "name",
    [
        *("id_rsa", "id_ed25519.pub", "server.PEM", "credentials.json", "secrets.yaml", ".env", ".env.local"),
        *(".netrc", "my-credentials.json", ".npmrc", "aws.key", "token.json"),
    ],
)
def test_secrets_stay_and_are_named(project, name):
    write(project, {f"lib/deep/{name}": "password"})
    package = pack(project / "runs" / "mine.py")
    assert sent(package) == PLAIN
    assert package.left_out == {f"lib/deep/{name}": "its name is that of a secret"}


def test_a_private_key_of_any_name_stays_and_code_is_code(project):
    write(project, {"lib/deploy": "-----BEGIN OPENSSH PRIVATE KEY-----\n", "lib/secrets.py": "", "lib/tokens.json": ""})
    package = pack(project / "runs" / "mine.py")
    assert sent(package) == PLAIN | {"lib/secrets.py", "lib/tokens.json"}
    assert package.left_out == {"lib/deploy": "holds a private key"}


def test_no_link_out_of_the_project_is_followed(project, tmp_path):
    write(tmp_path / "home", {"notes.txt": "private", "folder/more.py": ""})
    for name, target in {"notes.txt": "notes.txt", "folder": "folder", "up": ".", "gone": "nothing"}.items():
        (project / "lib" / name).symlink_to(tmp_path / "home" / target)
    package = pack(project / "runs" / "mine.py")
    assert sent(package) == PLAIN
    assert set(package.left_out) == {"lib/notes.txt", "lib/folder", "lib/up", "lib/gone"}
    assert set(package.left_out.values()) == {"a link out of the project"}


@pytest.mark.parametrize("what", ["lib", "local.py"])
def test_a_module_that_is_a_link_out_of_the_project_stays(project, tmp_path, what):
    (project / what).rename(tmp_path / what)
    (project / what).symlink_to(tmp_path / what)
    package = pack(project / "runs" / "mine.py")
    assert not any(path.startswith(what) for path in package.files)
    assert package.left_out == {what: "a link out of the project"}


def test_links_in_a_circle_end(project):
    (project / "lib" / "again").symlink_to(project / "lib")
    (project / "lib" / "root").symlink_to("..")
    (project / "lib" / "one").symlink_to("other")
    (project / "lib" / "other").symlink_to("one")
    package = pack(project / "runs" / "mine.py")
    assert sent(package) >= PLAIN
    assert package.left_out["lib/again"] == "a link in a circle"
    assert "no file" in package.left_out["lib/one"]


def test_a_link_within_the_project_is_taken_as_its_file(project, tmp_path):
    write(project, {"shared/table.json": "[1]"})
    (project / "lib" / "table.json").symlink_to("../shared/table.json")
    package = pack(project / "runs" / "mine.py")
    package.write(tmp_path / "packed")
    assert (tmp_path / "packed" / "lib" / "table.json").read_text() == "[1]"
    assert not (tmp_path / "packed" / "lib" / "table.json").is_symlink()


def test_what_git_ignores_stays(repository):
    write(
        repository,
        {
            ".gitignore": "*.bin\nlocal.py\n/private/\n",
            "lib/weights.bin": "1",
            "lib/kept.bin": "1",
            "private/data.json": "[]",
        },
    )
    git(repository, "add", "--force", "lib/kept.bin")
    (repository / "lib" / "data.json").symlink_to("../private/data.json")
    package = pack(repository / "runs" / "mine.py")
    assert sent(package) == PLAIN - {"local.py"} | {"lib/kept.bin"}
    assert package.left_out == {"local.py": "git ignores it"}
    assert package.has_git


def test_a_folder_that_git_tracks_may_be_called_build(repository):
    write(repository, {"lib/build/net.py": "", "lib/__pycache__/net.pyc": "", "lib/.hidden/net.py": "", "lib/.x": ""})
    assert sent(pack(repository / "runs" / "mine.py")) == PLAIN | {"lib/build/net.py"}


def test_a_recipe_that_git_ignores_was_named_all_the_same(repository):
    write(repository, {".gitignore": "/runs/"})
    assert "runs/mine.py" in pack(repository / "runs" / "mine.py").files


def test_a_repository_within_the_project_has_rules_of_its_own(repository):
    write(repository, {"lib/inner/.gitignore": "*.bin\n", "lib/inner/net.py": "", "lib/inner/weights.bin": ""})
    git(repository / "lib" / "inner", "init")
    assert sent(pack(repository / "runs" / "mine.py")) == PLAIN | {"lib/inner/net.py"}


def test_git_that_does_not_answer_is_no_leave_to_send_all(repository, monkeypatch):
    (repository / ".git" / "HEAD").write_text("damaged")
    with pytest.raises(InputError, match=r"project: git cannot say which files it ignores: fatal: "):
        pack(repository / "runs" / "mine.py")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(InputError, match=r"git cannot be run to list ignored files: "):
        pack(repository / "runs" / "mine.py")


def test_variables_of_a_hook_do_not_name_another_repository(repository, monkeypatch, tmp_path):
    git(tmp_path, "init", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    write(repository, {".gitignore": "local.py\n"})
    assert "local.py" not in pack(repository / "runs" / "mine.py").files


def test_an_unreadable_folder_is_named(project, monkeypatch):
    def refuse(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied")
        return iterdir(self)

    iterdir = Path.iterdir
    write(project, {"lib/closed/a.json": ""})
    monkeypatch.setattr(Path, "iterdir", refuse)
    package = pack(project / "runs" / "mine.py")
    assert (sent(package), package.left_out) == (PLAIN, {"lib/closed": "cannot be read: Permission denied"})


def test_an_unreadable_file_is_named(project, monkeypatch):
    def refuse(self, *arguments, **named):
        if self.name == "widths.json":
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **named)

    opened = Path.open
    monkeypatch.setattr(project_module.Path, "open", refuse)
    assert pack(project / "runs" / "mine.py").left_out == {"lib/widths.json": "cannot be read: Permission denied"}
