import factory

from gef_project.accounts.models import User


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.org")
    name = "A Person"
    # Logging in is slow on purpose; the tests that do it set a password themselves.
    password = "!"
