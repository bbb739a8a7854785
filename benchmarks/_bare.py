"""The bare counterpart: one process that echoes over grpc.aio with mTLS and takes uploads over TLS, and nothing more.

`python -m benchmarks._bare FOLDER`: FOLDER holds `bare.pem` (key and certificate) and `ca.pem`; prints its ports.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import uvicorn

METHOD = "/bare.Echo/Call"


async def _echo(request: bytes, _: Any) -> bytes:
    return request


async def _upload(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def _main(folder: Path) -> None:
    pem, ca = (folder / "bare.pem").read_bytes(), (folder / "ca.pem").read_bytes()
    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("bare.Echo", {"Call": grpc.unary_unary_rpc_method_handler(_echo)})
    server.add_generic_rpc_handlers((handler,))
    credentials = grpc.ssl_server_credentials([(pem, pem)], root_certificates=ca, require_client_auth=True)
    grpc_port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    config = uvicorn.Config(
        _upload, host="127.0.0.1", port=0, http="httptools", lifespan="off", log_level="error",
        ssl_keyfile=str(folder / "bare.pem"), ssl_certfile=str(folder / "bare.pem"),
        ssl_ca_certs=str(folder / "ca.pem"), ssl_cert_reqs=ssl.CERT_REQUIRED,
    )  # fmt: skip
    web = uvicorn.Server(config)
    serving = asyncio.create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 uvicorn offers no event
        await asyncio.sleep(0.01)
    http_port = web.servers[0].sockets[0].getsockname()[1]
    print(json.dumps({"grpc_port": grpc_port, "http_port": http_port}), flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
