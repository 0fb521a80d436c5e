"""The connection to a cluster: what answers at its address, and which token is sent."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from nas.errors import InputError
from nas.launch.jobs import client

pytest.importorskip("requests")


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    """Answers every request as told, and remembers the tokens it saw."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answers.tokens.append(self.headers.get("Authorization"))
            self.send_response(answers.status)
            self.end_headers()
            self.wfile.write(answers.body)

        def log_message(self, *_):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    answers = SimpleNamespace(status=200, body=b"{}", tokens=[], address=f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield answers
    http.shutdown()
    thread.join()
    http.server_close()


def test_nobody_answers(no_token):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port}: no answer \(Connection refused\)"):
            client.Cluster(f"127.0.0.1:{port}")


def test_one_that_never_answers_is_given_up(no_token, monkeypatch):
    monkeypatch.setattr(client, "SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="no answer"):
        client.Cluster(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"Unauthorized", "authentication required: put the cluster's token into RAY_AUTH_TOKEN"),
        (403, b"Forbidden", "refuses the token from RAY_AUTH_TOKEN"),
        (404, b"", r"answers \(HTTP 404\), but not as a Ray dashboard"),
        (200, b"<html>", "but not as a Ray dashboard"),
        (200, b"[]", "but not as a Ray dashboard"),
    ],
)
def test_who_answers_is_looked_at(no_token, monkeypatch, server, status, body, message):
    if status == 403:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "old")
    server.status, server.body = status, body
    with pytest.raises(InputError, match=message):
        client.Cluster(server.address)
    assert server.tokens == ["Bearer old" if status == 403 else None]


def test_tokens_are_found_where_ray_finds_them(no_token, monkeypatch, tmp_path):
    assert client.find_token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert client.find_token() == "home"
    (tmp_path / "file").write_text("file")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "file"))
    assert client.find_token() == "file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "text")
    assert client.find_token() == "text"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert client.find_token() is None


def test_a_token_file_that_is_named_must_be_there(no_token, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"RAY_AUTH_TOKEN_PATH names .*gone, which cannot be read"):
        client.find_token()


def test_the_address_that_is_given_is_the_one_that_is_asked(no_token, monkeypatch, server):
    """Ray's own client would take the one of the environment."""
    pytest.importorskip("ray.job_submission")
    server.body = b'{"ray_version": "2.60.0", "version": "4"}'
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    assert client.Cluster(server.address)._client.get_address() == server.address
