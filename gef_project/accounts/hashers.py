from django.contrib.auth.hashers import Argon2PasswordHasher, ScryptPasswordHasher


class QuickArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id at the least cost that OWASP recommends (19 MiB, twice, one lane).

    Workers log in for every report. Where this was chosen, a check took 23 ms of CPU; with Django's own
    settings it took 297 ms by PBKDF2, 204 ms by scrypt, and 213 ms and 100 MiB by Argon2.
    """

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1


class ImportedScryptPasswordHasher(ScryptPasswordHasher):
    """Checks what Werkzeug has made, which takes 32 MiB: a little more than OpenSSL allows by default."""

    maxmem = 64 * 1024 * 1024
