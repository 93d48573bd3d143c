"""A server of tools that states what is wrong with a call in one sentence, and answers what is no JSON."""

from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

from otcpipe.errors import Invalid
from otcpipe.text.choices import require_known
from otcpipe.web.parameters import require_names, wrong_values

NO_MESSAGE = "This line is no message of JSON-RPC 2.0."


class ToolServer(MCPServer):
    """The library's server, with our sentences."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool; raises ToolError for unknown tools and arguments, and for wrong values."""
        try:
            require_known(name, [one.name for one in self._tool_manager.list_tools()], "tool")
            tool = self._tool_manager.get_tool(name)
            if tool:
                require_names(arguments, tool.fn_metadata.arg_model.model_fields)
                tool.fn_metadata.validate_arguments(arguments)
            return await super().call_tool(name, arguments, context)
        except Invalid as error:
            raise ToolError(str(error)) from None
        except ValidationError as error:
            raise ToolError(wrong_values(error.errors())) from None
        except UnexpectedToolError:
            raise
        except ToolError as error:
            raise ToolError(str(error).removeprefix(f"Error executing tool {name}: ")) from error

    async def run_stdio_async(self) -> None:
        """Talk on standard input and output; a line that cannot be read is answered with a parse error."""
        inner: tuple[MemoryObjectSendStream[Any], MemoryObjectReceiveStream[Any]]
        async with stdio_server() as (lines, replies), anyio.create_task_group() as tasks:
            inner = anyio.create_memory_object_stream(0)

            async def relay() -> None:
                async with inner[0]:
                    async for item in lines:
                        if isinstance(item, Exception):
                            fault = ErrorData(code=PARSE_ERROR, message=NO_MESSAGE)
                            await replies.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=None, error=fault)))
                        else:
                            await inner[0].send(item)

            tasks.start_soon(relay)
            options = self._lowlevel_server.create_initialization_options()
            await self._lowlevel_server.run(inner[1], replies, options)
            tasks.cancel_scope.cancel()
