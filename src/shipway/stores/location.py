"""Where the model is: at a path, or in a registry and so at the path of its local copy."""

from __future__ import annotations

from pathlib import Path

from shipway.model.registered import RegistryName, is_registry_name
from shipway.ports import ModelRegistry
from shipway.stores.model_file import ModelFile
from shipway.stores.options import MlflowOptions
from shipway.stores.registered_model import RegisteredModel

__all__ = ["bring", "locate", "registry"]


def locate(model: str, options: MlflowOptions) -> ModelFile | RegisteredModel:
    """The source of the model that is named so; nothing is read yet.

    Raises:
        shipway.errors.SettingError: a name in a registry that is none, or no address to ask.
    """
    if not is_registry_name(model):
        return ModelFile(model)
    return RegisteredModel(registry(options), RegistryName.parse(model), Path(options.folder))


def bring(model: str, options: MlflowOptions) -> Path:
    """The path of the model, which is brought here first when it lies in a registry.

    Raises:
        shipway.errors.Error: as ``locate`` and RegisteredModel.fetch tell.
    """
    source = locate(model, options)
    if isinstance(source, RegisteredModel):
        source.fetch()
    return source.path


def registry(options: MlflowOptions) -> ModelRegistry:
    """The model registry that the options name.

    Raises:
        shipway.errors.SettingError: they name none.
    """
    from shipway.stores.mlflow_models import MlflowModels
    from shipway.stores.tracking_server import TrackingServer

    return MlflowModels(TrackingServer(options))
