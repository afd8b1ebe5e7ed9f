"""
Does a filter, a projection or a stage mean the same each time it is asked?

Only operators that are known here to depend on nothing but their arguments and the documents may
be cached; `$rand`, `$where`, `$function`, `$$NOW` and whatever a later server brings are not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bson import ObjectId

__all__ = ["volatile_part"]

_QUERY = """
    $all $alwaysFalse $alwaysTrue $and $bitsAllClear $bitsAllSet $bitsAnyClear $bitsAnySet $box
    $caseSensitive $center $centerSphere $comment $diacriticSensitive $elemMatch $eq $exists $expr
    $geoIntersects $geoWithin $geometry $gt $gte $in $jsonSchema $language $lt $lte $maxDistance
    $meta $minDistance $mod $natural $ne $near $nearSphere $nin $nor $not $options $or $polygon
    $regex $search $size $slice $text $type $uniqueDocs
""".split()

_EXPRESSIONS = """
    $abs $acos $acosh $add $addToSet $allElementsTrue $anyElementTrue $arrayElemAt $arrayToObject
    $asin $asinh $atan $atan2 $atanh $avg $binarySize $bitAnd $bitNot $bitOr $bitXor $bottom
    $bottomN $bsonSize $ceil $cmp $concat $concatArrays $cond $convert $cos $cosh $count
    $covariancePop $covarianceSamp $dateAdd $dateDiff $dateFromParts $dateFromString $dateSubtract
    $dateToParts $dateToString $dateTrunc $dayOfMonth $dayOfWeek $dayOfYear $degreesToRadians
    $denseRank $derivative $divide $documentNumber $exp $expMovingAvg $filter $first $firstN $floor
    $getField $hour $ifNull $indexOfArray $indexOfBytes $indexOfCP $integral $isArray $isNumber
    $isoDayOfWeek $isoWeek $isoWeekYear $last $lastN $let $linearFill $literal $ln $locf $log
    $log10 $ltrim $map $max $maxN $median $mergeObjects $millisecond $min $minMaxScaler $minN
    $minute $month $multiply $objectToArray $percentile $pow $push $radiansToDegrees $range $rank
    $reduce $regexFind $regexFindAll $regexMatch $replaceAll $replaceOne $reverseArray $round
    $rtrim $second $setDifference $setEquals $setField $setIntersection $setIsSubset $setUnion
    $shift $sigmoid $sin $sinh $sortArray $split $sqrt $stdDevPop $stdDevSamp $strLenBytes
    $strLenCP $strcasecmp $substr $substrBytes $substrCP $subtract $sum $switch $tan $tanh $toBool
    $toDate $toDecimal $toDouble $toHashedIndexKey $toInt $toLong $toLower $toObjectId $toString
    $toUUID $toUpper $top $topN $trim $trunc $tsIncrement $tsSecond $unsetField $week $year $zip
""".split()

_REFERENCES = "$ref $id $db".split()

_DETERMINISTIC = frozenset((*_QUERY, *_EXPRESSIONS, *_REFERENCES))

_PLAIN = frozenset({type(None), bool, int, float, bytes, dt.datetime, ObjectId})
"""
What can hold neither; looked for first, as this is asked before every hit.
"""

# Variables that the server defines begin with a capital letter, a user's own never do.
_CONSTANT_VARIABLES = frozenset("CURRENT DESCEND KEEP PRUNE REMOVE ROOT".split())


def volatile_part(value: Any) -> str | None:
    """
    Return the first operator or variable in *value* that is not known to be deterministic.

    A text that only looks like such a variable counts as one: that costs a hit, never an answer.
    """
    if type(value) in _PLAIN:
        return None
    if isinstance(value, str):
        return _volatile_variable(value)
    if type(value) is dict or isinstance(value, Mapping):
        for key, nested in value.items():
            if isinstance(key, str) and key.startswith("$") and key not in _DETERMINISTIC:
                return key
            if (found := volatile_part(nested)) is not None:
                return found
    elif isinstance(value, list | tuple):
        for nested in value:
            if (found := volatile_part(nested)) is not None:
                return found
    return None


def _volatile_variable(text: str) -> str | None:
    if not text.startswith("$$"):
        return None
    name = text[2:].partition(".")[0]
    return f"$${name}" if name[:1].isupper() and name not in _CONSTANT_VARIABLES else None
