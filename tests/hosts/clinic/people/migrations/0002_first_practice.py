from django.db import migrations


def found(apps, schema_editor):
    """Careless about which database this is, as many a host's migration is."""
    apps.get_model("people", "Practice").objects.using(schema_editor.connection.alias).create(
        name="Main Street"
    )


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]

    operations = [
        migrations.RunPython(found, migrations.RunPython.noop),
        migrations.RunSQL("UPDATE people_practice SET name = 'High Street'", ""),
    ]
