"""What the server answers over HTTP: the page, the list of models, two health checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.templating import Jinja2Templates

from settings import Settings

TEMPLATES = Path(__file__).parent / "templates"


def add_pages(app: FastAPI, settings: Settings, is_ready: Callable[[], bool]) -> None:
    templates = Jinja2Templates(directory=TEMPLATES)

    @app.get("/")
    async def page(request: Request) -> Response:
        return templates.TemplateResponse(request, "index.html", {"settings": page_settings(settings)})

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse(model_list(settings))

    @app.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz")
    async def readyz() -> Response:
        return JSONResponse({"ready": is_ready()}, 200 if is_ready() else 503)


def page_settings(settings: Settings) -> dict[str, Any]:
    return {
        "title": settings.title,
        "version": settings.version,
        "models": model_list(settings)["data"],
        "default_lang": settings.default_lang,
        "sample_rate_hz": settings.sample_rate_hz,
        "sample_bits": settings.sample_bits,
        "saving": settings.save_audio,
    }


def model_list(settings: Settings) -> dict[str, Any]:
    """As OpenAI's list of models, and the languages of each, the default first."""
    langs = sorted(settings.models, key=lambda lang: lang != settings.default_lang)
    ids = dict.fromkeys(settings.models[lang] for lang in langs)
    data = [
        {"id": name, "object": "model", "langs": [lang for lang in langs if settings.models[lang] == name]}
        for name in ids
    ]
    return {"object": "list", "data": data, "default_lang": settings.default_lang}
