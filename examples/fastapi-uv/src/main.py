"""A small FastAPI service."""

import os
import sys

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="Hello")


class Greeting(BaseModel):
    message: str
    python: str
    uid: int


@app.get("/")
def hello(name: str = "FastAPI") -> Greeting:
    """Greets, and says which Python answers and as whom."""
    return Greeting(message=f"Hello from {name}", python=sys.version.split()[0], uid=os.getuid())
