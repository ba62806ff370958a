"""The module that a project made by ``shipway init`` has."""

from shipway import create_app

app = create_app()
