"""Uses: what apps make of a picture, over HTTP; one file a use says its parameters, its files and how it is made."""
