"""The server programs of the notes, each in a separate process."""

from __future__ import annotations

import re

import pytest

from tests.seeds.client import Visitor


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("hello_poem.py", "行到水穷处，坐看云起时"),
        ("hello.py", "Hello, world"),
        ("hello_make_app.py", "Hello, world"),
        ("hello_main.py", "started by main()"),
    ],
)
def test_greetings(start, name, body):
    answer = Visitor(start(name)).get()
    assert (answer.code, answer.text) == (200, body)
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert int(answer.headers["Content-Length"]) == len(body.encode())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "行到水穷处，坐看云起时"),
        ("/string", "<h1>hello worrld</h1>"),
        ("/file", "<h1>hello</h1>\n"),
        ("/message", "<h1>欢迎登录系统</h1>\n"),
        ("/escaped", "&lt;b&gt;你好&lt;/b&gt; <b>你好</b>\n"),
        ("/raw", "<b>你好</b> &lt;b&gt;你好&lt;/b&gt;\n"),
    ],
)
def test_rendering(start, path, body):
    answer = Visitor(start("rendering.py")).get(path)
    assert (answer.code, answer.text) == (200, body)


def test_template_with_missing_argument(start):
    program = start("rendering.py")
    assert Visitor(program).get("/forgotten").code == 500
    assert "NameError: name 'msg' is not defined" in program.output()


def test_urls_by_name(start):
    visitor = Visitor(start("stories.py"))
    link = re.search('href="(.*?)">link to story 1', visitor.get().text)
    assert link is not None
    assert link[1] == "/story/1"
    assert visitor.get(link[1]).text == "this is story 1: once upon a time"
    assert visitor.get("/story/2").text == "this is story 2"
    assert visitor.get("/story/one").code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "hello1"),
        ("/people/18", "18"),
        ("/people/18/", "18"),
        ("/people/wh", "hello1:wh"),
        ("/people/wh/18/", "wh18"),
    ],
)
def test_urls(start, path, body):
    program = start("people.py")
    assert Visitor(program).get(path).text == body
    if path == "/people/wh":
        assert "wh\n" in program.output()  # the arguments that the route passed to initialize()


def test_options(start, tmp_path):
    assert Visitor(start("port_option.py", "--port={port}")).get().text == "hello1"
    config = tmp_path / "conf.cfg"
    config.write_text('# 配置\ngreeting = "你好"\n', encoding="utf-8")
    program = start("port_option.py", "--port={port}", f"--config={config}", "--logging=error")
    assert Visitor(program).get().text == "你好"


def test_options_are_checked():
    from tests.seeds.conftest import PROGRAMS
    from tests.support.program import Program

    status, output = Program(PROGRAMS / "port_option.py", ["--port=many"]).run_to_its_end()
    assert status != 0
    assert "many" in output.splitlines()[-1]
    status, output = Program(PROGRAMS / "port_option.py", ["--help"]).run_to_its_end()
    assert status == 0
    assert "在指定端口运行" in output


def test_cookies(start):
    visitor = Visitor(start("cookies.py"))
    first = visitor.get()
    assert first.text == "Your cookie was not set yet!"
    assert first.headers["Set-Cookie"] == "mycookie=myvalue; Path=/"
    assert visitor.get().text == "Your cookie was set!"


def test_secure_cookies(start):
    visitor = Visitor(start("secure_cookies.py"))
    first = visitor.get()
    assert first.text == "Your cookie was not set yet!"
    assert "expires=" in first.headers["Set-Cookie"].lower()  # 默认有效期是30天
    assert visitor.cookies["mycookie"].strip('"').startswith("2|1:0|10:")
    assert visitor.get().text == "Your cookie was myvalue"
    visitor.cookies["mycookie"] = visitor.cookies["mycookie"].replace("bXl2YWx1ZQ", "bXl2YWx1ZR")
    assert visitor.get().text == "Your cookie was not set yet!"  # 防止伪造


def token(page: str) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_user_authentication(start):
    visitor = Visitor(start("users.py"))
    sent_away = visitor.get("/")
    assert (sent_away.code, sent_away.headers["Location"]) == (302, "/login?next=%2F")
    form = visitor.get(sent_away.headers["Location"])
    logged_in = visitor.post("/login", name="王维", next="/", _xsrf=token(form.text))
    assert (logged_in.code, logged_in.headers["Location"]) == (302, "/")
    page = visitor.get("/")
    assert page.code == 200
    assert "Hello, " in page.text
    assert visitor.post("/", _xsrf=token(page.text)).text == "only for 王维"
    assert visitor.post("/logout", _xsrf=token(page.text)).code == 302
    assert "user" not in visitor.cookies
    assert visitor.get("/").code == 302
    assert visitor.post("/", _xsrf=token(page.text)).code == 403  # not GET: no redirect to the login page


def test_request_without_xsrf_token(start):
    visitor = Visitor(start("users.py"))
    visitor.get("/login")
    assert visitor.post("/login", name="x").code == 403
    assert visitor.post("/login", name="x", _xsrf="2|00000000|00|1").code == 403


