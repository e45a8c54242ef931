"""Answers every DNS question for an IPv4 address with 203.0.113.7, at the address that is the argument."""
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5  # of the name, type and class
    is_address = query[end - 4:end - 2] == b"\0\1"
    answer = b"\xc0\x0c" + query[end - 4:end] + b"\0\0\0\x0a\0\4" + bytes([203, 0, 113, 7]) if is_address else b""
    server.sendto(query[:2] + b"\x81\x80\0\1\0" + bytes([is_address]) + b"\0\0\0\0" + query[12:end] + answer, client)
