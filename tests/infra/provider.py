"""A stand-in for the Google provider: a Terraform plugin that knows the recorded schema and no cloud.

Terraform itself checks arguments, blocks, types and references against it (``terraform validate``) and works out what
it would make (``terraform plan``): what only the cloud knows stays unknown. It speaks version 5 of the protocol.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import msgpack
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SCHEMA = Path(__file__).with_name("provider_schema.json")
UNKNOWN = msgpack.ExtType(0, b"\0")
STRING, BYTES, BOOL, INT64, MESSAGE, ENUM = 9, 12, 8, 3, 11, 14
LIST = 2

# Messages of tfplugin5.proto, as far as they are used: name -> (number, name, type, repeated).
MESSAGES: dict[str, list[tuple[int, str, Any, bool]]] = {
    "Value": [(1, "msgpack", BYTES, False), (2, "json", BYTES, False)],
    "Attribute": [(1, "name", STRING, False), (2, "type", BYTES, False), (4, "required", BOOL, False),
                  (5, "optional", BOOL, False), (6, "computed", BOOL, False)],
    "Nested": [(1, "type_name", STRING, False), (2, "block", "Block", False), (3, "nesting", INT64, False),
               (4, "min_items", INT64, False), (5, "max_items", INT64, False)],
    "Block": [(1, "version", INT64, False), (2, "attributes", "Attribute", True), (3, "block_types", "Nested", True)],
    "Schema": [(1, "version", INT64, False), (2, "block", "Block", False)],
    "ResourceEntry": [(1, "key", STRING, False), (2, "value", "Schema", False)],
    "Empty": [],
    "SchemaResponse": [(1, "provider", "Schema", False), (2, "resource_schemas", "ResourceEntry", True),
                       (3, "data_source_schemas", "ResourceEntry", True)],
    "Prepare": [(1, "config", "Value", False)],
    "Plan": [(1, "type_name", STRING, False), (2, "prior_state", "Value", False),
             (3, "proposed_new_state", "Value", False), (4, "config", "Value", False)],
    "Planned": [(1, "planned_state", "Value", False), (3, "planned_private", BYTES, False)],
    "Read": [(1, "type_name", STRING, False), (2, "config", "Value", False)],
    "State": [(1, "state", "Value", False)],
}  # fmt: skip


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="stand_in.proto", package="stand_in", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            one = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                one.type, one.type_name = MESSAGE, f".stand_in.{kind}"
            else:
                one.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"stand_in.{name}"))
        for name in MESSAGES
    }


OF = _classes()


def worked_out(name: str, one: dict[str, Any]) -> bool:
    """Whether the cloud says it: what can only be read, and the identity that most resources have."""
    return bool(one.get("computed")) or (name == "id" and not one["required"])


def block(found: dict[str, Any]) -> Any:
    """A recorded block as the protocol writes it. What may be given may also be worked out by the cloud."""
    attributes = [
        OF["Attribute"](
            name=name, type=json.dumps(one["type"]).encode(), required=one.get("required", False),
            optional=not one.get("required", False) and not one.get("computed", False),
            computed=worked_out(name, one),
        )
        for name, one in found["attributes"].items()
    ]  # fmt: skip
    nested = [
        OF["Nested"](
            type_name=name, block=block(one), nesting=LIST, min_items=int(one["required"]),
            max_items=0 if one["many"] else 1,
        )
        for name, one in found["blocks"].items()
    ]  # fmt: skip
    return OF["Block"](attributes=attributes, block_types=nested)


class Provider:
    """The methods that validating and planning call."""

    def __init__(self) -> None:
        self.recorded = json.loads(SCHEMA.read_text("utf-8"))

    def schema(self, _: Any) -> Any:
        schemas = {
            kind: [
                OF["ResourceEntry"](key=name, value=OF["Schema"](block=block(one)))
                for name, one in self.recorded[kind].items()
            ]
            for kind in ("resources", "data")
        }
        return OF["SchemaResponse"](
            provider=OF["Schema"](block=block(self.recorded["configuration"])),
            resource_schemas=schemas["resources"], data_source_schemas=schemas["data"],
        )  # fmt: skip

    def prepare(self, request: Any) -> Any:
        return OF["Prepare"](config=request.config)

    def nothing(self, _: Any) -> Any:
        return OF["Empty"]()

    def plan(self, request: Any) -> Any:
        planned = msgpack.unpackb(request.proposed_new_state.msgpack, strict_map_key=False)
        if planned is not None:
            planned = self._open(planned, self.recorded["resources"][request.type_name])
        return OF["Planned"](planned_state=OF["Value"](msgpack=msgpack.packb(planned)))

    def read(self, request: Any) -> Any:
        found = msgpack.unpackb(request.config.msgpack, strict_map_key=False)
        return OF["State"](state=OF["Value"](msgpack=msgpack.packb(self._filled(request.type_name, found))))

    def _open(self, values: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
        computed = {name for name, one in recorded["attributes"].items() if worked_out(name, one)}
        return {
            name: UNKNOWN if value is None and name in computed else value for name, value in values.items()
        }

    def _filled(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        recorded = self.recorded["data"][name]["attributes"]
        made = {"string": "made-up", "number": "123"}
        return {
            key: made.get(str(recorded[key]["type"])) if value is None and key in recorded else value
            for key, value in values.items()
        }


def serve() -> None:
    """Serve on the loopback interface, and say where, as Terraform's plugins do."""
    provider, server = Provider(), grpc.server(ThreadPoolExecutor(8))
    methods = {
        "GetSchema": (provider.schema, "Empty"), "PrepareProviderConfig": (provider.prepare, "Prepare"),
        "ValidateResourceTypeConfig": (provider.nothing, "Empty"),
        "ValidateDataSourceConfig": (provider.nothing, "Empty"), "Configure": (provider.nothing, "Empty"),
        "PlanResourceChange": (provider.plan, "Plan"), "ReadDataSource": (provider.read, "Read"),
        "Stop": (provider.nothing, "Empty"),
    }  # fmt: skip
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            lambda request, _, method=method: method(request),
            request_deserializer=OF[message].FromString, response_serializer=lambda answer: answer.SerializeToString(),
        )
        for name, (method, message) in methods.items()
    }  # fmt: skip
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"1|5|tcp|127.0.0.1:{port}|grpc\n")
    sys.stdout.flush()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)


if __name__ == "__main__":
    serve()
