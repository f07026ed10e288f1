"""channels.js in a real browser."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.forwarder import Forwarder
from tests.support.program import Program

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("tests/channels/browser_program.py") as running:
        yield running
        assert "Traceback" not in running.output()


class Tab:
    """A page with a client of the channel ``news``."""

    def __init__(
        self, browser: Any, program: Program | Forwarder, *, blocked: str = "", query: str = ""
    ) -> None:
        self.url = f"http://127.0.0.1:{program.port}/"
        self.context = browser.new_context()
        if blocked:
            self.context.add_cookies([{"name": "blocked", "value": blocked, "url": self.url}])
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open(query)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.url}{query}")

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=30_000)

    def received(self) -> list[Any]:
        """Return what the page has received, without the messages of earlier tests."""
        got: list[Any] = self.page.evaluate("got")
        return got

    def close(self) -> None:
        assert self.errors == []
        self.context.close()


def fetch(program: Program, path: str) -> None:
    with urllib.request.urlopen(program.url(path)) as response:
        response.read()


@pytest.fixture
def make_tab(browser: Any, program: Program) -> Iterator[Any]:
    tabs: list[Tab] = []

    def make(**options: Any) -> Tab:
        tabs.append(Tab(browser, program, **options))
        tabs[-1].wait("window.ready")
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.close()


@pytest.mark.parametrize(
    ("blocked", "transport"), [("", "websocket"), ("sockets", "stream"), ("streams", "poll")]
)
def test_messages_arrive_once_over_lost_connections(make_tab, program, blocked, transport):
    tab = make_tab(blocked=blocked)
    assert tab.page.evaluate("client.transport") == transport
    for first in range(0, 60, 20):
        fetch(program, f"/publish?first={first}&count=10")
        fetch(program, "/cut")
        fetch(program, f"/publish?first={first + 10}&count=10")
        tab.wait(f"got.length >= {first + 20}")
    assert tab.received() == list(range(60))
    assert tab.page.evaluate("client.transport") == transport


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_publishing_while_the_connection_is_lost(make_tab, program, blocked):
    tab = make_tab(blocked=blocked)
    fetch(program, "/cut")
    positions = tab.page.evaluate("Promise.all([1, 2, 3].map(n => client.publish('news', n)))")
    assert len(set(positions)) == 3
    tab.wait("got.length >= 3")
    assert tab.received() == [1, 2, 3]


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_refused_requests_are_reported(make_tab, blocked):
    tab = make_tab(blocked=blocked)
    tab.wait("ended.length")
    assert tab.page.evaluate("ended") == ["forbidden"]
    code = tab.page.evaluate("client.publish('secret', 1).catch(error => error.name + ' ' + error.code)")
    assert code == "ChannelError forbidden"


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_refused_ephemeral_message_does_not_end_the_subscription(make_tab, program, blocked):
    tab = make_tab(blocked=blocked)
    tab.page.evaluate(
        """window.read = [];
        const onmessage = ({ data }) => read.push(data), onend = code => ended.push(code);
        client.subscribe("read", { onmessage, onend }).ready.then(() => client.send("read", "typing"))"""
    )
    tab.wait("client.publish('read', 1).catch(error => error.code === 'forbidden')")
    fetch(program, "/publish?channel=read&first=7&count=1")
    tab.wait("read.length")
    assert tab.page.evaluate("read") == [7]
    assert tab.page.evaluate("ended") == ["forbidden"]


def test_subscribing_again_continues_at_the_position(make_tab, program):
    """Messages of the earlier subscription that are still on their way are not received twice."""
    tab = make_tab()
    fetch(program, "/publish?first=0&count=1")
    tab.wait("got.length >= 1")
    numbers = tab.page.evaluate(
        """async () => {
            const { position } = subscription, all = [];
            for (let last = 1; last < 20; last++) {
                await fetch("/publish?count=1&first=" + last);
                await new Promise(resolve => {
                    const numbers = [];
                    client.subscribe("news", { position, onmessage: ({ data }) => {
                        if (numbers.push(data) === last) resolve(all.push([...numbers]));
                    } });
                });
            }
            return all;
        }"""
    )
    assert numbers == [[*range(1, last + 1)] for last in range(1, 20)]


def test_offline_and_online_again(make_tab, program):
    tab = make_tab()
    tab.context.set_offline(True)
    tab.wait("client.state === 'offline'")
    fetch(program, "/publish?first=0&count=5")
    tab.page.evaluate("void client.publish('news', 'mine')")
    assert tab.received() == []
    tab.context.set_offline(False)
    tab.wait("got.length >= 6")
    assert tab.received() == [0, 1, 2, 3, 4, "mine"]
    assert tab.page.evaluate("states.at(-1)") == "open websocket"


def test_sleep_of_ten_minutes(browser, program):
    """The timers of the page are late by ten minutes, and its connection is lost."""
    tab = Tab(browser, program)
    tab.page.clock.install()
    tab.open()
    tab.page.clock.run_for(100)
    tab.wait("window.ready")
    fetch(program, "/publish?first=0&count=3")
    tab.wait("got.length >= 3")
    fetch(program, "/cut")
    fetch(program, "/publish?first=3&count=3")
    tab.page.clock.fast_forward("10:00")
    tab.wait("got.length >= 6")
    assert tab.received() == [0, 1, 2, 3, 4, 5]
    tab.close()


def test_two_tabs_are_one_member(make_tab, program):
    first = make_tab(query="?name=a")
    second = make_tab(query="?name=b")
    for tab in (first, second):
        tab.wait("Object.values(members).flatMap(Object.values).sort().join() === 'a,b'")
    second.page.evaluate("client.close()")
    first.wait("Object.values(members).flatMap(Object.values).join() === 'a'")
    state = second.page.evaluate("client.publish('news', 1).catch(error => error.code + ' ' + client.state)")
    assert state == "closed closed"
    first.page.evaluate("client.send('news', 'typing')")
    first.wait("got.includes('typing')")


def test_position_continues_after_the_page_is_loaded_again(make_tab, program):
    tab = make_tab()
    fetch(program, "/publish?first=0&count=3")
    tab.wait("got.length >= 3")
    position = tab.page.evaluate("subscription.position")
    fetch(program, "/publish?first=3&count=2")
    numbers = tab.page.evaluate(
        """position => new Promise(resolve => {
            const numbers = [];
            client.subscribe("news", { position, onmessage: ({ data }) => {
                if (numbers.push(data) === 2) resolve(numbers);
            } });
        })""",
        position,
    )
    assert numbers == [3, 4]


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_two_workers_in_turn(browser, redis_server, blocked):
    redis_server.start()
    redis_server.flush()
    arguments = ["--port={port}", f"--broker={redis_server.url}"]
    with (
        Program("tests/channels/browser_program.py", arguments) as one,
        Program("tests/channels/browser_program.py", arguments) as two,
        Forwarder([one.port, two.port]) as forwarder,
    ):
        tab = Tab(browser, forwarder, blocked=blocked)
        tab.wait("window.ready")
        for turn in range(1, 5):
            tab.page.evaluate("void client.publish('news', 'mine ' + got.length)")
            forwarder.use(turn % 2)
            fetch([one, two][turn % 2], f"/publish?first={10 * turn}&count=5")
            fetch([two, one][turn % 2], f"/publish?first={10 * turn + 5}&count=5")
            tab.wait(f"got.filter(each => each >= 10).length >= {10 * turn}")
            tab.wait(f"got.filter(each => String(each).startsWith('mine')).length >= {turn}")
        received = tab.received()
        assert [each for each in received if isinstance(each, int)] == list(range(10, 50))
        assert len(received) == len(set(received)) == 44
        assert min(forwarder.accepted) >= 2
        tab.close()


def test_missed_messages_are_a_gap(make_tab):
    tab = make_tab()
    gap = tab.page.evaluate(
        """new Promise(resolve => client.subscribe("news", {
            position: "another:3", ongap: gap => resolve([gap.after, gap.missed]),
        }))"""
    )
    assert gap == ["another:3", None]


def test_types_are_served(program):
    with urllib.request.urlopen(program.url("/channels/channels.d.ts")) as response:
        assert "export function connect(" in response.read().decode()


def test_ended_stream_names_the_delay_before_the_next_connection(make_tab, program):
    tab = make_tab(blocked="sockets")
    tab.page.add_init_script(
        "Math.random = () => 0.75; window.delays = []; const start = setTimeout;"
        "window.setTimeout = (action, delay, ...values) => {"
        "  delays.push(delay); return start(action, delay, ...values); };"
    )
    stream = 'retry: 1234\n\ndata: {"type":"connected","keep_alive":25}\n\n'
    tab.page.route("**/channels", lambda route: route.fulfill(content_type="text/event-stream", body=stream))
    tab.open()
    tab.wait(f"delays.includes({1234 * 1.25})")


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_too_large_message_is_refused_and_connection_stays(make_tab, blocked):
    tab = make_tab(blocked=blocked)
    codes = tab.page.evaluate(
        """async () => {
            await client.publish("news", "1");
            const code = await client.publish("news", "\\u20ac".repeat(22_000)).catch(error => error.code);
            return [code, typeof await client.publish("news", "2")];
        }"""
    )
    assert codes == ["too_large", "string"]
    tab.wait("got.length >= 2")
    assert tab.received() == ["1", "2"]
    assert tab.page.evaluate("states.filter(each => each.startsWith('open')).length") == 1


INVALID = ["no JSON", "null", '{"type":"message","channel":"news","position":5,"data":1}']


def send_invalid(tab: Tab, texts: list[str]) -> None:
    """Send a text to the page in place of the responses of the server, as long as there are any."""

    def handle(route: Any) -> None:
        body = route.request.post_data or ""
        if not texts or '"publish"' in body:
            route.fallback()
        elif '"stream"' in body:
            events = ['{"type":"connected","keep_alive":25}', texts.pop()]
            body = "".join([f"data: {each}\n\n" for each in events])
            route.fulfill(content_type="text/event-stream", body=body)
        else:
            route.fulfill(content_type="application/json", body=f'{{"messages": [{texts.pop()}]}}')

    def connect(socket: Any) -> None:
        server = socket.connect_to_server()

        def pass_on(message: Any) -> None:
            socket.send(message)
            if texts and '"subscribed"' in message and '"news"' in message:
                socket.send(texts.pop())

        server.on_message(pass_on)

    tab.page.route("**/channels", handle)
    tab.page.route_web_socket("**/channels", connect)


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
@pytest.mark.parametrize("text", INVALID)
def test_invalid_message_breaks_the_connection(make_tab, program, blocked, text):
    tab = make_tab(blocked=blocked)
    texts = [text]
    send_invalid(tab, texts)
    fetch(program, "/cut")
    fetch(program, "/publish?first=1&count=2")
    tab.wait("got.length >= 2")
    assert tab.received() == [1, 2]
    assert texts == []


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_delay_increases_if_each_connection_sends_an_invalid_message(make_tab, program, blocked):
    tab = make_tab(blocked=blocked)
    tab.page.evaluate(
        """() => {
            Math.random = () => 1;
            window.delays = [];
            const start = setTimeout, backOff = [500, 1000, 2000, 4000, 8000, 16000];
            window.setTimeout = (action, delay, ...values) => {
                const isBackOff = backOff.includes(delay);
                isBackOff && delays.push(delay);
                return start(action, isBackOff ? 10 : delay, ...values);
            };
        }"""
    )
    send_invalid(tab, ["no JSON"] * 4)
    fetch(program, "/cut")
    fetch(program, "/publish?first=1&count=1")
    tab.wait("got.length >= 1")
    delays = tab.page.evaluate("delays")
    assert len(delays) >= 4
    assert delays == [2**number * delays[0] for number in range(len(delays))]


@pytest.mark.parametrize("blocked", ["", "sockets", "streams"])
def test_many_channels_with_positions(make_tab, program, blocked):
    tab = make_tab(blocked=blocked)
    name = f"many {blocked:x<90}".replace(" ", "-")
    tab.page.evaluate(
        """name => {
            const [epoch] = subscription.position.split(":"), position = epoch + ":0";
            for (let n = 0; n < 1000; n++) {
                client.subscribe(name + n, {
                    position, onmessage: ({ data }) => got.push(data), onend: code => ended.push(code),
                });
            }
        }""",
        name,
    )
    fetch(program, f"/publish?first=1&count=2&channel={name}999")
    tab.wait("got.length >= 2")
    fetch(program, f"/publish?first=3&count=1&channel={name}0")
    tab.wait("got.length >= 3")
    assert tab.received() == [1, 2, 3]
    assert tab.page.evaluate("ended") == ["forbidden"]


@pytest.mark.parametrize("blocked", ["sockets", "streams"])
def test_requests_that_a_proxy_does_not_permit_are_refused(make_tab, program, blocked):
    """Of the subscriptions, the newest ones are refused."""
    tab = make_tab(blocked=blocked)

    def handle(route: Any) -> None:
        if len(route.request.post_data or "") > 1500:
            route.fulfill(status=413, content_type="text/html", body="<h1>Request Entity Too Large</h1>")
        else:
            route.fallback()

    tab.page.route("**/channels", handle)
    tab.page.evaluate(
        """() => {
            window.refused = [];
            for (let n = 0; n < 10; n++) {
                client.subscribe("many" + n + "x".repeat(90), {
                    onend: code => refused.push([n, code]), onmessage: () => {},
                });
            }
        }"""
    )
    tab.wait("refused.length >= 2")
    code = tab.page.evaluate("client.publish('news', 'x'.repeat(2000)).catch(error => error.code)")
    assert code == "too_large"
    tab.page.evaluate("client.publish('news', 1)")
    tab.wait("got.length >= 1")
    assert tab.received() == [1]
    refused = tab.page.evaluate("refused")
    assert 2 <= len(refused) <= 7
    assert refused == [[9 - number, "too_large"] for number in range(len(refused))]


def test_id_of_a_message_counts_for_the_client(make_tab, program):
    tab = make_tab()
    positions = tab.page.evaluate(
        """async () => {
            const { connect } = await import("/channels/channels.js");
            const positions = [];
            for (const clientId of ["first-client", "first-client", "second-client"]) {
                const other = connect("/channels", { clientId });
                positions.push(await other.publish("news", 1, { id: "1" }));
                other.close();
            }
            return positions;
        }"""
    )
    assert positions[0] == positions[1] != positions[2]
    tab.wait("got.length >= 2")
    assert tab.received() == [1, 1]


def test_data_that_cannot_be_encoded_is_refused_at_once(make_tab):
    tab = make_tab()
    errors = tab.page.evaluate(
        """async () => {
            const errors = [await client.publish("news", 10n).catch(error => error.name)];
            const send = () => client.send("news", 10n);
            const subscribe = () => client.subscribe("read", { join: 10n });
            for (const action of [send, subscribe]) {
                try {
                    action();
                } catch (error) {
                    errors.push(error.name);
                }
            }
            await client.publish("news", 1);
            return errors;
        }"""
    )
    assert errors == ["TypeError"] * 3
    tab.wait("got.length >= 1")
    assert tab.received() == [1]


def test_data_may_change_while_the_message_waits(make_tab):
    tab = make_tab()
    tab.context.set_offline(True)
    tab.wait("client.state === 'offline'")
    tab.page.evaluate("{ const data = [1]; void client.publish('news', data); data[0] = 2; }")
    tab.context.set_offline(False)
    tab.wait("got.length >= 1")
    assert tab.received() == [[1]]


def test_subscription_that_is_replaced_is_rejected(make_tab):
    tab = make_tab()
    codes = tab.page.evaluate(
        """async () => {
            const subscriptions = [1, 2, 3].map(() => client.subscribe("read"));
            subscriptions[2].unsubscribe();
            return Promise.all(subscriptions.map(({ ready }) => ready.catch(error => error.code)));
        }"""
    )
    assert codes == ["unsubscribed"] * 3


@pytest.mark.parametrize("blocked", ["sockets", "streams"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, '{"error": "bad gateway"}'),
        (502, "<h1>Bad gateway</h1>"),
        (401, '{"type": "error", "code": "expired", "message": ""}'),
        (503, '{"type": "error", "code": "unavailable", "message": "", "retry": 10}'),
    ],
)
def test_publication_that_fails_is_repeated_in_its_order(make_tab, blocked, status, body):
    tab = make_tab(blocked=blocked)
    tab.page.evaluate(
        """async () => {
            client.close();
            const { connect } = await import("/channels/channels.js");
            window.client = connect("/channels", { token: () => "ada" });
            window.got = [];
            await client.subscribe("news", { onmessage: ({ data }) => got.push(data) }).ready;
        }"""
    )
    failures = [status]

    def handle(route: Any) -> None:
        if failures and '"publish"' in (route.request.post_data or ""):
            route.fulfill(status=failures.pop(), content_type="application/json", body=body)
        else:
            route.fallback()

    tab.page.route("**/channels", handle)
    tab.page.evaluate("void Promise.all([1, 2, 3].map(n => client.publish('news', n)))")
    tab.wait("got.length >= 3")
    assert tab.received() == [1, 2, 3]
    assert failures == []


def test_refused_token_is_not_a_reason_for_another_transport(make_tab):
    tab = make_tab()
    transport = tab.page.evaluate(
        """async () => {
            const { connect } = await import("/channels/channels.js");
            const tokens = ["invalid", null, "invalid", null, "invalid", "ada"];
            const other = connect("/channels", { token: () => tokens.shift() ?? Promise.reject() });
            await other.publish("news", 1);
            const { transport } = other;
            other.close();
            return transport;
        }"""
    )
    assert transport == "websocket"


def test_close_while_the_token_is_obtained(make_tab):
    tab = make_tab()
    sockets: list[str] = []
    tab.page.on("websocket", lambda socket: sockets.append(socket.url))
    states = tab.page.evaluate(
        """async () => {
            const { connect } = await import("/channels/channels.js");
            let resolve;
            const other = connect("/channels", { token: () => new Promise(found => { resolve = found; }) });
            const states = [other.state];
            other.close();
            resolve("ada");
            await client.publish("news", 1);
            return [...states, other.state];
        }"""
    )
    assert states == ["connecting", "closed"]
    assert sockets == []


def test_token_that_is_valid_for_long_is_not_renewed_at_once(make_tab):
    tab = make_tab()
    calls = tab.page.evaluate(
        """async () => {
            const { connect } = await import("/channels/channels.js");
            let calls = 0;
            const other = connect("/channels", { token: () => { calls++; return "long"; } });
            for (let n = 0; n < 5; n++) {
                await other.publish("news", n);
            }
            other.close();
            return calls;
        }"""
    )
    assert calls == 1


@pytest.mark.parametrize("name", ["__proto__", "constructor"])
def test_members_may_have_names_of_inherited_properties(make_tab, name):
    tab = make_tab(query=f"?token={name}&name=x")
    tab.wait(f"Object.keys(members).includes('{name}')")
    changes = tab.page.evaluate(
        """name => new Promise(resolve => {
            const changes = [];
            client.subscribe("news", { join: "x", watch: true, onpresence(change) {
                const kinds = ["joined", "updated", "left"];
                changes.push(kinds.filter(kind => Object.keys(change[kind]).includes(name)));
                resolve(changes);
            } });
        })""",
        name,
    )
    assert changes == [["joined"]]


def test_subscribing_over_a_stream_keeps_the_state(make_tab, program):
    tab = make_tab(blocked="sockets")
    tab.page.evaluate("void client.subscribe('read', { onmessage: ({ data }) => got.push(data) })")
    tab.wait("client.subscribe('read', { onmessage: ({ data }) => got.push(data) }).ready")
    fetch(program, "/publish?channel=read&first=7&count=1")
    tab.wait("got.length >= 1")
    assert tab.received() == [7]
    assert tab.page.evaluate("states.filter(each => each.startsWith('open'))") == ["open stream"]


def test_polls_wait_for_the_repetition_of_a_subscription(make_tab):
    tab = make_tab(blocked="streams")
    delay = tab.page.evaluate(
        """() => new Promise(resolve => {
            const original = fetch, times = [];
            window.fetch = (...values) => {
                if (values[1].body.includes('"busy"') && times.push(performance.now()) === 3) {
                    resolve(times[2] - times[0]);
                }
                return original(...values);
            };
            client.subscribe("busy");
        })"""
    )
    assert delay > 100