def test_custom_error_page(start):
    program = start("users.py")
    answer = Visitor(program).get("/broken")
    assert (answer.code, answer.text) == (500, "自己的错误页面: 500")
    assert answer.headers["Server"] == "seeds"  # set_default_headers also applies to error pages
    assert "RuntimeError: not shown to anybody" in program.output()
    assert Visitor(program).get("/nowhere").code == 404


def test_request_attributes(start):
    program = start("request_attributes.py")
    shown = Visitor(program).get("/get?type=1&page=1", Cookie="a=b").json
    address = f"127.0.0.1:{program.port}"
    assert 0 <= shown.pop("request_time") < 30
    assert shown.pop("headers")["Host"] == address
    assert shown == {
        "method": "GET",
        "uri": "/get?type=1&page=1",
        "path": "/get",
        "query": "type=1&page=1",
        "version": "HTTP/1.1",
        "body": "",
        "remote_ip": "127.0.0.1",
        "protocol": "http",
        "host": address,
        "arguments": {"type": ["1"], "page": ["1"]},
        "query_arguments": {"type": ["1"], "page": ["1"]},
        "body_arguments": {},
        "files": {},
        "cookies": {"a": "b"},
        "same_cookies": True,
        "full_url": f"http://{address}/get?type=1&page=1",
        "certificate": None,
        "connection": "HTTP1Connection",
    }


def test_request_attributes_of_a_form(start):
    shown = Visitor(start("request_attributes.py")).post("/get?type=1", type="2", name="王维").json
    assert shown["method"] == "POST"
    assert shown["arguments"] == {"type": ["1", "2"], "name": ["王维"]}
    assert shown["query_arguments"] == {"type": ["1"]}
    assert shown["body_arguments"] == {"type": ["2"], "name": ["王维"]}
    assert shown["body"] == "type=2&name=%E7%8E%8B%E7%BB%B4"


def test_request_attributes_of_an_upload(start):
    body = (
        b"--b\r\nContent-Disposition: form-data; name=one; filename=a.txt\r\n"
        b"Content-Type: text/plain\r\n\r\ncontent\r\n--b--\r\n"
    )
    visitor = Visitor(start("request_attributes.py"))
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert visitor.request("POST", "/get", body, kind).json["files"] == {"one": ["a.txt"]}


@pytest.mark.parametrize(
    ("path", "code", "location"),
    [
        ("/moved/for-ever", 301, "/static/note.txt"),
        ("/moved/other", 307, "/static/note.txt"),
        ("/moved/now", 302, "../static/note.txt"),
        ("/old", 301, "/static/note.txt"),
        ("/pictures/note.txt", 302, "/static/note.txt"),
    ],
)
def test_redirects(start, path, code, location):
    answer = Visitor(start("redirects.py")).get(path)
    assert (answer.code, answer.headers["Location"]) == (code, location)


@pytest.mark.parametrize("path", ["/static/note.txt", "/files/note.txt"])
def test_static_files(start, path):
    visitor = Visitor(start("redirects.py"))
    answer = visitor.get(path)
    assert (answer.code, answer.text) == (200, "静态文件\n")
    assert answer.headers["Content-Type"] == "text/plain"
    assert visitor.get(path, **{"If-None-Match": answer.headers["Etag"]}).code == 304
    assert visitor.get(path, Range="bytes=0-5").text == "静态"
    assert visitor.get(path.replace("note", "none")).code == 404


def test_debug_mode(start, tmp_path):
    page = tmp_path / "page.html"
    page.write_text('{{ static_url("page.html") }} first')
    visitor = Visitor(start("debug_mode.py", "{port}", str(tmp_path)))
    first = visitor.get().text
    assert first.endswith(" first")
    page.write_text('{{ static_url("page.html") }} second')
    second = visitor.get().text
    assert second.endswith(" second")  # compiled_template_cache=False
    assert second.split()[0] != first.split()[0]  # static_hash_cache=False
    broken = visitor.get("/broken", Accept="text/plain")
    assert broken.code == 500
    assert "AttributeError" in broken.text  # serve_traceback=True
    assert "secret_of_this_page" in broken.text


class TestAsynchronousHandlers:
    @pytest.fixture
    def program(self, start):
        target = start("hello.py")
        return start("async_handlers.py", "{port}", target.url())

    @pytest.mark.parametrize("path", ["/callback", "/coroutine"])
    def test_single_fetch(self, program, path):
        assert Visitor(program).get(path).text == "<h1>hello</h1>\n"
        assert "got Hello, world\n" in program.output()

    def test_lists_and_dicts(self, program):
        expected = "".join(f"{number} Hello, world\n" for number in (1, 2, 3, 4))
        assert Visitor(program).get("/many").text == expected

    def test_gen_engine(self, program):
        assert Visitor(program).get("/engine").text == "Hello, world Hello, world"

    def test_error_in_callback_gives_error_response(self, program):
        assert Visitor(program).get("/failing").code == 500
        assert "ValueError: in the callback" in program.output()
        assert "Uncaught exception GET /failing" in program.output()

    def test_deprecation_warning_names_replacement(self, program):
        Visitor(program).get("/callback")
        output = program.output()
        assert (
            "web.asynchronous is in the deprecated style of Tornado 4; write the method as async def"
            in output
        )
        assert re.search(
            r"async_handlers.py:\d+: DeprecationWarning: AsyncHTTPClient.fetch\(callback=", output
        )
