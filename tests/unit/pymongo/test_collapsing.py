"""
A read of a collection that is given up lets those go on that wait for it.
"""

from types import SimpleNamespace
from typing import Any, cast

from ormcache.effects import Join, Load
from ormcache.flights import Caller, Flights
from ormcache.model import Fetched, Token, TokenState
from ormcache.pymongo.reads import _watched
from tests.unit.test_reading import A, request


def test_a_path_that_is_closed_lands_its_flight():
    flights = Flights()
    known = cast("Any", SimpleNamespace(watch=lambda *_: None, stale=False))
    path = _watched(request(scopes=(A,), collapse=1.0), known)
    next(path)
    effect = path.send(Fetched(None, (TokenState(Token(b"t"), in_doubt=False),)))
    assert isinstance(effect, Join)
    joined = flights.join(effect.key, effect.tokens, Caller(1))
    assert isinstance(path.send(joined), Load)
    # Somebody, such as a traceback, may still hold what is inside it.
    inside = path.gi_frame.f_locals["path"]
    path.close()
    assert joined.flight.landed
    assert inside.gi_frame is None
    assert len(flights) == 0
