"""
A policy on a model is found however the model was mapped.
"""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from ormcache import ConfigurationError, Policy
from ormcache.sqlalchemy.models import known_tables, model_policies, registry_size


def test_subclasses_inherit_and_override():
    class Base(DeclarativeBase):
        pass

    class Parent(Base):
        __tablename__ = "m_parents"
        __cache_policy__ = Policy(ttl=11)
        id: Mapped[int] = mapped_column(primary_key=True)

    class Child(Parent):
        __tablename__ = "m_children"
        id: Mapped[int] = mapped_column(ForeignKey(Parent.id), primary_key=True)

    class Other(Parent):
        __tablename__ = "m_others"
        __cache_policy__ = Policy(ttl=5)
        id: Mapped[int] = mapped_column(ForeignKey(Parent.id), primary_key=True)

    class InTheSameTable(Parent):
        __cache_policy__ = Policy(ttl=3)

    found = model_policies()
    assert found["m_parents"].ttl == 3  # the strictest of the classes that share a table
    assert found["m_children"].ttl == 11
    assert found["m_others"].ttl == 5
    assert {"m_parents", "m_children"} <= known_tables()
    Base.registry.dispose()


def test_imperative_mappings_count():
    before = registry_size()
    mappings = registry()
    table = Table("m_plain", mappings.metadata, Column("id", Integer, primary_key=True), schema="S")

    class Plain:
        __cache_policy__ = Policy(ttl=7)

    mappings.map_imperatively(Plain, table)
    assert registry_size() == before + 1
    assert model_policies()["s.m_plain"].ttl == 7
    mappings.dispose()


def test_a_wrong_policy_is_told():
    class Base(DeclarativeBase):
        pass

    class Wrong(Base):
        __tablename__ = "m_wrong"
        __cache_policy__ = 60
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"must be an ormcache\.Policy"):
        model_policies()
    Base.registry.dispose()
