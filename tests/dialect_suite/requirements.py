"""
What can each database do, as SQLAlchemy's dialect suite asks for it?

Tests of what it has not are skipped by the suite. What is not named here is as `SuiteRequirements`
has it.
"""

import sqlalchemy
from sqlalchemy.testing.exclusions import only_on, warns_if
from sqlalchemy.testing.requirements import SuiteRequirements

MYSQL = ("mysql", "mariadb")
SERVERS = ("postgresql", *MYSQL)
ALL = (*SERVERS, "sqlite")
BUT_MYSQL = ("postgresql", "sqlite")
IN_2_1 = sqlalchemy.__version__ >= "2.1"


def _has_attached(config):
    """
    A schema, to SQLite: a file of its own. Nothing is cached on a connection that has one.
    """
    return config.db.name == "sqlite" and config.options.attach


# What each set of databases has, whatever `SuiteRequirements` says of it.
SUPPORTED = (
    (
        ALL,
        """
        autocommit check_constraint_reflection computed_columns_reflect_persisted
        computed_columns_stored create_table_as create_temp_table_as ctes datetime_literals
        expression_server_defaults fk_constraint_option_reflection_ondelete_noaction
        foreign_key_constraint_name_reflection foreign_key_constraint_option_reflection_ondelete
        foreign_key_constraint_option_reflection_onupdate indexes_check_column_order
        isolation_level json_type legacy_unconditional_json_extract order_by_col_from_union
        percent_schema_names precision_numerics_retains_significant_digits regexp_match
        server_defaults skip_autocommit_rollback supports_bitwise_and supports_bitwise_or
        supports_bitwise_shift supports_bitwise_xor table_ddl_if_exists tuple_in unicode_ddl
        update_from views window_functions window_range window_range_numeric
        """,
    ),
    (
        ("postgresql",),
        """
        array_type column_collation_reflection comment_reflection_full_unicode
        constraint_comment_reflection ctes_with_update_delete datetime_interval
        datetime_timezone default_schema_name_switch deferrable_fks fetch_expression
        identity_columns identity_columns_standard index_reflects_included_columns
        materialized_views reflect_indexes_with_expressions reflect_tables_no_columns
        supports_distinct_on table_value_constructor temp_table_names temporary_views
        time_timezone window_range_non_numeric
        """,
    ),
    (
        SERVERS,
        """
        comment_reflection create_or_replace_view cross_schema_fk_reflection delete_from
        fetch_offset_with_options has_temp_table implicitly_named_constraints
        independent_connections on_update_cascade
        parens_in_union_contained_select_w_limit_offset
        parens_in_union_contained_select_wo_limit_offset
        precision_numerics_many_significant_digits regexp_replace savepoints
        schema_create_delete temp_table_comment_reflection temp_table_reflect_indexes
        temp_table_reflection unique_constraints_reflect_as_index
        """,
    ),
    (
        BUT_MYSQL,
        """
        date_historic date_implicit_bound datetime_historic datetime_implicit_bound
        datetime_microseconds float_or_double_precision_behaves_generically
        indexes_with_expressions infinity_floats inline_check_constraint_reflection
        precision_generic_float_type reflects_pk_names repeated_column_foreign_keys
        sql_expression_limit_offset supports_bitwise_not time_implicit_bound time_microseconds
        unbounded_varchar
        """,
    ),
    (
        ("postgresql", "mariadb >= 10.6"),
        """
        fetch_first fetch_no_order_by fetch_ties
        """,
    ),
    (
        ("postgresql", "mariadb", "sqlite"),
        """
        ctes_with_values index_ddl_if_exists
        """,
    ),
    (
        (*MYSQL, "sqlite"),
        """
        dbapi_lastrowid nvarchar_types
        """,
    ),
    (
        ("postgresql", "mysql", "sqlite"),
        """
        fk_constraint_option_reflection_ondelete_restrict
        fk_constraint_option_reflection_onupdate_restrict
        """,
    ),
    (
        MYSQL,
        """
        foreign_keys_reflect_as_index unique_index_reflect_as_unique_constraints
        """,
    ),
    (("postgresql", "mariadb"), "cast_precision_numerics_many_significant_digits"),
    (("postgresql+psycopg",), "json_deserializer_binary"),
    (("postgresql", "mysql"), "json_index_supplementary_unicode_element"),
    (("postgresql", "mariadb >= 10.7.0"), "uuid_data_type"),
    (("postgresql < 18",) if IN_2_1 else ("postgresql",), "computed_columns_default_persisted"),
    ((*MYSQL, "sqlite", *(("postgresql >= 18",) if IN_2_1 else ())), "computed_columns_virtual"),
    ((*MYSQL, "sqlite", *(("postgresql",) if IN_2_1 else ())), "reflect_table_options"),
    ((*SERVERS, _has_attached), "schemas"),
)
COLLATIONS = {
    "postgresql": "POSIX",
    "mysql": "utf8mb4_bin",
    "mariadb": "utf8mb4_bin",
    "sqlite": "NOCASE",
}


class Requirements(SuiteRequirements):
    """
    The three databases.
    """

    @property
    def computed_columns(self):
        return warns_if("postgresql < 18", ".*does not support VIRTUAL", assert_=False)

    def get_order_by_collation(self, config):
        return COLLATIONS[config.db.name]


def _supported_by(databases):
    return property(lambda _self: only_on(list(databases)))


for _databases, _names in SUPPORTED:
    for _name in _names.split():
        setattr(Requirements, _name, _supported_by(_databases))
