from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_ui', '0004_slowed'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='newer_only',
            field=models.BooleanField(default=False, help_text='A catch-up that reads only newer rows, and proves nothing.'),
        ),
    ]
