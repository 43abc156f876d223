// A checking thread: takes one request after the other, answers each with a verdict or an error.

import { check } from "../check.ts";
import type { WorkerRequest, WorkerResponse } from "./protocol.ts";
import { resolveModel } from "./resolve.ts";

interface Port {
  post(response: WorkerResponse): void;
  listen(listener: (request: WorkerRequest) => void): void;
}

/** Between progress messages, in milliseconds. */
const PROGRESS_INTERVAL_MS = 200;

/** A web worker's scope, or Node's parent port. */
async function openPort(): Promise<Port> {
  const scope = globalThis as unknown as {
    postMessage?: (message: unknown) => void;
    addEventListener?: (type: string, listener: (event: { data: unknown }) => void) => void;
    WorkerGlobalScope?: unknown;
  };
  if (scope.WorkerGlobalScope !== undefined) {
    return {
      post: (response) => scope.postMessage!(response),
      listen: (listener) =>
        scope.addEventListener!("message", (event) => listener(event.data as WorkerRequest)),
    };
  }
  const { parentPort } = await import("node:worker_threads");
  return {
    post: (response) => parentPort!.postMessage(response),
    listen: (listener) => void parentPort!.on("message", listener),
  };
}

const port = await openPort();
port.listen(async (request) => {
  try {
    const model = await resolveModel(request.model);
    let nextAt = 0;
    const verdict = check(request.operations, model, {
      ...request.options,
      onProgress: (progress) => {
        const now = performance.now();
        if (now < nextAt) return;
        nextAt = now + PROGRESS_INTERVAL_MS;
        port.post({ kind: "progress", progress });
      },
    });
    port.post({ kind: "verdict", verdict });
  } catch (error) {
    port.post({ kind: "error", message: (error as Error).message });
  }
});
