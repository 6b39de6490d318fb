"""A saved network as a web service, by Python's own HTTP server.

    python examples/mnist.py --save digits.safetensors
    python examples/serve.py digits.safetensors 8000
    curl http://127.0.0.1:8000 --data '{"pixels": [[0, 0, 255, ...]]}'

A request has rows of 784 pixels from 0 to 255, white on black as MNIST's; the answer has the class of each row and the
probabilities of all classes, or says what was wrong. The picture shows an answer to one of examples/digits.
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", metavar="MODEL", help="a file that MLP.save wrote")
parser.add_argument("port", metavar="PORT", type=int, help="of 127.0.0.1; 0 takes a free one")
options = parser.parse_args()
model = fastnn.load(options.model)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = model.predict_proba(np.array(request["pixels"], dtype=float) / 255)
            classes = model.classes_[found.argmax(axis=1)]
            status, answer = 200, {"classes": classes.tolist(), "probabilities": found.tolist()}
        except (KeyError, TypeError, ValueError) as error:  # as fastnn's own errors are, too
            status, answer = 400, {"error": str(error)}
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
