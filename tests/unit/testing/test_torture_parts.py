"""
What the torture is made of: registers and their values, outages, the network, the report.
"""

import json
import multiprocessing
import random
import socket
import threading
from collections.abc import Iterator

import pytest

from ormcache.testing.history import Tally
from ormcache.testing.torture import Options, Result, as_json, as_table
from ormcache.testing.torture.__main__ import main
from ormcache.testing.torture.faults import FAULTS, Fault, nothing
from ormcache.testing.torture.harm import Harm
from ormcache.testing.torture.proxy import Proxy
from ormcache.testing.torture.registers import Numbers, Registers
from ormcache.testing.torture.run import Row

# -- registers --------------------------------------------------------------------------------


def test_every_register_is_written_by_one_or_by_all():
    registers = Registers(1, 2)
    for kind in (registers.pairs, registers.notes):
        first, second = (set(registers.written_by(slot, kind)) for slot in range(2))
        assert first | second == set(kind)
        assert {r for r in kind if registers.owner(r) is None} == first & second
        assert first - second
        assert second - first
    assert registers.following == max(registers.notes) + 1


def test_values_never_repeat_and_those_of_one_writer_grow():
    given = []
    for incarnation in (1, 2):
        numbers = Numbers(0, incarnation)
        given += [numbers.after(None) for _ in range(5000)]
    assert given == sorted(set(given))


def test_a_value_follows_the_one_that_was_read_whoever_gives_it():
    writers = [Numbers(slot, incarnation) for slot in range(4) for incarnation in range(1, 40)]
    value = 0
    for writer in writers:
        rolled_back, following = writer.after(value), writer.after(value)
        others = {other.after(value) for other in writers if other is not writer}
        assert rolled_back != following
        assert not others & {rolled_back, following}
        assert following > value
        value = following
    assert value < 2**63


# -- outages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name != "none"], ids=lambda f: f.name)
@pytest.mark.parametrize("seconds", [0.5, 4.0, 55.0])
def test_a_fault_takes_its_time_and_is_over_when_it_ends(fault: Fault, seconds: float):
    done: list[str] = []
    harm = Recorded(done)
    assert sum(fault.strike(harm, seconds)) == pytest.approx(seconds)
    assert done.count("+") == done.count("-")
    waits = fault.strike(harm, seconds)
    next(waits)
    waits.close()
    assert done.count("+") == done.count("-")


class Recorded(Harm):
    """
    Breaks nothing.
    """

    def __init__(self, done: list[str]) -> None:
        super().__init__(random.Random(1), [0, 0], None)
        self.done = done

    def flush(self) -> None:
        self.done.append("flushed")

    def __getattribute__(self, name: str):
        if name in {"store_stopped", "store_paused", "store_filled", "network", "network_of_one"}:
            return lambda *_, **__: Undone(self.done)
        return super().__getattribute__(name)


class Undone:
    def __init__(self, done: list[str]) -> None:
        self.done = done

    def __enter__(self) -> None:
        self.done.append("+")

    def __exit__(self, *_: object) -> None:
        self.done.append("-")


# -- the network ------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """
    A proxy before something that sends back what it gets.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        url = f"redis://user:secret@127.0.0.1:{listener.getsockname()[1]}/3"
        made = Proxy(multiprocessing.get_context("forkserver"), url)
        yield made
        made.close()
        listener.shutdown(socket.SHUT_RDWR)


def echo(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection:
        try:
            while received := connection.recv(100):
                connection.sendall(received)
        except OSError:
            return


def connect(proxy: Proxy) -> socket.socket:
    port = int(proxy.url.rpartition(":")[2].partition("/")[0])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def said(connection: socket.socket, text: bytes) -> bytes:
    """
    What comes back until the connection ends or it is as much as was sent.
    """
    back = b""
    try:
        connection.sendall(text)
        while len(back) < len(text) and (received := connection.recv(100)):
            back += received
    except ConnectionError:
        pass
    return back


def test_a_proxy_keeps_the_rest_of_the_url(proxy: Proxy):
    assert proxy.url.startswith("redis://user:secret@127.0.0.1:")
    assert proxy.url.endswith("/3")


@pytest.mark.parametrize("mode", ["pass", "delay"])
def test_bytes_arrive_in_order(proxy: Proxy, mode: str):
    proxy.set(mode)
    with connect(proxy) as connection:
        back = [said(connection, b"%d," % turn) for turn in range(5)]
        sent = b"".join(b"%d," % turn for turn in range(50))
        for turn in range(50):
            connection.sendall(b"%d," % turn)
        whole = b""
        while len(whole) < len(sent) and (received := connection.recv(100)):
            whole += received
    assert back == [b"0,", b"1,", b"2,", b"3,", b"4,"]
    assert whole == sent


def test_a_reset_ends_connections_and_refuses_others(proxy: Proxy):
    with connect(proxy) as before:
        assert said(before, b"hello") == b"hello"
        proxy.set("reset")
        assert said(before, b"hello") == b""
        with connect(proxy) as during:
            assert said(during, b"hello") == b""
        proxy.set("pass")
        with connect(proxy) as after:
            assert said(after, b"hello") == b"hello"


def test_what_vanished_never_arrives(proxy: Proxy):
    with connect(proxy) as before:
        assert said(before, b"hello") == b"hello"
        proxy.set("hang")
        before.sendall(b"lost")
        proxy.set("pass")
        assert said(before, b"hello") == b""
    with connect(proxy) as after:
        assert said(after, b"hello") == b"hello"


# -- the report -------------------------------------------------------------------------------

SAFE = Fault("safe", "direct", nothing)
LOSSY = Fault("lossy", "direct", nothing, may_go_back=True)
REFUSING = Fault("refusing", "refusing", nothing)


@pytest.mark.parametrize(
    ("fault", "tally", "wrong"),
    [
        (SAFE, Tally(reads=5, hits=5, conflicts=1, refused=1, owed=1), False),
        (SAFE, Tally(stale=1), True),
        (SAFE, Tally(uncommitted=1), True),
        (SAFE, Tally(torn=1), True),
        (SAFE, Tally(errors=1), True),
        (SAFE, Tally(backwards=1), True),
        (LOSSY, Tally(backwards=1), False),
        (LOSSY, Tally(stale=1), True),
        (REFUSING, Tally(owed=1), True),
    ],
)
def test_what_counts_as_a_broken_promise(fault: Fault, tally: Tally, wrong: bool):
    result = Result(Options(seed=3), ["a server"], [Row("PostgreSQL", fault, tally)])
    assert result.wrong is wrong
    assert json.loads(as_json(result))["wrong"] is wrong


def test_a_table_has_a_row_for_each_and_one_for_all():
    rows = [
        Row("PostgreSQL", SAFE, Tally(reads=1500, hits=1000, longest_without_hit=2.5)),
        Row("MariaDB", LOSSY, Tally(reads=500, longest_without_hit=0.5)),
    ]
    heading, *lines, last = as_table(Result(Options(seed=3), ["a server"], rows, 7)).splitlines()
    assert heading.split()[:4] == ["database", "fault", "reads", "hits"]
    assert [line.split()[:3] for line in lines] == [
        ["PostgreSQL", "safe", "1,500"],
        ["MariaDB", "lossy", "500"],
        ["all", "2,000", "1,000"],
    ]
    assert lines[-1].endswith("2.5")
    assert last == "7 writers killed; seed 3; a server"


def test_a_wrong_order_ends_with_2(capsys: pytest.CaptureFixture[str]):
    assert main(["--database", "nonsense://x", "--store", "redis://x"]) == 2
    assert "postgresql://user" in capsys.readouterr().err
