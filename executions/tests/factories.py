import sys
from typing import Any

import factory

from executions.models import Execution, Script
from gef_project.accounts.tests.factories import UserFactory
from status.states import Status


class ScriptFactory(factory.django.DjangoModelFactory[Script]):
    class Meta:
        model = Script

    slug = factory.Sequence(lambda n: f"script-{n}")
    name = factory.LazyAttribute(lambda script: script.slug.title())
    command = [sys.executable, "-c", "print(1 + 1)"]
    published = True


class ExecutionFactory(factory.django.DjangoModelFactory[Execution]):
    """An execution; one with a status other than PENDING gets it by update_status."""

    class Meta:
        model = Execution
        skip_postgeneration_save = True

    user = factory.SubFactory(UserFactory)
    script = factory.SubFactory(ScriptFactory)

    @classmethod
    def _create(cls, model_class: type[Execution], *args: Any, **fields: Any) -> Execution:
        status = fields.pop("status", Status.PENDING)
        execution: Execution = super()._create(model_class, *args, **fields)
        execution.update_status(status)
        return execution
