"""Who may call what. The querysets decide which rows a caller sees (``visible_to``)."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .authentication import ExecutionCredential
from .models import User

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by the settings


class IsUser(BasePermission):
    """A user; neither an anonymous caller nor an execution."""

    message = "Only a user may do this, not an execution's own credential."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, User)


class IsStaff(BasePermission):
    message = "Only staff may do this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, User) and request.user.is_staff


class IsUserOrExecution(BasePermission):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, User | ExecutionCredential)


def staff_may(permission: str) -> type[BasePermission]:
    """Staff with this permission, which the admin asks for too."""

    class StaffMay(BasePermission):
        message = f"Only staff with the permission {permission} may do this."

        def has_permission(self, request: Request, view: "APIView") -> bool:
            return isinstance(request.user, User) and request.user.may(permission)

    return StaffMay


def execution_or_staff_may(permission: str) -> type[BasePermission]:
    """The execution's own credential, or staff with this permission."""

    class ExecutionOrStaffMay(BasePermission):
        message = f"Only the execution's own credential and staff with {permission} may do this."

        def has_permission(self, request: Request, view: "APIView") -> bool:
            if isinstance(request.user, ExecutionCredential):
                return True
            return isinstance(request.user, User) and request.user.may(permission)

    return ExecutionOrStaffMay
