"""Serves npm packages to a page as they are; CommonJS is wrapped into a module, nothing inside it is changed."""

import base64
import hashlib
import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from speech_api import SECURITY_HEADERS

HERE = Path(__file__).parent
MODULES = HERE.parents[2] / "node_modules"
COMMONJS = {  # specifier: (file, what it requires, the names that are imported from it)
    "react": ("react/cjs/react.production.js", (), ("useState", "useReducer", "useRef", "useCallback", "useEffect")),
    "scheduler": ("scheduler/cjs/scheduler.production.js", (), ()),
    "react-dom": ("react-dom/cjs/react-dom.production.js", ("react",), ()),
    "react-dom/client": (
        "react-dom/cjs/react-dom-client.production.js",
        ("scheduler", "react", "react-dom"),
        ("createRoot",),
    ),
    "lodash.debounce": ("lodash.debounce/index.js", (), ()),
}
IMPORTS = {name: f"/npm/{name}.js" for name in COMMONJS}
IMPORTS["react-speech-recognition"] = "/npm/react-speech-recognition/dist/index.js"
MAP = json.dumps({"imports": IMPORTS})
DIGEST = base64.b64encode(hashlib.sha256(MAP.encode()).digest()).decode()
CSP = SECURITY_HEADERS["Content-Security-Policy"].replace("script-src 'self'", f"script-src 'self' 'sha256-{DIGEST}'")
PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>React</title><link rel="icon" href="data:,">
<script type="importmap">{MAP}</script><body><div id="root"></div><script type="module" src="/react/app.js"></script>"""


def wrapped(name: str) -> str:
    file, requires, names = COMMONJS[name]
    imports = "".join(f'import _{n} from "{required}";\n' for n, required in enumerate(requires))
    known = ", ".join(f'"{required}": _{n}' for n, required in enumerate(requires))
    source = (MODULES / file).read_text(encoding="utf-8")
    return f"""{imports}const module = {{ exports: {{}} }};
(function (module, exports, require) {{
{source}
}})(module, module.exports, (name) => ({{ {known} }})[name]);
export default module.exports;
export const {{ {", ".join(names)} }} = module.exports;
"""


async def page(_: Request) -> Response:
    return HTMLResponse(PAGE, headers={**SECURITY_HEADERS, "Content-Security-Policy": CSP})


async def app(_: Request) -> Response:
    return FileResponse(HERE / "app.js")


async def package(request: Request) -> Response:
    path: str = request.path_params["path"]
    if (name := path.removesuffix(".js")) in COMMONJS:
        return Response(wrapped(name), media_type="text/javascript")
    return FileResponse(MODULES / path)


ROUTES: list[BaseRoute] = [Route("/react", page), Route("/react/app.js", app), Route("/npm/{path:path}", package)]
