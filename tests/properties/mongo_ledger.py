"""
What random clients of MongoDB read and write: two families of collections that share no document.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pymongo import InsertOne, UpdateMany, UpdateOne

STOCK, DIARY = "stock", "diary"
VIEWS = ([{"$match": {"n": {"$gt": 2}}}], [{"$project": {"n": "$kind"}}])

Work = Callable[[Any, dict[str, Any], int], object]
"""
What a client does with a database, given what names its transaction, if there is one, and a small
number that chooses the document, or the value.
"""


def remake(db: Any) -> None:
    for name in ("items", "notes", "days", "totals", "view"):
        db[name].drop()
    db.items.insert_many([{"_id": k, "kind": k % 3, "n": k} for k in range(1, 5)])
    db.notes.insert_many([{"_id": k, "item": k, "words": "first"} for k in range(1, 5)])
    db.days.insert_many([{"_id": k, "n": k} for k in range(1, 5)])
    db.totals.insert_one({"_id": 0, "n": 0})
    show(db, VIEWS[0])


def show(db: Any, pipeline: list[dict[str, Any]]) -> None:
    """
    Have the view stand for *pipeline*.
    """
    db.drop_collection("view")
    db.command({"create": "view", "viewOn": "items", "pipeline": pipeline})


# -- reads --------------------------------------------------------------------------------------


def one(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.find_one({"_id": k}, **txn)


def several(db: Any, txn: dict[str, Any], k: int) -> object:
    return list(db.items.find({"kind": k % 3}, {"n": 1}, **txn).sort("_id").limit(3))


def counted(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.count_documents({"n": {"$gte": k}}, **txn)


def distinct(db: Any, txn: dict[str, Any], _k: int) -> object:
    return sorted(db.notes.distinct("words", **txn))


def grouped(db: Any, txn: dict[str, Any], _k: int) -> object:
    stages = [{"$group": {"_id": "$kind", "n": {"$sum": "$n"}}}, {"$sort": {"_id": 1}}]
    return list(db.items.aggregate(stages, **txn))


def joined(db: Any, txn: dict[str, Any], k: int) -> object:
    lookup = {"from": "notes", "localField": "_id", "foreignField": "item", "as": "notes"}
    stages = [{"$match": {"_id": k}}, {"$lookup": lookup}]
    found = list(db.items.aggregate(stages, **txn))
    return [(item["n"], sorted(note["words"] for note in item["notes"])) for item in found]


def a_view(db: Any, txn: dict[str, Any], _k: int) -> object:
    return list(db.view.find({}, **txn).sort("_id"))


def days(db: Any, txn: dict[str, Any], _k: int) -> object:
    return list(db.days.find({}, **txn).sort("_id"))


def totals(db: Any, txn: dict[str, Any], _k: int) -> object:
    return list(db.totals.find({}, **txn).sort("_id"))


READS: tuple[Work, ...] = (
    *(one, several, counted, distinct, grouped, joined, a_view, days, totals),
)


# -- writes -------------------------------------------------------------------------------------


def add(db: Any, txn: dict[str, Any], k: int) -> None:
    db.items.insert_one({"_id": k, "kind": k % 3, "n": k}, **txn)


def change(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.update_one({"_id": k}, {"$inc": {"n": 1}}, **txn).modified_count


def change_many(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.update_many({"kind": k % 3}, {"$inc": {"n": 10}}, **txn).modified_count


def replace(db: Any, txn: dict[str, Any], k: int) -> object:
    made = {"kind": 0, "n": k}
    return db.items.replace_one({"_id": k}, made, upsert=True, **txn).matched_count


def find_and_change(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.find_one_and_update({"_id": k}, {"$set": {"kind": 2}}, **txn)


def remove(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.items.delete_one({"_id": k}, **txn).deleted_count


def remove_notes(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.notes.delete_many({"item": {"$lt": k}}, **txn).deleted_count


def several_at_once(db: Any, txn: dict[str, Any], k: int) -> object:
    requests = [
        UpdateOne({"_id": k}, {"$set": {"words": "changed", "item": k}}, upsert=True),
        UpdateMany({"item": k}, {"$set": {"words": "bulk"}}),
    ]
    return db.notes.bulk_write(requests, **txn).modified_count


def half_of_it_fails(db: Any, txn: dict[str, Any], k: int) -> None:
    db.notes.bulk_write(
        [UpdateMany({}, {"$set": {"words": f"half {k}"}}), InsertOne({"_id": 1}), InsertOne({})],
        **txn,
    )


def merge(db: Any, txn: dict[str, Any], _k: int) -> None:
    total = [{"$group": {"_id": 0, "n": {"$sum": "$n"}}}, {"$merge": "totals"}]
    if not txn:  # not allowed inside
        list(db.items.aggregate(total))


def add_day(db: Any, txn: dict[str, Any], k: int) -> None:
    db.days.insert_one({"_id": k + 4, "n": k}, **txn)


def change_days(db: Any, txn: dict[str, Any], k: int) -> object:
    return db.days.update_many({"n": {"$gt": k}}, {"$inc": {"n": -1}}, **txn).modified_count


class Write(NamedTuple):
    work: Work
    family: str


WRITES = (
    *(
        Write(work, STOCK)
        for work in (
            *(add, change, change_many, replace, find_and_change, remove, remove_notes),
            *(several_at_once, half_of_it_fails, merge),
        )
    ),
    *(Write(work, DIARY) for work in (add_day, change_days)),
)
