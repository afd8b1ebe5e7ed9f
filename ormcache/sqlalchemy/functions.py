"""
Which functions always answer the same for the same arguments and rows?

Everything that is not listed here is taken for volatile. Functions that follow session settings
(time zone, locale, text search configuration) are listed: a connection whose settings were
changed is kept away from the cache elsewhere.
"""

from __future__ import annotations

import re
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text as a set: how a long list stays readable."""
    return frozenset(text.split())


_EVERYWHERE: Final = """
    abs acos asin atan atan2 avg bit_and bit_or bit_xor ceil ceiling coalesce concat concat_ws cos
    cot count cume_dist degrees dense_rank exp first_value floor format hex lag last_value lead
    length ln log log10 lower lpad ltrim max min mod nth_value ntile nullif octet_length
    percent_rank pi pow power radians rank repeat replace reverse round row_number rpad rtrim sign
    sin sqrt stddev_pop stddev_samp substr substring sum tan trim upper var_pop var_samp
    left right row values cast extract position overlay convert exists
    json_array json_object json_valid
"""

_POSTGRESQL: Final = """
    acosd acosh age any_value array array_agg array_append array_cat array_dims array_fill
    array_length     array_lower array_ndims array_position array_positions array_prepend
    array_remove array_replace
    array_reverse array_sort array_to_json array_to_string array_to_tsvector array_upper ascii
    asind asinh atan2d atand atanh bit bit_count bit_length bool bool_and bool_or box
    box2d btrim bpchar cardinality casefold cbrt center char char_length character_length chr circle
    convert_from convert_to corr cosd cosh cotd covar_pop covar_samp crc32 crc32c
    date date_add date_bin date_part date_subtract date_trunc decode diagonal diameter div
    encode erf erfc every factorial family float4 float8 gamma gcd get_bit get_byte greatest
    grouping height host hostmask host_address inet_merge inet_same_family initcap int2 int4 int8
    isclosed isempty isfinite isopen
    json_agg json_agg_strict json_array_elements json_array_elements_text json_array_length
    json_arrayagg json_build_array json_build_object json_each json_each_text json_exists
    json_extract_path json_extract_path_text json_object_agg json_object_agg_strict
    json_object_agg_unique json_object_agg_unique_strict json_object_keys json_objectagg
    json_populate_record json_populate_recordset json_query json_scalar json_serialize
    json_strip_nulls json_to_record json_to_recordset json_typeof json_value
    jsonb_agg jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_concat jsonb_contained jsonb_contains jsonb_delete
    jsonb_delete_path jsonb_each jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
    jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
    jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz
    jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
    jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_typeof justify_days justify_hours justify_interval
    lcm least lgamma like line log lower_inc lower_inf lseg macaddr8_set7bit make_date
    make_interval make_time make_timestamp make_timestamptz masklen md5 min_scale mode multirange
    netmask network normalize notlike npoints num_nonnulls num_nulls numeric numnode numrange
    nummultirange int4range int8range int4multirange int8multirange daterange tsrange tstzrange
    datemultirange tsmultirange tstzmultirange
    overlaps parse_ident path pclose percentile_cont percentile_disc pg_typeof phraseto_tsquery
    plainto_tsquery point polygon popen querytree quote_ident quote_literal quote_nullable radius
    range_agg range_intersect_agg range_merge regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    row_to_json scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 sind sinh
    slope split_part starts_with stddev string_agg string_to_array string_to_table strip strpos
    tand tanh text textcat time timestamp timestamptz timetz timezone to_ascii to_bin to_char
    to_date to_hex to_json to_jsonb to_number to_oct to_timestamp to_tsquery to_tsvector translate
    trim_array trim_scale trunc ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsquery_phrase
    tsvector_to_array unistr unnest upper_inc upper_inf uuid_extract_timestamp uuid_extract_version
    varchar variance websearch_to_tsquery width width_bucket xmlagg xmlcomment xmlconcat xmlelement
    xmlexists xmlforest xmlparse xmlpi xmltable xpath xpath_exists generate_series
    generate_subscripts
