"""How the admin writes times: to the second, sortable, with the time zone."""

DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s e"
