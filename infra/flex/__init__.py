"""The Flex Template: ``parameters.py`` what it takes, ``metadata.py`` the same for Dataflow, ``main.py`` the start."""
