"""Who may come in: hosts, other sites' pages, the token."""

import pytest

pytest.importorskip("uvicorn")
from tests.page.served import Visitor, served
from vidtok.page.guard import TOKEN, host_name, is_loopback


@pytest.fixture(scope="module")
def here():
    with served() as (visitor, _):
        yield visitor


@pytest.fixture(scope="module")
def open_to_all():
    with served(token="secret") as (visitor, _):
        yield visitor


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("[", 421),
    ],
)
def test_a_server_of_this_machine_answers_to_its_own_names_only(here, host, status):
    """A name of another site that is pointed at this machine is none of them."""
    assert here("/state", host=host).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 202),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8001"}, 403),
        ({"sec_fetch_site": "same-origin"}, 202),
        ({"sec_fetch_site": "none"}, 202),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 403),
    ],
)
def test_pages_of_other_sites_may_not_ask(here, headers, status):
    visitor = Visitor(here.port)
    answer = visitor("/jobs", "POST", b"x", host="127.0.0.1:8000", **headers)
    assert answer.status == status
    if status == 202:
        visitor.until_over(answer.json["job"])


def test_a_link_to_the_page_is_no_question(here):
    assert here("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200
    assert here("/state", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 403


def test_beyond_this_machine_the_token_is_wanted(open_to_all):
    port = open_to_all.port
    for path in ("/", "/state", "/page.js", "/?token=secre", "/?token=", "/state?token=secrets"):
        answer = Visitor(port)(path, host="a.example")
        assert answer.status == 403, path
        assert "token" in answer.error
        assert answer.headers["x-content-type-options"] == "nosniff"
    visitor = Visitor(port)
    opened = visitor("/?token=secret", host="a.example")
    assert (opened.status, opened.headers["location"]) == (303, "/")
    assert visitor.cookies == {TOKEN: "secret"}
    assert "HttpOnly" in opened.headers["set-cookie"]
    assert visitor("/", host="a.example").status == 200
    assert Visitor(port)("/state", authorization="Bearer secret").status == 200
    assert Visitor(port)("/state", authorization="Bearer other").status == 403
    assert Visitor(port)("/state", cookie=f"{TOKEN}=other").status == 403
    assert Visitor(port)("/predict?token=secret", "POST", b"x").status == 200


def test_names_of_this_machine():
    names = ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"]
    assert all(is_loopback(name) for name in names)
    assert not any(is_loopback(name) for name in ("0.0.0.0", "::", "10.0.0.1", "localhost.com", "", "127.0.0.1.com"))
    assert [host_name(value) for value in ("a:80", "[::1]:80", "", "a:x")] == ["a", "::1", "", "a"]
