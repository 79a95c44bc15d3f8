"""A small FastAPI service."""

import os

from fastapi import FastAPI, Request

app = FastAPI(title="Hello")


@app.get("/")
def hello(request: Request) -> dict[str, object]:
    """Greets, and says which server answers and as whom."""
    server = "gunicorn" if "gunicorn" in os.environ.get("SERVER_SOFTWARE", "") else "uvicorn"
    return {"message": "Hello from FastAPI", "server": server, "uid": os.getuid(), "path": request.url.path}
