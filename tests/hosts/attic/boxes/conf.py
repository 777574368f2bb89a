"""The defaults of the app's settings, where its migrations find them."""

from django.conf import settings

settings.BOXES_LABEL_LENGTH = getattr(settings, "BOXES_LABEL_LENGTH", 50)
