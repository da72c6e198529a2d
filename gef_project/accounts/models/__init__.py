from .login_throttle import LoginAttempts
from .revocation import RevokedToken
from .user import LowercaseEmailField, Role, User, UserManager

__all__ = ["LoginAttempts", "LowercaseEmailField", "RevokedToken", "Role", "User", "UserManager"]
