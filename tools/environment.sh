# Sourced by the other tools: makes .venv with the constrained set if it is missing or out of date.
# It is out of date when setup.cfg, pyproject.toml or the constraints have changed since it was made.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

installed_for() {
    cat "$root/setup.cfg" "$root/pyproject.toml" "$root/tools/constraints.txt" | sha256sum | cut -d' ' -f1
}

find_python() {
    local candidate
    for candidate in python3.11 python3 python; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: the constrained set needs Python 3.11, and none is on the PATH" >&2
    return 2
}

make_environment() {
    local wanted
    wanted=$(installed_for)
    if [ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$wanted" ]; then
        return
    fi
    local python
    python=$(find_python) || return
    echo "installing into .venv (once, a few minutes) ..." >&2
    (
        # Two tools started at once must not install into each other's way.
        if command -v flock >/dev/null; then
            flock 9
        fi
        [ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$wanted" ] && exit 0
        [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || exit 1
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --constraint "$root/tools/constraints.txt" --editable "$root[all,dev]" >&2 || exit 1
        echo "$wanted" >"$venv/.installed"
    ) 9>"$root/.venv.lock" || {
        echo "error: the installation failed; what pip said is above" >&2
        return 1
    }
}
