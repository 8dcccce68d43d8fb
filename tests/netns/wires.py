"""Wires between network namespaces, in a process of their own: each delays every frame by a time drawn for it, so that frames overtake each other, loses some,
and can be cut. It does what tc's netem does, which not every kernel has.

    wires.py DELAY_MS JITTER_MS LOSS_PERCENT INTERFACE...

The interfaces are ends of veth pairs; the other end of number i has the address 02:00:00:00:00:i. A line "cut 3 4" on standard input takes those two off, until
one that says "cut" alone; each is answered by a line with the frames that were carried, lost and cut so far.
"""
import ctypes
import heapq
import random
import select
import signal
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
HEADER = 10  # struct virtio_net_hdr: what the kernel has left to do, checksums for instance, is left to the receiving side


def open_wire(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind((name, 0))
    s.setblocking(False)
    return s


class Wires:
    def __init__(self, delay_s, jitter_s, loss, names):
        self.delay, self.jitter, self.loss = delay_s, jitter_s, loss
        self.sockets = [open_wire(name) for name in names]
        self.number = {s.fileno(): i for i, s in enumerate(self.sockets)}
        self.waiting, self.serial, self.off = [], 0, set()
        self.carried = self.lost = self.cut = 0

    def take(self, source, frame, now):
        to = frame[HEADER:HEADER + 6]
        targets = [to[5]] if to[:5] == b"\x02\0\0\0\0" else range(len(self.sockets))
        for target in targets:
            if target == source or target >= len(self.sockets):
                continue
            if source in self.off or target in self.off:
                self.cut += 1
            elif random.random() < self.loss:
                self.lost += 1
            else:
                self.serial += 1
                heapq.heappush(self.waiting, (now + self.delay + random.uniform(-self.jitter, self.jitter), self.serial, target, frame))

    def give(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.waiting)
            try:
                self.sockets[target].send(frame)
                self.carried += 1
            except OSError:
                self.lost += 1

    def command(self, line):
        self.off = set(map(int, line.split()[1:]))
        print(self.carried, self.lost, self.cut, flush=True)

    def run(self):
        poll = select.epoll()
        for fd in self.number:
            poll.register(fd, select.EPOLLIN)
        poll.register(0, select.EPOLLIN)
        while True:
            wait = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else 1
            for fd, _ in poll.poll(wait):
                if fd == 0:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.command(line)
                    continue
                now = time.monotonic()
                try:
                    for _ in range(64):
                        self.take(self.number[fd], self.sockets[self.number[fd]].recv(70000), now)
                except OSError:
                    pass
            self.give(time.monotonic())


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    delay, jitter, loss = map(float, sys.argv[1:4])
    wires = Wires(delay / 1000, jitter / 1000, loss / 100, sys.argv[4:])
    print("ready", flush=True)
    wires.run()
