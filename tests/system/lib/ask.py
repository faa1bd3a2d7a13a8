"""A question and an answer over TCP or UDP.

ask.py tcp|udp ADDRESS PORT          sends a line, prints the answer; exits 1 without one in 3 seconds
ask.py tcp|udp ADDRESS PORT answer   answers all there
"""
import socket
import sys


def main():
    proto, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    if sys.argv[4:] == ["answer"]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if proto == "tcp":
            sock.listen()
        while True:
            if proto == "tcp":
                peer, _ = sock.accept()
                peer.sendall(b"you said " + peer.recv(100))
                peer.close()
            else:
                said, who = sock.recvfrom(100)
                sock.sendto(b"you said " + said, who)
    sock.settimeout(3)
    try:
        sock.connect((address, port))
        sock.send(b"hello")
        print(sock.recv(100).decode())
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
