"""
A shop in FastAPI with SQLAlchemy's AsyncSession, its reads cached.

How to start it is in README.md, beside this file.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ormcache import Cache, Policy
from ormcache.web import AsgiCacheReport

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(40), index=True)
    cents: Mapped[int]
    stock: Mapped[int] = mapped_column(default=0)


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    category: str
    cents: int
    stock: int


class ProductChange(BaseModel):
    cents: int | None = None
    stock: int | None = None


engine = create_async_engine(DATABASE_URL)
Session = async_sessionmaker(engine, expire_on_commit=False)
cache = Cache.from_url(REDIS_URL, namespace="shop")
cache.enable(Session)


async def open_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


OpenSession = Annotated[AsyncSession, Depends(open_session)]


def first_products() -> list[Product]:
    return [
        Product(name="Assam", category="tea", cents=690, stock=12),
        Product(name="Sencha", category="tea", cents=1250, stock=5),
        Product(name="Yirgacheffe", category="coffee", cents=1490, stock=30),
    ]


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session() as session:
        if await session.scalar(select(Product).limit(1)) is None:
            session.add_all(first_products())
            await session.commit()
    yield
    await cache.aclose()
    await engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)
app.add_middleware(AsgiCacheReport, cache=cache)


@app.get("/products", response_model=list[ProductOut])
async def list_products(session: OpenSession, category: str | None = None) -> list[Product]:
    wanted = select(Product).order_by(Product.id)
    if category is not None:
        wanted = wanted.where(Product.category == category)
    return list(await session.scalars(wanted))


@app.get("/products/{product_id}", response_model=ProductOut)
async def show_product(session: OpenSession, product_id: int) -> Product:
    product = await session.get(Product, product_id)
    if product is None:
        raise HTTPException(404, "no such product")
    return product


@app.put("/products/{product_id}", response_model=ProductOut)
async def change_product(session: OpenSession, product_id: int, change: ProductChange) -> Product:
    product = await show_product(session, product_id)
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(product, name, value)
    await session.commit()  # from here on, nobody reads the old price
    return product
