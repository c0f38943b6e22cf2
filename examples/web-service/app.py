"""A small service that keeps sensor readings and answers with their statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    """The tables of this service."""


class Row(Base):
    """One stored reading."""

    __tablename__ = "readings"
    id: Mapped[int] = mapped_column(primary_key=True)
    sensor: Mapped[str] = mapped_column(index=True)
    celsius: Mapped[float]


class Reading(BaseModel):
    """One reading as clients send it."""

    sensor: str = Field(min_length=1)
    celsius: float = Field(ge=-273.15)


engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
app = FastAPI(title="readings")


@app.post("/readings", status_code=201)
def add(readings: list[Reading]) -> int:
    """Store readings and answer how many there were."""
    with Session(engine) as session, session.begin():
        session.add_all(Row(**reading.model_dump()) for reading in readings)
    return len(readings)


@app.get("/statistics")
def statistics() -> dict[str, dict[str, float]]:
    """Answer mean and 90th percentile, in degrees Celsius, for each sensor."""
    with engine.connect() as connection:
        frame = pd.read_sql(sa.select(Row.sensor, Row.celsius), connection)
    return {
        str(sensor): {"mean": float(values.mean()), "p90": float(np.percentile(values.to_numpy(), 90))}
        for sensor, values in frame.groupby("sensor")["celsius"]
    }
