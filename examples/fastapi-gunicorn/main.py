"""The name under which one of the Dockerfiles starts the application: `uvicorn main:app`."""

from app.main import app

__all__ = ["app"]
