"""Uses the installed wheel from an empty folder: model, testkit, command line, a service.

Run by scripts/wheel_smoke with the Python of a fresh venv; the first step that fails ends it.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "shopping_cart" / "service.py"
COMMAND = Path(sys.executable).with_name("actorkalix")
HEAVY = ("ray", "lmdb", "grpc", "starlette")

USES_TESTKIT = """
import shop
from actorkalix.testkit import EntityTestKit
kit = EntityTestKit(shop.ShoppingCart, "c1")
assert kit.call(shop.ShoppingCart.add_item, shop.LineItem("p", "pen", 2)).events
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def python(code: str) -> None:
    """Runs code in a fresh interpreter, in this folder."""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def call(url: str, body: object | None = None) -> dict[str, object]:
    """The JSON answer to a GET, or to a POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, object] = json.load(response)
    return answer


def wait_until_serving(lines: Iterable[str]) -> dict[str, str]:
    """The event that says where the service serves; other lines are shown."""
    for line in lines:
        event: dict[str, str] = json.loads(line)
        if event.get("event") == "serving":
            return event
        print(line.rstrip(), flush=True)
    sys.exit("actorkalix run ended before it served")


def serve_and_call() -> None:
    """Starts the service, adds an item, reads the cart, has it drained."""
    port, admin_port = free_port(), free_port()
    process = subprocess.Popen(
        [COMMAND, "run", "shop:service", "--json", f"--port={port}", f"--admin-port={admin_port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        serving = wait_until_serving(process.stdout)
        call(
            f"{serving['http']}/shopping-cart/c1/add-item",
            {"product_id": "p", "name": "pen", "quantity": 2},
        )
        assert call(f"{serving['http']}/carts/c1")["cart_id"] == "c1"
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=60) == 0, process.returncode
    finally:
        process.kill()


def main() -> None:
    """All steps."""
    assert not any(Path.cwd().iterdir()), "start it in an empty folder"
    python(f"import actorkalix, sys; assert not {{*{HEAVY}}} & {{*sys.modules}}, 'heavy import'")
    print("import actorkalix: loads none of", *HEAVY)
    shutil.copy(EXAMPLE, "shop.py")
    python(USES_TESTKIT)
    print("testkit: a cart takes an item")
    subprocess.run([COMMAND, "explain", "AK2003"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([COMMAND, "components", "shop:service"], check=True, stdout=subprocess.DEVNULL)
    print("command line: explain, components")
    serve_and_call()
    print("actorkalix run shop:service: served, answered, drained")


if __name__ == "__main__":
    main()
