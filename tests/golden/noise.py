"""Weights from a seed, which tests/model/seeded.h repeats. With numpy alone, for scripts that do without torch."""
import numpy


def noise(seed, name, count):
    """Values in [-1, 1), multiples of 2^-23: a hash of the text "seed/name" (FNV-1a) and of the place (murmur3's finaliser)."""
    start = 2166136261
    for byte in f"{seed}/{name}".encode():
        start = (start ^ byte) * 16777619 % 2**32
    x = numpy.uint32(start) + numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> numpy.uint32(shift))) * numpy.uint32(factor)
    x ^= x >> numpy.uint32(16)
    return (x >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(2**23) - numpy.float32(1)
