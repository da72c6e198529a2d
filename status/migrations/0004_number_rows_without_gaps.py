"""Number the old rows 1, 2, 3 … in the order of their time, as every later row will be.

The periodic task left holes where a transaction rolled back. Without them the number of rows between two
moments is a subtraction in the whole table. Nothing refers to the numbers.
"""

from django.db import migrations

# In two steps, since a number may still be taken when its new owner comes.
NUMBER = """
    UPDATE status_log SET id = -numbered.number
    FROM (SELECT id, row_number() OVER (ORDER BY timestamp, id) AS number FROM status_log) AS numbered
    WHERE status_log.id = numbered.id;
    UPDATE status_log SET id = -id;
"""


class Migration(migrations.Migration):
    dependencies = [("status", "0003_count_pending")]

    operations = [migrations.RunSQL(NUMBER, migrations.RunSQL.noop)]
