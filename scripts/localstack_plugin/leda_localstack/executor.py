"""LocalStack's Lambda execution environment without Docker: a local process of awslambdaric.

The process runs the function's own package with the Runtime API, so handlers, errors, timeouts and logs behave as on
AWS. It does not limit memory, isolate the file system, or run other languages.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import (
    ShutdownDuringStartup,
    StatusErrorException,
)
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from leda_localstack.function_process import FunctionProcess, interpreter, process_environment
from leda_localstack.runtime_api import InitError, Invocation, Outcome, RuntimeApi, error_document


@dataclass(frozen=True)
class _Environment:
    """A process and the Runtime API that it talks to; both are replaced together."""

    api: RuntimeApi
    process: FunctionProcess


class ProcessExecutor(RuntimeExecutor):
    """One execution environment. LocalStack gives it one invocation at a time."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._variables: dict[str, str] = {}
        self._environment: _Environment | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process, and wait until it asks for its first invocation."""
        self._variables = env_vars
        try:
            self._start_process()
        except InitError as error:
            raise StatusErrorException("function failed to start", payload=error.body) from error
        except CancelledError as error:
            raise ShutdownDuringStartup("stopped during startup") from error

    def _start_process(self) -> _Environment:
        function = self.function_version.config
        code = Path(function.code.get_unzipped_code_location())
        layers = [Path(layer.code.get_unzipped_code_location()) for layer in function.layers or []]
        api = RuntimeApi()
        variables = process_environment(
            os.environ, self._variables, code, layers, function.runtime or "", api.address
        )
        command = [interpreter(), "-m", "awslambdaric", function.handler]
        self._environment = _Environment(api, FunctionProcess(command, code, variables, api))
        api.ready.result()
        return self._environment

    def stop(self) -> None:
        """Kill the process. LocalStack also calls this when the start takes too long."""
        if self._environment:
            self._environment.api.close()
            self._environment.process.kill()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation. After a crash or a timeout, the next invocation gets a new process, as on AWS."""
        request_id = payload["invoke-id"]
        began = time.time()
        try:
            environment = self._environment
            if environment is None or not environment.process.alive:
                self.stop()
                environment = self._start_process()
            outcome = self._run(environment, payload, began)
        except InitError as error:
            outcome = Outcome(error.body, is_error=True)
        logs = self._logs(request_id, began)
        return InvocationResult(request_id, outcome.body, is_error=outcome.is_error, logs=logs)

    def _run(self, environment: _Environment, payload: dict[str, str], began: float) -> Outcome:
        timeout = self.function_version.config.timeout
        invocation = Invocation(
            request_id=payload["invoke-id"],
            payload=payload["payload"].encode(),
            function_arn=payload["invoked-function-arn"],
            trace_id=payload["trace-id"],
            deadline_ms=int((began + timeout) * 1000),
        )
        environment.api.submit(invocation)
        if (
            not environment.process.alive
        ):  # it died before `submit`, when there was no invocation to fail
            error = error_document("Runtime.ExitError", "Runtime exited")
            environment.api.finish(None, Outcome(error, is_error=True))
        try:
            return invocation.outcome.result(timeout=timeout)
        except TimeoutError:
            environment.process.kill()
            message = f"RequestId: {invocation.request_id} Error: Task timed out after {timeout:.2f} seconds"
            return Outcome(error_document("Sandbox.Timedout", message), is_error=True)

    def _logs(self, request_id: str, began: float) -> str:
        milliseconds = (time.time() - began) * 1000
        memory = self.function_version.config.memory_size
        output = self._environment.process.new_output() if self._environment else ""
        return (
            f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n"
            f"{output}"
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {memory} MB"
        )

    def get_logs(self) -> str:
        """Return the output of the process."""
        return self._environment.process.all_output() if self._environment else ""

    def get_address(self) -> str:
        """Return the address of the environment: this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Return the address at which the environment finds LocalStack: this machine."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Return the callback of LocalStack's own init binary, which is not used here."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack the code and the layers."""
        function = function_version.config
        if function.code:
            function.code.prepare_for_execution()
        for layer in function.layers or []:
            layer.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Do nothing: LocalStack removes the unpacked code with the function."""
