"""The tag of all that Thing Tank makes in an account, by which it is found there, and its bill."""

APP_TAG = {"Key": "app", "Value": "thingtank"}
APP_TAGS = {APP_TAG["Key"]: APP_TAG["Value"]}  # as some services want it
