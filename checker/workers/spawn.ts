// Starts checking threads: web workers in Deno and browsers, worker_threads in Node.

import type { WorkerHandle, WorkerRequest, WorkerResponse } from "./protocol.ts";

/** Where the thread's code is. A bundler moves it; then pass where to. */
export const WORKER_URL: URL = new URL("./worker.ts", import.meta.url);

/** One thread, ready for requests. */
export async function spawnWorker(url: URL = WORKER_URL): Promise<WorkerHandle> {
  if (typeof Worker === "function") return webWorker(url);
  return await nodeWorker(url);
}

function webWorker(url: URL): WorkerHandle {
  const worker = new Worker(url, { type: "module" });
  return {
    send: (request: WorkerRequest) => worker.postMessage(request),
    onResponse(listener) {
      worker.onmessage = (event: MessageEvent<WorkerResponse>) => listener(event.data);
      worker.onerror = (event: ErrorEvent) => {
        event.preventDefault();
        listener({ kind: "error", message: event.message });
      };
    },
    terminate: () => worker.terminate(),
  };
}

async function nodeWorker(url: URL): Promise<WorkerHandle> {
  const { Worker: NodeWorker } = await import("node:worker_threads");
  const worker = new NodeWorker(url);
  return {
    send: (request: WorkerRequest) => worker.postMessage(request),
    onResponse(listener) {
      worker.on("message", listener);
      worker.on("error", (error: Error) => listener({ kind: "error", message: error.message }));
    },
    terminate: () => void worker.terminate(),
  };
}
