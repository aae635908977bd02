# SPDX-License-Identifier: MIT
"""The server that sdk/example/echo.c is for.  Prints its port, then serves."""
import http.server
import json


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = int(self.headers["content-length"])
        words = json.loads(self.rfile.read(size))["say"].split()
        lines = [{"piece": word + " "} for word in words]
        lines.append({"done": True, "words": len(words)})
        if self.headers["authorization"] != "Bearer key-of-echo":
            lines = [{"error": "who are you?"}]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
