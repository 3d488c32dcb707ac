"""Run a real image app on the engine in this process: no account, no key, no network.

python examples/quickstart.py [IMAGE] [SIZE]
"""

import sys
from pathlib import Path

from inferencesh import TaskStatus, download, inference, parse_status

HERE = Path(__file__).parent
image = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "lighthouse.png"
size = int(sys.argv[2]) if len(sys.argv) > 2 else 160

with inference(base_url=f"local:{HERE / 'apps'}") as client:
    # The path in the input is uploaded; the app gets it as a File.
    params = {"app": "examples/thumbnail", "input": {"image": image, "size": size}}

    for update in client.tasks.run(params, stream=True):
        status = parse_status(update.get("status"))
        print(f"Status: {status.name.lower() if status else 'unknown'}", flush=True)
        if status == TaskStatus.COMPLETED:
            output = update["output"]
            path = download(output["image"], "quickstart-output")
            print(f"Output: {path} ({output['width']} x {output['height']} pixels)")
