import sys

import litserve


class Noop(litserve.LitAPI):
    def setup(self, device):
        pass

    def predict(self, request):
        return {"text": request["text"]}


if __name__ == "__main__":
    server = litserve.LitServer(Noop(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
