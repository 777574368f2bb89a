from django.conf import settings
from django.db import connection, migrations


def found(apps, schema_editor):
    """Careless about which database this is, as many a host's migration is."""
    apps.get_model("people", "Practice").objects.create(name="Main Street")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE people_practice SET name = 'Broad Street'")
    assert connection.vendor in settings.DATABASES["default"]["ENGINE"]


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]

    operations = [
        migrations.RunPython(found, migrations.RunPython.noop),
        migrations.RunSQL(
            "UPDATE people_practice SET name = 'High Street' WHERE name = 'Broad Street'", ""
        ),
    ]
