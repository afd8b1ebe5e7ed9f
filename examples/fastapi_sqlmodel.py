"""
A shop in FastAPI with SQLModel, its reads cached.

How to start it is in README.md, beside this file.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel, create_engine, select

from ormcache import Cache, Policy
from ormcache.web import AsgiCacheReport

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///shop.db")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")


class Product(SQLModel, table=True):
    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    category: str = Field(max_length=40, index=True)
    cents: int
    stock: int = 0


class ProductChange(SQLModel):
    cents: int | None = None
    stock: int | None = None


engine = create_engine(DATABASE_URL)
cache = Cache.from_url(REDIS_URL, namespace="shop")
cache.enable(engine)


def first_products() -> list[Product]:
    return [
        Product(name="Assam", category="tea", cents=690, stock=12),
        Product(name="Sencha", category="tea", cents=1250, stock=5),
        Product(name="Yirgacheffe", category="coffee", cents=1490, stock=30),
    ]


def open_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


OpenSession = Annotated[Session, Depends(open_session)]


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        if session.exec(select(Product).limit(1)).first() is None:
            session.add_all(first_products())
            session.commit()
    yield
    cache.close()
    engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)
app.add_middleware(AsgiCacheReport, cache=cache)


@app.get("/products")
def list_products(session: OpenSession, category: str | None = None) -> list[Product]:
    wanted = select(Product).order_by(Product.id)
    if category is not None:
        wanted = wanted.where(Product.category == category)
    return list(session.exec(wanted))


@app.get("/products/{product_id}")
def show_product(session: OpenSession, product_id: int) -> Product:
    product = session.get(Product, product_id)
    if product is None:
        raise HTTPException(404, "no such product")
    return product


@app.put("/products/{product_id}")
def change_product(session: OpenSession, product_id: int, change: ProductChange) -> Product:
    product = show_product(session, product_id)
    product.sqlmodel_update(change.model_dump(exclude_unset=True))
    session.commit()  # from here on, nobody reads the old price
    session.refresh(product)
    return product
