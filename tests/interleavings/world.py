"""
What does one step change?

A `World` is a `State` taken apart for one step: the reference store holds the tokens, each effect
has its handler, and what a step breaks is raised as a `Violation`.
"""

from collections.abc import Callable
from typing import Any

from ormcache.effects import Announce, Save, Settle
from tests.interleavings import promises
from tests.interleavings.handlers import HANDLERS
from tests.interleavings.markers import EARLY, LATE
from tests.interleavings.replay import ENDED, Names, Places, Raised
from tests.interleavings.states import EMPTY, FINISHED, Actor, Orphan, State
from tests.interleavings.store import LEASE, CopyableStore

__all__ = ["World"]


class World:
    """
    One state, open to be changed by one step.
    """

    def __init__(self, places: Places, names: Names, store: CopyableStore) -> None:
        self.places = places
        self.names = names
        self.store = store
        self.served = 0
        """How many reads were answered from the cache."""
        self.teller: Callable[[int, Any, Any], None] | None = None
        """Told each effect and its answer, where somebody wants to read the story."""

    def open(self, state: State) -> None:
        """
        Be at *state*.
        """
        self.log, self.promised, self.seen = list(state.log), state.promised, state.seen
        self.exposed, self.clock, self.budget = state.exposed, 0, state.budget
        self.late, self.orphans = list(state.late), list(state.orphans)
        self.actors, self.before = list(state.actors), state.actors
        self.store.become(state.entries, state.tokens, self.clock)
        self.names.begin("new")

    # -- one actor's step ------------------------------------------------------------------------

    def pending(self, slot: int) -> Any:
        """
        Return what the actor asks for next; `ENDED` when its program is over.
        """
        actor = self.actors[slot]
        if actor.stage >= FINISHED:
            return ENDED
        return self.places.pending(actor.program, actor.stage, actor.answers)

    def visible(self, slot: int) -> Any:
        """
        Go on to the actor's next effect that others can notice, and return it.
        """
        while isinstance(effect := self.pending(slot), LATE):
            self.answer(slot, self.perform(slot, effect))
        return effect

    def peek(self, slot: int) -> Any:
        """
        Return the actor's next effect that others can notice, and change nothing.
        """
        actor = self.actors[slot]
        if actor.stage >= FINISHED:
            return ENDED
        answers = actor.answers
        while isinstance(effect := self.places.pending(actor.program, actor.stage, answers), LATE):
            answers = (*answers, None)
        return effect

    def step(self, slot: int) -> None:
        """
        Carry out the actor's next effect.
        """
        effect = self.visible(slot)
        self.finish(slot, self.perform(slot, effect))

    def finish(self, slot: int, answer: Any) -> None:
        """
        Give the actor its answer, and go on with what nobody else can notice.
        """
        self.answer(slot, answer)
        while True:
            effect = self.pending(slot)
            if isinstance(effect, Raised):
                raise promises.Violation(f"{self.name(slot)} raises {effect.error}")
            if isinstance(effect, EARLY):
                self.answer(slot, self.perform(slot, effect))
            elif effect is ENDED and self.actors[slot].stage < FINISHED:
                self._end_transaction(slot)
            else:
                return

    def perform(self, slot: int, effect: Any) -> Any:
        """
        Carry out an effect and return its answer.
        """
        answer = HANDLERS[type(effect)](self, slot, effect)
        if self.teller is not None:
            self.teller(slot, effect, answer)
        return answer

    def answer(self, slot: int, answer: Any) -> None:
        """
        Note what an actor was answered.
        """
        actor = self.actors[slot]
        self.actors[slot] = actor._replace(answers=(*actor.answers, answer))

    def change(self, slot: int, **fields: Any) -> None:
        """
        Change an actor's transaction.
        """
        actor = self.actors[slot]
        self.actors[slot] = actor._replace(transaction=actor.transaction._replace(**fields))

    def name(self, slot: int) -> str:
        """
        Return what a story calls the actor.
        """
        return f"{{{slot}}}"

    def _end_transaction(self, slot: int) -> None:
        actor = self.actors[slot]
        last = actor.stage + 1 == self.places.length(actor.program)
        stage = FINISHED if last else actor.stage + 1
        self.actors[slot] = Actor(actor.program, stage)

    # -- commits ---------------------------------------------------------------------------------

    def commit(self, slot: int) -> None:
        """
        Make an actor's changes visible to everybody.
        """
        transaction = self.actors[slot].transaction
        if transaction.written:
            self.log.append(tuple(sorted(transaction.written)))
            self.change(slot, commit=len(self.log))
            if transaction.exposed:
                self.exposed = (*self.exposed, len(self.log))

    def orphan(self, slot: int) -> None:
        """
        Nobody waits for the actor's transaction any more.
        """
        t = self.actors[slot].transaction
        if t.commit or t.pending:
            self.orphans.append(Orphan(tuple(sorted(t.written)), t.scopes, t.exposed, t.commit))
        self.actors[slot] = self.actors[slot]._replace(transaction=EMPTY)

    def kill(self, slot: int) -> None:
        """
        End an actor's process where it stands.
        """
        actor = self.actors[slot]
        if actor.answers:
            try:
                self.places.drop(actor.program, actor.stage, actor.answers)
            except RuntimeError as exc:
                raise promises.Violation(f"{self.name(slot)} is dead and does more") from exc
        self.actors[slot] = Actor(actor.program, FINISHED)

    def commit_arrives(self, number: int) -> None:
        """
        The COMMIT of an orphan reaches the database.
        """
        orphan = self.orphans[number]
        self.log.append(orphan.written)
        if orphan.exposed:
            self.exposed = (*self.exposed, len(self.log))
        self.orphans[number] = orphan._replace(commit=len(self.log))

    # -- store operations ------------------------------------------------------------------------

    def own(self, slot: int, effect: Any) -> Any:
        """
        Return an announcement or a settlement with a lease that is the actor's own.
        """
        if isinstance(effect, Save):
            return effect
        intent = effect.intent
        stage = self.actors[slot].stage
        return type(effect)(intent._replace(lease=f"{slot}.{stage}:{intent.lease}"))

    def deliver(self, effect: Any) -> None:
        """
        Have the store carry out what `own` returned, whoever waits for it.
        """
        match effect:
            case Save(key, entry, ttl):
                self.store.save(key, entry, ttl)
            case Announce(intent):
                self.store.announce(intent, LEASE)
            case Settle(intent):
                self.store.settle(intent)

    def announced(self, slot: int, effect: Announce) -> None:
        """
        Note that an announcement is in force; a renewed one covers a commit yet to come.
        """
        transaction = self.actors[slot].transaction
        exposed = transaction.exposed and bool(transaction.commit)
        self.change(slot, announced=True, exposed=exposed, scopes=effect.intent.scopes)
