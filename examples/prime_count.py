"""Counts the primes up to a limit by a segmented sieve. The demo's limit takes minutes, to be cancelled.

Params: ``limit`` (int).
"""

from collections.abc import Iterator
from math import isqrt

from examples.reporting import Progress, params, report

SEGMENT = 2**21


def primes_up_to(limit: int) -> list[int]:
    """By the plain sieve of Eratosthenes."""
    is_prime = bytearray([1]) * (limit + 1)
    is_prime[:2] = bytes(min(2, limit + 1))
    for number in range(2, isqrt(limit) + 1):
        if is_prime[number]:
            multiples = range(number * number, limit + 1, number)
            is_prime[multiples.start :: number] = bytes(len(multiples))
    return [number for number in range(limit + 1) if is_prime[number]]


def count_primes(limit: int) -> Iterator[tuple[int, int]]:
    """After each segment, its last number, and how many primes there are up to that."""
    small = primes_up_to(isqrt(limit))
    count = 0
    for low in range(2, limit + 1, SEGMENT):
        high = min(low + SEGMENT, limit + 1)  # exclusive
        is_prime = bytearray([1]) * (high - low)
        for prime in small:
            if prime * prime >= high:
                break
            first = max(prime * prime, -(-low // prime) * prime)
            is_prime[first - low :: prime] = bytes(len(range(first, high, prime)))
        count += is_prime.count(1)
        yield high - 1, count


def main() -> None:
    limit = params()["limit"]
    progress = Progress(limit)
    count = 0
    for number, (reached, count) in enumerate(count_primes(limit)):
        if number % 50 == 0:
            print(f"{count:,} primes up to {reached:,}")
        progress.done(reached)
    report(status="FINISHED", results={"limit": limit, "primes": count})


if __name__ == "__main__":
    main()
