"""How the admin writes moments: to the second, sortable, with their time zone."""

DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s e"