"""

_MYSQL: Final = """
    adddate addtime any_value ascii bin bit_count bit_length char char_length character_length
    chr coercibility compress conv convert_tz crc32 date date_add date_format date_sub
    datediff day dayname dayofmonth dayofweek dayofyear elt export_set field find_in_set
    from_base64 from_days greatest group_concat grouping hour if ifnull inet6_aton
    inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat is_ipv4_mapped
    is_ipv6 is_uuid isnull json_array_append json_array_insert json_arrayagg json_compact
    json_contains json_contains_path json_depth json_detailed json_equals json_exists json_extract
    json_insert json_keys json_length json_loose json_merge json_merge_patch json_merge_preserve
    json_normalize json_objectagg json_overlaps json_pretty json_query json_quote json_remove
    json_replace json_schema_valid json_search json_set json_storage_size json_table json_type
    json_unquote json_value last_day lcase least lengthb locate log2 make_set makedate
    maketime match md5 microsecond mid minute month monthname nvl nvl2 oct ord
    percentile_cont percentile_disc median period_add period_diff quarter quote regexp_instr
    regexp_like regexp_replace regexp_substr sec_to_time second sformat sha sha1 sha2 soundex space
    std stddev strcmp str_to_date subdate substring_index subtime time time_format time_to_sec
    timediff timestamp timestampadd timestampdiff to_base64 to_char to_days to_seconds truncate
    ucase uncompress uncompressed_length unhex unix_timestamp from_unixtime uuid_to_bin bin_to_uuid
    variance week weekday weekofyear weight_string year yearweek
    st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_buffer st_centroid st_contains
    st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance
    st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geohash
    st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb
    st_interiorringn st_intersection st_intersects st_isclosed st_isempty st_issimple st_isvalid
    st_latitude st_length st_linefromtext st_longitude st_numgeometries st_numpoints st_overlaps
    st_pointfromtext st_pointn st_polygonfromtext st_simplify st_srid st_startpoint
    st_symdifference st_touches st_union st_within st_x st_y mbrcontains mbrintersects mbrwithin
    point linestring polygon
"""

_SQLITE: Final = """
    acosh asinh atanh char concat cosh date datetime glob group_concat hex if ifnull iif instr
    json json_array_length json_each json_error_position json_extract json_group_array
    json_group_object json_insert json_patch json_pretty json_quote json_remove json_replace
    json_set json_tree json_type jsonb jsonb_array jsonb_extract jsonb_group_array
    jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set
    jsonb_each jsonb_tree julianday like likelihood likely log2 median percentile percentile_cont
    percentile_disc printf quote sinh soundex strftime string_agg tanh time timediff total trunc
    typeof unhex unicode unistr unistr_quote unixepoch unlikely zeroblob generate_series
    highlight snippet bm25
"""

DETERMINISTIC: Final[dict[str, frozenset[str]]] = {
    "postgresql": words(_EVERYWHERE + _POSTGRESQL),
    "mysql": words(_EVERYWHERE + _MYSQL),
    "sqlite": words(_EVERYWHERE + _SQLITE),
}

# With fewer arguments these ask for the current time.
LEAST_ARGUMENTS: Final[dict[str, dict[str, int]]] = {
    "postgresql": {"age": 2},
    "mysql": {"unix_timestamp": 1},
    "sqlite": {},
}

SEQUENCES: Final = frozenset({"nextval", "currval", "lastval", "setval", "next_value_for"})

# For the reason given to the user only: what is neither here nor above is "unknown".
VOLATILE: Final = words("""
    benchmark changes clock_timestamp connection_id curdate current_catalog current_database
    current_date current_role current_schema current_schemas current_setting current_time
    current_timestamp current_user curtime database found_rows gen_random_uuid get_lock
    last_insert_id last_insert_rowid load_file localtime localtimestamp now pg_backend_pid
    pg_sleep rand random random_normal randomblob row_count schema session_user set_config sleep
    statement_timestamp sys_guid sysdate system_user timeofday total_changes transaction_timestamp
    txid_current unix_timestamp user utc_date utc_time utc_timestamp uuid uuid_short
    uuid_generate_v4 uuidv4 uuidv7 version age
    """)

# Written without parentheses these look like columns.
BARE: Final[dict[str, frozenset[str]]] = {
    "postgresql": frozenset({"user", "current_role", "system_user"}),
    "mysql": frozenset({"utc_date", "utc_time", "utc_timestamp", "current_role", "sysdate"}),
    "sqlite": frozenset(),
}

SQLITE_DATES: Final = frozenset(
    {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"}
)

# Grammar that sqlglot models as functions although nothing is called. By class name.
SYNTAX: Final = words("""
    And Or Xor Not Case If Cast TryCast Exists Extract Trim Substring Overlay StrPosition Array
    Normalize JSONObject JSONObjectAgg JSONArray JSONArrayAgg JSONTable JSONValue JSONExtract
    JSONExtractScalar JSONBExtract JSONBExtractScalar JSONBContains JSONBContainsTopKey
    JSONBContainsAnyTopKeys
    JSONBContainsAllTopKeys JSONBDeleteAtPath JSONBPathExists JSONBPathMatch JSONCast
    ArrayContainsAll ArrayContainedBy ArrayOverlaps ArrayConcat RegexpLike RegexpILike
    RegexpFullMatch GroupConcat MatchAgainst WeightString XMLElement XMLTable Convert Chr Unnest
    Columns Coalesce ConvertToCharset Pow Mod DPipe SafeDPipe Collate
    """)

_RELATIVE = re.compile(r"\b(?:now|today|tomorrow|yesterday)\b", re.IGNORECASE)
_LONGEST_TIME = 40


def names_relative_time(text: str) -> bool:
    """
    Whether a string, read as a date or time, may mean the moment it is read.

    PostgreSQL takes `'now'` or `'today 12:00'` for a timestamp wherever one is expected, and
    SQLite's date functions know `'now'`: also when the string arrives as a bind parameter.
    """
    return len(text) <= _LONGEST_TIME and _RELATIVE.search(text) is not None
