"""
A shop in Litestar with advanced-alchemy, its reads cached.

How to start it is in README.md, beside this file.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from advanced_alchemy.base import BigIntBase
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
)
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from litestar import Litestar, get, put
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ormcache import Cache, Policy
from ormcache.web import AsgiCacheReport

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")


class Product(BigIntBase):
    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300)

    name: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(40), index=True)
    cents: Mapped[int]
    stock: Mapped[int] = mapped_column(default=0)


class Products(SQLAlchemyAsyncRepository[Product]):
    model_type = Product


@dataclass
class ProductChange:
    cents: int | None = None
    stock: int | None = None


database = SQLAlchemyAsyncConfig(
    connection_string=DATABASE_URL,
    session_config=AsyncSessionConfig(expire_on_commit=False),
    create_all=True,
)
cache = Cache.from_url(REDIS_URL, namespace="shop")
cache.enable(database.create_session_maker())


async def open_products(db_session: AsyncSession) -> Products:
    return Products(session=db_session)


@get("/products")
async def list_products(products: Products, category: str | None = None) -> Sequence[Product]:
    wanted = {} if category is None else {"category": category}
    return await products.list(order_by=Product.id.asc(), **wanted)


@get("/products/{product_id:int}")
async def show_product(products: Products, product_id: int) -> Product:
    product = await products.get_one_or_none(id=product_id)
    if product is None:
        raise NotFoundException("no such product")
    return product


@put("/products/{product_id:int}")
async def change_product(products: Products, product_id: int, data: ProductChange) -> Product:
    product = await products.get_one_or_none(id=product_id)
    if product is None:
        raise NotFoundException("no such product")
    if data.cents is not None:
        product.cents = data.cents
    if data.stock is not None:
        product.stock = data.stock
    await products.session.commit()  # from here on, nobody reads the old price
    return product


def first_products() -> list[Product]:
    return [
        Product(name="Assam", category="tea", cents=690, stock=12),
        Product(name="Sencha", category="tea", cents=1250, stock=5),
        Product(name="Yirgacheffe", category="coffee", cents=1490, stock=30),
    ]


async def fill() -> None:
    async with database.get_session() as session:
        products = Products(session=session)
        if not await products.exists():
            await products.add_many(first_products(), auto_commit=True)


app = Litestar(
    [list_products, show_product, change_product],
    dependencies={"products": Provide(open_products)},
    on_startup=[fill],
    on_shutdown=[cache.aclose],
    middleware=[DefineMiddleware(AsgiCacheReport, cache=cache)],
    plugins=[SQLAlchemyPlugin(config=database)],
)
