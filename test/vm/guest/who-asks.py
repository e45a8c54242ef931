"""A web server that answers every request with the address it came from."""
import http.server
import sys


class WhoAsks(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())


http.server.ThreadingHTTPServer(("", int(sys.argv[1])), WhoAsks).serve_forever()
