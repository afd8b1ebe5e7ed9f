"""
A shop in Flask with Flask-SQLAlchemy, its reads cached.

How to start it is in README.md, beside this file.
"""

import os

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ormcache import Cache, Policy
from ormcache.web import WsgiCacheReport

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///shop.db")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
cache = Cache.from_url(REDIS_URL, namespace="shop")


class Product(db.Model):
    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(40), index=True)
    cents: Mapped[int]
    stock: Mapped[int] = mapped_column(default=0)

    def as_dict(self) -> dict[str, object]:
        return {column.name: getattr(self, column.name) for column in self.__table__.columns}


def first_products() -> list[Product]:
    return [
        Product(name="Assam", category="tea", cents=690, stock=12),
        Product(name="Sencha", category="tea", cents=1250, stock=5),
        Product(name="Yirgacheffe", category="coffee", cents=1490, stock=30),
    ]


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = DATABASE_URL
    db.init_app(app)
    cache.enable(db.session)
    app.wsgi_app = WsgiCacheReport(app.wsgi_app, cache)

    with app.app_context():
        db.create_all()
        if db.session.scalar(select(Product).limit(1)) is None:
            db.session.add_all(first_products())
            db.session.commit()
        # Processes that fork from this one (gunicorn --preload) open connections of their own.
        db.engine.dispose()

    @app.get("/products")
    def list_products() -> list[dict[str, object]]:
        wanted = select(Product).order_by(Product.id)
        if category := request.args.get("category"):
            wanted = wanted.where(Product.category == category)
        return [product.as_dict() for product in db.session.scalars(wanted)]

    @app.get("/products/<int:product_id>")
    def show_product(product_id: int) -> dict[str, object]:
        return db.get_or_404(Product, product_id).as_dict()

    @app.put("/products/<int:product_id>")
    def change_product(product_id: int) -> dict[str, object]:
        product = db.get_or_404(Product, product_id)
        changes = request.get_json()
        product.cents = int(changes.get("cents", product.cents))
        product.stock = int(changes.get("stock", product.stock))
        db.session.commit()  # from here on, nobody reads the old price
        return product.as_dict()

    return app


app = create_app()
