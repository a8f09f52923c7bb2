"""Numbers of a few bits, as the headers of video codecs have them."""


class Bits:
    """Reads a few bits at a time; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in data[:256])
        self.at = 0

    def read(self, size: int) -> int:
        """Return an unsigned number of so many bits."""
        self.at += size
        if self.at > len(self.bits):
            raise IndexError
        return int(self.bits[self.at - size : self.at] or "0", 2)

    def number(self) -> int:
        """Return an unsigned number in Exp-Golomb code (H.265, 9.2)."""
        zeros = self.bits.find("1", self.at, self.at + 33) - self.at
        if zeros < 0:
            raise IndexError
        self.at += zeros
        return self.read(zeros + 1) - 1

    def numbers(self, count: int) -> None:
        """Skip so many of them."""
        for _ in range(count):
            self.number()
