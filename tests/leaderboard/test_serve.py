import http.client
from threading import Thread

import pytest

from leaderboard.serve import server


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "page" / "media").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("the page")
    (tmp_path / "secret.txt").write_text("secret")
    with server(tmp_path / "page", port=0) as answering:
        Thread(target=answering.serve_forever, daemon=True).start()

        def ask(path, method="GET", host=None):
            connection = http.client.HTTPConnection("127.0.0.1", answering.server_address[1], timeout=20)
            connection.request(method, path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers

        yield ask
        answering.shutdown()


def test_it_shows_the_page_and_nothing_beside_it(ask):
    status, text, headers = ask("/")
    assert (status, text, headers["X-Content-Type-Options"]) == (200, "the page", "nosniff")
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/media/", "/secret.txt"):
        status, text, _ = ask(path)
        assert status == 404
        assert "secret\n" not in text


def test_it_changes_nothing_and_answers_to_its_own_name_alone(ask):
    assert ask("/", "POST")[0] == 501
    assert ask("/", "PUT")[0] == 501
    assert ask("/", host="evil.example")[0] == 403
    assert ask("/", host="localhost:8000")[0] == 200
